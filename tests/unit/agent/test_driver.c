// Stories of the driver on a host that misbehaves on command. Times are deadlines, not waits.
#include "../test.h"

#include <string.h>

#include "driver_world.h"

#include "agent/balance_feed.h"
#include "agent/guests.h"

#define LONG_MS 5000
#define QUIET_MS 1500 // long enough for several rounds in which something forbidden would have happened

static int setup(void **state)
{
    static struct world w;
    world_init(&w);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static bool g1_was_lowered(struct world *w)
{
    for (size_t i = 0; i < host_fake_n_records(w->host); i++) {
        const struct host_fake_record *r = host_fake_record_at(w->host, i);
        if (r->call == HOST_FAKE_SET_BALLOON && strcmp(r->name, "g1") == 0 && r->value < 256 << 10)
            return true;
    }
    return false;
}

// An idle guest that is resident in full on a host that has nothing left.
static void make_need(struct world *w)
{
    world_guest(w, "g1", 60, 250);
    world_available(w, 60);
}

static void in_auto_idle_memory_is_taken_when_the_host_is_short(void **state)
{
    struct world *w = *state;
    world_start(w);
    make_need(w);
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
}

static void in_observe_nothing_is_touched_and_the_reason_is_written(void **state)
{
    struct world *w = *state;
    w->settings.mode = AGENT_MODE_OBSERVE;
    world_start(w);
    make_need(w);
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_BALLOON, NULL), 0);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_CPU_WEIGHT, NULL), 0);
    world_open_store(w);
    struct store_decisions *d = NULL;
    struct error err = {0};
    assert_int_equal(store_read_decisions(w->store, &(struct store_decision_filter){.host = "h1"}, &d, &err),
                     0);
    bool said = false;
    for (size_t i = 0; i < d->n; i++)
        said = said || (strcmp(d->at[i].verdict, "balloon-down") == 0 && !d->at[i].acted && *d->at[i].reason);
    store_decisions_free(d);
    assert_true(said);
}

static void the_clusters_mode_in_the_store_narrows_the_files(void **state)
{
    struct world *w = *state;
    struct error err = {0};
    world_open_store(w);
    assert_int_equal(store_set(w->store, STORE_SCOPE_CLUSTER, "", "mode", "observe", &err), 0);
    world_start(w);
    make_need(w);
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_BALLOON, NULL), 0);
}

static void an_excluded_guest_is_never_touched(void **state)
{
    struct world *w = *state;
    world_start(w);
    make_need(w);
    struct host_fake_vm *out = world_guest(w, "g2", 60, 250);
    out->facts.wishes.exclude = true;
    out->facts.wishes.present = true;
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_BALLOON, "g2"), 0);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_CPU_WEIGHT, "g2"), 0);
}

static bool g2_was_lowered(struct world *w)
{
    return world_calls(w, HOST_FAKE_SET_BALLOON, "g2") > 0;
}

static void a_guest_is_not_touched_before_its_definition_is_known(void **state)
{
    struct world *w = *state;
    world_start(w);
    make_need(w);
    struct host_fake_vm *late = world_guest(w, "g2", 60, 250);
    late->facts.known = false;
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
    world_for(w, QUIET_MS);
    assert_false(g2_was_lowered(w));
    world_available(w, 30);
    late->facts.known = true;
    late->vm.facts_generation++;
    assert_true(world_until(w, g2_was_lowered, 2 * LONG_MS));
}

static bool metadata_is_complained_about(struct world *w)
{
    struct store_events *e = NULL;
    struct error err = {0};
    bool found = false;
    if (store_read_events(w->store, &(struct store_event_filter){0}, &e, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < e->n; i++)
        found = found || (strcmp(e->at[i].kind, "metadata-not-understood") == 0 &&
                          strcmp(e->at[i].vm_name, "g1") == 0 && strstr(e->at[i].text, "shares"));
    store_events_free(e);
    return found;
}

static void what_is_wrong_in_the_metadata_is_told(void **state)
{
    struct world *w = *state;
    world_open_store(w);
    world_start(w);
    struct host_fake_vm *g = world_guest(w, "g1", 60, 120);
    strcpy(g->facts.wishes.problem, "shares=\"many\": must be a whole number");
    assert_true(world_until(w, metadata_is_complained_about, LONG_MS));
}

static void memory_is_managed_without_a_store(void **state)
{
    struct world *w = *state;
    strcpy(w->settings.store, "/nonexistent/directory/store.db");
    world_start(w);
    make_need(w);
    assert_true(
        world_until(w, g1_was_lowered, DRIVER_SETTINGS_WAIT_MS / 2)); // a definite error is not waited out
}

static void a_refused_balloon_does_not_keep_others_waiting(void **state)
{
    struct world *w = *state;
    world_start(w);
    host_fake_add_rule(
        w->host,
        (struct host_fake_rule){.call = HOST_FAKE_SET_BALLOON, .name = "g0", .behaviour = HOST_FAKE_HANG});
    world_guest(w, "g0", 60, 250);
    make_need(w);
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
}

static void a_guest_that_comes_back_excluded_is_left_alone(void **state)
{
    struct world *w = *state;
    world_start(w);
    world_guest(w, "g1", 60, 120);
    world_for(w, QUIET_MS);
    host_fake_remove_vm(w->host, "g1");
    world_for(w, QUIET_MS);
    struct host_fake_vm *again = world_guest(w, "g1", 60, 250);
    again->facts.wishes.exclude = again->facts.wishes.present = true;
    world_guest(w, "g2", 60, 250);
    world_available(w, 60);
    assert_true(world_until(w, g2_was_lowered, LONG_MS));
    assert_false(g1_was_lowered(w));
}

static void it_acts_again_after_libvirt_was_away(void **state)
{
    struct world *w = *state;
    world_start(w);
    world_guest(w, "g1", 60, 250);
    world_for(w, 500);
    host_fake_set_connected(w->host, false);
    world_available(w, 60);
    world_for(w, 1000);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_BALLOON, NULL), 0);
    host_fake_set_connected(w->host, true);
    assert_true(world_until(w, g1_was_lowered, 3000));
}

// ---- the fence ----------------------------------------------------------------------------------------

// A guest that nobody can balloon may grow by more than the host has. Memory is soft: g1's idle memory would be
// taken.
static void break_the_fence(struct world *w)
{
    world_guest(w, "g1", 60, 250);
    struct host_fake_vm *big = world_guest(w, "big", 60, 60);
    big->vm.maxmem_kib = big->vm.current_kib = 2048 << 10;
    big->vm.unballoonable = HOST_UNBALLOONABLE_HUGEPAGES;
    world_available(w, 200);
}

static bool event_is_written(struct world *w, const char *kind)
{
    if (!w->store)
        world_open_store(w);
    struct store_events *e = NULL;
    struct error err = {0};
    if (store_read_events(w->store, &(struct store_event_filter){0}, &e, &err) < 0)
        return false;
    bool found = false;
    for (size_t i = 0; i < e->n; i++)
        found = found || strcmp(e->at[i].kind, kind) == 0;
    store_events_free(e);
    return found;
}

static bool auto_is_refused(struct world *w)
{
    return event_is_written(w, "auto-refused");
}

static bool auto_is_resumed(struct world *w)
{
    return event_is_written(w, "auto-resumed");
}

static void a_fence_that_cannot_be_held_refuses_auto_and_says_so(void **state)
{
    struct world *w = *state;
    world_start(w);
    break_the_fence(w);
    assert_true(world_until(w, auto_is_refused, LONG_MS));
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_SET_BALLOON, NULL), 0);
}

static void refused_or_not_a_host_that_is_short_takes_idle_memory(void **state)
{
    struct world *w = *state;
    world_start(w);
    break_the_fence(w);
    assert_true(world_until(w, auto_is_refused, LONG_MS));
    world_available(w, 60);
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
}

static void auto_resumes_when_the_fence_has_held_for_a_while(void **state)
{
    struct world *w = *state;
    world_start(w);
    break_the_fence(w);
    assert_true(world_until(w, auto_is_refused, LONG_MS));
    host_fake_remove_vm(w->host, "big");
    assert_true(world_until(w, auto_is_resumed, DRIVER_FENCE_SETTLE_MS + LONG_MS));
    assert_true(world_until(w, g1_was_lowered, LONG_MS));
}

// ---- migrations ---------------------------------------------------------------------------------------

static bool g1_is_reported(struct world *w)
{
    struct store_cluster *c = NULL;
    struct error err = {0};
    if (store_read_cluster(w->store, &(struct store_read){0}, &c, &err) < 0)
        return false;
    bool found = c->snapshot->vms.n == 1;
    store_cluster_free(c);
    return found;
}

static struct store_move move_of(struct host_fake_vm *g, char *uuid_text)
{
    host_uuid_format(&g->vm.uuid, uuid_text);
    return (struct store_move){.vm_uuid = uuid_text,
                               .from = "h1",
                               .to = "h2",
                               .origin = STORE_ORIGIN_OPERATOR,
                               .mem_needed_mib = 200,
                               .cpu_needed_cores = 0.1,
                               .reason = "test"};
}

// A host with g1 that the store knows, and h2 to go to.
static struct host_fake_vm *ready_to_move(struct world *w)
{
    world_open_store(w);
    world_join_other(w, "h2", 8192, NULL);
    world_start(w);
    struct host_fake_vm *g = world_guest(w, "g1", 60, 120);
    assert_true(world_until(w, g1_is_reported, LONG_MS));
    return g;
}

static void order_move(struct world *w, struct host_fake_vm *g)
{
    char uuid[HOST_UUID_TEXT_SIZE];
    struct store_move move = move_of(g, uuid);
    struct error err = {0};
    uint64_t id;
    if (store_propose(w->store, &move, STORE_MIGRATION_ORDERED, 0, 60000, NULL, &id, &err) < 0)
        fail_msg("%s", err.text);
}

static bool migration_is_done(struct world *w)
{
    return world_migration_state(w) == STORE_MIGRATION_DONE;
}

static bool migration_has_failed(struct world *w)
{
    return world_migration_state(w) == STORE_MIGRATION_FAILED;
}

static bool migration_is_cancelled(struct world *w)
{
    return world_migration_state(w) == STORE_MIGRATION_CANCELLED;
}

static void an_order_is_claimed_carried_out_and_finished(void **state)
{
    struct world *w = *state;
    order_move(w, ready_to_move(w));
    assert_true(world_until(w, migration_is_done, LONG_MS));
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, "g1"), 1);
}

static void a_failed_migration_is_written_as_failed(void **state)
{
    struct world *w = *state;
    struct host_fake_vm *g = ready_to_move(w);
    host_fake_add_rule(w->host,
                       (struct host_fake_rule){.call = HOST_FAKE_MIGRATE, .behaviour = HOST_FAKE_FAIL});
    order_move(w, g);
    assert_true(world_until(w, migration_has_failed, LONG_MS));
}

static void an_unknown_end_is_asked_about_and_found_done(void **state)
{
    struct world *w = *state;
    struct host_fake_vm *g = ready_to_move(w);
    struct host_uuid uuid = g->vm.uuid;
    host_fake_add_rule(w->host, (struct host_fake_rule){.call = HOST_FAKE_MIGRATE,
                                                        .behaviour = HOST_FAKE_HANG_BUT_DO,
                                                        .delay_ms = 300});
    host_fake_set_presence(w->host, "test:///h2", &uuid,
                           (struct host_presence){.state = HOST_PRESENCE_RUNNING});
    order_move(w, g);
    assert_true(world_until(w, migration_is_done, 2 * LONG_MS));
    assert_true(world_calls(w, HOST_FAKE_PRESENCE, NULL) > 0);
}

static void a_claim_left_by_a_killed_agent_is_cancelled_when_nothing_happened(void **state)
{
    struct world *w = *state;
    struct host_fake_vm *g = ready_to_move(w);
    char uuid[HOST_UUID_TEXT_SIZE];
    struct store_claim claim = {.move = move_of(g, uuid), .lifetime_ms = 60000};
    struct store_claim_result granted;
    struct error err = {0};
    assert_int_equal(store_claim(w->store, &claim, &granted, &err), 0);
    if (granted.refusal != STORE_GRANTED)
        fail_msg("%s", granted.why);
    assert_true(world_until(w, migration_is_cancelled, LONG_MS));
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, NULL), 0);
}

static void a_claim_whose_vm_went_before_the_kill_is_done(void **state)
{
    struct world *w = *state;
    struct host_fake_vm *g = ready_to_move(w);
    struct host_uuid there = g->vm.uuid;
    char uuid[HOST_UUID_TEXT_SIZE];
    struct store_claim claim = {.move = move_of(g, uuid), .lifetime_ms = 60000};
    struct store_claim_result granted = {0};
    struct error err = {0};
    world_stop(w);
    // A killed agent does not leave: its rows are as if it were there.
    struct store_host self = {.name = "h1",
                              .address = "test:///h1",
                              .state = HOST_UP,
                              .mode = STORE_MODE_AUTO,
                              .cpu_cores = 2,
                              .mem_mib = 1024,
                              .net_mib_s = 1000,
                              .threads_per_core = 1,
                              .core_speed = 1};
    struct store_vm row = {.uuid = claim.move.vm_uuid,
                           .name = "g1",
                           .mode = STORE_MODE_AUTO,
                           .movable = true,
                           .vcpus = 1,
                           .mem_mib = 256,
                           .cpu_limit_cores = 1,
                           .mem_limit_mib = 256,
                           .shares = 1000,
                           .cpu_shares = 1000,
                           .mem_shares = 1000};
    if (store_join(w->store, &self, &row, 1, &err) < 0 || store_claim(w->store, &claim, &granted, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(granted.why, "");
    assert_int_equal(store_advance(w->store, granted.id, &err), 0);
    world_start(w);
    host_fake_set_presence(w->host, "test:///h2", &there,
                           (struct host_presence){.state = HOST_PRESENCE_RUNNING});
    assert_true(world_until(w, migration_is_done, LONG_MS));
}

static void set_maintenance(struct world *w, const char *host)
{
    struct error err = {0};
    if (store_set(w->store, STORE_SCOPE_HOST, host, "maintenance", "yes", &err) < 0)
        fail_msg("%s", err.text);
}

static bool h1_says_maintenance(struct world *w)
{
    struct store_cluster *c = NULL;
    struct error err = {0};
    if (store_read_cluster(w->store, &(struct store_read){0}, &c, &err) < 0)
        return false;
    bool says = strcmp(c->hosts[0].name, "h1") == 0 && c->hosts[0].state == HOST_MAINTENANCE;
    store_cluster_free(c);
    return says;
}

static void a_host_in_maintenance_says_so_and_is_emptied(void **state)
{
    struct world *w = *state;
    ready_to_move(w);
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, NULL), 0);
    set_maintenance(w, "h1");
    assert_true(world_until(w, h1_says_maintenance, LONG_MS));
    assert_true(world_until(w, migration_is_done, LONG_MS));
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, "g1"), 1);
}

static void a_host_in_maintenance_is_emptied_as_soon_as_another_has_room(void **state)
{
    struct world *w = *state;
    ready_to_move(w);
    world_join_other(w, "h2", 32, NULL);
    set_maintenance(w, "h1");
    assert_true(world_until(w, h1_says_maintenance, LONG_MS));
    world_for(w, QUIET_MS);
    assert_int_equal(world_migration_state(w), -1);
    world_join_other(w, "h2", 8192, NULL);
    assert_true(world_until(w, migration_is_done, LONG_MS));
}

static void a_host_in_maintenance_is_emptied_also_to_the_last_of_many_hosts(void **state)
{
    struct world *w = *state;
    ready_to_move(w);
    world_join_other(w, "h2", 32, NULL);
    for (int i = 0; i < BALANCE_HOSTS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "h3-%03d", i);
        world_join_other(w, name, 32, NULL);
    }
    world_join_other(w, "h4", 8192, NULL);
    set_maintenance(w, "h1");
    assert_true(world_until(w, migration_is_done, 2 * LONG_MS));
}

static bool migration_is_proposed(struct world *w)
{
    return world_migration_state(w) == STORE_MIGRATION_PROPOSED;
}

static void in_recommend_maintenance_waits_for_approval(void **state)
{
    struct world *w = *state;
    w->settings.mode = AGENT_MODE_RECOMMEND;
    ready_to_move(w);
    set_maintenance(w, "h1");
    assert_true(world_until(w, migration_is_proposed, LONG_MS));
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, NULL), 0);
}

static bool dirty_rate_was_asked(struct world *w)
{
    return world_calls(w, HOST_FAKE_MEASURE_DIRTY, "g1") > 0;
}

static bool dirty_rate_is_told(struct world *w)
{
    struct store_cluster *c = NULL;
    struct error err = {0};
    if (store_read_cluster(w->store, &(struct store_read){0}, &c, &err) < 0)
        return false;
    bool told = c->snapshot->vms.n == 1 && c->vms[0].dirty_mib_s == 40;
    store_cluster_free(c);
    return told;
}

// CPU counters of a vCPU that always wants to run and gets half of the time.
static bool g1_is_starved_until_asked(struct world *w)
{
    struct host_fake_vm *g = host_fake_find_vm(w->host, "g1");
    uint64_t ns = (uint64_t)uv_now(&w->loop) * 1000000;
    if (g) // it is still here
        g->vcpus[0] = (struct host_vcpu){.run_ns = ns / 2, .delay_ns = ns / 2};
    host_fake_cpu(w->host)->busy_ns = ns / 2;
    return dirty_rate_was_asked(w);
}

static bool g1_is_starved_until_told(struct world *w)
{
    g1_is_starved_until_asked(w);
    return dirty_rate_is_told(w);
}

static void the_dirty_rate_is_measured_only_while_a_move_is_considered(void **state)
{
    struct world *w = *state;
    ready_to_move(w)->dirty_kib_s = 40 << 10;
    world_for(w, QUIET_MS);
    assert_false(dirty_rate_was_asked(w));
    assert_true(world_until(w, g1_is_starved_until_asked, LONG_MS));
    assert_true(world_until(w, g1_is_starved_until_told, 2 * LONG_MS));
}

// ---- many VMs -----------------------------------------------------------------------------------------

static const struct store_host *row_of_h1(struct world *w, struct store_cluster **ret_cluster)
{
    struct error err = {0};
    if (store_read_cluster(w->store, &(struct store_read){0}, ret_cluster, &err) < 0)
        return NULL;
    for (uint32_t h = 0; h < (*ret_cluster)->snapshot->hosts.n; h++)
        if (strcmp((*ret_cluster)->hosts[h].name, "h1") == 0)
            return &(*ret_cluster)->hosts[h];
    return NULL;
}

static bool h1_is_full_of_vms(struct world *w)
{
    struct store_cluster *c = NULL;
    const struct store_host *h1 = row_of_h1(w, &c);
    bool full = h1 && h1->closed && strstr(h1->closed_why, "more VMs") && h1->n_vms == GUESTS_MAX &&
                c->snapshot->vms.n == GUESTS_MAX;
    store_cluster_free(c);
    return full;
}

static bool h1_has_all_and_is_open(struct world *w)
{
    struct store_cluster *c = NULL;
    const struct store_host *h1 = row_of_h1(w, &c);
    bool open = h1 && !h1->closed && c->snapshot->vms.n == GUESTS_MAX;
    bool has_last = false;
    for (uint32_t v = 0; open && v < c->snapshot->vms.n; v++)
        has_last = has_last || strcmp(c->vms[v].name, "last") == 0;
    store_cluster_free(c);
    return has_last;
}

static void vms_beyond_the_limit_close_the_host_and_come_in_when_others_go(void **state)
{
    struct world *w = *state;
    world_open_store(w);
    world_start(w);
    host_fake_memory(w->host)->total_kib = 256 << 20;
    host_fake_memory(w->host)->available_kib = 200 << 20;
    for (int i = 0; i < GUESTS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%d", i);
        world_guest(w, name, 60, 120);
    }
    world_for(w, QUIET_MS);
    world_guest(w, "last", 60, 120);
    assert_true(world_until(w, h1_is_full_of_vms, 2 * LONG_MS));
    host_fake_remove_vm(w->host, "g7");
    assert_true(world_until(w, h1_has_all_and_is_open, 2 * LONG_MS));
}

// ---- rules --------------------------------------------------------------------------------------------

static bool no_destination_was_found(struct world *w)
{
    struct store_decisions *d = NULL;
    struct error err = {0};
    bool found = false;
    g1_is_starved_until_asked(w);
    if (store_read_decisions(w->store, &(struct store_decision_filter){.host = "h1", .of_host = true}, &d,
                             &err) < 0)
        return false;
    for (size_t i = 0; i < d->n; i++)
        found = found || strcmp(d->at[i].verdict, "no-destination") == 0;
    store_decisions_free(d);
    return found;
}

static bool starved_g1_is_on_h3(struct world *w)
{
    struct store_migrations *m = NULL;
    struct error err = {0};
    g1_is_starved_until_asked(w);
    if (store_read_migrations(w->store, &(struct store_migration_filter){0}, &m, &err) < 0)
        fail_msg("%s", err.text);
    bool there = m->n > 0 && m->at[0].state == STORE_MIGRATION_DONE;
    if (m->n > 0)
        assert_string_equal(m->at[0].move.to, "h3");
    store_migrations_free(m);
    return there;
}

static void the_immediate_balancer_breaks_no_strict_rule(void **state)
{
    struct world *w = *state;
    struct store_vm partner = {.uuid = "11111111-1111-1111-1111-111111111111",
                               .name = "partner",
                               .rules = "apart:pair",
                               .mode = STORE_MODE_AUTO,
                               .movable = true,
                               .vcpus = 1,
                               .mem_mib = 256,
                               .cpu_limit_cores = 1,
                               .mem_limit_mib = 256,
                               .shares = 1000,
                               .cpu_shares = 1000,
                               .mem_shares = 1000};
    world_open_store(w);
    world_join_other(w, "h2", 8192, &partner);
    world_start(w);
    struct host_fake_vm *g = world_guest(w, "g1", 60, 120);
    strcpy(g->facts.wishes.rules, "apart:pair");
    // A contention is looked at after 15 s: before that it is a spike.
    assert_true(world_until(w, no_destination_was_found, 6 * LONG_MS));
    assert_int_equal(world_migration_state(w), -1);
    world_join_other(w, "h2", 8192, &partner); // its heartbeat
    world_join_other(w, "h3", 1024, NULL);
    assert_true(world_until(w, starved_g1_is_on_h3, 4 * LONG_MS));
}

static void maintenance_breaks_no_strict_rule(void **state)
{
    struct world *w = *state;
    world_open_store(w);
    world_join_other(w, "h2", 8192, NULL);
    world_join_other(w, "h3", 1024, NULL);
    world_start(w);
    struct host_fake_vm *g = world_guest(w, "g1", 60, 120);
    strcpy(g->facts.wishes.rules, "off:h2");
    world_for(w, QUIET_MS);
    set_maintenance(w, "h1");
    assert_true(world_until(w, starved_g1_is_on_h3, 2 * LONG_MS));
}

static bool vm_is_told_immovable(struct world *w)
{
    struct store_cluster *c = NULL;
    struct error err = {0};
    if (store_read_cluster(w->store, &(struct store_read){0}, &c, &err) < 0)
        return false;
    bool told = c->snapshot->vms.n == 1 && !c->vms[0].movable && c->vms[0].movable_why &&
                strcmp(c->vms[0].movable_why, "its rules cannot be read") == 0;
    store_cluster_free(c);
    return told;
}

static void a_vm_whose_rules_cannot_be_read_stays(void **state)
{
    struct world *w = *state;
    world_open_store(w);
    world_join_other(w, "h2", 8192, NULL);
    world_start(w);
    struct host_fake_vm *g = world_guest(w, "g1", 60, 120);
    strcpy(g->facts.wishes.rules, "?");
    assert_true(world_until(w, vm_is_told_immovable, LONG_MS));
    set_maintenance(w, "h1");
    world_for(w, 2 * QUIET_MS);
    assert_int_equal(world_migration_state(w), -1);
}

static void nothing_is_migrated_without_a_store(void **state)
{
    struct world *w = *state;
    strcpy(w->settings.store, "/nonexistent/directory/store.db");
    world_start(w);
    world_guest(w, "g1", 200, 250);
    world_available(w, 10);
    world_for(w, QUIET_MS);
    assert_int_equal(world_calls(w, HOST_FAKE_MIGRATE, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_auto_idle_memory_is_taken_when_the_host_is_short, setup, teardown),
        cmocka_unit_test_setup_teardown(in_observe_nothing_is_touched_and_the_reason_is_written, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_clusters_mode_in_the_store_narrows_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(an_excluded_guest_is_never_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(a_guest_is_not_touched_before_its_definition_is_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_in_the_metadata_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_managed_without_a_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_balloon_does_not_keep_others_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(a_guest_that_comes_back_excluded_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(it_acts_again_after_libvirt_was_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fence_that_cannot_be_held_refuses_auto_and_says_so, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refused_or_not_a_host_that_is_short_takes_idle_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(auto_resumes_when_the_fence_has_held_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(an_order_is_claimed_carried_out_and_finished, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_migration_is_written_as_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_end_is_asked_about_and_found_done, setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_left_by_a_killed_agent_is_cancelled_when_nothing_happened,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_claim_whose_vm_went_before_the_kill_is_done, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_in_maintenance_says_so_and_is_emptied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_in_maintenance_is_emptied_as_soon_as_another_has_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_host_in_maintenance_is_emptied_also_to_the_last_of_many_hosts,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(in_recommend_maintenance_waits_for_approval, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dirty_rate_is_measured_only_while_a_move_is_considered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(vms_beyond_the_limit_close_the_host_and_come_in_when_others_go, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_immediate_balancer_breaks_no_strict_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(maintenance_breaks_no_strict_rule, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vm_whose_rules_cannot_be_read_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_migrated_without_a_store, setup, teardown),
    };
    return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
