// Against the public traces, which are not part of the project: the folder named by BALLAST_TRACES, else any
// ../*/traces/open beside the project. Skipped, with that reason, where they are absent.
#include "../test.h"

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#include "simulate/simulate.h"
#include "simulate/trace_file.h"

// The path of a trace, or a skipped test.
static const char *find_trace(const char *name)
{
    static char path[4200];
    const char *folder = getenv("BALLAST_TRACES");
    if (folder) {
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (access(path, R_OK) == 0)
            return path;
    } else {
        glob_t found;
        char pattern[4200];
        snprintf(pattern, sizeof(pattern), "%s/../*/traces/open/%s", PROJECT_ROOT, name);
        int missing = glob(pattern, 0, NULL, &found);
        if (!missing)
            snprintf(path, sizeof(path), "%s", found.gl_pathv[0]);
        if (missing != GLOB_NOMATCH)
            globfree(&found);
        if (!missing)
            return path;
    }
    print_message("# skipped: %s is neither in BALLAST_TRACES nor in ../*/traces/open\n", name);
    skip();
    return NULL;
}

// CloudSim 3.0.3 with every VM kept all day, on the same traces.
static void check_lr_mmt(const char *name, double energy_kwh, double migrations)
{
    struct trace *trace = NULL;
    struct scenario scenario;
    struct simulation_result r;
    struct error err = {0};
    if (trace_load(find_trace(name), &trace, &err) < 0 || scenario_load("planetlab", &scenario, &err) < 0)
        fail_msg("%s", err.text);
    struct simulation s = {.trace = trace, .scenario = &scenario, .policy = &policy_lr_mmt, .seed = 1};
    assert_int_equal(simulate_run(&s, &r, &err), 0);
    assert_float_equal(r.energy_kwh, energy_kwh, 0.05 * energy_kwh);
    assert_float_equal((double)r.migrations, migrations, 0.15 * migrations);
    trace_free(trace);
}

static void lr_mmt_is_near_cloudsim_on_20110303(void **state)
{
    (void)state;
    check_lr_mmt("planetlab-20110303.csv.xz", 221.38, 44405);
}

static void lr_mmt_is_near_cloudsim_on_20110306(void **state)
{
    (void)state;
    check_lr_mmt("planetlab-20110306.csv.xz", 180.21, 36979);
}

static void lr_mmt_is_near_cloudsim_on_20110325(void **state)
{
    (void)state;
    check_lr_mmt("planetlab-20110325.csv.xz", 216.69, 44583);
}

static void the_first_placement_takes_596_hosts(void **state)
{
    (void)state;
    struct trace *trace = NULL;
    struct scenario scenario;
    struct simulation_result r;
    struct error err = {0};
    if (trace_load(find_trace("planetlab-20110303.csv.xz"), &trace, &err) < 0 ||
        scenario_load("planetlab", &scenario, &err) < 0)
        fail_msg("%s", err.text);
    struct simulation s = {.trace = trace, .scenario = &scenario, .policy = &policy_none, .hours = 1};
    assert_int_equal(simulate_run(&s, &r, &err), 0);
    assert_float_equal(r.hosts_used_mean, 596, 1e-6);
    trace_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lr_mmt_is_near_cloudsim_on_20110303),
        cmocka_unit_test(lr_mmt_is_near_cloudsim_on_20110306),
        cmocka_unit_test(lr_mmt_is_near_cloudsim_on_20110325),
        cmocka_unit_test(the_first_placement_takes_596_hosts),
    };
    return cmocka_run_group_tests_name("real traces", tests, NULL, NULL);
}
