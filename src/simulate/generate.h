// A long trace made up from a seed: VMs of the kinds that real clusters have, fitted to a public trace.
//
// Five classes of workload: steady, daily (follows the working day), bursty (short, high, heavy-tailed), batch (hours
// at full load, then nothing) and idle. Their shares, levels and noise are fitted so that over all VMs mean,
// standard deviation, quantiles, autocorrelation and cross-correlation of CPU, and level of memory, come near the Bitbrains
// set (docs/evaluation.md has the fit of every `make evaluation`). Bursts come together:
// flash crowds raise a tenth of all VMs at once.
#ifndef BALLAST_SIMULATE_GENERATE_H
#define BALLAST_SIMULATE_GENERATE_H

#include "simulate/trace.h"

enum generate_class {
    GENERATE_STEADY,
    GENERATE_DAILY,
    GENERATE_BURSTY,
    GENERATE_BATCH,
    GENERATE_IDLE,
    GENERATE_CLASSES,
};

extern const char *const generate_class_name[GENERATE_CLASSES];

// n_vms VMs over so many slots. The class of a VM is the beginning of its name: "daily-17". Equal seeds give equal
// traces on every machine.
int generate_trace(uint32_t n_vms, uint32_t n_slots, uint64_t seed, struct trace **ret_trace,
                   struct error *err);

// The two files of the long form as text, rows that repeat left out. Free both.
int generate_write(const struct trace *trace, char **ret_vms, size_t *ret_vms_size, char **ret_usage,
                   size_t *ret_usage_size, struct error *err);

#endif
