#include "decide/plan_reason.h"

#include <math.h>
#include <stdio.h>

static double percent(double part, double whole)
{
    return 100 * part / whole;
}

static const char *loads(const struct plan_state *state, uint32_t v, uint32_t to, struct arena *arena)
{
    const struct plan_vm *vm = &state->vm[v];
    const struct plan_host *a = &state->host[vm->host], *b = &state->host[to];
    return arena_printf(
        arena, "CPU %.0f -> %.0f %%, there %.0f -> %.0f %%; memory %.0f -> %.0f %%, there %.0f -> %.0f %%",
        percent(a->cpu, a->cpu_cap), percent(a->cpu - vm->cpu, a->cpu_cap), percent(b->cpu, b->cpu_cap),
        percent(b->cpu + vm->cpu, b->cpu_cap), percent(a->mem_used, a->mem_phys),
        percent(a->mem_used - vm->mem_used, a->mem_phys), percent(b->mem_used, b->mem_phys),
        percent(b->mem_used + vm->mem_used, b->mem_phys));
}

const char *plan_reason_move(struct plan_state *state, uint32_t v, uint32_t to, bool passes_by,
                             struct arena *arena)
{
    const struct plan_vm *vm = &state->vm[v];
    const struct plan_host *from = &state->host[vm->host];
    const char *from_name = state->snapshot->hosts.name[vm->host];
    if (passes_by)
        return arena_printf(arena, "steps aside so that moves that wait for each other can be made (%s)",
                            loads(state, v, to, arena));
    if (from->empties)
        return arena_printf(arena, "%s is in maintenance (%s)", from_name, loads(state, v, to, arena));
    if (vm->ruled && rules_move_effect(state->rules, v, to).strict_better > 0) {
        for (uint32_t r = 0; r < state->snapshot->n_rules; r++) {
            const struct rule *rule = &state->snapshot->rules[r];
            bool named = false;
            for (uint32_t i = 0; i < rule->n_vms; i++)
                named = named || rule->vms[i] == v;
            if (named && rule->strict && rules_violation(state->rules, r) > 0)
                return arena_printf(arena, "mends %s", rules_describe(state->snapshot, r, arena));
        }
    }
    double cpu_over = from->cpu_want - from->cpu_cap, mem_over = from->mem_want - from->mem_cap;
    if (from->loss > from->own_loss + PLAN_ROUNDING && cpu_over > 0 && mem_over > 0)
        return arena_printf(arena, "%s lacks %.3g cores and %.4g MiB (%s)", from_name, cpu_over, mem_over,
                            loads(state, v, to, arena));
    if (from->loss > from->own_loss + PLAN_ROUNDING && cpu_over > 0)
        return arena_printf(arena, "%s lacks %.3g cores (%s)", from_name, cpu_over,
                            loads(state, v, to, arena));
    if (from->loss > from->own_loss + PLAN_ROUNDING && mem_over > 0)
        return arena_printf(arena, "%s lacks %.4g MiB (%s)", from_name, mem_over, loads(state, v, to, arena));
    if (state->settings.goal == PLAN_BALANCE)
        return arena_printf(arena, "evens out (%s)", loads(state, v, to, arena));
    if (state->settings.goal == PLAN_PACK)
        return arena_printf(arena, "empties %s (%s)", from_name, loads(state, v, to, arena));
    return arena_printf(arena, "makes room for a move that pays (%s)", loads(state, v, to, arena));
}

const char *plan_reason_obstacles(const uint32_t n[PLAN_OBSTACLES], struct arena *arena)
{
    char text[400];
    int used = 0;
    const struct {
        enum plan_obstacle obstacle;
        const char *what;
    } parts[] = {{PLAN_OBSTACLE_MEMORY, "lack memory"},
                 {PLAN_OBSTACLE_OVERCOMMIT, "would exceed the overcommitment of memory"},
                 {PLAN_OBSTACLE_CANNOT_RUN, "cannot run it"},
                 {PLAN_OBSTACLE_BARRED, "were left by it lately"},
                 {PLAN_OBSTACLE_STATE, "are not up"},
                 {PLAN_OBSTACLE_RULE, "are barred by a rule"}};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (n[parts[i].obstacle])
            used += snprintf(text + used, sizeof text - (size_t)used, "%s%u %s", used ? ", " : "",
                             n[parts[i].obstacle], parts[i].what);
    return used ? arena_strdup(arena, text) : "there is no other";
}

const char *plan_reason_stuck(struct plan_state *state, uint32_t v, bool out_of_moves, struct arena *arena)
{
    if (!state->snapshot->vms.movable[v])
        return arena_strdup(arena, "it is marked as not movable");
    if (state->settings.hold && state->settings.hold[state->input_vm[v]])
        return arena_strdup(arena, "it is held: a migration is under way or was just made");
    uint32_t n[PLAN_OBSTACLES] = {0};
    uint32_t rule = SNAPSHOT_NONE;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        if (h == state->vm[v].host)
            continue;
        enum plan_obstacle obstacle = plan_obstacle(state, v, h);
        n[obstacle]++;
        if (obstacle == PLAN_OBSTACLE_RULE)
            rule = rules_move_effect(state->rules, v, h).worst;
    }
    if (n[PLAN_OBSTACLE_NONE] && out_of_moves)
        return arena_strdup(arena, "the number of moves is used up");
    if (n[PLAN_OBSTACLE_NONE])
        return arena_printf(arena, "%u hosts could take it, but no move there mends what is wrong",
                            n[PLAN_OBSTACLE_NONE]);
    const char *text = plan_reason_obstacles(n, arena);
    if (rule != SNAPSHOT_NONE)
        return arena_printf(arena, "no host can take it: %s (%s)", text,
                            rules_describe(state->snapshot, rule, arena));
    return arena_printf(arena, "no host can take it: %s", text);
}
