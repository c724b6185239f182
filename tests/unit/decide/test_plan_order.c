#include "../test.h"

#include "decide/plan_order.h"

// Hosts of 12 GiB; v0 and v1 take 10 GiB each, so that a host holds one of them.
static struct plan_state *two_full_hosts(struct arena *arena, bool spare, uint32_t n_rules,
                                         struct snapshot **ret)
{
    static const char *const hosts[] = {"h0", "h1", "h2"}, *const vms[] = {"v0", "v1"};
    struct snapshot *s = snapshot_new(3, 2, n_rules);
    for (uint32_t h = 0; h < 3; h++) {
        s->hosts.name[h] = hosts[h];
        s->hosts.cpu_cores[h] = 8;
        s->hosts.mem_mib[h] = 12288;
        s->hosts.zone[h] = h;
    }
    s->n_zones = 3;
    s->hosts.state[2] = spare ? HOST_UP : HOST_MAINTENANCE;
    for (uint32_t v = 0; v < 2; v++) {
        s->vms.name[v] = vms[v];
        s->vms.host[v] = v;
        s->vms.vcpus[v] = 4;
        s->vms.cpu_limit_cores[v] = 4;
        s->vms.mem_mib[v] = s->vms.mem_used_mib[v] = s->vms.mem_actual_mib[v] = s->vms.mem_limit_mib[v] =
            10240;
    }
    if (n_rules) {
        uint32_t *both = arena_new_array(s->arena, uint32_t, 2);
        both[1] = 1;
        s->rules[0] = (struct rule){RULE_APART, .strict = true, .n_vms = 2, .vms = both};
    }
    struct plan_settings settings = plan_settings_default();
    *ret = s;
    return plan_state_new(s, &settings, arena);
}

static void swap(bool spare, uint32_t capacity, uint32_t n_rules, uint32_t expected_steps,
                 uint32_t expected_left)
{
    struct arena *arena = arena_new(0);
    struct snapshot *s;
    struct plan_state *state = two_full_hosts(arena, spare, n_rules, &s);
    struct plan_target target[] = {{0, 1}, {1, 0}};
    struct plan_step at[8];
    struct plan_steps steps = {0, capacity, at};
    assert_int_equal(plan_order(state, 2, target, &steps), expected_left);
    assert_int_equal(steps.n, expected_steps);
    if (expected_left == 0) {
        assert_int_equal(state->where[0], 1);
        assert_int_equal(state->where[1], 0);
        assert_int_equal(at[0].to, 2);
    }
    arena_free(arena);
    snapshot_free(s);
}

static void full_hosts_swap_through_a_spare(void **state)
{
    (void)state;
    swap(true, 8, 0, 3, 0);
}

static void a_hop_obeys_strict_rules(void **state)
{
    (void)state;
    swap(true, 8, 1, 3, 0);
}

static void without_a_spare_nothing_is_half_done(void **state)
{
    (void)state;
    swap(false, 8, 0, 0, 2);
}

static void a_hop_counts_as_a_move(void **state)
{
    (void)state;
    swap(true, 2, 0, 0, 2);
}

// v0 at w can go to x at once, but then v3 cannot pass: v1 (on z) waits for x, v2 (on y) for z, v3 (on x) for y.
static void an_order_is_found_where_the_first_that_can_go_would_block_the_others(void **unused)
{
    (void)unused;
    static const char *const hosts[] = {"w", "x", "y", "z"}, *const vms[] = {"v0", "v1", "v2", "v3"};
    static const uint32_t home[] = {0, 3, 2, 1}, to[] = {1, 1, 3, 2};
    struct arena *arena = arena_new(0);
    struct snapshot *s = snapshot_new(4, 4, 0);
    struct plan_target target[4];
    for (uint32_t i = 0; i < 4; i++) {
        s->hosts.name[i] = hosts[i];
        s->hosts.cpu_cores[i] = 8;
        s->hosts.mem_mib[i] = i == 1 ? 24576 : 12288;
        s->vms.name[i] = vms[i];
        s->vms.host[i] = home[i];
        s->vms.vcpus[i] = 4;
        s->vms.cpu_limit_cores[i] = 4;
        s->vms.mem_mib[i] = s->vms.mem_used_mib[i] = s->vms.mem_actual_mib[i] = s->vms.mem_limit_mib[i] =
            10240;
        target[i] = (struct plan_target){i, to[i]};
    }
    struct plan_settings settings = plan_settings_default();
    struct plan_state *state = plan_state_new(s, &settings, arena);
    struct plan_step at[8];
    struct plan_steps steps = {0, 8, at};
    assert_int_equal(plan_order(state, 4, target, &steps), 0);
    assert_int_equal(steps.n, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(state->where[i], to[i]);
    arena_free(arena);
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_hosts_swap_through_a_spare),
        cmocka_unit_test(a_hop_obeys_strict_rules),
        cmocka_unit_test(without_a_spare_nothing_is_half_done),
        cmocka_unit_test(a_hop_counts_as_a_move),
        cmocka_unit_test(an_order_is_found_where_the_first_that_can_go_would_block_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
