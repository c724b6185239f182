// Fills the planner's working copy from a snapshot, and takes over what changed since.
#include "decide/plan_state.h"

#include <math.h>
#include <stdlib.h>

#include "decide/plan_canon.h"
#include "decide/plan_cost.h"
#include "decide/score.h"

#define NONE SNAPSHOT_NONE

// Takes VM v's figures from the snapshot.
static void load_vm(struct plan_state *state, uint32_t v)
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
    vm->weight = s->shares[v] / state->mean_shares;
    vm->cpu_var = s->cpu_sd_cores[v] * s->cpu_sd_cores[v];
    vm->mem_var = s->mem_sd_mib[v] * s->mem_sd_mib[v];
    vm->ruled = rules_concern(state->rules, v) || s->cannot_run_on.start[v + 1] > s->cannot_run_on.start[v];
    state->cpu_claim[v] = (struct entitlement_claim){vm->cpu, s->cpu_reservation_cores[v],
                                                     s->cpu_limit_cores[v], s->cpu_shares[v]};
    state->mem_claim[v] =
        (struct entitlement_claim){vm->mem_used + s->mem_overhead_mib[v], s->mem_reservation_mib[v],
                                   s->mem_limit_mib[v], s->mem_shares[v]};
    double mem_demand = vm->mem_used + s->mem_overhead_mib[v];
    vm->own_loss = vm->weight * (1 - score_cpu_satisfaction(vm->cpu, vm->cpu_want, s->vcpus[v]) *
                                         score_mem_satisfaction(mem_demand, vm->mem_want));
    vm->move_cost = plan_cost(state->snapshot, v, vm->weight, state->bandwidth_mib_s).lost_vm_s;
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
        host->version = 1; // not summed yet
        host->empties = s->hosts.state[h] == HOST_MAINTENANCE;
        host->counts = s->hosts.state[h] != HOST_DOWN;
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
    state->home_version = arena_new_array(arena, uint32_t, state->n_hosts);
    if (state->n_slots) {
        state->series = arena_new_array(arena, float, (size_t)state->n_vms * state->n_slots);
        state->host_series = arena_new_array(arena, double, (size_t)state->n_hosts * state->n_slots);
    }
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

// VM v's row of the series; whether it differs from what it was.
static bool load_row(struct plan_state *state, uint32_t v)
{
    uint32_t n = state->n_slots;
    const float *known = state->settings.series.cpu_cores + (size_t)state->input_vm[v] * n;
    float *row = &state->series[(size_t)v * n], now = (float)state->snapshot->vms.cpu_demand_cores[v];
    bool differs = false;
    for (uint32_t i = 0; i < n; i++) {
        float demand = isnan(known[i]) ? now : known[i];
        differs = differs || demand < row[i] || demand > row[i];
        row[i] = demand;
    }
    return differs;
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

static bool packs_by_levels(const struct plan_settings *settings)
{
    return settings->goal == PLAN_PACK && settings->series.level != NULL;
}

static uint32_t slots_of(const struct plan_settings *settings)
{
    return packs_by_levels(settings) ? 0 : settings->series.n_slots;
}

// What the settings decide, and the counters of a search that has not begun.
static void begin(struct plan_state *state, const struct plan_settings *settings)
{
    state->settings = *settings;
    state->leveled = packs_by_levels(settings);
    state->track_loss = settings->goal != PLAN_BALANCE;
    state->value_per_loss = settings->goal == PLAN_BALANCE ? 0 : settings->horizon_s;
    state->memo_vm = NONE;
    state->n_displaced = state->n_up = 0;
    state->evaluations = 0;
    state->out_of_time = false;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        state->host[h].up = state->snapshot->hosts.state[h] == HOST_UP;
        state->n_up += state->host[h].up;
    }
}

// VM v is at home and may be moved or not.
static void settle(struct plan_state *state, uint32_t v)
{
    struct plan_vm *vm = &state->vm[v];
    vm->home = vm->host;
    vm->fixed = !state->snapshot->vms.movable[v] || !state->host[vm->host].counts ||
                (state->settings.hold && state->settings.hold[state->input_vm[v]]);
}

// Adds up the hosts that changed since the last plan began, and what is summed over hosts.
static void add_up(struct plan_state *state)
{
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        struct plan_host *host = &state->host[h];
        if (host->version != state->home_version[h])
            plan_state_sum(state, h);
        state->home_version[h] = host->version;
        host->start_bound = host->mem_bound;
        host->start_max = host->mem_max;
    }
    state->cpu_sum = state->mem_sum = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (!state->host[h].up)
            continue;
        state->cpu_sum += state->host[h].cpu_load;
        state->mem_sum += state->host[h].mem_load;
    }
    aim(state);
}

struct plan_state *plan_state_of(const struct snapshot *s, uint32_t *input_vm, uint32_t *input_host,
                                 const struct plan_settings *settings, struct arena *arena)
{
    struct plan_state *state = arena_new_object(arena, struct plan_state);
    state->arena = arena;
    state->snapshot = s;
    state->input_vm = input_vm;
    state->input_host = input_host;
    state->n_hosts = s->hosts.n;
    state->n_vms = s->vms.n;
    state->n_slots = slots_of(settings);
    state->mean_shares = mean_shares(s);
    state->bandwidth_mib_s = usual_bandwidth(s, arena);
    allocate(state);
    allocate_scratch(state);
    begin(state, settings);
    load_hosts(state);
    for (uint32_t v = 0; v < s->vms.n; v++)
        state->where[v] = s->vms.host[v];
    state->rules = rules_compile(s, state->where, arena);
    for (uint32_t v = s->vms.n; v-- > 0;) {
        load_vm(state, v);
        struct plan_vm *vm = &state->vm[v];
        vm->host = s->vms.host[v];
        vm->previous = NONE;
        vm->next = state->host[vm->host].head;
        if (vm->next != NONE)
            state->vm[vm->next].previous = v;
        state->host[vm->host].head = v;
        settle(state, v);
        if (state->n_slots)
            load_row(state, v);
    }
    if (state->leveled)
        load_levels(state);
    add_up(state);
    return state;
}

struct plan_state *plan_state_new(const struct snapshot *snapshot, const struct plan_settings *settings,
                                  struct arena *arena)
{
    uint32_t *input_vm, *input_host;
    const struct snapshot *canon = plan_canon(snapshot, arena, &input_vm, &input_host);
    return plan_state_of(canon, input_vm, input_host, settings, arena);
}

// Whether the figures of all VMs or hosts would be others under these settings, or with the shares as they are now.
static bool concerns_all(const struct plan_state *state, const struct plan_settings *settings)
{
    const struct plan_settings *then = &state->settings;
    double growth = settings->mem_growth - then->mem_growth;
    double overcommit = settings->mem_overcommit - then->mem_overcommit;
    double shares = mean_shares(state->snapshot) - state->mean_shares;
    return growth < 0 || growth > 0 || overcommit < 0 || overcommit > 0 || shares < 0 || shares > 0 ||
           slots_of(settings) != state->n_slots || packs_by_levels(settings) || state->leveled;
}

bool plan_state_renew(struct plan_state *state, const struct plan_settings *settings, const bool *changed,
                      struct arena *arena)
{
    if (concerns_all(state, settings))
        return false;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        state->host[h].version += settings->goal != state->settings.goal;
    state->arena = arena;
    begin(state, settings);
    for (uint32_t v = 0; v < state->n_vms; v++) {
        struct plan_vm *vm = &state->vm[v];
        plan_state_put(state, v, state->snapshot->vms.host[v]);
        if (changed[v])
            load_vm(state, v);
        bool other_row = state->n_slots && load_row(state, v);
        state->host[vm->host].version += changed[v] || other_row;
        settle(state, v);
    }
    add_up(state);
    return true;
}
