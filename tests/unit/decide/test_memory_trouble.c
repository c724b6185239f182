// Guests that mislead, hang or have no driver, and random demand: nobody is killed, nobody waits.
#include "../test.h"

#include <math.h>
#include <string.h>

#include "memory_world.h"

static struct world w;

static void a_stuck_balloon_is_reported_and_nobody_waits(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.guest[3].stuck = true;
    world_run(&w, 10);
    w.guest[0].want = w.guest[1].want = w.guest[2].want = 150;
    world_run(&w, 60);
    assert_int_equal(w.events[MEMORY_EVENT_STUCK], 1);
    for (size_t i = 0; i < 3; i++)
        assert_true(w.guest[i].held >= 149);
    w.guest[3].stuck = false;
    world_run(&w, 20);
    assert_int_equal(w.events[MEMORY_EVENT_RECOVERED], 1);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void one_stopped_guest_keeps_nobody_waiting(bool seen)
{
    world_begin(&w, 1100, 4, true);
    world_run(&w, 10);
    world_want(&w, 60);
    world_run(&w, 10);
    w.guest[3].stopped = true;
    w.guest[3].seen_stopped = seen;
    w.guest[0].want = w.guest[1].want = 150;
    world_run(&w, 60);
    assert_int_equal(w.events[MEMORY_EVENT_STALE], 1);
    assert_true(w.guest[0].held >= 149 && w.guest[1].held >= 149);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void a_stopped_guest_is_reported_and_nobody_waits(void **state)
{
    (void)state;
    one_stopped_guest_keeps_nobody_waiting(false);
}

static void a_guest_that_the_host_sees_stopped_is_reported_and_nobody_waits(void **state)
{
    (void)state;
    one_stopped_guest_keeps_nobody_waiting(true);
}

static void a_guest_without_driver_is_reported(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.guest[2].no_driver = true;
    world_run(&w, 10);
    world_want(&w, 170);
    world_run(&w, 60);
    assert_int_equal(w.events[MEMORY_EVENT_UNBALLOONABLE], 1);
    assert_int_equal(w.out.n_unballoonable, 1);
    assert_true(w.guest[2].held == 170);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void a_liar_gets_no_more_than_its_part(void **state)
{
    (void)state;
    world_contend(&w, 5);
    w.guest[0].lies = true;
    world_run(&w, 60);
    for (size_t i = 1; i < 4; i++)
        assert_true(w.guest[0].current <= w.guest[i].current + 4);
    world_nobody_was_killed(&w);
    world_end(&w);
}

static void guests_without_swap_are_not_killed(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    for (size_t i = 0; i < 4; i++) {
        w.guest[i].swap_size = 0;
        w.guest[i].tells_swap = MEMORY_NO;
        w.guest[i].autodeflate = i % 2 == 0;
    }
    struct random r = random_seed(11);
    for (int round = 0; round < 200; round++) {
        // What they hold together always fits: 1100 - 4 x 76 - 15 - 4 x 68 = 509, less the reserve.
        double left = 250;
        size_t at = random_below(&r, 4);
        for (size_t i = 0; i < 4; i++) {
            struct world_guest *g = &w.guest[(at + i) % 4];
            g->want = fmin(left, floor(random_unit(&r) * 180));
            left -= g->want;
        }
        world_run(&w, 2 + random_unit(&r) * 12);
    }
    world_nobody_was_killed(&w);
    world_end(&w);
}

static double before_kib;

// The last command to each guest of the world, for what holds between two of them.
static struct told {
    double kib;
    bool up;
    int64_t ms;
} told[WORLD_MOST];

// A balloon does not turn round for a small difference, except for what low takes.
static void check_turns(const struct world *world)
{
    const struct memory_output *out = &world->out;
    for (size_t k = 0; k < out->n_actions; k++) {
        const struct memory_action *a = &out->actions[k];
        struct told *t = &told[1000 - a->id];
        double kib = (double)a->to_kib;
        bool up = kib > (t->kib > 0 ? t->kib : (double)a->from_kib);
        if (t->kib > 0 && up != t->up && world->ms - t->ms < 10000)
            assert_true((!up && out->state == MEMORY_LOW) || fabs(kib - t->kib) >= 12 * 1024 - 1);
        *t = (struct told){kib, up, world->ms};
    }
    for (size_t i = 0; i < out->n_actions; i++) // one command a VM and step
        for (size_t k = i + 1; k < out->n_actions; k++)
            assert_true(out->actions[i].id != out->actions[k].id);
}

static double told_kib(const struct world *world, size_t i)
{
    return world->guest[1000 - world->vm[i].id].target * 1024;
}

// What holds after every step, whatever the world did.
static void check_invariants(struct world *world)
{
    const struct memory_output *out = &world->out;
    bool gave = false, gives = false;
    check_turns(world);
    for (size_t k = 0; k < out->n_actions; k++) {
        const struct memory_action *a = &out->actions[k];
        const struct memory_vm_view *v = &out->views[a->vm];
        assert_true(a->to_kib <= world->vm[a->vm].maxmem_kib);
        assert_true(a->to_kib >= 64 * 1024);
        assert_int_equal(a->id, world->vm[a->vm].id);
        bool lowers = a->to_kib < a->from_kib;
        if (lowers) {
            assert_true(a->to_kib + 1024 >= (v->floor_kib < a->from_kib ? v->floor_kib : a->from_kib));
            if (v->distress)
                assert_true(a->to_kib + 1024 >=
                            (v->entitlement_kib < a->from_kib ? v->entitlement_kib : a->from_kib));
        }
        // Those that free memory come first; what is only stopped on its way down frees less but gives nothing.
        gives = gives || a->to_kib > a->from_kib;
        assert_false(gave && lowers && a->reason.kind == MEMORY_REASON_IDLE);
        gave = gives;
    }
    if (gives && out->state == MEMORY_HARD) {
        // Nothing is promised that is not there: the reserve may be lent, half of it kept.
        double promised = 0;
        for (size_t i = 0; i < out->n_views; i++) {
            double may = fmax((double)world->vm[i].currentmem_kib, (double)out->views[i].target_kib);
            may = fmin(may, fmax((double)world->vm[i].currentmem_kib, told_kib(world, i)));
            promised += fmax(0, may * 0.99 - (double)out->views[i].actualmem_kib);
        }
        assert_true(promised <=
                        fmax(0, (double)out->available_kib - (double)out->thresholds.low_kib) + 4096 ||
                    promised <= before_kib + 4096);
        before_kib = promised;
    }
}

static void random_demand_kills_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_begin(&w, 1100, 4, true);
        w.check = check_invariants;
        before_kib = 0;
        memset(told, 0, sizeof told);
        struct random r = random_seed(seed);
        for (int round = 0; round < 60; round++) {
            size_t i = random_below(&r, 4);
            w.guest[i].want = floor(random_unit(&r) * 180);
            w.guest[i].rewrite_mib_s = random_unit(&r) * 4;
            world_run(&w, random_unit(&r) * 10);
        }
        if (w.host_ooms)
            print_message("# seed %llu\n", (unsigned long long)seed);
        world_nobody_was_killed(&w);
        world_end(&w);
    }
}

static void an_excluded_guest_is_never_touched(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.guest[1].excluded = true;
    world_run(&w, 10);
    w.guest[0].want = w.guest[2].want = w.guest[3].want = 170;
    world_run(&w, 60);
    assert_true(w.guest[1].moved == 0);
    world_nobody_was_killed(&w);
    world_end(&w);
}

int main(int argc, char **argv)
{
    w.verbose = argc > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_balloon_is_reported_and_nobody_waits),
        cmocka_unit_test(a_stopped_guest_is_reported_and_nobody_waits),
        cmocka_unit_test(a_guest_that_the_host_sees_stopped_is_reported_and_nobody_waits),
        cmocka_unit_test(a_guest_without_driver_is_reported),
        cmocka_unit_test(a_liar_gets_no_more_than_its_part),
        cmocka_unit_test(guests_without_swap_are_not_killed),
        cmocka_unit_test(random_demand_kills_nobody),
        cmocka_unit_test(an_excluded_guest_is_never_touched),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
