#include "decide/place.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decide/plan.h"
#include "decide/plan_state.h"

#define NONE SNAPSHOT_NONE

// The newcomers are VMs of a larger copy of the snapshot, on no host at first: they wait on an extra host that is down,
// so that they count nowhere.
struct nursery {
    struct snapshot snapshot;
    uint32_t first; // number of the first newcomer
    uint32_t host;  // the extra host
};

#define GROWN(to, from, field, n, more)                                                                      \
    do {                                                                                                     \
        (to).field = arena_alloc(arena, (size_t)(n) + (more), sizeof *(to).field);                           \
        if ((n) > 0)                                                                                         \
            memcpy((to).field, (from).field, (n) * sizeof *(to).field);                                      \
    } while (0)

static void grow_hosts(struct nursery *y, const struct snapshot *s, struct arena *arena)
{
    struct snapshot_hosts *hosts = &y->snapshot.hosts;
    uint32_t n = s->hosts.n;
    GROWN(*hosts, s->hosts, name, n, 1);
    GROWN(*hosts, s->hosts, state, n, 1);
    GROWN(*hosts, s->hosts, zone, n, 1);
    GROWN(*hosts, s->hosts, cpu_cores, n, 1);
    GROWN(*hosts, s->hosts, mem_mib, n, 1);
    GROWN(*hosts, s->hosts, mem_reserved_mib, n, 1);
    GROWN(*hosts, s->hosts, net_mib_s, n, 1);
    GROWN(*hosts, s->hosts, threads_per_core, n, 1);
    GROWN(*hosts, s->hosts, core_speed, n, 1);
    hosts->n = n + 1;
    y->host = n;
    hosts->name[n] = "\x7f\x7f"; // behind every other name of a host, never shown
    hosts->state[n] = HOST_DOWN;
    hosts->zone[n] = s->n_zones;
    y->snapshot.n_zones = s->n_zones + 1;
    hosts->cpu_cores[n] = hosts->mem_mib[n] = hosts->core_speed[n] = hosts->threads_per_core[n] = 1;
    hosts->net_mib_s[n] = SNAPSHOT_NET_MIB_S;
}

static void set_newcomer(struct nursery *y, uint32_t v, const struct place_request *r)
{
    struct snapshot_vms *vms = &y->snapshot.vms;
    vms->name[v] = "\x7f\x7f"; // behind every other name of a VM
    vms->host[v] = y->host;
    vms->vcpus[v] = r->vcpus;
    vms->mem_mib[v] = vms->mem_current_mib[v] = vms->mem_limit_mib[v] = r->mem_mib;
    vms->cpu_demand_cores[v] = r->cpu_demand_cores;
    vms->mem_used_mib[v] = vms->mem_actual_mib[v] = r->mem_used_mib;
    vms->mem_overhead_mib[v] = r->mem_overhead_mib;
    vms->shares[v] = vms->cpu_shares[v] = vms->mem_shares[v] = r->shares;
    vms->cpu_limit_cores[v] = r->vcpus;
    vms->dirty_mib_s[v] = SNAPSHOT_DIRTY_MIB_S;
    vms->movable[v] = true;
}

static void grow_vms(struct nursery *y, const struct snapshot *s, const struct place_request *r,
                     struct arena *arena)
{
    struct snapshot_vms *vms = &y->snapshot.vms;
    uint32_t n = s->vms.n, more = r->count;
    GROWN(*vms, s->vms, name, n, more);
    GROWN(*vms, s->vms, host, n, more);
    GROWN(*vms, s->vms, vcpus, n, more);
    GROWN(*vms, s->vms, mem_mib, n, more);
    GROWN(*vms, s->vms, cpu_demand_cores, n, more);
    GROWN(*vms, s->vms, mem_used_mib, n, more);
    GROWN(*vms, s->vms, mem_current_mib, n, more);
    GROWN(*vms, s->vms, mem_actual_mib, n, more);
    GROWN(*vms, s->vms, mem_overhead_mib, n, more);
    GROWN(*vms, s->vms, cpu_sd_cores, n, more);
    GROWN(*vms, s->vms, mem_sd_mib, n, more);
    GROWN(*vms, s->vms, shares, n, more);
    GROWN(*vms, s->vms, cpu_shares, n, more);
    GROWN(*vms, s->vms, mem_shares, n, more);
    GROWN(*vms, s->vms, cpu_reservation_cores, n, more);
    GROWN(*vms, s->vms, cpu_limit_cores, n, more);
    GROWN(*vms, s->vms, mem_reservation_mib, n, more);
    GROWN(*vms, s->vms, mem_limit_mib, n, more);
    GROWN(*vms, s->vms, dirty_mib_s, n, more);
    GROWN(*vms, s->vms, migrations_1h, n, more);
    GROWN(*vms, s->vms, movable, n, more);
    GROWN(*vms, s->vms, local_disk_mib, n, more);
    GROWN(vms->cannot_run_on, s->vms.cannot_run_on, start, n + 1, more);
    vms->n = n + more;
    y->first = n;
    for (uint32_t v = n; v < n + more; v++) {
        set_newcomer(y, v, r);
        vms->cannot_run_on.start[v + 1] = vms->cannot_run_on.start[n];
    }
}

// The newcomers on hosts of their own: one more strict rule.
static void keep_apart(struct nursery *y, const struct snapshot *s, const struct place_request *r,
                       struct arena *arena)
{
    GROWN(y->snapshot, *s, rules, s->n_rules, 1);
    if (!r->apart || r->count < 2)
        return;
    struct rule *rule = &y->snapshot.rules[y->snapshot.n_rules++];
    *rule = (struct rule){.type = RULE_APART, .strict = true, .n_vms = r->count};
    rule->vms = arena_new_array(arena, uint32_t, r->count);
    for (uint32_t i = 0; i < r->count; i++)
        rule->vms[i] = y->first + i;
}

// The cluster's loss is kept as a sum, so that a placement costs the hosts that are looked at.
struct placing {
    struct plan_state *state;
    double lost;   // weighted by shares / mean shares at the start
    double weight; // of all VMs that are placed
};

static double added_loss(struct plan_state *state, uint32_t v, uint32_t h)
{
    return plan_host_loss(state, h, NONE, v) - state->host[h].loss;
}

// The host that loses least, among equals the one with most room, then by name.
static uint32_t best_host(struct plan_state *state, uint32_t v)
{
    uint32_t best = NONE;
    double best_loss = 0, best_room = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (!plan_fits(state, v, h))
            continue;
        double loss = added_loss(state, v, h), room = plan_room(state, h, v);
        double near = PLAN_ROUNDING * (1 + fabs(best_loss));
        if (best != NONE && (loss > best_loss + near || (loss >= best_loss - near && room <= best_room)))
            continue;
        best = h;
        best_loss = loss;
        best_room = room;
    }
    return best;
}

static const char *reason_of(const struct plan_state *state, uint32_t h, double loss, struct arena *arena)
{
    const struct plan_host *host = &state->host[h];
    const char *effect = loss > PLAN_ROUNDING
                             ? arena_printf(arena, "loses %.3g VM-seconds per second, the least", loss)
                             : "nobody loses anything";
    return arena_printf(arena, "%s; then CPU %.0f %%, memory %.0f %% of it are in use", effect,
                        100 * host->cpu_want / host->cpu_cap, 100 * host->mem_want / host->mem_cap);
}

static void place_one(struct placing *p, uint32_t v, struct arena *arena, struct place_choice *choice)
{
    struct plan_state *state = p->state;
    uint32_t h = best_host(state, v);
    *choice = (struct place_choice){.host = NONE};
    if (h == NONE)
        return;
    double loss = added_loss(state, v, h);
    plan_state_move(state, v, h);
    p->lost += loss;
    p->weight += state->vm[v].weight;
    const struct plan_host *host = &state->host[h];
    choice->host = state->input_host[h];
    choice->score = 1 - p->lost / p->weight;
    choice->loss_vm_s_per_s = loss;
    choice->room_cores = host->cpu_cap - host->cpu_want;
    choice->room_mem_mib = host->mem_cap - host->mem_want;
    choice->reason = reason_of(state, h, loss, arena);
}

static const char *rejection(const struct plan_state *state, uint32_t v, uint32_t h, struct arena *arena)
{
    const struct plan_host *host = &state->host[h];
    const struct plan_vm *vm = &state->vm[v];
    switch (plan_obstacle(state, v, h)) {
    case PLAN_OBSTACLE_NONE:
        return NULL;
    case PLAN_OBSTACLE_STATE:
        return state->snapshot->hosts.state[h] == HOST_MAINTENANCE ? "it is in maintenance"
               : state->snapshot->hosts.state[h] == HOST_STANDBY   ? "it is on standby"
                                                                   : "it is down";
    case PLAN_OBSTACLE_CANNOT_RUN:
        return "it cannot run the VM";
    case PLAN_OBSTACLE_MEMORY:
        return arena_printf(arena, "memory: %.0f MiB with growth are needed, %.0f are free", vm->mem_bound,
                            fmax(host->mem_cap - host->mem_bound, 0));
    case PLAN_OBSTACLE_OVERCOMMIT:
        return arena_printf(arena, "overcommitment: %.0f MiB may still be configured, the VM has %.0f",
                            fmax(host->max_cap - host->mem_max, 0), vm->mem_max);
    case PLAN_OBSTACLE_BARRED:
        return "it was left lately";
    case PLAN_OBSTACLE_RULE:
        return arena_strdup(arena, "apart: it has one of these VMs already");
    }
    return NULL;
}

static void tell_rejected(const struct plan_state *state, uint32_t v, uint32_t extra, struct arena *arena,
                          struct place_result *ret)
{
    ret->rejected = arena_new_array(arena, struct place_rejection, state->n_hosts);
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        const char *reason = state->input_host[h] == extra ? NULL : rejection(state, v, h, arena);
        if (reason)
            ret->rejected[ret->n_rejected++] = (struct place_rejection){state->input_host[h], reason};
    }
}

void place_make(const struct snapshot *snapshot, const struct place_request *request, struct arena *arena,
                struct place_result *ret)
{
    struct nursery y = {.snapshot = *snapshot};
    grow_hosts(&y, snapshot, arena);
    grow_vms(&y, snapshot, request, arena);
    keep_apart(&y, snapshot, request, arena);
    struct plan_settings settings = plan_settings_default();
    settings.mem_overcommit = request->mem_overcommit;
    settings.mem_growth = request->mem_growth;
    struct placing p = {.state = plan_state_new(&y.snapshot, &settings, arena)};
    struct plan_state *state = p.state;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        p.lost += state->host[h].loss;
    for (uint32_t v = 0; v < state->n_vms; v++)
        if (state->host[state->vm[v].host].counts)
            p.weight += state->vm[v].weight;

    struct place_result result = {0};
    result.choices = arena_new_array(arena, struct place_choice, request->count);
    uint32_t last = NONE; // a newcomer to ask the hosts about at the end
    for (uint32_t v = 0; v < state->n_vms; v++) {
        if (state->input_vm[v] < y.first)
            continue;
        last = v;
        if (result.unplaced == 0)
            place_one(&p, v, arena, &result.choices[result.n_choices]);
        if (result.unplaced == 0 && result.choices[result.n_choices].host != NONE)
            result.n_choices++;
        else
            result.unplaced++;
    }
    if (last != NONE && result.unplaced == 0 && !request->apart)
        plan_state_move(state, last, state->vm[last].home); // could another one be taken? as before the last
    tell_rejected(state, last, y.host, arena, &result);
    *ret = result;
}
