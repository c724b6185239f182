#include "../test.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "decide/entitlement.h"

#define MOST 12
#define CLUSTERS 20000

static double divide(double capacity, size_t n, const struct entitlement_claim *claim, double *grant)
{
    void *scratch = malloc(entitlement_scratch_bytes(n));
    double sum = entitlement_divide(capacity, n, claim, grant, scratch);
    free(scratch);
    return sum;
}

static size_t random_claims(struct random *r, struct entitlement_claim *claim)
{
    size_t n = random_below(r, MOST + 1);
    for (size_t i = 0; i < n; i++)
        claim[i] = (struct entitlement_claim){
            .demand = random_unit(r) < 0.1 ? 0 : random_unit(r) * 10,
            .reservation = random_unit(r) < 0.5 ? 0 : random_unit(r) * 5,
            .limit = random_unit(r) < 0.5 ? 100 : random_unit(r) * 10,
            .shares = 1 + (double)random_below(r, 4000),
        };
    return n;
}

static void plenty_gives_everybody_what_it_wants(void **state)
{
    (void)state;
    struct entitlement_claim claim[] = {{3, 0, 10, 1}, {5, 1, 4, 9}};
    double grant[2];
    assert_float_equal(divide(100, 2, claim, grant), 7, 1e-12);
    assert_float_equal(grant[0], 3, 0);
    assert_float_equal(grant[1], 4, 0);
}

static void two_to_one_shares_divide_two_to_one(void **state)
{
    (void)state;
    struct entitlement_claim claim[] = {{10, 0, 10, 2000}, {10, 0, 10, 1000}};
    double grant[2];
    divide(9, 2, claim, grant);
    assert_float_equal(grant[0], 6, 1e-9);
    assert_float_equal(grant[1], 3, 1e-9);
}

static void a_reservation_holds_against_larger_shares(void **state)
{
    (void)state;
    struct entitlement_claim claim[] = {{10, 6, 10, 1}, {10, 0, 10, 1000}};
    double grant[2];
    divide(8, 2, claim, grant);
    assert_float_equal(grant[0], 6, 1e-9);
    assert_float_equal(grant[1], 2, 1e-9);
}

static void reservations_beyond_capacity_shrink_alike(void **state)
{
    (void)state;
    struct entitlement_claim claim[] = {{10, 6, 10, 1}, {10, 3, 10, 1000}};
    double grant[2];
    divide(3, 2, claim, grant);
    assert_float_equal(grant[0], 2, 1e-9);
    assert_float_equal(grant[1], 1, 1e-9);
}

static void grants_are_conserved_and_within_bounds(void **state)
{
    (void)state;
    struct random r = random_seed(1);
    for (int k = 0; k < CLUSTERS; k++) {
        struct entitlement_claim claim[MOST];
        double grant[MOST], upper = 0, lower = 0, sum = 0;
        size_t n = random_claims(&r, claim);
        double capacity = random_unit(&r) * 60;
        double returned = divide(capacity, n, claim, grant);
        for (size_t i = 0; i < n; i++) {
            double u = fmin(claim[i].demand, claim[i].limit), l = fmin(claim[i].reservation, u);
            upper += u;
            lower += l;
            sum += grant[i];
            assert_true(grant[i] >= 0 && grant[i] <= u);
        }
        if (lower <= capacity)
            for (size_t i = 0; i < n; i++)
                assert_true(grant[i] >= fmin(claim[i].reservation, fmin(claim[i].demand, claim[i].limit)));
        assert_float_equal(sum, returned, 1e-9);
        assert_float_equal(sum, fmin(capacity, upper), 1e-9);
    }
}

static void nobody_with_more_shares_gets_less_than_its_twin(void **state)
{
    (void)state;
    struct random r = random_seed(2);
    for (int k = 0; k < CLUSTERS; k++) {
        struct entitlement_claim claim[MOST];
        double before[MOST], after[MOST];
        size_t n = random_claims(&r, claim);
        if (n == 0)
            continue;
        double capacity = random_unit(&r) * 60;
        divide(capacity, n, claim, before);
        size_t i = random_below(&r, n);
        claim[i].shares *= 1 + random_unit(&r);
        divide(capacity, n, claim, after);
        assert_true(after[i] >= before[i] - 1e-9);
        for (size_t j = 0; j < n; j++)
            if (j != i)
                assert_true(after[j] <= before[j] + 1e-9);
    }
}

static void the_order_of_claims_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(3);
    for (int k = 0; k < CLUSTERS; k++) {
        struct entitlement_claim claim[MOST], reversed[MOST];
        double grant[MOST], other[MOST];
        size_t n = random_claims(&r, claim);
        double capacity = random_unit(&r) * 60;
        for (size_t i = 0; i < n; i++)
            reversed[n - 1 - i] = claim[i];
        divide(capacity, n, claim, grant);
        divide(capacity, n, reversed, other);
        for (size_t i = 0; i < n; i++)
            assert_float_equal(grant[i], other[n - 1 - i], 1e-9);
    }
}

// Up to 32 claims are sorted by insertion, more by qsort. Claims of few distinct levels, so that many are equal.
static void few_and_many_claims_are_divided_by_the_same_level(void **state)
{
    (void)state;
    struct random r = random_seed(7);
    for (uint32_t cluster = 0; cluster < CLUSTERS / 10; cluster++) {
        struct entitlement_claim claim[64];
        double few[32], many[64], wanted = 0;
        size_t n = 17 + random_below(&r, 16);
        for (size_t i = 0; i < n; i++) {
            claim[i] = (struct entitlement_claim){.demand = (double)(1 + random_below(&r, 6)),
                                                  .reservation = 0.5 * (double)random_below(&r, 3),
                                                  .limit = 5,
                                                  .shares = 500 * (double)(1 + random_below(&r, 3))};
            wanted += claim[i].demand < 5 ? claim[i].demand : 5;
            claim[n + i] = claim[i];
        }
        double capacity = wanted * random_unit(&r);
        divide(capacity, n, claim, few);
        divide(2 * capacity, 2 * n, claim, many);
        for (size_t i = 0; i < n; i++) {
            assert_float_equal(few[i], many[i], 1e-9);
            assert_float_equal(few[i], many[n + i], 1e-9);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plenty_gives_everybody_what_it_wants),
        cmocka_unit_test(two_to_one_shares_divide_two_to_one),
        cmocka_unit_test(a_reservation_holds_against_larger_shares),
        cmocka_unit_test(reservations_beyond_capacity_shrink_alike),
        cmocka_unit_test(grants_are_conserved_and_within_bounds),
        cmocka_unit_test(nobody_with_more_shares_gets_less_than_its_twin),
        cmocka_unit_test(the_order_of_claims_changes_nothing),
        cmocka_unit_test(few_and_many_claims_are_divided_by_the_same_level),
    };
    return cmocka_run_group_tests_name("entitlement", tests, NULL, NULL);
}
