#include "../test.h"

#include <math.h>

#include "base/random.h"
#include "decide/level.h"

static double exponential(struct random *r, double mean)
{
    return -mean * log(1 - random_unit(r));
}

// Many VMs with one-sided bursts: the sum's tail is heavier than the normal one, and the expansion sees it.
static void the_risk_of_a_skewed_sum_is_that_of_drawing_it(void **state)
{
    (void)state;
    enum { VMS = 25, DRAWS = 200000 };
    struct random r = random_seed(7);
    // An exponential demand of mean m: variance m^2, third central moment 2 m^3.
    double m = 0.1;
    struct level sum = {.mean = VMS * m, .var = VMS * m * m, .third = VMS * 2 * m * m * m};
    double capacity = sum.mean + 2 * sqrt(sum.var), over = 0, excess = 0;
    for (int i = 0; i < DRAWS; i++) {
        double demand = 0;
        for (int v = 0; v < VMS; v++)
            demand += exponential(&r, m);
        over += demand > capacity;
        excess += fmax(0, demand - capacity);
    }
    struct level_risk risk = level_risk(&sum, capacity);
    assert_true(fabs(risk.probability - over / DRAWS) < 0.12 * over / DRAWS);
    assert_true(fabs(risk.excess_cores - excess / DRAWS) < 0.15 * excess / DRAWS);
    sum.third = 0; // without the skewness it would be far too low
    assert_true(level_risk(&sum, capacity).probability < 0.75 * over / DRAWS);
}

static void a_certain_sum_is_over_or_not(void **state)
{
    (void)state;
    struct level sum = {.mean = 3};
    assert_true(level_risk(&sum, 4).probability == 0 && level_risk(&sum, 4).excess_cores == 0);
    assert_true(level_risk(&sum, 2).probability == 1 && level_risk(&sum, 2).excess_cores == 1);
}

static void risk_falls_with_capacity(void **state)
{
    (void)state;
    struct level sum = {.mean = 2, .var = 0.25, .third = 0.1};
    double before = 1, excess_before = HUGE_VAL;
    for (double capacity = 1.5; capacity < 6; capacity += 0.05) {
        struct level_risk risk = level_risk(&sum, capacity);
        assert_true(risk.probability >= 0 && risk.excess_cores >= 0);
        assert_true(risk.excess_cores <= excess_before + 1e-12);
        if (capacity > 2.8) // the expansion's hump lies below
            assert_true(risk.probability <= before + 1e-12);
        before = risk.probability;
        excess_before = risk.excess_cores;
    }
}

// Hours of noise: the estimates find mean and variance, whatever the length of the samples.
static void a_level_finds_mean_and_variance(void **state)
{
    (void)state;
    for (int seconds = 10; seconds <= 300; seconds *= 3) {
        struct random r = random_seed(11);
        struct level level = {0};
        double mean = 0, var = 0;
        int n = 0;
        for (double t = 0; t < 40 * LEVEL_MEMORY_S; t += seconds) {
            level_add(&level, exponential(&r, 0.5), seconds);
            if (t < 20 * LEVEL_MEMORY_S)
                continue;
            mean += level.mean;
            var += level.var;
            n++;
        }
        assert_true(fabs(mean / n - 0.5) < 0.03);
        assert_true(fabs(var / n - 0.25) < 0.04);
    }
}

static void what_is_expected_goes_from_the_prior_to_the_own_figures(void **state)
{
    (void)state;
    struct level none = {.mean = 0.5}, much = {.mean = 0.5, .var = 0.01, .third = 0, .covered_s = 1e9};
    struct level prior = level_expected(&none, 1), own = level_expected(&much, 1);
    assert_true(fabs(prior.mean - (LEVEL_PRIOR_PART + LEVEL_PRIOR_TRUST * 0.5)) < 1e-12);
    assert_true(prior.var > 0 && prior.third > 0);
    double drift = LEVEL_DRIFT_PART * LEVEL_DRIFT_PART + LEVEL_DRIFT_TRUST * 0.5 * LEVEL_DRIFT_TRUST * 0.5;
    assert_true(fabs(own.mean - 0.5) < 1e-5 && fabs(own.var - (0.01 + drift)) < 1e-5);
    struct level half = much;
    half.covered_s = LEVEL_PRIOR_S;
    assert_true(fabs(level_expected(&half, 1).mean - (prior.mean + 0.5) / 2) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_risk_of_a_skewed_sum_is_that_of_drawing_it),
        cmocka_unit_test(a_certain_sum_is_over_or_not),
        cmocka_unit_test(risk_falls_with_capacity),
        cmocka_unit_test(a_level_finds_mean_and_variance),
        cmocka_unit_test(what_is_expected_goes_from_the_prior_to_the_own_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
