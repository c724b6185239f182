#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include "simulate/trace.h"
#include "simulate/trace_file.h"
#include "simulate/unpack.h"

#define MOST_SAMPLES 10000

static struct trace *wide(const char *text, struct error *err)
{
    struct trace *trace = NULL;
    error_clear(err);
    struct trace_text source = {"w.csv", text, strlen(text)};
    if (trace_parse_wide(source, MOST_SAMPLES, &trace, err) < 0)
        assert_null(trace);
    return trace;
}

static struct trace *lng(const char *vms, const char *usage, struct error *err)
{
    struct trace *trace = NULL;
    error_clear(err);
    struct trace_text a = {"n.vms.csv", vms, strlen(vms)}, b = {"n.usage.csv", usage, strlen(usage)};
    if (trace_parse_long(a, b, MOST_SAMPLES, &trace, err) < 0)
        assert_null(trace);
    return trace;
}

static void assert_refused(struct trace *trace, const struct error *err, const char *place, const char *cure)
{
    assert_null(trace);
    assert_int_equal(err->kind, ERROR_INPUT);
    if (!strstr(err->text, place) || !strstr(err->text, cure))
        fail_msg("\"%s\" should name \"%s\" and \"%s\"", err->text, place, cure);
}

static void wide_rows_become_samples(void **state)
{
    (void)state;
    struct error err;
    struct trace *t = wide("vm,name,s0,s1,s2\n0,a,1,2.5,100\r\n\n1,b,0,0,7", &err);
    assert_non_null(t);
    assert_int_equal(t->n_vms, 2);
    assert_int_equal(t->n_slots, 3);
    assert_string_equal(t->name[1], "b");
    assert_float_equal(t->cpu_pct[trace_sample(t, 0, 1)], 2.5, 0);
    assert_float_equal(t->cpu_pct[trace_sample(t, 1, 2)], 7, 0);
    assert_false(t->has_memory);
    trace_free(t);
}

static void wide_errors_name_line_and_cure(void **state)
{
    (void)state;
    struct error err;
    assert_refused(wide("", &err), &err, "w.csv", "vm,name,s0");
    assert_refused(wide("vm,name\n", &err), &err, "w.csv:1", "vm,name,s0");
    assert_refused(wide("vm,name,s0,s2\n", &err), &err, "w.csv:1", "s1");
    assert_refused(wide("vm,name,s0\n", &err), &err, "w.csv:1", "one row for each VM");
    assert_refused(wide("vm,name,s0,s1\n0,a,1,2\n1,b,1\n", &err), &err, "w.csv:3", "every column");
    assert_refused(wide("vm,name,s0\n0,a,1,2\n", &err), &err, "w.csv:2", "remove");
    assert_refused(wide("vm,name,s0\n0,a,nan\n", &err), &err, "w.csv:2", "decimal number");
    assert_refused(wide("vm,name,s0\n0,a,101\n", &err), &err, "w.csv:2", "0 to 100");
    assert_refused(wide("vm,name,s0\n0,a,-1\n", &err), &err, "w.csv:2", "0 to 100");
    assert_refused(wide("vm,name,s0,s1\n0,a,1,\n", &err), &err, "w.csv:2", "fill the gap");
    assert_refused(wide("vm,name,s0\n0,a,1\n1,a,1\n", &err), &err, "\"a\"", "own name");
    assert_refused(wide("vm,name,s0\n0,\x01,1\n", &err), &err, "w.csv:2", "control character");
}

static void a_trace_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    struct error err;
    assert_refused(lng("vm,vcpus,cap_mhz,mem_mb,first,last\na,1,1000,10,0,99999\n",
                       "vm,interval,cpu_pct,mem_mb\na,0,1,1\n", &err),
                   &err, "n.vms.csv", "shorter");
}

static void long_values_hold_until_the_next_row_and_the_end(void **state)
{
    (void)state;
    struct error err;
    struct trace *t = lng("vm,vcpus,cap_mhz,mem_mb,first,last\nx,2,5000,100,3,8\ny,1,2000,50,0,1\n",
                          "vm,interval,cpu_pct,mem_mb\nx,3,10,20\ny,0,5,5\nx,6,150,200\n", &err);
    assert_non_null(t);
    assert_int_equal(t->n_slots, 9);
    assert_false(trace_exists(t, 0, 2));
    assert_true(trace_exists(t, 0, 8));
    assert_float_equal(t->cpu_pct[trace_sample(t, 0, 5)], 10, 0);
    assert_float_equal(t->mem_used_mib[trace_sample(t, 0, 5)], 20, 0);
    assert_float_equal(t->cpu_pct[trace_sample(t, 0, 8)], 100, 0);      // cut
    assert_float_equal(t->mem_used_mib[trace_sample(t, 0, 8)], 100, 0); // cut
    assert_float_equal(t->cpu_pct[trace_sample(t, 1, 1)], 5, 0);
    trace_free(t);
}

static void long_errors_name_line_and_cure(void **state)
{
    (void)state;
    struct error err;
    const char *vms = "vm,vcpus,cap_mhz,mem_mb,first,last\nx,2,5000,100,3,8\n";
    const char *head = "vm,interval,cpu_pct,mem_mb\n";
    char usage[200];
    assert_refused(lng("vm,vcpus\n", head, &err), &err, "n.vms.csv:1", "cap_mhz");
    assert_refused(lng("vm,vcpus,cap_mhz,mem_mb,first,last\nx,0,1,1,0,0\n", head, &err), &err, "n.vms.csv:2",
                   "at least 1");
    assert_refused(lng("vm,vcpus,cap_mhz,mem_mb,first,last\nx,1,1,1,2,1\n", head, &err), &err, "n.vms.csv:2",
                   "exchange");
    assert_refused(lng(vms, head, &err), &err, "n.usage.csv", "no row");
    snprintf(usage, sizeof(usage), "%sz,3,1,1\n", head);
    assert_refused(lng(vms, usage, &err), &err, "n.usage.csv:2", "add it there");
    snprintf(usage, sizeof(usage), "%sx,2,1,1\n", head);
    assert_refused(lng(vms, usage, &err), &err, "n.usage.csv:2", "3 to 8");
    snprintf(usage, sizeof(usage), "%sx,4,1,1\n", head);
    assert_refused(lng(vms, usage, &err), &err, "n.usage.csv:2", "must be its first");
    snprintf(usage, sizeof(usage), "%sx,3,1,1\nx,5,1,1\nx,5,1,1\n", head);
    assert_refused(lng(vms, usage, &err), &err, "n.usage.csv:4", "sort");
    snprintf(usage, sizeof(usage), "%sx,3.5,1,1\n", head);
    assert_refused(lng(vms, usage, &err), &err, "n.usage.csv:2", "whole number");
}

static void united_traces_keep_their_samples_and_get_different_names(void **state)
{
    (void)state;
    struct error err;
    struct trace *a = wide("vm,name,s0,s1\n0,a,1,2\n", &err), *b = wide("vm,name,s0\n0,a,9\n", &err), *both;
    const struct trace *traces[] = {a, b};
    assert_int_equal(trace_unite(traces, 2, &both, &err), 0);
    assert_int_equal(both->n_vms, 2);
    assert_int_equal(both->n_slots, 2);
    assert_string_equal(both->name[0], "a");
    assert_string_equal(both->name[1], "2:a");
    assert_true(trace_exists(both, 1, 0));
    assert_false(trace_exists(both, 1, 1));
    assert_float_equal(both->cpu_pct[trace_sample(both, 1, 0)], 9, 0);
    trace_free(a);
    trace_free(b);
    trace_free(both);
}

// "vm,name,s0\n0,a,42\n" packed by gzip -9 and by xz.
static const unsigned char gz[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                   0x2b, 0xcb, 0xd5, 0xc9, 0x4b, 0xcc, 0x4d, 0xd5, 0x29, 0x36,
                                   0xe0, 0x32, 0xd0, 0x49, 0xd4, 0x31, 0x31, 0xe2, 0x02, 0x00};

static void damaged_packings_are_refused(void **state)
{
    (void)state;
    struct error err = {0};
    char *text = NULL;
    size_t size;
    assert_int_equal(unpack("w.csv.gz", gz, sizeof(gz), 1000, &text, &size, &err), -1); // no trailer
    assert_non_null(strstr(err.text, "w.csv.gz"));
    assert_non_null(strstr(err.text, "cut off"));
    assert_int_equal(unpack("w.csv.xz", "\xfd\x37zXZ\0garbage", 13, 1000, &text, &size, &err), -1);
    assert_non_null(strstr(err.text, "xz"));
    assert_null(text);
}

// Writes text to path by the packer's command.
static void pack(const char *text, const char *packer, const char *path)
{
    char command[300];
    snprintf(command, sizeof(command), "%s > %s", packer, path);
    FILE *pipe = popen(command, "w");
    assert_non_null(pipe);
    fputs(text, pipe);
    assert_int_equal(pclose(pipe), 0);
}

static void all_packings_read_the_same_and_partners_find_each_other(void **state)
{
    (void)state;
    static const char *const packers[][2] = {{"cat", ""}, {"gzip -c", ".gz"}, {"xz -c", ".xz"}};
    char directory[] = "/tmp/ballast-trace-XXXXXX", vms[100], usage[100], command[100];
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 3; i++) {
        struct error err = {0};
        struct trace *t = NULL;
        snprintf(vms, sizeof(vms), "%s/t%d.vms.csv", directory, i);
        snprintf(usage, sizeof(usage), "%s/t%d.usage.csv%s", directory, i, packers[i][1]);
        pack("vm,vcpus,cap_mhz,mem_mb,first,last\na,1,1000,10,0,1\n", "cat", vms);
        pack("vm,interval,cpu_pct,mem_mb\na,0,42,5\n", packers[i][0], usage);
        for (int k = 0; k < 2; k++) {
            if (trace_load(k ? vms : usage, &t, &err) < 0)
                fail_msg("%s", err.text);
            assert_float_equal(t->cpu_pct[1], 42, 0);
            trace_free(t);
        }
    }
    struct error err = {0};
    struct trace *t = NULL;
    snprintf(vms, sizeof(vms), "%s/alone.vms.csv", directory);
    pack("vm,vcpus,cap_mhz,mem_mb,first,last\na,1,1000,10,0,1\n", "cat", vms);
    assert_int_equal(trace_load(vms, &t, &err), -1);
    assert_non_null(strstr(err.text, "put it beside"));
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void content_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    char *text = NULL;
    size_t size;
    assert_int_equal(unpack("w.csv", "12345", 5, 4, &text, &size, &err), -1);
    assert_non_null(strstr(err.text, "at most"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_rows_become_samples),
        cmocka_unit_test(wide_errors_name_line_and_cure),
        cmocka_unit_test(a_trace_beyond_the_bound_is_refused),
        cmocka_unit_test(long_values_hold_until_the_next_row_and_the_end),
        cmocka_unit_test(long_errors_name_line_and_cure),
        cmocka_unit_test(united_traces_keep_their_samples_and_get_different_names),
        cmocka_unit_test(damaged_packings_are_refused),
        cmocka_unit_test(all_packings_read_the_same_and_partners_find_each_other),
        cmocka_unit_test(content_beyond_the_bound_is_refused),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
