// What a policy may know of the world: the hosts and VMs as configured, where each VM is, and what has been
// measured so far. No future, nothing that a host could not have told.
#ifndef BALLAST_SIMULATE_VIEW_H
#define BALLAST_SIMULATE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "simulate/power.h"

#define VIEW_NONE UINT32_MAX

enum host_power {
    HOST_ON,
    HOST_WAKING,
    HOST_FALLING, // falling asleep
    HOST_SLEEPING,
    HOST_CRASHED,
};

struct view_list { // VMs on a host, in the order of their arrival
    uint32_t n, capacity;
    uint32_t *vm;
};

struct view {
    int64_t now_ms;
    uint32_t slot; // number of the slot that has begun
    double unit_core_mhz;

    // hosts
    uint32_t n_hosts;
    const char *const *host_name;
    const double *host_cores;      // all cores together, in units
    const double *host_core_cores; // one core: the most that one vCPU gets, in units
    const double *host_mem_mib;    // for VMs
    const double *host_net_mib_s;
    const struct power_curve *const *host_curve;
    const enum host_power *host_power;
    const uint32_t *host_in, *host_out; // migrations running to and from
    const struct view_list *host_vms;

    // VMs
    uint32_t n_vms;
    const char *const *vm_name;
    const uint32_t *vm_vcpus;
    const double *vm_cores; // the most that it can ask for, in units
    const double *vm_mem_mib;
    const double *vm_overhead_mib;
    const double *vm_shares;
    const uint32_t *vm_host;    // VIEW_NONE: does not exist now
    const uint32_t *vm_to;      // destination while it migrates, else VIEW_NONE
    const int64_t *vm_since_ms; // when it came to be
    const uint32_t *vm_moves;

    // what has been measured last (with `late` information: of the slot before)
    const bool *known;
    const double *cpu_demand; // units
    const double *mem_used_mib;
    // what its host knows of it at once
    const double *mem_current_mib; // balloon
    const double *mem_actual_mib;  // resident
    const double *guest_swap_mib;  // in the guest's swap now
    const double *cpu_delivered;   // units, now
    const double *dirty_mib_s;
};

#endif
