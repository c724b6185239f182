#include "../test.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "decide/report.h"

#define CORES 16.0
#define MIB 65536.0
#define N 50

static struct report_vm vms[N];
static uint32_t chosen[N];
static double scratch[N];

static void all_reported(double cpu_cores, double mem_mib)
{
    memset(vms, 0, sizeof vms);
    for (size_t i = 0; i < N; i++) {
        vms[i].known = true;
        vms[i].now.cpu_demand_cores = cpu_cores;
        vms[i].now.mem_used_mib = vms[i].now.mem_current_mib = vms[i].now.mem_actual_mib = mem_mib;
        vms[i].reported = vms[i].now;
    }
}

static size_t select_now(int64_t ms)
{
    struct report_thresholds t = report_thresholds_default();
    return report_select(&t, vms, N, CORES, MIB, (struct mono){ms}, chosen, scratch);
}

static void what_did_not_change_is_not_reported(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    assert_int_equal(select_now(1000), 0);
}

static void a_vm_never_reported_is_reported(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    vms[7].known = false;
    assert_int_equal(select_now(1000), 1);
    assert_int_equal(chosen[0], 7);
}

static void a_change_within_the_band_waits_one_beyond_it_does_not(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    vms[3].now.mem_used_mib = 1090; // below 10 %
    assert_int_equal(select_now(1000), 0);
    vms[3].now.mem_used_mib = 1120; // above 10 % of 1120 and above 32 MiB
    assert_int_equal(select_now(1000), 1);
    assert_int_equal(chosen[0], 3);
}

static void a_large_relative_change_of_a_tiny_figure_waits(void **state)
{
    (void)state;
    all_reported(0.01, 10);
    vms[3].now.cpu_demand_cores = 0.09;
    vms[3].now.mem_used_mib = 40;
    assert_int_equal(select_now(1000), 0);
}

static void any_flag_is_reported_at_once(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    vms[49].now.flags = 4;
    assert_int_equal(select_now(1000), 1);
    assert_int_equal(chosen[0], 49);
}

static void a_row_is_refreshed_in_the_end(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    vms[1].reported_at.ms = 5000;
    assert_int_equal(select_now(300000), N - 1);
}

static void many_small_steps_in_one_direction_are_reported_largest_first(void **state)
{
    (void)state;
    all_reported(0.2, 1000);
    for (size_t i = 0; i < N; i++)
        vms[i].now.mem_used_mib =
            1000 + 20 + (double)i / 10; // each within its band, 1122 MiB together: within 2 %
    assert_int_equal(select_now(1000), 0);
    for (size_t i = 0; i < N; i++)
        vms[i].now.mem_used_mib = 1000 + 27 + (double)i / 10; // 1472 MiB: beyond 1311
    size_t n = select_now(1000);
    assert_true(n > 0 && n < N);
    assert_int_equal(chosen[n - 1], N - 1);
    assert_int_equal(chosen[0], N - n);
}

// The property that readers rely on, over random walks: each figure within its band, each sum within drift.
static void readers_are_never_wrong_by_more_than_the_bounds(void **state)
{
    (void)state;
    const uint64_t seed = 20261123;
    print_message("# seed %llu\n", (unsigned long long)seed);
    struct random r = random_seed(seed);
    struct report_thresholds t = report_thresholds_default();
    all_reported(0.2, 1000);
    size_t reported = 0;
    const int rounds = 2000;
    for (int round = 1; round <= rounds; round++) {
        double drift = (random_unit(&r) - 0.5) * 20;
        for (size_t i = 0; i < N; i++) {
            struct report_figures *f = &vms[i].now;
            f->cpu_demand_cores = fmax(0, f->cpu_demand_cores + (random_unit(&r) - 0.5) * 0.1);
            f->mem_used_mib = fmax(0, f->mem_used_mib + drift + (random_unit(&r) - 0.5) * 10);
        }
        size_t n = select_now(round * 1000);
        for (size_t k = 0; k < n; k++) {
            assert_true(k == 0 || chosen[k] > chosen[k - 1]);
            vms[chosen[k]].reported = vms[chosen[k]].now;
            vms[chosen[k]].reported_at.ms = round * 1000;
        }
        reported += n;
        double cpu = 0, mem = 0;
        for (size_t i = 0; i < N; i++) {
            double a = vms[i].now.mem_used_mib, b = vms[i].reported.mem_used_mib;
            assert_true(fabs(a - b) <= fmax(t.mem_absolute_mib, t.relative * fmax(a, b)));
            mem += a - b;
            cpu += vms[i].now.cpu_demand_cores - vms[i].reported.cpu_demand_cores;
        }
        assert_true(fabs(mem) <= t.drift * MIB + 1e-6);
        assert_true(fabs(cpu) <= t.drift * CORES + 1e-6);
    }
    print_message("# rows reported: %.2f %% of all\n", 100.0 * (double)reported / (double)rounds / N);
    assert_true(reported < (size_t)rounds * N / 4);
}

static void a_hosts_row_follows_its_sums_and_flags(void **state)
{
    (void)state;
    struct report_thresholds t = report_thresholds_default();
    struct report_figures a = {.mem_used_mib = 10000}, b = a;
    b.mem_used_mib += 0.019 * MIB;
    assert_false(report_host_changed(&t, &b, &a, CORES, MIB));
    b.mem_used_mib += 0.002 * MIB;
    assert_true(report_host_changed(&t, &b, &a, CORES, MIB));
    b = a;
    b.flags = 1;
    assert_true(report_host_changed(&t, &b, &a, CORES, MIB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_did_not_change_is_not_reported),
        cmocka_unit_test(a_vm_never_reported_is_reported),
        cmocka_unit_test(a_change_within_the_band_waits_one_beyond_it_does_not),
        cmocka_unit_test(a_large_relative_change_of_a_tiny_figure_waits),
        cmocka_unit_test(any_flag_is_reported_at_once),
        cmocka_unit_test(a_row_is_refreshed_in_the_end),
        cmocka_unit_test(many_small_steps_in_one_direction_are_reported_largest_first),
        cmocka_unit_test(readers_are_never_wrong_by_more_than_the_bounds),
        cmocka_unit_test(a_hosts_row_follows_its_sums_and_flags),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
