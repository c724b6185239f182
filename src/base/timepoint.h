// Wall time and monotonic time have different types, so that nobody subtracts one from the other.
// Pure types: this header is in the plain library; reading a clock is in base/clock.h (system).
#ifndef BALLAST_BASE_TIMEPOINT_H
#define BALLAST_BASE_TIMEPOINT_H

#include <stdint.h>

// Milliseconds since an arbitrary start; never goes back. For durations and deadlines.
struct mono {
    int64_t ms;
};

// Milliseconds since 1970-01-01 UTC; may jump. For what a person or another host reads.
struct wall {
    int64_t ms;
};

static inline double mono_seconds_between(struct mono from, struct mono to)
{
    return (double)(to.ms - from.ms) / 1000.0;
}

static inline struct mono mono_after_ms(struct mono from, int64_t ms)
{
    return (struct mono){from.ms + ms};
}

#endif
