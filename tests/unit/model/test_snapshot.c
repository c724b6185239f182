#include "../test.h"

#include <math.h>
#include <string.h>

#include "model/snapshot.h"

// Two hosts, two VMs, every invariant held.
static struct snapshot *small(void)
{
    struct snapshot *s = snapshot_new(2, 2, 1);
    for (uint32_t h = 0; h < 2; h++) {
        s->hosts.name[h] = h ? "h1" : "h0";
        s->hosts.cpu_cores[h] = 8;
        s->hosts.mem_mib[h] = 4096;
    }
    for (uint32_t v = 0; v < 2; v++) {
        s->vms.name[v] = v ? "v1" : "v0";
        s->vms.host[v] = v;
        s->vms.vcpus[v] = 2;
        s->vms.cpu_limit_cores[v] = 2;
        s->vms.mem_mib[v] = s->vms.mem_limit_mib[v] = s->vms.mem_current_mib[v] = 1024;
    }
    s->rules[0].type = RULE_APART;
    s->rules[0].n_vms = 2;
    s->rules[0].vms = arena_new_array(s->arena, uint32_t, 2);
    s->rules[0].vms[1] = 1;
    return s;
}

static void expect_refused(struct snapshot *s, const char *part)
{
    struct error err = {0};
    assert_int_equal(snapshot_check(s, &err), -1);
    assert_int_equal(err.kind, ERROR_INPUT);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
    snapshot_free(s);
}

static void a_sound_snapshot_passes(void **state)
{
    (void)state;
    struct snapshot *s = small();
    struct error err = {0};
    assert_int_equal(snapshot_check(s, &err), 0);
    snapshot_free(s);
}

static void each_broken_invariant_is_named_with_its_object(void **state)
{
    (void)state;
    struct snapshot *s = small();
    s->hosts.cpu_cores[1] = 0;
    expect_refused(s, "host \"h1\": cpu_cores must be above 0");
    s = small();
    s->hosts.mem_reserved_mib[0] = 5000;
    expect_refused(s, "host \"h0\": mem_reserved_mib");
    s = small();
    s->vms.cpu_demand_cores[1] = NAN;
    expect_refused(s, "vm \"v1\": cpu_demand_cores must be a finite number");
    s = small();
    s->vms.cpu_demand_cores[1] = 2.5;
    expect_refused(s, "vm \"v1\": cpu_demand_cores (2.5) must be at most vcpus (2)");
    s = small();
    s->vms.name[1] = "v0";
    expect_refused(s, "vm \"v0\": the name is there twice");
    s = small();
    s->vms.host[0] = 7;
    expect_refused(s, "vm \"v0\": its host is unknown");
    s = small();
    s->hosts.state[1] = HOST_STANDBY;
    expect_refused(s, "vm \"v1\": it cannot run on host \"h1\", which is on standby");
    s = small();
    s->vms.mem_reservation_mib[0] = 2000;
    expect_refused(s, "vm \"v0\": mem_reservation_mib (2000) must be at most mem_limit_mib");
    s = small();
    s->rules[0].type = RULE_ON;
    expect_refused(s, "rule 0");
    s = small();
    s->rules[0].vms[1] = 9;
    expect_refused(s, "rule 0");
}

static void a_copy_stands_on_its_own(void **state)
{
    (void)state;
    struct snapshot *s = small();
    s->vms.mem_used_mib[1] = 77;
    struct snapshot *copy = snapshot_copy(s);
    snapshot_free(s);
    struct error err = {0};
    assert_int_equal(snapshot_check(copy, &err), 0);
    assert_float_equal(copy->vms.mem_used_mib[1], 77, 0);
    assert_int_equal(copy->rules[0].vms[1], 1);
    assert_string_equal(copy->vms.name[1], "v1");
    assert_int_equal(snapshot_host_by_name(copy, "h9"), SNAPSHOT_NONE);
    snapshot_free(copy);
}

static void lists_are_searched(void **state)
{
    (void)state;
    uint32_t start[] = {0, 3, 3}, item[] = {2, 5, 9};
    struct index_lists lists = {start, item};
    assert_true(index_lists_has(&lists, 0, 5));
    assert_false(index_lists_has(&lists, 0, 4));
    assert_false(index_lists_has(&lists, 1, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_snapshot_passes),
        cmocka_unit_test(each_broken_invariant_is_named_with_its_object),
        cmocka_unit_test(a_copy_stands_on_its_own),
        cmocka_unit_test(lists_are_searched),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
