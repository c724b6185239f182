// Why nothing more was done, told as data of each host that still loses.
#include "../test.h"

#include <math.h>
#include <string.h>

#include "decide/plan.h"
#include "random_cluster.h"

// h0 with two VMs that want 6 of its 4 cores, and h1 with one.
static struct snapshot *two_hosts(double cores_1, double mem_1_mib)
{
    static const char *const hosts[] = {"h0", "h1"}, *const vms[] = {"v0", "v1", "v2"};
    struct snapshot *s = snapshot_new(2, 3, 0);
    for (uint32_t h = 0; h < 2; h++) {
        s->hosts.name[h] = hosts[h];
        s->hosts.cpu_cores[h] = h ? cores_1 : 4;
        s->hosts.mem_mib[h] = h ? mem_1_mib : 16384;
    }
    for (uint32_t v = 0; v < 3; v++) {
        s->vms.name[v] = vms[v];
        s->vms.host[v] = v / 2;
        s->vms.vcpus[v] = 4;
        s->vms.cpu_limit_cores[v] = 4;
        s->vms.cpu_demand_cores[v] = 3;
        s->vms.mem_mib[v] = s->vms.mem_used_mib[v] = s->vms.mem_actual_mib[v] = s->vms.mem_limit_mib[v] =
            4096;
        s->vms.dirty_mib_s[v] = 10;
    }
    return s;
}

static struct plan_settings told(void)
{
    struct plan_settings settings = plan_settings_default();
    settings.unmet = 4;
    return settings;
}

// Plans, expects that nothing moves and h0 is refused help for that reason.
static struct plan_unmet refused(struct snapshot *s, const struct plan_settings *settings,
                                 enum plan_refusal expected)
{
    struct plan plan;
    plan_make(s, settings, s->arena, &plan);
    assert_int_equal(plan.n_moves, 0);
    assert_true(plan.n_losing >= 1 && plan.n_unmet >= 1);
    struct plan_unmet u = plan.unmet[0];
    assert_int_equal(u.host, 0);
    assert_string_equal(plan_refusal_name(u.refusal), plan_refusal_name(expected));
    assert_true(u.lost_vm_s_per_s > 0 && strlen(u.reason) > 0);
    return u;
}

static void a_full_destination_is_named_by_what_it_lacks(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(16, 6144);
    struct plan_settings settings = told();
    struct plan_unmet u = refused(s, &settings, PLAN_REFUSED_NO_HOST);
    assert_int_equal(u.n_moves, 2);
    assert_int_equal(u.n_impossible, 2);
    assert_int_equal(u.vm, SNAPSHOT_NONE);
    assert_non_null(strstr(u.reason, "2 lack memory"));
    snapshot_free(s);
}

static void a_destination_that_would_lose_as_much_is_no_gain(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(3, 16384);
    struct plan_settings settings = told();
    struct plan_unmet u = refused(s, &settings, PLAN_REFUSED_NO_GAIN);
    assert_int_equal(u.n_impossible, 0);
    assert_true(u.vm != SNAPSHOT_NONE && u.to == 1 && u.benefit_lost_vm_s <= 0);
    snapshot_free(s);
}

static void what_a_move_would_cost_and_prevent_is_told_where_it_does_not_pay(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(16, 16384);
    struct plan_settings settings = told();
    settings.horizon_s = 1;
    struct plan_unmet u = refused(s, &settings, PLAN_REFUSED_COSTS_MORE);
    assert_int_equal(u.to, 1);
    assert_true(u.benefit_lost_vm_s > 0 && u.benefit_lost_vm_s < u.cost_lost_vm_s);
    snapshot_free(s);
}

static void moves_used_up_and_vms_that_may_not_move_are_told(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(16, 16384);
    struct plan_settings settings = told();
    settings.max_moves = 0;
    struct plan_unmet u = refused(s, &settings, PLAN_REFUSED_MOVES_USED_UP);
    assert_true(u.benefit_lost_vm_s > u.cost_lost_vm_s);
    settings.max_moves = PLAN_UNLIMITED;
    s->vms.movable[0] = s->vms.movable[1] = false;
    refused(s, &settings, PLAN_REFUSED_NOT_MOVABLE);
    snapshot_free(s);
}

static void what_a_limit_withholds_is_no_matter_of_hosts(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(16, 16384);
    s->vms.cpu_demand_cores[0] = s->vms.cpu_demand_cores[1] = 2;
    s->vms.cpu_limit_cores[0] = 1;
    struct plan_settings settings = told();
    refused(s, &settings, PLAN_REFUSED_OWN_LIMITS);
    snapshot_free(s);
}

static void nobody_is_told_of_where_nothing_is_lost(void **state)
{
    (void)state;
    struct snapshot *s = two_hosts(16, 16384);
    struct plan_settings settings = told();
    struct plan plan;
    plan_make(s, &settings, s->arena, &plan);
    assert_int_equal(plan.n_moves, 1);
    assert_int_equal(plan.n_losing, 0);
    assert_int_equal(plan.n_unmet, 0);
    snapshot_free(s);
}

// On random clusters: every host that loses is told of, its best move brings what scoring says, and pays only where the
// refusal is for another reason than its price.
static void the_best_refused_move_is_what_measuring_gives(void **state)
{
    (void)state;
    uint32_t told_of = 0, with_best = 0;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct cluster_recipe recipe = {.hosts = 3 + seed % 12,
                                        .vms = 10 + seed % 40,
                                        .rules = seed % 3,
                                        .cpu_load = 0.8 + 0.1 * (double)(seed % 5),
                                        .mem_load = 0.6,
                                        .figures = true};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = told();
        settings.unmet = UINT32_MAX;
        settings.max_moves = seed % 4 ? PLAN_UNLIMITED : 2;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        assert_int_equal(plan.n_unmet, plan.n_losing);
        memcpy(s->vms.host, plan.vm_host, s->vms.n * sizeof *s->vms.host);
        for (uint32_t i = 0; i < plan.n_unmet; i++) {
            const struct plan_unmet *u = &plan.unmet[i];
            told_of++;
            if (u->vm == SNAPSHOT_NONE)
                continue;
            struct score there;
            assert_int_equal(s->vms.host[u->vm], u->host);
            s->vms.host[u->vm] = u->to;
            score_compute(s, s->arena, &there, NULL);
            s->vms.host[u->vm] = u->host;
            double measured = (plan.after.lost_vm_s_per_s - there.lost_vm_s_per_s) * settings.horizon_s;
            if (fabs(measured - u->benefit_lost_vm_s) > 1e-6 * settings.horizon_s)
                fail_msg("seed %lu: %g said, %g measured", (unsigned long)seed, u->benefit_lost_vm_s,
                         measured);
            if (u->refusal == PLAN_REFUSED_COSTS_MORE || u->refusal == PLAN_REFUSED_NO_GAIN)
                assert_true(u->benefit_lost_vm_s <= u->cost_lost_vm_s + 1e-6);
            with_best++;
        }
        snapshot_free(s);
    }
    assert_true(told_of > 300 && with_best > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_destination_is_named_by_what_it_lacks),
        cmocka_unit_test(a_destination_that_would_lose_as_much_is_no_gain),
        cmocka_unit_test(what_a_move_would_cost_and_prevent_is_told_where_it_does_not_pay),
        cmocka_unit_test(moves_used_up_and_vms_that_may_not_move_are_told),
        cmocka_unit_test(what_a_limit_withholds_is_no_matter_of_hosts),
        cmocka_unit_test(nobody_is_told_of_where_nothing_is_lost),
        cmocka_unit_test(the_best_refused_move_is_what_measuring_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
