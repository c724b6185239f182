#include "decide/longterm.h"

#include <math.h>
#include <stdlib.h>

#include "decide/planner.h"

// What is remembered of a VM between plans.
struct resident {
    uint64_t id, host;                        // where it was seen last
    int64_t left_ms[LONGTERM_MOVES_A_DAY];    // when it left a host, newest first; INT64_MIN: never
    uint64_t left_host[LONGTERM_MOVES_A_DAY]; // which
};

struct longterm {
    struct longterm_settings settings;
    struct arena *arena;                 // of the plan that was given last
    struct planner *planner;             // remembers the cluster
    struct arena *memory, *other_memory; // of residents, in turn
    struct resident *resident;           // ascending by id
    uint32_t n_residents;
    bool planned, packed; // ever, since it has had the lease
    int64_t short_ms;     // when the cluster as a whole was last seen short; INT64_MIN: never
    struct mono planned_at;
    bool packable;           // packing has looked possible
    struct mono packable_at; // since then
    // of the step under way
    const struct longterm_input *in;
    struct mono now;
    const struct resident **of_vm;
};

struct longterm_settings longterm_settings_default(void)
{
    struct plan_settings plan = plan_settings_default();
    plan.tolerated_loss = LONGTERM_TOLERATED_LOSS;
    return (struct longterm_settings){
        .plan = plan,
        .period_s = 300,
        .urgent_gap_s = 10,
        .pack_after_s = LONGTERM_PACK_AFTER_S,
        .return_bar_s = 3900,
        .vm_rest_s = 1800,
    };
}

struct longterm *longterm_new(const struct longterm_settings *settings)
{
    struct longterm *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->settings = settings ? *settings : longterm_settings_default();
    l->short_ms = INT64_MIN;
    l->arena = arena_new(0);
    l->memory = arena_new(0);
    l->other_memory = arena_new(0);
    l->planner = planner_new();
    return l->arena && l->memory && l->other_memory && l->planner ? l : longterm_free(l);
}

struct longterm *longterm_free(struct longterm *l)
{
    if (!l)
        return NULL;
    planner_free(l->planner);
    arena_free(l->arena);
    arena_free(l->memory);
    arena_free(l->other_memory);
    free(l);
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    const struct resident *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static struct resident *find(const struct longterm *l, uint64_t id)
{
    struct resident key = {.id = id};
    return l->n_residents ? bsearch(&key, l->resident, l->n_residents, sizeof key, by_id) : NULL;
}

static void note_departure(struct resident *r, uint64_t new_host, struct mono now)
{
    for (int i = LONGTERM_MOVES_A_DAY - 1; i > 0; i--) {
        r->left_ms[i] = r->left_ms[i - 1];
        r->left_host[i] = r->left_host[i - 1];
    }
    r->left_ms[0] = now.ms;
    r->left_host[0] = r->host;
    r->host = new_host;
}

static uint64_t host_id(const struct longterm *l, uint32_t h)
{
    return l->in->host_id ? l->in->host_id[h] : h;
}

// Compares where the VMs are with where they were and remembers who left what.
static void look_around(struct longterm *l)
{
    const struct snapshot *s = l->in->snapshot;
    arena_reset(l->other_memory);
    struct resident *fresh = arena_new_array(l->other_memory, struct resident, s->vms.n);
    for (uint32_t v = 0; v < s->vms.n; v++) {
        uint64_t id = l->in->vm_id ? l->in->vm_id[v] : v;
        uint64_t host = host_id(l, s->vms.host[v]);
        const struct resident *known = find(l, id);
        if (known) {
            fresh[v] = *known;
            if (known->host != host)
                note_departure(&fresh[v], host, l->now);
            continue;
        }
        fresh[v] = (struct resident){.id = id, .host = host};
        for (int i = 0; i < LONGTERM_MOVES_A_DAY; i++)
            fresh[v].left_ms[i] = INT64_MIN;
    }
    qsort(fresh, s->vms.n, sizeof *fresh, by_id);
    l->resident = fresh;
    l->n_residents = s->vms.n;
    struct arena *memory = l->memory;
    l->memory = l->other_memory;
    l->other_memory = memory;
    l->of_vm = arena_new_array(l->arena, const struct resident *, s->vms.n);
    for (uint32_t v = 0; v < s->vms.n; v++)
        l->of_vm[v] = find(l, l->in->vm_id ? l->in->vm_id[v] : v);
}

static double seconds_since(const struct longterm *l, struct mono then)
{
    return (double)(l->now.ms - then.ms) / 1000;
}

static bool is_within(const struct longterm *l, int64_t ms, double seconds)
{
    return ms != INT64_MIN && (double)(l->now.ms - ms) < seconds * 1000;
}

static bool left_lately(void *data, uint32_t vm, uint32_t host)
{
    const struct longterm *l = data;
    const struct resident *r = l->of_vm[vm];
    for (int i = 0; i < LONGTERM_MOVES_A_DAY && is_within(l, r->left_ms[i], l->settings.return_bar_s); i++)
        if (r->left_host[i] == host_id(l, host))
            return true;
    return false;
}

// Whether all hosts that are up, or could be, have together less CPU or memory than all VMs want; what a VM's own limit
// withholds is no want of hosts.
static bool is_short(const struct snapshot *s)
{
    double cores = 0, mem_mib = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++)
        if (s->hosts.state[h] == HOST_UP || s->hosts.state[h] == HOST_STANDBY) {
            cores += s->hosts.cpu_cores[h];
            mem_mib += snapshot_host_mem_mib(s, h);
        }
    for (uint32_t v = 0; v < s->vms.n; v++)
        if (s->hosts.state[s->vms.host[v]] != HOST_DOWN) {
            cores -= fmin(s->vms.cpu_demand_cores[v], s->vms.cpu_limit_cores[v]);
            mem_mib -= fmin(s->vms.mem_used_mib[v] + s->vms.mem_overhead_mib[v], s->vms.mem_limit_mib[v]);
        }
    return cores < 0 || mem_mib < 0;
}

// Who is not to be moved now, and whom packing leaves alone.
static void mark(struct longterm *l, struct plan_settings *plan)
{
    const struct snapshot *s = l->in->snapshot;
    bool *hold = arena_new_array(l->arena, bool, s->vms.n);
    bool *keep = arena_new_array(l->arena, bool, s->vms.n);
    if (is_short(s))
        l->short_ms = l->now.ms;
    // Moves that shared out a shortage of the whole cluster say nothing of the places they led to.
    bool counted = !is_within(l, l->short_ms, 86400);
    for (uint32_t v = 0; v < s->vms.n; v++) {
        const struct resident *r = l->of_vm[v];
        bool no_place = is_within(l, r->left_ms[LONGTERM_MOVES_A_DAY - 1], 86400) ||
                        (l->in->vm_moves_24h && l->in->vm_moves_24h[v] >= LONGTERM_MOVES_A_DAY);
        bool must_leave = s->hosts.state[s->vms.host[v]] == HOST_MAINTENANCE;
        hold[v] = (l->in->vm_busy && l->in->vm_busy[v]) || (no_place && counted && !must_leave);
        // The last move of a day is for need, not for packing.
        keep[v] = is_within(l, r->left_ms[0], l->settings.vm_rest_s) ||
                  is_within(l, r->left_ms[LONGTERM_MOVES_A_DAY - 2], 86400) ||
                  (l->in->vm_moves_24h && l->in->vm_moves_24h[v] >= LONGTERM_MOVES_A_DAY - 1);
    }
    plan->hold = hold;
    plan->keep = keep;
    plan->barred = left_lately;
    plan->barred_data = l;
    plan->series = l->in->series;
    if (l->planned)
        plan->depth *= fmin(seconds_since(l, l->planned_at) / LONGTERM_DEPTH_S, 1);
    plan->stop = l->in->stop;
    plan->stop_data = l->in->stop_data;
}

static bool wakes(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_host_actions; i++)
        if (plan->host_actions[i].wake)
            return true;
    return false;
}

// Plans with packing when that has looked possible for long enough, else without.
static void make_plan(struct longterm *l, struct plan *ret)
{
    struct plan_settings settings = l->settings.plan;
    mark(l, &settings);
    if (!l->settings.consolidate) {
        // Nothing was packed that relieving could undo: every loss that a move is worth is a reason to move.
        settings.tolerated_loss = 0;
        planner_make(l->planner, l->in->snapshot, &settings, l->arena, ret);
        return;
    }
    enum plan_goal goal = settings.goal;
    settings.goal = PLAN_PACK;
    if (settings.series.level) {
        // The planner itself knows when it is time for one host more or less.
        settings.pack_anew = !l->packed;
        settings.pack_fewer = l->packed && seconds_since(l, l->packable_at) >= l->settings.pack_after_s;
        planner_make(l->planner, l->in->snapshot, &settings, l->arena, ret);
        if (settings.pack_anew || wakes(ret))
            l->packable_at = l->now;
        l->packed = true;
        return;
    }
    planner_make(l->planner, l->in->snapshot, &settings, l->arena, ret);
    bool packs = ret->hosts_emptied > 0;
    if (!packs || wakes(ret)) {
        l->packable = false;
        return;
    }
    if (!l->packable)
        l->packable_at = l->now;
    l->packable = true;
    if (!l->packed || seconds_since(l, l->packable_at) >= l->settings.pack_after_s) {
        l->packed = true;
        l->packable = false;
        return;
    }
    settings.goal = goal;
    planner_make(l->planner, l->in->snapshot, &settings, l->arena, ret);
}

void longterm_step(struct longterm *l, const struct longterm_input *in, struct mono now,
                   struct longterm_output *out)
{
    *out = (struct longterm_output){.outcome = LONGTERM_NO_LEASE, .next_step_s = l->settings.period_s};
    l->in = in;
    l->now = now;
    if (!in->lease_held) {
        l->planned = false;
        return;
    }
    double since = l->planned ? seconds_since(l, l->planned_at) : 0;
    bool due = !l->planned || since >= l->settings.period_s;
    bool urgent = in->destination_wanted && l->planned && since >= l->settings.urgent_gap_s;
    if (!due && !urgent) {
        out->outcome = LONGTERM_IDLE;
        out->next_step_s = (in->destination_wanted ? l->settings.urgent_gap_s : l->settings.period_s) - since;
        return;
    }
    arena_reset(l->arena);
    look_around(l);
    make_plan(l, &out->plan);
    l->planned = true;
    l->planned_at = now;
    bool any = out->plan.n_moves || out->plan.n_host_actions;
    out->outcome = any ? LONGTERM_ORDERED : LONGTERM_SATISFIED;
    out->reason = arena_printf(
        l->arena, "%s: %u moves, %u host actions, %u stuck; lost VM-seconds per second %.4g -> %.4g",
        urgent ? "a host found no destination" : "the period is over", out->plan.n_moves,
        out->plan.n_host_actions, out->plan.n_stuck, out->plan.before.lost_vm_s_per_s,
        out->plan.after.lost_vm_s_per_s);
}
