#include "../test.h"

#include <math.h>

#include "decide/longterm.h"
#include "random_cluster.h"

static struct snapshot *overloaded(uint64_t seed)
{
    struct cluster_recipe recipe = {.hosts = 4, .vms = 16, .cpu_load = 0.6, .mem_load = 0.3};
    struct snapshot *s = random_cluster(seed, &recipe);
    for (uint32_t v = 0; v < 8; v++) // the first half crowds on one host
        s->vms.host[v] = 0;
    return s;
}

static struct longterm_output step(struct longterm *l, const struct snapshot *s, double seconds, bool lease,
                                   bool wanted)
{
    struct longterm_input in = {.snapshot = s, .lease_held = lease, .destination_wanted = wanted};
    struct longterm_output out;
    longterm_step(l, &in, (struct mono){(int64_t)(seconds * 1000)}, &out);
    return out;
}

static void carry_out(struct snapshot *s, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->n_moves; i++)
        s->vms.host[plan->moves[i].vm] = plan->moves[i].to;
}

static void without_the_lease_it_plans_nothing(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(1);
    struct longterm *l = longterm_new(NULL);
    assert_int_equal(step(l, s, 0, false, true).outcome, LONGTERM_NO_LEASE);
    struct longterm_output out = step(l, s, 1, true, false);
    assert_int_equal(out.outcome, LONGTERM_ORDERED);
    assert_true(out.plan.n_moves > 0);
    longterm_free(l);
    snapshot_free(s);
}

static void it_plans_each_period_and_at_once_when_a_host_asks(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(2);
    struct longterm *l = longterm_new(NULL);
    struct longterm_output out = step(l, s, 0, true, false);
    assert_int_equal(out.outcome, LONGTERM_ORDERED);
    assert_int_equal(step(l, s, 5, true, true).outcome, LONGTERM_IDLE); // asked, but too soon
    assert_int_equal(step(l, s, 100, true, false).outcome, LONGTERM_IDLE);
    assert_int_equal(step(l, s, 101, true, true).outcome, LONGTERM_ORDERED);
    assert_int_equal(step(l, s, 400, true, false).outcome, LONGTERM_IDLE);
    assert_int_equal(step(l, s, 401, true, false).outcome, LONGTERM_ORDERED);
    longterm_free(l);
    snapshot_free(s);
}

static void what_was_carried_out_is_not_ordered_again(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(3);
    struct longterm *l = longterm_new(NULL);
    struct longterm_output out = step(l, s, 0, true, false);
    carry_out(s, &out.plan);
    assert_int_equal(step(l, s, 300, true, false).outcome, LONGTERM_SATISFIED);
    longterm_free(l);
    snapshot_free(s);
}

// Load that jumps between VMs every five minutes for a day, in a cluster that as a whole has enough: nobody goes back within
// the hour, nobody moves too often.
static void nobody_returns_within_the_hour(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(4);
    struct longterm *l = longterm_new(NULL);
    struct random r = random_seed(4);
    for (uint32_t v = 0; v < s->vms.n; v++)
        s->vms.vcpus[v] = 8;
    for (uint32_t v = 0; v < s->vms.n; v++)
        s->vms.cpu_limit_cores[v] = 8;
    double left_s[16][4], cores = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++)
        cores += s->hosts.cpu_cores[h];
    uint32_t moves[16] = {0}, all = 0;
    for (uint32_t v = 0; v < 16; v++)
        for (uint32_t h = 0; h < 4; h++)
            left_s[v][h] = -1e9;
    for (double t = 0; t < 86400; t += 300) {
        double wanted = 0;
        for (uint32_t v = 0; v < s->vms.n; v++)
            wanted += s->vms.cpu_demand_cores[v] = between(&r, 0, 6);
        for (uint32_t v = 0; v < s->vms.n; v++)
            s->vms.cpu_demand_cores[v] *= fmin(1, 0.95 * cores / wanted);
        struct longterm_output out = step(l, s, t, true, false);
        for (uint32_t i = 0; i < out.plan.n_moves; i++) {
            const struct plan_move *m = &out.plan.moves[i];
            assert_true(t - left_s[m->vm][m->to] >= 3600);
            left_s[m->vm][m->from] = t;
            moves[m->vm]++;
            all++;
        }
        carry_out(s, &out.plan);
    }
    assert_true(all > 10);
    for (uint32_t v = 0; v < 16; v++)
        assert_true(moves[v] <= LONGTERM_MOVES_A_DAY);
    longterm_free(l);
    snapshot_free(s);
}

static uint32_t moves_of_the_much_moved(const struct snapshot *s, struct longterm *l, double seconds)
{
    uint32_t moves[16];
    for (uint32_t v = 0; v < 16; v++)
        moves[v] = LONGTERM_MOVES_A_DAY;
    struct longterm_input in = {.snapshot = s, .lease_held = true, .vm_moves_24h = moves};
    struct longterm_output out;
    longterm_step(l, &in, (struct mono){(int64_t)(seconds * 1000)}, &out);
    return out.plan.n_moves;
}

static void moves_within_a_day_of_a_shortage_of_all_are_not_held_against_a_vm(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(1);
    struct longterm *l = longterm_new(NULL);
    assert_int_equal(moves_of_the_much_moved(s, l, 0), 0);
    double mem_mib = s->hosts.mem_mib[0];
    for (uint32_t h = 0; h < s->hosts.n; h++)
        s->hosts.mem_mib[h] *= 0.01;
    moves_of_the_much_moved(s, l, 300); // the cluster as a whole is short
    for (uint32_t h = 0; h < s->hosts.n; h++)
        s->hosts.mem_mib[h] = mem_mib;
    assert_true(moves_of_the_much_moved(s, l, 600) > 0);
    assert_int_equal(moves_of_the_much_moved(s, l, 300 + 86400), 0);
    longterm_free(l);
    snapshot_free(s);
}

static void what_own_limits_withhold_is_no_shortage_of_all(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(1);
    struct longterm *l = longterm_new(NULL);
    s->vms.vcpus[15] = 1000;
    s->vms.cpu_demand_cores[15] = 1000;
    s->vms.cpu_limit_cores[15] = 1;
    s->vms.mem_used_mib[15] = 1e9;
    s->vms.mem_limit_mib[15] = 1024;
    s->vms.movable[15] = false;
    assert_int_equal(moves_of_the_much_moved(s, l, 0), 0);
    s->vms.cpu_limit_cores[15] = 1000;
    assert_true(moves_of_the_much_moved(s, l, 300) > 0);
    longterm_free(l);
    snapshot_free(s);
}

static void vms_that_must_leave_a_host_count_for_a_shortage_of_all(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(1);
    struct longterm *l = longterm_new(NULL);
    uint32_t last = s->vms.host[15];
    for (uint32_t v = 0; v < s->vms.n; v++) // the others leave it alone
        if (s->vms.host[v] == last && v != 15)
            s->vms.host[v] = 0;
    s->vms.vcpus[15] = 1000;
    s->vms.cpu_demand_cores[15] = s->vms.cpu_limit_cores[15] = 1000;
    s->vms.movable[15] = false;
    s->hosts.state[last] = HOST_MAINTENANCE;
    assert_true(moves_of_the_much_moved(s, l, 0) > 0);
    longterm_free(l);
    snapshot_free(s);
}

static void a_host_in_maintenance_is_emptied_of_the_much_moved_too(void **state)
{
    (void)state;
    struct snapshot *s = overloaded(1);
    struct longterm *l = longterm_new(NULL);
    s->hosts.state[0] = HOST_MAINTENANCE;
    assert_true(moves_of_the_much_moved(s, l, 0) >= 8);
    longterm_free(l);
    snapshot_free(s);
}

static void consolidation_packs_first_and_then_waits(void **state)
{
    (void)state;
    struct cluster_recipe recipe = {.hosts = 8, .vms = 32, .cpu_load = 0.3, .mem_load = 0.1};
    struct snapshot *s = random_cluster(5, &recipe);
    struct longterm_settings settings = longterm_settings_default();
    settings.consolidate = true;
    settings.vm_rest_s = 0;
    struct longterm *l = longterm_new(&settings);
    struct longterm_output out = step(l, s, 0, true, false);
    assert_true(out.plan.hosts_emptied >= 3);
    carry_out(s, &out.plan);
    for (uint32_t i = 0; i < out.plan.n_host_actions; i++)
        if (!out.plan.host_actions[i].wake)
            s->hosts.state[out.plan.host_actions[i].host] = HOST_STANDBY;
    for (uint32_t v = 0; v < s->vms.n; v++)
        s->vms.cpu_demand_cores[v] /= 4; // now even fewer hosts would do
    double packed_s = 0;
    for (double t = 300; t < 7200 && packed_s == 0; t += 300)
        if (step(l, s, t, true, false).plan.hosts_emptied)
            packed_s = t;
    assert_true(packed_s >= 300 + LONGTERM_PACK_AFTER_S);
    longterm_free(l);
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_lease_it_plans_nothing),
        cmocka_unit_test(it_plans_each_period_and_at_once_when_a_host_asks),
        cmocka_unit_test(what_was_carried_out_is_not_ordered_again),
        cmocka_unit_test(nobody_returns_within_the_hour),
        cmocka_unit_test(moves_within_a_day_of_a_shortage_of_all_are_not_held_against_a_vm),
        cmocka_unit_test(what_own_limits_withhold_is_no_shortage_of_all),
        cmocka_unit_test(vms_that_must_leave_a_host_count_for_a_shortage_of_all),
        cmocka_unit_test(a_host_in_maintenance_is_emptied_of_the_much_moved_too),
        cmocka_unit_test(consolidation_packs_first_and_then_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
