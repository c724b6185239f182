// How deeply small clusters are searched, and when a deeper search cannot pay.
#include "../test.h"

#include "decide/plan.h"
#include "random_cluster.h"

#define CLUSTERS 200

static struct snapshot *overloaded(uint64_t seed)
{
    struct cluster_recipe recipe = {.hosts = 5, .vms = 20, .cpu_load = 0.85, .mem_load = 0.3};
    return random_cluster(seed, &recipe);
}

struct outcome {
    uint64_t evaluations;
    double lost; // per second, and what the moves cost within the horizon
    uint32_t n_moves;
};

static struct outcome outcome_of(const struct snapshot *s, double depth, double horizon_s)
{
    struct plan_settings settings = plan_settings_default();
    settings.depth = depth;
    settings.horizon_s = horizon_s;
    struct plan plan;
    plan_make(s, &settings, s->arena, &plan);
    struct outcome outcome = {plan.evaluations, plan.after.lost_vm_s_per_s * horizon_s, plan.n_moves};
    for (uint32_t i = 0; i < plan.n_moves; i++)
        outcome.lost += plan.moves[i].cost_lost_vm_s;
    return outcome;
}

static void a_deeper_search_works_more_and_loses_no_more(void **state)
{
    (void)state;
    uint64_t none = 0, half = 0, all = 0;
    uint32_t better = 0;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct snapshot *s = overloaded(seed);
        struct outcome at_0 = outcome_of(s, 0, 1800), at_half = outcome_of(s, 0.5, 1800),
                       at_1 = outcome_of(s, 1, 1800);
        if (at_1.lost > at_0.lost + 1e-6)
            fail_msg("seed %lu: %g lost after a deep search, %g after none", (unsigned long)seed, at_1.lost,
                     at_0.lost);
        better += at_1.lost < at_0.lost - 1e-6;
        none += at_0.evaluations;
        half += at_half.evaluations;
        all += at_1.evaluations;
        snapshot_free(s);
    }
    print_message("# evaluations %lu, %lu, %lu; better in %u of %d\n", (unsigned long)none,
                  (unsigned long)half, (unsigned long)all, better, CLUSTERS);
    assert_true(none * 2 < half && half * 3 < all * 2);
    assert_true(better > CLUSTERS / 10);
}

// Within a second nothing is lost that a migration is worth: single moves are looked at, sets of moves are not.
static void what_is_not_worth_the_cheapest_move_is_not_searched_deeper(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct snapshot *s = overloaded(seed);
        struct outcome shallow = outcome_of(s, 0, 0.01), deep = outcome_of(s, 1, 0.01);
        assert_int_equal(deep.evaluations, shallow.evaluations);
        assert_int_equal(deep.n_moves, 0);
        snapshot_free(s);
    }
}

// Some hundreds more: a host's moves, or a VM's, are looked at to the end.
static void a_work_limit_bounds_the_deeper_search_too(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
        struct snapshot *s = overloaded(seed);
        struct plan_settings settings = plan_settings_default();
        settings.work_limit = 1500;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        assert_true(plan.evaluations < settings.work_limit + 500);
        snapshot_free(s);
    }
}

// Evening out has no price in lost VM-seconds: it is searched all the same.
static void balance_is_searched_whatever_is_lost(void **state)
{
    (void)state;
    uint64_t shallow = 0, deep = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster_recipe recipe = {.hosts = 5, .vms = 20, .cpu_load = 0.3, .mem_load = 0.3};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = plan_settings_default();
        settings.goal = PLAN_BALANCE;
        settings.measure = PLAN_MEASURE_MAD;
        settings.max_moves = 4;
        settings.work_limit = 200000;
        for (int i = 0; i < 2; i++) {
            struct plan plan;
            settings.depth = i;
            plan_make(s, &settings, s->arena, &plan);
            *(i ? &deep : &shallow) += plan.evaluations;
        }
        snapshot_free(s);
    }
    assert_true(deep > 2 * shallow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deeper_search_works_more_and_loses_no_more),
        cmocka_unit_test(what_is_not_worth_the_cheapest_move_is_not_searched_deeper),
        cmocka_unit_test(a_work_limit_bounds_the_deeper_search_too),
        cmocka_unit_test(balance_is_searched_whatever_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
