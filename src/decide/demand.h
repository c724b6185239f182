// What a VM wants of the CPU, from what its vCPU threads did during an interval.
//
// A vCPU thread is at any moment running, waiting for a processor, throttled by the VM's own quota, or asleep.
// What it would have run had it never waited: while it did not wait it ran a part run / (run + sleep) of the
// time, so of the time that it waited it would have used the same part:
//
//     demand = run + wait x run / (run + sleep)        per vCPU, in cores
//
// (ESX: "CPU demand"; Gulati et al., "VMware Distributed Resource Management", VMware Technical Journal 2012).
// Time throttled by the VM's own quota is neither waiting nor sleep: the owner asked for the limit.
//
// A VM that used nearly all that it was given (it hardly slept) may want more than can be seen, for its own
// run queues are inside. Its demand is raised by up to DEMAND_HEADROOM, gradually, so that nothing jumps.
#ifndef BALLAST_DECIDE_DEMAND_H
#define BALLAST_DECIDE_DEMAND_H

#include <stddef.h>
#include <stdint.h>

#define DEMAND_HEADROOM 0.10 // a VM under full use may want a tenth more; the next interval shows the rest
// Part of its given time (run + sleep) that a VM has to use before headroom is added, and where all of it is.
#define DEMAND_BUSY_FROM 0.85
#define DEMAND_BUSY_TO 0.95
// A core with two busy hyperthreads does about this much more work than with one (15 to 30 % is
// what is commonly said; not measured here).
#define DEMAND_SMT_GAIN 0.25

// What one vCPU thread did during the interval. Seconds, >= 0; rounding of the counters is tolerated.
struct demand_vcpu {
    double run_s;
    double wait_s; // run-queue delay as the kernel counts it (vcpu.N.delay): throttled time is part of it
    double throttled_s; // by the VM's own quota
};

// The VM's demand and what it got.
struct demand {
    double demand_cores; // 0 .. min(vcpus, limit): with headroom
    double
        delivered_cores; // of that: demand x what ran / what would have run; equals demand when it never waited
    double run_cores;    // what ran
    double waited_cores;    // waiting for others, own throttling excluded
    double throttled_cores; // own quota
};

// Demand over interval_s > 0 of a VM with n_vcpus >= 1 vCPU threads and at most limit_cores (the VM's quota;
// pass n_vcpus when it has none). headroom >= 0: DEMAND_HEADROOM unless configured.
// Properties: grows with run and wait; never above min(n_vcpus, limit); without waiting and with much sleep
// it is what ran. O(n).
struct demand demand_measure(double interval_s, size_t n_vcpus, const struct demand_vcpu *vcpu,
                             double limit_cores, double headroom);

// Cores' worth of work that a host can do, in cores of speed 1: threads beyond the first add DEMAND_SMT_GAIN.
double demand_host_capacity_cores(double cpu_cores, double threads_per_core, double core_speed);

// Cores' worth of work behind thread_cores of measured run time on a host whose threads are busy by
// busy_thread_cores in all: two busy hyperthreads of a core are not two cores.
double demand_from_threads(double thread_cores, double busy_thread_cores, double cpu_cores,
                           double threads_per_core);

#endif
