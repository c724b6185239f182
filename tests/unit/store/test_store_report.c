// Joining, reporting, reading back.
#include "fixture.h"

#include <math.h>

static struct store_cluster *read_all(struct fixture *f)
{
    struct store_cluster *c = NULL;
    ok(store_read_cluster(f->store, NULL, &c, &err));
    return c;
}

static void what_was_reported_is_read_back_with_its_age(void **state)
{
    struct fixture *f = *state;
    struct store_host h = a_host("h1");
    h.zone = "rack1";
    h.psi_memory_permille = -1;
    struct store_vm v = a_vm("v1", 1000.5);
    v.cpu_limit_cores = 1.5;
    v.why = "growing: swapping in";
    v.excluded = true;
    ok(store_join(f->store, &h, &v, 1, &err));
    f->clock_ms += 1500;
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->hosts.n, 1);
    assert_int_equal(c->snapshot->vms.n, 1);
    assert_string_equal(c->hosts[0].zone, "rack1");
    assert_null(c->hosts[0].closed_why);
    assert_true(c->hosts[0].psi_memory_permille == -1);
    assert_int_equal(c->hosts[0].heartbeat_age_ms, 1500);
    assert_true(c->hosts[0].alive);
    assert_true(c->vms[0].mem_used_mib == 1000.5);
    assert_true(c->vms[0].excluded);
    assert_string_equal(c->vms[0].why, "growing: swapping in");
    assert_string_equal(c->vms[0].host, "h1");
    assert_int_equal(c->vms[0].report_age_ms, 1500);
    assert_int_equal(c->vms[0].last_moved_age_ms, -1);
    ok(snapshot_check(c->snapshot, &err));
    assert_true(c->snapshot->vms.cpu_limit_cores[0] == 1.5);
    assert_true(c->snapshot->vms.mem_limit_mib[0] == 8192);
    assert_false(c->snapshot->vms.movable[0]);
    store_cluster_free(c);
}

static void joining_again_forgets_vms_that_are_gone(void **state)
{
    struct fixture *f = *state;
    struct store_host h = a_host("h1"), h2 = a_host("h2");
    struct store_vm v[] = {a_vm("v1", 100), a_vm("v2", 100)}, other = a_vm("v3", 100);
    ok(store_join(f->store, &h, v, 2, &err));
    ok(store_join(f->store, &h2, &other, 1, &err));
    ok(store_join(f->store, &h, &v[1], 1, &err));
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->vms.n, 2);
    assert_string_equal(c->vms[0].uuid, "v2");
    assert_string_equal(c->vms[1].uuid, "v3");
    store_cluster_free(c);
}

static void a_report_changes_only_what_it_names(void **state)
{
    struct fixture *f = *state;
    struct store_host h = a_host("h1");
    struct store_vm v[] = {a_vm("v1", 100), a_vm("v2", 200), a_vm("v3", 300)};
    ok(store_join(f->store, &h, v, 3, &err));
    f->clock_ms += 5000;
    struct store_vm changed = a_vm("v2", 250);
    const char *gone[] = {"v3"};
    ok(store_report(
        f->store,
        &(struct store_report){.host = "h1", .vms = &changed, .n_vms = 1, .gone = gone, .n_gone = 1}, &err));
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->vms.n, 2);
    assert_int_equal(c->vms[0].report_age_ms, 5000);
    assert_true(c->vms[0].mem_used_mib == 100);
    assert_int_equal(c->vms[1].report_age_ms, 0);
    assert_true(c->vms[1].mem_used_mib == 250);
    assert_int_equal(c->hosts[0].heartbeat_age_ms, 0);
    store_cluster_free(c);
}

static void a_late_report_of_the_source_does_not_undo_an_arrival(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1"), h2 = a_host("h2");
    struct store_vm v = a_vm("v1", 100);
    ok(store_join(f->store, &h1, &v, 1, &err));
    ok(store_join(f->store, &h2, NULL, 0, &err));
    struct store_vm arrived = v;
    arrived.appeared = true;
    ok(store_report(f->store, &(struct store_report){.host = "h2", .vms = &arrived, .n_vms = 1}, &err));
    v.mem_used_mib = 999; // sampled before it left
    const char *gone[] = {"v1"};
    ok(store_report(f->store, &(struct store_report){.host = "h1", .vms = &v, .n_vms = 1}, &err));
    ok(store_report(f->store, &(struct store_report){.host = "h1", .gone = gone, .n_gone = 1}, &err));
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->vms.n, 1);
    assert_string_equal(c->vms[0].host, "h2");
    assert_true(c->vms[0].mem_used_mib == 100);
    store_cluster_free(c);
}

static void an_incoming_vm_stays_with_its_source(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1"), h2 = a_host("h2");
    struct store_vm v = a_vm("v1", 100);
    ok(store_join(f->store, &h1, &v, 1, &err));
    v.state = STORE_VM_INCOMING;
    ok(store_join(f->store, &h2, &v, 1, &err));
    struct store_cluster *c = read_all(f);
    assert_string_equal(c->vms[0].host, "h1");
    store_cluster_free(c);
}

static void a_report_of_a_host_that_never_joined_is_refused(void **state)
{
    struct fixture *f = *state;
    fails(store_report(f->store, &(struct store_report){.host = "h1"}, &err), ERROR_MISSING);
    fails(store_heartbeat(f->store, "h1", NULL, &err), ERROR_MISSING);
}

static void a_batch_with_one_impossible_figure_is_not_written_at_all(void **state)
{
    struct fixture *f = *state;
    struct store_host h = a_host("h1");
    struct store_vm v[] = {a_vm("v1", 100), a_vm("v2", NAN)};
    fails(store_join(f->store, &h, v, 2, &err), ERROR_INPUT);
    assert_non_null(strstr(err.text, "v2"));
    assert_non_null(strstr(err.text, "mem_used_mib"));
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->hosts.n, 0);
    store_cluster_free(c);
}

static void a_silent_host_is_down_and_a_heartbeat_brings_it_back(void **state)
{
    struct fixture *f = *state;
    struct store_host h = a_host("h1");
    ok(store_join(f->store, &h, NULL, 0, &err));
    f->clock_ms += STORE_DOWN_AFTER_MS;
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->hosts.state[0], HOST_DOWN);
    assert_false(c->hosts[0].alive);
    store_cluster_free(c);
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    c = read_all(f);
    assert_int_equal(c->snapshot->hosts.state[0], HOST_UP);
    store_cluster_free(c);
    ok(store_leave(f->store, "h1", &err));
    c = read_all(f);
    assert_false(c->hosts[0].alive);
    store_cluster_free(c);
}

static void reading_one_hosts_vms_still_shows_all_hosts(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1"), h2 = a_host("h2");
    struct store_vm v1 = a_vm("v1", 100), v2 = a_vm("v2", 100);
    char history[] = "summary";
    v1.history = history;
    v1.history_bytes = sizeof history;
    ok(store_join(f->store, &h1, &v1, 1, &err));
    ok(store_join(f->store, &h2, &v2, 1, &err));
    struct store_cluster *c = NULL;
    ok(store_read_cluster(f->store, &(struct store_read){.vms_of = "h1", .history = true}, &c, &err));
    assert_int_equal(c->snapshot->hosts.n, 2);
    assert_int_equal(c->snapshot->vms.n, 1);
    assert_int_equal(c->vms[0].history_bytes, sizeof history);
    assert_memory_equal(c->vms[0].history, history, sizeof history);
    store_cluster_free(c);
    v1.history = NULL; // unchanged
    ok(store_report(f->store, &(struct store_report){.host = "h1", .vms = &v1, .n_vms = 1}, &err));
    ok(store_read_cluster(f->store, &(struct store_read){.vms_of = "h1", .history = true}, &c, &err));
    assert_int_equal(c->vms[0].history_bytes, sizeof history);
    store_cluster_free(c);
    ok(store_read_cluster(f->store, &(struct store_read){.vms_of = ""}, &c, &err));
    assert_int_equal(c->snapshot->vms.n, 0);
    store_cluster_free(c);
}

static void vms_of_one_name_are_told_apart_in_the_snapshot(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1");
    struct store_vm v[] = {a_vm("u1", 100), a_vm("u2", 100), a_vm("u3", 100)};
    v[0].name = v[1].name = v[2].name = "web";
    ok(store_join(f->store, &h1, v, 3, &err));
    struct store_cluster *c = read_all(f);
    ok(snapshot_check(c->snapshot, &err));
    assert_string_equal(c->snapshot->vms.name[0], "web");
    assert_string_equal(c->snapshot->vms.name[2], "web~u3");
    store_cluster_free(c);
}

static void no_name_that_an_owner_chooses_makes_the_snapshot_wrong(void **state)
{
    static const char second[] = "22222222-2222-2222-2222-222222222222",
                      third[] = "33333333-3333-3333-3333-333333333333",
                      fourth[] = "44444444-4444-4444-4444-444444444444",
                      fifth[] = "55555555-5555-5555-5555-555555555555",
                      forged[] = "web~22222222-2222-2222-2222-222222222222";
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1");
    struct store_vm v[] = {a_vm("1", 100),    a_vm(second, 100), a_vm(third, 100),
                           a_vm(fourth, 100), a_vm(fifth, 100),  a_vm("6", 100)};
    char wide[256] = "x"; // characters of two bytes at odd places: 200 bytes end within one
    for (size_t i = 1; i < 255; i++)
        wide[i] = i % 2 ? '\xc3' : '\xb6';
    v[0].name = v[1].name = "web";
    v[2].name = forged; // what the second "web" will be called
    v[3].name = v[4].name = wide;
    v[5].name = "\033[2J\xc2\x9b"
                "31m\xff";
    ok(store_join(f->store, &h1, v, 6, &err));
    struct store_cluster *c = read_all(f);
    ok(snapshot_check(c->snapshot, &err));
    assert_int_equal(c->snapshot->vms.n, 6);
    assert_string_equal(c->vms[0].name, "?[2J??31m?");
    store_cluster_free(c);
}

static void what_others_wrote_cannot_command_a_terminal(void **state)
{
    struct fixture *f = *state;
    struct store_events *events = NULL;
    struct store_decisions *decisions = NULL;
    struct store_host h1 = a_host("h1"), bad = a_host("h\033[2J");
    struct store_vm v = a_vm("v1", 100);
    v.why = "metadata \033]0;owned\a";
    ok(store_join(f->store, &h1, &v, 1, &err));
    fails(store_join(f->store, &bad, NULL, 0, &err), ERROR_INPUT);
    ok(store_append_event(f->store, &(struct store_event){.kind = "x", .text = "a\nb\033[1m"}, &err));
    struct store_decision d = {.host = "h1", .verdict = "stay", .reason = "r\033", .detail = "one\ntwo\033"};
    ok(store_append_decisions(f->store, &d, 1, &err));
    struct store_cluster *c = read_all(f);
    assert_string_equal(c->vms[0].why, "metadata ?]0;owned?");
    store_cluster_free(c);
    ok(store_read_events(f->store, NULL, &events, &err));
    assert_string_equal(events->at[events->n - 1].text, "a?b?[1m");
    store_events_free(events);
    ok(store_read_decisions(f->store, NULL, &decisions, &err));
    assert_string_equal(decisions->at[0].reason, "r?");
    assert_string_equal(decisions->at[0].detail, "one\ntwo?");
    store_decisions_free(decisions);
}

static void what_a_host_does_not_provide_bars_it_for_who_needs_it(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1"), h2 = a_host("h2"), h3 = a_host("h3");
    h1.provides = "net:br0 cpu:haswell";
    h2.provides = "cpu:haswell net:br01";
    struct store_vm v[] = {a_vm("v1", 100), a_vm("v2", 100), a_vm("v3", 100)};
    v[0].needs = "net:br0";
    v[2].needs = "cpu:haswell";
    ok(store_join(f->store, &h1, v, 3, &err));
    ok(store_join(f->store, &h2, NULL, 0, &err));
    ok(store_join(f->store, &h3, NULL, 0, &err));
    struct store_cluster *c = read_all(f);
    ok(snapshot_check(c->snapshot, &err));
    const struct index_lists *no = &c->snapshot->vms.cannot_run_on;
    assert_true(index_lists_has(no, 0, 1) && index_lists_has(no, 0, 2) && !index_lists_has(no, 0, 0));
    assert_int_equal(no->start[2] - no->start[1], 0);
    assert_true(!index_lists_has(no, 2, 1) && index_lists_has(no, 2, 2));
    store_cluster_free(c);
    struct store_claim claim = a_claim("v1", "h1", "h2");
    assert_refusal(try_claim(f->store, &claim, NULL), STORE_REFUSED_INCOMPATIBLE);
}

static void a_removed_host_takes_its_rows_along(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1");
    struct store_vm v = a_vm("v1", 100);
    ok(store_join(f->store, &h1, &v, 1, &err));
    ok(store_remove_host(f->store, "h1", &err));
    struct store_cluster *c = read_all(f);
    assert_int_equal(c->snapshot->hosts.n, 0);
    assert_int_equal(c->snapshot->vms.n, 0);
    store_cluster_free(c);
    fails(store_remove_host(f->store, "h1", &err), ERROR_MISSING);
}

static void settings_are_checked_kept_and_counted(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1");
    struct store_vm v = a_vm("v1", 100);
    ok(store_join(f->store, &h1, &v, 1, &err));
    struct store_pulse before, after;
    ok(store_heartbeat(f->store, "h1", &before, &err));
    ok(store_set(f->store, STORE_SCOPE_VM, "v1", "shares", "2000", &err));
    ok(store_set(f->store, STORE_SCOPE_VM, "v2", "shares", "3000", &err));
    ok(store_set(f->store, STORE_SCOPE_CLUSTER, "", "mode", "observe", &err));
    ok(store_heartbeat(f->store, "h1", &after, &err));
    assert_true(after.settings_generation != before.settings_generation);
    fails(store_set(f->store, STORE_SCOPE_VM, "v1", "shares", "-1", &err), ERROR_INPUT);
    fails(store_set(f->store, STORE_SCOPE_VM, "v1", "shares", "1.5", &err), ERROR_INPUT);
    fails(store_set(f->store, STORE_SCOPE_VM, "v1", "shares", "nan", &err), ERROR_INPUT);
    fails(store_set(f->store, STORE_SCOPE_VM, "v1", "shore", "1", &err), ERROR_INPUT);
    fails(store_set(f->store, STORE_SCOPE_HOST, "h1", "shares", "1", &err), ERROR_INPUT);
    struct store_settings *s = NULL;
    ok(store_read_settings(f->store, "h1", &s, &err));
    assert_int_equal(s->n, 2); // not v2's: it is on no host that h1 answers for
    assert_string_equal(s->at[1].value, "2000");
    assert_int_equal(s->generation, after.settings_generation);
    store_settings_free(s);
    ok(store_set(f->store, STORE_SCOPE_VM, "v1", "shares", NULL, &err));
    ok(store_read_settings(f->store, NULL, &s, &err));
    assert_int_equal(s->n, 2);
    store_settings_free(s);
}

static void a_decision_that_repeats_itself_is_one_row(void **state)
{
    struct fixture *f = *state;
    struct store_decision d = {.loop = STORE_LOOP_IMMEDIATE,
                               .host = "h1",
                               .vm_uuid = "v1",
                               .vm_name = "v1",
                               .verdict = "stay",
                               .reason = "loss 1 below cost 5"};
    for (int i = 0; i < 10; i++) {
        ok(store_append_decisions(f->store, &d, 1, &err));
        f->clock_ms += 1000;
    }
    d.verdict = "move";
    ok(store_append_decisions(f->store, &d, 1, &err));
    d.verdict = "stay";
    d.detail = "h2: no room\nh3: no room";
    ok(store_append_decisions(f->store, &d, 1, &err));
    struct store_decisions *r = NULL;
    ok(store_read_decisions(f->store, &(struct store_decision_filter){.vm_uuid = "v1"}, &r, &err));
    assert_int_equal(r->n, 3);
    assert_string_equal(r->at[0].detail, "h2: no room\nh3: no room");
    assert_string_equal(r->at[2].verdict, "stay");
    assert_int_equal(r->at[2].times, 10);
    assert_int_equal(r->at[2].first_age_ms, 10000);
    assert_int_equal(r->at[2].last_age_ms, 1000);
    store_decisions_free(r);
}

static void events_come_oldest_first_and_continue_after_an_id(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "event %d", i);
        ok(store_append_event(f->store,
                              &(struct store_event){.kind = "test", .text = text, .severity = i % 3}, &err));
    }
    struct store_events *e = NULL;
    ok(store_read_events(f->store, &(struct store_event_filter){.limit = 3}, &e, &err));
    assert_int_equal(e->n, 3);
    assert_string_equal(e->at[0].text, "event 2");
    uint64_t last = e->at[1].id;
    store_events_free(e);
    ok(store_read_events(f->store, &(struct store_event_filter){.after_id = last}, &e, &err));
    assert_int_equal(e->n, 1);
    assert_string_equal(e->at[0].text, "event 4");
    store_events_free(e);
    ok(store_read_events(f->store, &(struct store_event_filter){.least = STORE_ERROR}, &e, &err));
    assert_int_equal(e->n, 1);
    store_events_free(e);
}

static void old_rows_are_dropped_a_bounded_number_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1");
    ok(store_join(f->store, &h1, NULL, 0, &err));
    for (int i = 0; i < 700; i++)
        ok(store_append_event(f->store, &(struct store_event){.kind = "old", .text = "x"}, &err));
    f->clock_ms += INT64_C(31) * 86400000;
    struct store_events *e = NULL;
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    ok(store_read_events(f->store, &(struct store_event_filter){.limit = 5000}, &e, &err));
    size_t left = e->n;
    store_events_free(e);
    assert_true(left > 0 && left < 701);
    for (int i = 0; i < 3; i++) {
        f->clock_ms += 61000;
        ok(store_heartbeat(f->store, "h1", NULL, &err));
    }
    ok(store_read_events(f->store, &(struct store_event_filter){.limit = 5000}, &e, &err));
    assert_int_equal(e->n, 0);
    store_events_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_reported_is_read_back_with_its_age),
        T(joining_again_forgets_vms_that_are_gone),
        T(a_report_changes_only_what_it_names),
        T(a_late_report_of_the_source_does_not_undo_an_arrival),
        T(an_incoming_vm_stays_with_its_source),
        T(a_report_of_a_host_that_never_joined_is_refused),
        T(a_batch_with_one_impossible_figure_is_not_written_at_all),
        T(a_silent_host_is_down_and_a_heartbeat_brings_it_back),
        T(reading_one_hosts_vms_still_shows_all_hosts),
        T(vms_of_one_name_are_told_apart_in_the_snapshot),
        T(no_name_that_an_owner_chooses_makes_the_snapshot_wrong),
        T(what_others_wrote_cannot_command_a_terminal),
        T(what_a_host_does_not_provide_bars_it_for_who_needs_it),
        T(a_removed_host_takes_its_rows_along),
        T(settings_are_checked_kept_and_counted),
        T(a_decision_that_repeats_itself_is_one_row),
        T(events_come_oldest_first_and_continue_after_an_id),
        T(old_rows_are_dropped_a_bounded_number_at_a_time),
    };
    return cmocka_run_group_tests_name("store report", tests, NULL, NULL);
}
