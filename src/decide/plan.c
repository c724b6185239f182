#include "decide/plan.h"

#include <math.h>
#include <stdlib.h>

#include "decide/plan_cost.h"
#include "decide/plan_improve.h"
#include "decide/plan_order.h"
#include "decide/plan_reason.h"
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
        .pack_cpu_fill = PLAN_PACK_CPU_FILL,
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
#define IMPROVE_LOSS 60000
#define IMPROVE_HOSTS 64
#define IMPROVE_VMS 1000

static uint64_t improve_work(const struct plan_state *state)
{
    if (state->n_hosts > IMPROVE_HOSTS || state->n_vms > IMPROVE_VMS || state->settings.goal == PLAN_PACK)
        return 0;
    if (state->settings.goal == PLAN_BALANCE)
        return state->settings.measure == PLAN_MEASURE_MAD ? IMPROVE_MAD : 0; // sd is smooth
    return IMPROVE_LOSS;
}

static void home(struct plan_state *state, const struct plan_steps *steps)
{
    for (uint32_t i = steps->n; i-- > 0;)
        plan_state_move(state, steps->at[i].vm, steps->at[i].from);
}

// Looks for a better set of moves than the steps and takes it when it can be carried out.
static void improve(struct plan_state *state, struct plan_search *search, struct plan_steps *steps)
{
    uint64_t work = improve_work(state);
    bool needed = steps->n > 0;
    for (uint32_t h = 0; h < state->n_hosts && !needed; h++)
        needed = state->host[h].empties ? state->host[h].head != NONE
                                        : state->host[h].loss > state->host[h].own_loss + PLAN_ROUNDING;
    if (!work || !needed || !plan_improve(state, search, steps->capacity, work))
        return;
    struct plan_target *target;
    uint32_t n = plan_displaced(state, &target);
    plan_assign(state, 0, NULL);
    struct plan_steps better = {0, steps->capacity,
                                arena_new_array(state->arena, struct plan_step, steps->capacity)};
    if (plan_order(state, n, target, &better) == 0) {
        *steps = better;
        return;
    }
    home(state, &better);
    for (uint32_t i = 0; i < steps->n; i++)
        plan_state_move(state, steps->at[i].vm, steps->at[i].to);
}

// Puts everyone home and makes the steps again, writing what each does.
static void tell_moves(struct plan_state *state, const struct plan_steps *steps, struct arena *arena,
                       struct plan *ret)
{
    state->track_loss = true;
    uint32_t *last = arena_new_array(state->arena, uint32_t, state->n_vms);
    for (uint32_t i = steps->n; i-- > 0;) {
        plan_state_move(state, steps->at[i].vm, steps->at[i].from);
        if (!last[steps->at[i].vm])
            last[steps->at[i].vm] = i + 1;
    }
    ret->n_moves = steps->n;
    ret->moves = arena_new_array(arena, struct plan_move, steps->n);
    for (uint32_t i = 0; i < steps->n; i++) {
        const struct plan_step *step = &steps->at[i];
        struct plan_move *move = &ret->moves[i];
        struct migration_cost cost = plan_cost(state->snapshot, step->vm, state->vm[step->vm].weight,
                                               plan_bandwidth_mib_s(state->snapshot, step->from, step->to));
        move->reason = plan_reason_move(state, step->vm, step->to, last[step->vm] != i + 1, arena);
        double before = state->host[step->from].loss + state->host[step->to].loss;
        plan_state_move(state, step->vm, step->to);
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

static void tell_stuck(struct plan_state *state, bool out_of_moves, struct arena *arena, struct plan *ret)
{
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

static void tell_scores(const struct plan_state *state, const struct snapshot *snapshot, struct arena *arena,
                        struct plan *ret)
{
    score_compute(snapshot, state->arena, &ret->before, NULL);
    ret->vm_host = arena_new_array(arena, uint32_t, snapshot->vms.n);
    for (uint32_t v = 0; v < state->n_vms; v++)
        ret->vm_host[state->input_vm[v]] = state->input_host[state->where[v]];
    struct snapshot after = *snapshot;
    after.vms.host = ret->vm_host;
    score_compute(&after, state->arena, &ret->after, NULL);
}

void plan_make(const struct snapshot *snapshot, const struct plan_settings *settings, struct arena *arena,
               struct plan *ret)
{
    struct plan plan = {0};
    struct plan_state *state = plan_state_new(snapshot, settings, arena);
    struct plan_steps steps = new_steps(state);
    struct plan_search *search = plan_search_new(state);
    plan_search_run(search, &steps);
    improve(state, search, &steps);
    tell_moves(state, &steps, arena, &plan);
    tell_stuck(state, steps.n == steps.capacity, arena, &plan);
    tell_scores(state, snapshot, arena, &plan);
    plan.evaluations = state->evaluations;
    plan.stopped = state->out_of_time;
    *ret = plan;
}
