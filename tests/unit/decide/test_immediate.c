// Single steps of the immediate balancer on one host with two busy VMs.
#include "../test.h"

#include <string.h>

#include "base/random.h"
#include "decide/immediate.h"

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
    };
    return cmocka_run_group_tests_name("immediate", tests, NULL, NULL);
}
