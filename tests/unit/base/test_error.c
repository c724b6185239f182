#include "../test.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void each_level_adds_its_context_in_front(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, ERROR_MISSING, "domain vanished"), -1);
    assert_int_equal(error_context(&err, "read balloon statistics"), -1);
    error_context(&err, "host \"%s\"", "h3");
    assert_string_equal(err.text, "host \"h3\": read balloon statistics: domain vanished");
    assert_int_equal(err.kind, ERROR_MISSING);
}

static void a_long_text_is_cut_not_overrun(void **state)
{
    (void)state;
    struct error err = {0};
    char longer[2 * ERROR_TEXT_SIZE];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    error_set(&err, ERROR_FAILED, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    error_context(&err, "%s", longer);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
}

static void nobody_listening_is_fine(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_FAILED, "x"), -1);
    assert_int_equal(error_context(NULL, "x"), -1);
    assert_int_equal(error_errno(NULL, ENOENT, "x"), -1);
}

static void errno_is_spelled_out(void **state)
{
    (void)state;
    struct error err = {0};
    error_errno(&err, ENOENT, "open %s", "/x");
    assert_string_equal(err.text, "open /x: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_level_adds_its_context_in_front),
        cmocka_unit_test(a_long_text_is_cut_not_overrun),
        cmocka_unit_test(nobody_listening_is_fine),
        cmocka_unit_test(errno_is_spelled_out),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
