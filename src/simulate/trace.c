#include "simulate/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct trace *trace_new(uint32_t n_vms)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (!trace)
        return NULL;
    size_t n = n_vms ? n_vms : 1;
    trace->n_vms = n_vms;
    trace->name = calloc(n, sizeof(*trace->name));
    trace->vcpus = calloc(n, sizeof(*trace->vcpus));
    trace->cap_mhz = calloc(n, sizeof(*trace->cap_mhz));
    trace->mem_mib = calloc(n, sizeof(*trace->mem_mib));
    trace->first = calloc(n, sizeof(*trace->first));
    trace->last = calloc(n, sizeof(*trace->last));
    trace->sample_start = calloc(n, sizeof(*trace->sample_start));
    if (!trace->name || !trace->vcpus || !trace->cap_mhz || !trace->mem_mib || !trace->first ||
        !trace->last || !trace->sample_start)
        return trace_free(trace);
    for (uint32_t v = 0; v < n_vms; v++)
        trace->vcpus[v] = 1;
    return trace;
}

struct trace *trace_free(struct trace *trace)
{
    if (!trace)
        return NULL;
    if (trace->name)
        for (uint32_t v = 0; v < trace->n_vms; v++)
            free(trace->name[v]);
    free(trace->name);
    free(trace->vcpus);
    free(trace->cap_mhz);
    free(trace->mem_mib);
    free(trace->first);
    free(trace->last);
    free(trace->sample_start);
    free(trace->cpu_pct);
    free(trace->mem_used_mib);
    free(trace);
    return NULL;
}

int trace_allocate_samples(struct trace *trace, bool with_memory, size_t max_samples, struct error *err)
{
    size_t total = 0;
    trace->n_slots = 0;
    for (uint32_t v = 0; v < trace->n_vms; v++) {
        trace->sample_start[v] = total;
        total += (size_t)trace->last[v] - trace->first[v] + 1;
        if (total > max_samples)
            return error_set(err, ERROR_INPUT,
                             "more than %zu samples (VMs x slots): use fewer VMs or a shorter time",
                             max_samples);
        if (trace->last[v] + 1 > trace->n_slots)
            trace->n_slots = trace->last[v] + 1;
    }
    trace->n_samples = total;
    trace->has_memory = with_memory;
    trace->cpu_pct = calloc(total ? total : 1, sizeof(*trace->cpu_pct));
    if (with_memory)
        trace->mem_used_mib = calloc(total ? total : 1, sizeof(*trace->mem_used_mib));
    if (!trace->cpu_pct || (with_memory && !trace->mem_used_mib))
        return error_set(err, ERROR_MEMORY, "no memory for %zu samples", total);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Whether one name occurs twice in all traces together.
static int names_clash(const struct trace *const *traces, size_t n, uint32_t n_vms, bool *ret_clash)
{
    CLEANUP(free) char **all = calloc(n_vms ? n_vms : 1, sizeof(*all));
    if (!all)
        return -1;
    size_t used = 0;
    for (size_t k = 0; k < n; k++)
        for (uint32_t v = 0; v < traces[k]->n_vms; v++)
            all[used++] = traces[k]->name[v];
    qsort(all, used, sizeof(*all), by_name);
    *ret_clash = false;
    for (size_t i = 1; i < used; i++)
        if (strcmp(all[i - 1], all[i]) == 0)
            *ret_clash = true;
    return 0;
}

// Names and lives of all VMs; numbered names where two would be the same.
static int unite_vms(struct trace *all, const struct trace *const *traces, size_t n, struct error *err)
{
    bool clash;
    if (names_clash(traces, n, all->n_vms, &clash) < 0)
        return error_set(err, ERROR_MEMORY, "no memory to unite %zu traces", n);
    uint32_t at = 0;
    for (size_t k = 0; k < n; k++)
        for (uint32_t v = 0; v < traces[k]->n_vms; v++, at++) {
            const struct trace *t = traces[k];
            if (!clash || k == 0)
                all->name[at] = strdup(t->name[v]);
            else if (asprintf(&all->name[at], "%zu:%s", k + 1, t->name[v]) < 0)
                all->name[at] = NULL;
            if (!all->name[at])
                return error_set(err, ERROR_MEMORY, "no memory to unite %zu traces", n);
            all->vcpus[at] = t->vcpus[v];
            all->cap_mhz[at] = t->cap_mhz[v];
            all->mem_mib[at] = t->mem_mib[v];
            all->first[at] = t->first[v];
            all->last[at] = t->last[v];
        }
    return 0;
}

static int unite_samples(struct trace *all, const struct trace *const *traces, size_t n, struct error *err)
{
    if (trace_allocate_samples(all, traces[0]->has_memory, TRACE_MAX_SAMPLES, err) < 0)
        return -1;
    size_t to = 0;
    for (size_t k = 0; k < n; k++) {
        memcpy(all->cpu_pct + to, traces[k]->cpu_pct, traces[k]->n_samples * sizeof(float));
        if (all->has_memory)
            memcpy(all->mem_used_mib + to, traces[k]->mem_used_mib, traces[k]->n_samples * sizeof(float));
        to += traces[k]->n_samples;
    }
    return 0;
}

int trace_unite(const struct trace *const *traces, size_t n, struct trace **ret_trace, struct error *err)
{
    if (n == 0)
        return error_set(err, ERROR_INPUT, "no trace given");
    uint64_t total = 0;
    for (size_t k = 0; k < n; k++) {
        total += traces[k]->n_vms;
        if (traces[k]->has_memory != traces[0]->has_memory)
            return error_set(err, ERROR_INPUT,
                             "trace %zu has %s and trace 1 has not: unite only traces of one form", k + 1,
                             traces[k]->has_memory ? "memory" : "no memory");
    }
    if (total > TRACE_MAX_VMS)
        return error_set(err, ERROR_INPUT, "%llu VMs, at most %u are simulated", (unsigned long long)total,
                         TRACE_MAX_VMS);
    struct trace *all = trace_new((uint32_t)total);
    if (!all)
        return error_set(err, ERROR_MEMORY, "no memory to unite %zu traces", n);
    all->has_capacity = traces[0]->has_capacity;
    if (unite_vms(all, traces, n, err) < 0 || unite_samples(all, traces, n, err) < 0) {
        trace_free(all);
        return -1;
    }
    *ret_trace = all;
    return 0;
}
