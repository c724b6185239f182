// Claims one at a time: each check.
#include "fixture.h"

#include <math.h>

static void a_claim_reserves_its_room_until_it_ends(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    struct store_cluster *cluster = NULL;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_true(fabs(cluster->hosts[1].in_flight_mem_mib - 1100) < 1e-6); // used x (1 + growth)
    assert_int_equal(cluster->hosts[1].migrations_in, 1);
    assert_int_equal(cluster->hosts[0].migrations_out, 1);
    assert_int_equal(cluster->vms[0].migration_id, id);
    assert_false(cluster->snapshot->vms.movable[0]);
    store_cluster_free(cluster);
    finish_as(f, id, STORE_MIGRATION_FAILED);
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_true(cluster->hosts[1].in_flight_mem_mib == 0);
    assert_int_equal(cluster->n_migrations, 0);
    store_cluster_free(cluster);
}

static void a_vm_has_one_open_migration(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2"), other = a_claim("v1", "h1", "h3");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    assert_refusal(try_claim(f->store, &other, NULL), STORE_REFUSED_VM_MIGRATING);
    ok(store_advance(f->store, id, &err));
    assert_refusal(try_claim(f->store, &other, NULL), STORE_REFUSED_VM_MIGRATING);
}

static void the_vm_must_be_where_the_claim_says(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim wrong = a_claim("v1", "h2", "h3"), none = a_claim("v9", "h1", "h2"),
                       same = a_claim("v1", "h1", "h1");
    assert_refusal(try_claim(f->store, &wrong, NULL), STORE_REFUSED_VM_MISSING);
    assert_refusal(try_claim(f->store, &none, NULL), STORE_REFUSED_VM_MISSING);
    assert_refusal(try_claim(f->store, &same, NULL), STORE_REFUSED_DESTINATION);
}

static void a_vm_that_must_not_move_is_refused(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_vm v = a_vm("v1", 1000);
    struct store_claim c = a_claim("v1", "h1", "h2");
    struct store_report report = {.host = "h1", .vms = &v, .n_vms = 1};
    v.excluded = true;
    ok(store_report(f->store, &report, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_EXCLUDED);
    v = a_vm("v1", 1000);
    v.movable = false;
    v.movable_why = "a host device";
    ok(store_report(f->store, &report, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_EXCLUDED);
    v = a_vm("v1", 1000);
    v.owner = "pacemaker";
    ok(store_report(f->store, &report, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_EXCLUDED);
    v = a_vm("v1", 1000);
    v.state = STORE_VM_PAUSED;
    ok(store_report(f->store, &report, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_EXCLUDED);
    v = a_vm("v1", 1000);
    ok(store_report(f->store, &report, &err));
    ok(store_set(f->store, STORE_SCOPE_VM, "v1", "excluded", "yes", &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_EXCLUDED);
    ok(store_set(f->store, STORE_SCOPE_VM, "v1", "excluded", NULL, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_GRANTED);
}

static void a_destination_must_be_there_open_and_up(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2"), unknown = a_claim("v1", "h1", "h9");
    assert_refusal(try_claim(f->store, &unknown, NULL), STORE_REFUSED_DESTINATION);
    struct store_host h2 = a_host("h2");
    h2.closed = true;
    h2.closed_why = "memory is short";
    ok(store_report(f->store, &(struct store_report){.host = "h2", .row = &h2}, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_DESTINATION);
    h2 = a_host("h2");
    h2.state = HOST_MAINTENANCE;
    ok(store_report(f->store, &(struct store_report){.host = "h2", .row = &h2}, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_DESTINATION);
    h2 = a_host("h2");
    ok(store_report(f->store, &(struct store_report){.host = "h2", .row = &h2}, &err));
    f->clock_ms += STORE_DOWN_AFTER_MS;
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_DESTINATION);
    ok(store_heartbeat(f->store, "h2", NULL, &err));
    f->clock_ms += STORE_DOWN_AFTER_MS - 1;
    ok(store_heartbeat(f->store, "h2", NULL, &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_GRANTED);
}

static void a_silent_source_is_refused(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    f->clock_ms += STORE_DOWN_AFTER_MS;
    ok(store_heartbeat(f->store, "h2", NULL, &err));
    struct store_claim c = a_claim("v1", "h1", "h2");
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_SOURCE);
}

static void room_counts_vms_there_with_growth_and_all_in_flight(void **state)
{
    struct fixture *f = *state;
    struct store_host h1 = a_host("h1"), h2 = a_host("h2"); // 16000 MiB for VMs
    struct store_vm v[] = {a_vm("v1", 2000), a_vm("v2", 2000)},
                    there[] = {a_vm("w1", 5000), a_vm("w2", 5000)};
    there[1].mem_reservation_mib = 6300; // more than 5500: counts
    ok(store_join(f->store, &h1, v, 2, &err));
    ok(store_join(f->store, &h2, there, 2, &err)); // 5500 + 6300 = 11800
    struct store_claim c1 = a_claim("v1", "h1", "h2"), c2 = a_claim("v2", "h1", "h2");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c1, &id), STORE_GRANTED);         // + 2200 = 14000
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_REFUSED_MEMORY); // + 2200 > 16000
    struct store_claim_result result;
    ok(store_claim(f->store, &c2, &result, &err));
    assert_non_null(strstr(result.why, "11800"));
    assert_non_null(strstr(result.why, "2200"));
    // Arrived but not finished: its row counts there, its reservation no longer.
    struct store_vm arrived = v[0];
    arrived.appeared = true;
    arrived.mem_used_mib = 1000;
    ok(store_report(f->store, &(struct store_report){.host = "h2", .vms = &arrived, .n_vms = 1}, &err));
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_GRANTED); // 11800 + 1100 + 2200
}

static void an_understated_need_is_raised_to_what_the_row_says(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_vm v = a_vm("v1", 15000);
    ok(store_report(f->store, &(struct store_report){.host = "h1", .vms = &v, .n_vms = 1}, &err));
    struct store_claim c = a_claim("v1", "h1", "h2");
    c.move.mem_needed_mib = 10;
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_MEMORY);
}

static void cpu_room_is_the_hosts_or_what_the_decision_accepts(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_host h2 = a_host("h2");
    h2.cpu_demand_cores = 7.8;
    ok(store_report(f->store, &(struct store_report){.host = "h2", .row = &h2}, &err));
    struct store_claim c = a_claim("v1", "h1", "h2");
    c.move.cpu_needed_cores = 0.5;
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_CPU);
    c.move.cpu_ceiling_cores = 9;
    assert_refusal(try_claim(f->store, &c, NULL), STORE_GRANTED);
    struct store_claim next = a_claim("v2", "h1", "h2");
    next.move.cpu_needed_cores = 0.8;
    next.move.cpu_ceiling_cores = 9;
    assert_refusal(try_claim(f->store, &next, NULL), STORE_REFUSED_CPU); // 7.8 + 0.5 + 0.8 > 9
}

static void budgets_hold_per_host_cluster_and_hour(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c1 = a_claim("v1", "h1", "h2"), c2 = a_claim("v2", "h1", "h2"),
                       c3 = a_claim("v2", "h1", "h3");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c1, &id), STORE_GRANTED);
    c2.limits.out_per_host = 1;
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_REFUSED_BUDGET);
    c2.limits.out_per_host = 8;
    c2.limits.in_per_host = 1;
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_REFUSED_BUDGET);
    c3.limits.in_per_host = 1; // another destination
    assert_refusal(try_claim(f->store, &c3, &id), STORE_GRANTED);
    finish_as(f, id, STORE_MIGRATION_FAILED);
    ok(store_set(f->store, STORE_SCOPE_CLUSTER, "", "migrations_per_cluster", "1", &err));
    assert_refusal(try_claim(f->store, &c3, NULL),
                   STORE_REFUSED_BUDGET); // the cluster's word beats the claimant's
    ok(store_set(f->store, STORE_SCOPE_CLUSTER, "", "migrations_per_cluster", NULL, &err));
    c3.limits.per_hour = 2; // the failed one counts too
    assert_refusal(try_claim(f->store, &c3, NULL), STORE_REFUSED_BUDGET);
    f->clock_ms += 3600001;
    const char *hosts[] = {"h1", "h2", "h3"};
    for (int i = 0; i < 3; i++)
        ok(store_heartbeat(f->store, hosts[i], NULL, &err));
    assert_refusal(try_claim(f->store, &c3, NULL), STORE_GRANTED);
}

static void a_moved_vm_cools_down(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2"), back = a_claim("v1", "h2", "h1");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    finish_as(f, id, STORE_MIGRATION_DONE);
    back.cooldown_ms = 20000;
    assert_refusal(try_claim(f->store, &back, NULL), STORE_REFUSED_VM_COOLING);
    f->clock_ms += 20000;
    assert_refusal(try_claim(f->store, &back, NULL), STORE_GRANTED);
}

static void the_least_mode_of_cluster_hosts_and_vm_holds(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2");
    struct {
        enum store_scope scope;
        const char *object;
    } where[] = {{STORE_SCOPE_CLUSTER, ""},
                 {STORE_SCOPE_HOST, "h1"},
                 {STORE_SCOPE_HOST, "h2"},
                 {STORE_SCOPE_VM, "v1"}};
    for (size_t i = 0; i < 4; i++) {
        ok(store_set(f->store, where[i].scope, where[i].object, "mode", i % 2 ? "observe" : "recommend",
                     &err));
        assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_MODE);
        ok(store_set(f->store, where[i].scope, where[i].object, "mode", NULL, &err));
    }
    struct store_host h2 = a_host("h2");
    h2.mode = STORE_MODE_OBSERVE; // its agent's configuration; no setting raises it
    ok(store_report(f->store, &(struct store_report){.host = "h2", .row = &h2}, &err));
    ok(store_set(f->store, STORE_SCOPE_HOST, "h2", "mode", "auto", &err));
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_MODE);
}

static void repeated_failures_open_the_breaker_and_a_success_closes_it(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2");
    uint64_t id = 0;
    for (int i = 0; i < 5; i++) {
        assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
        finish_as(f, id, i % 2 ? STORE_MIGRATION_FAILED : STORE_MIGRATION_REFUSED);
        f->clock_ms += 1000;
    }
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_BREAKER);
    c.move.origin = STORE_ORIGIN_OPERATOR;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    finish_as(f, id, STORE_MIGRATION_DONE);
    struct store_claim next = a_claim("v2", "h1", "h2");
    assert_refusal(try_claim(f->store, &next, NULL), STORE_GRANTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_claim_reserves_its_room_until_it_ends),
        T(a_vm_has_one_open_migration),
        T(the_vm_must_be_where_the_claim_says),
        T(a_vm_that_must_not_move_is_refused),
        T(a_destination_must_be_there_open_and_up),
        T(a_silent_source_is_refused),
        T(room_counts_vms_there_with_growth_and_all_in_flight),
        T(an_understated_need_is_raised_to_what_the_row_says),
        T(cpu_room_is_the_hosts_or_what_the_decision_accepts),
        T(budgets_hold_per_host_cluster_and_hour),
        T(a_moved_vm_cools_down),
        T(the_least_mode_of_cluster_hosts_and_vm_holds),
        T(repeated_failures_open_the_breaker_and_a_success_closes_it),
    };
    return cmocka_run_group_tests_name("store claim", tests, NULL, NULL);
}
