#include "../test.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char directory[] = "/tmp/ballast-test-file.XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink("f");
    return chdir("/") == 0 ? rmdir(directory) : -1;
}

static int entries(void)
{
    int n = 0;
    DIR *d = opendir(".");
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    struct error err = {0};
    char *data;
    size_t size;
    assert_int_equal(file_replace("f", "one", 3, &err), 0);
    assert_int_equal(file_replace("f", "two!", 4, &err), 0);
    assert_int_equal(file_read("f", 1000, &data, &size, &err), 0);
    assert_int_equal(size, 4);
    assert_string_equal(data, "two!");
    free(data);
    assert_int_equal(entries(), 1);
}

static void a_file_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    char *data;
    size_t size;
    assert_int_equal(file_replace("f", "0123456789", 10, &err), 0);
    assert_int_equal(file_read("f", 9, &data, &size, &err), -1);
    assert_int_equal(err.kind, ERROR_INPUT);
    assert_int_equal(file_read("f", 10, &data, &size, &err), 0);
    free(data);
}

static void a_missing_file_is_told_by_kind_and_name(void **state)
{
    (void)state;
    struct error err = {0};
    char *data;
    size_t size;
    assert_int_equal(file_read("nothing", 9, &data, &size, &err), -1);
    assert_int_equal(err.kind, ERROR_MISSING);
    assert_non_null(strstr(err.text, "nothing"));
    assert_int_equal(file_read(".", 9, &data, &size, &err), -1);
    assert_int_equal(err.kind, ERROR_INPUT);
}

static void a_failed_replacement_leaves_nothing_behind(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(mkdir("d", 0700), 0);
    int before = entries();
    assert_int_equal(file_replace("d", "x", 1, &err), -1);
    assert_non_null(strstr(err.text, "rename"));
    assert_int_equal(entries(), before);
    rmdir("d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(a_file_over_the_limit_is_refused),
        cmocka_unit_test(a_missing_file_is_told_by_kind_and_name),
        cmocka_unit_test(a_failed_replacement_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("file", tests, make_directory, remove_directory);
}
