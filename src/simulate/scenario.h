// Under which conditions a trace is run: hosts, VM types, what a migration does, who pays what.
#ifndef BALLAST_SIMULATE_SCENARIO_H
#define BALLAST_SIMULATE_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "simulate/power.h"
#include "simulate/trace.h"

#define SCENARIO_TYPES 8

enum scenario_information {
    INFORMATION_SAME_SLOT, // a slot's demand is known to the policies when the slot begins
    INFORMATION_LATE,      // only when it is over
};

// How the count of earlier migrations n raises the cost of the next one, seen from the policy: decide's own
// 1 + n^2, or another shape that is tried in its place.
enum scenario_penalty {
    PENALTY_QUADRATIC,   // 1 + n^2
    PENALTY_LINEAR,      // 1 + n
    PENALTY_EXPONENTIAL, // 2^n
    PENALTY_NONE,        // 1
};

enum scenario_placement {
    PLACEMENT_POWER, // power-aware best fit of the full request, in the order of hosts (CloudSim's)
    PLACEMENT_ROOM,  // the host with most configured memory left, by proportion
};

struct scenario_host_type {
    char name[32];
    uint32_t count; // 0: as many as overcommit wants
    double cores;   // physical cores
    double core_mhz;
    double mem_mib;
    double mem_reserved_mib;
    double net_mib_s; // for migrations
    const struct power_curve *power;
};

// VMs of traces without capacity, in equal parts of ceil(n / types) in the order of the trace.
struct scenario_vm_type {
    uint32_t vcpus;
    double core_mhz;
    double mem_mib;
};

struct scenario {
    char name[64];
    // world
    double slot_s;        // what one sample of the trace stands for, whole milliseconds
    double unit_core_mhz; // what one core is in figures shown and given to policies
    uint32_t n_host_types;
    struct scenario_host_type
        host_type[SCENARIO_TYPES]; // hosts alternate between the types that have some left
    double overcommit;             // configured memory / memory of the hosts; for a type of count 0
    uint32_t n_vm_types;
    struct scenario_vm_type vm_type[SCENARIO_TYPES];
    enum scenario_placement placement;
    bool
        divide_by_demand; // a host short of CPU cuts every VM by the same part, as CloudSim does; else by shares
    bool memory_constrains;  // else a running VM has all the memory it uses
    double vm_overhead_mib;  // of the hypervisor's process
    double guest_kernel_mib; // what a guest needs beyond what the trace says it uses
    double cache_mib_s;      // by which a guest's page cache grows until nothing is free
    bool swap_blind;         // a host that is short swaps any page; else first what guests do not use
    double dirty_mib_s_busy; // memory a VM dirties per second and core that it uses
    bool precopy;            // migrations by the pre-copy model; else memory / half the bandwidth, no sharing
    double migration_slow_down;        // part of its work a VM loses while it is copied
    double migration_destination_load; // part of its demand that the destination has to run meanwhile
    double migration_cpu_cores;        // what copying takes of each host's CPU at full bandwidth
    bool hosts_follow_use;  // a host is on exactly while it has VMs, at once and for nothing when off
    double standby_w;       // of a sleeping host
    double wake_s, sleep_s; // delays
    // faults
    double migration_failure; // probability that a migration fails half-way
    double crash_per_day;     // mean crashes of a host a day; its VMs are gone until it is back
    double repair_s;
    // policies
    enum scenario_information information;
    bool consolidate;
    bool packed_start; // every policy begins where ballast's first packing would leave the VMs
    bool ballooning;
    bool history;                  // the last hour of a VM is known; else only its present
    enum scenario_penalty penalty; // of earlier migrations
    bool bars;                     // no return within the hour, no more than so many migrations a day
    double report_part; // of the thresholds of reports; 0: every figure that differs is told at once
    double sample_s;    // of the hosts' own loops: memory manager, immediate balancer
    double longterm_s;  // between plans of the long-term balancer, and of the yardsticks
};

// One of the built-in scenarios: planetlab, bitbrains (also bitbrains-80, -100, -130, -160: percent of
// configured memory), or a file. Errors say what is known.
int scenario_load(const char *name, struct scenario *ret, struct error *err);

// The default for this trace: planetlab for wide ones, bitbrains for long ones.
const char *scenario_default_name(const struct trace *trace);

// A scenario file: INI in memory, on top of the scenario that it names as its base. file is for messages.
int scenario_parse(const char *file, const char *text, struct scenario *ret, struct error *err);

#endif
