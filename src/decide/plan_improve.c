// Simulated annealing over sets of displaced VMs, then descent.
//
// One-after-the-other choice is near the best in a large cluster, where there are many VMs of every size; with ten
// moves among twenty hosts it can end at twice the optimum. The set of moves is therefore annealed (Kirkpatrick et al.,
// 1983): a VM is sent elsewhere, or home and another instead of it, or two trade places; a change for the worse
// is taken with probability exp(gain / temperature). The temperature falls geometrically from above what a good move
// gains, so that at first whole groups of moves are undone. At the end each displaced VM is taken back in turn and
// replaced by the best move there is, until none is better; where there are few enough, chains of two or three moves are
// tried as one. All this only where plan_exact did not get through all sets. The random numbers are seeded with a constant: the same cluster gives the same plan.
#include "decide/plan_improve.h"

#include <math.h>

#include "base/random.h"
#include "decide/plan_exact.h"

#define NONE SNAPSHOT_NONE
#define SEED 0x62616c6c617374u
// Of the first and last temperature in horizons of a VM of mean weight, and in the measure of balance. Loss has deep
// valleys: a start five times cooler left 20 % more than the least in one small cluster of 150.
#define HOTTEST_LOSS 0.6
#define COLDEST_LOSS 0.0006
#define HOTTEST_BALANCE 0.12
#define COLDEST_BALANCE 0.0006
#define ROUNDS 5          // annealings that the work is for, each from the best so far
#define MOST_ROUNDS 10    // as long as they bring something
#define FRUITLESS 2       // so many in succession that bring nothing are the last
#define FRUITLESS_SMALL 6 // where chains of three are tried: rounds are cheap there

struct improve {
    struct plan_state *state;
    struct random random;
    uint32_t most;
    uint32_t *movable, n_movable;
    uint32_t *displaced, n_displaced; // VMs away from home
    uint32_t *place;                  // of each VM in displaced, NONE
    uint32_t *up, n_up;
    int must; // gained since the start
    double value;
    int best_must;
    double best_value;  // less best_detour
    double best_detour; // what VMs on their way to the best cost that go through a spare host
    struct plan_target *best;
    uint32_t n_best;
    struct plan_steps best_steps; // how to get there
    double refused;               // value of the last state that could not be reached
    struct plan_steps trial;      // scratch
    struct plan_target *now, *ordered;
    double start_total; // what the horizon loses where the search began
};

static bool may_go(const struct plan_state *state, uint32_t v, uint32_t to)
{
    return to == state->vm[v].home ? plan_fits_home(state, v) : plan_fits(state, v, to);
}

static void apply(struct improve *m, uint32_t v, uint32_t to, struct plan_gain gain)
{
    plan_state_move(m->state, v, to);
    m->must += gain.must;
    m->value += gain.value;
    bool away = to != m->state->vm[v].home;
    if (away && m->place[v] == NONE) {
        m->place[v] = m->n_displaced;
        m->displaced[m->n_displaced++] = v;
    } else if (!away && m->place[v] != NONE) {
        uint32_t last = m->displaced[--m->n_displaced];
        m->displaced[m->place[v]] = last;
        m->place[last] = m->place[v];
        m->place[v] = NONE;
    }
}

static void send_home(struct improve *m)
{
    while (m->n_displaced) {
        uint32_t v = m->displaced[0];
        apply(m, v, m->state->vm[v].home, (struct plan_gain){0});
    }
}

static void send_out(struct improve *m, uint32_t n, const struct plan_target *target)
{
    for (uint32_t i = 0; i < n; i++)
        apply(m, target[i].vm, target[i].to, (struct plan_gain){0});
}

// Whether the displaced VMs can get where they are step by step; the steps are in m->trial then.
static bool can_be_ordered(struct improve *m)
{
    uint32_t n = m->n_displaced;
    for (uint32_t i = 0; i < n; i++)
        m->now[i] = m->ordered[i] = (struct plan_target){m->displaced[i], m->state->vm[m->displaced[i]].host};
    send_home(m);
    m->trial.n = 0;
    bool whole = plan_order(m->state, n, m->ordered, &m->trial) == 0;
    for (uint32_t i = m->trial.n; i-- > 0;)
        plan_state_move(m->state, m->trial.at[i].vm, m->trial.at[i].from);
    send_out(m, n, m->now);
    return whole;
}

static bool is_above_best(const struct improve *m, double value)
{
    if (m->must != m->best_must)
        return m->must > m->best_must;
    return value > m->best_value + PLAN_ROUNDING * (1 + fabs(m->best_value));
}

static bool is_best(const struct improve *m)
{
    return is_above_best(m, m->value);
}

// What the steps cost beyond one move of each VM that they move.
static double detour(const struct improve *m, const struct plan_steps *steps)
{
    double cost = 0;
    if (m->state->settings.goal == PLAN_BALANCE || steps->n == m->n_displaced)
        return 0;
    for (uint32_t i = 0; i < steps->n; i++)
        cost += m->state->vm[steps->at[i].vm].move_cost;
    for (uint32_t i = 0; i < m->n_displaced; i++)
        cost -= m->state->vm[m->displaced[i]].move_cost;
    return cost;
}

// Notes the state as the best if it can be reached and is better with what the way costs; whether it is.
static bool keep_best(struct improve *m)
{
    double cost = 0;
    bool better = m->value != m->refused && can_be_ordered(m);
    if (better) {
        cost = detour(m, &m->trial);
        better = is_above_best(m, m->value - cost);
    }
    if (!better) {
        m->refused = m->value;
        return false;
    }
    struct plan_steps steps = m->best_steps;
    m->best_steps = m->trial;
    m->trial = steps;
    m->best_must = m->must;
    m->best_value = m->value - cost;
    m->best_detour = cost;
    m->n_best = m->n_displaced;
    for (uint32_t i = 0; i < m->n_displaced; i++)
        m->best[i] = (struct plan_target){m->displaced[i], m->state->vm[m->displaced[i]].host};
    return true;
}

static void return_to_best(struct improve *m)
{
    send_home(m);
    send_out(m, m->n_best, m->best);
    m->must = m->best_must;
    m->value = m->best_value + m->best_detour;
}

// One move of a proposal; notes it for taking back.
struct made {
    uint32_t vm, from;
    struct plan_gain gain;
};

static bool try_move(struct improve *m, uint32_t v, uint32_t to, struct made *made, uint32_t *n_made)
{
    struct plan_state *state = m->state;
    if (to == state->vm[v].host || !may_go(state, v, to))
        return false;
    struct plan_gain gain = plan_gain_of(state, v, to);
    made[(*n_made)++] = (struct made){v, state->vm[v].host, gain};
    apply(m, v, to, gain);
    return true;
}

static void take_back(struct improve *m, const struct made *made, uint32_t n_made)
{
    while (n_made-- > 0) {
        struct plan_gain back = {-made[n_made].gain.must, -made[n_made].gain.value, 0};
        apply(m, made[n_made].vm, made[n_made].from, back);
    }
}

static uint32_t draw(struct improve *m, uint32_t n)
{
    return (uint32_t)random_below(&m->random, n);
}

static double load_of(const struct improve *m, uint32_t h)
{
    const struct plan_host *host = &m->state->host[h];
    return host->cpu_load > host->mem_load ? host->cpu_load : host->mem_load;
}

// Of two hosts drawn the emptier: most moves to a full one are for the worse.
static uint32_t draw_destination(struct improve *m)
{
    uint32_t a = m->up[draw(m, m->n_up)], b = m->up[draw(m, m->n_up)];
    return load_of(m, a) <= load_of(m, b) ? a : b;
}

// Of two VMs drawn the one on the fuller host.
static uint32_t draw_vm(struct improve *m)
{
    uint32_t v = m->movable[draw(m, m->n_movable)], u = m->movable[draw(m, m->n_movable)];
    return load_of(m, m->state->vm[v].host) >= load_of(m, m->state->vm[u].host) ? v : u;
}

// A VM away from home goes elsewhere, or one at home goes away, if need be instead of another.
static bool propose_move(struct improve *m, struct made *made, uint32_t *n_made)
{
    uint32_t v;
    if (m->n_displaced && draw(m, 4) == 0) {
        v = m->displaced[draw(m, m->n_displaced)];
    } else {
        v = draw_vm(m);
        if (m->place[v] == NONE && m->n_displaced && (m->n_displaced >= m->most || draw(m, 4) == 0)) {
            uint32_t u = m->displaced[draw(m, m->n_displaced)];
            if (!try_move(m, u, m->state->vm[u].home, made, n_made))
                return false;
        }
    }
    uint32_t to = m->place[v] != NONE && draw(m, 4) == 0 ? m->state->vm[v].home : draw_destination(m);
    return try_move(m, v, to, made, n_made);
}

// Two VMs trade places; one of them may stand in the other's way, so a third host is no part of it.
static bool propose_trade(struct improve *m, struct made *made, uint32_t *n_made)
{
    struct plan_state *state = m->state;
    uint32_t v = m->n_displaced && draw(m, 2) ? m->displaced[draw(m, m->n_displaced)]
                                              : m->movable[draw(m, m->n_movable)];
    uint32_t u = m->movable[draw(m, m->n_movable)];
    uint32_t a = state->vm[v].host, b = state->vm[u].host;
    if (a == b || !state->host[a].up || !state->host[b].up)
        return false;
    // out of the way first, so that the memory bounds are those of the end
    if (!try_move(m, v, b, made, n_made))
        return try_move(m, u, a, made, n_made) && try_move(m, v, b, made, n_made);
    return try_move(m, u, a, made, n_made);
}

static void anneal(struct improve *m, double hot, double cold, uint64_t work)
{
    uint64_t start = m->state->evaluations, proposals = 0;
    double temperature = hot;
    while (m->state->evaluations - start < work && proposals < 4 * work) {
        if (proposals++ % 64 == 0) {
            if (plan_is_over(m->state))
                break;
            double done = fmax((double)(m->state->evaluations - start), (double)proposals / 4) / (double)work;
            temperature = hot * pow(cold / hot, fmin(done, 1));
        }
        struct made made[4];
        uint32_t n_made = 0;
        int must = m->must;
        double value = m->value;
        bool whole = draw(m, 4) ? propose_move(m, made, &n_made) : propose_trade(m, made, &n_made);
        bool good = whole && m->n_displaced <= m->most && m->must >= must;
        if (good && m->must == must && m->value < value)
            good = random_unit(&m->random) < exp((m->value - value) / temperature);
        if (!good) {
            take_back(m, made, n_made);
            m->must = must;
            m->value = value; // to the last bit
        } else if (is_best(m)) {
            keep_best(m);
        }
    }
}

// The best single move of all, better than `least`; false when there is none.
static bool best_move(struct improve *m, struct plan_gain least, uint32_t *ret_vm, uint32_t *ret_to,
                      struct plan_gain *ret_gain)
{
    struct plan_state *state = m->state;
    bool found = false;
    for (uint32_t i = 0; i < m->n_movable; i++) {
        uint32_t v = m->movable[i];
        if (m->n_displaced >= m->most && m->place[v] == NONE)
            continue;
        for (uint32_t k = 0; k < m->n_up; k++) {
            if (m->up[k] == state->vm[v].host || !may_go(state, v, m->up[k]))
                continue;
            struct plan_gain gain = plan_gain_of(state, v, m->up[k]);
            if (gain.must < least.must || (gain.must == least.must && gain.value <= least.value))
                continue;
            least = gain;
            *ret_vm = v;
            *ret_to = m->up[k];
            *ret_gain = gain;
            found = true;
        }
    }
    return found;
}

// Takes each displaced VM back and makes the best move there is instead, until that changes nothing.
static void descend(struct improve *m, uint64_t work)
{
    uint64_t start = m->state->evaluations;
    bool better = true;
    while (better) {
        better = false;
        for (uint32_t i = 0; i < m->n_displaced; i++) {
            if (m->state->evaluations - start > work || plan_is_over(m->state))
                return;
            struct made made[1];
            uint32_t n_made = 0, v, to;
            if (!try_move(m, m->displaced[i], m->state->vm[m->displaced[i]].home, made, &n_made))
                continue;
            struct plan_gain lost = {-made[0].gain.must, -made[0].gain.value, 0}, gain;
            lost.value += PLAN_ROUNDING * (1 + fabs(m->value));
            if (lost.must == 0 && lost.value < 0)
                lost.value = 0; // home is best
            if (best_move(m, lost, &v, &to, &gain)) {
                apply(m, v, to, gain);
                better = true;
            } else if (made[0].gain.must > 0 || (made[0].gain.must == 0 && made[0].gain.value > 0)) {
                better = true;
            } else {
                take_back(m, made, n_made);
            }
        }
    }
}

// Moves made one after the other as one change.
#define CHAIN_MOST 3
#define CHAIN_ROUNDS 3 // times the work, for trying all chains of three once: up to 36 moves in all
struct chain {
    struct plan_gain gain; // of all
    int n;
    struct plan_target at[CHAIN_MOST];
};

// Completes `now` by `left` more moves in every way there is; best is the best of all.
static void try_chains(struct improve *m, int left, struct chain *now, struct chain *best)
{
    if (left == 1) {
        struct plan_gain least = {best->gain.must - now->gain.must, best->gain.value - now->gain.value, 0};
        struct plan_gain gain;
        struct plan_target *last = &now->at[now->n];
        if (best_move(m, least, &last->vm, &last->to, &gain)) {
            *best = *now;
            best->n++;
            best->gain.must += gain.must;
            best->gain.value += gain.value;
        }
        return;
    }
    for (uint32_t i = 0; i < m->n_movable; i++) {
        uint32_t v = m->movable[i];
        if (m->n_displaced >= m->most && m->place[v] == NONE)
            continue;
        for (uint32_t k = 0; k < m->n_up && !plan_is_over(m->state); k++) {
            struct made made[1];
            uint32_t n_made = 0;
            if (!try_move(m, v, m->up[k], made, &n_made))
                continue;
            struct chain next = *now;
            next.at[next.n++] = (struct plan_target){v, m->up[k]};
            next.gain.must += made[0].gain.must;
            next.gain.value += made[0].gain.value;
            try_chains(m, left - 1, &next, best);
            take_back(m, made, n_made);
        }
    }
}

// Makes the best chain of `length` moves where there are few enough to try all: a swap, or VMs that make room for another.
static bool descend_by_chains(struct improve *m, int length)
{
    struct chain start = {0}, best = {.gain = {0, PLAN_ROUNDING * (1 + fabs(m->value)), 0}};
    try_chains(m, length, &start, &best);
    struct made made[CHAIN_MOST];
    uint32_t n_made = 0;
    for (int i = 0; i < best.n; i++) {
        if (try_move(m, best.at[i].vm, best.at[i].to, made, &n_made))
            continue;
        take_back(m, made, n_made);
        return false;
    }
    return best.n > 0;
}

// The longest chain of which all can be tried at bearable work; 1: none.
static int chain_length(const struct improve *m, uint64_t work)
{
    uint64_t moves = (uint64_t)m->n_movable * m->n_up;
    if (moves * moves > work / ROUNDS)
        return 1;
    return moves * moves * moves > CHAIN_ROUNDS * work ? 2 : CHAIN_MOST;
}

static double take_set(void *data, uint32_t n, const struct plan_target *target, double total)
{
    struct improve *m = data;
    send_home(m);
    send_out(m, n, target);
    m->must = 0;
    m->value = m->start_total - total;
    m->refused = HUGE_VAL;
    return keep_best(m) ? m->start_total - m->best_value : HUGE_VAL;
}

// The best of all sets of moves where there are few enough to try; whether nothing better exists.
static bool try_all(struct improve *m)
{
    const struct plan_settings *settings = &m->state->settings;
    uint64_t work = (uint64_t)(PLAN_EXACT_WORK * settings->depth), done = m->state->evaluations;
    if (settings->work_limit && settings->work_limit < done + work / PLAN_EXACT_EVALUATION)
        work = settings->work_limit > done ? (settings->work_limit - done) * PLAN_EXACT_EVALUATION : 0;
    m->start_total = plan_exact_total(m->state);
    bool whole = plan_exact(m->state, m->most, work, m->start_total - m->best_value, take_set, m);
    return_to_best(m);
    return whole;
}

static struct improve *new_improve(struct plan_state *state, uint32_t most)
{
    struct arena *arena = state->arena;
    struct improve *m = arena_new_object(arena, struct improve);
    m->state = state;
    m->random = random_seed(SEED);
    m->most = most;
    m->movable = arena_new_array(arena, uint32_t, state->n_vms);
    m->displaced = arena_new_array(arena, uint32_t, state->n_vms);
    m->place = arena_new_array(arena, uint32_t, state->n_vms);
    m->best = arena_new_array(arena, struct plan_target, state->n_vms);
    m->now = arena_new_array(arena, struct plan_target, state->n_vms);
    m->ordered = arena_new_array(arena, struct plan_target, state->n_vms);
    m->trial = (struct plan_steps){0, most, arena_new_array(arena, struct plan_step, most)};
    m->best_steps = (struct plan_steps){0, most, arena_new_array(arena, struct plan_step, most)};
    m->refused = HUGE_VAL;
    m->up = arena_new_array(arena, uint32_t, state->n_hosts);
    for (uint32_t v = 0; v < state->n_vms; v++) {
        m->place[v] = NONE;
        if (!state->vm[v].fixed)
            m->movable[m->n_movable++] = v;
        if (state->vm[v].host != state->vm[v].home) {
            m->place[v] = m->n_displaced;
            m->displaced[m->n_displaced++] = v;
        }
    }
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (state->host[h].up)
            m->up[m->n_up++] = h;
    return m;
}

bool plan_improve(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                  uint64_t work)
{
    struct improve *m = new_improve(state, steps->capacity);
    if (m->n_up < 2 || m->n_movable == 0 || steps->capacity == 0 || work == 0)
        return false;
    m->n_best = m->n_displaced;
    for (uint32_t i = 0; i < m->n_displaced; i++)
        m->best[i] = (struct plan_target){m->displaced[i], state->vm[m->displaced[i]].host};
    struct plan_target *start;
    uint32_t n_start = plan_displaced(state, &start);
    bool balance = state->settings.goal == PLAN_BALANCE;
    double start_value = m->best_value = -detour(m, steps);
    m->best_detour = -start_value;
    if (balance)
        plan_state_begin_light(state);
    double hot = balance ? HOTTEST_BALANCE : HOTTEST_LOSS * state->settings.horizon_s;
    double cold = balance ? COLDEST_BALANCE : COLDEST_LOSS * state->settings.horizon_s;
    int length = chain_length(m, work);
    bool found = try_all(m);
    int fruitless = 0, patience = length == CHAIN_MOST ? FRUITLESS_SMALL : FRUITLESS;
    int most_rounds = balance ? ROUNDS : MOST_ROUNDS;
    if (balance) // plateaus: a round without gain says nothing of the next
        patience = ROUNDS;
    for (int round = 0; !found && round < most_rounds && fruitless < patience && !plan_is_over(state);
         round++) {
        int must = m->best_must;
        double value = m->best_value;
        anneal(m, hot, cold, work / ROUNDS);
        return_to_best(m);
        descend(m, work / ROUNDS);
        uint64_t end = state->evaluations + work / ROUNDS;
        while (length >= 2 && state->evaluations < end && descend_by_chains(m, length))
            descend(m, work / ROUNDS);
        if (is_best(m))
            keep_best(m);
        return_to_best(m);
        bool better_now = m->best_must > must || m->best_value > value + PLAN_ROUNDING * (1 + fabs(value));
        fruitless = better_now ? 0 : fruitless + 1;
    }
    send_home(m);
    send_out(m, n_start, start);
    if (state->light)
        plan_state_end_light(state);
    bool better = m->best_must > 0 || m->best_value > start_value;
    if (better) {
        send_home(m);
        steps->n = 0;
        for (uint32_t i = 0; i < m->best_steps.n; i++) {
            steps->at[steps->n++] = m->best_steps.at[i];
            plan_state_move(state, m->best_steps.at[i].vm, m->best_steps.at[i].to);
        }
    }
    plan_search_resort(search);
    return better;
}
