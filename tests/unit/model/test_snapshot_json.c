#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "model/snapshot_json.h"

#define H0 "{\"name\":\"h0\",\"cpu_cores\":8,\"mem_mib\":4096}"
#define V0                                                                                                   \
    "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":2,\"mem_mib\":1024,\"cpu_demand_cores\":1,\"mem_used_mib\":" \
    "500}"
#define TEXT(hosts, vms, more)                                                                               \
    "{\"format\":\"ballast-snapshot-1\",\"hosts\":[" hosts "],\"vms\":[" vms "]" more "}"

static char warnings[4096];

static void collect(void *context, const char *text)
{
    (void)context;
    size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", text);
}

static struct snapshot *parse(const char *text)
{
    struct snapshot *s = NULL;
    struct error err = {0};
    warnings[0] = '\0';
    if (snapshot_json_parse(text, strlen(text), collect, NULL, &s, &err) < 0)
        fail_msg("refused: %s", err.text);
    assert_int_equal(snapshot_check(s, &err), 0);
    return s;
}

static void refused(const char *text, const char *part)
{
    struct snapshot *s = NULL;
    struct error err = {0};
    assert_int_equal(snapshot_json_parse(text, strlen(text), NULL, NULL, &s, &err), -1);
    assert_null(s);
    assert_int_equal(err.kind, ERROR_INPUT);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void absent_keys_take_their_defaults(void **state)
{
    (void)state;
    struct snapshot *s = parse(TEXT(H0, V0, ""));
    assert_int_equal(s->hosts.state[0], HOST_UP);
    assert_float_equal(s->hosts.net_mib_s[0], 1000, 0);
    assert_float_equal(s->hosts.threads_per_core[0], 1, 0);
    assert_float_equal(s->vms.mem_current_mib[0], 1024, 0);
    assert_float_equal(s->vms.mem_actual_mib[0], 500, 0);
    assert_int_equal(s->vms.cpu_shares[0], 1000);
    assert_float_equal(s->vms.cpu_limit_cores[0], 2, 0);
    assert_float_equal(s->vms.mem_limit_mib[0], 1024, 0);
    assert_float_equal(s->vms.dirty_mib_s[0], 10, 0);
    assert_true(s->vms.movable[0]);
    assert_int_equal(s->n_rules, 0);
    snapshot_free(s);
}

static void shares_are_the_default_of_both_kinds(void **state)
{
    (void)state;
    struct snapshot *s =
        parse("{\"format\":\"ballast-snapshot-1\",\"hosts\":[" H0
              "],\"vms\":[{\"name\":\"v\",\"host\":\"h0\",\"vcpus\":1,"
              "\"mem_mib\":1,\"cpu_demand_cores\":0,\"mem_used_mib\":0,\"mem_shares\":7,\"shares\":2000}]}");
    assert_int_equal(s->vms.cpu_shares[0], 2000);
    assert_int_equal(s->vms.mem_shares[0], 7);
    snapshot_free(s);
}

static void lists_may_come_in_any_order(void **state)
{
    (void)state;
    struct snapshot *s =
        parse("{\"rules\":[{\"vms\":[\"v0\"],\"hosts\":[\"h0\"],\"type\":\"on\",\"scope\":\"zone\","
              "\"strict\":false}],\"vms\":[" V0 "],\"hosts\":[" H0
              "],\"format\":\"ballast-snapshot-1\",\"taken_at\":\"2026-11-23T10:00:00Z\"}");
    assert_int_equal(s->rules[0].type, RULE_ON);
    assert_true(s->rules[0].by_zone);
    assert_false(s->rules[0].strict);
    assert_int_equal(s->taken_at.ms, INT64_C(1795428000000));
    snapshot_free(s);
}

static void an_unknown_key_is_warned_about_once(void **state)
{
    (void)state;
    struct snapshot *s =
        parse(TEXT(H0 ",{\"name\":\"h1\",\"cpu_cores\":1,\"mem_mib\":1,\"rack\":{\"a\":[1,{}]}},"
                      "{\"name\":\"h2\",\"cpu_cores\":1,\"mem_mib\":1,\"rack\":null}",
                   V0, ",\"rack\":[[]]"));
    assert_string_equal(warnings,
                        "unknown key \"rack\" in /hosts is ignored\nunknown key \"rack\" is ignored\n");
    assert_int_equal(s->hosts.n, 3);
    snapshot_free(s);
}

static void a_demand_above_its_bound_is_cut_with_a_warning(void **state)
{
    (void)state;
    struct snapshot *s = parse(TEXT(H0,
                                    "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":2,\"mem_mib\":1024,"
                                    "\"cpu_demand_cores\":3,\"mem_used_mib\":2000}",
                                    ""));
    assert_float_equal(s->vms.cpu_demand_cores[0], 2, 0);
    assert_float_equal(s->vms.mem_used_mib[0], 1024, 0);
    assert_non_null(strstr(warnings, "/vms/0/cpu_demand_cores: 3 is above vcpus and was cut to 2"));
    snapshot_free(s);
}

static void bad_input_is_refused_with_place_and_cure(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "one JSON object"},
        {"[]", "one JSON object"},
        {"{\"format\":\"ballast-snapshot-1\",\n\"hosts\":[NaN]}", "line 2, column 10: not JSON"},
        {"{\"format\":\"ballast-snapshot-1\",\"hosts\":[\n", "line 2, column 1: the file ends before"},
        {"{\"format\":\"x\"}", "/format: must be \"ballast-snapshot-1\""},
        {"{\"hosts\":[],\"vms\":[]}", "/format: is missing"},
        {TEXT("", "", ""), "/hosts: there must be at least one host"},
        {TEXT(H0 "," H0, "", ""), "/hosts/1/name: \"h0\" is the name of /hosts/0 already"},
        {TEXT(H0, V0 "," V0, ""), "/vms/1/name: \"v0\" is the name of /vms/0 already"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":8}", "", ""), "/hosts/0: \"mem_mib\" is missing"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":\"8\",\"mem_mib\":1}", "", ""),
         "/hosts/0/cpu_cores: must be a number"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":0,\"mem_mib\":1}", "", ""),
         "/hosts/0/cpu_cores: must be above 0, not 0"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":1e999,\"mem_mib\":1}", "", ""),
         "/hosts/0/cpu_cores: must be a finite"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":1,\"cpu_cores\":1,\"mem_mib\":1}", "", ""),
         "/hosts/0/cpu_cores: is given twice"},
        {TEXT("{\"name\":\"\",\"cpu_cores\":1,\"mem_mib\":1}", "", ""),
         "/hosts/0/name: must be 1 to 255 bytes"},
        {TEXT("{\"name\":\"a\\nb\",\"cpu_cores\":1,\"mem_mib\":1}", "", ""),
         "/hosts/0/name: must be 1 to 255 bytes"},
        {TEXT("{\"name\":\"a\\u0000b\",\"cpu_cores\":1,\"mem_mib\":1}", "", ""),
         "/hosts/0/name: must not hold a zero"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":1,\"mem_mib\":1,\"state\":\"off\"}", "", ""),
         "/hosts/0/state: must be up"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":1,\"mem_mib\":1,\"mem_reserved_mib\":2}", "", ""),
         "/hosts/0/mem_reserved_mib: must be at most mem_mib"},
        {TEXT(H0,
              "{\"name\":\"v0\",\"host\":\"h7\",\"vcpus\":2,\"mem_mib\":1,\"cpu_demand_cores\":1,\"mem_used_"
              "mib\":0}",
              ""),
         "/vms/0/host: there is no host named \"h7\""},
        {TEXT(H0,
              "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":1.5,\"mem_mib\":1,\"cpu_demand_cores\":1,\"mem_"
              "used_mib\":0}",
              ""),
         "/vms/0/vcpus: must be a whole number"},
        {TEXT(H0,
              "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":0,\"mem_mib\":1,\"cpu_demand_cores\":1,\"mem_used_"
              "mib\":0}",
              ""),
         "/vms/0/vcpus: must be at least 1, not 0"},
        {TEXT(H0,
              "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":1,\"mem_mib\":1,\"cpu_demand_cores\":-1,\"mem_used_"
              "mib\":0}",
              ""),
         "/vms/0/cpu_demand_cores: must be at least 0, not -1"},
        {TEXT(H0,
              "{\"name\":\"v0\",\"host\":\"h0\",\"vcpus\":1,\"mem_mib\":1,\"cpu_demand_cores\":0,\"mem_used_"
              "mib\":0,"
              "\"cpu_reservation_cores\":2}",
              ""),
         "/vms/0/cpu_reservation_cores: 2 is above cpu_limit_cores (1)"},
        {TEXT("{\"name\":\"h0\",\"cpu_cores\":8,\"mem_mib\":4096,\"state\":\"standby\"}", V0, ""),
         "/vms/0/host: host \"h0\" is on standby"},
        {TEXT(H0, V0, ",\"rules\":[{\"type\":\"near\",\"vms\":[\"v0\"]}]"), "/rules/0/type: must be apart"},
        {TEXT(H0, V0, ",\"rules\":[{\"type\":\"on\",\"vms\":[\"v0\"]}]"),
         "/rules/0/hosts: a rule of type \"on\""},
        {TEXT(H0, V0, ",\"rules\":[{\"type\":\"apart\",\"vms\":[\"v0\",\"v1\"]}]"),
         "/rules/0/vms/1: there is no VM named \"v1\""},
        {TEXT(H0, V0, ",\"rules\":[{\"type\":\"apart\",\"vms\":[\"v0\",\"v0\"]}]"),
         "/rules/0/vms: a name stands there twice"},
        {TEXT(H0, V0, ",\"rules\":[{\"type\":\"apart\",\"vms\":[]}]"),
         "/rules/0/vms: must name at least one VM"},
        {TEXT(H0, V0, ",\"taken_at\":\"yesterday\""), "/taken_at: must be a UTC time"},
        {TEXT(H0, V0, "") "x", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].text, cases[i].part);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char text[] =
        TEXT(H0, V0, ",\"rules\":[{\"type\":\"on\",\"vms\":[\"v0\"],\"hosts\":[\"h0\"]}]");
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct snapshot *s = NULL;
        struct error err = {0};
        assert_int_equal(snapshot_json_parse(text, n, NULL, NULL, &s, &err), -1);
        assert_int_equal(err.kind, ERROR_INPUT);
    }
}

// A snapshot in which every figure differs from its default.
static struct snapshot *random_snapshot(struct random *r)
{
    uint32_t n_hosts = 1 + (uint32_t)random_below(r, 5), n_vms = (uint32_t)random_below(r, 20);
    struct snapshot *s = snapshot_new(n_hosts, n_vms, n_vms ? 1 : 0);
    for (uint32_t h = 0; h < n_hosts; h++) {
        s->hosts.name[h] = arena_printf(s->arena, "host\xc3\xa4%u", h);
        s->hosts.state[h] = h == 0 ? HOST_UP : (enum host_state)random_below(r, 2);
        s->hosts.cpu_cores[h] = 0.1 + random_unit(r) * 64;
        s->hosts.mem_mib[h] = 1 + random_unit(r) * 1e6;
        s->hosts.mem_reserved_mib[h] = s->hosts.mem_mib[h] * random_unit(r);
        s->hosts.net_mib_s[h] = 1 + random_unit(r);
    }
    for (uint32_t v = 0; v < n_vms; v++) {
        s->vms.name[v] = arena_printf(s->arena, "vm%u \"x\"", v);
        s->vms.host[v] = (uint32_t)random_below(r, n_hosts);
        s->vms.vcpus[v] = 1 + (uint32_t)random_below(r, 64);
        s->vms.shares[v] = 1 + (uint32_t)random_below(r, 5000);
        s->vms.cpu_shares[v] = 1 + (uint32_t)random_below(r, 5000);
        s->vms.mem_shares[v] = s->vms.shares[v];
        s->vms.cpu_limit_cores[v] = s->vms.vcpus[v] * random_unit(r);
        s->vms.cpu_reservation_cores[v] = s->vms.cpu_limit_cores[v] * random_unit(r);
        s->vms.cpu_demand_cores[v] = s->vms.vcpus[v] * random_unit(r);
        s->vms.mem_mib[v] = 1 + random_unit(r) * 1e5;
        s->vms.mem_limit_mib[v] = s->vms.mem_mib[v] * random_unit(r);
        s->vms.mem_reservation_mib[v] = s->vms.mem_limit_mib[v] * random_unit(r);
        s->vms.mem_current_mib[v] = s->vms.mem_mib[v] * random_unit(r);
        s->vms.mem_used_mib[v] = s->vms.mem_mib[v] * random_unit(r);
        s->vms.mem_actual_mib[v] = s->vms.mem_mib[v] * random_unit(r);
        s->vms.migrations_1h[v] = random_unit(r);
        s->vms.movable[v] = random_unit(r) < 0.5;
    }
    if (n_vms) {
        s->rules[0] =
            (struct rule){.type = RULE_OFF, .strict = random_unit(r) < 0.5, .n_vms = 1, .n_hosts = 1};
        s->rules[0].vms = arena_new_array(s->arena, uint32_t, 1);
        s->rules[0].hosts = arena_new_array(s->arena, uint32_t, 1);
    }
    return s;
}

static void what_is_written_reads_back_to_the_last_bit(void **state)
{
    (void)state;
    struct random r = random_seed(7);
    for (int k = 0; k < 300; k++) {
        struct snapshot *s = random_snapshot(&r);
        struct error err = {0};
        char *text, *again;
        size_t size, size_again;
        assert_int_equal(snapshot_json_format(s, &text, &size, &err), 0);
        struct snapshot *back = parse(text);
        for (uint32_t v = 0; v < s->vms.n; v++) {
            assert_true(back->vms.cpu_demand_cores[v] == s->vms.cpu_demand_cores[v]);
            assert_true(back->vms.mem_limit_mib[v] == s->vms.mem_limit_mib[v]);
            assert_int_equal(back->vms.cpu_shares[v], s->vms.cpu_shares[v]);
        }
        assert_int_equal(snapshot_json_format(back, &again, &size_again, &err), 0);
        assert_string_equal(text, again);
        free(text);
        free(again);
        snapshot_free(back);
        snapshot_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_keys_take_their_defaults),
        cmocka_unit_test(shares_are_the_default_of_both_kinds),
        cmocka_unit_test(lists_may_come_in_any_order),
        cmocka_unit_test(an_unknown_key_is_warned_about_once),
        cmocka_unit_test(a_demand_above_its_bound_is_cut_with_a_warning),
        cmocka_unit_test(bad_input_is_refused_with_place_and_cure),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_is_written_reads_back_to_the_last_bit),
    };
    return cmocka_run_group_tests_name("snapshot_json", tests, NULL, NULL);
}
