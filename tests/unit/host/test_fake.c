// The fake host obeys, and hangs, lies, refuses, vanishes and is slow on command.
#include "../test.h"

#include <stdlib.h>
#include <uv.h>

#include "host/fake.h"

#define MIB 1024

struct seen {
    uv_loop_t own_loop, *loop;
    struct host *host;
    unsigned answers, samples, closed;
    enum host_outcome outcome;
    struct error error;
    double answered_after_ms;
    uint64_t asked_at_ms;
    struct host_presence presence;
    unsigned events[HOST_EVENT_PRESSURE + 1];
    struct host_sample sample;
    struct host_vm first; // of the sample
};

static void on_event(void *user, const struct host_event *event)
{
    struct seen *seen = user;
    seen->events[event->kind]++;
}

static void on_done(void *user, enum host_outcome outcome, const struct error *error)
{
    struct seen *seen = user;
    seen->answers++;
    seen->outcome = outcome;
    seen->error = *error;
    seen->answered_after_ms = (double)(uv_now(seen->loop) - seen->asked_at_ms);
}

static void on_migrated(void *user, enum host_outcome outcome, const struct host_progress *final,
                        const struct error *error)
{
    (void) final;
    on_done(user, outcome, error);
}

static void on_sample(void *user, const struct host_sample *sample, const struct error *error)
{
    struct seen *seen = user;
    seen->samples++;
    seen->error = *error;
    if (sample)
        seen->sample = *sample;
    if (sample && sample->n_vms > 0)
        seen->first = sample->vms[0];
}

static void on_presence(void *user, const struct host_presence *presence, const struct error *error)
{
    struct seen *seen = user;
    seen->answers++;
    seen->error = *error;
    if (presence)
        seen->presence = *presence;
}

static void on_closed(void *user)
{
    struct seen *seen = user;
    seen->closed++;
}

static int setup(void **state)
{
    struct seen *seen = calloc(1, sizeof *seen);
    uv_loop_init(&seen->own_loop);
    seen->loop = &seen->own_loop;
    struct error err = {0};
    struct host_settings settings = {.call_deadline_ms = 40, .max_abandoned = 2};
    seen->host = host_fake.open(seen->loop, &settings, on_event, seen, &err);
    host_fake_add_vm(seen->host, "g1", 256 * MIB, 2);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    seen->asked_at_ms = uv_now(seen->loop);
    *state = seen;
    return 0;
}

static int teardown(void **state)
{
    struct seen *seen = *state;
    if (!seen->closed)
        seen->host->ops->close(seen->host, on_closed, seen);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    int left = seen->closed == 1 && uv_loop_close(seen->loop) == 0 ? 0 : -1;
    free(seen);
    return left;
}

static const struct host_uuid *g1(struct seen *seen)
{
    return &host_fake_find_vm(seen->host, "g1")->vm.uuid;
}

static void rule(struct seen *seen, enum host_fake_call call, enum host_fake_behaviour behaviour,
                 unsigned times)
{
    host_fake_add_rule(seen->host,
                       (struct host_fake_rule){.call = call, .behaviour = behaviour, .times = times});
}

static void balloon_to(struct seen *seen, uint64_t kib)
{
    struct host_uuid uuid = *g1(seen);
    seen->host->ops->set_balloon(seen->host, &uuid, kib, on_done, seen);
}

static void sample(struct seen *seen)
{
    struct error err = {0};
    assert_int_equal(seen->host->ops->sample(seen->host, HOST_GROUP_ALL, on_sample, seen, &err), 0);
    uv_run(seen->loop, UV_RUN_DEFAULT);
}

static void an_answer_never_comes_within_the_call(void **state)
{
    struct seen *seen = *state;
    balloon_to(seen, 128 * MIB);
    assert_int_equal(seen->answers, 0);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->answers, 1);
}

static void an_obeyed_balloon_moves_and_tells_an_event(void **state)
{
    struct seen *seen = *state;
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
    assert_int_equal(seen->events[HOST_EVENT_BALLOON], 1);
    sample(seen);
    assert_int_equal(seen->first.current_kib, 128 * MIB);
}

static void a_stuck_balloon_stops_where_it_is_stuck(void **state)
{
    struct seen *seen = *state;
    host_fake_find_vm(seen->host, "g1")->balloon_stuck_at_kib = 200 * MIB;
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    sample(seen);
    assert_int_equal(seen->first.current_kib, 200 * MIB);
}

static void a_shrinking_balloon_frees_host_memory_where_the_test_says_so(void **state)
{
    struct seen *seen = *state;
    host_fake_find_vm(seen->host, "g1")->resident_follows = true;
    host_fake_memory(seen->host)->available_kib = 10 * MIB;
    balloon_to(seen, 200 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    sample(seen);
    assert_int_equal(seen->first.actual_kib, 200 * MIB);
    assert_int_equal(seen->sample.memory.available_kib, (10 + 56) * MIB);
}

static void a_refusal_changes_nothing_and_is_used_up(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_REFUSE, 1);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_REFUSED);
    assert_int_equal(host_fake_find_vm(seen->host, "g1")->vm.current_kib, 256 * MIB);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
}

static void a_lie_says_done_and_changes_nothing(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_LIE, 0);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
    assert_int_equal(host_fake_find_vm(seen->host, "g1")->vm.current_kib, 256 * MIB);
}

static void a_hanging_call_is_unknown_at_its_deadline(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_HANG, 0);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_UNKNOWN_OUTCOME);
    assert_int_equal(seen->error.kind, ERROR_TIMEOUT);
    assert_true(seen->answered_after_ms >= 40);
    assert_int_equal(host_fake_find_vm(seen->host, "g1")->vm.current_kib, 256 * MIB);
}

static void an_unknown_call_may_have_happened(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_HANG_BUT_DO, 0);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_UNKNOWN_OUTCOME);
    assert_int_equal(host_fake_find_vm(seen->host, "g1")->vm.current_kib, 128 * MIB);
}

static void a_vm_with_a_hanging_call_refuses_the_next_at_once(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_HANG, 1);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    seen->asked_at_ms = uv_now(seen->loop);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_REFUSED);
    assert_true(seen->answered_after_ms < 40);
    sample(seen);
    assert_true(seen->first.hanging);
    assert_int_equal(seen->sample.abandoned_calls, 1);
}

static void a_vanished_vm_is_missing_and_tells_an_event(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_VANISH, 1);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->error.kind, ERROR_MISSING);
    assert_int_equal(seen->events[HOST_EVENT_STOPPED], 1);
    assert_null(host_fake_find_vm(seen->host, "g1"));
}

static void a_slow_call_takes_its_time(void **state)
{
    struct seen *seen = *state;
    host_fake_add_rule(seen->host, (struct host_fake_rule){.name = "g1", .delay_ms = 20});
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
    assert_true(seen->answered_after_ms >= 20);
}

static void without_libvirt_samples_come_and_actions_are_refused(void **state)
{
    struct seen *seen = *state;
    host_fake_set_connected(seen->host, false);
    sample(seen);
    assert_false(seen->sample.connected);
    assert_int_equal(seen->sample.n_vms, 1);
    balloon_to(seen, 128 * MIB);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->error.kind, ERROR_LOST);
    assert_int_equal(seen->events[HOST_EVENT_LOST], 1);
}

static void stale_statistics_age(void **state)
{
    struct seen *seen = *state;
    host_fake_find_vm(seen->host, "g1")->stats_stale = true;
    sample(seen);
    assert_true(seen->first.balloon.last_update_age_ms > 1000);
}

static void a_migrated_vm_is_gone(void **state)
{
    struct seen *seen = *state;
    host_fake_set_migration_ms(seen->host, 10);
    struct host_migration_request request = {.uuid = *g1(seen), .destination_uri = "fake://h2"};
    seen->host->ops->migrate(seen->host, &request, on_migrated, seen);
    assert_true(host_fake_find_vm(seen->host, "g1")->vm.migrating);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
    assert_int_equal(seen->events[HOST_EVENT_MIGRATED_AWAY], 1);
    assert_null(host_fake_find_vm(seen->host, "g1"));
}

static void a_second_migration_of_a_vm_is_refused_and_the_first_goes_on(void **state)
{
    struct seen *seen = *state;
    struct host_migration_request request = {.uuid = *g1(seen), .destination_uri = "fake://h2"};
    struct seen first = {.loop = seen->loop};
    seen->host->ops->migrate(seen->host, &request, on_migrated, &first);
    seen->host->ops->migrate(seen->host, &request, on_migrated, seen);
    uv_run(seen->loop, UV_RUN_NOWAIT);
    assert_int_equal(seen->outcome, HOST_REFUSED);
    assert_true(host_fake_find_vm(seen->host, "g1")->vm.migrating);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(first.outcome, HOST_DONE);
}

static void an_aborted_migration_is_cancelled_and_the_vm_stays(void **state)
{
    struct seen *seen = *state;
    struct seen migration = {.loop = seen->loop};
    struct host_migration_request request = {.uuid = *g1(seen), .destination_uri = "fake://h2"};
    seen->host->ops->migrate(seen->host, &request, on_migrated, &migration);
    seen->host->ops->abort_migration(seen->host, &request.uuid, on_done, seen);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->outcome, HOST_DONE);
    assert_int_equal(migration.outcome, HOST_CANCELLED);
    assert_false(host_fake_find_vm(seen->host, "g1")->vm.migrating);
}

static void presence_tells_what_the_test_put_there(void **state)
{
    struct seen *seen = *state;
    struct host_uuid uuid = *g1(seen);
    seen->host->ops->presence(seen->host, NULL, &uuid, on_presence, seen);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->presence.state, HOST_PRESENCE_RUNNING);
    host_fake_set_presence(seen->host, "fake://h2", &uuid,
                           (struct host_presence){.state = HOST_PRESENCE_INCOMING, .claim = "c7"});
    seen->host->ops->presence(seen->host, "fake://h2", &uuid, on_presence, seen);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->presence.state, HOST_PRESENCE_INCOMING);
    assert_string_equal(seen->presence.claim, "c7");
}

static void calls_are_recorded_in_order(void **state)
{
    struct seen *seen = *state;
    balloon_to(seen, 128 * MIB);
    balloon_to(seen, 64 * MIB);
    assert_int_equal(host_fake_n_records(seen->host), 2);
    assert_int_equal(host_fake_record_at(seen->host, 0)->value, 128 * MIB);
    assert_int_equal(host_fake_record_at(seen->host, 1)->value, 64 * MIB);
    assert_string_equal(host_fake_record_at(seen->host, 1)->name, "g1");
}

static void closing_answers_what_is_outstanding_once(void **state)
{
    struct seen *seen = *state;
    rule(seen, HOST_FAKE_SET_BALLOON, HOST_FAKE_HANG, 0);
    balloon_to(seen, 128 * MIB);
    seen->host->ops->close(seen->host, on_closed, seen);
    assert_int_equal(seen->answers, 0);
    uv_run(seen->loop, UV_RUN_DEFAULT);
    assert_int_equal(seen->answers, 1);
    assert_int_equal(seen->error.kind, ERROR_STOPPED);
    assert_int_equal(seen->closed, 1);
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLAIM(an_answer_never_comes_within_the_call),
        CLAIM(an_obeyed_balloon_moves_and_tells_an_event),
        CLAIM(a_stuck_balloon_stops_where_it_is_stuck),
        CLAIM(a_shrinking_balloon_frees_host_memory_where_the_test_says_so),
        CLAIM(a_refusal_changes_nothing_and_is_used_up),
        CLAIM(a_lie_says_done_and_changes_nothing),
        CLAIM(a_hanging_call_is_unknown_at_its_deadline),
        CLAIM(an_unknown_call_may_have_happened),
        CLAIM(a_vm_with_a_hanging_call_refuses_the_next_at_once),
        CLAIM(a_vanished_vm_is_missing_and_tells_an_event),
        CLAIM(a_slow_call_takes_its_time),
        CLAIM(without_libvirt_samples_come_and_actions_are_refused),
        CLAIM(stale_statistics_age),
        CLAIM(a_migrated_vm_is_gone),
        CLAIM(a_second_migration_of_a_vm_is_refused_and_the_first_goes_on),
        CLAIM(an_aborted_migration_is_cancelled_and_the_vm_stays),
        CLAIM(presence_tells_what_the_test_put_there),
        CLAIM(calls_are_recorded_in_order),
        CLAIM(closing_answers_what_is_outstanding_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
