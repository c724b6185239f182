// Theory. A host's risk comes from the sums of its VMs' levels (level.h). Its cost per slot, in core-seconds, is
//
//     P(D > C) x PACK_MOVE_S x C  +  E[(D - C)+] x relief
//
// where relief is how long an excess lasts: until a VM has been copied away, or as long as the figures are old, since
// nobody can react to what is not known yet. In the latter case the move is not counted, and moves that pay by the risk
// that they take away are made before there is an overload; else waiting for it is cheaper: most never come. The sum of the costs decides
// the number of hosts: a host is opened above one bound and one is emptied below a lower one.
//
// An overload is relieved by one VM that suffices alone if there is one, chosen with its destination by
//     duration x (excess + own loss)  +  change of both hosts' costs over the horizon  +  its earlier moves.
// A VM is not sent where it would not fit now, nor where it must not go (plan_fits).
//
// The first packing keeps the largest and fullest hosts, as few as will do, and their VMs where they are; the others'
// VMs, most uncertain first, go where they fill best.
#include "decide/pack_level.h"

#include <math.h>
#include <stdlib.h>

#include "decide/plan_cost.h"

#define NONE SNAPSHOT_NONE

struct pack {
    struct plan_state *state;
    struct plan_steps *steps;
    double relief_s, move_s;   // of the cost
    double persists;           // part of a deviation from the level that is still there now
    bool blind;                // the figures say nothing of now: overloads can only be prevented
    double bound, drain_bound; // factors on PACK_OPEN_S, and on PACK_DRAINED_S
    uint32_t fresh;            // host that may be opened
};

static struct level changed(const struct plan_state *state, uint32_t h, uint32_t v, double sign)
{
    struct level sum = state->host[h].level;
    if (v != NONE) {
        sum.mean += sign * state->vm[v].level.mean;
        sum.var = fmax(0, sum.var + sign * state->vm[v].level.var);
        sum.third += sign * state->vm[v].level.third;
    }
    sum.mean *= state->tide;
    return sum;
}

// Core-seconds per slot of host h with VM v in addition (sign 1) or without it (-1).
static double cost_of(const struct pack *p, uint32_t h, uint32_t v, double sign)
{
    double capacity = p->state->host[h].cpu_cap;
    struct level sum = changed(p->state, h, v, sign);
    struct level_risk risk = level_risk(&sum, capacity);
    return risk.probability * p->move_s * capacity + risk.excess_cores * p->relief_s;
}

static bool in_use(const struct pack *p, uint32_t h)
{
    return p->state->host[h].up && p->state->host[h].head != NONE;
}

// Sum of the costs per core in use, seconds per slot.
static double risk_s(const struct pack *p)
{
    double cost = 0, cores = 0;
    for (uint32_t h = 0; h < p->state->n_hosts; h++) {
        if (!in_use(p, h))
            continue;
        cost += cost_of(p, h, NONE, 0);
        cores += p->state->host[h].cpu_cap;
    }
    return cores > 0 ? cost / cores : 0;
}

// What host h wants now as far as the figures tell.
static double want(const struct pack *p, uint32_t h)
{
    double level = p->state->host[h].level.mean * p->state->tide;
    return level + p->persists * (p->state->host[h].cpu_want - level);
}

static double want_vm(const struct pack *p, uint32_t v)
{
    double level = p->state->vm[v].level.mean * p->state->tide;
    return level + p->persists * (p->state->vm[v].cpu_want - level);
}

static void go(struct pack *p, uint32_t v, uint32_t to)
{
    p->steps->at[p->steps->n++] = (struct plan_step){v, p->state->vm[v].host, to};
    plan_state_move(p->state, v, to);
}

static void undo(struct pack *p, uint32_t n)
{
    while (p->steps->n > n) {
        const struct plan_step *step = &p->steps->at[--p->steps->n];
        plan_state_move(p->state, step->vm, step->from);
    }
}

static bool may_leave(const struct pack *p, uint32_t v)
{
    return !p->state->vm[v].fixed;
}

// --- relief ---

struct choice {
    uint32_t vm, to;
    double cost;
};

static double duration_s(const struct plan_state *state, uint32_t v, uint32_t from, uint32_t to)
{
    return plan_cost(state->snapshot, v, 1, plan_bandwidth_mib_s(state->snapshot, from, to))
        .estimate.duration_s;
}

// The best move out of host h, whose VMs want excess cores too much.
static struct choice choose(struct pack *p, uint32_t h, double excess)
{
    struct plan_state *state = p->state;
    double capacity = state->host[h].cpu_cap, here = cost_of(p, h, NONE, 0);
    struct choice best = {NONE, NONE, HUGE_VAL};
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        double wants = want_vm(p, v);
        if (!may_leave(p, v) || wants <= 0)
            continue;
        double own = PACK_SLOW_DOWN * wants + (1 - PACK_SLOW_DOWN) * wants * excess / (capacity + excess);
        double relieved = here - cost_of(p, h, v, -1);
        double moved = state->snapshot->vms.migrations_1h[v] * PACK_MOVED_S *
                       fmin(state->snapshot->vms.cpu_limit_cores[v], state->snapshot->vms.vcpus[v]);
        // Only where one alone does not suffice, the one that does most of it.
        double rest = fmax(0, excess - wants) / (excess + PLAN_ROUNDING) * 1e6 * capacity;
        double took_s = -1;
        for (uint32_t to = 0; to < state->n_hosts; to++) {
            if (to == h || (!in_use(p, to) && to != p->fresh) || !state->host[to].up ||
                want(p, to) + wants > state->host[to].cpu_cap || !plan_fits(state, v, to))
                continue;
            state->evaluations++;
            if (took_s < 0)
                took_s = duration_s(state, v, h, to);
            double later = cost_of(p, to, v, 1) - cost_of(p, to, NONE, 0) - relieved;
            double cost = took_s * (excess + PACK_OWN_LOSS * own) + PACK_HORIZON_SLOTS * later + moved + rest;
            if (cost < best.cost)
                best = (struct choice){v, to, cost};
        }
    }
    return best;
}

struct ranked {
    double by;
    uint32_t index;
};

static int most_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->by != y->by)
        return x->by > y->by ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void relieve(struct pack *p, struct ranked *order)
{
    struct plan_state *state = p->state;
    uint32_t n = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (state->host[h].counts && want(p, h) > state->host[h].cpu_cap * (1 + PLAN_ROUNDING))
            order[n++] = (struct ranked){want(p, h) - state->host[h].cpu_cap, h};
    qsort(order, n, sizeof *order, most_first);
    for (uint32_t i = 0; i < n && !plan_is_over(state); i++) {
        uint32_t h = order[i].index;
        for (uint32_t k = 0; k < PACK_RELIEF_MOVES && p->steps->n < p->steps->capacity; k++) {
            double excess = want(p, h) - state->host[h].cpu_cap;
            if (excess <= PLAN_ROUNDING * state->host[h].cpu_cap)
                break;
            struct choice best = choose(p, h, excess);
            if (best.vm == NONE)
                break;
            go(p, best.vm, best.to);
        }
    }
}

// Moves that pay by the risk that they take away alone; one a host, since risk does not press.
static void prevent(struct pack *p, struct ranked *order)
{
    struct plan_state *state = p->state;
    uint32_t n = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (in_use(p, h) &&
            cost_of(p, h, NONE, 0) > PACK_PREVENT * p->bound * PACK_OPEN_S * state->host[h].cpu_cap)
            order[n++] = (struct ranked){cost_of(p, h, NONE, 0), h};
    qsort(order, n, sizeof *order, most_first);
    for (uint32_t i = 0; i < n && p->steps->n < p->steps->capacity && !plan_is_over(state); i++) {
        struct choice best = choose(p, order[i].index, 0);
        if (best.vm != NONE && best.cost < 0)
            go(p, best.vm, best.to);
    }
}

// --- hosts ---

// A host to open: one that is up and empty, else the largest on standby; then by name.
static uint32_t next_host(const struct plan_state *state)
{
    uint32_t best = NONE;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        bool up = state->host[h].up && state->host[h].head == NONE;
        bool standby = state->settings.host_actions && state->snapshot->hosts.state[h] == HOST_STANDBY;
        if (!up && !standby)
            continue;
        if (best == NONE || up > state->host[best].up ||
            (up == state->host[best].up && state->host[h].cpu_cap > state->host[best].cpu_cap))
            best = h;
    }
    return best;
}

static void open_host(struct pack *p, struct plan_search *search, bool *woken, struct ranked *order)
{
    uint32_t h = next_host(p->state);
    bool was_up = h != NONE && p->state->host[h].up;
    if (h != NONE && !was_up)
        plan_state_wake(p->state, h, true);
    p->fresh = h;
    relieve(p, order);
    if (p->blind)
        prevent(p, order);
    if (h == NONE || was_up)
        return;
    if (p->state->host[h].head != NONE) {
        woken[h] = true;
    } else {
        plan_state_wake(p->state, h, false);
    }
    plan_search_resort(search);
}

static bool empty_host(struct pack *p, uint32_t h, struct ranked *order)
{
    struct plan_state *state = p->state;
    uint32_t n = 0, start = p->steps->n;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next)
        order[n++] = (struct ranked){state->vm[v].level.mean + PACK_SIGMAS * sqrt(state->vm[v].level.var), v};
    if (p->steps->n + n > p->steps->capacity)
        return false;
    qsort(order, n, sizeof *order, most_first);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = order[i].index, best = NONE;
        double least = HUGE_VAL;
        for (uint32_t to = 0; to < state->n_hosts; to++) {
            if (to == h || !in_use(p, to) ||
                want(p, to) + want_vm(p, v) > PACK_DRAIN_FILL * state->host[to].cpu_cap ||
                !plan_fits(state, v, to))
                continue;
            state->evaluations++;
            double cost = cost_of(p, to, v, 1) - cost_of(p, to, NONE, 0);
            if (cost < least) {
                least = cost;
                best = to;
            }
        }
        if (best == NONE) {
            undo(p, start);
            return false;
        }
        go(p, v, best);
    }
    if (risk_s(p) < p->drain_bound * PACK_DRAINED_S)
        return true;
    undo(p, start);
    return false;
}

// Whether nothing holds a VM on host h: a host that cannot be emptied must not use up the tries.
static bool is_emptiable(const struct pack *p, uint32_t h)
{
    const struct plan_state *state = p->state;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next)
        if (!may_leave(p, v) || (state->settings.keep && state->settings.keep[state->input_vm[v]]))
            return false;
    return true;
}

static uint32_t drain(struct pack *p, bool *emptied, struct ranked *order, struct ranked *scratch)
{
    struct plan_state *state = p->state;
    uint32_t n = 0, n_used = 0;
    if (risk_s(p) > p->drain_bound * PACK_DRAINED_S) // and more with one host less
        return 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        n_used += in_use(p, h);
    for (uint32_t h = 0; h < state->n_hosts && n_used > 1; h++)
        if (in_use(p, h) && is_emptiable(p, h))
            order[n++] = (struct ranked){-(double)state->host[h].n_vms, h};
    qsort(order, n, sizeof *order, most_first);
    for (uint32_t i = 0; i < n && i < PACK_DRAIN_TRIES && !plan_is_over(state); i++)
        if (empty_host(p, order[i].index, scratch)) {
            emptied[order[i].index] = true;
            return 1;
        }
    return 0;
}

// --- the first packing ---

static int by_worth(const void *a, const void *b, const struct plan_state *state)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct plan_host *p = &state->host[x], *q = &state->host[y];
    if (p->cpu_cap != q->cpu_cap)
        return p->cpu_cap > q->cpu_cap ? -1 : 1;
    if (p->n_vms != q->n_vms)
        return p->n_vms > q->n_vms ? -1 : 1;
    return (x > y) - (x < y);
}

static double filled(const struct pack *p, uint32_t h, uint32_t v)
{
    struct level sum = changed(p->state, h, v, 1);
    return (sum.mean + PACK_SIGMAS * sqrt(sum.var)) / p->state->host[h].cpu_cap;
}

// Moves the VMs of all hosts but the first kept ones onto these. All or nothing.
static bool pack_onto(struct pack *p, uint32_t kept, uint32_t n, const uint32_t *host, struct ranked *order)
{
    struct plan_state *state = p->state;
    uint32_t n_vms = 0, start = p->steps->n;
    for (uint32_t i = kept; i < n; i++)
        for (uint32_t v = state->host[host[i]].head; v != NONE; v = state->vm[v].next)
            if (may_leave(p, v))
                order[n_vms++] =
                    (struct ranked){state->vm[v].level.var / (state->vm[v].level.mean + 1e-9), v};
    if (start + n_vms > p->steps->capacity)
        return false;
    qsort(order, n_vms, sizeof *order, most_first);
    for (uint32_t i = 0; i < n_vms; i++) {
        uint32_t v = order[i].index, best = NONE;
        double fullest = -1;
        for (uint32_t k = 0; k < kept; k++) {
            double fill = filled(p, host[k], v);
            if (fill > 1 || fill <= fullest ||
                want(p, host[k]) + want_vm(p, v) > state->host[host[k]].cpu_cap ||
                !plan_fits(state, v, host[k]))
                continue;
            fullest = fill;
            best = host[k];
        }
        state->evaluations += kept;
        if (best == NONE) {
            undo(p, start);
            return false;
        }
        go(p, v, best);
    }
    return true;
}

static uint32_t pack_anew(struct pack *p, bool *emptied, struct ranked *order)
{
    struct plan_state *state = p->state;
    uint32_t *host = arena_new_array(state->arena, uint32_t, state->n_hosts);
    uint32_t n = 0, n_emptied = 0;
    double wanted = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (in_use(p, h)) {
            host[n++] = h;
            wanted += state->host[h].level.mean * state->tide;
        }
    for (uint32_t i = 1; i < n; i++) // insertion: once in a lifetime, and no context for qsort
        for (uint32_t k = i; k > 0 && by_worth(&host[k - 1], &host[k], state) > 0; k--) {
            uint32_t t = host[k];
            host[k] = host[k - 1];
            host[k - 1] = t;
        }
    uint32_t kept = 0;
    while (kept < n && wanted > 0)
        wanted -= state->host[host[kept++]].cpu_cap;
    while (kept < n && !plan_is_over(state) && !pack_onto(p, kept, n, host, order))
        kept += 1 + kept / 64;
    for (uint32_t i = kept; i < n; i++)
        if (state->host[host[i]].head == NONE) {
            emptied[host[i]] = true;
            n_emptied++;
        }
    return n_emptied;
}

uint32_t pack_level_run(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                        bool *emptied, bool *woken)
{
    struct ranked *order = arena_new_array(state->arena, struct ranked, state->n_hosts);
    struct ranked *scratch = arena_new_array(state->arena, struct ranked, state->n_vms);
    double age_s = state->settings.series.age_s, persists = exp(-age_s / PACK_PERSISTENCE_S);
    bool blind = persists < 0.5;
    struct pack p = {
        .state = state,
        .steps = steps,
        .relief_s = fmin(fmax(PACK_RELIEF_S, age_s), PACK_SLOT_S),
        .move_s = blind ? 0 : PACK_MOVE_S,
        .persists = persists,
        .blind = blind,
        .bound = blind ? PACK_BLIND_WIDER : 1,
        .drain_bound = blind ? PACK_BLIND_WIDER * PACK_BLIND_DRAIN : 1,
        .fresh = NONE,
    };
    uint32_t n_emptied = 0;
    if (state->settings.pack_anew) {
        n_emptied = pack_anew(&p, emptied, scratch);
    } else {
        if (risk_s(&p) > p.bound * PACK_OPEN_S) {
            open_host(&p, search, woken, order);
        } else {
            relieve(&p, order);
            if (p.blind)
                prevent(&p, order);
        }
        if (state->settings.pack_fewer && p.fresh == NONE)
            n_emptied = drain(&p, emptied, order, scratch);
    }
    plan_search_resort(search);
    return n_emptied;
}
