#include "../test.h"

#include <string.h>

#include "decide/rules.h"
#include "random_cluster.h"

static struct snapshot *cluster(uint32_t hosts, uint32_t vms, uint32_t rules)
{
    struct cluster_recipe recipe = {.hosts = hosts, .vms = vms, .cpu_load = 0.3, .mem_load = 0.2};
    struct snapshot *s = random_cluster(1, &recipe);
    s->rules = arena_new_array(s->arena, struct rule, rules);
    s->n_rules = rules;
    return s;
}

static uint32_t *list(struct snapshot *s, uint32_t n, const uint32_t *items)
{
    uint32_t *copy = arena_new_array(s->arena, uint32_t, n);
    memcpy(copy, items, n * sizeof *items);
    return copy;
}

#define LIST(s, ...) list(s, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[]){__VA_ARGS__})

static void expect_contradiction(struct snapshot *s, const char *place)
{
    struct error err = {0};
    assert_int_equal(rules_check(s, s->arena, &err), -1);
    assert_int_equal(err.kind, ERROR_INPUT);
    assert_non_null(strstr(err.text, place));
    uint32_t relaxed[8];
    assert_int_equal(rules_relax(s, s->arena, relaxed), 1);
    assert_int_equal(rules_check(s, s->arena, &err), 0);
    snapshot_free(s);
}

static void together_and_apart_contradict(void **state)
{
    (void)state;
    struct snapshot *s = cluster(3, 12, 3);
    s->rules[0] = (struct rule){RULE_TOGETHER, .strict = true, .n_vms = 2, .vms = LIST(s, 0, 1)};
    s->rules[1] = (struct rule){RULE_TOGETHER, .strict = true, .n_vms = 2, .vms = LIST(s, 1, 2)};
    s->rules[2] = (struct rule){RULE_APART, .strict = true, .n_vms = 2, .vms = LIST(s, 0, 2)};
    expect_contradiction(s, "/rules/2:");
}

static void on_and_off_without_a_host_left_contradict(void **state)
{
    (void)state;
    struct snapshot *s = cluster(3, 12, 2);
    s->rules[0] = (struct rule){RULE_ON,           .strict = true, .n_vms = 1,
                                .vms = LIST(s, 4), .n_hosts = 1,   .hosts = LIST(s, 1)};
    s->rules[1] = (struct rule){RULE_OFF,          .strict = true, .n_vms = 1,
                                .vms = LIST(s, 4), .n_hosts = 1,   .hosts = LIST(s, 1)};
    expect_contradiction(s, "/rules/1:");
}

static void apart_needs_as_many_hosts_as_vms(void **state)
{
    (void)state;
    struct snapshot *s = cluster(3, 12, 1);
    s->rules[0] = (struct rule){RULE_APART, .strict = true, .n_vms = 4, .vms = LIST(s, 0, 1, 2, 3)};
    expect_contradiction(s, "/rules/0:");
}

static void together_on_hosts_that_exclude_each_other_contradict(void **state)
{
    (void)state;
    struct snapshot *s = cluster(3, 12, 3);
    s->rules[0] = (struct rule){RULE_TOGETHER, .strict = true, .n_vms = 2, .vms = LIST(s, 0, 1)};
    s->rules[1] = (struct rule){RULE_ON,           .strict = true, .n_vms = 1,
                                .vms = LIST(s, 0), .n_hosts = 1,   .hosts = LIST(s, 0)};
    s->rules[2] = (struct rule){RULE_ON,           .strict = true, .n_vms = 1,
                                .vms = LIST(s, 1), .n_hosts = 1,   .hosts = LIST(s, 2)};
    expect_contradiction(s, "/rules/0:");
}

static void preferences_never_contradict(void **state)
{
    (void)state;
    struct snapshot *s = cluster(3, 12, 2);
    struct error err = {0};
    s->rules[0] = (struct rule){RULE_TOGETHER, .strict = true, .n_vms = 2, .vms = LIST(s, 0, 1)};
    s->rules[1] = (struct rule){RULE_APART, .strict = false, .n_vms = 2, .vms = LIST(s, 0, 1)};
    assert_int_equal(rules_check(s, s->arena, &err), 0);
    snapshot_free(s);
}

// The effect told beforehand is the difference of the counts measured before and after; small rules are counted
// member by member, rules of 40 by domain.
static void effects_are_what_counting_again_gives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct cluster_recipe recipe = {.hosts = 6, .vms = 60, .rules = 4, .cpu_load = 0.3, .mem_load = 0.2};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct random r = random_seed(seed);
        uint32_t many[40];
        for (uint32_t i = 0; i < 40; i++)
            many[i] = i;
        s->rules[3] = (struct rule){seed % 2 ? RULE_APART : RULE_TOGETHER, .strict = true, .n_vms = 40,
                                    .vms = list(s, 40, many)};
        struct rules *rules = rules_compile(s, s->vms.host, s->arena);
        for (uint32_t i = 0; i < 50; i++) {
            uint32_t v = below(&r, s->vms.n), to = below(&r, s->hosts.n), from = s->vms.host[v];
            int strict = (int)rules_violations(rules, true), preferred = (int)rules_violations(rules, false);
            struct rules_effect effect = rules_move_effect(rules, v, to);
            s->vms.host[v] = to;
            rules_moved(rules, v, from);
            assert_int_equal((int)rules_violations(rules, true) - strict,
                             effect.strict_worse - effect.strict_better);
            assert_int_equal((int)rules_violations(rules, false) - preferred, effect.preferred);
        }
        snapshot_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_and_apart_contradict),
        cmocka_unit_test(on_and_off_without_a_host_left_contradict),
        cmocka_unit_test(apart_needs_as_many_hosts_as_vms),
        cmocka_unit_test(together_on_hosts_that_exclude_each_other_contradict),
        cmocka_unit_test(preferences_never_contradict),
        cmocka_unit_test(effects_are_what_counting_again_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
