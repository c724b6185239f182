// Claims one at a time: each check, the states, leases and orders.
#include "fixture.h"

#include <math.h>

// h1 with v1 (1000 MiB), h2 empty, h3 empty.
static void three_hosts(struct fixture *f)
{
    struct store_host h[] = {a_host("h1"), a_host("h2"), a_host("h3")};
    struct store_vm v[] = {a_vm("v1", 1000), a_vm("v2", 1000), a_vm("v3", 1000)};
    ok(store_join(f->store, &h[0], v, 3, &err));
    ok(store_join(f->store, &h[1], NULL, 0, &err));
    ok(store_join(f->store, &h[2], NULL, 0, &err));
}

static struct store_migration *read_one(struct fixture *f, uint64_t id, struct store_migrations **ret_all)
{
    ok(store_read_migrations(f->store, NULL, ret_all, &err));
    for (size_t i = 0; i < (*ret_all)->n; i++)
        if ((*ret_all)->at[i].id == id)
            return &(*ret_all)->at[i];
    fail_msg("no migration %llu", (unsigned long long)id);
    return NULL;
}

static enum store_migration_state state_of(struct fixture *f, uint64_t id)
{
    struct store_migrations *all = NULL;
    enum store_migration_state state = read_one(f, id, &all)->state;
    store_migrations_free(all);
    return state;
}

static void finish_as(struct fixture *f, uint64_t id, enum store_migration_state state)
{
    ok(store_finish(f->store, id, &(struct store_outcome){.state = state}, &err));
}

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

static void done_moves_the_row_and_counts(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    ok(store_advance(f->store, id, &err));
    f->clock_ms += 7000;
    finish_as(f, id, STORE_MIGRATION_DONE);
    finish_as(f, id, STORE_MIGRATION_DONE); // again is no error
    fails(store_finish(f->store, id, &(struct store_outcome){.state = STORE_MIGRATION_FAILED}, &err),
          ERROR_REFUSED);
    struct store_migrations *all = NULL;
    assert_true(read_one(f, id, &all)->duration_s == 7);
    store_migrations_free(all);
    f->clock_ms += 3600000;
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    struct store_cluster *cluster = NULL;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_string_equal(cluster->vms[0].host, "h2");
    assert_string_equal(cluster->vms[0].last_from, "h1");
    assert_int_equal(cluster->vms[0].last_moved_age_ms, 3600000);
    assert_int_equal(cluster->vms[0].migrations_24h, 1);
    assert_int_equal(cluster->vms[0].n_left, 1);
    assert_string_equal(cluster->vms[0].left[0].host, "h1");
    assert_int_equal(cluster->vms[0].left[0].age_ms, 3600000);
    assert_true(fabs(cluster->vms[0].migrations_1h - exp(-1)) < 1e-9);
    assert_true(cluster->snapshot->vms.migrations_1h[0] == cluster->vms[0].migrations_1h);
    store_cluster_free(cluster);
}

static void the_day_counts_done_migrations_and_keeps_the_hosts_that_were_left(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    const char *hosts[] = {"h1", "h2", "h3", "h1"};
    const enum store_migration_state ends[] = {STORE_MIGRATION_DONE, STORE_MIGRATION_DONE,
                                               STORE_MIGRATION_FAILED};
    for (int i = 0; i < 3; i++) {
        struct store_claim c = a_claim("v1", hosts[i], hosts[i + 1]);
        uint64_t id = 0;
        assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
        ok(store_advance(f->store, id, &err));
        ok(store_renew(f->store, id, 0, &(struct store_progress){.dirty_mib_s = 7 + i}, &err));
        finish_as(f, id, ends[i]);
        f->clock_ms += 1000;
        ok(store_heartbeat(f->store, "h1", NULL, &err));
    }
    struct store_cluster *cluster = NULL;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    const struct store_vm *vm = &cluster->vms[0];
    assert_int_equal(vm->migrations_24h, 2);
    assert_int_equal(vm->n_left, 2);
    assert_string_equal(vm->left[0].host, "h2");
    assert_string_equal(vm->left[1].host, "h1");
    assert_true(vm->left[0].age_ms < vm->left[1].age_ms);
    assert_true(vm->moved_dirty_mib_s == 8);
    store_cluster_free(cluster);
    f->clock_ms += 86400000;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_int_equal(cluster->vms[0].migrations_24h, 0);
    assert_int_equal(cluster->vms[0].n_left, 0);
    store_cluster_free(cluster);
}

static void the_count_adds_up_and_decays(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    const char *hosts[] = {"h1", "h2"};
    for (int i = 0; i < 3; i++) {
        struct store_claim c = a_claim("v1", hosts[i % 2], hosts[(i + 1) % 2]);
        uint64_t id = 0;
        assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
        ok(store_advance(f->store, id, &err));
        finish_as(f, id, STORE_MIGRATION_DONE);
    }
    struct store_cluster *cluster = NULL;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_true(fabs(cluster->vms[0].migrations_1h - 3) < 1e-9);
    store_cluster_free(cluster);
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

static void a_proposal_moves_only_after_approval(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    ok(store_set(f->store, STORE_SCOPE_CLUSTER, "", "mode", "recommend", &err));
    struct store_move move = a_claim("v1", "h1", "h2").move;
    uint64_t id = 0, again = 0, other = 0;
    ok(store_propose(f->store, &move, STORE_MIGRATION_PROPOSED, 0, 60000, NULL, &id, &err));
    struct store_claim c = {.order = id, .limits = a_claim("v1", "h1", "h2").limits};
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_ORDER);
    ok(store_propose(f->store, &move, STORE_MIGRATION_PROPOSED, 0, 60000, NULL, &again, &err));
    assert_true(again == id); // the same again keeps its number
    move.to = "h3";
    ok(store_propose(f->store, &move, STORE_MIGRATION_PROPOSED, 0, 60000, NULL, &other, &err));
    assert_true(other != id);
    assert_int_equal(state_of(f, id), STORE_MIGRATION_CANCELLED);
    fails(store_approve(f->store, id, "root", &err), ERROR_REFUSED);
    ok(store_approve(f->store, other, "root", &err));
    fails(store_approve(f->store, 999, "root", &err), ERROR_MISSING);
    struct store_pulse pulse;
    ok(store_heartbeat(f->store, "h1", &pulse, &err));
    assert_int_equal(pulse.orders, 1);
    c.order = other;
    uint64_t claimed = 0;
    assert_refusal(try_claim(f->store, &c, &claimed), STORE_GRANTED);
    assert_true(claimed == other);
    assert_int_equal(state_of(f, other), STORE_MIGRATION_CLAIMED);
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_ORDER); // once only
}

static void a_proposal_that_nobody_approves_ends_by_itself(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_move move = a_claim("v1", "h1", "h2").move;
    uint64_t id = 0;
    ok(store_propose(f->store, &move, STORE_MIGRATION_PROPOSED, 0, 60000, NULL, &id, &err));
    f->clock_ms += 60001;
    fails(store_approve(f->store, id, "root", &err), ERROR_REFUSED);
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    assert_int_equal(state_of(f, id), STORE_MIGRATION_CANCELLED);
}

static void an_expired_claim_is_unknown_and_keeps_its_reservation(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_claim c = a_claim("v1", "h1", "h2");
    c.lifetime_ms = 10000;
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &c, &id), STORE_GRANTED);
    f->clock_ms += 9000;
    ok(store_renew(f->store, id, 10000, &(struct store_progress){.remaining_mib = 50}, &err));
    f->clock_ms += 9000;
    assert_int_equal(state_of(f, id), STORE_MIGRATION_CLAIMED);
    f->clock_ms += 1001;
    assert_int_equal(state_of(f, id), STORE_MIGRATION_UNKNOWN); // seen before anybody wrote it down
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    ok(store_heartbeat(f->store, "h2", NULL, &err));
    assert_int_equal(state_of(f, id), STORE_MIGRATION_UNKNOWN);
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_VM_MIGRATING);
    struct store_cluster *cluster = NULL;
    ok(store_read_cluster(f->store, NULL, &cluster, &err));
    assert_true(cluster->hosts[1].in_flight_mem_mib > 0);
    store_cluster_free(cluster);
    ok(store_renew(f->store, id, 10000, NULL, &err)); // its agent was only slow
    assert_int_equal(state_of(f, id), STORE_MIGRATION_CLAIMED);
    f->clock_ms += 10001;
    ok(store_heartbeat(f->store, "h1", NULL, &err));
    finish_as(f, id, STORE_MIGRATION_DONE); // libvirt was asked
    fails(store_renew(f->store, id, 10000, NULL, &err), ERROR_REFUSED);
    fails(store_advance(f->store, id, &err), ERROR_REFUSED);
    fails(store_advance(f->store, 12345, &err), ERROR_MISSING);
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

static void a_lease_has_one_holder_and_a_new_epoch_for_each(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_lease a, b;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 10000, false, &a, &err));
    assert_true(a.mine);
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 10000, false, &b, &err));
    assert_false(b.mine);
    assert_string_equal(b.holder, "h1");
    assert_int_equal(b.remaining_ms, 10000);
    f->clock_ms += 9999;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 10000, false, &b, &err));
    assert_true(b.mine && b.epoch.counter == a.epoch.counter);
    f->clock_ms += 10001;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 10000, false, &b, &err));
    assert_true(b.mine && b.epoch.counter == a.epoch.counter + 1);
    ok(store_lease_release(f->store, STORE_LEASE_LONGTERM, "h1", &err)); // not its own: nothing happens
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 10000, false, &a, &err));
    assert_false(a.mine);
    ok(store_lease_release(f->store, STORE_LEASE_LONGTERM, "h2", &err));
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 10000, false, &a, &err));
    assert_true(a.mine && a.epoch.counter == b.epoch.counter + 1);
}

static void what_was_planned_under_an_old_epoch_is_refused(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_lease a, b;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 10000, false, &a, &err));
    uint64_t id = 0;
    struct store_move move = a_claim("v1", "h1", "h2").move;
    move.origin = STORE_ORIGIN_LONGTERM;
    ok(store_propose(f->store, &move, STORE_MIGRATION_ORDERED, 0, 60000, &a.epoch, &id, &err));
    f->clock_ms += 10001;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 10000, false, &b, &err));
    struct store_claim c = {.order = id};
    assert_refusal(try_claim(f->store, &c, NULL), STORE_REFUSED_EPOCH);
    fails(store_propose(f->store, &move, STORE_MIGRATION_ORDERED, 0, 60000, &a.epoch, &id, &err),
          ERROR_REFUSED);
    struct store_epoch other = b.epoch;
    other.timeline++;
    fails(store_propose(f->store, &move, STORE_MIGRATION_ORDERED, 0, 60000, &other, &id, &err),
          ERROR_REFUSED);
    ok(store_propose(f->store, &move, STORE_MIGRATION_ORDERED, 0, 60000, &b.epoch, &id, &err));
    c.order = id;
    assert_refusal(try_claim(f->store, &c, NULL), STORE_GRANTED);
}

static void an_order_waits_for_the_one_before_it(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    uint64_t first = 0, second = 0;
    struct store_move move1 = a_claim("v1", "h1", "h2").move, move2 = a_claim("v2", "h1", "h3").move;
    ok(store_propose(f->store, &move1, STORE_MIGRATION_ORDERED, 0, 60000, NULL, &first, &err));
    ok(store_propose(f->store, &move2, STORE_MIGRATION_ORDERED, first, 60000, NULL, &second, &err));
    struct store_claim c1 = {.order = first}, c2 = {.order = second};
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_REFUSED_ORDER);
    assert_refusal(try_claim(f->store, &c1, NULL), STORE_GRANTED);
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_REFUSED_ORDER);
    finish_as(f, first, STORE_MIGRATION_DONE);
    assert_refusal(try_claim(f->store, &c2, NULL), STORE_GRANTED);
}

static void planning_holds_others_back_for_a_minute_at_most(void **state)
{
    struct fixture *f = *state;
    three_hosts(f);
    struct store_lease lease;
    struct store_pulse pulse;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 120000, true, &lease, &err));
    ok(store_heartbeat(f->store, "h1", &pulse, &err));
    assert_true(pulse.planning);
    f->clock_ms += 59000;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 120000, true, &lease,
                        &err)); // renewing does not restart it
    ok(store_heartbeat(f->store, "h1", &pulse, &err));
    assert_true(pulse.planning);
    f->clock_ms += 1000;
    ok(store_heartbeat(f->store, "h1", &pulse, &err));
    assert_false(pulse.planning);
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 120000, false, &lease, &err));
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 120000, true, &lease, &err));
    ok(store_heartbeat(f->store, "h1", &pulse, &err));
    assert_true(pulse.planning);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_claim_reserves_its_room_until_it_ends),
        T(a_vm_has_one_open_migration),
        T(done_moves_the_row_and_counts),
        T(the_day_counts_done_migrations_and_keeps_the_hosts_that_were_left),
        T(the_count_adds_up_and_decays),
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
        T(a_proposal_moves_only_after_approval),
        T(a_proposal_that_nobody_approves_ends_by_itself),
        T(an_expired_claim_is_unknown_and_keeps_its_reservation),
        T(repeated_failures_open_the_breaker_and_a_success_closes_it),
        T(a_lease_has_one_holder_and_a_new_epoch_for_each),
        T(what_was_planned_under_an_old_epoch_is_refused),
        T(an_order_waits_for_the_one_before_it),
        T(planning_holds_others_back_for_a_minute_at_most),
    };
    return cmocka_run_group_tests_name("store claim", tests, NULL, NULL);
}
