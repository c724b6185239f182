#include "../test.h"

#include <math.h>
#include <string.h>

#include "decide/evacuate.h"
#include "decide/rules.h"
#include "random_cluster.h"

// Three equal hosts; the first is in maintenance and has a, b and c of 1, 2 and 3 GiB.
static struct snapshot *three_hosts(uint32_t n_rules)
{
    struct snapshot *s = snapshot_new(3, 3, n_rules);
    static const char *const host[] = {"h0", "h1", "h2"}, *const vm[] = {"a", "b", "c"};
    for (uint32_t h = 0; h < 3; h++) {
        s->hosts.name[h] = host[h];
        s->hosts.cpu_cores[h] = 8;
        s->hosts.mem_mib[h] = 8192;
    }
    s->hosts.state[0] = HOST_MAINTENANCE;
    for (uint32_t v = 0; v < 3; v++) {
        s->vms.name[v] = vm[v];
        s->vms.vcpus[v] = 1;
        s->vms.cpu_limit_cores[v] = 1;
        s->vms.cpu_demand_cores[v] = 0.5;
        s->vms.mem_mib[v] = s->vms.mem_limit_mib[v] = s->vms.mem_used_mib[v] = 1024 * (v + 1);
        s->vms.mem_actual_mib[v] = s->vms.mem_current_mib[v] = s->vms.mem_used_mib[v];
    }
    struct error err = {0};
    if (n_rules == 0 && snapshot_check(s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static const bool nobody[3];

static struct evacuation next(struct snapshot *s, const bool *held)
{
    struct evacuation e;
    evacuate_next(s, 0, held, PLAN_MEM_GROWTH, s->arena, &e);
    return e;
}

static void a_vm_goes_to_a_host_that_is_up(void **state)
{
    (void)state;
    struct snapshot *s = three_hosts(0);
    s->hosts.state[1] = HOST_MAINTENANCE;
    struct evacuation e = next(s, nobody);
    assert_int_equal(e.n_waiting, 3);
    assert_true(e.vm < 3);
    assert_int_equal(e.to, 2);
    assert_non_null(strstr(e.reason, "h0 is in maintenance"));
    snapshot_free(s);
}

static void those_held_or_immovable_stay(void **state)
{
    (void)state;
    struct snapshot *s = three_hosts(0);
    s->vms.movable[0] = false;
    struct evacuation e = next(s, (const bool[3]){false, true, false});
    assert_int_equal(e.n_waiting, 1);
    assert_int_equal(e.vm, 2);
    e = next(s, (const bool[3]){false, true, true});
    assert_int_equal(e.n_waiting, 0);
    assert_int_equal(e.vm, SNAPSHOT_NONE);
    assert_null(e.reason);
    snapshot_free(s);
}

static void where_nobody_has_room_the_reason_is_told(void **state)
{
    (void)state;
    struct snapshot *s = three_hosts(0);
    s->hosts.mem_mib[1] = s->hosts.mem_mib[2] = 512;
    struct evacuation e = next(s, nobody);
    assert_int_equal(e.n_waiting, 3);
    assert_int_equal(e.vm, SNAPSHOT_NONE);
    assert_non_null(strstr(e.reason, "2 lack memory"));
    snapshot_free(s);
}

static void a_strict_rule_holds_also_when_a_host_is_emptied(void **state)
{
    (void)state;
    struct snapshot *s = three_hosts(1);
    static uint32_t vms[] = {0, 1, 2}, hosts[] = {1};
    s->rules[0] =
        (struct rule){.type = RULE_OFF, .strict = true, .n_vms = 3, .vms = vms, .n_hosts = 1, .hosts = hosts};
    for (uint32_t moves = 0; moves < 3; moves++) {
        struct evacuation e = next(s, nobody);
        assert_int_equal(e.to, 2);
        s->vms.host[e.vm] = e.to;
    }
    snapshot_free(s);
}

// Step by step until nobody can go: no bound and no strict rule is broken on the way, and others stay where they are.
static void hosts_of_random_clusters_are_emptied_within_bounds(void **state)
{
    (void)state;
    uint32_t moved = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct cluster_recipe recipe = {
            .hosts = 6, .vms = 40, .rules = 4, .cpu_load = 0.6, .mem_load = 0.6, .figures = true};
        struct snapshot *s = random_cluster(seed, &recipe);
        bool held[40] = {false};
        s->hosts.state[0] = HOST_MAINTENANCE;
        for (uint32_t step = 0;; step++) {
            struct evacuation e;
            struct rules *rules = rules_compile(s, s->vms.host, s->arena);
            evacuate_next(s, 0, held, PLAN_MEM_GROWTH, s->arena, &e);
            if (e.vm == SNAPSHOT_NONE)
                break;
            assert_true(step < 40);
            assert_int_equal(s->vms.host[e.vm], 0);
            assert_int_equal(s->hosts.state[e.to], HOST_UP);
            assert_false(index_lists_has(&s->vms.cannot_run_on, e.vm, e.to));
            if (rules_move_effect(rules, e.vm, e.to).strict_worse > 0)
                fail_msg("seed %lu: a strict rule is broken", (unsigned long)seed);
            s->vms.host[e.vm] = e.to;
            double bound = 0;
            for (uint32_t v = 0; v < s->vms.n; v++)
                if (s->vms.host[v] == e.to)
                    bound += fmax(s->vms.mem_used_mib[v] * (1 + PLAN_MEM_GROWTH) + s->vms.mem_overhead_mib[v],
                                  s->vms.mem_reservation_mib[v]);
            if (bound > snapshot_host_mem_mib(s, e.to) * (1 + 1e-9))
                fail_msg("seed %lu: more than the destination holds", (unsigned long)seed);
            moved++;
        }
        snapshot_free(s);
    }
    assert_true(moved > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vm_goes_to_a_host_that_is_up),
        cmocka_unit_test(those_held_or_immovable_stay),
        cmocka_unit_test(where_nobody_has_room_the_reason_is_told),
        cmocka_unit_test(a_strict_rule_holds_also_when_a_host_is_emptied),
        cmocka_unit_test(hosts_of_random_clusters_are_emptied_within_bounds),
    };
    return cmocka_run_group_tests_name("evacuate", tests, NULL, NULL);
}
