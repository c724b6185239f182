// Who gets what where there is not enough for all: shares, reservations, what counts as wanted.
#include "../test.h"

#include <math.h>

#include "memory_world.h"

static struct world w;

static void memory_is_divided_by_shares_in_contention(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.guest[0].shares = 1200;
    world_run(&w, 15);
    world_want(&w, 185);
    for (size_t i = 0; i < 4; i++)
        w.guest[i].rewrite_mib_s = 2;
    world_run(&w, 90);
    assert_float_equal(w.guest[0].current / w.guest[1].current, 1.2, 0.03);
    world_nobody_was_killed(&w);
    world_end(&w);
}

// Two guests that need 198 MiB each, g1 with twice the shares, where there is not enough for both.
static void two_of_unequal_shares(double total, double reservation)
{
    world_begin(&w, total, 2, true);
    w.guest[0].shares = 2000;
    w.guest[1].reservation = reservation;
    world_run(&w, 10);
    for (double want = 10; want <= 130; want += 10) {
        world_want(&w, want);
        world_run(&w, 1);
    }
    for (size_t i = 0; i < 2; i++)
        w.guest[i].rewrite_mib_s = 4;
    world_run(&w, 40);
}

static void twice_the_shares_are_served_whole_and_the_other_gets_what_is_left(void **state)
{
    (void)state;
    two_of_unequal_shares(485, 0);
    assert_true(w.guest[0].held >= 130 && w.guest[0].swapped < 15);
    assert_true(w.guest[0].current <= 198 + 24);
    assert_true(w.guest[1].swapped > 30);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void a_reservation_comes_before_shares_also_for_a_guest_that_was_squeezed(void **state)
{
    (void)state;
    for (int squeezed = 0; squeezed < 2; squeezed++) {
        two_of_unequal_shares(485, squeezed ? 0 : 190);
        w.guest[1].reservation = 190;
        world_run(&w, 20);
        assert_true(w.guest[1].current >= 190 - 3);
        world_run(&w, 40);
        assert_true(w.guest[1].current >= 190 - 3);
        world_nobody_was_killed(&w);
        world_end(&w);
    }
}

static void what_ballooning_cannot_meet_is_unmet_demand(void **state)
{
    (void)state;
    two_of_unequal_shares(485, 0);
    for (int s = 0; s < 20; s++) {
        world_run(&w, 1);
        // 198 of g2, of which it has what g1 leaves; compressed swap counts twice.
        assert_true(w.out.views[0].unmet_kib < 24 << 10);
        assert_true(w.out.views[1].unmet_kib > 20 << 10);
        assert_true(w.out.views[1].demand_kib >= 180 << 10);
    }
    assert_true(w.events[MEMORY_EVENT_UNMET] == 1);
    world_end(&w);
}

static void what_is_cold_in_swap_is_no_demand_for_ever(void **state)
{
    (void)state;
    two_of_unequal_shares(485, 0);
    for (size_t i = 0; i < 2; i++)
        w.guest[i].rewrite_mib_s = 0;
    w.total = 1100;
    world_run(&w, 240);
    double used = world_guest_need(&w.guest[1]);
    assert_true(w.out.views[1].demand_kib < (used + 16) * 1024);
    world_end(&w);
}

static void what_was_cold_in_swap_is_wanted_again_when_it_is_worked_on(void **state)
{
    (void)state;
    two_of_unequal_shares(455, 0);
    for (size_t i = 0; i < 2; i++)
        w.guest[i].rewrite_mib_s = 0;
    w.total = 600;
    world_run(&w, 300); // what lies in their swap is forgotten, and not brought back
    w.total = 485;
    world_run(&w, 30);
    w.guest[0].rewrite_mib_s = w.guest[1].rewrite_mib_s = 8;
    world_run(&w, 60);
    assert_true(w.guest[0].swapped < 4); // g1's part covers what it works on
    world_nobody_was_killed(&w);
    world_end(&w);
}

int main(int argc, char **argv)
{
    w.verbose = argc > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_divided_by_shares_in_contention),
        cmocka_unit_test(twice_the_shares_are_served_whole_and_the_other_gets_what_is_left),
        cmocka_unit_test(a_reservation_comes_before_shares_also_for_a_guest_that_was_squeezed),
        cmocka_unit_test(what_ballooning_cannot_meet_is_unmet_demand),
        cmocka_unit_test(what_is_cold_in_swap_is_no_demand_for_ever),
        cmocka_unit_test(what_was_cold_in_swap_is_wanted_again_when_it_is_worked_on),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
