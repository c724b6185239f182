#include "decide/plan_candidates.h"

#include <stdlib.h>

#include "decide/plan_cost.h"
#include "decide/plan_reason.h"

#define NONE SNAPSHOT_NONE

// What it brings its host when v leaves.
static double relief_of(struct plan_state *state, uint32_t v)
{
    uint32_t from = state->vm[v].host;
    return plan_host_loss(state, from, NONE, NONE) - plan_host_loss(state, from, v, NONE);
}

static double benefit_of(struct plan_state *state, uint32_t v, uint32_t to, double gone)
{
    double come = plan_host_loss(state, to, NONE, v) - plan_host_loss(state, to, NONE, NONE);
    return (gone - come) * state->settings.horizon_s;
}

static double cost_of(const struct plan_state *state, uint32_t v, uint32_t to)
{
    double bandwidth_mib_s = plan_bandwidth_mib_s(state->snapshot, state->vm[v].host, to);
    return plan_cost(state->snapshot, v, state->vm[v].weight, bandwidth_mib_s).lost_vm_s;
}

static const char *const obstacles[PLAN_OBSTACLES] = {
    [PLAN_OBSTACLE_STATE] = "it is not up",
    [PLAN_OBSTACLE_CANNOT_RUN] = "it cannot run the VM",
    [PLAN_OBSTACLE_MEMORY] = "it lacks memory",
    [PLAN_OBSTACLE_OVERCOMMIT] = "it would exceed the overcommitment of memory",
    [PLAN_OBSTACLE_BARRED] = "the VM left it lately",
    [PLAN_OBSTACLE_RULE] = "a rule bars it",
};

static const char *why_not(const struct plan_state *state, uint32_t v, const struct plan_candidate *c,
                           double chosen_net)
{
    enum plan_obstacle obstacle = plan_obstacle(state, v, c->host);
    if (obstacle != PLAN_OBSTACLE_NONE)
        return obstacles[obstacle];
    double net = c->benefit_lost_vm_s - c->cost_lost_vm_s, least = PLAN_ROUNDING * state->settings.horizon_s;
    if (net < chosen_net - least)
        return "it gains less";
    if (net > chosen_net + least)
        return "it gains more by itself, less with the plan's other moves";
    return state->settings.goal == PLAN_BALANCE ? "it evens out no better"
                                                : "it gains as much, but is no better";
}

static int by_merit(const void *a, const void *b)
{
    const struct plan_candidate *x = a, *y = b;
    if (x->possible != y->possible)
        return x->possible ? -1 : 1;
    double x_net = x->benefit_lost_vm_s - x->cost_lost_vm_s, y_net = y->benefit_lost_vm_s - y->cost_lost_vm_s;
    if (x_net != y_net)
        return x_net > y_net ? -1 : 1;
    return (x->host > y->host) - (x->host < y->host);
}

void plan_candidates(struct plan_state *state, struct plan_search *search, const struct plan_step *step,
                     struct plan_move *move)
{
    struct plan_candidate all[PLAN_SEARCH_DESTINATIONS];
    const uint32_t *hosts;
    uint32_t n_hosts = plan_search_destinations(search, &hosts), n = 0, v = step->vm;
    double gone = relief_of(state, v);
    for (uint32_t i = 0; i < n_hosts; i++) {
        uint32_t h = hosts[i];
        if (h != step->from && h != step->to)
            all[n++] = (struct plan_candidate){.host = h,
                                               .possible = plan_fits(state, v, h),
                                               .benefit_lost_vm_s = benefit_of(state, v, h, gone),
                                               .cost_lost_vm_s = cost_of(state, v, h)};
    }
    if (n > 1)
        qsort(all, n, sizeof *all, by_merit);
    double chosen_net = benefit_of(state, v, step->to, gone) - cost_of(state, v, step->to);
    move->n_candidates = n < state->settings.candidates ? n : state->settings.candidates;
    move->candidates = arena_new_array(state->arena, struct plan_candidate, move->n_candidates);
    for (uint32_t i = 0; i < move->n_candidates; i++) {
        move->candidates[i] = all[i];
        move->candidates[i].why_not = why_not(state, v, &all[i], chosen_net);
        move->candidates[i].host = state->input_host[all[i].host];
    }
}

static const char *const refusals[PLAN_REFUSALS] = {
    [PLAN_REFUSED_MOVES_USED_UP] = "moves_used_up",
    [PLAN_REFUSED_TIME_IS_UP] = "time_is_up",
    [PLAN_REFUSED_GOAL] = "goal",
    [PLAN_REFUSED_OWN_LIMITS] = "own_limits",
    [PLAN_REFUSED_TOLERATED] = "tolerated",
    [PLAN_REFUSED_NOT_MOVABLE] = "not_movable",
    [PLAN_REFUSED_NO_HOST] = "no_host",
    [PLAN_REFUSED_NO_GAIN] = "no_gain",
    [PLAN_REFUSED_COSTS_MORE] = "costs_more",
};

const char *plan_refusal_name(enum plan_refusal refusal)
{
    return refusals[refusal];
}

// Looks at the moves of all VMs of host h; obstacle counts what forbids them. Returns how many VMs may be moved.
static uint32_t look_at_moves(struct plan_state *state, struct plan_search *search, uint32_t h,
                              uint32_t obstacle[PLAN_OBSTACLES], struct plan_unmet *u)
{
    const uint32_t *hosts;
    uint32_t n = plan_search_destinations(search, &hosts), n_movable = 0;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        if (state->vm[v].fixed)
            continue;
        n_movable++;
        double gone = relief_of(state, v);
        for (uint32_t i = 0; i < n; i++) {
            if (hosts[i] == h)
                continue;
            enum plan_obstacle found = plan_obstacle(state, v, hosts[i]);
            obstacle[found]++;
            u->n_moves++;
            u->n_impossible += found != PLAN_OBSTACLE_NONE;
            if (found != PLAN_OBSTACLE_NONE)
                continue;
            double benefit = benefit_of(state, v, hosts[i], gone), cost = cost_of(state, v, hosts[i]);
            if (u->vm != NONE && benefit - cost <= u->benefit_lost_vm_s - u->cost_lost_vm_s)
                continue;
            u->vm = v;
            u->to = hosts[i];
            u->benefit_lost_vm_s = benefit;
            u->cost_lost_vm_s = cost;
        }
    }
    return n_movable;
}

static enum plan_refusal refusal_of(const struct plan_state *state, const struct plan_unmet *u,
                                    uint32_t n_movable, bool out_of_moves)
{
    const struct plan_host *host = &state->host[u->host];
    double least = PLAN_ROUNDING * state->settings.horizon_s;
    if (u->vm != NONE && u->benefit_lost_vm_s > u->cost_lost_vm_s + least)
        return out_of_moves         ? PLAN_REFUSED_MOVES_USED_UP
               : state->out_of_time ? PLAN_REFUSED_TIME_IS_UP
                                    : PLAN_REFUSED_GOAL;
    if (u->lost_vm_s_per_s <= host->own_loss + PLAN_ROUNDING)
        return PLAN_REFUSED_OWN_LIMITS;
    if (n_movable == 0)
        return PLAN_REFUSED_NOT_MOVABLE;
    if (u->vm == NONE)
        return PLAN_REFUSED_NO_HOST;
    if (state->settings.goal != PLAN_BALANCE && !plan_is_needy(state, u->host))
        return PLAN_REFUSED_TOLERATED;
    return u->benefit_lost_vm_s <= least ? PLAN_REFUSED_NO_GAIN : PLAN_REFUSED_COSTS_MORE;
}

static const char *reason_of(const struct plan_state *state, const struct plan_unmet *u,
                             const uint32_t obstacle[PLAN_OBSTACLES])
{
    struct arena *arena = state->arena;
    const char *best = "";
    if (u->vm != NONE)
        best = arena_printf(arena, "%s to %s would prevent %.3g lost VM-seconds and cost %.3g",
                            state->snapshot->vms.name[u->vm], state->snapshot->hosts.name[u->to],
                            u->benefit_lost_vm_s, u->cost_lost_vm_s);
    switch (u->refusal) {
    case PLAN_REFUSED_MOVES_USED_UP:
        return arena_printf(arena, "the number of moves is used up; %s", best);
    case PLAN_REFUSED_TIME_IS_UP:
        return arena_printf(arena, "the time is up; %s", best);
    case PLAN_REFUSED_GOAL:
        return arena_printf(arena, "%s, but that is not what this goal looks for, or not with the moves made",
                            best);
    case PLAN_REFUSED_OWN_LIMITS:
        return "limits of its VMs withhold it, on any host";
    case PLAN_REFUSED_TOLERATED:
        return "it is no more than packing accepts";
    case PLAN_REFUSED_NOT_MOVABLE:
        return "none of its VMs may be moved";
    case PLAN_REFUSED_NO_HOST:
        return arena_printf(arena, "none of %u moves is possible (destinations: %s)", u->n_moves,
                            plan_reason_obstacles(obstacle, arena));
    case PLAN_REFUSED_NO_GAIN:
        return arena_printf(arena, "none of %u moves would lessen it: the other hosts would lose as much",
                            u->n_moves);
    case PLAN_REFUSED_COSTS_MORE:
        break;
    }
    return arena_printf(arena, "the best of %u moves, %s", u->n_moves, best);
}

static int by_loss(const void *a, const void *b)
{
    const struct plan_unmet *x = a, *y = b;
    if (x->lost_vm_s_per_s != y->lost_vm_s_per_s)
        return x->lost_vm_s_per_s > y->lost_vm_s_per_s ? -1 : 1;
    return (x->host > y->host) - (x->host < y->host);
}

void plan_unmet(struct plan_state *state, struct plan_search *search, bool out_of_moves, struct plan *ret)
{
    struct plan_unmet *all = arena_new_array(state->arena, struct plan_unmet, state->n_hosts);
    uint32_t n = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        double lost = state->host[h].counts ? plan_host_loss(state, h, NONE, NONE) : 0;
        if (lost > PLAN_ROUNDING)
            all[n++] = (struct plan_unmet){.host = h, .lost_vm_s_per_s = lost, .vm = NONE, .to = NONE};
    }
    if (n > 1)
        qsort(all, n, sizeof *all, by_loss);
    ret->n_losing = n;
    ret->n_unmet = n < state->settings.unmet ? n : state->settings.unmet;
    ret->unmet = all;
    for (uint32_t i = 0; i < ret->n_unmet; i++) {
        struct plan_unmet *u = &all[i];
        uint32_t obstacle[PLAN_OBSTACLES] = {0};
        uint32_t n_movable = look_at_moves(state, search, u->host, obstacle, u);
        u->refusal = refusal_of(state, u, n_movable, out_of_moves);
        u->reason = reason_of(state, u, obstacle);
        u->host = state->input_host[u->host];
        u->vm = u->vm == NONE ? NONE : state->input_vm[u->vm];
        u->to = u->to == NONE ? NONE : state->input_host[u->to];
    }
}
