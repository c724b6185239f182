#include "../test.h"

#include <string.h>

#include "model/rule_text.h"

static void words_are_read_one_by_one(void **state)
{
    (void)state;
    const char *at = "  apart:web   together:db:zone off:h3:preferred:zone";
    struct rule_word w;
    assert_int_equal(rule_word_next(&at, &w, NULL), 1);
    assert_true(w.type == RULE_APART && w.strict && !w.by_zone);
    assert_string_equal(w.name, "web");
    assert_int_equal(rule_word_next(&at, &w, NULL), 1);
    assert_true(w.type == RULE_TOGETHER && w.strict && w.by_zone);
    assert_int_equal(rule_word_next(&at, &w, NULL), 1);
    assert_true(w.type == RULE_OFF && !w.strict && w.by_zone);
    assert_string_equal(w.name, "h3");
    assert_int_equal(rule_word_next(&at, &w, NULL), 0);
}

static void what_is_no_rule_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "apart", "apart:",    "apart: x", "near:x",         "on:h1:",    "on:h1:zones",   "on:h1::zone",
        ":x",    "apart:x:y", "APART:x",  "apart:x:zone\t", "off:h1 on", "together::zone"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        if (rule_text_check(bad[i], &err) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(rule_text_check("", NULL), 0);
    assert_int_equal(rule_text_check("  ", NULL), 0);
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[2 * RULE_TEXT_BYTES];
    memset(text, 'x', sizeof text);
    memcpy(text, "apart:", 6);
    text[RULE_TEXT_BYTES - 1] = '\0';
    assert_int_equal(rule_text_check(text, NULL), 0);
    text[RULE_TEXT_BYTES - 1] = 'x';
    text[RULE_TEXT_BYTES] = '\0';
    assert_true(rule_text_check(text, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_one_by_one),
        cmocka_unit_test(what_is_no_rule_is_named),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests_name("rule text", tests, NULL, NULL);
}
