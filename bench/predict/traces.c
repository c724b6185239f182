#include "predict/traces.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

static struct trace *load_first(const char *pattern, struct error *err)
{
    glob_t found;
    struct trace *trace = NULL;
    if (glob(pattern, 0, NULL, &found) == 0 && trace_load(found.gl_pathv[0], &trace, err) < 0)
        fprintf(stderr, "%s\n", err->text);
    globfree(&found);
    return trace;
}

struct trace *bench_trace(const char *name)
{
    struct error err = {0};
    char pattern[4096];
    const char *folder = getenv("BALLAST_TRACES");
    snprintf(pattern, sizeof pattern, "%s/%s*", folder ? folder : "../*/traces/open", name);
    struct trace *trace = load_first(pattern, &err);
    if (!trace)
        fprintf(stderr, "skipped: no trace %s (set BALLAST_TRACES to the folder that has it)\n", pattern);
    return trace;
}
