#include "../test.h"

#include <math.h>

#include "base/random.h"
#include "decide/demand.h"

static struct demand one(double run_s, double wait_s, double throttled_s)
{
    struct demand_vcpu v = {run_s, wait_s, throttled_s};
    return demand_measure(1, 1, &v, 1, DEMAND_HEADROOM);
}

static void a_vcpu_that_never_waits_wants_what_it_runs(void **state)
{
    (void)state;
    assert_float_equal(one(0.3, 0, 0).demand_cores, 0.3, 1e-12);
    assert_float_equal(one(0.3, 0, 0).delivered_cores, 0.3, 1e-12);
}

static void waiting_counts_by_the_part_of_free_time_that_was_used(void **state)
{
    (void)state;
    // Half of the time it waited; of the other half it ran 0.3 and slept 0.2: demand 0.3 + 0.5 x 0.6.
    assert_float_equal(one(0.3, 0.5, 0).demand_cores, 0.6, 1e-12);
}

static void two_busy_vcpus_on_one_core_want_a_core_each(void **state)
{
    (void)state;
    struct demand d = one(0.5, 0.5, 0);
    assert_float_equal(d.demand_cores, 1, 1e-12);
    assert_float_equal(d.delivered_cores, 0.5, 1e-12);
}

static void what_the_own_quota_throttles_is_no_demand(void **state)
{
    (void)state;
    // Quota of half a core: the kernel's run-queue delay contains the throttled time.
    struct demand_vcpu v = {0.5, 0.5, 0.5};
    struct demand d = demand_measure(1, 1, &v, 0.5, DEMAND_HEADROOM);
    assert_float_equal(d.demand_cores, 0.5, 1e-12);
    assert_float_equal(d.delivered_cores, 0.5, 1e-12);
    assert_float_equal(d.waited_cores, 0, 1e-12);
    assert_float_equal(d.throttled_cores, 0.5, 1e-12);
}

static void a_vm_that_hardly_slept_gets_headroom_and_misses_nothing_by_it(void **state)
{
    (void)state;
    struct demand_vcpu v[2] = {{0.96, 0, 0}, {0.96, 0, 0}};
    struct demand d = demand_measure(1, 2, v, 2, DEMAND_HEADROOM);
    assert_float_equal(d.demand_cores, fmin(2, 1.92 * 1.1), 1e-12);
    assert_float_equal(d.delivered_cores, d.demand_cores, 1e-12);
    struct demand_vcpu calm[2] = {{0.8, 0, 0}, {0.8, 0, 0}};
    assert_float_equal(demand_measure(1, 2, calm, 2, DEMAND_HEADROOM).demand_cores, 1.6, 1e-12);
}

static void a_vcpu_that_never_got_a_turn_wants_a_core(void **state)
{
    (void)state;
    assert_float_equal(one(0, 1, 0).demand_cores, 1, 1e-12);
    assert_float_equal(one(0, 1, 0).delivered_cores, 0, 1e-12);
}

static void counters_that_run_over_the_interval_are_bounded(void **state)
{
    (void)state;
    struct demand d = one(1.05, 0.2, 0.1);
    assert_true(d.demand_cores <= 1 && d.delivered_cores <= 1 && d.waited_cores >= 0);
}

static void demand_grows_with_run_and_wait_and_keeps_its_bounds(void **state)
{
    (void)state;
    struct random r = random_seed(11);
    for (int k = 0; k < 20000; k++) {
        struct demand_vcpu v[4];
        for (int i = 0; i < 4; i++) {
            v[i].run_s = random_unit(&r);
            v[i].throttled_s = random_unit(&r) < 0.7 ? 0 : random_unit(&r) * (1 - v[i].run_s) / 2;
            v[i].wait_s = v[i].throttled_s + random_unit(&r) * (1 - v[i].run_s - v[i].throttled_s);
        }
        double limit = random_unit(&r) * 5;
        struct demand d = demand_measure(1, 4, v, limit, DEMAND_HEADROOM);
        assert_true(d.demand_cores >= 0 && d.demand_cores <= fmin(4, limit) + 1e-12);
        assert_true(d.delivered_cores <= d.demand_cores + 1e-12);
        int i = (int)random_below(&r, 4);
        double sleep = 1 - v[i].run_s - v[i].wait_s;
        struct demand_vcpu old = v[i];
        v[i].run_s += sleep / 2;
        assert_true(demand_measure(1, 4, v, limit, DEMAND_HEADROOM).demand_cores >= d.demand_cores - 1e-12);
        v[i] = old;
        v[i].wait_s += sleep / 2;
        assert_true(demand_measure(1, 4, v, limit, DEMAND_HEADROOM).demand_cores >= d.demand_cores - 1e-12);
    }
}

static void the_length_of_the_interval_changes_nothing(void **state)
{
    (void)state;
    struct demand_vcpu a = {0.3, 0.4, 0.1}, b = {90, 120, 30};
    assert_float_equal(demand_measure(1, 1, &a, 1, 0.1).demand_cores,
                       demand_measure(300, 1, &b, 1, 0.1).demand_cores, 1e-12);
}

static void two_busy_hyperthreads_are_not_two_cores(void **state)
{
    (void)state;
    assert_float_equal(demand_host_capacity_cores(8, 2, 1), 8 * (1 + DEMAND_SMT_GAIN), 1e-12);
    assert_float_equal(demand_host_capacity_cores(8, 1, 1.5), 12, 1e-12);
    // All 16 threads busy: a thread does 5/8 of a core's work; with 8 busy each has a core.
    assert_float_equal(demand_from_threads(2, 16, 8, 2), 2 * (1 + DEMAND_SMT_GAIN) / 2, 1e-12);
    assert_float_equal(demand_from_threads(2, 8, 8, 2), 2, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vcpu_that_never_waits_wants_what_it_runs),
        cmocka_unit_test(waiting_counts_by_the_part_of_free_time_that_was_used),
        cmocka_unit_test(two_busy_vcpus_on_one_core_want_a_core_each),
        cmocka_unit_test(what_the_own_quota_throttles_is_no_demand),
        cmocka_unit_test(a_vm_that_hardly_slept_gets_headroom_and_misses_nothing_by_it),
        cmocka_unit_test(a_vcpu_that_never_got_a_turn_wants_a_core),
        cmocka_unit_test(counters_that_run_over_the_interval_are_bounded),
        cmocka_unit_test(demand_grows_with_run_and_wait_and_keeps_its_bounds),
        cmocka_unit_test(the_length_of_the_interval_changes_nothing),
        cmocka_unit_test(two_busy_hyperthreads_are_not_two_cores),
    };
    return cmocka_run_group_tests_name("demand", tests, NULL, NULL);
}
