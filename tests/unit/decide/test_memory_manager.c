// The five courses of demand that decided the design, in the small world, with the goals of each.
#include "../test.h"

#include <math.h>
#include <string.h>

#include "memory_world.h"

static struct world w;

static double total_swap_out(void)
{
    double sum = 0;
    for (size_t i = 0; i < w.n; i++)
        sum += w.guest[i].swap_out;
    return sum;
}

static void nobody_was_killed(void)
{
    assert_int_equal(w.host_ooms, 0);
    for (size_t i = 0; i < w.n; i++)
        assert_int_equal(w.guest[i].ooms, 0);
}

static void all_want(double mib)
{
    for (size_t i = 0; i < w.n; i++)
        w.guest[i].want = mib;
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
    nobody_was_killed();
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
    nobody_was_killed();
    world_end(&w);
}

static void contend(double step)
{
    world_begin(&w, 1100, 4, true);
    world_run(&w, 15);
    for (double want = step; want < 170; want += step) {
        all_want(want);
        world_run(&w, 5);
    }
    all_want(170);
    for (size_t i = 0; i < 4; i++)
        w.guest[i].rewrite_mib_s = 2;
}

static void contention_ends_in_equal_parts_at_rest(double step)
{
    contend(step);
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
    nobody_was_killed();
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
    contend(5);
    world_run(&w, 60);
    all_want(0);
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
    nobody_was_killed();
    world_end(&w);
}

static void without_a_manager_the_same_contention_kills(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, false);
    world_run(&w, 15);
    all_want(170);
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
    all_want(130);
    world_run(&w, 30);
}

static void two_that_burst_together_are_held_by_the_fence(void **state)
{
    (void)state;
    for (int tick = 0; tick < 20; tick++) { // whenever the manager looked last
        two_burst(true, 10 + tick * 0.05);
        nobody_was_killed();
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
    nobody_was_killed();
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
    nobody_was_killed();
    world_end(&w);
}

static void one_stopped_guest_keeps_nobody_waiting(bool seen)
{
    world_begin(&w, 1100, 4, true);
    world_run(&w, 10);
    all_want(60);
    world_run(&w, 10);
    w.guest[3].stopped = true;
    w.guest[3].seen_stopped = seen;
    w.guest[0].want = w.guest[1].want = 150;
    world_run(&w, 60);
    assert_int_equal(w.events[MEMORY_EVENT_STALE], 1);
    assert_true(w.guest[0].held >= 149 && w.guest[1].held >= 149);
    nobody_was_killed();
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
    all_want(170);
    world_run(&w, 60);
    assert_int_equal(w.events[MEMORY_EVENT_UNBALLOONABLE], 1);
    assert_int_equal(w.out.n_unballoonable, 1);
    assert_true(w.guest[2].held == 170);
    nobody_was_killed();
    world_end(&w);
}

static void a_liar_gets_no_more_than_its_part(void **state)
{
    (void)state;
    contend(5);
    w.guest[0].lies = true;
    world_run(&w, 60);
    for (size_t i = 1; i < 4; i++)
        assert_true(w.guest[0].current <= w.guest[i].current + 4);
    nobody_was_killed();
    world_end(&w);
}

static void memory_is_divided_by_shares_in_contention(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.guest[0].shares = 1200;
    world_run(&w, 15);
    all_want(185);
    for (size_t i = 0; i < 4; i++)
        w.guest[i].rewrite_mib_s = 2;
    world_run(&w, 90);
    assert_float_equal(w.guest[0].current / w.guest[1].current, 1.2, 0.03);
    nobody_was_killed();
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
        all_want(want);
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
    nobody_was_killed();
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
        nobody_was_killed();
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
    nobody_was_killed();
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
    nobody_was_killed();
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
        nobody_was_killed();
        world_end(&w);
    }
}

static void a_restart_in_contention_moves_little(void **state)
{
    (void)state;
    contend(10);
    world_run(&w, 40);
    world_mark(&w);
    memory_manager_free(w.manager);
    w.manager = memory_manager_new(4, NULL);
    world_run(&w, 60);
    for (size_t i = 0; i < 4; i++)
        assert_true(w.guest[i].moved < 15 && w.guest[i].lowest > 180);
    nobody_was_killed();
    world_end(&w);
}

static void memory_in_split_huge_pages_is_not_taken_again(void **state)
{
    (void)state;
    world_begin(&w, 1100, 4, true);
    w.huge_pages = true;
    world_run(&w, 15);
    for (double want = 20; want <= 170; want += 10) {
        all_want(want);
        world_run(&w, 5);
    }
    for (size_t i = 0; i < 4; i++)
        w.guest[i].rewrite_mib_s = 2;
    world_run(&w, 60);
    for (size_t i = 0; i < 4; i++)
        assert_true(w.guest[i].lowest > 195);
    nobody_was_killed();
    world_end(&w);
}

static void coming_to_contention_takes_few_commands(void **state)
{
    (void)state;
    contend(10);
    world_run(&w, 60);
    assert_true(w.commands < 60);
    nobody_was_killed();
    world_end(&w);
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
    nobody_was_killed();
    world_end(&w);
}

static void with_plenty_nothing_moves(void **state)
{
    (void)state;
    world_begin(&w, 4096, 8, true);
    world_run(&w, 5);
    all_want(180);
    world_run(&w, 30);
    all_want(0);
    world_run(&w, 30);
    for (size_t i = 0; i < 8; i++)
        assert_true(w.guest[i].moved == 0);
    assert_true(w.steps < 40); // and it is looked at rarely
    world_end(&w);
}

static void order_of_the_input_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(31);
    struct memory_manager *a = memory_manager_new(32, NULL), *b = memory_manager_new(32, NULL);
    struct memory_vm_input vm[32] = {0}, mixed[32];
    for (int64_t step = 0; step < 2000; step++) {
        size_t n = 1 + random_below(&r, 32);
        for (size_t i = 0; i < n; i++)
            vm[i] = (struct memory_vm_input){
                .id = i * 7919,
                .maxmem_kib = 256 << 10,
                .currentmem_kib = random_below(&r, 256 << 10),
                .resident_kib = random_below(&r, 400 << 10),
                .overhead_kib = 50 << 10,
                .has_statistics = true,
                .unused_kib = random_below(&r, 200 << 10),
                .usable_kib = random_below(&r, 200 << 10),
                .swap_out_kib = random_below(&r, 2) * 4096 * (uint64_t)step,
                .shares = 1000,
                .autodeflate = i % 3 != 0,
                .running = i % 11 != 0,
            };
        size_t shift = random_below(&r, n);
        for (size_t i = 0; i < n; i++)
            mixed[(i + shift) % n] = vm[i];
        struct memory_input in = {.host = {.total_kib = 4 << 20, .available_kib = random_below(&r, 1 << 20)},
                                  .n_vms = n,
                                  .vms = vm};
        struct memory_output x, y;
        memory_manager_step(a, &in, (struct mono){step * 700}, &x);
        in.vms = mixed;
        memory_manager_step(b, &in, (struct mono){step * 700}, &y);
        for (size_t i = 0; i < n; i++) {
            const struct memory_vm_view *p = &x.views[i], *q = &y.views[(i + shift) % n];
            assert_int_equal(p->id, q->id);
            assert_true(fabs((double)p->target_kib - (double)q->target_kib) <= 1024); // sums in another order
            assert_true(p->target_kib <= 256 << 10);
        }
    }
    memory_manager_free(a);
    memory_manager_free(b);
}

static void advice_is_given_and_nothing_waited_for(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(1, NULL);
    struct memory_vm_input vm = {.id = 1,
                                 .maxmem_kib = 256 << 10,
                                 .currentmem_kib = 256 << 10,
                                 .resident_kib = 300 << 10,
                                 .overhead_kib = 50 << 10,
                                 .has_statistics = true,
                                 .unused_kib = 150 << 10,
                                 .usable_kib = 150 << 10,
                                 .shares = 1000,
                                 .autodeflate = true,
                                 .running = true};
    struct memory_input in = {.advise_only = true,
                              .host = {.total_kib = 512 << 10, .available_kib = 40 << 10},
                              .n_vms = 1,
                              .vms = &vm};
    struct memory_output out;
    for (int64_t s = 0; s < 60; s++) {
        vm.unused_kib = vm.usable_kib = (uint64_t)(150 << 10) - (uint64_t)(s % 2) * 64;
        memory_manager_step(m, &in, (struct mono){s * 1000}, &out);
        assert_int_equal(out.views[0].condition, MEMORY_ACTIVE);
        assert_true(s == 0 || out.n_actions == 1);
    }
    memory_manager_free(m);
}

static void a_sample_that_lies_promises_no_more_than_the_host_has(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(2, NULL);
    struct memory_vm_input vm[2];
    for (size_t i = 0; i < 2; i++)
        vm[i] = (struct memory_vm_input){.id = i,
                                         .maxmem_kib = 256 << 10,
                                         .currentmem_kib = 180 << 10,
                                         .resident_kib = 225 << 10,
                                         .overhead_kib = 50 << 10,
                                         .has_statistics = true,
                                         .unused_kib = 5 << 10,
                                         .usable_kib = 5 << 10,
                                         .shares = 1000,
                                         .guest_swap = MEMORY_YES,
                                         .autodeflate = true,
                                         .running = true};
    struct memory_input in = {
        .host = {.total_kib = 470 << 10, .available_kib = 5 << 10}, .n_vms = 2, .vms = vm};
    struct memory_output out;
    memory_manager_step(m, &in, (struct mono){1000}, &out);
    for (int lie = 0; lie < 2; lie++) {
        in.host.available_kib = lie ? 460 << 10 : 5 << 10;
        in.host.swap_free_kib = lie ? 0 : UINT64_MAX - 511;
        memory_manager_step(m, &in, (struct mono){2000 + lie * 1000}, &out);
        assert_true(out.views[0].target_kib + out.views[1].target_kib <= 375 << 10);
        assert_true(out.capacity_kib <= 370 << 10);
    }
    memory_manager_free(m);
}

// A host of 8 GiB and four guests that have touched 9 and use 4: what it has swapped is no room, and its balloons take
// the guests out of the swap.
static void a_host_that_has_swapped_comes_out_of_its_swap(void **state)
{
    (void)state;
    const uint64_t total = UINT64_C(8) << 20, each = (total + (UINT64_C(1) << 20)) / 4,
                   used = UINT64_C(1) << 20;
    struct memory_manager *m = memory_manager_new(4, NULL);
    struct memory_vm_input vm[4];
    uint64_t current[4] = {each, each, each, each}, resident[4] = {each, each, each, each}, all = 0;
    struct memory_output out;
    for (int step = 0; step < 30; step++) {
        all = 0;
        for (uint64_t i = 0; i < 4; i++) {
            vm[i] = (struct memory_vm_input){.id = i,
                                             .maxmem_kib = each,
                                             .currentmem_kib = current[i],
                                             .resident_kib = resident[i],
                                             .has_statistics = true,
                                             .usable_kib = current[i] - used,
                                             .disk_caches_kib = current[i] - used,
                                             .shares = 1,
                                             .guest_swap = MEMORY_YES,
                                             .autodeflate = true,
                                             .running = true};
            all += resident[i];
        }
        struct memory_input in = {.host = {.total_kib = total,
                                           .available_kib = total > all ? total - all : 0,
                                           .swap_total_kib = total / 4,
                                           .swap_free_kib = total / 4 - (all > total ? all - total : 0)},
                                  .n_vms = 4,
                                  .vms = vm};
        memory_manager_step(m, &in, (struct mono){step * 10000}, &out);
        assert_true(out.capacity_kib <= total + total / 20); // with what guests' kernels never use
        for (size_t i = 0; i < out.n_actions; i++) {
            uint64_t id = out.actions[i].id;
            current[id] = out.actions[i].to_kib;
            resident[id] = current[id] < resident[id] ? current[id] : resident[id]; // touches nothing more
        }
    }
    assert_true(all < total);
    assert_true(out.state < MEMORY_HARD);
    memory_manager_free(m);
}

// One guest, 100 MiB in use and a cache of 100 that it reads again and again, its balloon left where it is.
static uint64_t used_with_cache_mib(uint64_t faults_a_second)
{
    struct memory_manager *m = memory_manager_new(1, NULL);
    struct memory_vm_input vm = {.id = 1,
                                 .maxmem_kib = 256 << 10,
                                 .currentmem_kib = 210 << 10,
                                 .resident_kib = 260 << 10,
                                 .overhead_kib = 50 << 10,
                                 .has_statistics = true,
                                 .unused_kib = 10 << 10,
                                 .usable_kib = 110 << 10,
                                 .disk_caches_kib = 100 << 10,
                                 .shares = 1000,
                                 .autodeflate = true,
                                 .running = true};
    struct memory_input in = {.advise_only = true,
                              .host = {.total_kib = 1 << 20, .available_kib = 200 << 10},
                              .n_vms = 1,
                              .vms = &vm};
    struct memory_output out;
    for (int64_t s = 0; s < 30; s++) {
        vm.major_faults += faults_a_second;
        memory_manager_step(m, &in, (struct mono){s * 1000}, &out);
    }
    uint64_t used_mib = out.views[0].usedmem_kib >> 10;
    memory_manager_free(m);
    return used_mib;
}

static void cache_whose_loss_is_read_anew_counts_whole(void **state)
{
    (void)state;
    assert_int_equal(used_with_cache_mib(0), 150);
    assert_int_equal(used_with_cache_mib(10), 150);
    assert_int_equal(used_with_cache_mib(200), 200);
}

static void what_cannot_be_held_is_said(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(2, NULL);
    struct memory_vm_input vm[2];
    for (size_t i = 0; i < 2; i++)
        vm[i] = (struct memory_vm_input){.id = i,
                                         .maxmem_kib = 1 << 20,
                                         .currentmem_kib = 1 << 20,
                                         .resident_kib = 400 << 10,
                                         .overhead_kib = 50 << 10,
                                         .shares = 1000,
                                         .obstacle = MEMORY_OBSTACLE_VFIO,
                                         .running = true};
    struct memory_input in = {
        .host = {.total_kib = 1 << 20, .available_kib = 200 << 10}, .n_vms = 2, .vms = vm};
    struct memory_output out;
    memory_manager_step(m, &in, (struct mono){1000}, &out);
    assert_true(out.refuse_auto);
    assert_int_equal(out.n_unballoonable, 2);
    // What they may grow to, less what is there: 2 x (1024 - 350) - (200 - 40) MiB.
    assert_true(out.missing_kib > 1150u << 10 && out.missing_kib < 1250u << 10);
    memory_manager_free(m);
}

int main(int argc, char **argv)
{
    (void)argv;
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
        cmocka_unit_test(a_stuck_balloon_is_reported_and_nobody_waits),
        cmocka_unit_test(a_stopped_guest_is_reported_and_nobody_waits),
        cmocka_unit_test(a_guest_that_the_host_sees_stopped_is_reported_and_nobody_waits),
        cmocka_unit_test(a_guest_without_driver_is_reported),
        cmocka_unit_test(a_liar_gets_no_more_than_its_part),
        cmocka_unit_test(memory_is_divided_by_shares_in_contention),
        cmocka_unit_test(twice_the_shares_are_served_whole_and_the_other_gets_what_is_left),
        cmocka_unit_test(a_reservation_comes_before_shares_also_for_a_guest_that_was_squeezed),
        cmocka_unit_test(what_ballooning_cannot_meet_is_unmet_demand),
        cmocka_unit_test(what_is_cold_in_swap_is_no_demand_for_ever),
        cmocka_unit_test(what_was_cold_in_swap_is_wanted_again_when_it_is_worked_on),
        cmocka_unit_test(guests_without_swap_are_not_killed),
        cmocka_unit_test(a_host_that_has_swapped_comes_out_of_its_swap),
        cmocka_unit_test(random_demand_kills_nobody),
        cmocka_unit_test(a_restart_in_contention_moves_little),
        cmocka_unit_test(memory_in_split_huge_pages_is_not_taken_again),
        cmocka_unit_test(coming_to_contention_takes_few_commands),
        cmocka_unit_test(an_excluded_guest_is_never_touched),
        cmocka_unit_test(with_plenty_nothing_moves),
        cmocka_unit_test(order_of_the_input_changes_nothing),
        cmocka_unit_test(advice_is_given_and_nothing_waited_for),
        cmocka_unit_test(a_sample_that_lies_promises_no_more_than_the_host_has),
        cmocka_unit_test(cache_whose_loss_is_read_anew_counts_whole),
        cmocka_unit_test(what_cannot_be_held_is_said),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
