// One large VM against many small ones: what no single move mends.
#include "../test.h"

#include "decide/plan.h"
#include "decide/plan_eject.h"
#include "decide/plan_order.h"

#define SMALL 14 // VMs of half a core on each host but the first

// Host h0 of 8 cores has two VMs of 5.5 cores; h1 to h3 have 7 cores in use by small ones.
static struct snapshot *two_large_ones(void)
{
    uint32_t n_vms = 2 + 3 * SMALL;
    struct snapshot *s = snapshot_new(4, n_vms, 0);
    for (uint32_t h = 0; h < 4; h++) {
        s->hosts.name[h] = arena_printf(s->arena, "h%u", h);
        s->hosts.cpu_cores[h] = 8;
        s->hosts.mem_mib[h] = 65536;
        s->hosts.zone[h] = h;
    }
    s->n_zones = 4;
    for (uint32_t v = 0; v < n_vms; v++) {
        bool large = v < 2;
        s->vms.name[v] = arena_printf(s->arena, "v%02u", v);
        s->vms.host[v] = large ? 0 : 1 + (v - 2) / SMALL;
        s->vms.vcpus[v] = large ? 8 : 1;
        s->vms.cpu_limit_cores[v] = s->vms.vcpus[v];
        s->vms.cpu_demand_cores[v] = large ? 5.5 : 0.5;
        s->vms.mem_mib[v] = s->vms.mem_limit_mib[v] = 2048;
        s->vms.mem_used_mib[v] = s->vms.mem_actual_mib[v] = 1024;
    }
    return s;
}

static void a_large_vm_is_exchanged_for_small_ones(void **state)
{
    (void)state;
    struct snapshot *s = two_large_ones();
    struct plan_settings settings = plan_settings_default();
    struct arena *arena = arena_new(0);
    struct plan plan;
    plan_make(s, &settings, arena, &plan);
    assert_true(plan.before.lost_vm_s_per_s > 0.5);
    assert_true(plan.after.lost_vm_s_per_s < plan.before.lost_vm_s_per_s / 4);
    assert_int_not_equal(plan.vm_host[0], plan.vm_host[1]);
    for (uint32_t i = 0; i < plan.n_moves; i++) // nobody is moved twice
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(plan.moves[i].vm, plan.moves[k].vm);
    arena_free(arena);
    snapshot_free(s);
}

static void a_chain_is_no_longer_than_the_moves_that_are_left(void **state)
{
    (void)state;
    struct snapshot *s = two_large_ones();
    struct plan_settings settings = plan_settings_default();
    struct arena *arena = arena_new(0);
    for (uint32_t most = 0; most < 8; most++) {
        struct plan plan;
        settings.max_moves = most;
        plan_make(s, &settings, arena, &plan);
        assert_true(plan.n_moves <= most);
        assert_true(plan.after.lost_vm_s_per_s <= plan.before.lost_vm_s_per_s);
    }
    arena_free(arena);
    snapshot_free(s);
}

static void what_passed_through_a_host_goes_straight(void **state)
{
    (void)state;
    struct snapshot *s = two_large_ones();
    struct plan_settings settings = plan_settings_default();
    struct arena *arena = arena_new(0);
    struct plan_state *planner = plan_state_new(s, &settings, arena);
    struct plan_search *search = plan_search_new(planner);
    struct plan_step at[4] = {{2, 1, 2}, {2, 2, 3}, {3, 1, 2}};
    struct plan_steps steps = {3, 4, at};
    for (uint32_t i = 0; i < 3; i++)
        plan_state_move(planner, at[i].vm, at[i].to);
    plan_order_shorten(planner, search, &steps);
    assert_int_equal(steps.n, 2);
    assert_int_equal(planner->where[2], 3);
    assert_int_equal(planner->where[3], 2);
    arena_free(arena);
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_vm_is_exchanged_for_small_ones),
        cmocka_unit_test(a_chain_is_no_longer_than_the_moves_that_are_left),
        cmocka_unit_test(what_passed_through_a_host_goes_straight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
