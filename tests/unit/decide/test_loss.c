#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "decide/loss.h"

#define MOST 10
#define HOSTS 5000

static struct loss_vm vm_of(double cores, double mib)
{
    return (struct loss_vm){
        .weight = 1,
        .claim[LOSS_CPU] = {.demand = cores, .most = 8, .shares = 1000, .floor = 0.8},
        .claim[LOSS_MEM] = {.demand = mib, .most = 16384, .shares = 1000},
    };
}

static double rate_of(const struct loss_capacity *c, size_t n, const struct loss_vm *vm, double *each)
{
    const struct loss_vm *at[MOST + 1];
    for (size_t i = 0; i < n; i++)
        at[i] = &vm[i];
    void *scratch = malloc(loss_scratch_bytes(n));
    double rate = loss_host_rate(c, n, at, each, scratch);
    free(scratch);
    return rate;
}

static size_t random_host(struct random *r, struct loss_vm *vm, struct loss_capacity *c, bool certain)
{
    size_t n = 1 + random_below(r, MOST);
    for (size_t i = 0; i < n; i++) {
        vm[i] = vm_of(random_unit(r) * 8, 500 + random_unit(r) * 15000);
        vm[i].weight = 0.2 + 2 * random_unit(r);
        for (int k = 0; k < LOSS_RESOURCES; k++) {
            struct loss_claim *claim = &vm[i].claim[k];
            claim->shares = 1 + (double)random_below(r, 4000);
            claim->reservation = random_unit(r) < 0.7 ? 0 : claim->demand * random_unit(r);
            claim->sd = certain ? 0 : claim->demand * 0.4 * random_unit(r);
        }
    }
    *c = (struct loss_capacity){{4 + random_unit(r) * 50, 8000 + random_unit(r) * 100000}};
    return n;
}

static void enough_for_all_loses_nothing(void **state)
{
    (void)state;
    struct loss_vm vm[] = {vm_of(2, 4096), vm_of(3, 8192)};
    struct loss_capacity c = {{5, 12288}};
    assert_float_equal(rate_of(&c, 2, vm, NULL), 0, 0);
}

static void certain_demands_lose_what_water_filling_leaves_unmet(void **state)
{
    (void)state;
    // Equal shares: the small one gets its 1, the big one 3 of 7.
    struct loss_vm vm[] = {vm_of(1, 0), vm_of(7, 0)};
    struct loss_capacity c = {{4, 1000}};
    double each[2];
    assert_float_equal(rate_of(&c, 2, vm, each), 4.0 / 7, 1e-9);
    assert_float_equal(each[0], 0, 1e-9);
    assert_float_equal(each[1], 4.0 / 7, 1e-9);
}

static void cpu_and_memory_satisfaction_multiply(void **state)
{
    (void)state;
    struct loss_vm vm[] = {vm_of(4, 1000)};
    struct loss_capacity c = {{2, 900}};
    assert_float_equal(rate_of(&c, 1, vm, NULL), 1 - 0.5 * loss_memory_satisfaction(0.1), 1e-9);
}

static void an_idle_vm_that_waits_a_little_is_not_half_lost(void **state)
{
    (void)state;
    assert_float_equal(loss_cpu_satisfaction(0.002, 0.004, 0.1), 0.98, 1e-12);
    assert_float_equal(loss_cpu_satisfaction(0, 0, 0), 1, 0);
}

static void the_memory_curve_falls_from_one_to_zero(void **state)
{
    (void)state;
    double before = 1;
    assert_float_equal(loss_memory_satisfaction(0), 1, 0);
    for (double x = 0.001; x <= 1.2; x += 0.001) {
        double f = loss_memory_satisfaction(x);
        assert_true(f >= 0 && f <= before);
        before = f;
    }
    assert_float_equal(before, 0, 0);
}

static void the_tail_is_heavier_than_normal(void **state)
{
    (void)state;
    double p, x;
    loss_excess(10, 1, 100, 13, &p, &x);
    assert_true(p > 0.005 && p < 0.04); // normal: 0.00135
    loss_excess(10, 1, 100, 10, &p, &x);
    assert_float_equal(p, 0.5, 1e-12);
}

// Against numerical integration of the density of Student's t with 3 degrees of freedom, variance 1.
static void the_closed_form_of_the_excess_is_the_integral(void **state)
{
    (void)state;
    for (double z = -2; z < 6; z += 0.37) {
        double sum = 0, mass = 0, dx = 1e-3;
        for (double x = z + dx / 2; x < 3000; x += dx) {
            double density = 2 / (M_PI * (1 + x * x) * (1 + x * x));
            sum += (x - z) * density * dx;
            mass += density * dx;
            if (x > 50)
                dx = 0.05;
        }
        double p, excess;
        loss_excess(0, 1, 1e12, z, &p, &excess);
        assert_float_equal(p, mass, 2e-3);
        assert_float_equal(p * excess, sum, 2e-3);
    }
}

static void demand_is_never_above_what_the_vms_may_have(void **state)
{
    (void)state;
    struct loss_vm vm = vm_of(7, 1000);
    vm.claim[LOSS_CPU].sd = 5;
    struct loss_capacity c = {{8, 1e6}};
    assert_float_equal(rate_of(&c, 1, &vm, NULL), 0, 0);
}

static void uncertainty_costs_even_where_the_mean_fits(void **state)
{
    (void)state;
    struct loss_vm vm[] = {vm_of(4, 1000), vm_of(4, 1000)};
    struct loss_capacity c = {{9, 1e6}};
    assert_float_equal(rate_of(&c, 2, vm, NULL), 0, 0);
    vm[0].claim[LOSS_CPU].sd = vm[1].claim[LOSS_CPU].sd = 0.5;
    double some = rate_of(&c, 2, vm, NULL);
    vm[0].claim[LOSS_CPU].sd = vm[1].claim[LOSS_CPU].sd = 1;
    assert_true(some > 0 && rate_of(&c, 2, vm, NULL) > some);
}

static void spreading_risk_pays_by_itself(void **state)
{
    (void)state;
    // Four risky VMs on two hosts: two and two lose less than three and one.
    struct loss_vm vm[] = {vm_of(2, 100), vm_of(2, 100), vm_of(2, 100), vm_of(2, 100)};
    struct loss_capacity c = {{7, 1e6}};
    for (int i = 0; i < 4; i++)
        vm[i].claim[LOSS_CPU].sd = 0.7;
    assert_true(2 * rate_of(&c, 2, vm, NULL) < rate_of(&c, 3, vm, NULL) + rate_of(&c, 1, vm, NULL));
}

static void loss_grows_with_demand_and_falls_with_capacity(void **state)
{
    (void)state;
    struct random r = random_seed(21);
    for (int k = 0; k < HOSTS; k++) {
        struct loss_vm vm[MOST + 1];
        struct loss_capacity c, more;
        size_t n = random_host(&r, vm, &c, k % 2);
        double before = rate_of(&c, n, vm, NULL), weight = 0;
        for (size_t i = 0; i < n; i++)
            weight += vm[i].weight;
        assert_true(before >= 0 && before <= weight + 1e-9);
        more = c;
        more.of[k % LOSS_RESOURCES] *= 1.2;
        assert_true(rate_of(&more, n, vm, NULL) <= before + 0.005);
        vm[n] = vm_of(1 + random_unit(&r) * 4, 4000);
        double with = rate_of(&c, n + 1, vm, NULL);
        assert_true(with >= before - 0.005); // one division stands for all sizes of the excess: second order
    }
}

static void doubling_all_demands_and_capacities_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(22);
    for (int k = 0; k < HOSTS; k++) {
        struct loss_vm vm[MOST + 1];
        struct loss_capacity c;
        size_t n = random_host(&r, vm, &c, false);
        double before = rate_of(&c, n, vm, NULL);
        for (int i = 0; i < LOSS_RESOURCES; i++)
            c.of[i] *= 2;
        for (size_t i = 0; i < n; i++)
            for (int q = 0; q < LOSS_RESOURCES; q++) {
                struct loss_claim *claim = &vm[i].claim[q];
                claim->demand *= 2;
                claim->sd *= 2;
                claim->most *= 2;
                claim->reservation *= 2;
                claim->floor *= 2;
            }
        assert_float_equal(rate_of(&c, n, vm, NULL), before, 1e-9);
    }
}

static void the_order_of_vms_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(23);
    for (int k = 0; k < HOSTS; k++) {
        struct loss_vm vm[MOST + 1], reversed[MOST + 1];
        struct loss_capacity c;
        size_t n = random_host(&r, vm, &c, false);
        for (size_t i = 0; i < n; i++)
            reversed[n - 1 - i] = vm[i];
        assert_float_equal(rate_of(&c, n, vm, NULL), rate_of(&c, n, reversed, NULL), 1e-9);
    }
}

static void sums_after_adding_and_removing_are_those_of_the_rest(void **state)
{
    (void)state;
    struct random r = random_seed(24);
    for (int k = 0; k < HOSTS; k++) {
        struct loss_vm vm[MOST + 1];
        struct loss_capacity c;
        struct loss_sum sum = {0}, rest = {0};
        size_t n = random_host(&r, vm, &c, false);
        for (size_t i = 0; i < n; i++) {
            loss_sum_add(&sum, &vm[i]);
            if (i > 0)
                loss_sum_add(&rest, &vm[i]);
        }
        loss_sum_remove(&sum, &vm[0]);
        assert_float_equal(loss_sum_rate(&sum, &c), loss_sum_rate(&rest, &c), 1e-6);
    }
}

static void the_estimate_is_zero_exactly_when_the_rate_is(void **state)
{
    (void)state;
    struct random r = random_seed(25);
    for (int k = 0; k < HOSTS; k++) {
        struct loss_vm vm[MOST + 1];
        struct loss_capacity c;
        struct loss_sum sum = {0};
        size_t n = random_host(&r, vm, &c, k % 2);
        for (size_t i = 0; i < n; i++)
            loss_sum_add(&sum, &vm[i]);
        double rate = rate_of(&c, n, vm, NULL), estimate = loss_sum_rate(&sum, &c);
        assert_true((rate > 0) == (estimate > 0));
    }
}

static void starving_makes_a_vm_heavier_up_to_a_bound(void **state)
{
    (void)state;
    double starved = 0;
    for (int i = 0; i < 300; i++)
        starved = loss_starved_s(starved, 0.1, 1);
    assert_float_equal(loss_weight(1000, 1000, starved), 2, 1e-9);
    for (int i = 0; i < 100000; i++)
        starved = loss_starved_s(starved, 0.1, 1);
    assert_float_equal(loss_weight(1000, 1000, starved), LOSS_STARVED_MOST, 1e-9);
    assert_float_equal(loss_starved_s(10, 1, 5), 0, 0);
    assert_float_equal(loss_weight(2000, 1000, 0), 2, 0);
}

static struct history_series series_of(const double *cores, double mib)
{
    struct history_series s = {.end = 100, .n = HISTORY_SERIES};
    for (int i = 0; i < HISTORY_SERIES; i++) {
        s.mean[HISTORY_CPU][i] = s.max[HISTORY_CPU][i] = (float)cores[i];
        s.mean[HISTORY_MEM][i] = s.max[HISTORY_MEM][i] = (float)mib;
    }
    return s;
}

static void bursts_that_come_together_cost_and_those_in_turns_do_not(void **state)
{
    (void)state;
    const double even[HISTORY_SERIES] = {4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0};
    const double odd[HISTORY_SERIES] = {0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4};
    struct history_series a = series_of(even, 100), b = series_of(odd, 100);
    struct loss_vm vm[] = {vm_of(2, 100), vm_of(2, 100)};
    const struct loss_vm *at[] = {&vm[0], &vm[1]};
    const struct history_series *together[] = {&a, &a}, *turns[] = {&a, &b};
    struct loss_capacity c = {{4, 1000}};
    char scratch[4096] __attribute__((aligned(16)));
    assert_true(loss_scratch_bytes(2) <= sizeof scratch);
    // Half of the slots want 8 of 4 cores: both VMs lose half, half of the time.
    assert_float_equal(loss_host_rate_series(&c, 2, at, together, NULL, scratch), 2 * 0.5 * 0.5, 1e-6);
    assert_float_equal(loss_host_rate_series(&c, 2, at, turns, NULL, scratch), 0, 0);
}

static void a_sum_of_series_tells_the_same_as_its_vms(void **state)
{
    (void)state;
    const double even[HISTORY_SERIES] = {4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0};
    struct history_series a = series_of(even, 100), sum = a;
    history_series_add(&sum, &a, 1);
    struct loss_vm vm = vm_of(2, 100);
    struct loss_sum sums = {0};
    loss_sum_add(&sums, &vm);
    loss_sum_add(&sums, &vm);
    struct loss_capacity c = {{4, 1000}};
    assert_float_equal(loss_sum_rate_series(&sums, &c, &sum), 2 * 0.5 * 0.5, 1e-6);
    history_series_add(&sum, &a, -1);
    assert_float_equal(sum.mean[HISTORY_CPU][0], 4, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enough_for_all_loses_nothing),
        cmocka_unit_test(certain_demands_lose_what_water_filling_leaves_unmet),
        cmocka_unit_test(cpu_and_memory_satisfaction_multiply),
        cmocka_unit_test(an_idle_vm_that_waits_a_little_is_not_half_lost),
        cmocka_unit_test(the_memory_curve_falls_from_one_to_zero),
        cmocka_unit_test(the_tail_is_heavier_than_normal),
        cmocka_unit_test(the_closed_form_of_the_excess_is_the_integral),
        cmocka_unit_test(demand_is_never_above_what_the_vms_may_have),
        cmocka_unit_test(uncertainty_costs_even_where_the_mean_fits),
        cmocka_unit_test(spreading_risk_pays_by_itself),
        cmocka_unit_test(loss_grows_with_demand_and_falls_with_capacity),
        cmocka_unit_test(doubling_all_demands_and_capacities_changes_nothing),
        cmocka_unit_test(the_order_of_vms_changes_nothing),
        cmocka_unit_test(sums_after_adding_and_removing_are_those_of_the_rest),
        cmocka_unit_test(the_estimate_is_zero_exactly_when_the_rate_is),
        cmocka_unit_test(starving_makes_a_vm_heavier_up_to_a_bound),
        cmocka_unit_test(bursts_that_come_together_cost_and_those_in_turns_do_not),
        cmocka_unit_test(a_sum_of_series_tells_the_same_as_its_vms),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
