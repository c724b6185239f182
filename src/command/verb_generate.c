// ballast generate: a trace made up from a seed.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "command/verbs.h"
#include "simulate/generate.h"

struct generate_options {
    int64_t vms;
    double hours;
    int64_t seed;
    const char *output;
};

static const struct option_row rows[] = {
    OPTION_INTEGER(struct generate_options, vms, "vms", "N", 1, 100000, 200, "how many VMs"),
    OPTION_NUMBER(struct generate_options, hours, "hours", "H", 0.1, 8760, 24, "how long"),
    OPTION_INTEGER(struct generate_options, seed, "seed", "N", 0, 9e15, 1, "equal seeds give equal traces"),
    OPTION_TEXT(struct generate_options, output, "output", "NAME", NULL,
                "write NAME.vms.csv and NAME.usage.csv (needed)"),
};

static int write_file(const char *name, const char *suffix, const char *text, size_t size, struct error *err)
{
    char path[4200];
    if (strlen(name) > 4096)
        return error_set(err, ERROR_INPUT, "--output: the name is too long");
    snprintf(path, sizeof path, "%s%s", name, suffix);
    if (file_replace(path, text, size, err) < 0)
        return -1;
    printf("%s\n", path);
    return 0;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct generate_options *o = values;
    struct trace *trace = NULL;
    char *vms = NULL, *usage = NULL;
    size_t vms_size, usage_size;
    if (!o->output || !*o->output)
        return error_set(err, ERROR_INPUT, "--output NAME is needed");
    uint32_t slots = (uint32_t)ceil(o->hours * 3600 / TRACE_SLOT_S);
    int failed = generate_trace((uint32_t)o->vms, slots, (uint64_t)o->seed, &trace, err) < 0 ||
                 generate_write(trace, &vms, &vms_size, &usage, &usage_size, err) < 0 ||
                 write_file(o->output, ".vms.csv", vms, vms_size, err) < 0 ||
                 write_file(o->output, ".usage.csv", usage, usage_size, err) < 0;
    trace_free(trace);
    free(vms);
    free(usage);
    return failed ? -1 : EXIT_DONE;
}

const struct verb verb_generate = {
    .name = "generate",
    .words = "",
    .summary = "make up a trace for simulate",
    .more = "The trace has steady, daily, bursty, batch and idle VMs, fitted to what public traces look "
            "like; the\n"
            "class of a VM begins its name.",
    VERB_OPTIONS(rows, struct generate_options),
    .run = run,
};
