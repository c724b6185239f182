// Expected lost VM-seconds per second: the currency of every decision.
//
// Theory. A VM's satisfaction is s = s_cpu x s_mem; what it loses is w x (1 - s) per second. A host's demand D is
// uncertain. With C the capacity, p = P(D > C) and x = E[D - C | D > C] the mean excess when there is one, capacity is
// divided by water-filling once, at demands whose sum is C + x (each VM's demand being what is expected of it given
// that the sum is so high), and
//
//     expected loss = sum over VMs of w (1 - (1 - p_cpu (1 - s_cpu)) x (1 - p_mem (1 - s_mem)))
//
// With certain demands (sd 0) that is the loss of the plain score, but for the memory curve f; with linear loss in the
// excess it is exact. The rest of the error is second order, and one division a host makes it cheap.
//
// The distribution comes (a) from moments: D is Student's t with 3 degrees of freedom around the mean, since sums of
// real VMs exceed mean + 3 sd of the last hour in about 4 % of the cases, not in 0.13 %; or (b) from aligned series:
// the slots of the last hour are the scenarios. Either way D is never above the sum of min(vCPUs, limit).
// Bursts are correlated: variance of the sum = (1 - r) sum of var + r (sum of sd)^2, r = LOSS_CORRELATION.
#ifndef BALLAST_DECIDE_LOSS_H
#define BALLAST_DECIDE_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decide/history.h"

#define LOSS_CORRELATION 0.05        // pairwise, between demands of VMs on a host (a choice, not fitted)
#define LOSS_IDLE_PART 0.1           // an idle VM's CPU loss is relative to this part of its vCPUs at least
#define LOSS_STARVED_BELOW 0.3       // satisfaction under which a VM starves
#define LOSS_STARVED_DOUBLES_S 300.0 // after so long its weight has doubled
#define LOSS_STARVED_MOST 8.0        // growth ends there: one VM must not outweigh a whole host for ever

enum loss_resource { LOSS_CPU, LOSS_MEM, LOSS_RESOURCES };

// One resource of a VM, in cores or MiB.
struct loss_claim {
    double demand; // expected
    double sd;     // its uncertainty; 0: certain
    double most;   // >= demand: min(vCPUs, limit), or maximum memory with overhead
    double reservation;
    double shares; // > 0
    double floor;  // least denominator of the satisfaction: LOSS_IDLE_PART x vCPUs; 0 for memory
};

// What a host's loss depends on of one VM.
struct loss_vm {
    double weight; // loss_weight()
    struct loss_claim claim[LOSS_RESOURCES];
};

// Sums over a host's VMs: enough for a good estimate in O(1). Zeroed is an empty host.
struct loss_sum {
    uint32_t n;
    double weight;
    double demand[LOSS_RESOURCES];
    double most[LOSS_RESOURCES];
    double var[LOSS_RESOURCES];
    double sd[LOSS_RESOURCES];     // sum of standard deviations
    double square[LOSS_RESOURCES]; // of demand^2 + sd^2, the mean square
    double cut;                    // sum of weight x mean square / max(its root, floor), of the CPU
};

struct loss_capacity {
    double of[LOSS_RESOURCES]; // cores, MiB for VMs
};

// Weight of a VM: shares / mean_shares of the cluster, grown by starving: x (1 + starved_s / LOSS_STARVED_DOUBLES_S),
// at most x LOSS_STARVED_MOST.
double loss_weight(double shares, double mean_shares, double starved_s);

// Time starved after another dt_s at satisfaction s: grows below LOSS_STARVED_BELOW, falls twice as fast above.
double loss_starved_s(double starved_s, double s, double dt_s);

// s_mem of a VM that misses part (0 .. 1) of the memory it needs: the measured curve f, decreasing from 1 to 0.
double loss_memory_satisfaction(double missing_part);

// s_cpu of a VM: 1 - unmet / max(demand, idle_floor), in [0, 1].
double loss_cpu_satisfaction(double unmet_cores, double demand_cores, double idle_floor_cores);

// O(1) updates of the sums.
void loss_sum_add(struct loss_sum *sum, const struct loss_vm *vm);
void loss_sum_remove(struct loss_sum *sum, const struct loss_vm *vm);

// Standard deviation of the host's demand with correlation.
double loss_sum_sd(const struct loss_sum *sum, enum loss_resource resource);

// Estimate of the host's loss rate in O(1): as if what is short were cut by the square of demand (CPU) or in proportion
// to it (memory). Good for
// screening; loss_host_rate() decides. It is 0 exactly when loss_host_rate() is 0.
double loss_sum_rate(const struct loss_sum *sum, const struct loss_capacity *capacity);

// Probability that the demand exceeds capacity and the mean excess then, from moments; most bounds the demand.
void loss_excess(double mean, double sd, double most, double capacity, double *ret_probability,
                 double *ret_excess);

// Expected lost VM-seconds per second of a host with n VMs vm[0..n-1] (pointers, so that a what-if set is cheap to
// build), from moments. each: per VM when not NULL. scratch: loss_scratch_bytes(n) bytes. No allocation.
// O(n) when demand surely fits, else O(n log n).
size_t loss_scratch_bytes(size_t n);
double loss_host_rate(const struct loss_capacity *capacity, size_t n, const struct loss_vm *const *vm,
                      double *each, void *scratch);

// The same with the aligned series of each VM (NULL: by its moments). The moments' sd is what is uncertain beyond
// the series. O(n x HISTORY_SERIES).
double loss_host_rate_series(const struct loss_capacity *capacity, size_t n, const struct loss_vm *const *vm,
                             const struct history_series *const *series, double *each, void *scratch);

// A host known only by sums and the series of its sum (another host's row), with or without one VM: in proportion to
// demand, since nobody knows whose demand it was. O(HISTORY_SERIES).
double loss_sum_rate_series(const struct loss_sum *sum, const struct loss_capacity *capacity,
                            const struct history_series *series);

#endif
