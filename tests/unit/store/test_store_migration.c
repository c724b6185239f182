// A migration's life after the claim and before it: outcomes, counts, proposals, orders, leases.
#include "fixture.h"

#include <math.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(done_moves_the_row_and_counts),
        T(the_day_counts_done_migrations_and_keeps_the_hosts_that_were_left),
        T(the_count_adds_up_and_decays),
        T(a_proposal_moves_only_after_approval),
        T(a_proposal_that_nobody_approves_ends_by_itself),
        T(an_expired_claim_is_unknown_and_keeps_its_reservation),
        T(a_lease_has_one_holder_and_a_new_epoch_for_each),
        T(what_was_planned_under_an_old_epoch_is_refused),
        T(an_order_waits_for_the_one_before_it),
        T(planning_holds_others_back_for_a_minute_at_most),
    };
    return cmocka_run_group_tests_name("store migration", tests, NULL, NULL);
}
