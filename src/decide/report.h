// What a host tells the others: what changed by more than a threshold, or enough of the rest that the sum
// which the others have of this host does not drift from the truth. Pure; used by agent and simulator.
//
// A reader's figure for one VM is off by at most the threshold (band below), its sum over a host by at most
// drift x capacity, whatever the number of VMs and however slowly they creep, each in the same direction.
//
// Cost: O(n), and O(n log n) in a round where the sum drifted.
#ifndef BALLAST_DECIDE_REPORT_H
#define BALLAST_DECIDE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timepoint.h"

// The figures of one VM (or the sums of a host) that decisions elsewhere depend on.
struct report_figures {
    double cpu_demand_cores;
    double mem_used_mib;
    double mem_current_mib;
    double mem_actual_mib;
    double cpu_unmet_cores;
    double mem_unmet_mib;
    uint32_t flags; // states and settings, as the caller numbers them: any difference is reported at once
};

// A figure changed when |now - reported| > max(absolute, relative x max(|now|, |reported|)).
struct report_thresholds {
    double cpu_absolute_cores; // 0.1: below what any decision turns on
    double mem_absolute_mib;   // 32
    double relative;           // 0.1, the headroom that decisions leave anyway
    double drift;              // 0.02 of the host's cores or memory: the sum is a destination's room
    int64_t refresh_ms;        // 300 s: a row is never older, so that the store heals whatever it lost
};

// The defaults above.
struct report_thresholds report_thresholds_default(void);

struct report_vm {
    struct report_figures now;
    struct report_figures reported; // what the others have: the caller copies now here once it was written
    struct mono reported_at;
    bool known; // was reported at all
};

// Chooses which of n VMs to report now; writes their indices, ascending, to ret_index (room for n) and
// returns how many. Capacities of the host in cores and MiB, > 0. scratch: room for n doubles.
size_t report_select(const struct report_thresholds *thresholds, const struct report_vm *vms, size_t n,
                     double capacity_cores, double capacity_mib, struct mono now, uint32_t *ret_index,
                     double *scratch);

// Whether a host's own row (capacities, state, sums) is to be written: any flag or figure out of its band,
// the bands being drift x capacity.
bool report_host_changed(const struct report_thresholds *thresholds, const struct report_figures *now,
                         const struct report_figures *reported, double capacity_cores, double capacity_mib);

#endif
