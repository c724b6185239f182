// One simulation: a trace in a scenario under a policy, and what came of it.
#ifndef BALLAST_SIMULATE_SIMULATE_H
#define BALLAST_SIMULATE_SIMULATE_H

#include <stdio.h>

#include "base/error.h"
#include "simulate/policy.h"
#include "simulate/scenario.h"
#include "simulate/trace.h"

struct simulation {
    const struct trace *trace;
    const struct scenario *scenario;
    const struct policy_class *policy;
    uint64_t seed;
    double hours;                              // 0: the whole trace
    FILE *timeline;                            // CSV, one row a slot; may be NULL
    FILE *vms;                                 // CSV, one row a VM at the end; may be NULL
    void (*progress)(void *data, double part); // 0 .. 1, once a slot; may be NULL
    void *progress_data;
};

struct simulation_result {
    uint32_t n_hosts, n_vms;
    double simulated_s;
    double score;
    double lost_vm_s, lost_to_contention_vm_s, lost_to_migration_vm_s;
    uint64_t rows_sampled, rows_reported;
    uint64_t migrations, failed_migrations, returns_1h, host_shutdowns, host_crashes;
    uint32_t migrations_per_vm_max;
    double balloon_moved_gib, guest_swap_gib;
    double mem_short_mib_h, cpu_unmet_core_h;
    double unmet_pct, energy_kwh;
    double slatah, pdm, slav, esv; // as CloudSim 3.0.3 computes them, fractions
    double hosts_used_mean;
    double s_min, s_p1; // over VMs, of the mean satisfaction of each over its life
    char left_out[512]; // names of VMs that no host can hold
};

// Runs it. Deterministic: equal input and seed give equal results, to the last bit.
int simulate_run(const struct simulation *simulation, struct simulation_result *ret, struct error *err);

#endif
