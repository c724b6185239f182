#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vector.h"
#include "simulate/csv.h"
#include "simulate/trace.h"
#include "simulate/trace_names.h"

DEFINE_CLEANUP(struct trace *, trace_free);

static bool begins(const char *text, size_t size, const char *with)
{
    size_t n = strlen(with);
    return size >= n && memcmp(text, with, n) == 0;
}

enum trace_form trace_form_of(const char *text, size_t size)
{
    if (begins(text, size, "vm,name,"))
        return TRACE_FORM_WIDE;
    if (begins(text, size, "vm,vcpus,"))
        return TRACE_FORM_LONG_VMS;
    if (begins(text, size, "vm,interval,"))
        return TRACE_FORM_LONG_USAGE;
    return TRACE_FORM_UNKNOWN;
}

// Reads the header and returns the number of slots.
static int parse_header(struct csv *csv, uint32_t *ret_slots, struct error *err)
{
    const char *text;
    size_t length;
    if (!csv_next_line(csv))
        return error_set(err, ERROR_INPUT, "%s: is empty: a header vm,name,s0,s1,... is needed", csv->file);
    if (!begins(csv->field, (size_t)(csv->line_end - csv->field), "vm,name,"))
        return csv_error(csv, err, "not a trace: the header must be vm,name,s0,s1,...");
    csv->field += strlen("vm,name,");
    uint32_t slots = 0;
    while (csv->field) {
        if (csv_text(csv, "slot", &text, &length, err) < 0)
            return -1;
        char expected[16];
        int n = snprintf(expected, sizeof(expected), "s%u", slots);
        if (length != (size_t)n || memcmp(text, expected, length) != 0)
            return csv_error(csv, err, "column %u of the header must be %s: slots without a gap", slots + 3,
                             expected);
        if (++slots > TRACE_MAX_SLOTS)
            return csv_error(csv, err, "more than %u slots", TRACE_MAX_SLOTS);
    }
    *ret_slots = slots;
    return 0;
}

// Rows that follow, without looking into them: the memory is allocated once.
static uint32_t count_rows(struct csv csv)
{
    uint32_t n = 0;
    while (n <= TRACE_MAX_VMS && csv_next_line(&csv))
        n++;
    return n;
}

int trace_parse_wide(struct trace_text wide, size_t max_samples, struct trace **ret_trace, struct error *err)
{
    struct csv csv = csv_begin(wide.file, wide.text, wide.size);
    uint32_t slots = 0;
    if (parse_header(&csv, &slots, err) < 0)
        return -1;
    uint32_t rows = count_rows(csv);
    if (rows == 0)
        return csv_error(&csv, err, "no VM follows the header: give one row for each VM");
    if (rows > TRACE_MAX_VMS)
        return csv_error(&csv, err, "more than %u VMs follow", TRACE_MAX_VMS);
    CLEANUP(trace_free) struct trace *trace = trace_new(rows);
    if (!trace)
        return error_set(err, ERROR_MEMORY, "%s: no memory for %u VMs", wide.file, rows);
    for (uint32_t v = 0; v < rows; v++)
        trace->last[v] = slots - 1;
    if (trace_allocate_samples(trace, false, max_samples, err) < 0)
        return error_context(err, "%s", wide.file);
    float *sample = trace->cpu_pct;
    for (uint32_t v = 0; v < rows; v++) {
        const char *text, *name;
        size_t length, name_length;
        csv_next_line(&csv);
        if (csv_text(&csv, "vm", &text, &length, err) < 0 ||
            csv_text(&csv, "name", &name, &name_length, err) < 0)
            return -1;
        trace->name[v] =
            trace_name_copy(&csv, name_length ? name : text, name_length ? name_length : length, err);
        if (!trace->name[v])
            return -1;
        for (uint32_t t = 0; t < slots; t++) {
            double pct;
            if (csv_number(&csv, "a sample", 0, 100, &pct, err) < 0)
                return -1;
            *sample++ = (float)pct;
        }
        if (csv_line_done(&csv, err) < 0)
            return -1;
    }
    if (trace_names_check_unique(wide.file, trace, err) < 0)
        return -1;
    *ret_trace = take_pointer(&trace);
    return 0;
}
