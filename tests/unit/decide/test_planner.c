// A planner that remembers gives the plans of one that does not. A failure prints the seed.
#include "../test.h"

#include <math.h>
#include <string.h>

#include "decide/planner.h"
#include "random_cluster.h"

#define SLOTS 4

static struct cluster_recipe recipe_of(uint64_t seed)
{
    return (struct cluster_recipe){.hosts = 4 + (uint32_t)(seed % 13),
                                   .vms = 100 + (uint32_t)(seed % 41),
                                   .rules = (uint32_t)(seed % 5),
                                   .cpu_load = 0.4 + 0.1 * (double)(seed % 8),
                                   .mem_load = 0.2 + 0.05 * (double)(seed % 9),
                                   .maintenance = seed % 3 == 0,
                                   .figures = seed % 2 == 0};
}

// A cluster whose names are not in order, some of it on standby or down.
static struct snapshot *new_cluster(uint64_t seed)
{
    struct cluster_recipe recipe = recipe_of(seed);
    struct snapshot *s = random_cluster(seed, &recipe);
    struct random r = random_seed(seed);
    for (uint32_t v = s->vms.n; seed % 4 && v-- > 1;) {
        uint32_t other = below(&r, v + 1);
        const char *name = s->vms.name[v];
        s->vms.name[v] = s->vms.name[other];
        s->vms.name[other] = name;
    }
    for (uint32_t i = 0; i < seed % 3; i++)
        s->vms.cpu_sd_cores[below(&r, s->vms.n)] = 0.5;
    if (seed % 6 == 1)
        s->hosts.state[s->hosts.n - 1] = HOST_DOWN;
    bool empty = true;
    for (uint32_t v = 0; v < s->vms.n; v++) {
        if (seed % 6 == 2 && s->vms.host[v] == 0)
            s->vms.host[v] = 1;
        empty = empty && s->vms.host[v] != 0;
    }
    if (empty)
        s->hosts.state[0] = HOST_STANDBY;
    return s;
}

static struct plan_settings settings_of(uint64_t seed)
{
    static const enum plan_goal goals[] = {PLAN_RELIEVE, PLAN_BALANCE, PLAN_PACK};
    struct plan_settings settings = plan_settings_default();
    settings.goal = goals[seed % 3];
    settings.measure = seed % 5 == 0 ? PLAN_MEASURE_MAD : PLAN_MEASURE_SD;
    settings.max_moves = seed % 4 == 0 ? 3 : PLAN_UNLIMITED;
    settings.mem_overcommit = seed % 7 == 0 ? 1.5 : 0;
    settings.candidates = seed % 3;
    settings.work_limit = 1500; // a thousand clusters: search less deeply
    return settings;
}

static bool same(double a, double b)
{
    return !(a < b) && !(a > b);
}

static bool same_score(const struct score *a, const struct score *b)
{
    return same(a->score, b->score) && same(a->lost_vm_s_per_s, b->lost_vm_s_per_s) &&
           same(a->expected_lost_vm_s_per_s, b->expected_lost_vm_s_per_s) &&
           a->hosts_overloaded == b->hosts_overloaded && a->hosts_used == b->hosts_used &&
           same(a->cpu_sd, b->cpu_sd) && same(a->mem_sd, b->mem_sd) && same(a->cpu_mad, b->cpu_mad) &&
           same(a->mem_mad, b->mem_mad) && same(a->cpu_max, b->cpu_max) && same(a->mem_max, b->mem_max) &&
           same(a->s_min, b->s_min) && same(a->s_p1, b->s_p1);
}

static bool same_candidates(const struct plan_move *a, const struct plan_move *b)
{
    bool equal = a->n_candidates == b->n_candidates;
    for (uint32_t i = 0; equal && i < a->n_candidates; i++) {
        const struct plan_candidate *x = &a->candidates[i], *y = &b->candidates[i];
        equal = x->host == y->host && x->possible == y->possible &&
                same(x->benefit_lost_vm_s, y->benefit_lost_vm_s) &&
                same(x->cost_lost_vm_s, y->cost_lost_vm_s) && strcmp(x->why_not, y->why_not) == 0;
    }
    return equal;
}

static bool same_move(const struct plan_move *a, const struct plan_move *b)
{
    return a->vm == b->vm && a->from == b->from && a->to == b->to &&
           same(a->benefit_lost_vm_s, b->benefit_lost_vm_s) && same(a->cost_lost_vm_s, b->cost_lost_vm_s) &&
           same(a->duration_s, b->duration_s) && same(a->downtime_s, b->downtime_s) &&
           strcmp(a->reason, b->reason) == 0 && same_candidates(a, b);
}

// Equal in everything that a plan tells, figures to the last bit.
static bool same_plan(const struct snapshot *s, const struct plan *a, const struct plan *b)
{
    bool equal = a->n_moves == b->n_moves && a->n_stuck == b->n_stuck &&
                 a->n_host_actions == b->n_host_actions && a->hosts_emptied == b->hosts_emptied &&
                 a->evaluations == b->evaluations && a->stopped == b->stopped &&
                 same_score(&a->before, &b->before) && same_score(&a->after, &b->after) &&
                 memcmp(a->vm_host, b->vm_host, s->vms.n * sizeof *a->vm_host) == 0;
    for (uint32_t i = 0; equal && i < a->n_moves; i++)
        equal = same_move(&a->moves[i], &b->moves[i]);
    for (uint32_t i = 0; equal && i < a->n_stuck; i++)
        equal = a->stuck[i].vm == b->stuck[i].vm && a->stuck[i].host == b->stuck[i].host &&
                strcmp(a->stuck[i].reason, b->stuck[i].reason) == 0;
    for (uint32_t i = 0; equal && i < a->n_host_actions; i++)
        equal = a->host_actions[i].host == b->host_actions[i].host &&
                a->host_actions[i].wake == b->host_actions[i].wake &&
                a->host_actions[i].after_move == b->host_actions[i].after_move;
    return equal;
}

// Carries out all moves, some of them, or none.
static uint32_t carry_out(struct snapshot *s, const struct plan *plan, uint64_t seed)
{
    uint32_t n = seed % 3 == 0 ? 0 : seed % 3 == 1 ? plan->n_moves : plan->n_moves / 2;
    for (uint32_t i = 0; i < n; i++)
        s->vms.host[plan->moves[i].vm] = plan->moves[i].to;
    return n;
}

// Somebody else moves a VM that is on a host which runs. Returns how many.
static uint32_t move_one(struct snapshot *s, struct random *r)
{
    uint32_t v = below(r, s->vms.n), to = below(r, s->hosts.n);
    if (s->hosts.state[s->vms.host[v]] == HOST_DOWN || s->hosts.state[to] != HOST_UP)
        return 0;
    s->vms.host[v] = to;
    return 1;
}

// 1 % of the VMs want other things than before. Returns how many.
static uint32_t change_demands(struct snapshot *s, struct random *r)
{
    uint32_t n = (s->vms.n + 99) / 100;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = below(r, s->vms.n);
        s->vms.cpu_demand_cores[v] = s->vms.vcpus[v] * random_unit(r);
        s->vms.mem_used_mib[v] = s->vms.mem_actual_mib[v] = s->vms.mem_mib[v] * between(r, 0.3, 1);
    }
    return n;
}

struct trial {
    struct snapshot *s;
    struct plan_settings settings;
    struct planner *planner;
    struct arena *kept_arena, *fresh_arena;
    struct plan kept, fresh;
};

static struct trial trial_new(uint64_t seed)
{
    return (struct trial){.s = new_cluster(seed),
                          .settings = settings_of(seed),
                          .planner = planner_new(),
                          .kept_arena = arena_new(0),
                          .fresh_arena = arena_new(0)};
}

static void trial_free(struct trial *t)
{
    planner_free(t->planner);
    snapshot_free(t->s);
    arena_free(t->kept_arena);
    arena_free(t->fresh_arena);
}

static void plan_both(struct trial *t, uint64_t seed, uint32_t round)
{
    arena_reset(t->kept_arena);
    arena_reset(t->fresh_arena);
    planner_make(t->planner, t->s, &t->settings, t->kept_arena, &t->kept);
    plan_make(t->s, &t->settings, t->fresh_arena, &t->fresh);
    if (!same_plan(t->s, &t->kept, &t->fresh))
        fail_msg("seed %lu round %u: the plans differ (%u and %u moves)", (unsigned long)seed, round,
                 t->kept.n_moves, t->fresh.n_moves);
}

static void with_a_hundredth_changed_the_plan_is_that_of_a_fresh_one(void **state)
{
    (void)state;
    uint32_t moves = 0, small = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct trial t = trial_new(seed);
        struct random r = random_seed(seed);
        uint32_t touched = 0;
        for (uint32_t round = 0; round < 4; round++) {
            plan_both(&t, seed, round);
            if (round > 0 && t.kept.vms_loaded > touched)
                fail_msg("seed %lu: %u VMs loaded, %u changed", (unsigned long)seed, t.kept.vms_loaded,
                         touched);
            small += round > 0 && t.kept.vms_loaded > 0;
            moves += t.kept.n_moves;
            touched = carry_out(t.s, &t.kept, seed + round) + move_one(t.s, &r) + change_demands(t.s, &r);
        }
        trial_free(&t);
    }
    assert_true(moves > 4000 && small == 3000);
    print_message("# %u moves planned\n", moves);
}

// Goals, bounds and who may move from plan to plan.
static void other_settings_are_taken_over(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct trial t = trial_new(seed);
        struct random r = random_seed(seed);
        bool *hold = arena_new_array(t.s->arena, bool, t.s->vms.n);
        for (uint32_t round = 0; round < 5; round++) {
            plan_both(&t, seed, round);
            carry_out(t.s, &t.kept, seed + round);
            change_demands(t.s, &r);
            uint64_t work = t.settings.work_limit;
            t.settings = settings_of(random_below(&r, 1000));
            t.settings.work_limit = work;
            t.settings.mem_growth = below(&r, 3) == 0 ? 0.2 : PLAN_MEM_GROWTH;
            for (uint32_t v = 0; v < t.s->vms.n; v++)
                hold[v] = below(&r, 10) == 0;
            t.settings.hold = hold;
        }
        trial_free(&t);
    }
}

static void what_the_series_say_now_counts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct trial t = trial_new(seed);
        struct random r = random_seed(seed);
        float *series = arena_new_array(t.s->arena, float, (size_t)t.s->vms.n *SLOTS);
        for (uint32_t i = 0; i < t.s->vms.n * SLOTS; i++)
            series[i] = (float)t.s->vms.cpu_demand_cores[i / SLOTS];
        for (uint32_t round = 0; round < 4; round++) {
            t.settings.series =
                (struct plan_series){.n_slots = round == 2 ? SLOTS / 2 : SLOTS, .cpu_cores = series};
            plan_both(&t, seed, round);
            carry_out(t.s, &t.kept, seed + round);
            change_demands(t.s, &r);
            for (uint32_t i = 0; i < 5; i++)
                series[below(&r, t.s->vms.n * SLOTS)] = i ? (float)between(&r, 0, 4) : (float)NAN;
        }
        trial_free(&t);
    }
}

static void rename_one(struct snapshot *s, struct random *r)
{
    s->vms.name[below(r, s->vms.n)] = arena_printf(s->arena, "x%u", below(r, 1000000));
}

static void change_host(struct snapshot *s, struct random *r)
{
    s->hosts.cpu_cores[below(r, s->hosts.n)] += 1;
}

static void change_state(struct snapshot *s, struct random *r)
{
    uint32_t h = below(r, s->hosts.n);
    if (s->hosts.state[h] != HOST_STANDBY)
        s->hosts.state[h] = s->hosts.state[h] == HOST_UP ? HOST_MAINTENANCE : HOST_UP;
}

static void change_shares(struct snapshot *s, struct random *r)
{
    s->vms.shares[below(r, s->vms.n)] += 100;
}

static void change_rule(struct snapshot *s, struct random *r)
{
    if (s->n_rules)
        s->rules[below(r, s->n_rules)].strict ^= true;
}

static void forbid_host(struct snapshot *s, struct random *r)
{
    struct index_lists *lists = &s->vms.cannot_run_on;
    uint32_t n = lists->start[s->vms.n];
    uint32_t *item = arena_new_array(s->arena, uint32_t, (size_t)n + 1);
    memcpy(item, lists->item, n * sizeof *item);
    item[n] = below(r, s->hosts.n);
    lists->item = item;
    if (n == 0)
        lists->start[s->vms.n]++; // one host for the last VM
}

// Whatever else changes in the cluster between two plans.
static void another_cluster_is_noticed(void **state)
{
    (void)state;
    void (*const change[])(struct snapshot *, struct random *) = {rename_one,    change_host, change_state,
                                                                  change_shares, change_rule, forbid_host};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct trial t = trial_new(seed);
        struct random r = random_seed(seed);
        for (uint32_t round = 0; round < 4; round++) {
            plan_both(&t, seed, round);
            carry_out(t.s, &t.kept, seed + round);
            change[(seed + round) % 6](t.s, &r);
        }
        trial_free(&t);
    }
}

static void clusters_of_other_sizes_may_follow_each_other(void **state)
{
    (void)state;
    struct planner *planner = planner_new();
    struct arena *kept_arena = arena_new(0), *fresh_arena = arena_new(0);
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct snapshot *s = new_cluster(seed);
        struct plan_settings settings = settings_of(seed);
        struct plan kept, fresh;
        arena_reset(kept_arena);
        arena_reset(fresh_arena);
        planner_make(planner, s, &settings, kept_arena, &kept);
        plan_make(s, &settings, fresh_arena, &fresh);
        if (!same_plan(s, &kept, &fresh))
            fail_msg("seed %lu: the plans differ", (unsigned long)seed);
        snapshot_free(s);
    }
    arena_free(kept_arena);
    arena_free(fresh_arena);
    planner_free(planner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_a_hundredth_changed_the_plan_is_that_of_a_fresh_one),
        cmocka_unit_test(other_settings_are_taken_over),
        cmocka_unit_test(what_the_series_say_now_counts),
        cmocka_unit_test(another_cluster_is_noticed),
        cmocka_unit_test(clusters_of_other_sizes_may_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
