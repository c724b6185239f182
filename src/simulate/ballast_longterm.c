// The long-term balancer of a simulated cluster: it plans on reported rows, and its orders are carried out by the
// hosts that have the VMs.
#include <math.h>
#include <stdlib.h>

#include "simulate/ballast.h"

int ballast_longterm_new(struct ballast *b, struct error *err)
{
    struct longterm_settings settings = longterm_settings_default();
    settings.period_s = b->scenario->longterm_s;
    if (!b->scenario->bars)
        settings.return_bar_s = 0;
    settings.consolidate = b->scenario->consolidate;
    settings.plan.host_actions = b->scenario->consolidate;
    b->longterm = longterm_new(&settings);
    return b->longterm ? 0 : error_set(err, ERROR_MEMORY, "no memory for the long-term balancer");
}

static enum host_state state_of(const struct ballast *b, uint32_t h)
{
    switch (b->view->host_power[h]) {
    case HOST_ON:
        return b->scenario->hosts_follow_use && b->view->host_vms[h].n == 0 && b->view->host_in[h] == 0
                   ? HOST_STANDBY
                   : HOST_UP;
    case HOST_WAKING:
    case HOST_FALLING:
    case HOST_SLEEPING:
        return HOST_STANDBY;
    case HOST_CRASHED:
        return HOST_DOWN;
    }
    return HOST_DOWN;
}

static void fill_host(struct snapshot *s, const struct ballast *b, uint32_t h)
{
    const struct view *view = b->view;
    s->hosts.name[h] = view->host_name[h];
    s->hosts.state[h] = state_of(b, h);
    s->hosts.cpu_cores[h] = view->host_cores[h];
    s->hosts.core_speed[h] = view->host_core_cores[h];
    s->hosts.mem_mib[h] = b->scenario->memory_constrains ? view->host_mem_mib[h] : 1e9;
    s->hosts.net_mib_s[h] = view->host_net_mib_s[h];
}

// Row i of the snapshot is VM v, as last reported; one that is on its way counts where it goes.
static void fill_vm(struct snapshot *s, const struct ballast *b, uint32_t i, uint32_t v)
{
    const struct view *view = b->view;
    const struct report_figures *r = &b->report[v].reported;
    double vcpus = view->vm_vcpus[v];
    s->vms.name[i] = view->vm_name[v];
    s->vms.host[i] = view->vm_to[v] != VIEW_NONE ? view->vm_to[v] : view->vm_host[v];
    s->vms.vcpus[i] = view->vm_vcpus[v];
    s->vms.mem_mib[i] = view->vm_mem_mib[v];
    s->vms.cpu_demand_cores[i] = fmin(r->cpu_demand_cores, vcpus);
    s->vms.cpu_limit_cores[i] = fmin(view->vm_cores[v], vcpus);
    s->vms.mem_used_mib[i] = fmin(r->mem_used_mib, view->vm_mem_mib[v]);
    s->vms.mem_current_mib[i] = r->mem_current_mib;
    s->vms.mem_actual_mib[i] = b->scenario->memory_constrains ? r->mem_actual_mib : view->vm_mem_mib[v];
    s->vms.mem_overhead_mib[i] = view->vm_overhead_mib[v];
    s->vms.mem_limit_mib[i] = view->vm_mem_mib[v];
    s->vms.shares[i] = s->vms.cpu_shares[i] = s->vms.mem_shares[i] = (uint32_t)view->vm_shares[v];
    s->vms.dirty_mib_s[i] = view->dirty_mib_s[v];
    s->vms.migrations_1h[i] = ballast_count(b, v);
}

// The last hour of VM v in slots of HISTORY_SERIES_S, oldest first.
static void fill_series(float *row, struct ballast *b, uint32_t v)
{
    const struct history_series *series = &b->vm[v].series;
    for (uint32_t i = 0; i < HISTORY_SERIES; i++)
        row[i] = i + series->n >= HISTORY_SERIES ? series->mean[HISTORY_CPU][i] : NAN;
}

static void obey(struct ballast *b, const struct plan *plan)
{
    b->orders.n = 0; // what waits still is out of date
    for (uint32_t i = 0; i < plan->n_host_actions; i++) {
        uint32_t h = plan->host_actions[i].host;
        b->host[h].wants_sleep = !plan->host_actions[i].wake;
        if (plan->host_actions[i].wake)
            world_wake(b->world, h);
    }
    for (uint32_t i = 0; i < plan->n_moves; i++) {
        struct ballast_order order = {b->vm_of_snapshot[plan->moves[i].vm], plan->moves[i].to, b->now_ms};
        if (ballast_orders_push(&b->orders, order) < 0)
            return;
    }
}

void ballast_longterm_step(struct ballast *b)
{
    const struct view *view = b->view;
    if (b->now_ms < b->longterm_ms && !b->destination_wanted)
        return;
    uint32_t n = 0;
    for (uint32_t v = 0; v < view->n_vms; v++)
        if (view->vm_host[v] != VIEW_NONE && b->report[v].known)
            b->vm_of_snapshot[n++] = v;
    if (n == 0)
        return;
    struct snapshot *s = snapshot_new(view->n_hosts, n, 0);
    if (!s)
        return;
    uint64_t *id = arena_new_array(s->arena, uint64_t, n);
    bool *busy = arena_new_array(s->arena, bool, n);
    float *series = arena_new_array(s->arena, float, (size_t)n *HISTORY_SERIES);
    struct level *level = arena_new_array(s->arena, struct level, n);
    uint32_t *moves = arena_new_array(s->arena, uint32_t, n);
    for (uint32_t h = 0; h < view->n_hosts; h++)
        fill_host(s, b, h);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = b->vm_of_snapshot[i];
        fill_vm(s, b, i, v);
        fill_series(series + (size_t)i * HISTORY_SERIES, b, v);
        id[i] = v;
        level[i] = b->vm[v].history.level;
        moves[i] = ballast_moves_24h(b, v);
        busy[i] = view->vm_to[v] != VIEW_NONE;
    }
    struct longterm_input in = {
        .snapshot = s,
        .vm_id = id,
        .vm_busy = busy,
        .vm_moves_24h = moves,
        .series = {.n_slots = b->scenario->history ? HISTORY_SERIES : 0,
                   .cpu_cores = b->scenario->history ? series : NULL,
                   .level = b->scenario->history ? level : NULL,
                   .age_s = b->scenario->information == INFORMATION_LATE ? TRACE_SLOT_S : 0},
        .lease_held = true,
        .destination_wanted = b->destination_wanted,
    };
    struct longterm_output out;
    longterm_step(b->longterm, &in, ballast_mono(b), &out);
    if (out.outcome == LONGTERM_ORDERED || out.outcome == LONGTERM_SATISFIED) {
        b->destination_wanted = false;
        b->planned = true;
        b->planned_ms = b->now_ms;
        obey(b, &out.plan);
    }
    b->longterm_ms = b->now_ms + (int64_t)(out.next_step_s * 1000);
    snapshot_free(s);
}

static bool may_begin(const struct ballast *b, uint32_t from, uint32_t to)
{
    const struct view *view = b->view;
    return !b->scenario->precopy || (view->host_in[from] + view->host_out[from] < BALLAST_PARALLEL &&
                                     view->host_in[to] + view->host_out[to] < BALLAST_PARALLEL);
}

// Whether the VM left that host within the hour, perhaps after the plan was made or twice between two plans: the claim
// is refused then.
static bool left_lately(const struct ballast *b, uint32_t v, uint32_t host)
{
    const struct ballast_vm *vm = &b->vm[v];
    uint32_t n = vm->n_left < PUSH_LEFT ? vm->n_left : PUSH_LEFT;
    for (uint32_t i = 0; i < n && b->scenario->bars; i++)
        if (vm->left[i].host == host && (double)(b->now_ms - vm->left[i].at_ms) < MIGRATION_RETURN_S * 1000)
            return true;
    return false;
}

void ballast_orders_step(struct ballast *b)
{
    const struct view *view = b->view;
    size_t kept = 0;
    for (size_t i = 0; i < b->orders.n; i++) {
        struct ballast_order order = b->orders.at[i];
        uint32_t from = view->vm_host[order.vm];
        if (from == VIEW_NONE || from == order.to || b->now_ms - order.at_ms > BALLAST_ORDER_MOST_MS ||
            left_lately(b, order.vm, order.to))
            continue;
        if (may_begin(b, from, order.to) && world_migrate(b->world, order.vm, order.to))
            ballast_note_move(b, order.vm, from);
        else
            b->orders.at[kept++] = order;
    }
    b->orders.n = kept;
    for (uint32_t h = 0; h < view->n_hosts; h++)
        if (b->host[h].wants_sleep && view->host_vms[h].n == 0 && view->host_in[h] == 0 &&
            world_sleep(b->world, h))
            b->host[h].wants_sleep = false;
}
