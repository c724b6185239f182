#include "decide/plan.h"

#include <math.h>
#include <stdlib.h>

#include "decide/pack.h"
#include "decide/pack_level.h"
#include "decide/plan_candidates.h"
#include "decide/plan_cost.h"
#include "decide/plan_eject.h"
#include "decide/plan_improve.h"
#include "decide/plan_order.h"
#include "decide/plan_reason.h"
#include "decide/plan_run.h"
#include "decide/plan_score.h"
#include "decide/plan_search.h"
#include "decide/plan_state.h"

#define NONE SNAPSHOT_NONE

struct plan_settings plan_settings_default(void)
{
    return (struct plan_settings){
        .goal = PLAN_RELIEVE,
        .max_moves = PLAN_UNLIMITED,
        .mem_growth = PLAN_MEM_GROWTH,
        .horizon_s = PLAN_HORIZON_S,
        .depth = 1,
        .pack_cpu_fill = PLAN_PACK_CPU_FILL,
        .pack_expected_loss = PLAN_PACK_EXPECTED_LOSS,
        .host_actions = true,
    };
}

// A plan of more moves than that per VM has lost its way.
#define STEPS_PER_VM 2

static struct plan_steps new_steps(const struct plan_state *state)
{
    uint64_t most = (uint64_t)state->n_vms * STEPS_PER_VM;
    uint32_t capacity = state->settings.max_moves < most ? state->settings.max_moves : (uint32_t)most;
    return (struct plan_steps){0, capacity, arena_new_array(state->arena, struct plan_step, capacity)};
}

// Work of the deeper search. Mean absolute deviation has plateaus, on which single moves gain nothing: it gets more.
// In a large cluster single moves do nearly as well and the work per move would be out of proportion.
#define IMPROVE_MAD 4000000
#define IMPROVE_LOSS 16000
#define IMPROVE_HOSTS 64
#define IMPROVE_VMS 1000

// Work of exchanges, evaluations: they are for hosts that single moves have left in need.
#define EJECT_WORK 40000

static uint64_t improve_work(const struct plan_state *state)
{
    if (state->n_hosts > IMPROVE_HOSTS || state->n_vms > IMPROVE_VMS || state->settings.goal == PLAN_PACK)
        return 0;
    if (state->settings.goal == PLAN_BALANCE)
        return state->settings.measure == PLAN_MEASURE_MAD ? IMPROVE_MAD : 0; // sd is smooth
    return IMPROVE_LOSS;
}

// Whether all that is lost within the horizon is less than the cheapest move costs.
static bool is_beyond_price(const struct plan_state *state)
{
    if (state->settings.goal == PLAN_BALANCE || state->snapshot->n_rules > 0)
        return false;
    double lost = 0, cheapest = HUGE_VAL;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        lost += state->host[h].loss;
    for (uint32_t v = 0; v < state->n_vms; v++)
        if (!state->vm[v].fixed && state->vm[v].move_cost < cheapest)
            cheapest = state->vm[v].move_cost;
    return lost * state->value_per_loss <= cheapest;
}

// Looks for a better set of moves than the steps and takes it when it can be carried out.
static void improve(struct plan_state *state, struct plan_search *search, struct plan_steps *steps)
{
    uint64_t work = (uint64_t)((double)improve_work(state) * state->settings.depth);
    if (work == 0)
        return;
    bool needed = steps->n > 0, pays = !is_beyond_price(state);
    for (uint32_t h = 0; h < state->n_hosts && !needed; h++)
        needed = state->host[h].empties ? state->host[h].head != NONE : pays && plan_is_needy(state, h);
    if (needed)
        plan_improve(state, search, steps, work);
}

// Puts everyone home and makes the steps again, writing what each does.
static void tell_moves(struct plan_state *state, struct plan_search *search, const struct plan_steps *steps,
                       struct plan *ret)
{
    struct arena *arena = state->arena;
    state->track_loss = true;
    uint32_t *last = arena_new_array(state->arena, uint32_t, state->n_vms);
    for (uint32_t i = steps->n; i-- > 0;) {
        plan_state_move(state, steps->at[i].vm, steps->at[i].from);
        if (!last[steps->at[i].vm])
            last[steps->at[i].vm] = i + 1;
    }
    if (state->settings.candidates)
        plan_search_resort(search);
    ret->n_moves = steps->n;
    ret->moves = arena_new_array(arena, struct plan_move, steps->n);
    for (uint32_t i = 0; i < steps->n; i++) {
        const struct plan_step *step = &steps->at[i];
        struct plan_move *move = &ret->moves[i];
        struct migration_cost cost = plan_cost(state->snapshot, step->vm, state->vm[step->vm].weight,
                                               plan_bandwidth_mib_s(state->snapshot, step->from, step->to));
        move->reason = plan_reason_move(state, step->vm, step->to, last[step->vm] != i + 1, arena);
        if (state->settings.candidates)
            plan_candidates(state, search, step, move);
        double before = state->host[step->from].loss + state->host[step->to].loss;
        plan_state_move(state, step->vm, step->to);
        if (state->settings.candidates) {
            plan_search_touch(search, step->from);
            plan_search_touch(search, step->to);
        }
        double after = state->host[step->from].loss + state->host[step->to].loss;
        move->vm = state->input_vm[step->vm];
        move->from = state->input_host[step->from];
        move->to = state->input_host[step->to];
        move->benefit_lost_vm_s = (before - after) * state->settings.horizon_s;
        move->cost_lost_vm_s = cost.lost_vm_s;
        move->duration_s = cost.estimate.duration_s;
        move->downtime_s = cost.estimate.downtime_s;
    }
}

// Marks the VMs of strict rules that are still broken.
static void mark_broken(struct plan_state *state, bool *marked)
{
    for (uint32_t r = 0; r < state->snapshot->n_rules; r++) {
        const struct rule *rule = &state->snapshot->rules[r];
        if (!rule->strict || rules_violation(state->rules, r) == 0)
            continue;
        for (uint32_t i = 0; i < rule->n_vms; i++) {
            uint32_t v = rule->vms[i];
            bool wrong = rule->type == RULE_APART || rule->type == RULE_TOGETHER;
            for (uint32_t h = 0; h < state->n_hosts && !wrong; h++)
                wrong = h != state->where[v] && rules_move_effect(state->rules, v, h).strict_better > 0;
            marked[v] = marked[v] || wrong;
        }
    }
}

static void tell_stuck(struct plan_state *state, bool out_of_moves, struct plan *ret)
{
    struct arena *arena = state->arena;
    bool *marked = arena_new_array(state->arena, bool, state->n_vms);
    for (uint32_t h = 0; h < state->n_hosts; h++)
        for (uint32_t v = state->host[h].empties ? state->host[h].head : NONE; v != NONE;
             v = state->vm[v].next)
            marked[v] = true;
    mark_broken(state, marked);
    uint32_t n = 0;
    for (uint32_t v = 0; v < state->n_vms; v++)
        n += marked[v];
    ret->stuck = arena_new_array(arena, struct plan_stuck, n);
    for (uint32_t v = 0; v < state->n_vms; v++) {
        if (!marked[v])
            continue;
        ret->stuck[ret->n_stuck++] =
            (struct plan_stuck){state->input_vm[v], state->input_host[state->where[v]],
                                plan_reason_stuck(state, v, out_of_moves, arena)};
    }
}

static void tell_places(const struct plan_state *state, struct plan *ret)
{
    ret->vm_host = arena_new_array(state->arena, uint32_t, state->n_vms);
    for (uint32_t v = 0; v < state->n_vms; v++)
        ret->vm_host[state->input_vm[v]] = state->input_host[state->where[v]];
}

// Whether somebody could use another host: a loss that is left, or a VM that cannot leave a host in maintenance.
static bool wants_host(const struct plan_state *state)
{
    if (state->settings.goal == PLAN_BALANCE)
        return false;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        const struct plan_host *host = &state->host[h];
        if (host->counts && (plan_is_needy(state, h) || (host->empties && host->head != NONE)))
            return true;
    }
    return false;
}

// The largest host on standby, then by name.
static uint32_t next_standby(const struct plan_state *state, const bool *woken)
{
    uint32_t best = NONE;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (state->snapshot->hosts.state[h] != HOST_STANDBY || woken[h])
            continue;
        if (best == NONE || state->host[h].cpu_cap > state->host[best].cpu_cap)
            best = h;
    }
    return best;
}

static bool any(const struct plan_state *state, const bool *host)
{
    for (uint32_t h = 0; h < state->n_hosts; h++)
        if (host[h])
            return true;
    return false;
}

// Wakes hosts one by one as long as that helps.
static void wake_hosts(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                       bool *woken)
{
    while (state->settings.host_actions && steps->n < steps->capacity && wants_host(state) &&
           !plan_is_over(state)) {
        uint32_t h = next_standby(state, woken);
        if (h == NONE)
            return;
        plan_state_wake(state, h, true);
        plan_search_resort(search);
        woken[h] = true;
        uint32_t before = steps->n;
        plan_search_run(search, steps);
        if (state->host[h].head != NONE || steps->n > before)
            continue;
        plan_state_wake(state, h, false);
        plan_search_resort(search);
        woken[h] = false;
        return;
    }
}

static void tell_host_actions(struct plan_state *state, const struct plan_steps *steps, const bool *woken,
                              const bool *emptied, struct plan *ret)
{
    ret->host_actions = arena_new_array(state->arena, struct plan_host_action, state->n_hosts);
    if (!state->settings.host_actions)
        return;
    uint32_t *first = arena_new_array(state->arena, uint32_t, state->n_hosts);
    uint32_t *last = arena_new_array(state->arena, uint32_t, state->n_hosts);
    for (uint32_t i = steps->n; i-- > 0;)
        first[steps->at[i].to] = i + 1;
    for (uint32_t i = 0; i < steps->n; i++)
        last[steps->at[i].from] = i + 1;
    uint32_t spare = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (woken[h] && first[h])
            ret->host_actions[ret->n_host_actions++] =
                (struct plan_host_action){state->input_host[h], true, first[h] - 1};
        bool empty = state->host[h].up && state->host[h].head == NONE && !woken[h];
        if (state->settings.goal != PLAN_PACK || !(empty || emptied[h]))
            continue;
        if (spare++ < state->settings.reserve_hosts)
            continue;
        ret->host_actions[ret->n_host_actions++] =
            (struct plan_host_action){state->input_host[h], false, last[h]};
    }
}

// Whether there may be moves that have to come first.
static bool must_be(const struct plan_state *state)
{
    bool any_empties = false;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        any_empties = any_empties || state->host[h].empties;
    return any_empties || state->snapshot->n_rules > 0;
}

void plan_run(struct plan_state *state, struct plan_scores *scores, struct plan *ret)
{
    const struct plan_settings *settings = &state->settings;
    struct plan plan = {0};
    plan_score(scores, state, NULL, &plan.before);
    struct plan_steps steps = new_steps(state);
    struct plan_search *search = plan_search_new(state);
    plan_search_run(search, &steps);
    if (settings->goal != PLAN_BALANCE && plan_eject(state, search, &steps, EJECT_WORK))
        plan_search_run(search, &steps);
    plan_order_shorten(state, search, &steps);
    improve(state, search, &steps);
    bool *woken = arena_new_array(state->arena, bool, state->n_hosts);
    bool *emptied = arena_new_array(state->arena, bool, state->n_hosts);
    if (must_be(state))
        plan_order_must_first(state, &steps);
    wake_hosts(state, search, &steps, woken);
    if (state->leveled)
        plan.hosts_emptied = pack_level_run(state, search, &steps, emptied, woken);
    else if (settings->goal == PLAN_PACK && !any(state, woken))
        plan.hosts_emptied = pack_run(state, search, &steps, emptied);
    tell_host_actions(state, &steps, woken, emptied, &plan);
    tell_moves(state, search, &steps, &plan);
    tell_stuck(state, steps.n == steps.capacity, &plan);
    if (settings->unmet) {
        plan_search_resort(search);
        plan_unmet(state, search, steps.n == steps.capacity, &plan);
    }
    tell_places(state, &plan);
    plan_score(scores, state, woken, &plan.after);
    plan.evaluations = state->evaluations;
    plan.stopped = state->out_of_time;
    *ret = plan;
}

void plan_make(const struct snapshot *snapshot, const struct plan_settings *settings, struct arena *arena,
               struct plan *ret)
{
    struct plan_state *state = plan_state_new(snapshot, settings, arena);
    plan_run(state, plan_scores_new(state, arena), ret);
    ret->vms_loaded = state->n_vms;
}
