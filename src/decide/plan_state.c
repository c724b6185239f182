#include "decide/plan_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "decide/plan_canon.h"
#include "decide/plan_cost.h"
#include "decide/score.h"

#define NONE SNAPSHOT_NONE

// How many candidates are evaluated between two looks at the clock: some tens of microseconds.
#define EVALUATIONS_PER_LOOK 2048

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

static double divided_loss(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    uint32_t *vm = (uint32_t *)state->scratch; // the front of the scratch; the division's points lie behind
    uint32_t n = 0;
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

static double loss_now(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with);

double plan_host_loss(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
{
    double now = loss_now(state, h, without, with);
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
    return (state->n_slots ? series_loss(state, h, NONE, with) : loss_now(state, h, NONE, with)) / weight;
}

bool plan_is_needy(const struct plan_state *state, uint32_t h)
{
    const struct plan_host *host = &state->host[h];
    if (state->leveled) // CPU is pack_level.h's
        return !fits_in(host->mem_want, host->mem_cap);
    return host->loss_now > host->own_loss + PLAN_ROUNDING ||
           host->loss > host->own_loss + state->settings.tolerated_loss * host->weight + PLAN_ROUNDING;
}

static double loss_now(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with)
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
    return divided_loss(state, h, without, with);
}

// Adds up host h anew. O(its VMs).
static void sum_host(struct plan_state *state, uint32_t h)
{
    struct plan_host *host = &state->host[h];
    if (host->up) {
        state->cpu_sum -= host->cpu_load;
        state->mem_sum -= host->mem_load;
    }
    host->cpu = host->cpu_want = host->mem_used = host->mem_want = host->mem_bound = host->mem_max = 0;
    host->own_loss = host->cpu_var = host->mem_var = host->weight = 0;
    host->n_vms = 0;
    host->level = (struct level){0};
    double *slots = state->n_slots ? &state->host_series[(size_t)h * state->n_slots] : NULL;
    for (uint32_t i = 0; i < state->n_slots; i++)
        slots[i] = 0;
    for (uint32_t v = host->head; v != NONE; v = state->vm[v].next) {
        const struct plan_vm *vm = &state->vm[v];
        host->cpu += vm->cpu;
        host->cpu_want += vm->cpu_want;
        host->mem_used += vm->mem_used;
        host->mem_want += vm->mem_want;
        host->mem_bound += vm->mem_bound;
        host->mem_max += vm->mem_max;
        host->own_loss += vm->own_loss;
        host->cpu_var += vm->cpu_var;
        host->mem_var += vm->mem_var;
        host->weight += vm->weight;
        host->level.mean += vm->level.mean;
        host->level.var += vm->level.var;
        host->level.third += vm->level.third;
        host->n_vms++;
        for (uint32_t i = 0; i < state->n_slots; i++)
            slots[i] += (double)state->series[(size_t)v * state->n_slots + i];
    }
    host->cpu_load = host->cpu / host->cpu_cap;
    host->mem_load = host->mem_used / host->mem_phys;
    if (host->up) {
        state->cpu_sum += host->cpu_load;
        state->mem_sum += host->mem_load;
    }
    bool tracked = host->counts && state->track_loss;
    host->loss_now = tracked ? loss_now(state, h, NONE, NONE) : 0;
    host->loss = tracked && state->n_slots ? plan_host_loss(state, h, NONE, NONE) : host->loss_now;
    host->version++;
}

static void unlink_vm(struct plan_state *state, uint32_t v)
{
    struct plan_vm *vm = &state->vm[v];
    if (vm->previous != NONE)
        state->vm[vm->previous].next = vm->next;
    else
        state->host[vm->host].head = vm->next;
    if (vm->next != NONE)
        state->vm[vm->next].previous = vm->previous;
}

static void link_vm(struct plan_state *state, uint32_t v, uint32_t h)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t previous = NONE, next = state->host[h].head;
    while (next != NONE && next < v) {
        previous = next;
        next = state->vm[next].next;
    }
    vm->previous = previous;
    vm->next = next;
    if (previous != NONE)
        state->vm[previous].next = v;
    else
        state->host[h].head = v;
    if (next != NONE)
        state->vm[next].previous = v;
    vm->host = h;
    state->where[v] = h;
}

static void add_lightly(struct plan_state *state, uint32_t h, const struct plan_vm *vm, double sign)
{
    struct plan_host *host = &state->host[h];
    host->cpu += sign * vm->cpu;
    host->mem_used += sign * vm->mem_used;
    host->mem_bound += sign * vm->mem_bound;
    host->mem_max += sign * vm->mem_max;
    double cpu = host->cpu / host->cpu_cap, mem = host->mem_used / host->mem_phys;
    if (host->up) {
        state->cpu_sum += cpu - host->cpu_load;
        state->mem_sum += mem - host->mem_load;
    }
    host->cpu_load = cpu;
    host->mem_load = mem;
}

static void move_lightly(struct plan_state *state, uint32_t v, uint32_t to)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t from = vm->host;
    state->n_displaced += (from == vm->home) - (to == vm->home);
    vm->host = state->where[v] = to;
    if (vm->ruled)
        rules_moved(state->rules, v, from);
    add_lightly(state, from, vm, -1);
    add_lightly(state, to, vm, 1);
}

void plan_state_move(struct plan_state *state, uint32_t v, uint32_t to)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t from = vm->host;
    if (from == to)
        return;
    if (state->light) {
        move_lightly(state, v, to);
        return;
    }
    state->n_displaced += (from == vm->home) - (to == vm->home);
    unlink_vm(state, v);
    link_vm(state, v, to);
    rules_moved(state->rules, v, from);
    sum_host(state, from);
    sum_host(state, to);
}

void plan_state_wake(struct plan_state *state, uint32_t h, bool up)
{
    struct plan_host *host = &state->host[h];
    if (host->up == up)
        return;
    double sign = up ? 1 : -1;
    host->up = up;
    state->n_up += up ? 1 : -1u;
    state->cpu_sum += sign * host->cpu_load;
    state->mem_sum += sign * host->mem_load;
    host->version++;
}

void plan_state_begin_light(struct plan_state *state)
{
    state->light = true;
}

void plan_state_end_light(struct plan_state *state)
{
    state->light = false;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        sum_host(state, h);
}

// Takes VM v's figures from the snapshot.
static void load_vm(struct plan_state *state, uint32_t v, double mean_shares, double bandwidth_mib_s)
{
    const struct snapshot_vms *s = &state->snapshot->vms;
    struct plan_vm *vm = &state->vm[v];
    double growth = 1 + state->settings.mem_growth;
    vm->cpu = s->cpu_demand_cores[v];
    vm->cpu_want = fmin(vm->cpu, s->cpu_limit_cores[v]);
    vm->mem_used = s->mem_used_mib[v];
    vm->mem_want = fmin(vm->mem_used + s->mem_overhead_mib[v], s->mem_limit_mib[v]);
    vm->mem_bound = fmax(vm->mem_used * growth, s->mem_reservation_mib[v]) + s->mem_overhead_mib[v];
    vm->mem_max = s->mem_mib[v];
    vm->weight = s->shares[v] / mean_shares;
    vm->cpu_var = s->cpu_sd_cores[v] * s->cpu_sd_cores[v];
    vm->mem_var = s->mem_sd_mib[v] * s->mem_sd_mib[v];
    vm->fixed = !s->movable[v] || state->host[s->host[v]].counts == false ||
                (state->settings.hold && state->settings.hold[state->input_vm[v]]);
    vm->ruled = rules_concern(state->rules, v) || s->cannot_run_on.start[v + 1] > s->cannot_run_on.start[v];
    state->cpu_claim[v] = (struct entitlement_claim){vm->cpu, s->cpu_reservation_cores[v],
                                                     s->cpu_limit_cores[v], s->cpu_shares[v]};
    state->mem_claim[v] =
        (struct entitlement_claim){vm->mem_used + s->mem_overhead_mib[v], s->mem_reservation_mib[v],
                                   s->mem_limit_mib[v], s->mem_shares[v]};
    double mem_demand = vm->mem_used + s->mem_overhead_mib[v];
    vm->own_loss = vm->weight * (1 - score_cpu_satisfaction(vm->cpu, vm->cpu_want, s->vcpus[v]) *
                                         score_mem_satisfaction(mem_demand, vm->mem_want));
    vm->move_cost = plan_cost(state->snapshot, v, vm->weight, bandwidth_mib_s).lost_vm_s;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The median bandwidth: what a move costs before its destination is known.
static double usual_bandwidth(const struct snapshot *s, struct arena *arena)
{
    double *all = arena_new_array(arena, double, s->hosts.n);
    bool same = true;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        all[h] = s->hosts.net_mib_s[h];
        same = same && all[h] == all[0];
    }
    if (!same)
        qsort(all, s->hosts.n, sizeof *all, by_value);
    return all[s->hosts.n / 2];
}

static void load_hosts(struct plan_state *state)
{
    const struct snapshot *s = state->snapshot;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        struct plan_host *host = &state->host[h];
        host->cpu_cap = s->hosts.cpu_cores[h];
        host->mem_cap = snapshot_host_mem_mib(s, h);
        host->mem_phys = s->hosts.mem_mib[h];
        host->max_cap =
            state->settings.mem_overcommit > 0 ? state->settings.mem_overcommit * host->mem_cap : HUGE_VAL;
        host->head = NONE;
        host->up = s->hosts.state[h] == HOST_UP;
        host->empties = s->hosts.state[h] == HOST_MAINTENANCE;
        host->counts = s->hosts.state[h] != HOST_DOWN;
        state->n_up += host->up;
    }
}

static double mean_shares(const struct snapshot *s)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t v = 0; v < s->vms.n; v++) {
        if (s->hosts.state[s->vms.host[v]] == HOST_DOWN)
            continue;
        sum += s->vms.shares[v];
        n++;
    }
    return n ? sum / n : 1;
}

static void allocate(struct plan_state *state)
{
    struct arena *arena = state->arena;
    state->host = arena_new_array(arena, struct plan_host, state->n_hosts);
    state->vm = arena_new_array(arena, struct plan_vm, state->n_vms);
    state->where = arena_new_array(arena, uint32_t, state->n_vms);
    state->cpu_claim = arena_new_array(arena, struct entitlement_claim, state->n_vms);
    state->mem_claim = arena_new_array(arena, struct entitlement_claim, state->n_vms);
}

// Scratch for the host with most VMs; packing may gather more, so room for all where that is cheap.
static void allocate_scratch(struct plan_state *state)
{
    uint32_t n = state->n_vms + 2;
    state->scratch_vms = n;
    state->claim = arena_new_array(state->arena, struct entitlement_claim, n);
    state->grant = arena_new_array(state->arena, double, n);
    state->satisfaction = arena_new_array(state->arena, double, n);
    state->scratch = arena_alloc(state->arena, 1, n * sizeof(uint32_t) + 16 + entitlement_scratch_bytes(n));
}

static void load_series(struct plan_state *state)
{
    const struct plan_series *from = &state->settings.series;
    state->leveled = from->level != NULL && state->settings.goal == PLAN_PACK;
    if (!from->n_slots || state->leveled)
        return;
    state->n_slots = from->n_slots;
    state->series = arena_new_array(state->arena, float, (size_t)state->n_vms * from->n_slots);
    state->host_series = arena_new_array(state->arena, double, (size_t)state->n_hosts * from->n_slots);
    for (uint32_t v = 0; v < state->n_vms; v++) {
        const float *known = &from->cpu_cores[(size_t)state->input_vm[v] * from->n_slots];
        for (uint32_t i = 0; i < from->n_slots; i++)
            state->series[(size_t)v * from->n_slots + i] =
                isnan(known[i]) ? (float)state->snapshot->vms.cpu_demand_cores[v] : known[i];
    }
}

// Levels of the VMs, and how far all of them together are from theirs in the last hour.
static void load_levels(struct plan_state *state)
{
    const struct plan_series *from = &state->settings.series;
    double mean = 0, lately = 0;
    for (uint32_t v = 0; v < state->n_vms; v++) {
        struct plan_vm *vm = &state->vm[v];
        const struct level *level = &from->level[state->input_vm[v]];
        double most = fmin(state->snapshot->vms.cpu_limit_cores[v], state->snapshot->vms.vcpus[v]);
        struct level first = {.mean = vm->cpu_want};
        vm->level = level_expected(level->covered_s > 0 ? level : &first, most);
        size_t row = (size_t)state->input_vm[v] * from->n_slots;
        double sum = 0;
        uint32_t n = 0;
        for (uint32_t i = 0; i < from->n_slots; i++) {
            if (isnan(from->cpu_cores[row + i]))
                continue;
            sum += (double)from->cpu_cores[row + i];
            n++;
        }
        if (n < PLAN_TIDE_SLOTS)
            continue;
        mean += vm->level.mean;
        lately += sum / n;
    }
    state->tide = mean > 0 ? lately / mean : 1;
}

static void aim(struct plan_state *state)
{
    double cpu = 0, mem = 0, cpu_cap = 0, mem_cap = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        const struct plan_host *host = &state->host[h];
        if (!host->up && !host->empties)
            continue;
        cpu += host->cpu;
        mem += host->mem_used;
        if (!host->up)
            continue;
        cpu_cap += host->cpu_cap;
        mem_cap += host->mem_phys;
    }
    state->cpu_target = cpu_cap > 0 ? cpu / cpu_cap : 0;
    state->mem_target = mem_cap > 0 ? mem / mem_cap : 0;
}

struct plan_state *plan_state_new(const struct snapshot *snapshot, const struct plan_settings *settings,
                                  struct arena *arena)
{
    struct plan_state *state = arena_new_object(arena, struct plan_state);
    state->arena = arena;
    state->settings = *settings;
    state->snapshot = plan_canon(snapshot, arena, &state->input_vm, &state->input_host);
    const struct snapshot *s = state->snapshot;
    state->n_hosts = s->hosts.n;
    state->n_vms = s->vms.n;
    allocate(state);
    allocate_scratch(state);
    load_hosts(state);
    for (uint32_t v = 0; v < s->vms.n; v++)
        state->where[v] = s->vms.host[v];
    state->rules = rules_compile(s, state->where, arena);
    load_series(state);
    double shares = mean_shares(s), bandwidth = usual_bandwidth(s, arena);
    for (uint32_t v = s->vms.n; v-- > 0;) {
        load_vm(state, v, shares, bandwidth);
        struct plan_vm *vm = &state->vm[v];
        vm->home = vm->host = s->vms.host[v];
        vm->previous = NONE;
        vm->next = state->host[vm->host].head;
        if (vm->next != NONE)
            state->vm[vm->next].previous = v;
        state->host[vm->host].head = v;
        state->uncertain = state->uncertain || vm->cpu_var > 0 || vm->mem_var > 0;
    }
    state->track_loss = settings->goal != PLAN_BALANCE;
    if (state->leveled)
        load_levels(state);
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        sum_host(state, h);
        state->host[h].start_bound = state->host[h].mem_bound;
        state->host[h].start_max = state->host[h].mem_max;
    }
    aim(state);
    state->memo_vm = NONE;
    state->value_per_loss = settings->goal == PLAN_BALANCE ? 0 : settings->horizon_s;
    return state;
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
        gain.value -= PLAN_PREFERENCE_LOSS * effect.preferred * (balance ? 1 : state->value_per_loss);
    }
    gain.rank = gain.value;
    if (!balance)
        gain.rank += PLAN_ROOM_LOSS * state->value_per_loss * fmax(plan_room(state, to, v), -1);
    return gain;
}
