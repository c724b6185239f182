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

// Makes all moves in some order, trying every one where it must: the first that can go may take the room that another
// needs to pass. failed: bits of the sets of moves made from which no order leads on.
static bool make_all(struct plan_state *state, uint32_t n, const struct plan_target *target, uint32_t made,
                     uint64_t failed[], struct plan_steps *steps)
{
    if (made == (1u << n) - 1)
        return true;
    if (failed[made / 64] >> made % 64 & 1)
        return false;
    for (uint32_t i = 0; i < n && steps->n < steps->capacity; i++) {
        if (made >> i & 1 || !plan_fits(state, target[i].vm, target[i].to))
            continue;
        step(state, target[i].vm, target[i].to, steps);
        if (make_all(state, n, target, made | 1u << i, failed, steps))
            return true;
        steps->n--;
        plan_state_move(state, target[i].vm, steps->at[steps->n].from);
    }
    failed[made / 64] |= (uint64_t)1 << made % 64;
    return false;
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

// Without hops.
static uint32_t order_directly(struct plan_state *state, uint32_t n, struct plan_target *target,
                               struct plan_steps *steps)
{
    uint64_t failed[(1 << PLAN_ORDER_ALL) / 64] = {0};
    if (n <= PLAN_ORDER_ALL && make_all(state, n, target, 0, failed, steps))
        return 0;
    return make_passes(state, n, target, steps);
}

uint32_t plan_order(struct plan_state *state, uint32_t n, struct plan_target *target,
                    struct plan_steps *steps)
{
    n = order_directly(state, n, target, steps);
    uint32_t hops_left = n;
    while (n && hops_left-- > 0 && hop(state, n, target, steps))
        n = make_passes(state, n, target, steps);
    return n;
}

static void make(struct plan_state *state, const struct plan_steps *steps)
{
    for (uint32_t i = 0; i < steps->n; i++)
        plan_state_move(state, steps->at[i].vm, steps->at[i].to);
}

static void unmake(struct plan_state *state, const struct plan_steps *steps)
{
    for (uint32_t i = steps->n; i-- > 0;)
        plan_state_move(state, steps->at[i].vm, steps->at[i].from);
}

void plan_order_shorten(struct plan_state *state, struct plan_search *search, struct plan_steps *steps)
{
    if (steps->n <= state->n_displaced)
        return;
    struct plan_target *target;
    uint32_t n = plan_displaced(state, &target);
    struct plan_steps shorter = {0, n, arena_new_array(state->arena, struct plan_step, n)};
    unmake(state, steps);
    if (order_directly(state, n, target, &shorter) == 0) {
        for (uint32_t i = 0; i < shorter.n; i++)
            steps->at[i] = shorter.at[i];
        steps->n = shorter.n;
    } else {
        unmake(state, &shorter);
        make(state, steps);
    }
    plan_search_resort(search);
}

// Whether step `later`, that must be, can change places with the one before it. The state is that before both, and is so
// again in the end.
static bool can_pass(struct plan_state *state, const struct plan_step *before, const struct plan_step *later)
{
    if (before->vm == later->vm || !plan_fits(state, later->vm, later->to) ||
        plan_gain_of(state, later->vm, later->to).must <= 0)
        return false;
    plan_state_move(state, later->vm, later->to);
    bool fits = plan_fits(state, before->vm, before->to);
    plan_state_move(state, later->vm, later->from);
    return fits;
}

void plan_order_must_first(struct plan_state *state, struct plan_steps *steps)
{
    bool *must = arena_new_array(state->arena, bool, steps->n);
    unmake(state, steps);
    for (uint32_t k = 0; k < steps->n; k++) {
        struct plan_step step = steps->at[k];
        bool needed = plan_gain_of(state, step.vm, step.to).must > 0;
        uint32_t i = k;
        for (; needed && i > 0 && !must[i - 1]; i--) {
            struct plan_step *before = &steps->at[i - 1];
            plan_state_move(state, before->vm, before->from);
            if (!can_pass(state, before, &step)) {
                plan_state_move(state, before->vm, before->to);
                break;
            }
            steps->at[i] = *before;
            must[i] = false;
        }
        steps->at[i] = step;
        must[i] = needed;
        for (; i <= k; i++)
            plan_state_move(state, steps->at[i].vm, steps->at[i].to);
    }
}
