// What a VM wanted during the last hour, and what to expect of it.
//
// Theory. One ring per VM of HISTORY_SLOTS slots, aligned on wall time: slot number = time / HISTORY_SLOT_S, the
// same on every host, so that demands of several VMs can be added slot by slot and the sum keeps what their
// bursts have in common. A slot holds mean and maximum of CPU (cores) and memory (MiB). Samples of 1 s are
// gathered in a slot, samples of 300 s fill ten. Beside it a coarse memory of the time of day is kept; the forecast
// does not use it yet.
//
// The forecast is a distribution, not a value: see history.c for how recent values, the hour, a period where
// there is one, and a prior from all VMs are mixed.
#ifndef BALLAST_DECIDE_HISTORY_H
#define BALLAST_DECIDE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timepoint.h"
#include "decide/level.h"

#define HISTORY_SLOT_S 30 // as long as the shortest migration worth planning for; an hour is 120 slots
#define HISTORY_SLOTS 120 // one hour
#define HISTORY_SERIES 12 // slots of the series that travels: 300 s each, one hour
#define HISTORY_SERIES_S 300
#define HISTORY_DAY_SLOTS 96 // quarters of an hour

enum history_resource { HISTORY_CPU, HISTORY_MEM, HISTORY_RESOURCES };

// Quantiles that a forecast states.
#define HISTORY_QUANTILES 7
extern const double history_probability[HISTORY_QUANTILES]; // 0.05 0.25 0.50 0.75 0.90 0.95 0.99

// A VM's ring. Plain data without pointers; copy it freely. Zeroed is empty.
struct history {
    int64_t slot;                  // number of the slot being filled (valid when filled_s > 0 or n > 0)
    uint32_t n;                    // complete slots held, 0 .. HISTORY_SLOTS
    int64_t end_ms;                // wall time up to which it is filled
    float filled_s;                // seconds gathered in the current slot
    float sum[HISTORY_RESOURCES];  // value x seconds of the current slot
    float top[HISTORY_RESOURCES];  // its maximum
    float last[HISTORY_RESOURCES]; // the newest sample
    float mean[HISTORY_RESOURCES][HISTORY_SLOTS]; // by slot number modulo HISTORY_SLOTS
    float max[HISTORY_RESOURCES][HISTORY_SLOTS];
    float day[HISTORY_RESOURCES][HISTORY_DAY_SLOTS]; // decaying mean by time of day (UTC)
    uint8_t day_n[HISTORY_DAY_SLOTS];                // days behind it, up to 255
    struct level level;                              // of the CPU demand, over hours
};

// An hour of demand in twelve slots of 300 s; of a VM or the sum over a host's VMs. Travels between hosts.
struct history_series {
    int64_t end; // number of the slot after the last: time / HISTORY_SERIES_S
    uint32_t n;  // newest n slots are valid (the last ones of the arrays), 0 .. HISTORY_SERIES
    float mean[HISTORY_RESOURCES][HISTORY_SERIES]; // oldest first
    float max[HISTORY_RESOURCES][HISTORY_SERIES];  // for a sum: the maximum of the sum
};

// What to expect at a time ahead, of one resource.
struct history_forecast {
    double mean;
    double sd;
    double
        quantile[HISTORY_QUANTILES]; // ascending, of the mean over a slot of HISTORY_SERIES_S or the horizon
    double trend_per_h;              // change per hour that the last hour shows, 0 when not significant
    double period_s;                 // of the repeating signature; 0: none
};

// Pooled experience of all VMs, used where a VM has little history of its own. As parts of what the VM may have
// at most (vCPUs, maximum memory).
struct history_prior {
    double mean[HISTORY_RESOURCES];
    double quantile[HISTORY_RESOURCES][HISTORY_QUANTILES];
    double weight_s; // history of this length weighs as much as the prior
};

// Marginals of public traces (history_forecast.c says which); for use until the cluster's own are known.
extern const struct history_prior history_prior_default;

// The fixed-size part of a VM's history that travels with its row in the store.
struct history_summary {
    struct history_series series;
    float mean[HISTORY_RESOURCES]; // forecast for the next HISTORY_SERIES_S
    float sd[HISTORY_RESOURCES];
    float p90[HISTORY_RESOURCES];
    float p99[HISTORY_RESOURCES];
    float trend_per_h[HISTORY_RESOURCES];
    float period_s[HISTORY_RESOURCES];
    float covered_s;    // length of the history behind it
    struct level level; // of the CPU demand
};

// Empties a ring.
void history_reset(struct history *h);

// Adds what was measured over the duration_s seconds that ended at end: the means of CPU and memory. Samples come
// in order; one that ends before the newest is ignored, after a gap longer than the ring the ring starts anew, and
// a shorter gap is filled with the value before it. duration_s > 0, values >= 0 and finite. O(slots covered).
void history_add(struct history *h, struct wall end, double duration_s, double cpu_cores, double mem_mib);

// Seconds of history held (at most an hour), in whole slots.
double history_covered_s(const struct history *h);

// The distribution expected for the mean over the HISTORY_SERIES_S seconds that begin horizon_s from now.
// most: what the VM may have at most (min(vcpus, limit) or MiB); forecasts stay within 0 .. most.
// O(HISTORY_SLOTS^2 / 2) when a period is looked for, no allocation.
void history_forecast(const struct history *h, enum history_resource resource, double horizon_s, double most,
                      const struct history_prior *prior, struct history_forecast *ret);

// Summary for the VM's row; most as above for each resource.
void history_summarize(const struct history *h, const double most[HISTORY_RESOURCES],
                       const struct history_prior *prior, struct history_summary *ret);

// The VM's last hour as a series.
void history_to_series(const struct history *h, struct history_series *ret);

// The last hour of the sum of n VMs (NULL entries: VMs without history; their guess_cores, guess_mib are added to
// each slot when not NULL). Slots that a VM does not have count with its mean. Maxima are of the sum over the fine
// slots, not the sum of maxima. O(n x HISTORY_SLOTS).
void history_sum(size_t n, const struct history *const *vm, const double *guess_cores,
                 const double *guess_mib, struct history_series *ret);

// to += sign x from, aligned by slot number; slots that from does not have count with its mean. For what-if: a host
// with one VM more or less. What a
// maximum is above its mean adds as bursts that do not know of each other do, as the root of the sum of squares, and is
// taken off likewise: what a VM brings to one host is what it takes from another.
void history_series_add(struct history_series *to, const struct history_series *from, double sign);

#endif
