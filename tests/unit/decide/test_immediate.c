#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance_world.h"
#include "base/random.h"

// ---- demands

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

// ---- tests

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

// ---- single steps

static struct immediate_vm busy_vm(uint64_t id, const char *name, double demand, double delivered)
{
    return (struct immediate_vm){.id = id,
                                 .name = name,
                                 .vcpus = 2,
                                 .cpu_demand_cores = demand,
                                 .cpu_delivered_cores = delivered,
                                 .cpu_limit_cores = 2,
                                 .cpu_shares = 1000,
                                 .mem_used_mib = 1000,
                                 .mem_resident_mib = 1000,
                                 .mem_limit_mib = 2000,
                                 .mem_shares = 1000,
                                 .shares = 1000,
                                 .movable = true};
}

struct bench {
    struct arena *arena;
    struct immediate *loop;
    struct immediate_vm vm[2];
    struct immediate_host host[1];
    struct immediate_input in;
    struct immediate_output out;
    struct mono now;
};

static struct bench *bench_new(void)
{
    struct arena *arena = arena_new(0);
    struct bench *b = arena_new_object(arena, struct bench);
    b->arena = arena;
    b->loop = immediate_new(arena, 8, 4, 1);
    b->vm[0] = busy_vm(1, "a", 2, 1);
    b->vm[1] = busy_vm(2, "b", 2, 1);
    b->host[0] = (struct immediate_host){
        .id = 9, .name = "other", .open = true, .cpu_cores = 8, .mem_mib = 64000, .bandwidth_mib_s = 1000};
    b->in = (struct immediate_input){.cpu_cores = 2,
                                     .mem_mib = 64000,
                                     .bandwidth_mib_s = 1000,
                                     .mean_shares = 1000,
                                     .n_vms = 2,
                                     .vm = b->vm,
                                     .n_hosts = 1,
                                     .host = b->host};
    return b;
}

// Steps of one second; the verdict of the last one.
static enum immediate_verdict go(struct bench *b, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        b->now.ms += 1000;
        immediate_step(b->loop, &b->in, b->now, &b->out);
        if (b->out.verdict == IMMEDIATE_MOVE)
            break;
    }
    return b->out.verdict;
}

static void it_waits_for_a_spike_to_pass_then_moves(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    assert_int_equal(go(b, 10), IMMEDIATE_SPIKE);
    assert_int_equal(go(b, 10), IMMEDIATE_MOVE);
    assert_int_equal(b->out.host, 9);
    assert_true(b->out.benefit_lost_vm_s > b->out.cost_lost_vm_s);
    assert_true(b->out.decision.n_candidates > 0);
    arena_free(b->arena);
}

static void what_the_last_plan_has_seen_is_left_to_the_next(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    for (int i = 1; i <= 600; i++) { // planned when the contention had lasted 10 s
        b->in.planned_ago_s = i > 10 ? i - 10 : 0;
        enum immediate_verdict verdict = go(b, 1);
        assert_int_not_equal(verdict, IMMEDIATE_MOVE);
    }
    assert_int_equal(b->out.verdict, IMMEDIATE_HELD_BACK);
    arena_free(b->arena);
    b = bench_new(); // planned before it began
    int moves = 0;
    for (int i = 1; i <= 100; i++) {
        b->in.planned_ago_s = 100 + i;
        moves += go(b, 1) == IMMEDIATE_MOVE;
    }
    assert_true(moves > 0);
    arena_free(b->arena);
}

static void it_holds_back_while_the_long_term_plans_but_not_for_ever(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->in.long_term_planning = true;
    assert_int_equal(go(b, 25), IMMEDIATE_HELD_BACK);
    assert_int_equal(go(b, 60), IMMEDIATE_MOVE);
    arena_free(b->arena);
}

static void a_guest_in_distress_is_not_made_to_wait(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->in.long_term_planning = true;
    b->vm[0].mem_missing_mib = 200;
    b->vm[0].distress = true;
    assert_int_equal(go(b, 8), IMMEDIATE_MOVE);
    assert_true(b->out.critical);
    assert_true(b->now.ms <= 8000);
    arena_free(b->arena);
}

static void no_destination_wakes_the_long_term_once_a_minute(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    int signals = 0;
    b->host[0].coming_cpu_cores = b->host[0].cpu_cores;
    for (int i = 0; i < 145; i++) {
        go(b, 1);
        signals += b->out.wake_long_term;
    }
    assert_int_equal(b->out.verdict, IMMEDIATE_NO_DESTINATION);
    assert_int_equal(signals, 3);
    arena_free(b->arena);
}

static void what_is_on_its_way_to_a_host_takes_its_room(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->host[0].coming_cpu_cores = b->host[0].cpu_cores;
    assert_int_equal(go(b, 30), IMMEDIATE_NO_DESTINATION);
    b->host[0].coming_cpu_cores = 0;
    b->host[0].coming_mem_mib = 63500;
    assert_int_equal(go(b, 30), IMMEDIATE_NO_DESTINATION);
    arena_free(b->arena);
}

static void a_stale_row_is_no_destination(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->host[0].age_s = IMMEDIATE_ROW_AGE_MOST_S + 1;
    assert_int_equal(go(b, 30), IMMEDIATE_NO_DESTINATION);
    arena_free(b->arena);
}

static void pinned_vms_stay_and_the_reason_says_so(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    char text[256];
    b->vm[0].movable = b->vm[1].movable = false;
    assert_int_equal(go(b, 30), IMMEDIATE_NOTHING_MOVABLE);
    assert_non_null(strstr(immediate_explain(&b->out, text, sizeof text), "no VM here may be moved"));
    arena_free(b->arena);
}

static void after_a_move_it_waits_to_see_its_effect(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    assert_int_equal(go(b, 30), IMMEDIATE_MOVE);
    b->in.move_running = true;
    assert_int_equal(go(b, 3), IMMEDIATE_BUSY);
    b->in.move_running = false;
    immediate_report(b->loop, b->out.vm, IMMEDIATE_DONE, 3, b->now);
    assert_int_equal(go(b, 5), IMMEDIATE_COOLING);
    arena_free(b->arena);
}

static void failures_in_a_row_make_it_wait_longer_and_longer(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    double before = 0;
    assert_int_equal(go(b, 30), IMMEDIATE_MOVE);
    for (int i = 0; i < 6; i++) {
        struct mono failed = b->now;
        immediate_report(b->loop, b->out.vm, IMMEDIATE_FAILED, 3, b->now);
        assert_int_equal(go(b, 4000), IMMEDIATE_MOVE);
        double waited = mono_seconds_between(failed, b->now);
        assert_true(waited > 1.5 * before || waited >= IMMEDIATE_COOL_MOST_S);
        before = waited;
    }
    arena_free(b->arena);
}

static void a_satisfied_vm_stays_while_an_unsatisfied_one_can_go(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->vm[0] = busy_vm(1, "small", 0.5, 0.5);
    b->vm[0].mem_resident_mib = 50; // though it would be cheaper
    b->vm[1].cpu_delivered_cores = 1.5;
    assert_int_equal(go(b, 60), IMMEDIATE_MOVE);
    assert_int_equal(b->out.vm, 2);
    arena_free(b->arena);
    b = bench_new();
    b->vm[0] = busy_vm(1, "small", 0.5, 0.5);
    b->vm[1].cpu_delivered_cores = 1.5;
    b->vm[1].movable = false;
    assert_int_equal(go(b, 60), IMMEDIATE_MOVE);
    assert_int_equal(b->out.vm, 1);
    arena_free(b->arena);
}

static void a_contention_ends_with_the_vms_that_suffered_it(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->host[0].open = false;
    go(b, 90);
    b->host[0].open = true;
    b->vm[0] = busy_vm(3, "c", 2, 1); // both are gone, two others are there, busy at once
    b->vm[1] = busy_vm(4, "d", 2, 1);
    assert_int_equal(go(b, 10), IMMEDIATE_SPIKE);
    assert_true(b->out.lasted_s <= 10);
    assert_float_equal(b->out.accrued_lost_vm_s, b->out.loss_per_s * 10, 1e-9);
    assert_int_equal(go(b, 10), IMMEDIATE_MOVE);
    arena_free(b->arena);
}

static void a_contention_goes_on_for_a_vm_that_stays(void **state)
{
    (void)state;
    struct bench *b = bench_new();
    b->host[0].open = false;
    go(b, 90);
    b->host[0].open = true;
    b->vm[1] = busy_vm(4, "d", 2, 1);
    go(b, 1);
    assert_true(b->out.lasted_s > 40 && b->out.lasted_s < 50);
    assert_int_equal(b->out.verdict, IMMEDIATE_MOVE);
    arena_free(b->arena);
}

static void vms_come_and_go_without_being_mixed_up(void **state)
{
    (void)state;
    struct random r = random_seed(5);
    struct arena *arena = arena_new(0);
    struct immediate *loop = immediate_new(arena, 32, 2, 1);
    struct immediate_vm vm[32];
    double starved[256] = {0};
    bool here[256] = {false};
    struct immediate_output out;
    for (int step = 0; step < 3000; step++) {
        struct immediate_input in = {
            .cpu_cores = 2, .mem_mib = 1e6, .bandwidth_mib_s = 1, .mean_shares = 1000, .vm = vm};
        bool next[256] = {false};
        for (uint64_t id = 0; id < 256 && in.n_vms < 32; id++)
            if (here[id] ? random_unit(&r) < 0.95 : random_unit(&r) < 0.01) {
                bool starves = id % 3 == 0;
                next[id] = true;
                if (!here[id])
                    starved[id] = 0;
                starved[id] = loss_starved_s(starved[id], starves ? 0.1 : 1, step > 0);
                vm[in.n_vms++] = busy_vm(id * 7919, "x", 2, starves ? 0.2 : 2);
            }
        immediate_step(loop, &in, (struct mono){step * 1000}, &out);
        memcpy(here, next, sizeof here);
        for (uint64_t id = 0; id < 256; id++)
            assert_float_equal(immediate_starved_s(loop, id * 7919), here[id] ? starved[id] : 0, 1e-9);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_for_a_spike_to_pass_then_moves),
        cmocka_unit_test(what_the_last_plan_has_seen_is_left_to_the_next),
        cmocka_unit_test(it_holds_back_while_the_long_term_plans_but_not_for_ever),
        cmocka_unit_test(a_guest_in_distress_is_not_made_to_wait),
        cmocka_unit_test(no_destination_wakes_the_long_term_once_a_minute),
        cmocka_unit_test(what_is_on_its_way_to_a_host_takes_its_room),
        cmocka_unit_test(a_stale_row_is_no_destination),
        cmocka_unit_test(pinned_vms_stay_and_the_reason_says_so),
        cmocka_unit_test(after_a_move_it_waits_to_see_its_effect),
        cmocka_unit_test(failures_in_a_row_make_it_wait_longer_and_longer),
        cmocka_unit_test(a_satisfied_vm_stays_while_an_unsatisfied_one_can_go),
        cmocka_unit_test(a_contention_ends_with_the_vms_that_suffered_it),
        cmocka_unit_test(a_contention_goes_on_for_a_vm_that_stays),
        cmocka_unit_test(vms_come_and_go_without_being_mixed_up),
        cmocka_unit_test(two_busy_vms_on_a_host_part_when_another_is_idle),
        cmocka_unit_test(a_spike_of_five_seconds_moves_nothing),
        cmocka_unit_test(a_contention_that_lasts_is_relieved_the_sooner_the_cheaper_the_move),
        cmocka_unit_test(square_waves_of_all_periods_cause_no_ping_pong),
        cmocka_unit_test(hosts_that_share_their_spikes_do_not_shuffle_vms),
        cmocka_unit_test(it_loses_far_less_than_doing_nothing_on_random_loads),
        cmocka_unit_test(the_same_seed_gives_the_same_moves),
    };
    return cmocka_run_group_tests_name("immediate", tests, NULL, NULL);
}
