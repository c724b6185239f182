#include "../test.h"

#include <math.h>

#include "decide/pack_level.h"
#include "random_cluster.h"

// Levels that fit the demands of the moment, more or less.
static struct level *some_levels(const struct snapshot *s, uint64_t seed, double scale)
{
    struct random r = random_seed(seed);
    struct level *level = arena_new_array(s->arena, struct level, s->vms.n);
    for (uint32_t v = 0; v < s->vms.n; v++) {
        double mean = s->vms.cpu_demand_cores[v] * between(&r, 0.7, 1.3), sd = between(&r, 0.02, 0.3) * scale;
        level[v] = (struct level){mean, sd * sd, between(&r, 0, 2) * sd * sd * sd, 1e12};
    }
    return level;
}

static struct plan plan_with(const struct snapshot *s, const struct level *level, bool anew, bool fewer,
                             double age_s)
{
    struct plan_settings settings = plan_settings_default();
    settings.goal = PLAN_PACK;
    settings.series = (struct plan_series){.level = level, .age_s = age_s};
    settings.pack_anew = anew;
    settings.pack_fewer = fewer;
    struct plan plan;
    plan_make(s, &settings, s->arena, &plan);
    return plan;
}

static uint32_t in_use(const struct snapshot *s, const uint32_t *host)
{
    uint32_t n = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++)
        for (uint32_t v = 0; v < s->vms.n; v++)
            if (host[v] == h) {
                n++;
                break;
            }
    return n;
}

// The first packing: fewer hosts, and none that took a VM is filled beyond mean and the sigmas, or its memory.
static void the_first_packing_fills_nobody_beyond_the_sigmas(void **state)
{
    (void)state;
    uint32_t emptied = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct cluster_recipe recipe = {.hosts = 12, .vms = 60, .cpu_load = 0.3, .mem_load = 0.2};
        struct snapshot *s = random_cluster(seed, &recipe);
        const struct level *level = some_levels(s, seed, 1);
        struct plan plan = plan_with(s, level, true, false, 0);
        uint32_t before = in_use(s, s->vms.host), after = in_use(s, plan.vm_host);
        assert_true(after <= before);
        emptied += before - after;
        for (uint32_t i = 0; i < plan.n_moves; i++) {
            double mean = 0, var = 0, mem = 0;
            uint32_t to = plan.moves[i].to;
            for (uint32_t v = 0; v < s->vms.n; v++)
                if (plan.vm_host[v] == to) {
                    mean += level[v].mean;
                    var += level[v].var;
                    mem += s->vms.mem_used_mib[v];
                }
            if (mean + PACK_SIGMAS * sqrt(var) > s->hosts.cpu_cores[to] * 1.0001 ||
                mem > s->hosts.mem_mib[to])
                fail_msg("seed %d: host %u is too full", (int)seed, to);
        }
        snapshot_free(s);
    }
    assert_true(emptied > 200);
}

static uint32_t overloaded(const struct snapshot *s, const uint32_t *host, double part)
{
    uint32_t n = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        double cpu = 0;
        for (uint32_t v = 0; v < s->vms.n; v++)
            cpu += host[v] == h ? fmin(s->vms.cpu_demand_cores[v], s->vms.cpu_limit_cores[v]) : 0;
        n += cpu > part * s->hosts.cpu_cores[h] * (1 + 1e-9);
    }
    return n;
}

// Relief never makes an overload, and with plenty elsewhere it ends them. A few moves do.
static void relief_ends_overloads_and_makes_none(void **state)
{
    (void)state;
    uint32_t before = 0, after = 0, moves = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct cluster_recipe recipe = {.hosts = 8, .vms = 64, .cpu_load = 0.55, .mem_load = 0.2};
        struct snapshot *s = random_cluster(seed, &recipe);
        uint32_t was = overloaded(s, s->vms.host, 1);
        struct plan plan = plan_with(s, some_levels(s, seed, 1), false, false, 0);
        uint32_t is = overloaded(s, plan.vm_host, 1);
        if (is > was || plan.n_moves > was * PACK_RELIEF_MOVES || (was == 0 && plan.n_moves > 0))
            fail_msg("seed %d: %u overloads, then %u, %u moves", (int)seed, was, is, plan.n_moves);
        before += was;
        after += is;
        moves += plan.n_moves;
        snapshot_free(s);
    }
    assert_true(before > 50 && after * 10 < before && moves < 3 * before);
}

// Nothing is emptied unless asked, and what is emptied leaves the rest able to take what is wanted now.
static void emptying_leaves_room(void **state)
{
    (void)state;
    uint32_t emptied = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct cluster_recipe recipe = {.hosts = 8, .vms = 48, .cpu_load = 0.25, .mem_load = 0.2};
        struct snapshot *s = random_cluster(seed, &recipe);
        const struct level *level = some_levels(s, seed, 1);
        if (overloaded(s, s->vms.host, PACK_DRAIN_FILL) == 0) {
            assert_int_equal(plan_with(s, level, false, false, 0).n_moves, 0);
            struct plan plan = plan_with(s, level, false, true, 0);
            assert_true(plan.hosts_emptied <= 1);
            assert_int_equal(overloaded(s, plan.vm_host, PACK_DRAIN_FILL), 0);
            emptied += plan.hosts_emptied;
        }
        snapshot_free(s);
    }
    assert_true(emptied > 20);
}

// An excess that was seen five minutes ago says little of now: it alone is no reason to move.
static void old_figures_are_not_acted_on_as_if_new(void **state)
{
    (void)state;
    struct cluster_recipe recipe = {.hosts = 4, .vms = 32, .cpu_load = 0.4, .mem_load = 0.2};
    struct snapshot *s = random_cluster(3, &recipe);
    struct level *level = some_levels(s, 3, 0.1);
    for (uint32_t v = 0; v < s->vms.n; v++)
        level[v].mean = 0.2;
    double sum = 0;
    for (uint32_t v = 0; v < s->vms.n; v++)
        sum += s->vms.host[v] == 0 ? 1 : 0;
    for (uint32_t v = 0; v < s->vms.n; v++)
        if (s->vms.host[v] == 0)
            s->vms.cpu_demand_cores[v] = s->vms.cpu_limit_cores[v] = s->vms.vcpus[v] =
                (uint32_t)(1 + s->hosts.cpu_cores[0] / sum);
    assert_int_equal(overloaded(s, s->vms.host, 1), 1);
    assert_true(plan_with(s, level, false, false, 0).n_moves > 0);
    assert_int_equal(plan_with(s, level, false, false, 300).n_moves, 0);
    snapshot_free(s);
}

static void twice_as_large_is_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct cluster_recipe recipe = {.hosts = 8, .vms = 48, .cpu_load = 0.5, .mem_load = 0.2};
        struct snapshot *one = random_cluster(seed, &recipe);
        recipe.scale = 2;
        struct snapshot *two = random_cluster(seed, &recipe);
        struct level *small = some_levels(one, seed, 1), *large = some_levels(two, seed, 2);
        for (int anew = 0; anew < 2; anew++) {
            struct plan a = plan_with(one, small, anew, true, 0), b = plan_with(two, large, anew, true, 0);
            assert_int_equal(a.n_moves, b.n_moves);
            assert_memory_equal(a.vm_host, b.vm_host, one->vms.n * sizeof *a.vm_host);
        }
        snapshot_free(one);
        snapshot_free(two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_packing_fills_nobody_beyond_the_sigmas),
        cmocka_unit_test(relief_ends_overloads_and_makes_none),
        cmocka_unit_test(emptying_leaves_room),
        cmocka_unit_test(old_figures_are_not_acted_on_as_if_new),
        cmocka_unit_test(twice_as_large_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
