#include "../test.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "decide/history.h"

#define START_MS 1700000100000 // on a boundary of 300 s

static struct wall at(double seconds)
{
    return (struct wall){START_MS + llround(seconds * 1000)};
}

// Samples of step_s for so long, CPU by a function of the time.
static void feed(struct history *h, double from_s, double to_s, double step_s, double (*cpu)(double))
{
    for (double t = from_s; t < to_s - 1e-9; t += step_s)
        history_add(h, at(t + step_s), step_s, cpu(t), 1000);
}

static double one(double t)
{
    (void)t;
    return 1;
}

static double ramp(double t)
{
    return 1 + t / 3600;
}

static double wave(double t) // 10 minutes: 3 busy, 7 idle
{
    return fmod(t, 600) < 180 ? 2 : 0.2;
}

static void a_new_ring_is_empty(void **state)
{
    (void)state;
    struct history h;
    struct history_series s;
    history_reset(&h);
    history_to_series(&h, &s);
    assert_float_equal(history_covered_s(&h), 0, 0);
    assert_int_equal(s.n, 0);
}

static void samples_of_one_second_and_of_300_give_the_same_series(void **state)
{
    (void)state;
    struct history fine = {0}, coarse = {0};
    struct history_series a, b;
    for (int k = 0; k < 12; k++) {
        for (int i = 0; i < 300; i++)
            history_add(&fine, at(k * 300 + i + 1), 1, k + (i % 2) * 0.5, 100 * k);
        history_add(&coarse, at((k + 1) * 300), 300, k + 0.25, 100 * k);
    }
    history_to_series(&fine, &a);
    history_to_series(&coarse, &b);
    assert_int_equal(a.n, HISTORY_SERIES);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.end, b.end);
    for (int k = 0; k < HISTORY_SERIES; k++) {
        assert_float_equal(a.mean[HISTORY_CPU][k], b.mean[HISTORY_CPU][k], 1e-4);
        assert_float_equal(a.mean[HISTORY_MEM][k], b.mean[HISTORY_MEM][k], 1e-2);
        assert_float_equal(a.max[HISTORY_CPU][k], k + 0.5, 1e-4); // only 1 s samples see it
    }
}

static void the_ring_holds_an_hour(void **state)
{
    (void)state;
    struct history h = {0};
    feed(&h, 0, 4 * 3600, 10, one);
    assert_float_equal(history_covered_s(&h), 3600, 1e-3);
}

static void slots_are_aligned_on_wall_time(void **state)
{
    (void)state;
    struct history a = {0}, b = {0};
    struct history_series s, t;
    history_add(&a, at(610), 600, 1, 0);
    history_add(&b, at(607), 7, 1, 0); // another VM, seen for 7 s only
    history_to_series(&a, &s);
    history_to_series(&b, &t);
    assert_int_equal(s.end, t.end);
    assert_int_equal(s.n, 3);
    assert_int_equal(t.n, 1);
}

static void old_samples_are_ignored_and_gaps_filled_with_the_value_before(void **state)
{
    (void)state;
    struct history h = {0};
    struct history_series s;
    history_add(&h, at(300), 300, 2, 0);
    history_add(&h, at(200), 100, 9, 0);
    history_add(&h, at(900), 300, 4, 0);
    history_to_series(&h, &s);
    assert_int_equal(s.n, 3);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 3], 2, 1e-6);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 2], 2, 1e-6);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 1], 4, 1e-6);
}

static void a_long_gap_or_a_clock_set_back_starts_anew(void **state)
{
    (void)state;
    struct history h = {0};
    feed(&h, 0, 3600, 10, one);
    history_add(&h, at(3600 * 3), 10, 1, 0);
    assert_true(history_covered_s(&h) <= HISTORY_SLOT_S);
    feed(&h, 3600 * 3, 3600 * 3 + 600, 10, one);
    history_add(&h, at(3600), 10, 1, 0);
    assert_true(history_covered_s(&h) <= HISTORY_SLOT_S);
}

static void a_sum_keeps_what_bursts_have_in_common(void **state)
{
    (void)state;
    struct history a = {0}, b = {0}, c = {0};
    for (int k = 0; k < 12; k++) {
        history_add(&a, at((k + 1) * 300), 300, k % 2 ? 2 : 0, 10);
        history_add(&b, at((k + 1) * 300), 300, k % 2 ? 2 : 0, 10);
        history_add(&c, at((k + 1) * 300), 300, k % 2 ? 0 : 2, 10);
    }
    const struct history *together[] = {&a, &b}, *turns[] = {&a, &c}, *unknown[] = {&a, NULL};
    const double guess_cores[] = {9, 3}, guess_mib[] = {9, 50};
    struct history_series s;
    history_sum(2, together, NULL, NULL, &s);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 1], 4, 1e-6);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 2], 0, 1e-6);
    history_sum(2, turns, NULL, NULL, &s);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 1], 2, 1e-6);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 2], 2, 1e-6);
    history_sum(2, unknown, guess_cores, guess_mib, &s);
    assert_float_equal(s.mean[HISTORY_CPU][HISTORY_SERIES - 1], 5, 1e-6);
    assert_float_equal(s.mean[HISTORY_MEM][HISTORY_SERIES - 1], 60, 1e-6);
}

static void adding_and_taking_away_a_series_leaves_the_means(void **state)
{
    (void)state;
    struct history a = {0}, b = {0};
    struct history_series s, t, before;
    struct random r = random_seed(8);
    for (int k = 0; k < 12; k++) {
        history_add(&a, at((k + 1) * 300), 300, random_unit(&r), 10);
        history_add(&b, at((k + 1) * 300), 300, random_unit(&r), 10);
    }
    history_to_series(&a, &s);
    history_to_series(&b, &t);
    before = s;
    history_series_add(&s, &t, 1);
    history_series_add(&s, &t, -1);
    for (int k = 0; k < HISTORY_SERIES; k++)
        assert_float_equal(s.mean[HISTORY_CPU][k], before.mean[HISTORY_CPU][k], 1e-5);
}

static struct history_forecast forecast(const struct history *h, double horizon_s)
{
    struct history_forecast f;
    history_forecast(h, HISTORY_CPU, horizon_s, 4, &history_prior_default, &f);
    return f;
}

static void quantiles_ascend_and_stay_within_what_the_vm_may_have(void **state)
{
    (void)state;
    struct random r = random_seed(9);
    for (int k = 0; k < 3000; k++) {
        struct history h = {0};
        int n = (int)random_below(&r, 14);
        for (int i = 0; i < n; i++)
            history_add(&h, at((i + 1) * 300), 300, random_unit(&r) < 0.5 ? 0 : 4 * random_unit(&r), 10);
        struct history_forecast f = forecast(&h, random_unit(&r) * 3600);
        assert_true(f.quantile[0] >= 0 && f.quantile[HISTORY_QUANTILES - 1] <= 4);
        for (int i = 1; i < HISTORY_QUANTILES; i++)
            assert_true(f.quantile[i] >= f.quantile[i - 1]);
        assert_true(f.mean >= f.quantile[0] && f.mean <= f.quantile[HISTORY_QUANTILES - 1] && f.sd >= 0);
    }
}

static void twice_the_demand_of_a_vm_twice_as_large_is_forecast_twice(void **state)
{
    (void)state;
    struct random r = random_seed(10);
    for (int k = 0; k < 500; k++) {
        struct history h = {0}, big = {0};
        for (int i = 0; i < 12; i++) {
            double x = random_unit(&r);
            history_add(&h, at((i + 1) * 300), 300, x, 10);
            history_add(&big, at((i + 1) * 300), 300, 2 * x, 10);
        }
        struct history_forecast f, g;
        history_forecast(&h, HISTORY_CPU, 0, 2, &history_prior_default, &f);
        history_forecast(&big, HISTORY_CPU, 0, 4, &history_prior_default, &g);
        for (int i = 0; i < HISTORY_QUANTILES; i++)
            assert_float_equal(2 * f.quantile[i], g.quantile[i], 1e-5);
    }
}

static void without_history_the_prior_speaks_and_history_outweighs_it_in_time(void **state)
{
    (void)state;
    struct history h = {0};
    struct history_forecast f = forecast(&h, 0);
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        assert_float_equal(f.quantile[i], 4 * history_prior_default.quantile[HISTORY_CPU][i], 1e-12);
    double before = f.sd;
    for (int k = 0; k < 4; k++) {
        feed(&h, k * 900, (k + 1) * 900, 10, one);
        f = forecast(&h, 0);
        assert_true(f.sd < before);
        before = f.sd;
    }
    assert_float_equal(f.quantile[2], 1, 0.05);
}

static void a_trend_is_found_and_noise_is_none(void **state)
{
    (void)state;
    struct history rising = {0}, noise = {0};
    struct random r = random_seed(12);
    feed(&rising, 0, 3600, 10, ramp);
    assert_float_equal(forecast(&rising, 0).trend_per_h, 1, 0.05);
    for (int i = 0; i < 360; i++)
        history_add(&noise, at((i + 1) * 10), 10, random_unit(&r), 10);
    assert_float_equal(forecast(&noise, 0).trend_per_h, 0, 0);
}

static void a_period_is_found_and_its_phase_forecast(void **state)
{
    (void)state;
    struct history h = {0};
    feed(&h, 0, 3600, 10, wave);
    struct history_forecast now = forecast(&h, 0), later = forecast(&h, 240);
    assert_float_equal(now.period_s, 600, 0);
    // The next 300 s hold the 180 busy ones; those from 240 s on hold none.
    assert_float_equal(now.quantile[2], (180 * 2 + 120 * 0.2) / 300, 0.05);
    assert_float_equal(later.quantile[2], 0.2, 0.05);
}

static void noise_steady_load_and_a_ramp_have_no_period(void **state)
{
    (void)state;
    struct history steady = {0}, rising = {0};
    struct random r = random_seed(13);
    int found = 0;
    feed(&steady, 0, 3600, 10, one);
    feed(&rising, 0, 3600, 10, ramp);
    assert_float_equal(forecast(&steady, 0).period_s, 0, 0);
    assert_float_equal(forecast(&rising, 0).period_s, 0, 0);
    for (int k = 0; k < 200; k++) {
        struct history h = {0};
        for (int i = 0; i < 120; i++)
            history_add(&h, at((i + 1) * 30), 30, random_unit(&r), 10);
        found += forecast(&h, 0).period_s > 0;
    }
    assert_true(found <= 4);
}

static void the_summary_says_what_the_forecast_does(void **state)
{
    (void)state;
    struct history h = {0};
    struct history_summary s;
    const double most[HISTORY_RESOURCES] = {4, 2000};
    feed(&h, 0, 3600, 10, wave);
    history_summarize(&h, most, &history_prior_default, &s);
    struct history_forecast f = forecast(&h, 0);
    assert_float_equal(s.mean[HISTORY_CPU], f.mean, 1e-5);
    assert_float_equal(s.p99[HISTORY_CPU], f.quantile[6], 1e-5);
    assert_float_equal(s.covered_s, 3600, 1e-2);
    assert_int_equal(s.series.n, HISTORY_SERIES);
    assert_true(sizeof s <= 512); // travels with every VM's row
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_ring_is_empty),
        cmocka_unit_test(samples_of_one_second_and_of_300_give_the_same_series),
        cmocka_unit_test(the_ring_holds_an_hour),
        cmocka_unit_test(slots_are_aligned_on_wall_time),
        cmocka_unit_test(old_samples_are_ignored_and_gaps_filled_with_the_value_before),
        cmocka_unit_test(a_long_gap_or_a_clock_set_back_starts_anew),
        cmocka_unit_test(a_sum_keeps_what_bursts_have_in_common),
        cmocka_unit_test(adding_and_taking_away_a_series_leaves_the_means),
        cmocka_unit_test(quantiles_ascend_and_stay_within_what_the_vm_may_have),
        cmocka_unit_test(twice_the_demand_of_a_vm_twice_as_large_is_forecast_twice),
        cmocka_unit_test(without_history_the_prior_speaks_and_history_outweighs_it_in_time),
        cmocka_unit_test(a_trend_is_found_and_noise_is_none),
        cmocka_unit_test(a_period_is_found_and_its_phase_forecast),
        cmocka_unit_test(noise_steady_load_and_a_ramp_have_no_period),
        cmocka_unit_test(the_summary_says_what_the_forecast_does),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
