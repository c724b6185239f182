// VM names of a trace: bounded, without control characters, unique. Shared by the two parsers.
#ifndef BALLAST_SIMULATE_TRACE_NAMES_H
#define BALLAST_SIMULATE_TRACE_NAMES_H

#include "simulate/csv.h"
#include "simulate/trace.h"

// A copy of the name in the current row, or NULL with an error that names the row.
char *trace_name_copy(const struct csv *csv, const char *name, size_t length, struct error *err);

// Refuses a name that occurs twice. O(n log n).
int trace_names_check_unique(const char *file, const struct trace *trace, struct error *err);

// The VMs' names sorted, to look one up in O(log n). index_of_vm[i] is the VM whose name is i-th.
struct trace_names {
    uint32_t n;
    char *const *name; // borrowed from the trace
    uint32_t *sorted;  // VM numbers by name
};

int trace_names_index(const struct trace *trace, struct trace_names *ret_names, struct error *err);
void trace_names_free(struct trace_names *names);

// Number of the VM of that name, or UINT32_MAX.
uint32_t trace_names_find(const struct trace_names *names, const char *name, size_t length);

#endif
