#include "decide/plan_score.h"

struct plan_scores {
    struct score_part *part;
    uint32_t *version; // of the host when its part was made; 0: never
    double *satisfaction;
    uint32_t *list; // VMs of one host
};

struct plan_scores *plan_scores_new(const struct plan_state *state, struct arena *arena)
{
    struct plan_scores *scores = arena_new_object(arena, struct plan_scores);
    scores->part = arena_new_array(arena, struct score_part, state->n_hosts);
    scores->version = arena_new_array(arena, uint32_t, state->n_hosts);
    scores->satisfaction = arena_new_array(arena, double, state->n_vms);
    scores->list = arena_new_array(arena, uint32_t, state->n_vms);
    return scores;
}

static const struct snapshot *as_it_is(const struct plan_state *state, const bool *woken)
{
    struct snapshot *now = arena_new_object(state->arena, struct snapshot);
    *now = *state->snapshot;
    now->vms.host = state->where;
    if (!woken)
        return now;
    now->hosts.state = arena_new_array(state->arena, enum host_state, state->n_hosts);
    for (uint32_t h = 0; h < state->n_hosts; h++)
        now->hosts.state[h] = woken[h] ? HOST_UP : state->snapshot->hosts.state[h];
    return now;
}

void plan_score(struct plan_scores *scores, const struct plan_state *state, const bool *woken,
                struct score *ret)
{
    const struct snapshot *now = as_it_is(state, woken);
    const struct score_scratch scratch = {state->arena, state->claim, state->grant, state->scratch};
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (scores->version[h] == state->host[h].version)
            continue;
        uint32_t n = 0;
        for (uint32_t v = state->host[h].head; v != SNAPSHOT_NONE; v = state->vm[v].next)
            scores->list[n++] = v;
        score_host(now, h, n, scores->list, &scratch, scores->satisfaction, &scores->part[h]);
        scores->version[h] = state->host[h].version;
    }
    score_total(now, scores->part, scores->satisfaction, state->arena, ret);
}
