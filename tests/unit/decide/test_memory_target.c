#include "../test.h"

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "decide/memory_target.h"

#define MOST 16
#define ROUNDS 20000

struct division {
    size_t n;
    double capacity, room;
    struct memory_claim claim[MOST];
    struct memory_division result;
    double entitlement[MOST], target[MOST];
};

static void divide(struct division *d)
{
    struct entitlement_claim buffer[MOST];
    void *scratch = malloc(entitlement_scratch_bytes(MOST));
    d->result =
        memory_divide(d->capacity, d->room, d->n, d->claim, buffer, scratch, d->entitlement, d->target);
    free(scratch);
}

static struct division random_division(struct random *r)
{
    struct division d = {.n = 1 + random_below(r, MOST), .capacity = random_unit(r) * 3000};
    d.room = d.capacity + (random_unit(r) < 0.5 ? 0 : random_unit(r) * 3000);
    for (size_t i = 0; i < d.n; i++) {
        struct memory_claim *c = &d.claim[i];
        c->limit = 50 + random_unit(r) * 500;
        c->need = c->limit * random_unit(r);
        c->keep = random_unit(r) < 0.5 ? 0 : random_unit(r) * 30;
        c->growth = random_unit(r) < 0.5 ? 0 : random_unit(r) * 200;
        c->reservation = random_unit(r) < 0.5 ? 0 : c->need * random_unit(r);
        c->shares = 1 + (double)random_below(r, 2000);
    }
    return d;
}

static void targets_stay_within_limits_and_sums(void **state)
{
    (void)state;
    struct random r = random_seed(21);
    for (int k = 0; k < ROUNDS; k++) {
        struct division d = random_division(&r);
        divide(&d);
        double entitled = 0, target = 0, limits = 0;
        for (size_t i = 0; i < d.n; i++) {
            assert_true(d.target[i] <= d.claim[i].limit + 1e-6);
            assert_true(d.target[i] >= d.entitlement[i] - 1e-6);
            assert_true(d.entitlement[i] <= d.claim[i].need + d.claim[i].keep + 1e-6);
            entitled += d.entitlement[i];
            target += d.target[i];
            limits += d.claim[i].limit;
        }
        assert_true(entitled <= d.capacity + 1e-6);
        double there = d.result.overload ? d.capacity : fmin(limits, fmax(d.capacity, d.room));
        assert_float_equal(target, there, 1e-6); // nothing is promised twice, nothing left over
    }
}

static void no_need_is_touched_while_all_fit(void **state)
{
    (void)state;
    struct random r = random_seed(22);
    for (int k = 0; k < ROUNDS; k++) {
        struct division d = random_division(&r);
        divide(&d);
        for (size_t i = 0; i < d.n && !d.result.overload; i++)
            assert_true(d.target[i] >= d.claim[i].need - 1e-6);
    }
}

static void more_shares_never_give_less(void **state)
{
    (void)state;
    struct random r = random_seed(23);
    for (int k = 0; k < ROUNDS; k++) {
        struct division d = random_division(&r);
        divide(&d);
        size_t who = random_below(&r, d.n);
        double target = d.target[who], entitlement = d.entitlement[who];
        d.claim[who].shares *= 1 + random_unit(&r) * 3;
        divide(&d);
        assert_true(d.target[who] >= target - 1e-6);
        assert_true(d.entitlement[who] >= entitlement - 1e-6);
    }
}

static void equals_get_equal_parts(void **state)
{
    (void)state;
    struct random r = random_seed(24);
    for (int k = 0; k < ROUNDS; k++) {
        struct division d = random_division(&r);
        if (d.n < 2)
            continue;
        d.claim[1] = d.claim[0];
        divide(&d);
        assert_float_equal(d.target[0], d.target[1], 1e-6);
    }
}

static void a_small_change_is_a_small_change(void **state)
{
    (void)state;
    struct random r = random_seed(25);
    for (int k = 0; k < ROUNDS; k++) {
        struct division d = random_division(&r);
        divide(&d);
        struct division e = d;
        size_t who = random_below(&r, d.n);
        e.claim[who].need = fmin(e.claim[who].need + 0.01, e.claim[who].limit);
        // Overload divides the capacity alone, so there the step to the room beyond it counts.
        e.room = d.room = d.capacity;
        divide(&d);
        divide(&e);
        for (size_t i = 0; i < d.n; i++)
            assert_true(fabs(d.target[i] - e.target[i]) < 0.05);
    }
}

static void growth_under_way_goes_before_room(void **state)
{
    (void)state;
    struct division d = {.n = 2, .capacity = 300, .room = 300};
    d.claim[0] = (struct memory_claim){100, 0, 80, 256, 0, 1000};
    d.claim[1] = (struct memory_claim){100, 0, 0, 256, 0, 1000};
    divide(&d);
    assert_true(d.target[0] >= 180 - 1e-9);
    assert_float_equal(d.target[0] + d.target[1], 300, 1e-9);
}

static void what_is_kept_free_gives_way_before_any_need(void **state)
{
    (void)state;
    struct division d = {.n = 2, .capacity = 230, .room = 230};
    d.claim[0] = (struct memory_claim){200, 20, 0, 256, 0, 1}; // few shares, large
    d.claim[1] = (struct memory_claim){20, 20, 0, 256, 0, 1000};
    divide(&d);
    assert_false(d.result.overload);
    assert_float_equal(d.entitlement[0], 205, 1e-9);
    assert_float_equal(d.entitlement[1], 25, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_stay_within_limits_and_sums),
        cmocka_unit_test(no_need_is_touched_while_all_fit),
        cmocka_unit_test(more_shares_never_give_less),
        cmocka_unit_test(equals_get_equal_parts),
        cmocka_unit_test(a_small_change_is_a_small_change),
        cmocka_unit_test(growth_under_way_goes_before_room),
        cmocka_unit_test(what_is_kept_free_gives_way_before_any_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
