// The immediate balancer in a small world on virtual time: spikes, waves, random loads.
#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance_world.h"
#include "base/random.h"

struct square {
    double period_s, duty;
    uint32_t n_together; // VMs 0 .. n - 1 are busy in the first part of the period
    double busy_cores, idle_cores;
    double spike_at_s, spike_s;
};

// Part of the step in which the phase is within [from, to) of the period.
static double overlap(double t, double step, double period, double from, double to)
{
    double sum = 0;
    for (double x = t; x < t + step - 1e-9; x += 0.5) {
        double phase = fmod(x, period) / period;
        sum += phase >= from && phase < to ? fmin(0.5, t + step - x) : 0;
    }
    return sum / step;
}

static double constant(void *context, uint32_t v, double t, double step)
{
    (void)v;
    (void)t;
    (void)step;
    return *(double *)context;
}

static double one_spike(void *context, uint32_t v, double t, double step)
{
    const struct square *s = context;
    double part = fmax(0, fmin(t + step, s->spike_at_s + s->spike_s) - fmax(t, s->spike_at_s)) / step;
    return v < s->n_together ? s->idle_cores + part * (s->busy_cores - s->idle_cores) : s->idle_cores;
}

// VMs of even number are busy in the first half of the period, those of odd number in the second one.
static double in_turns(void *context, uint32_t v, double t, double step)
{
    const struct square *s = context;
    double from = v % 2 == 0 ? 0 : 0.5;
    double part = overlap(t, step, s->period_s, from, from + 0.5);
    return s->idle_cores + part * (s->busy_cores - s->idle_cores);
}

static double all_at_once(void *context, uint32_t v, double t, double step)
{
    const struct square *s = context;
    double part = overlap(t, step, s->period_s, 0, s->duty);
    return v < s->n_together ? s->idle_cores + part * (s->busy_cores - s->idle_cores) : s->idle_cores;
}

static void two_busy_vms_on_a_host_part_when_another_is_idle(void **state)
{
    (void)state;
    double one = 1;
    struct world *w = world_new(2, 1, 1, 1);
    w->demand = constant;
    w->context = &one;
    world_add_vm(w, 0, 1, 256);
    world_add_vm(w, 0, 1, 256);
    world_run(w, 240);
    assert_int_equal(w->n_moves, 1);
    double before = w->lost_to_contention_vm_s;
    world_run(w, 3600);
    assert_int_equal(w->n_moves, 1);
    assert_float_equal(w->lost_to_contention_vm_s, before, 1e-9);
    world_free(w);
}

static void a_spike_of_five_seconds_moves_nothing(void **state)
{
    (void)state;
    for (int step = 1; step <= 10; step++)
        for (int vms = 2; vms <= 8; vms++)
            for (double offset = 0; offset < 10; offset += 1.7) {
                struct square s = {.n_together = (uint32_t)vms,
                                   .busy_cores = 1,
                                   .idle_cores = 0.05,
                                   .spike_at_s = 300 + offset,
                                   .spike_s = 5};
                struct world *w = world_new(2, vms / 2.0, step, 3);
                w->host[1].cores = 16;
                w->demand = one_spike;
                w->context = &s;
                for (int v = 0; v < vms; v++)
                    world_add_vm(w, 0, 1, 128);
                world_run(w, 900);
                assert_true(step > 4 || w->lost_to_contention_vm_s > 0);
                assert_int_equal(w->n_moves, 0);
                world_free(w);
            }
}

static void a_contention_that_lasts_is_relieved_the_sooner_the_cheaper_the_move(void **state)
{
    (void)state;
    double one = 1, when[2];
    for (int big = 0; big < 2; big++) {
        struct world *w = world_new(2, 2, 1, 3);
        w->host[1].cores = 8;
        w->demand = constant;
        w->context = &one;
        for (int v = 0; v < 4; v++)
            world_add_vm(w, 0, 1, big ? 60000 : 500);
        world_run(w, 3600);
        assert_int_equal(w->n_moves, 2);
        when[big] = w->move[0].at_s;
        world_free(w);
    }
    assert_true(when[0] < 40);
    assert_true(when[1] > 2 * when[0] && when[1] < 400);
}

// Two hosts, busy in turns, with every period from 20 s to 2 h: nothing may go back and forth.
static void square_waves_of_all_periods_cause_no_ping_pong(void **state)
{
    (void)state;
    static const double period[] = {20,  30,  45,   60,   90,   120,  200,  300, 450,
                                    600, 900, 1200, 1800, 2700, 3600, 5400, 7200};
    for (size_t k = 0; k < sizeof period / sizeof period[0]; k++)
        for (int shape = 0; shape < 3; shape++) {
            struct square s = {.period_s = period[k], .busy_cores = 1.9, .idle_cores = 0.05};
            struct world *w = world_new(2, 3, period[k] < 100 ? 1 : 5, 7);
            w->demand = in_turns;
            w->context = &s;
            // shape 0: even VMs on host 0, odd ones on host 1; 1: all on host 0; 2: larger VMs
            for (uint32_t v = 0; v < 6; v++)
                world_add_vm(w, shape == 1 ? 0 : v % 2, 2, shape == 2 ? 16000 : 1000);
            // Short waves show in hours what they do; BALLAST_LONG runs them for the day, too.
            world_run(w, period[k] >= 100 || getenv("BALLAST_LONG") ? 86400 : 4 * 3600);
            if (w->returns_1h > 0 || world_moves_per_vm_and_day(w) > 6)
                print_message("# period %.0f s, shape %d: %u moves, %u returns, %u a VM and day\n", period[k],
                              shape, w->n_moves, w->returns_1h, world_moves_per_vm_and_day(w));
            assert_int_equal(w->returns_1h, 0);
            assert_true(world_moves_per_vm_and_day(w) <= 6);
            world_free(w);
        }
}

static void hosts_that_share_their_spikes_do_not_shuffle_vms(void **state)
{
    (void)state;
    // Everywhere at once: there is no better place, so nothing is worth a move.
    struct square s = {.period_s = 300, .duty = 0.3, .n_together = 64, .busy_cores = 1, .idle_cores = 0.1};
    struct world *w = world_new(4, 4, 5, 9);
    w->demand = all_at_once;
    w->context = &s;
    for (uint32_t v = 0; v < 24; v++)
        world_add_vm(w, v % 4, 1, 2000);
    world_run(w, 86400);
    assert_true(w->lost_to_contention_vm_s > 0);
    assert_int_equal(w->n_moves, 0);
    world_free(w);
}

struct walk {
    struct random r;
    double level[WORLD_MOST_VMS];
    double next_s[WORLD_MOST_VMS];
};

// Each VM draws a new level after random times: most low, some high.
static double random_levels(void *context, uint32_t v, double t, double step)
{
    struct walk *k = context;
    (void)step;
    if (t >= k->next_s[v]) {
        k->next_s[v] = t - 600 * log(1 - random_unit(&k->r));
        k->level[v] = random_unit(&k->r) < 0.3 ? 2 + 2 * random_unit(&k->r) : 0.3 * random_unit(&k->r);
    }
    return k->level[v];
}

static struct world *random_world(uint64_t seed, bool act, double seconds)
{
    static struct walk k;
    memset(&k, 0, sizeof k);
    k.r = random_seed(seed);
    struct world *w = world_new(4, 8, 5, seed);
    w->act = act;
    w->demand = random_levels;
    w->context = &k;
    for (uint32_t v = 0; v < 24; v++)
        world_add_vm(w, v % 4, 4, 4000);
    world_run(w, seconds);
    return w;
}

static void it_loses_far_less_than_doing_nothing_on_random_loads(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *with = random_world(seed, true, 6 * 3600),
                     *without = random_world(seed, false, 6 * 3600);
        double lost = with->lost_to_contention_vm_s + with->lost_to_migration_vm_s;
        print_message("# seed %u: %.0f lost VM-s with %u moves, %.0f without\n", (unsigned)seed, lost,
                      with->n_moves, without->lost_to_contention_vm_s);
        assert_true(lost < 0.6 * without->lost_to_contention_vm_s);
        assert_int_equal(with->returns_1h, 0);
        assert_true(world_moves_per_vm_and_day(with) <= 6);
        world_free(with);
        world_free(without);
    }
}

static void the_same_seed_gives_the_same_moves(void **state)
{
    (void)state;
    struct world *a = random_world(3, true, 3 * 3600), *b = random_world(3, true, 3 * 3600);
    assert_int_equal(a->n_moves, b->n_moves);
    assert_memory_equal(a->move, b->move, a->n_moves * sizeof a->move[0]);
    world_free(a);
    world_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_busy_vms_on_a_host_part_when_another_is_idle),
        cmocka_unit_test(a_spike_of_five_seconds_moves_nothing),
        cmocka_unit_test(a_contention_that_lasts_is_relieved_the_sooner_the_cheaper_the_move),
        cmocka_unit_test(square_waves_of_all_periods_cause_no_ping_pong),
        cmocka_unit_test(hosts_that_share_their_spikes_do_not_shuffle_vms),
        cmocka_unit_test(it_loses_far_less_than_doing_nothing_on_random_loads),
        cmocka_unit_test(the_same_seed_gives_the_same_moves),
    };
    return cmocka_run_group_tests_name("immediate_world", tests, NULL, NULL);
}
