// Traces in files: plain, .gz or .xz; the long form's two files find each other.
#ifndef BALLAST_SIMULATE_TRACE_FILE_H
#define BALLAST_SIMULATE_TRACE_FILE_H

#include "simulate/trace.h"

#define TRACE_FILE_MAX_BYTES ((size_t)1 << 30) // unpacked, each file

// Reads one trace. The form is told by the header; of the long form either file may be named
// (NAME.vms.csv or NAME.usage.csv, with .gz or .xz behind), its partner is looked for beside it in all three
// packings.
int trace_load(const char *path, struct trace **ret_trace, struct error *err);

// Reads several and unites them from slot 0.
int trace_load_all(const char *const *paths, size_t n, struct trace **ret_trace, struct error *err);

#endif
