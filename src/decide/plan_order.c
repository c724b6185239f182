#include "decide/plan_order.h"

#define NONE SNAPSHOT_NONE

static void step(struct plan_state *state, uint32_t v, uint32_t to, struct plan_steps *steps)
{
    steps->at[steps->n++] = (struct plan_step){v, state->vm[v].host, to};
    plan_state_move(state, v, to);
}

// Makes every move that can be made, in order, until a pass makes none. Returns how many are left.
static uint32_t make_passes(struct plan_state *state, uint32_t n, struct plan_target *target,
                            struct plan_steps *steps)
{
    bool made = true;
    while (made && n) {
        made = false;
        uint32_t left = 0;
        for (uint32_t i = 0; i < n; i++) {
            struct plan_target t = target[i];
            if (steps->n < steps->capacity && plan_fits(state, t.vm, t.to)) {
                step(state, t.vm, t.to, steps);
                made = true;
            } else {
                target[left++] = t;
            }
        }
        n = left;
    }
    return n;
}

// Whether one of the other targets could be made if v were gone from its host.
static bool would_free(struct plan_state *state, uint32_t v, uint32_t spare, uint32_t n,
                       const struct plan_target *target)
{
    uint32_t from = state->vm[v].host;
    bool frees = false;
    plan_state_move(state, v, spare);
    for (uint32_t i = 0; i < n && !frees; i++)
        frees = target[i].vm != v && target[i].to == from && plan_fits(state, target[i].vm, from);
    plan_state_move(state, v, from);
    return frees;
}

// Sends one VM to a spare host so that another can move; false when that is not possible.
static bool hop(struct plan_state *state, uint32_t n, const struct plan_target *target,
                struct plan_steps *steps)
{
    if (steps->n + 1 + n > steps->capacity)
        return false;
    uint32_t best_vm = NONE, best_spare = NONE;
    double best_cost = 0, best_room = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = target[i].vm;
        if (state->host[state->vm[v].host].empties && best_vm != NONE)
            continue;
        for (uint32_t h = 0; h < state->n_hosts; h++) {
            if (h == state->vm[v].host || h == target[i].to || !plan_fits(state, v, h))
                continue;
            double cost = state->vm[v].move_cost, room = plan_room(state, h, v);
            bool better = best_vm == NONE || cost < best_cost || (cost == best_cost && room > best_room);
            if (!better || !would_free(state, v, h, n, target))
                continue;
            best_vm = v;
            best_spare = h;
            best_cost = cost;
            best_room = room;
        }
    }
    if (best_vm == NONE)
        return false;
    step(state, best_vm, best_spare, steps);
    return true;
}

uint32_t plan_displaced(const struct plan_state *state, struct plan_target **ret)
{
    struct plan_target *target = arena_new_array(state->arena, struct plan_target, state->n_displaced);
    uint32_t n = 0;
    for (uint32_t v = 0; v < state->n_vms; v++)
        if (state->vm[v].host != state->vm[v].home)
            target[n++] = (struct plan_target){v, state->vm[v].host};
    *ret = target;
    return n;
}

uint32_t plan_order(struct plan_state *state, uint32_t n, struct plan_target *target,
                    struct plan_steps *steps)
{
    n = make_passes(state, n, target, steps);
    uint32_t hops_left = n;
    while (n && hops_left-- > 0 && hop(state, n, target, steps))
        n = make_passes(state, n, target, steps);
    return n;
}
