#include "../test.h"

#include <string.h>

#include "base/text.h"

static void well_formed_text_is_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "vm-1", "h\xc3\xb6st", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_valid_utf8(good[i], strlen(good[i])));
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xf4\x90\x80\x80",
        "a\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_valid_utf8(bad[i], strlen(bad[i])));
}

static void names_have_a_length_and_no_control_characters(void **state)
{
    (void)state;
    char longest[257];
    memset(longest, 'x', 256);
    longest[256] = '\0';
    assert_false(text_valid_name(longest));
    longest[255] = '\0';
    assert_true(text_valid_name(longest));
    assert_false(text_valid_name(""));
    assert_false(text_valid_name("a\nb"));
    assert_false(text_valid_name("a\x7f"));
    assert_false(text_valid_name("a\xc2\x85")); // NEL, a control character of the second block
    assert_true(text_valid_name("with space"));
}

static void what_a_terminal_could_obey_is_made_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *given, *expected;
        char keep;
    } cases[] = {
        {"h\xc3\xb6st \xe2\x82\xac", "h\xc3\xb6st \xe2\x82\xac", 0},
        {"\033[2Jx\a\x7f", "?[2Jx??", 0},
        {"a\xc2\x9b"
         "2J",
         "a??2J", 0}, // CSI of the second block
        {"a\nb\tc", "a?b?c", 0},
        {"a\nb\tc", "a\nb?c", '\n'},
        {"cut \xe2\x82", "cut ??", 0},
        {"\xff\xfe", "??", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", cases[i].given);
        text_make_safe(text, cases[i].keep);
        assert_string_equal(text, cases[i].expected);
        assert_true(text_valid_utf8(text, strlen(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_accepted),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(names_have_a_length_and_no_control_characters),
        cmocka_unit_test(what_a_terminal_could_obey_is_made_harmless),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
