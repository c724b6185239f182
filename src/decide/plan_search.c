// Best improvement with lazy evaluation.
//
// Each source host has one cached candidate: its best move. A binary heap holds the hosts by that gain. The top
// is carried out when neither of its two hosts has changed since it was computed; else it is computed anew and
// goes back into the heap. Filling hosts makes other moves worse more often than better, so what is cached is
// mostly an upper bound (the lazy greedy of Minoux, 1978); evening out begins with bounds alone. What became better is found in the last pass, which
// computes every source anew before the search ends. A move costs a few evaluations of the VMs of a few hosts,
// independent of the size of the cluster, since destinations come from short lists of the emptiest hosts.
#include "decide/plan_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE SNAPSHOT_NONE

struct order {
    uint32_t *host; // ascending by key
    double *key;    // of each host
};

struct source {
    uint32_t vm, to;       // NONE: nothing pays, or, in the heap, not computed yet
    struct plan_gain gain; // at most that where not computed yet
    uint32_t from_version, to_version;
    uint32_t at; // position in the heap, NONE: not in it
};

struct sortable {
    double key;
    uint32_t host;
};

struct plan_search {
    struct plan_state *state;
    struct order order[PLAN_SEARCH_ORDERS];
    uint32_t n_ordered;
    struct sortable *scratch;
    struct source *source;
    uint32_t *heap, n_heap;
    uint32_t candidate[PLAN_SEARCH_DESTINATIONS];
    uint32_t *stamp, round; // hosts already among the candidates
};

static double key_of(const struct plan_state *state, uint32_t h, int order)
{
    const struct plan_host *host = &state->host[h];
    double cpu = host->cpu / host->cpu_cap, mem = host->mem_used / host->mem_phys;
    return order == 0 ? cpu : order == 1 ? mem : cpu + mem;
}

static int by_key(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->host > y->host) - (x->host < y->host);
}

static void sort_order(struct plan_search *search, int o, struct sortable *scratch)
{
    struct plan_state *state = search->state;
    struct order *order = &search->order[o];
    uint32_t n = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (state->host[h].up)
            scratch[n++] = (struct sortable){key_of(state, h, o), h};
    qsort(scratch, n, sizeof *scratch, by_key);
    for (uint32_t i = 0; i < n; i++) {
        order->host[i] = scratch[i].host;
        order->key[scratch[i].host] = scratch[i].key;
    }
    search->n_ordered = n;
}

// How many of the first n hosts of an order stand before host h.
static uint32_t rank_of(const struct order *order, uint32_t n, uint32_t h)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = (low + high) / 2, other = order->host[middle];
        bool before = order->key[other] != order->key[h] ? order->key[other] < order->key[h] : other < h;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void plan_search_touch(struct plan_search *search, uint32_t h)
{
    if (!search->state->host[h].up)
        return;
    uint32_t n = search->n_ordered - 1;
    for (int o = 0; o < PLAN_SEARCH_ORDERS; o++) {
        struct order *order = &search->order[o];
        uint32_t *host = order->host, i = rank_of(order, n + 1, h);
        memmove(host + i, host + i + 1, (n - i) * sizeof *host);
        order->key[h] = key_of(search->state, h, o);
        i = rank_of(order, n, h);
        memmove(host + i + 1, host + i, (n - i) * sizeof *host);
        host[i] = h;
    }
}

void plan_search_move(struct plan_search *search, uint32_t v, uint32_t to)
{
    uint32_t from = search->state->vm[v].host;
    plan_state_move(search->state, v, to);
    plan_search_touch(search, from);
    plan_search_touch(search, to);
}

void plan_search_resort(struct plan_search *search)
{
    for (int o = 0; o < PLAN_SEARCH_ORDERS; o++)
        sort_order(search, o, search->scratch);
}

struct plan_search *plan_search_new(struct plan_state *state)
{
    struct arena *arena = state->arena;
    struct plan_search *search = arena_new_object(arena, struct plan_search);
    search->state = state;
    search->scratch = arena_new_array(arena, struct sortable, state->n_hosts);
    for (int o = 0; o < PLAN_SEARCH_ORDERS; o++) {
        search->order[o] = (struct order){arena_new_array(arena, uint32_t, state->n_hosts),
                                          arena_new_array(arena, double, state->n_hosts)};
    }
    plan_search_resort(search);
    search->source = arena_new_array(arena, struct source, state->n_hosts);
    search->heap = arena_new_array(arena, uint32_t, state->n_hosts);
    search->stamp = arena_new_array(arena, uint32_t, state->n_hosts);
    return search;
}

uint32_t plan_search_destinations(struct plan_search *search, const uint32_t **ret_hosts)
{
    *ret_hosts = search->candidate;
    if (search->n_ordered <= PLAN_SEARCH_ALL_HOSTS) {
        for (uint32_t i = 0; i < search->n_ordered; i++)
            search->candidate[i] = search->order[PLAN_SEARCH_ORDERS - 1].host[i];
        return search->n_ordered;
    }
    uint32_t n = 0;
    search->round++;
    for (int o = 0; o < PLAN_SEARCH_ORDERS; o++) {
        for (uint32_t i = 0; i < PLAN_SEARCH_PER_ORDER; i++) {
            uint32_t h = search->order[o].host[i];
            if (search->stamp[h] != search->round)
                search->candidate[n++] = h;
            search->stamp[h] = search->round;
        }
    }
    return n;
}

bool plan_gain_pays(const struct plan_state *state, struct plan_gain gain)
{
    if (gain.must != 0)
        return gain.must > 0;
    if (state->settings.goal != PLAN_BALANCE)
        return gain.value > 0;
    return gain.value >=
           (state->settings.measure == PLAN_MEASURE_MAD ? PLAN_BALANCE_LEAST_MAD : PLAN_BALANCE_LEAST_SD);
}

// Better gain, or equal and an earlier VM, or an earlier destination.
static bool is_better(struct plan_gain gain, uint32_t vm, uint32_t to, struct plan_gain best,
                      uint32_t best_vm, uint32_t best_to)
{
    if (best_vm == NONE || plan_gain_above(gain, best))
        return true;
    if (plan_gain_above(best, gain))
        return false;
    return vm != best_vm ? vm < best_vm : to < best_to;
}

uint32_t plan_search_best(struct plan_state *state, uint32_t v, uint32_t n, const uint32_t *hosts,
                          struct plan_gain *ret)
{
    uint32_t best = NONE;
    uint32_t end = n ? n : state->n_hosts;
    for (uint32_t i = 0; i < end; i++) {
        uint32_t to = n ? hosts[i] : i;
        // There and back within one plan is two moves for nothing.
        if (to == state->vm[v].host || to == state->vm[v].home || !plan_fits(state, v, to))
            continue;
        struct plan_gain gain = plan_gain_of(state, v, to);
        if (!is_better(gain, v, to, *ret, best == NONE ? NONE : v, best))
            continue;
        best = to;
        *ret = gain;
    }
    return best;
}

// Whether VM v must go: off a host in maintenance, or to mend a strict rule. The last is found by trying.
static bool may_be_must(const struct plan_state *state, uint32_t v)
{
    return state->host[state->vm[v].host].empties || state->vm[v].ruled;
}

static void compute(struct plan_search *search, uint32_t h)
{
    struct plan_state *state = search->state;
    struct source *source = &search->source[h];
    const uint32_t *hosts;
    uint32_t n = plan_search_destinations(search, &hosts);
    source->vm = source->to = NONE;
    source->gain = (struct plan_gain){0};
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        if (state->vm[v].fixed)
            continue;
        struct plan_gain gain = {0};
        uint32_t to = n ? plan_search_best(state, v, n, hosts, &gain) : NONE;
        if (may_be_must(state, v) && n < search->n_ordered && (to == NONE || gain.must <= 0))
            to = plan_search_best(state, v, 0, NULL, &gain);
        if (to == NONE || !plan_gain_pays(state, gain) ||
            !is_better(gain, v, to, source->gain, source->vm, source->to))
            continue;
        source->vm = v;
        source->to = to;
        source->gain = gain;
    }
    source->from_version = state->host[h].version;
    source->to_version = source->to == NONE ? 0 : state->host[source->to].version;
}

static bool is_above(const struct plan_search *search, uint32_t a, uint32_t b)
{
    const struct source *x = &search->source[a], *y = &search->source[b];
    if (plan_gain_above(x->gain, y->gain) || plan_gain_above(y->gain, x->gain))
        return plan_gain_above(x->gain, y->gain);
    if (x->vm == NONE || y->vm == NONE) // what is not computed yet may be better
        return x->vm == NONE && (y->vm != NONE || a < b);
    return x->vm < y->vm;
}

static void put(struct plan_search *search, uint32_t i, uint32_t h)
{
    search->heap[i] = h;
    search->source[h].at = i;
}

static void sift_down(struct plan_search *search, uint32_t i)
{
    uint32_t h = search->heap[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= search->n_heap)
            break;
        if (child + 1 < search->n_heap && is_above(search, search->heap[child + 1], search->heap[child]))
            child++;
        if (!is_above(search, search->heap[child], h))
            break;
        put(search, i, search->heap[child]);
        i = child;
    }
    put(search, i, h);
}

static void sift_up(struct plan_search *search, uint32_t i)
{
    uint32_t h = search->heap[i];
    while (i > 0 && is_above(search, h, search->heap[(i - 1) / 2])) {
        put(search, i, search->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(search, i, h);
}

static void drop_top(struct plan_search *search)
{
    search->source[search->heap[0]].at = NONE;
    uint32_t last = search->heap[--search->n_heap];
    if (search->n_heap) {
        put(search, 0, last);
        sift_down(search, 0);
    }
}

// Computes host h anew and puts it where it belongs in the heap, or takes it out.
static void renew(struct plan_search *search, uint32_t h)
{
    struct source *source = &search->source[h];
    compute(search, h);
    if (source->vm != NONE && source->at == NONE) {
        put(search, search->n_heap, h);
        sift_up(search, search->n_heap++);
    } else if (source->vm != NONE) {
        sift_up(search, source->at);
        sift_down(search, source->at);
    } else if (source->at != NONE) {
        uint32_t i = source->at, last = search->heap[--search->n_heap];
        source->at = NONE;
        if (last != h) {
            put(search, i, last);
            sift_up(search, i);
            sift_down(search, search->source[last].at);
        }
    }
}

// Whether host h can be a source at all: cheap, so that a satisfied cluster is left alone at once.
static bool may_give(const struct plan_state *state, uint32_t h)
{
    const struct plan_host *host = &state->host[h];
    if (!host->counts || host->head == NONE)
        return false;
    if (state->settings.goal == PLAN_BALANCE || host->empties || state->snapshot->n_rules > 0)
        return true;
    return plan_is_needy(state, h);
}

// What evening out can gain at most by a move from a load that is `above` the mean (by so much) to one that is `under`
// it, where the VM weighs r times as much, r from low to high: with x its load here that is at most
// 2 x (above + r under) - x^2 (1 + r^2) (1 - 1 / n), n being the hosts whose mean the move may change.
static double most_evened(double above, double under, double low, double high, uint32_t n)
{
    double r = above > 0 ? fmin(fmax(under / above, low), high) : high;
    double way = fmax(above + r * under, 0);
    return way * way / ((1 + r * r) * (1 - 1.0 / n));
}

// The emptiest hosts by CPU and memory and the range of sizes of those that are up.
struct range {
    double cpu_least, mem_least, cpu_small, cpu_large, mem_small, mem_large;
};

static struct range range_of(const struct plan_state *state)
{
    struct range r = {HUGE_VAL, HUGE_VAL, HUGE_VAL, 0, HUGE_VAL, 0};
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        const struct plan_host *host = &state->host[h];
        if (!host->up)
            continue;
        r.cpu_least = fmin(r.cpu_least, host->cpu_load);
        r.mem_least = fmin(r.mem_least, host->mem_load);
        r.cpu_small = fmin(r.cpu_small, host->cpu_cap);
        r.cpu_large = fmax(r.cpu_large, host->cpu_cap);
        r.mem_small = fmin(r.mem_small, host->mem_phys);
        r.mem_large = fmax(r.mem_large, host->mem_phys);
    }
    return r;
}

// An upper bound of what host h may gain, where it is cheaper than computing it: most hosts of a large cluster never get
// their turn.
static bool bound(const struct plan_state *state, uint32_t h, const struct range *r, double *ret)
{
    const struct plan_settings *settings = &state->settings;
    const struct plan_host *host = &state->host[h];
    if (settings->goal != PLAN_BALANCE || settings->measure != PLAN_MEASURE_SD || state->snapshot->n_rules ||
        !host->up || state->n_up < 2)
        return false;
    double cpu = state->cpu_sum / state->n_up, mem = state->mem_sum / state->n_up;
    *ret = 0;
    if (settings->balance != PLAN_BALANCE_MEM)
        *ret += most_evened(host->cpu_load - cpu, cpu - r->cpu_least, host->cpu_cap / r->cpu_large,
                            host->cpu_cap / r->cpu_small, state->n_up);
    if (settings->balance != PLAN_BALANCE_CPU)
        *ret += most_evened(host->mem_load - mem, mem - r->mem_least, host->mem_phys / r->mem_large,
                            host->mem_phys / r->mem_small, state->n_up);
    *ret *= 1 + PLAN_ROUNDING;
    return true;
}

static void fill_heap(struct plan_search *search)
{
    struct plan_state *state = search->state;
    struct range range = range_of(state);
    search->n_heap = 0;
    // hosts in maintenance first: time may be up before all are looked at
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t h = 0; h < state->n_hosts; h++) {
            struct source *source = &search->source[h];
            if (state->host[h].empties != (pass == 0))
                continue;
            source->at = NONE;
            if (!may_give(state, h) || plan_is_over(state))
                continue;
            double most;
            bool bounded = bound(state, h, &range, &most);
            if (bounded)
                *source = (struct source){.vm = NONE, .to = NONE, .gain = {0, most, most}};
            else
                compute(search, h);
            if (bounded || source->vm != NONE)
                put(search, search->n_heap++, h);
        }
    }
    for (uint32_t i = search->n_heap / 2; i-- > 0;)
        sift_down(search, i);
}

void plan_search_run(struct plan_search *search, struct plan_steps *steps)
{
    struct plan_state *state = search->state;
    bool made = true;
    while (made) {
        made = false;
        fill_heap(search);
        while (search->n_heap && steps->n < steps->capacity && !plan_is_over(state)) {
            uint32_t h = search->heap[0];
            struct source *source = &search->source[h];
            if (source->vm == NONE || source->from_version != state->host[h].version ||
                source->to_version != state->host[source->to].version) {
                renew(search, h);
                continue;
            }
            uint32_t to = source->to;
            steps->at[steps->n++] = (struct plan_step){source->vm, h, to};
            plan_search_move(search, source->vm, to);
            made = true;
            if (may_give(state, h))
                renew(search, h);
            else
                drop_top(search);
            if (may_give(state, to))
                renew(search, to);
        }
        made = made && steps->n < steps->capacity && !plan_is_over(state);
    }
}
