#include "decide/plan_candidates.h"

#include <stdlib.h>

#include "decide/plan_cost.h"

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
