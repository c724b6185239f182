#include "decide/memory_rules.h"

#include <math.h>

static double band_of(const struct memory_vm_input *vm)
{
    return memory_part_kib((double)vm->maxmem_kib, MEMORY_BAND_PERMILLE, MEMORY_BAND_KIB,
                           MEMORY_BAND_MOST_KIB);
}

// How large a difference moves a balloon: all hysteresis is here. least: the part of the dead band that this step asks
// for, see least_move.
static double least_difference(const struct memory_manager *m, const struct memory_vm_input *vm,
                               const struct memory_track *t, bool up, double least, struct mono now)
{
    int64_t hold_ms =
        (int64_t)fmax(MEMORY_REVERSAL_MS, 2000 * m->elapsed_s); // two steps at least, however long
    bool reversal = t->commanded && t->commanded_up != up && now.ms - t->commanded_at.ms < hold_ms;
    bool at_once = !up && m->state.state == MEMORY_LOW;
    // In soft, and where high lowers, nobody is in need but those in distress.
    bool precaution = (m->state.state == MEMORY_SOFT || (m->state.state == MEMORY_HIGH && !up)) &&
                      !t->draining && !t->distress;
    double bands = (reversal && !at_once) || precaution ? MEMORY_CAUTIOUS_BANDS
                   : up && t->distress                  ? fmin(least, MEMORY_DISTRESS_BAND)
                                                        : least;
    return fmax(MEMORY_ROUNDING_KIB, band_of(vm) * bands);
}

static bool may_command(const struct memory_track *t, struct mono now)
{
    return t->condition == MEMORY_ACTIVE || (t->condition == MEMORY_STUCK && now.ms >= t->retry_at.ms);
}

static void note(struct memory_plan *p, const struct memory_track *t, enum memory_reason_kind kind,
                 double third)
{
    p->reason = (struct memory_reason){
        kind, {(uint64_t)t->current_kib, (uint64_t)p->target, (uint64_t)fmax(0, third)}};
}

static void command(struct memory_manager *m, const struct memory_input *in, size_t i, double to,
                    enum memory_reason_kind kind, double third, struct mono now)
{
    struct memory_track *t = &m->table.track[i];
    struct memory_plan *p = &m->plan[i];
    p->reason =
        (struct memory_reason){kind, {(uint64_t)t->current_kib, (uint64_t)to, (uint64_t)fmax(0, third)}};
    m->action[m->n_actions++] = (struct memory_action){.vm = i,
                                                       .id = t->id,
                                                       .from_kib = (uint64_t)t->current_kib,
                                                       .to_kib = (uint64_t)to,
                                                       .reason = p->reason};
    if (!in->advise_only && !in->vms[i].advise_only)
        memory_track_command(t, to, now);
}

// Take slowly: how far the balloon may be lowered now.
static double lowest_now(const struct memory_manager *m, const struct memory_vm_input *vm,
                         const struct memory_track *t, const struct memory_plan *p)
{
    if (m->state.state == MEMORY_LOW)
        return 0;
    double permille = m->state.state == MEMORY_HARD ? MEMORY_TAKE_HARD_PERMILLE : MEMORY_TAKE_PERMILLE;
    double step = fmax(MEMORY_TAKE_KIB, (double)vm->maxmem_kib * permille / 1000 * fmax(1, m->elapsed_s));
    if (!memory_rules_lands_softly(m, vm, t))
        step = fmax(MEMORY_TAKE_KIB, (double)vm->maxmem_kib * MEMORY_TAKE_PERMILLE / 1000) / 2;
    double lowest =
        t->statistics_at.ms > t->lowered_at.ms || !t->commanded ? t->current_kib - step : t->commanded_kib;
    // What leaves the guest that much free is no loss to it; nor is memory that it has not touched, which the fence takes.
    return fmin(lowest, fmin(memory_track_used_kib(t) + step, fmax(t->actual_kib, p->keep)));
}

static void take(struct memory_manager *m, const struct memory_input *in, double least, struct mono now)
{
    for (size_t i = 0; i < m->table.n; i++) {
        const struct memory_track *t = &m->table.track[i];
        struct memory_plan *p = &m->plan[i];
        double to = fmax(p->target, fmin(lowest_now(m, &in->vms[i], t, p), t->commanded_kib));
        if (!may_command(t, now) ||
            t->commanded_kib - to < least_difference(m, &in->vms[i], t, false, least, now))
            continue;
        if (t->draining)
            command(m, in, i, to, MEMORY_REASON_IDLE, p->idle, now);
        else if (m->division.overload)
            command(m, in, i, to, MEMORY_REASON_ENTITLEMENT, p->entitlement, now);
        else
            command(m, in, i, to, MEMORY_REASON_FENCE, p->room - t->actual_kib, now);
    }
}

// What may be given now without promising memory that is not there.
static double spare_kib(const struct memory_manager *m, const struct memory_host_input *host, bool distress)
{
    double available = (double)host->available_kib, reserve = (double)m->thresholds.reserve_kib;
    double free = fmax(0, available - reserve);
    // What others may grow into but do not is no reason to let a guest swap: half of what is free is its at once.
    if (m->state.state <= MEMORY_SOFT)
        return fmax((1 + m->promise) * free - m->sum.committed, distress ? free / 2 : 0);
    if (distress && m->state.state == MEMORY_HARD)
        reserve = (double)m->thresholds.low_kib;
    return available + (double)host->swap_free_kib / 2 - reserve - m->sum.committed;
}

// What a target adds to what the VM may have already, moving there included.
static double cost_of(const struct memory_track *t, const struct memory_plan *p)
{
    return fmax(0, p->target - fmax(t->current_kib, t->commanded_kib));
}

static bool wants(const struct memory_manager *m, const struct memory_input *in, size_t i, bool distress,
                  double least, struct mono now)
{
    const struct memory_track *t = &m->table.track[i];
    double difference = m->plan[i].target - t->commanded_kib;
    return t->distress == distress && may_command(t, now) &&
           difference >= least_difference(m, &in->vms[i], t, true, least, now);
}

// Gives to all that are (not) in distress, in proportion to what they lack where not all can have it now.
static double give(struct memory_manager *m, const struct memory_input *in, bool distress, double spare,
                   double least, struct mono now)
{
    double sum = 0;
    for (size_t i = 0; i < m->table.n; i++)
        if (wants(m, in, i, distress, least, now))
            sum += cost_of(&m->table.track[i], &m->plan[i]);
    double part = sum <= spare ? 1 : fmax(0, spare / sum);
    for (size_t i = 0; i < m->table.n; i++) {
        if (!wants(m, in, i, distress, least, now))
            continue;
        const struct memory_track *t = &m->table.track[i];
        struct memory_plan *p = &m->plan[i];
        double cost = cost_of(t, p), to = p->target;
        if (part < 1 && cost > 0)
            to = floor((fmax(t->current_kib, t->commanded_kib) + cost * part) / 1024) * 1024;
        if (to - t->commanded_kib < least_difference(m, &in->vms[i], t, true, 0, now)) {
            note(p, t, MEMORY_REASON_AWAITING, 0);
            continue;
        }
        command(m, in, i, to,
                distress               ? MEMORY_REASON_DISTRESS
                : to >= p->claim.limit ? MEMORY_REASON_RELEASE
                                       : MEMORY_REASON_DIVISION,
                p->entitlement, now);
    }
    return fmax(0, spare - sum);
}

// Why a VM that gets no action gets none.
static void explain(struct memory_manager *m, const struct memory_vm_input *vm, size_t i, struct mono now)
{
    const struct memory_track *t = &m->table.track[i];
    struct memory_plan *p = &m->plan[i];
    switch (t->condition) {
    case MEMORY_STALE:
        note(p, t, MEMORY_REASON_STALE,
             vm->has_statistics ? (double)vm->statistics_age_ms : (double)(now.ms - t->trouble_since.ms));
        return;
    case MEMORY_STUCK:
        note(p, t, MEMORY_REASON_STUCK, (double)(now.ms - t->trouble_since.ms));
        return;
    case MEMORY_WAITING:
        note(p, t, MEMORY_REASON_CALL_PENDING, 0);
        return;
    case MEMORY_STOPPED:
        note(p, t, MEMORY_REASON_NOT_RUNNING, 0);
        return;
    case MEMORY_LEAVING:
        note(p, t, MEMORY_REASON_MIGRATING, 0);
        return;
    case MEMORY_EXCLUDED:
        note(p, t, MEMORY_REASON_EXCLUDED, 0);
        return;
    case MEMORY_UNBALLOONABLE:
        note(p, t, MEMORY_REASON_UNBALLOONABLE, 0);
        return;
    case MEMORY_ACTIVE:
        break;
    }
    if (memory_track_moving(t))
        note(p, t, MEMORY_REASON_MOVING, 0);
    else if (p->target + MEMORY_ROUNDING_KIB > t->current_kib && p->room + MEMORY_BAND_KIB < t->current_kib)
        note(p, t, MEMORY_REASON_FLOOR, p->floor);
    else if (fabs(p->target - t->commanded_kib) >= MEMORY_ROUNDING_KIB)
        note(p, t, MEMORY_REASON_DEAD_BAND, 0);
    else
        note(p, t, MEMORY_REASON_SATISFIED, 0);
}

// The part of the dead band that a difference must reach in this step. In overload one VM beyond it moves all that
// are off by a quarter of it; and many small differences together are no small thing for the reserve.
static double least_move(const struct memory_manager *m, const struct memory_input *in, struct mono now)
{
    if (m->state.state == MEMORY_LOW)
        return 0;
    double owed = 0;
    bool beyond = false;
    for (size_t i = 0; i < m->table.n; i++) {
        if (!may_command(&m->table.track[i], now))
            continue;
        double off = m->plan[i].target - m->table.track[i].commanded_kib;
        owed += fabs(off) < band_of(&in->vms[i]) ? fmax(0, -off) : 0;
        beyond = beyond || fabs(off) >= band_of(&in->vms[i]);
    }
    if (m->state.state == MEMORY_HARD &&
        owed > (double)m->thresholds.reserve_kib * MEMORY_OWED_PERMILLE / 1000)
        return 0;
    return m->division.overload && beyond ? 0.25 : 1;
}

void memory_rules_act(struct memory_manager *m, const struct memory_input *in, struct mono now)
{
    double least = least_move(m, in, now);
    take(m, in, least, now);
    double spare = give(m, in, true, spare_kib(m, &in->host, true), least, now);
    give(m, in, false, fmin(spare, spare_kib(m, &in->host, false)), least, now);
    for (size_t i = 0; i < m->table.n; i++)
        if (m->plan[i].reason.kind == MEMORY_REASON_NONE)
            explain(m, &in->vms[i], i, now);
}
