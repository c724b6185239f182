#include "../test.h"

#include <math.h>

#include "base/random.h"
#include "decide/migration_cost.h"

static struct migration_subject vm_of(double resident_mib, double dirty_mib_s)
{
    return (struct migration_subject){
        .resident_mib = resident_mib, .dirty_mib_s = dirty_mib_s, .weight = 1, .left_destination_s = -1};
}

static const struct migration_link gigabyte = {.bandwidth_mib_s = 1000};

static void an_idle_vm_takes_its_memory_over_bandwidth(void **state)
{
    (void)state;
    struct migration_subject vm = vm_of(8000, 0);
    struct migration_estimate e = migration_estimate(&vm, &gigabyte, NULL);
    assert_float_equal(e.duration_s, 8 + MIGRATION_SETUP_S, 1e-9);
    assert_true(e.rounds == 1 && e.converges && e.downtime_s < 0.1);
    assert_float_equal(e.sent_mib, 8000, 1e-9);
}

static void rounds_shrink_by_dirty_over_bandwidth(void **state)
{
    (void)state;
    // 8000, 3200, 1280, 512, then 204.8 fits 0.3 s of downtime.
    struct migration_subject vm = vm_of(8000, 400);
    struct migration_estimate e = migration_estimate(&vm, &gigabyte, NULL);
    assert_int_equal(e.rounds, 4);
    assert_true(e.converges);
    assert_float_equal(e.sent_mib, 8000 + 3200 + 1280 + 512 + 204.8, 1e-6);
    assert_float_equal(e.downtime_s, 0.05 + 0.2048, 1e-6);
}

static void what_dirties_faster_than_is_sent_is_throttled_and_pays_for_it(void **state)
{
    (void)state;
    struct migration_subject calm = vm_of(8000, 400), wild = vm_of(8000, 2000);
    struct migration_estimate e = migration_estimate(&wild, &gigabyte, NULL);
    assert_false(e.converges);
    assert_true(e.slow_down > 2 * MIGRATION_SLOW_DOWN);
    assert_true(e.rounds <= MIGRATION_ROUNDS_MOST);
    assert_true(migration_cost(&wild, &gigabyte, NULL).lost_vm_s >
                migration_cost(&calm, &gigabyte, NULL).lost_vm_s);
}

static void a_small_hot_set_converges_though_it_is_dirtied_fast(void **state)
{
    (void)state;
    struct migration_subject vm = vm_of(8000, 2000);
    vm.hot_mib = 200;
    struct migration_estimate e = migration_estimate(&vm, &gigabyte, NULL);
    assert_true(e.converges);
    assert_float_equal(e.downtime_s, 0.05 + 0.2, 1e-6);
}

static void cost_grows_with_memory_dirty_rate_and_weight_and_falls_with_bandwidth(void **state)
{
    (void)state;
    struct random r = random_seed(4);
    for (int k = 0; k < 20000; k++) {
        struct migration_subject vm = vm_of(random_unit(&r) * 64000, random_unit(&r) * 500);
        struct migration_link link = {.bandwidth_mib_s = 100 + random_unit(&r) * 2000};
        struct migration_subject more = vm;
        struct migration_link faster = link;
        struct migration_cost c = migration_cost(&vm, &link, NULL);
        assert_true(c.lost_vm_s > 0 && isfinite(c.lost_vm_s));
        assert_true(c.estimate.downtime_s <= c.estimate.duration_s);
        more.resident_mib *= 1.5;
        assert_true(migration_cost(&more, &link, NULL).estimate.duration_s >= c.estimate.duration_s - 1e-9);
        more = vm;
        more.weight = 2;
        assert_true(migration_cost(&more, &link, NULL).lost_vm_s > c.lost_vm_s);
        faster.bandwidth_mib_s *= 2;
        assert_true(migration_cost(&vm, &faster, NULL).estimate.duration_s <= c.estimate.duration_s + 1e-9);
    }
}

static void scaling_memory_dirty_rate_and_bandwidth_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(5);
    for (int k = 0; k < 5000; k++) {
        struct migration_subject vm = vm_of(random_unit(&r) * 64000, random_unit(&r) * 1500), big = vm;
        struct migration_link link = {.bandwidth_mib_s = 100 + random_unit(&r) * 2000}, wide = link;
        big.resident_mib *= 2;
        big.dirty_mib_s *= 2;
        wide.bandwidth_mib_s *= 2;
        assert_float_equal(migration_cost(&vm, &link, NULL).lost_vm_s,
                           migration_cost(&big, &wide, NULL).lost_vm_s, 1e-9);
    }
}

static void each_move_in_an_hour_makes_the_next_dearer(void **state)
{
    (void)state;
    double before = 0;
    for (int n = 0; n < 6; n++) {
        double p = migration_penalty(n, n, -1);
        assert_true(p >= 1 && p > before);
        before = p;
    }
    assert_float_equal(migration_penalty(0, 0, -1), 1, 0);
    assert_true(migration_penalty(0, MIGRATION_DAY_MOST, -1) >= MIGRATION_PROHIBITIVE);
}

static void going_back_within_the_hour_is_prohibitive_and_free_afterwards(void **state)
{
    (void)state;
    assert_true(migration_penalty(0, 0, 0) >= MIGRATION_PROHIBITIVE);
    assert_true(migration_penalty(0, 0, 3600) >= MIGRATION_PROHIBITIVE);
    assert_float_equal(migration_penalty(0, 0, MIGRATION_RETURN_S), 1, 0);
}

static void the_count_halves_in_an_hour(void **state)
{
    (void)state;
    assert_float_equal(migration_count_decay(4, 3600), 2, 1e-12);
    assert_float_equal(migration_count_decay(4, 0), 4, 0);
}

static void calibration_learns_a_constant_factor_and_bounds_accidents(void **state)
{
    (void)state;
    struct migration_calibration c = {0};
    struct migration_subject vm = vm_of(4000, 100);
    struct migration_estimate plain = migration_estimate(&vm, &gigabyte, NULL);
    for (int i = 0; i < 100; i++)
        migration_calibrate(&c, &plain, plain.duration_s * 2, plain.downtime_s * 3);
    struct migration_estimate e = migration_estimate(&vm, &gigabyte, &c);
    assert_float_equal(e.duration_s / plain.duration_s, 2, 0.2);
    assert_float_equal(e.downtime_s / plain.downtime_s, 3, 0.4);
    struct migration_calibration hit = {0};
    migration_calibrate(&hit, &plain, plain.duration_s * 1e6, 0);
    assert_true(migration_estimate(&vm, &gigabyte, &hit).duration_s < 2 * plain.duration_s);
}

static void disturbing_a_busy_host_costs_more_than_an_idle_one(void **state)
{
    (void)state;
    struct migration_subject vm = vm_of(8000, 10);
    struct migration_link busy = gigabyte;
    busy.source_loss_per_core_s = 1;
    struct migration_cost c = migration_cost(&vm, &busy, NULL);
    assert_float_equal(c.disturbed_lost_vm_s, MIGRATION_CPU_CORES * c.estimate.duration_s, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_vm_takes_its_memory_over_bandwidth),
        cmocka_unit_test(rounds_shrink_by_dirty_over_bandwidth),
        cmocka_unit_test(what_dirties_faster_than_is_sent_is_throttled_and_pays_for_it),
        cmocka_unit_test(a_small_hot_set_converges_though_it_is_dirtied_fast),
        cmocka_unit_test(cost_grows_with_memory_dirty_rate_and_weight_and_falls_with_bandwidth),
        cmocka_unit_test(scaling_memory_dirty_rate_and_bandwidth_changes_nothing),
        cmocka_unit_test(each_move_in_an_hour_makes_the_next_dearer),
        cmocka_unit_test(going_back_within_the_hour_is_prohibitive_and_free_afterwards),
        cmocka_unit_test(the_count_halves_in_an_hour),
        cmocka_unit_test(calibration_learns_a_constant_factor_and_bounds_accidents),
        cmocka_unit_test(disturbing_a_busy_host_costs_more_than_an_idle_one),
    };
    return cmocka_run_group_tests_name("migration_cost", tests, NULL, NULL);
}
