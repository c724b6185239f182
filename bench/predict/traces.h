// The real traces for benchmarks: those of BALLAST_TRACES, else of any ../*/traces/open beside the project.
#ifndef BALLAST_BENCH_PREDICT_TRACES_H
#define BALLAST_BENCH_PREDICT_TRACES_H

#include "simulate/trace_file.h"

// Loads the trace of that file name (without packing); NULL, with a line on standard error, where it is absent.
struct trace *bench_trace(const char *name);

#endif
