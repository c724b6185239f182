#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include "agent/settings.h"
#include "store/store.h"

static int parse(const char *text, struct settings *s, struct error *err)
{
    return settings_parse("ballast.conf", text, strlen(text), s, NULL, NULL, err);
}

static void expect_problem(const char *text, const char *problem)
{
    struct settings s = {.heartbeat_s = -7};
    struct error err = {0};
    assert_int_equal(parse(text, &s, &err), -1);
    assert_int_equal(err.kind, ERROR_INPUT);
    assert_string_equal(err.text, problem);
    assert_int_equal(s.heartbeat_s, -7); // untouched
}

static void every_default_is_within_its_own_range(void **state)
{
    (void)state;
    struct settings s;
    settings_defaults(&s); // aborts otherwise
    assert_int_equal(s.mode, AGENT_MODE_OBSERVE);
    assert_string_equal(s.libvirt_uri, "qemu:///system");
}

static void an_empty_file_is_all_defaults(void **state)
{
    (void)state;
    struct settings s, defaults;
    struct error err = {0};
    settings_defaults(&defaults);
    assert_int_equal(parse("", &s, &err), 0);
    assert_memory_equal(&s, &defaults, sizeof s);
}

static void values_of_every_type_are_read(void **state)
{
    (void)state;
    struct settings s;
    struct error err = {0};
    assert_int_equal(
        parse("# comment\n[agent]\nmode = auto ; trailing\nheartbeat_s=7\n[host]\n  cpu_cores = 1.5\n"
              "[memory]\nenabled = no\n[migration]\naddress = qemu+tcp://%s/system\n",
              &s, &err),
        0);
    assert_int_equal(s.mode, AGENT_MODE_AUTO);
    assert_int_equal(s.heartbeat_s, 7);
    assert_true(s.cpu_cores == 1.5);
    assert_false(s.memory_enabled);
    assert_string_equal(s.address, "qemu+tcp://%s/system");
}

static void an_error_names_line_setting_and_what_is_allowed(void **state)
{
    (void)state;
    expect_problem(
        "[agent]\n\nheartbeat_s = 0\n",
        "ballast.conf:3: [agent] heartbeat_s: \"0\" is not allowed; give a whole number from 1 to 600 s");
    expect_problem("[agent]\nmode = wild\n",
                   "ballast.conf:2: [agent] mode: \"wild\" is not allowed; give observe, recommend or auto");
    expect_problem("[cpu]\nset_weights = 1\n",
                   "ballast.conf:2: [cpu] set_weights: \"1\" is not allowed; give yes or no");
}

static void an_unknown_setting_is_an_error(void **state)
{
    (void)state;
    expect_problem("[agent]\nmdoe = auto\n",
                   "ballast.conf:2: [agent] mdoe: no such setting; \"ballastd --help-settings\" lists them");
}

static void a_setting_given_twice_is_an_error(void **state)
{
    (void)state;
    expect_problem("[agent]\nheartbeat_s = 5\nheartbeat_s = 6\n",
                   "ballast.conf:3: [agent] heartbeat_s: already set on line 2; keep one of the two");
}

static void numbers_that_are_none_are_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"nan", "inf", "1e999", "", "1 2", "0x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        struct settings s;
        struct error err = {0};
        snprintf(text, sizeof text, "[host]\ncpu_cores = %s\n", bad[i]);
        assert_int_equal(parse(text, &s, &err), -1);
        snprintf(text, sizeof text, "[host]\nmem_mib = %s\n", bad[i]);
        assert_int_equal(parse(text, &s, &err), -1);
    }
}

static void a_line_without_equals_is_named(void **state)
{
    (void)state;
    struct settings s;
    struct error err = {0};
    assert_int_equal(parse("[agent]\nmode auto\n", &s, &err), -1);
    assert_non_null(strstr(err.text, "ballast.conf:2: "));
}

static void an_overlong_line_is_refused_not_split(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text, "[agent]\nstore = ", 16);
    memcpy(text + 500, "\nmode = auto\n", 14);
    struct settings s;
    struct error err = {0};
    assert_int_equal(parse(text, &s, &err), -1);
    assert_non_null(strstr(err.text, "ballast.conf:2: line is longer"));
}

static void an_address_takes_the_name_at_most_once(void **state)
{
    (void)state;
    struct settings s;
    struct error err = {0};
    char uri[64];
    assert_int_equal(parse("[migration]\naddress = qemu+tcp://%s:1/system\n", &s, &err), 0);
    settings_host_address(&s, "h7", uri, sizeof uri);
    assert_string_equal(uri, "qemu+tcp://h7:1/system");
    assert_int_equal(parse("[migration]\naddress = qemu:///system\n", &s, &err), 0);
    settings_host_address(&s, "h7", uri, sizeof uri);
    assert_string_equal(uri, "qemu:///system");
    assert_int_equal(parse("[migration]\naddress = %s%n\n", &s, &err), -1);
    assert_non_null(strstr(err.text, "the only % may be one %s"));
}

struct count {
    size_t n;
    char last[ERROR_TEXT_SIZE];
};

static void count_problem(void *context, const char *text)
{
    struct count *c = context;
    c->n++;
    snprintf(c->last, sizeof c->last, "%s", text);
}

static void every_problem_of_a_file_is_told(void **state)
{
    (void)state;
    struct settings s;
    struct error err = {0};
    struct count c = {0};
    const char *text = "[agent]\nmode = x\nheartbeat_s = 0\nnonsense = 1\n";
    assert_int_equal(settings_parse("f", text, strlen(text), &s, count_problem, &c, &err), -1);
    assert_int_equal(c.n, 3);
}

static void a_text_that_is_no_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[agent]\nhost_name = a\x01z\n", "[agent]\nhost_name = a\tb\n",
                                      "[host]\nzone = \xff\n",         "[host]\nzone = rack 1\n",
                                      "[host]\nzone = rack:1\n",       "[host]\ncgroup = machine.slice\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct settings s;
        struct error err = {0};
        assert_int_equal(parse(bad[i], &s, &err), -1);
        assert_non_null(strstr(err.text, ":2: ["));
    }
}

static void a_value_that_contradicts_another_is_told_at_its_line(void **state)
{
    (void)state;
    struct settings s;
    struct error err = {0};
    assert_int_equal(parse("[agent]\nperiod_pressure_ms = 9000\nheartbeat_s = 3\n[host]\n", &s, &err), -1);
    assert_non_null(strstr(err.text, ":2: [agent] period_pressure_ms"));
}

static void a_reload_keeps_what_needs_a_restart_and_says_so(void **state)
{
    (void)state;
    struct settings current, next;
    struct count c = {0};
    settings_defaults(&current);
    settings_defaults(&next);
    next.mode = AGENT_MODE_AUTO;
    next.heartbeat_s = 3;
    strcpy(next.store, "/elsewhere");
    assert_int_equal(settings_reload(&current, &next, count_problem, &c), 1);
    assert_int_equal(c.n, 1);
    assert_non_null(strstr(c.last, "[agent] store"));
    assert_int_equal(current.mode, AGENT_MODE_AUTO);
    assert_int_equal(current.heartbeat_s, 3);
    assert_string_equal(current.store, STORE_DEFAULT_PATH);
}

static void the_default_file_uncommented_is_the_defaults(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    settings_write_default_file(out);
    fclose(out);
    for (char *at = text; *at; at++) // "#name = value" back to "name = value"; "# comment" stays
        if (*at == '#' && (at == text || at[-1] == '\n') && at[1] != ' ')
            *at = ' ';
    struct settings s, defaults;
    struct error err = {0};
    settings_defaults(&defaults);
    if (parse(text, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_memory_equal(&s, &defaults, sizeof s);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_within_its_own_range),
        cmocka_unit_test(an_empty_file_is_all_defaults),
        cmocka_unit_test(values_of_every_type_are_read),
        cmocka_unit_test(an_error_names_line_setting_and_what_is_allowed),
        cmocka_unit_test(an_unknown_setting_is_an_error),
        cmocka_unit_test(a_setting_given_twice_is_an_error),
        cmocka_unit_test(numbers_that_are_none_are_refused),
        cmocka_unit_test(a_line_without_equals_is_named),
        cmocka_unit_test(an_overlong_line_is_refused_not_split),
        cmocka_unit_test(an_address_takes_the_name_at_most_once),
        cmocka_unit_test(every_problem_of_a_file_is_told),
        cmocka_unit_test(a_text_that_is_no_text_is_refused),
        cmocka_unit_test(a_value_that_contradicts_another_is_told_at_its_line),
        cmocka_unit_test(a_reload_keeps_what_needs_a_restart_and_says_so),
        cmocka_unit_test(the_default_file_uncommented_is_the_defaults),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
