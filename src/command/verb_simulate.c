// ballast simulate: a trace in a scenario under a policy.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "command/progress.h"
#include "command/score_print.h"
#include "command/table.h"
#include "command/verbs.h"
#include "simulate/simulate.h"
#include "simulate/trace_file.h"

struct simulate_options {
    struct option_list trace;
    const char *scenario;
    const char *policy;
    const char *information;
    int64_t seed;
    double hours;
    const char *timeline;
    const char *vms;
    bool json;
};

static const struct option_row rows[] = {
    OPTION_LIST(
        struct simulate_options, trace, "trace", "FILE",
        "a trace: wide (PlanetLab) or long (Bitbrains), plain, .gz or .xz; several are united from time 0"),
    OPTION_TEXT(
        struct simulate_options, scenario, "scenario", "NAME|FILE", NULL,
        "planetlab (default for wide traces), bitbrains (default for long ones; also bitbrains-80, -100, "
        "-130, -160: percent of configured memory), or a scenario file"),
    OPTION_TEXT(struct simulate_options, policy, "policy", "NAME", "ballast", "who decides; see below"),
    OPTION_CHOICE(struct simulate_options, information, "information", "same-slot|late", NULL,
                  "when a slot's demand is known to the policies (default: the scenario's)"),
    OPTION_INTEGER(struct simulate_options, seed, "seed", "N", 0, 9e15, 1, "seed of everything random"),
    OPTION_NUMBER_OR(struct simulate_options, hours, "hours", "H", 0.01, 1e6, 0,
                     "simulate only the first H hours (default: all)"),
    OPTION_TEXT(struct simulate_options, timeline, "timeline", "FILE.csv", NULL,
                "write one row for each slot of the trace"),
    OPTION_TEXT(struct simulate_options, vms, "vms", "FILE.csv", NULL,
                "write one row for each VM: life, loss, migrations"),
    OPTION_FLAG(struct simulate_options, json, "json", "print one JSON object (ballast-simulation-1)"),
};

static const char *information_name(const struct scenario *scenario)
{
    return scenario->information == INFORMATION_LATE ? "late" : "same-slot";
}

static int print_json(const struct simulation *s, const struct simulation_result *r, double elapsed_s,
                      struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-simulation-1");
    json_key_string(w, "policy", s->policy->name);
    json_key_string(w, "scenario", s->scenario->name);
    json_key_integer(w, "hosts", r->n_hosts);
    json_key_integer(w, "vms", r->n_vms);
    json_key_number(w, "simulated_s", r->simulated_s);
    json_key_number(w, "elapsed_s", elapsed_s);
    json_key_number(w, "score", r->score);
    json_key_number(w, "lost_vm_s", r->lost_vm_s);
    json_key_number(w, "lost_to_contention_vm_s", r->lost_to_contention_vm_s);
    json_key_number(w, "lost_to_migration_vm_s", r->lost_to_migration_vm_s);
    json_key_integer(w, "migrations", (int64_t)r->migrations);
    json_key_integer(w, "migrations_per_vm_max", r->migrations_per_vm_max);
    json_key_integer(w, "returns_1h", (int64_t)r->returns_1h);
    json_key_number(w, "balloon_moved_gib", r->balloon_moved_gib);
    json_key_number(w, "guest_swap_gib", r->guest_swap_gib);
    json_key_number(w, "unmet_pct", r->unmet_pct);
    json_key_string(w, "information", information_name(s->scenario));
    json_key_number(w, "energy_kwh", r->energy_kwh);
    json_key_integer(w, "host_shutdowns", (int64_t)r->host_shutdowns);
    json_key_number(w, "slatah", r->slatah);
    json_key_number(w, "pdm", r->pdm);
    json_key_number(w, "slav", r->slav);
    json_key_number(w, "esv", r->esv);
    json_key_number(w, "hosts_used_mean", r->hosts_used_mean);
    json_key_number(w, "s_min", r->s_min);
    json_key_number(w, "s_p1", r->s_p1);
    json_key_number(w, "mem_short_mib_h", r->mem_short_mib_h);
    json_key_number(w, "cpu_unmet_core_h", r->cpu_unmet_core_h);
    json_key_integer(w, "migrations_failed", (int64_t)r->failed_migrations);
    json_key_integer(w, "rows_sampled", (int64_t)r->rows_sampled);
    json_key_integer(w, "rows_reported", (int64_t)r->rows_reported);
    json_key_integer(w, "host_crashes", (int64_t)r->host_crashes);
    return json_print_end(w, err);
}

static void row(struct table *t, const char *name, const char *text, const char *unit)
{
    table_cell(t, STYLE_PLAIN, "%s", name);
    table_cell(t, STYLE_BOLD, "%s", text);
    table_cell(t, STYLE_DIM, "%s", unit);
}

static void row_number(struct table *t, const char *name, double value, const char *unit)
{
    char text[40];
    snprintf(text, sizeof text, "%.6g", value);
    row(t, name, text, unit);
}

static void print_table(const struct simulation *s, const struct simulation_result *r, double elapsed_s)
{
    printf("%s, policy %s, information %s: %u hosts, %u VMs, %.6g h in %.2f s\n\n", s->scenario->name,
           s->policy->name, information_name(s->scenario), r->n_hosts, r->n_vms, r->simulated_s / 3600,
           elapsed_s);
    struct table *t = table_new("|>value|");
    row_number(t, "score", r->score, "");
    row_number(t, "lost", r->lost_vm_s, "VM-seconds");
    row_number(t, "  to contention", r->lost_to_contention_vm_s, "VM-seconds");
    row_number(t, "  to migration", r->lost_to_migration_vm_s, "VM-seconds");
    row_number(t, "worst served VM", r->s_min, "mean satisfaction over its life");
    row_number(t, "CPU not delivered", r->unmet_pct, "% of the demand");
    row_number(t, "memory missing", r->mem_short_mib_h, "MiB-hours");
    row_number(t, "balloons moved", r->balloon_moved_gib, "GiB");
    row_number(t, "guests swapped", r->guest_swap_gib, "GiB");
    row_number(t, "migrations", (double)r->migrations, "");
    row_number(t, "  failed", (double)r->failed_migrations, "");
    row_number(t, "  most of one VM", r->migrations_per_vm_max, "");
    row_number(t, "  back within 1 h", (double)r->returns_1h, "");
    row_number(t, "hosts on, mean", r->hosts_used_mean, "");
    row_number(t, "host shutdowns", (double)r->host_shutdowns, "");
    row_number(t, "energy", r->energy_kwh, "kWh");
    row_number(t, "SLATAH", 100 * r->slatah, "% of active host time with less given than asked");
    row_number(t, "PDM", 100 * r->pdm, "% of the work not done because of migration");
    row_number(t, "ESV", 1e3 * r->esv, "1e-3 kWh (energy x SLATAH x PDM)");
    table_print_take(t, stdout);
}

// Finds the policy; the error lists all of them.
static int find_policy(const char *name, const struct policy_class **ret, struct error *err)
{
    *ret = policy_by_name(name);
    if (*ret)
        return 0;
    char known[300] = "";
    for (size_t i = 0; policy_by_index(i); i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "",
                 policy_by_index(i)->name);
    return error_set(err, ERROR_INPUT, "--policy %s: not known; there are %s", name, known);
}

static void show_progress(void *data, double part)
{
    progress_update(data, part);
}

// Opens a file to write if it is wanted.
static int create(const char *path, FILE **ret, struct error *err)
{
    if (!path)
        return 0;
    *ret = fopen(path, "we");
    return *ret ? 0 : error_errno(err, errno, "%s: create", path);
}

static int finish(const char *path, FILE *file, struct error *err)
{
    if (!file)
        return 0;
    int bad = ferror(file), saved = errno;
    if (fclose(file) != 0 || bad)
        return error_errno(err, bad ? saved : errno, "%s: write", path);
    return 0;
}

static int simulate(const struct simulate_options *o, struct simulation *s, struct error *err)
{
    struct simulation_result result;
    struct progress progress;
    struct mono start = clock_mono();
    if (create(o->timeline, &s->timeline, err) < 0 || create(o->vms, &s->vms, err) < 0) {
        if (s->timeline)
            fclose(s->timeline);
        return -1;
    }
    progress_begin(&progress, "simulating");
    s->progress = show_progress;
    s->progress_data = &progress;
    int failed = simulate_run(s, &result, err);
    s->progress = NULL;
    s->progress_data = NULL;
    progress_end(&progress);
    if (finish(o->timeline, s->timeline, failed ? NULL : err) < 0 ||
        finish(o->vms, s->vms, failed ? NULL : err) < 0)
        failed = -1;
    if (failed)
        return -1;
    if (*result.left_out)
        fprintf(stderr, "ballast: left out, larger than any host: %s\n", result.left_out);
    double elapsed_s = mono_seconds_between(start, clock_mono());
    if (o->json)
        return print_json(s, &result, elapsed_s, err);
    print_table(s, &result, elapsed_s);
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct simulate_options *o = values;
    struct trace *trace = NULL;
    struct scenario scenario;
    struct simulation s = {.seed = (uint64_t)o->seed, .hours = o->hours};
    if (o->trace.n == 0)
        return error_set(err, ERROR_INPUT, "--trace FILE is needed (ballast generate makes one)");
    if (find_policy(o->policy, &s.policy, err) < 0 ||
        trace_load_all(o->trace.at, o->trace.n, &trace, err) < 0)
        return -1;
    int status;
    if (scenario_load(o->scenario ? o->scenario : scenario_default_name(trace), &scenario, err) < 0) {
        status = -1;
    } else {
        if (o->information)
            scenario.information =
                strcmp(o->information, "late") == 0 ? INFORMATION_LATE : INFORMATION_SAME_SLOT;
        s.trace = trace;
        s.scenario = &scenario;
        status = simulate(o, &s, err);
    }
    trace_free(trace);
    return status;
}

const struct verb verb_simulate = {
    .name = "simulate",
    .words = "",
    .summary = "what a policy would do to a cluster that follows a trace",
    .more =
        "Policies: ballast (immediate and long-term balancer and memory manager), ballast-immediate "
        "(without\n"
        "the long-term balancer), ballast-longterm (without the immediate ones), none (VMs stay where they\n"
        "were first placed); and as yardsticks drs (imbalance-driven hill-climbing, VMware Technical "
        "Journal\n"
        "2012), sandpiper (hotspots by volume to size, NSDI 2007), lr-mmt (local regression, minimum\n"
        "migration time, CCPE 2012). Equal seeds and inputs give equal output, elapsed_s apart.",
    VERB_OPTIONS(rows, struct simulate_options),
    .run = run,
};
