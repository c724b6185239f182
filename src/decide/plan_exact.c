// Theory. A host's loss depends on the set of its VMs alone and never falls when one more joins: water-filling gives
// nobody more for it. So VMs are placed one after the other, those that want most first, and a branch ends when what the
// VMs placed so far lose, with what their moves cost, is no less than the best whole set found (branch and bound). Sets
// with few VMs away from home come first, so that the best is near its end early, and what time is left goes to sets
// with more (limited discrepancy search, Harvey and Ginsberg, 1995). The losses of sets are computed once and kept in a
// hash table: the same few sets of a host come back in most branches.
#include "decide/plan_exact.h"

#include <math.h>
#include <stdlib.h>

#define TABLE (1u << 16) // sets remembered; those beyond are computed each time
#define PROBES 8         // places looked at for a set
#define ORDER_WORK 100   // what one try to bring moves in order is worth

struct entry {
    uint64_t set;
    uint32_t host_1; // + 1; 0: free
    double loss;     // in the horizon
    double bound, max;
};

struct candidate {
    double wish;
    uint32_t vm;
};

struct exact {
    struct plan_state *state;
    uint32_t n, most;
    struct candidate vm[PLAN_EXACT_VMS]; // the movable, in the order in which they are placed
    uint32_t allowed[PLAN_EXACT_VMS];    // hosts that may ever take each VM, bits
    uint64_t at[PLAN_EXACT_HOSTS];       // placed so far, and the fixed
    uint64_t away[PLAN_EXACT_HOSTS];     // of them those that are not at home
    uint64_t later[PLAN_EXACT_VMS + 1][PLAN_EXACT_HOSTS]; // homes of those placed from there on
    double loss[PLAN_EXACT_HOSTS];                        // of at
    uint32_t to[PLAN_EXACT_VMS];                          // by position
    struct entry *table, spill;
    double best;
    uint64_t work, most_work;
    bool over;
    double (*take)(void *, uint32_t, const struct plan_target *, double);
    void *data;
};

static const struct entry *look_up(struct exact *x, uint32_t h, uint64_t set)
{
    struct plan_state *state = x->state;
    uint64_t hash = (set + h + 1) * 0x9e3779b97f4a7c15u;
    struct entry *entry = &x->spill;
    x->work++;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct entry *e = &x->table[((hash >> 40) + i) & (TABLE - 1)];
        if (e->set == set && e->host_1 == h + 1)
            return e;
        if (e->host_1 == 0) {
            entry = e;
            break;
        }
    }
    uint32_t vm[PLAN_EXACT_VMS], n = 0;
    *entry = (struct entry){.set = set, .host_1 = h + 1};
    for (uint32_t v = 0; v < state->n_vms; v++) {
        if (!(set >> v & 1))
            continue;
        vm[n++] = v;
        entry->bound += state->vm[v].mem_bound;
        entry->max += state->vm[v].mem_max;
    }
    x->work += PLAN_EXACT_EVALUATION;
    entry->loss = plan_set_loss(state, h, n, vm) * state->value_per_loss;
    return entry;
}

static bool is_within_bounds(const struct exact *x, uint32_t h, const struct entry *e)
{
    const struct plan_host *host = &x->state->host[h];
    return e->bound <= host->mem_cap * (1 + PLAN_ROUNDING) && e->max <= host->max_cap * (1 + PLAN_ROUNDING);
}

static bool is_worse(const struct exact *x, double total)
{
    return total >= x->best - PLAN_ROUNDING * (1 + x->best);
}

// The VMs from position i on stay at home.
static void complete(struct exact *x, uint32_t i, double total)
{
    for (uint32_t h = 0; h < x->state->n_hosts; h++) {
        if (!x->later[i][h])
            continue;
        const struct entry *e = look_up(x, h, x->at[h] | x->later[i][h]);
        if (x->away[h] && !is_within_bounds(x, h, e))
            return;
        total += e->loss - x->loss[h];
    }
    if (is_worse(x, total))
        return;
    struct plan_target target[PLAN_EXACT_VMS];
    uint32_t n = 0;
    for (uint32_t k = 0; k < i; k++)
        if (x->to[k] != x->state->vm[x->vm[k].vm].home)
            target[n++] = (struct plan_target){x->vm[k].vm, x->to[k]};
    x->work += ORDER_WORK;
    double reached = x->take(x->data, n, target, total);
    if (reached < x->best)
        x->best = reached;
}

static void place_from(struct exact *x, uint32_t i, uint32_t n_away, double total);

static void place_at(struct exact *x, uint32_t i, uint32_t h, uint32_t n_away, double total)
{
    uint32_t v = x->vm[i].vm;
    bool away = h != x->state->vm[v].home;
    uint64_t bit = (uint64_t)1 << v, was_at = x->at[h], was_away = x->away[h];
    double was = x->loss[h];
    const struct entry *e = look_up(x, h, was_at | bit);
    double loss = e->loss;
    if ((away || was_away) && !is_within_bounds(x, h, e))
        return;
    total += loss - was + (away ? x->state->vm[v].move_cost : 0);
    if (is_worse(x, total))
        return;
    x->at[h] |= bit;
    x->away[h] |= away ? bit : 0;
    x->loss[h] = loss;
    x->to[i] = h;
    place_from(x, i + 1, n_away + away, total);
    x->at[h] = was_at;
    x->away[h] = was_away;
    x->loss[h] = was;
}

static void place_from(struct exact *x, uint32_t i, uint32_t n_away, double total)
{
    if (i == x->n || n_away == x->most) {
        complete(x, i, total);
        return;
    }
    x->over = x->over || x->work >= x->most_work || plan_is_over(x->state);
    if (x->over)
        return;
    uint32_t home = x->state->vm[x->vm[i].vm].home;
    place_at(x, i, home, n_away, total);
    for (uint32_t h = 0; h < x->state->n_hosts; h++)
        if (h != home && x->allowed[i] >> h & 1)
            place_at(x, i, h, n_away, total);
}

static int by_wish(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->wish != y->wish)
        return x->wish > y->wish ? -1 : 1;
    return (x->vm > y->vm) - (x->vm < y->vm);
}

static bool may_ever_take(const struct plan_state *state, uint32_t h, uint32_t v)
{
    const struct plan_settings *settings = &state->settings;
    return state->host[h].up && !index_lists_has(&state->snapshot->vms.cannot_run_on, v, h) &&
           !(settings->barred &&
             settings->barred(settings->barred_data, state->input_vm[v], state->input_host[h]));
}

static void set_up(struct exact *x)
{
    struct plan_state *state = x->state;
    double cores = 0, mem = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        cores += state->host[h].cpu_cap;
        mem += state->host[h].mem_cap;
    }
    for (uint32_t v = 0; v < state->n_vms; v++) {
        const struct plan_vm *vm = &state->vm[v];
        if (vm->fixed)
            x->at[vm->home] |= (uint64_t)1 << v;
        else
            x->vm[x->n++] = (struct candidate){fmax(vm->cpu_want / cores, vm->mem_want / mem), v};
    }
    qsort(x->vm, x->n, sizeof *x->vm, by_wish);
    for (uint32_t i = x->n; i-- > 0;) {
        uint32_t v = x->vm[i].vm;
        for (uint32_t h = 0; h < state->n_hosts; h++) {
            x->later[i][h] = x->later[i + 1][h];
            x->allowed[i] |= (uint32_t)may_ever_take(state, h, v) << h;
        }
        x->later[i][state->vm[v].home] |= (uint64_t)1 << v;
    }
}

static bool is_for(const struct plan_state *state)
{
    if (state->n_vms > PLAN_EXACT_VMS || state->n_hosts > PLAN_EXACT_HOSTS || state->snapshot->n_rules > 0 ||
        state->settings.goal != PLAN_RELIEVE || state->n_up == 0)
        return false;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (state->host[h].empties || !state->host[h].counts)
            return false;
    return true;
}

double plan_exact_total(const struct plan_state *state)
{
    double total = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        total += state->host[h].loss * state->value_per_loss;
    for (uint32_t v = 0; v < state->n_vms; v++)
        total += state->vm[v].host != state->vm[v].home ? state->vm[v].move_cost : 0;
    return total;
}

bool plan_exact(struct plan_state *state, uint32_t most, uint64_t work, double total,
                double (*take)(void *data, uint32_t n, const struct plan_target *target, double total),
                void *data)
{
    if (!is_for(state))
        return false;
    struct exact *x = arena_new_object(state->arena, struct exact);
    x->state = state;
    x->table = arena_new_array(state->arena, struct entry, TABLE);
    x->best = total;
    x->most_work = work;
    x->take = take;
    x->data = data;
    set_up(x);
    double start = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        x->loss[h] = look_up(x, h, x->at[h])->loss;
        start += x->loss[h];
    }
    most = most < x->n ? most : x->n;
    for (x->most = 2 < most ? 2 : most; x->most <= most && !x->over; x->most++)
        place_from(x, 0, 0, start);
    state->evaluations += x->work / PLAN_EXACT_EVALUATION;
    return !x->over;
}
