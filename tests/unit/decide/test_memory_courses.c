// Courses of demand in the small world that decided the design, with the goals of each.
#include "../test.h"

#include <math.h>

#include "memory_world.h"

static struct world w;

static double total_swap_out(void)
{
    double sum = 0;
    for (size_t i = 0; i < w.n; i++)
        sum += w.guest[i].swap_out;
    return sum;
}

// g1 holds and frees 120; g3 and g4 hold something; then g2 asks.
static void one_frees_another_asks(double others, double lead_s, double demand)
{
    world_run(&w, 8);
    w.guest[2].want = w.guest[3].want = others;
    w.guest[0].want = 120;
    world_run(&w, 12);
    w.guest[0].want = 0;
    world_run(&w, lead_s);
    w.guest[1].want = demand;
}

static void idle_memory_of_one_serves_another(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    one_frees_another_asks(65, 0, 0);
    double peak = w.guest[0].touched;
    world_run(&w, 40);
    w.guest[1].want = 100;
    double first_shrink_s = w.guest[0].first_shrink_s;
    world_mark(&w);
    double asked_s = world_seconds(&w);
    world_run(&w, 6);
    assert_true(first_shrink_s >= 0 && first_shrink_s <= asked_s + 2);
    assert_true(w.guest[0].touched <= peak - 64);
    assert_true(w.guest[1].satisfied_at_s >= 0 && w.guest[1].satisfied_at_s <= asked_s + 4);
    world_run(&w, 100);
    for (size_t i = 1; i < 4; i++)
        assert_true(w.guest[i].lowest == 256); // only the idle guest pays
    assert_true(total_swap_out() == 0);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void a_demand_that_just_fits_is_met_without_swapping(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    one_frees_another_asks(165, 60, 140);
    w.guest[1].satisfied_at_s = -1;
    double asked_s = world_seconds(&w);
    world_run(&w, 6);
    assert_true(w.guest[1].satisfied_at_s >= 0);
    world_run(&w, 100);
    assert_true(w.guest[1].satisfied_at_s <= asked_s + 6);
    assert_true(w.guest[1].swap_out == 0);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void contention_ends_in_equal_parts_at_rest(double step)
{
    world_contend(&w, step);
    world_run(&w, 40);
    world_mark(&w);
    double swapped = total_swap_out();
    world_run(&w, 60);
    double least = 1e9, most = 0, moved = 0;
    for (size_t i = 0; i < 4; i++) {
        least = fmin(least, w.guest[i].current);
        most = fmax(most, w.guest[i].current);
        moved += w.guest[i].moved;
    }
    assert_true(most - least < 4);
    assert_true(moved < 10);
    assert_true(total_swap_out() - swapped < 235);
    world_nobody_was_killed(&w);
}

static void slow_contention_ends_in_equal_parts_at_rest(void **state)
{
    (void)state;
    contention_ends_in_equal_parts_at_rest(5);
    world_end(&w);
}

static void fast_contention_ends_in_equal_parts_at_rest(void **state)
{
    (void)state;
    contention_ends_in_equal_parts_at_rest(10);
    world_end(&w);
}

static void balloons_are_let_go_when_pressure_ends(void **state)
{
    (void)state;
    world_contend(&w, 5);
    world_run(&w, 60);
    world_want(&w, 0);
    world_mark(&w);
    double free_s = world_seconds(&w), full_s = -1, first_s = -1;
    while (world_seconds(&w) < free_s + 60 && full_s < 0) {
        world_run(&w, 0.5);
        bool full = true;
        for (size_t i = 0; i < 4; i++) {
            full = full && w.guest[i].current >= 255;
            double s = w.guest[i].first_growth_s;
            if (s >= 0 && (first_s < 0 || s < first_s))
                first_s = s;
        }
        if (full)
            full_s = world_seconds(&w);
    }
    assert_true(first_s >= 0 && first_s - free_s <= 3);
    assert_true(full_s >= 0 && full_s - free_s <= 30);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void without_a_manager_the_same_contention_kills(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, false);
    world_run(&w, 15);
    world_want(&w, 170);
    world_run(&w, 60);
    assert_true(w.host_ooms > 0); // or the tests above could not fail
    world_end(&w);
}

// Two guests that together ask for 260 MiB at once of a host that has 170, and whose balloons answer late.
static void two_burst(bool managed, double at_s)
{
    world_begin(&w, 455, 2, managed);
    w.answer_ms = 400;
    world_run(&w, at_s);
    world_want(&w, 130);
    world_run(&w, 30);
}

static void two_that_burst_together_are_held_by_the_fence(void **state)
{
    (void)state;
    for (int tick = 0; tick < 20; tick++) { // whenever the manager looked last
        two_burst(true, 10 + tick * 0.05);
        world_nobody_was_killed(&w);
        for (size_t i = 0; i < 2; i++)
            assert_true(w.guest[i].held >= 129);
        world_end(&w);
    }
    two_burst(false, 10);
    assert_true(w.host_ooms > 0); // or this could not fail
    world_end(&w);
}

// Guests at rest that could take twice what the host has left, which is so many parts of `high`.
static double sum_of_balloons(double parts_of_high)
{
    double used = 16 * (95 + 48) + 30;
    world_begin(&w, used / (1 - parts_of_high / 4), 16, true);
    world_run(&w, 30);
    double sum = 0;
    for (size_t i = 0; i < 16; i++) {
        sum += w.guest[i].current;
        assert_true(w.guest[i].lowest >= 68 + 16); // nobody pays for it
    }
    assert_int_equal(w.out.state, MEMORY_HIGH);
    world_nobody_was_killed(&w);
    world_end(&w);
    return sum;
}

static void in_high_balloons_follow_what_is_there_until_it_is_plenty(void **state)
{
    (void)state;
    double near = sum_of_balloons(1.04), further = sum_of_balloons(1.12);
    assert_true(near < further - 16 * 8 && further < 16 * 256 * 0.95);
    assert_true(sum_of_balloons(1.6) == 16 * 256);
}

static void a_restart_in_contention_moves_little(void **state)
{
    (void)state;
    world_contend(&w, 10);
    world_run(&w, 40);
    world_mark(&w);
    memory_manager_free(w.manager);
    w.manager = memory_manager_new(4, NULL);
    world_run(&w, 60);
    for (size_t i = 0; i < 4; i++)
        assert_true(w.guest[i].moved < 15 && w.guest[i].lowest > 180);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void memory_in_split_huge_pages_is_not_taken_again(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.huge_pages = true;
    world_run(&w, 15);
    for (double want = 20; want <= 170; want += 10) {
        world_want(&w, want);
        world_run(&w, 5);
    }
    for (size_t i = 0; i < 4; i++)
        w.guest[i].rewrite_mib_s = 2;
    world_run(&w, 60);
    for (size_t i = 0; i < 4; i++)
        assert_true(w.guest[i].lowest > 195);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void coming_to_contention_takes_few_commands(void **state)
{
    (void)state;
    world_contend(&w, 10);
    world_run(&w, 60);
    assert_true(w.commands < 60);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void with_plenty_nothing_moves(void **state)
{
    (void)state;
    world_begin(&w, 4096, 8, true);
    world_run(&w, 5);
    world_want(&w, 180);
    world_run(&w, 30);
    world_want(&w, 0);
    world_run(&w, 30);
    for (size_t i = 0; i < 8; i++)
        assert_true(w.guest[i].moved == 0);
    assert_true(w.steps < 40); // and it is looked at rarely
    world_end(&w);
}

int main(int argc, char **argv)
{
    w.verbose = argc > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_memory_of_one_serves_another),
        cmocka_unit_test(a_demand_that_just_fits_is_met_without_swapping),
        cmocka_unit_test(slow_contention_ends_in_equal_parts_at_rest),
        cmocka_unit_test(fast_contention_ends_in_equal_parts_at_rest),
        cmocka_unit_test(balloons_are_let_go_when_pressure_ends),
        cmocka_unit_test(without_a_manager_the_same_contention_kills),
        cmocka_unit_test(two_that_burst_together_are_held_by_the_fence),
        cmocka_unit_test(in_high_balloons_follow_what_is_there_until_it_is_plenty),
        cmocka_unit_test(a_restart_in_contention_moves_little),
        cmocka_unit_test(memory_in_split_huge_pages_is_not_taken_again),
        cmocka_unit_test(coming_to_contention_takes_few_commands),
        cmocka_unit_test(with_plenty_nothing_moves),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
