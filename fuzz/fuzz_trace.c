// Any bytes: the trace readers refuse them with a text, or give a trace within its bounds. A line "===" parts
// the two files of the long form.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/trace.h"

#define MAX_SAMPLES 100000 // a small trace is enough to find what is wrong

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void judge(int result, struct trace *trace, const struct error *err)
{
    if (result < 0) {
        require(!trace && err->text[0] != '\0');
        return;
    }
    require(trace->n_vms > 0 && trace->n_samples <= MAX_SAMPLES);
    for (uint32_t v = 0; v < trace->n_vms; v++) {
        require(trace->name[v] && trace->vcpus[v] >= 1);
        require(trace->first[v] <= trace->last[v] && trace->last[v] < trace->n_slots);
        require(trace_sample(trace, v, trace->last[v]) < trace->n_samples);
    }
    for (size_t i = 0; i < trace->n_samples; i++)
        require(trace->cpu_pct[i] >= 0 && trace->cpu_pct[i] <= 100);
    for (size_t i = 0; trace->has_memory && i < trace->n_samples; i++)
        require(isfinite(trace->mem_used_mib[i]) && trace->mem_used_mib[i] >= 0);
    trace_free(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct error err = {0};
    struct trace *trace = NULL;
    const char *cut = size >= 4 ? memmem(text, size, "===\n", 4) : NULL;
    if (!cut) {
        int result = trace_parse_wide((struct trace_text){"wide", text, size}, MAX_SAMPLES, &trace, &err);
        judge(result, trace, &err);
        return 0;
    }
    size_t first = (size_t)(cut - text);
    int result =
        trace_parse_long((struct trace_text){"vms", text, first},
                         (struct trace_text){"usage", cut + 4, size - first - 4}, MAX_SAMPLES, &trace, &err);
    judge(result, trace, &err);
    return 0;
}
