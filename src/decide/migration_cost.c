#include "decide/migration_cost.h"

#include <assert.h>
#include <math.h>

#define DOWNTIME_LEAST_S 0.05 // hand-over of devices with nothing left to send
// QEMU's auto-converge: from 20 % of the vCPUs' time in steps of 10 % up to 99 %.
#define THROTTLE_FROM 0.20
#define THROTTLE_STEP 0.10
#define THROTTLE_MOST 0.99
#define CALIBRATION_PRIOR 2.0               // the model counts as so many migrations
#define CALIBRATION_DECAY 0.95              // each new migration makes the older ones count less
#define CALIBRATION_MOST 1.3862943611198906 // log 4: what is further off is an accident, not a rule

struct migration_estimate migration_estimate(const struct migration_subject *vm,
                                             const struct migration_link *link,
                                             const struct migration_calibration *calibration)
{
    double bandwidth = link->bandwidth_mib_s;
    double most_left = bandwidth * (link->downtime_s > 0 ? link->downtime_s : MIGRATION_DOWNTIME_S);
    double hot = vm->hot_mib > 0 ? fmin(vm->hot_mib, vm->resident_mib) : vm->resident_mib;
    assert(bandwidth > 0 && vm->resident_mib >= 0 && vm->dirty_mib_s >= 0);

    double disk_s = vm->local_disk_mib / bandwidth;
    double left = vm->resident_mib, copy_s = disk_s, lost_s = disk_s * MIGRATION_SLOW_DOWN;
    double sent = vm->local_disk_mib, throttle = 0;
    uint32_t rounds = 0;
    bool converges = true;
    while (left > most_left && rounds < MIGRATION_ROUNDS_MOST) {
        double round_s = left / bandwidth;
        rounds++;
        sent += left;
        copy_s += round_s;
        lost_s += round_s * fmax(MIGRATION_SLOW_DOWN, throttle);
        double next = fmin(vm->dirty_mib_s * (1 - throttle) * round_s, hot);
        // QEMU throttles when more than half of what a round sent is dirty again.
        if (next > left / 2 && next > most_left) {
            converges = false;
            throttle = throttle > 0 ? fmin(throttle + THROTTLE_STEP, THROTTLE_MOST) : THROTTLE_FROM;
        }
        left = next;
    }
    sent += left;
    struct migration_estimate e = {
        .duration_s = MIGRATION_SETUP_S + copy_s + left / bandwidth,
        .downtime_s = DOWNTIME_LEAST_S + left / bandwidth,
        .sent_mib = sent,
        .rounds = rounds,
        .converges = converges,
        .slow_down = copy_s > 0 ? lost_s / copy_s : MIGRATION_SLOW_DOWN,
    };
    if (calibration && calibration->weight > 0) {
        double trust = calibration->weight / (calibration->weight + CALIBRATION_PRIOR);
        e.duration_s *= exp(trust * calibration->log_time_factor);
        e.downtime_s *= exp(trust * calibration->log_downtime_factor);
    }
    return e;
}

double migration_penalty(double migrations_1h, double migrations_24h, double left_destination_s)
{
    if (left_destination_s >= 0 && left_destination_s < MIGRATION_RETURN_S)
        return MIGRATION_PROHIBITIVE;
    if (migrations_24h >= MIGRATION_DAY_MOST)
        return MIGRATION_PROHIBITIVE;
    double n = migrations_1h / MIGRATION_PENALTY_AT;
    return (1 + n * n) * exp2(fmax(0, migrations_24h - MIGRATION_DAY_FREE));
}

struct migration_cost migration_cost(const struct migration_subject *vm, const struct migration_link *link,
                                     const struct migration_calibration *calibration)
{
    struct migration_estimate e = migration_estimate(vm, link, calibration);
    double own = vm->weight * (e.slow_down * e.duration_s + e.downtime_s + MIGRATION_RISK_S);
    double disturbed = MIGRATION_CPU_CORES * e.duration_s *
                       (link->source_loss_per_core_s + link->destination_loss_per_core_s);
    double penalty = migration_penalty(vm->migrations_1h, vm->migrations_24h, vm->left_destination_s);
    return (struct migration_cost){
        .estimate = e,
        .own_lost_vm_s = own,
        .disturbed_lost_vm_s = disturbed,
        .penalty = penalty,
        .lost_vm_s = (own + disturbed) * penalty,
    };
}

double migration_count_decay(double migrations_1h, double elapsed_s)
{
    return migrations_1h * exp2(-fmax(elapsed_s, 0) / MIGRATION_MOVES_HALF_LIFE_S);
}

static double bounded_log_ratio(double measured, double modelled)
{
    return fmax(-CALIBRATION_MOST, fmin(log(measured / modelled), CALIBRATION_MOST));
}

void migration_calibrate(struct migration_calibration *c, const struct migration_estimate *modelled,
                         double measured_duration_s, double measured_downtime_s)
{
    if (!(measured_duration_s > 0) || !(modelled->duration_s > 0))
        return;
    double old = c->weight * CALIBRATION_DECAY, total = old + 1;
    c->log_time_factor =
        (c->log_time_factor * old + bounded_log_ratio(measured_duration_s, modelled->duration_s)) / total;
    if (measured_downtime_s > 0)
        c->log_downtime_factor =
            (c->log_downtime_factor * old + bounded_log_ratio(measured_downtime_s, modelled->downtime_s)) /
            total;
    c->weight = total;
}
