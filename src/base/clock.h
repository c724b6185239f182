// Reading the machine's clocks (system library: the decisions cannot link to it).
#ifndef BALLAST_BASE_CLOCK_H
#define BALLAST_BASE_CLOCK_H

#include "base/timepoint.h"

// CLOCK_MONOTONIC.
struct mono clock_mono(void);

// CLOCK_REALTIME.
struct wall clock_wall(void);

// CPU time of this process, user and system, in milliseconds.
double clock_cpu_ms(void);

// "2026-11-23T10:00:00Z" (or with milliseconds when they are not zero); buffer of at least 32 bytes.
// Returns buffer.
char *clock_format_utc(struct wall time, char buffer[static 32]);

#endif
