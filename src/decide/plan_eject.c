// Theory. Moves one after the other, each of which must pay, cannot exchange a large VM for several small ones: where
// two large ones have met on a host and every other host is full of small ones, each single move makes things worse,
// and the loss stays for as long as the load does. An ejection chain (Glover, 1996) makes the first move all the same
// and then lets the host that it overloads push out what is best out, as long as that pays; the chain counts as a whole.
#include "decide/plan_eject.h"

#define NONE SNAPSHOT_NONE

struct chain {
    uint32_t n;
    struct plan_step at[PLAN_EJECT_LENGTH];
    int must;
    double value;
};

static void add(struct plan_state *state, struct plan_search *search, struct chain *chain, uint32_t v,
                uint32_t to, struct plan_gain gain)
{
    chain->at[chain->n++] = (struct plan_step){v, state->vm[v].host, to};
    chain->must += gain.must;
    chain->value += gain.value;
    plan_search_move(search, v, to);
}

static void take_back(struct plan_search *search, const struct chain *chain)
{
    for (uint32_t i = chain->n; i-- > 0;)
        plan_search_move(search, chain->at[i].vm, chain->at[i].from);
}

// Lets host h push VMs other than v out, the best move first, as long as that pays and the chain has room.
static void push_out(struct plan_state *state, struct plan_search *search, uint32_t h, uint32_t v,
                     uint32_t most, struct chain *chain)
{
    while (chain->n < most && plan_is_needy(state, h) && !plan_is_over(state)) {
        const uint32_t *hosts;
        uint32_t n = plan_search_destinations(search, &hosts), vm = NONE, to = NONE;
        struct plan_gain best = {0};
        for (uint32_t u = n ? state->host[h].head : NONE; u != NONE; u = state->vm[u].next) {
            if (u == v || state->vm[u].fixed)
                continue;
            struct plan_gain gain = {0};
            uint32_t at = plan_search_best(state, u, n, hosts, &gain);
            if (at == NONE || !plan_gain_pays(state, gain) || (vm != NONE && !plan_gain_above(gain, best)))
                continue;
            vm = u;
            to = at;
            best = gain;
        }
        if (vm == NONE)
            return;
        add(state, search, chain, vm, to, best);
    }
}

static bool is_worth_more(const struct chain *a, const struct chain *b)
{
    return a->must != b->must ? a->must > b->must : a->value > b->value + PLAN_ROUNDING;
}

static double wish(const struct plan_state *state, uint32_t h, uint32_t v)
{
    const struct plan_host *host = &state->host[h];
    bool by_cpu = host->cpu_want / host->cpu_cap >= host->mem_want / host->mem_cap;
    return by_cpu ? state->vm[v].cpu_want : state->vm[v].mem_want;
}

// The VM of host h that wants most after those that want more than `below` (and by number among equals).
static uint32_t next_largest(const struct plan_state *state, uint32_t h, double below, uint32_t after)
{
    uint32_t best = NONE;
    double most = -1;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        double wants = wish(state, h, v);
        bool is_next = wants < below || (wants == below && v > after && after != NONE);
        if (state->vm[v].fixed || !is_next || wants <= most)
            continue;
        most = wants;
        best = v;
    }
    return best;
}

// The best chain that starts on host h.
static struct chain best_chain(struct plan_state *state, struct plan_search *search, uint32_t h,
                               uint32_t most)
{
    struct chain best = {0};
    uint32_t after = NONE;
    double below = 1e300;
    for (uint32_t k = 0; k < PLAN_EJECT_TRIES && !plan_is_over(state); k++) {
        uint32_t v = next_largest(state, h, below, after);
        if (v == NONE)
            break;
        after = v;
        below = wish(state, h, v);
        const uint32_t *candidates;
        uint32_t n = plan_search_destinations(search, &candidates), hosts[PLAN_SEARCH_DESTINATIONS];
        for (uint32_t i = 0; i < n; i++)
            hosts[i] = candidates[i];
        for (uint32_t i = 0; i < n; i++) {
            if (hosts[i] == h || hosts[i] == state->vm[v].home || !plan_fits(state, v, hosts[i]))
                continue;
            struct chain chain = {0};
            add(state, search, &chain, v, hosts[i], plan_gain_of(state, v, hosts[i]));
            push_out(state, search, hosts[i], v, most, &chain);
            take_back(search, &chain);
            if (is_worth_more(&chain, &best))
                best = chain;
        }
    }
    return best;
}

// Whether a chain that starts on host h may pay: its first move alone costs what the cheapest of its VMs costs.
static bool may_pay(const struct plan_state *state, uint32_t h)
{
    const struct plan_host *host = &state->host[h];
    if (!host->counts || !plan_is_needy(state, h))
        return false;
    bool pays = host->empties || state->snapshot->n_rules > 0;
    for (uint32_t v = host->head; v != NONE && !pays; v = state->vm[v].next)
        pays = !state->vm[v].fixed && state->vm[v].move_cost < host->loss * state->value_per_loss;
    return pays;
}

bool plan_eject(struct plan_state *state, struct plan_search *search, struct plan_steps *steps, uint64_t work)
{
    uint64_t end = state->evaluations + work;
    uint32_t start = steps->n;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        while (may_pay(state, h) && steps->n < steps->capacity && state->evaluations < end &&
               !plan_is_over(state)) {
            uint32_t left = steps->capacity - steps->n;
            struct chain best =
                best_chain(state, search, h, left < PLAN_EJECT_LENGTH ? left : PLAN_EJECT_LENGTH);
            if (best.n == 0)
                break;
            for (uint32_t i = 0; i < best.n; i++) {
                steps->at[steps->n++] = best.at[i];
                plan_search_move(search, best.at[i].vm, best.at[i].to);
            }
        }
    }
    return steps->n > start;
}
