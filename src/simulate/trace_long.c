#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "simulate/csv.h"
#include "simulate/trace.h"
#include "simulate/trace_names.h"

DEFINE_CLEANUP(struct trace *, trace_free);

static int expect_header(struct csv *csv, const char *header, struct error *err)
{
    if (!csv_next_line(csv))
        return error_set(err, ERROR_INPUT, "%s: is empty: a header %s is needed", csv->file, header);
    size_t length = (size_t)(csv->line_end - csv->field);
    if (length != strlen(header) || memcmp(csv->field, header, length) != 0)
        return csv_error(csv, err, "the header must be %s", header);
    return 0;
}

static int parse_vms(struct trace_text text, struct trace **ret_trace, struct error *err)
{
    struct csv csv = csv_begin(text.file, text.text, text.size);
    if (expect_header(&csv, "vm,vcpus,cap_mhz,mem_mb,first,last", err) < 0)
        return -1;
    uint32_t rows = 0;
    for (struct csv count = csv; rows <= TRACE_MAX_VMS && csv_next_line(&count);)
        rows++;
    if (rows == 0)
        return csv_error(&csv, err, "no VM follows the header: give one row for each VM");
    if (rows > TRACE_MAX_VMS)
        return csv_error(&csv, err, "more than %u VMs follow", TRACE_MAX_VMS);
    CLEANUP(trace_free) struct trace *trace = trace_new(rows);
    if (!trace)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %u VMs", text.file, rows);
    trace->has_capacity = true;
    for (uint32_t v = 0; v < rows; v++) {
        const char *name;
        size_t length;
        csv_next_line(&csv);
        if (csv_text(&csv, "vm", &name, &length, err) < 0)
            return -1;
        trace->name[v] = trace_name_copy(&csv, name, length, err);
        if (!trace->name[v] || csv_integer(&csv, "vcpus", 4096, &trace->vcpus[v], err) < 0 ||
            csv_number(&csv, "cap_mhz", 0, 1e9, &trace->cap_mhz[v], err) < 0 ||
            csv_number(&csv, "mem_mb", 0, 1e9, &trace->mem_mib[v], err) < 0 ||
            csv_integer(&csv, "first", TRACE_MAX_SLOTS - 1, &trace->first[v], err) < 0 ||
            csv_integer(&csv, "last", TRACE_MAX_SLOTS - 1, &trace->last[v], err) < 0 ||
            csv_line_done(&csv, err) < 0)
            return -1;
        if (trace->vcpus[v] == 0)
            return csv_error(&csv, err, "vcpus is 0: it must be at least 1");
        if (trace->cap_mhz[v] <= 0 || trace->mem_mib[v] <= 0)
            return csv_error(&csv, err, "cap_mhz and mem_mb must be above 0");
        if (trace->last[v] < trace->first[v])
            return csv_error(&csv, err, "last (%u) is before first (%u): exchange them", trace->last[v],
                             trace->first[v]);
    }
    if (trace_names_check_unique(text.file, trace, err) < 0)
        return -1;
    *ret_trace = take_pointer(&trace);
    return 0;
}

// Repeats the sample before slot from up to and without slot to.
static void hold(struct trace *trace, uint32_t v, uint32_t from, uint32_t to)
{
    for (uint32_t t = from; t < to; t++) {
        size_t i = trace_sample(trace, v, t);
        trace->cpu_pct[i] = trace->cpu_pct[i - 1];
        trace->mem_used_mib[i] = trace->mem_used_mib[i - 1];
    }
}

// Fills in the rows. next[v] is the slot after the VM's last row, 0 before its first.
static int parse_usage(struct trace_text text, const struct trace_names *names, struct trace *trace,
                       uint32_t *next, struct error *err)
{
    struct csv csv = csv_begin(text.file, text.text, text.size);
    if (expect_header(&csv, "vm,interval,cpu_pct,mem_mb", err) < 0)
        return -1;
    uint32_t v = UINT32_MAX;
    while (csv_next_line(&csv)) {
        const char *name;
        size_t length;
        uint32_t t;
        double cpu_pct, mem_mb;
        if (csv_text(&csv, "vm", &name, &length, err) < 0)
            return -1;
        if (v == UINT32_MAX || strlen(trace->name[v]) != length || memcmp(trace->name[v], name, length) != 0)
            v = trace_names_find(names, name, length);
        if (v == UINT32_MAX)
            return csv_error(&csv, err, "VM \"%.*s\" is not in the .vms.csv file: add it there",
                             (int)(length < 64 ? length : 64), name);
        if (csv_integer(&csv, "interval", TRACE_MAX_SLOTS - 1, &t, err) < 0 ||
            csv_number(&csv, "cpu_pct", 0, 1e6, &cpu_pct, err) < 0 ||
            csv_number(&csv, "mem_mb", 0, 1e9, &mem_mb, err) < 0 || csv_line_done(&csv, err) < 0)
            return -1;
        if (!trace_exists(trace, v, t))
            return csv_error(&csv, err, "interval %u is outside the VM's life, %u to %u in the .vms.csv file",
                             t, trace->first[v], trace->last[v]);
        if (next[v] == 0 && t != trace->first[v])
            return csv_error(&csv, err, "the VM's first row is interval %u: it must be its first, %u", t,
                             trace->first[v]);
        if (next[v] != 0 && t < next[v])
            return csv_error(&csv, err,
                             "interval %u comes after %u: sort each VM's rows, one for an interval", t,
                             next[v] - 1);
        if (next[v] != 0)
            hold(trace, v, next[v], t);
        size_t i = trace_sample(trace, v, t);
        trace->cpu_pct[i] = (float)(cpu_pct > 100 ? 100 : cpu_pct);
        trace->mem_used_mib[i] = (float)(mem_mb > trace->mem_mib[v] ? trace->mem_mib[v] : mem_mb);
        next[v] = t + 1;
    }
    return 0;
}

// The samples of a trace whose VMs are known.
static int fill_samples(struct trace_text usage, const char *vms_file, struct trace *trace, struct error *err)
{
    struct trace_names names;
    uint32_t *next = calloc(trace->n_vms, sizeof(*next));
    if (!next)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %u VMs", usage.file, trace->n_vms);
    int result = trace_names_index(trace, &names, err);
    if (result == 0) {
        result = parse_usage(usage, &names, trace, next, err);
        trace_names_free(&names);
    }
    for (uint32_t v = 0; v < trace->n_vms && result == 0; v++) {
        if (next[v] == 0)
            result =
                error_set(err, ERROR_INPUT, "%s: VM \"%s\" of %s has no row: give it one, or remove it there",
                          usage.file, trace->name[v], vms_file);
        else
            hold(trace, v, next[v], trace->last[v] + 1);
    }
    free(next);
    return result;
}

int trace_parse_long(struct trace_text vms, struct trace_text usage, size_t max_samples,
                     struct trace **ret_trace, struct error *err)
{
    struct trace *trace = NULL;
    if (parse_vms(vms, &trace, err) < 0)
        return -1;
    int result = trace_allocate_samples(trace, true, max_samples, err);
    if (result < 0)
        error_context(err, "%s", vms.file);
    else
        result = fill_samples(usage, vms.file, trace, err);
    if (result < 0) {
        trace_free(trace);
        return -1;
    }
    *ret_trace = trace;
    return 0;
}
