// The driver of ballast's loops: samples, reports, and each loop in its turn.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/ballast.h"

static void stop(void *state)
{
    struct ballast *b = state;
    if (!b)
        return;
    if (b->host)
        for (uint32_t h = 0; h < b->view->n_hosts; h++)
            memory_manager_free(b->host[h].memory);
    longterm_free(b->longterm);
    ballast_orders_free(&b->orders);
    arena_free(b->arena);
    free(b);
}

static int allocate(struct ballast *b, struct error *err)
{
    uint32_t n_vms = b->view->n_vms, n_hosts = b->view->n_hosts;
    b->arena = arena_new(1 << 20);
    if (!b->arena)
        return error_set(err, ERROR_MEMORY, "no memory");
    b->vm = arena_new_array(b->arena, struct ballast_vm, n_vms);
    b->host = arena_new_array(b->arena, struct ballast_host, n_hosts);
    b->report = arena_new_array(b->arena, struct report_vm, n_vms);
    b->report_of_host = arena_new_array(b->arena, struct report_vm, n_vms);
    b->report_index = arena_new_array(b->arena, uint32_t, n_vms);
    b->report_scratch = arena_new_array(b->arena, double, n_vms);
    b->immediate_vm = arena_new_array(b->arena, struct immediate_vm, n_vms);
    b->immediate_host = arena_new_array(b->arena, struct immediate_host, n_hosts);
    b->memory_vm = arena_new_array(b->arena, struct memory_vm_input, n_vms);
    b->known_vm = arena_new_array(b->arena, uint32_t, n_vms);
    b->vm_of_snapshot = arena_new_array(b->arena, uint32_t, n_vms);
    for (uint32_t h = 0; h < n_hosts; h++) {
        b->host[h].alert_ms = b->host[h].series_ms = INT64_MIN / 2;
        b->host[h].immediate_ms = -1;
    }
    return 0;
}

static int start(struct world *world, const struct scenario *scenario, uint64_t seed, bool immediate,
                 bool longterm, void **ret_state, struct error *err)
{
    struct ballast *b = calloc(1, sizeof(*b));
    if (!b)
        return error_set(err, ERROR_MEMORY, "no memory");
    b->world = world;
    b->view = world_view(world);
    b->scenario = scenario;
    b->seed = seed;
    b->use_immediate = immediate;
    b->use_longterm = longterm;
    b->use_memory = scenario->memory_constrains && scenario->ballooning;
    if (allocate(b, err) < 0 || (longterm && ballast_longterm_new(b, err) < 0)) {
        stop(b);
        return -1;
    }
    *ret_state = b;
    return 0;
}

void ballast_note_move(struct ballast *b, uint32_t v, uint32_t from)
{
    struct ballast_vm *vm = &b->vm[v];
    vm->moves_1h = migration_count_decay(vm->moves_1h, (double)(b->now_ms - vm->moves_ms) / 1000) + 1;
    vm->moves_ms = b->now_ms;
    vm->move_ms[vm->n_moves++ % 8] = b->now_ms;
    vm->left[vm->n_left++ % PUSH_LEFT] = (struct push_left_at){from, b->now_ms};
}

double ballast_count(const struct ballast *b, uint32_t v)
{
    const struct ballast_vm *vm = &b->vm[v];
    double n = migration_count_decay(vm->moves_1h, (double)(b->now_ms - vm->moves_ms) / 1000);
    switch (b->scenario->penalty) {
    case PENALTY_QUADRATIC:
        break;
    case PENALTY_LINEAR:
        return sqrt(n) * MIGRATION_PENALTY_AT;
    case PENALTY_EXPONENTIAL:
        return sqrt(exp2(n) - 1) * MIGRATION_PENALTY_AT;
    case PENALTY_NONE:
        return 0;
    }
    return n;
}

static struct report_thresholds thresholds_of(const struct scenario *scenario)
{
    struct report_thresholds t = report_thresholds_default();
    t.cpu_absolute_cores *= scenario->report_part;
    t.mem_absolute_mib *= scenario->report_part;
    t.relative *= scenario->report_part;
    t.drift *= scenario->report_part;
    return t;
}

// The hour travels with the row, made anew when a slot of it is over.
static void tell_series(struct ballast_vm *vm, int64_t now_ms)
{
    if (vm->series.n > 0 && now_ms - vm->series_ms < HISTORY_SERIES_S * 1000)
        return;
    history_to_series(&vm->history, &vm->series);
    vm->series_ms = now_ms;
}

// What host h measures of its VMs, and what of it the others are told.
static void sample_and_report(struct ballast *b, uint32_t h)
{
    const struct view *view = b->view;
    const struct view_list *list = &view->host_vms[h];
    double duration_s = b->began ? (double)(b->now_ms - b->before_ms) / 1000 : b->scenario->sample_s;
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t v = list->vm[i];
        if (!view->known[v])
            continue;
        if (duration_s > 0)
            history_add(&b->vm[v].history, (struct wall){BALLAST_EPOCH_MS + b->now_ms}, duration_s,
                        view->cpu_demand[v], view->mem_used_mib[v]);
        double unmet = view->cpu_demand[v] - view->cpu_delivered[v];
        b->report[v].now = (struct report_figures){
            .cpu_demand_cores = view->cpu_demand[v],
            .mem_used_mib = view->mem_used_mib[v],
            .mem_current_mib = view->mem_current_mib[v],
            .mem_actual_mib = view->mem_actual_mib[v],
            .cpu_unmet_cores = unmet > 0 ? unmet : 0,
            .mem_unmet_mib = b->vm[v].unmet_mib,
        };
        if (unmet > 0.01 * view->vm_cores[v] || view->guest_swap_mib[v] > 0 || b->vm[v].unmet_mib > 0)
            b->host[h].alert_ms = b->now_ms;
    }
    struct report_thresholds thresholds = thresholds_of(b->scenario);
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->n; i++)
        if (view->known[list->vm[i]])
            b->report_of_host[n] = b->report[list->vm[i]], b->known_vm[n++] = list->vm[i];
    size_t n_report =
        report_select(&thresholds, b->report_of_host, n, view->host_cores[h], view->host_mem_mib[h],
                      ballast_mono(b), b->report_index, b->report_scratch);
    if (b->use_immediate || b->use_longterm) // else nobody reads them
        world_note_rows(b->world, n, n_report);
    for (size_t i = 0; i < n_report; i++) {
        struct report_vm *r = &b->report[b->known_vm[b->report_index[i]]];
        r->reported = r->now;
        r->reported_at = ballast_mono(b);
        r->known = true;
        tell_series(&b->vm[b->known_vm[b->report_index[i]]], b->now_ms);
    }
}

static void forget_the_gone(struct ballast *b)
{
    for (uint32_t v = 0; v < b->view->n_vms; v++)
        if (b->view->vm_host[v] == VIEW_NONE && b->report[v].known) {
            memset(&b->vm[v], 0, sizeof(b->vm[v]));
            memset(&b->report[v], 0, sizeof(b->report[v]));
        }
}

static bool is_alert(const struct ballast *b, uint32_t h)
{
    return b->now_ms - b->host[h].alert_ms <= BALLAST_ALERT_MS;
}

static int64_t step(void *state)
{
    struct ballast *b = state;
    const struct view *view = b->view;
    int64_t sample_ms = (int64_t)(b->scenario->sample_s * 1000);
    b->now_ms = view->now_ms;
    forget_the_gone(b);
    for (uint32_t h = 0; h < view->n_hosts; h++)
        if (view->host_power[h] == HOST_ON)
            sample_and_report(b, h);
    bool alert = false;
    // While the long-term balancer plans the immediate ones hold back, and then leave alone whom its orders name.
    if (b->use_longterm)
        ballast_longterm_step(b);
    ballast_orders_step(b);
    for (uint32_t h = 0; h < view->n_hosts; h++) {
        if (view->host_power[h] != HOST_ON || view->host_vms[h].n == 0)
            continue;
        if (b->use_memory)
            ballast_memory_step(b, h);
        if (b->use_immediate && is_alert(b, h))
            ballast_immediate_step(b, h);
        alert = alert || is_alert(b, h) || (b->use_memory && b->host[h].memory_ms <= b->now_ms + sample_ms);
    }
    b->before_ms = b->now_ms;
    b->began = true;
    int64_t slot_ms = (int64_t)round(b->scenario->slot_s * 1000), next_ms = b->now_ms + sample_ms;
    if (sample_ms >= slot_ms)
        return next_ms;
    // All is constant until the next slot where nothing is wrong and nothing is under way.
    int64_t begin_ms = ((int64_t)view->slot + 1) * slot_ms;
    return (alert || b->orders.n > 0) && next_ms < begin_ms ? next_ms : begin_ms;
}

static void migration_ended(void *state, const struct world_migration_end *end)
{
    struct ballast *b = state;
    b->now_ms = b->view->now_ms;
    struct ballast_host *source = &b->host[end->from];
    source->busy = false;
    if (source->immediate)
        immediate_report(source->immediate, end->vm, end->done ? IMMEDIATE_DONE : IMMEDIATE_FAILED,
                         end->duration_s, ballast_mono(b));
}

static int start_both(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                      struct error *err)
{
    return start(world, scenario, seed, true, true, ret_state, err);
}

static int start_immediate(struct world *world, const struct scenario *scenario, uint64_t seed,
                           void **ret_state, struct error *err)
{
    return start(world, scenario, seed, true, false, ret_state, err);
}

static int start_longterm(struct world *world, const struct scenario *scenario, uint64_t seed,
                          void **ret_state, struct error *err)
{
    return start(world, scenario, seed, false, true, ret_state, err);
}

static int start_memory(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                        struct error *err)
{
    return start(world, scenario, seed, false, false, ret_state, err);
}

const struct policy_class policy_ballast = {
    .name = "ballast",
    .summary = "immediate and long-term balancer and memory manager",
    .start = start_both,
    .step = step,
    .migration_ended = migration_ended,
    .stop = stop,
    .has_memory_manager = true,
};

const struct policy_class policy_ballast_immediate = {
    .name = "ballast-immediate",
    .summary = "ballast without the long-term balancer",
    .start = start_immediate,
    .step = step,
    .migration_ended = migration_ended,
    .stop = stop,
    .has_memory_manager = true,
};

const struct policy_class policy_ballast_longterm = {
    .name = "ballast-longterm",
    .summary = "ballast without the immediate balancers",
    .start = start_longterm,
    .step = step,
    .migration_ended = migration_ended,
    .stop = stop,
    .has_memory_manager = true,
};

const struct policy_class policy_memory = {
    .name = "memory",
    .summary = "the memory managers of ballast's hosts alone",
    .start = start_memory,
    .step = step,
    .stop = stop,
    .has_memory_manager = true,
};
