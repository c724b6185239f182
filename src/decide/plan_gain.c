// What a host loses, where a VM may go, and what a move gains.
#include "decide/plan_state.h"

#include <math.h>
#include <stdlib.h>

#include "decide/score.h"

#define NONE SNAPSHOT_NONE

bool plan_is_over(struct plan_state *state)
{
    if (state->out_of_time)
        return true;
    if (state->settings.work_limit && state->evaluations >= state->settings.work_limit)
        state->out_of_time = true;
    else if (state->settings.stop && state->settings.stop(state->settings.stop_data))
        state->out_of_time = true;
    return state->out_of_time;
}

static bool fits_in(double demand, double capacity)
{
    return demand <= capacity * (1 + PLAN_ROUNDING);
}

// Divides one resource of the n VMs vm[] that does not suffice and multiplies their satisfaction by what comes of it.
static void divide_cpu(struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm)
{
    for (uint32_t i = 0; i < n; i++)
        state->claim[i] = state->cpu_claim[vm[i]];
    entitlement_divide(state->host[h].cpu_cap, n, state->claim, state->grant, state->scratch);
    for (uint32_t i = 0; i < n; i++)
        state->satisfaction[i] *= score_cpu_satisfaction(state->claim[i].demand, state->grant[i],
                                                         state->snapshot->vms.vcpus[vm[i]]);
}

static void divide_mem(struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm)
{
    for (uint32_t i = 0; i < n; i++)
        state->claim[i] = state->mem_claim[vm[i]];
    entitlement_divide(state->host[h].mem_cap, n, state->claim, state->grant, state->scratch);
    for (uint32_t i = 0; i < n; i++)
        state->satisfaction[i] *= score_mem_satisfaction(state->claim[i].demand, state->grant[i]);
}

// What the n VMs vm[] lose on host h when one resource at least does not suffice. vm may be the front of the scratch.
static double divided_loss(struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm)
{
    void *points = state->scratch;
    state->scratch = (char *)points + (((size_t)state->scratch_vms * sizeof *vm + 15) & ~(size_t)15);
    for (uint32_t i = 0; i < n; i++)
        state->satisfaction[i] = 1;
    divide_cpu(state, h, n, vm);
    divide_mem(state, h, n, vm);
    state->scratch = points;
    double loss = 0;
    for (uint32_t i = 0; i < n; i++)
        loss += state->vm[vm[i]].weight * (1 - state->satisfaction[i]);
    return loss;
}

// The VMs of host h without one and with another, ascending, at the front of the scratch; the division's points lie
// behind.
static uint32_t gather(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    uint32_t *vm = (uint32_t *)state->scratch, n = 0;
    bool placed = with == NONE;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        if (!placed && with < v) {
            vm[n++] = with;
            placed = true;
        }
        if (v != without)
            vm[n++] = v;
    }
    if (!placed)
        vm[n++] = with;
    return n;
}

// The mean over the slots of the loss, as if the excess were shared in proportion to demand.
static double series_loss(const struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    const double *sum = &state->host_series[(size_t)h * state->n_slots];
    const float *less = without == NONE ? NULL : &state->series[(size_t)without * state->n_slots];
    const float *more = with == NONE ? NULL : &state->series[(size_t)with * state->n_slots];
    double capacity = state->host[h].cpu_cap, part = 0;
    for (uint32_t i = 0; i < state->n_slots; i++) {
        double demand = sum[i] - (less ? (double)less[i] : 0) + (more ? (double)more[i] : 0);
        if (demand > capacity)
            part += 1 - capacity / demand;
    }
    double weight = state->host[h].weight - (without == NONE ? 0 : state->vm[without].weight) +
                    (with == NONE ? 0 : state->vm[with].weight);
    return part / state->n_slots * weight;
}

double plan_host_loss(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    double now = plan_loss_now(state, h, without, with);
    if (!state->n_slots)
        return now;
    return PLAN_SERIES_NOW * now + (1 - PLAN_SERIES_NOW) * series_loss(state, h, without, with);
}

double plan_expected_part(struct plan_state *state, uint32_t h, uint32_t with, bool *ret_fits_now)
{
    const struct plan_host *host = &state->host[h];
    double weight = host->weight, cpu = host->cpu_want;
    if (with != NONE) {
        weight += state->vm[with].weight;
        cpu += state->vm[with].cpu_want;
    }
    *ret_fits_now = fits_in(cpu, host->cpu_cap);
    if (weight <= 0)
        return 0;
    return (state->n_slots ? series_loss(state, h, NONE, with) : plan_loss_now(state, h, NONE, with)) /
           weight;
}

bool plan_is_needy(const struct plan_state *state, uint32_t h)
{
    const struct plan_host *host = &state->host[h];
    if (state->leveled) // CPU is pack_level.h's
        return !fits_in(host->mem_want, host->mem_cap);
    return host->loss_now > host->own_loss + PLAN_ROUNDING ||
           host->loss > host->own_loss + state->settings.tolerated_loss * host->weight + PLAN_ROUNDING;
}

double plan_loss_now(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    const struct plan_host *host = &state->host[h];
    double cpu = host->cpu_want, mem = host->mem_want, own = host->own_loss;
    if (without != NONE) {
        const struct plan_vm *vm = &state->vm[without];
        cpu -= vm->cpu_want;
        mem -= vm->mem_want;
        own -= vm->own_loss;
    }
    if (with != NONE) {
        const struct plan_vm *vm = &state->vm[with];
        cpu += vm->cpu_want;
        mem += vm->mem_want;
        own += vm->own_loss;
    }
    if (fits_in(cpu, host->cpu_cap) && fits_in(mem, host->mem_cap))
        return own > PLAN_ROUNDING ? own : 0;
    return divided_loss(state, h, gather(state, h, without, with), (const uint32_t *)state->scratch);
}

static double series_loss_of(const struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm)
{
    double part = 0, weight = 0;
    for (uint32_t k = 0; k < n; k++)
        weight += state->vm[vm[k]].weight;
    for (uint32_t i = 0; i < state->n_slots; i++) {
        double demand = 0;
        for (uint32_t k = 0; k < n; k++)
            demand += (double)state->series[(size_t)vm[k] * state->n_slots + i];
        if (demand > state->host[h].cpu_cap)
            part += 1 - state->host[h].cpu_cap / demand;
    }
    return part / state->n_slots * weight;
}

double plan_set_loss(struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm)
{
    double cpu = 0, mem = 0, own = 0;
    for (uint32_t i = 0; i < n; i++) {
        cpu += state->vm[vm[i]].cpu_want;
        mem += state->vm[vm[i]].mem_want;
        own += state->vm[vm[i]].own_loss;
    }
    bool fits = fits_in(cpu, state->host[h].cpu_cap) && fits_in(mem, state->host[h].mem_cap);
    double now = !fits ? divided_loss(state, h, n, vm) : own > PLAN_ROUNDING ? own : 0;
    if (!state->n_slots)
        return now;
    return PLAN_SERIES_NOW * now + (1 - PLAN_SERIES_NOW) * series_loss_of(state, h, n, vm);
}

enum plan_obstacle plan_obstacle(const struct plan_state *state, uint32_t v, uint32_t to)
{
    const struct plan_host *host = &state->host[to];
    const struct plan_vm *vm = &state->vm[v];
    if (!host->up)
        return PLAN_OBSTACLE_STATE;
    if (host->mem_bound + vm->mem_bound > host->mem_cap)
        return PLAN_OBSTACLE_MEMORY;
    if (host->mem_max + vm->mem_max > host->max_cap)
        return PLAN_OBSTACLE_OVERCOMMIT;
    if (state->settings.barred &&
        state->settings.barred(state->settings.barred_data, state->input_vm[v], state->input_host[to]))
        return PLAN_OBSTACLE_BARRED;
    if (!vm->ruled)
        return PLAN_OBSTACLE_NONE;
    if (index_lists_has(&state->snapshot->vms.cannot_run_on, v, to))
        return PLAN_OBSTACLE_CANNOT_RUN;
    return rules_move_effect(state->rules, v, to).strict_worse > 0 ? PLAN_OBSTACLE_RULE : PLAN_OBSTACLE_NONE;
}

bool plan_fits_home(const struct plan_state *state, uint32_t v)
{
    const struct plan_vm *vm = &state->vm[v];
    const struct plan_host *host = &state->host[vm->home];
    if (host->mem_bound + vm->mem_bound > fmax(host->mem_cap, host->start_bound) ||
        host->mem_max + vm->mem_max > fmax(host->max_cap, host->start_max))
        return false;
    return !vm->ruled || rules_move_effect(state->rules, v, vm->home).strict_worse == 0;
}

bool plan_fits(const struct plan_state *state, uint32_t v, uint32_t to)
{
    return plan_obstacle(state, v, to) == PLAN_OBSTACLE_NONE;
}

double plan_room(const struct plan_state *state, uint32_t h, uint32_t with)
{
    const struct plan_host *host = &state->host[h];
    double cpu = host->cpu_want, mem = host->mem_want;
    if (with != NONE) {
        cpu += state->vm[with].cpu_want;
        mem += state->vm[with].mem_want;
    }
    double cpu_room = 1 - cpu / host->cpu_cap, mem_room = 1 - mem / host->mem_cap;
    return cpu_room < mem_room ? cpu_room : mem_room;
}

// Lessening of sum of x^2 - (sum of x)^2 / n when the loads of two hosts go from a to a1 and from b to b1.
static double variance_gain(double a, double a1, double b, double b1, double sum, uint32_t n)
{
    double sum1 = sum - a + a1 - b + b1;
    return a * a + b * b - a1 * a1 - b1 * b1 - (sum * sum - sum1 * sum1) / n;
}

static double deviation_gain(double a, double a1, double b, double b1, double target)
{
    return fabs(a - target) + fabs(b - target) - fabs(a1 - target) - fabs(b1 - target);
}

static double balance_gain(const struct plan_state *state, uint32_t v, uint32_t to)
{
    const struct plan_vm *vm = &state->vm[v];
    const struct plan_host *from = &state->host[vm->host], *dest = &state->host[to];
    bool mad = state->settings.measure == PLAN_MEASURE_MAD;
    double gain = 0;
    if (state->settings.balance != PLAN_BALANCE_MEM) {
        double a = from->up ? from->cpu_load : 0, a1 = from->up ? a - vm->cpu / from->cpu_cap : 0;
        double b = dest->up ? dest->cpu_load : 0, b1 = dest->up ? b + vm->cpu / dest->cpu_cap : 0;
        gain += mad ? deviation_gain(a, a1, b, b1, state->cpu_target)
                    : variance_gain(a, a1, b, b1, state->cpu_sum, state->n_up);
    }
    if (state->settings.balance != PLAN_BALANCE_CPU) {
        double a = from->up ? from->mem_load : 0, a1 = from->up ? a - vm->mem_used / from->mem_phys : 0;
        double b = dest->up ? dest->mem_load : 0, b1 = dest->up ? b + vm->mem_used / dest->mem_phys : 0;
        gain += mad ? deviation_gain(a, a1, b, b1, state->mem_target)
                    : variance_gain(a, a1, b, b1, state->mem_sum, state->n_up);
    }
    return gain;
}

static double loss_gain(struct plan_state *state, uint32_t v, uint32_t to)
{
    const struct plan_vm *vm = &state->vm[v];
    uint32_t from = vm->host;
    if (state->memo_vm != v || state->memo_host != from || state->memo_version != state->host[from].version) {
        state->memo_gain = state->host[from].loss - plan_host_loss(state, from, v, NONE);
        state->memo_vm = v;
        state->memo_host = from;
        state->memo_version = state->host[from].version;
    }
    double lost = plan_host_loss(state, to, NONE, v) - state->host[to].loss;
    double cost = vm->move_cost * ((double)(from == vm->home) - (double)(to == vm->home));
    return (state->memo_gain - lost) * state->value_per_loss - cost;
}

struct plan_gain plan_gain_of(struct plan_state *state, uint32_t v, uint32_t to)
{
    const struct plan_vm *vm = &state->vm[v];
    state->evaluations++;
    bool balance = state->settings.goal == PLAN_BALANCE;
    struct plan_gain gain = {.must = (int)state->host[vm->host].empties - (int)state->host[to].empties};
    gain.value = balance ? balance_gain(state, v, to) : loss_gain(state, v, to);
    if (vm->ruled) {
        struct rules_effect effect = rules_move_effect(state->rules, v, to);
        gain.must += effect.strict_better - effect.strict_worse;
        gain.value -= RULES_PREFERENCE_LOSS * effect.preferred * (balance ? 1 : state->value_per_loss);
    }
    gain.rank = gain.value;
    if (!balance)
        gain.rank += PLAN_ROOM_LOSS * state->value_per_loss * fmax(plan_room(state, to, v), -1);
    return gain;
}
