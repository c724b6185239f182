// Initial placement: where should new VMs start?
//
// Each VM goes to the host that loses least by it (the newcomer's own loss and what it takes from those that
// are there); among those that lose nothing, to the one that keeps most room. Bounds are the planner's:
// memory with growth, overcommitment of configured memory, strict rules, state of the host.
#ifndef BALLAST_DECIDE_PLACE_H
#define BALLAST_DECIDE_PLACE_H

#include "base/arena.h"
#include "base/error.h"
#include "decide/score.h"
#include "model/snapshot.h"

struct place_request {
    uint32_t vcpus;          // >= 1
    double mem_mib;          // > 0
    double cpu_demand_cores; // 0 .. vcpus
    double mem_used_mib;     // 0 .. mem_mib
    double mem_overhead_mib; // 0
    uint32_t shares;         // SNAPSHOT_SHARES
    uint32_t count;          // how many alike, >= 1
    bool apart;              // each on a host of its own
    double mem_overcommit;   // 0: no bound
    double mem_growth;       // PLAN_MEM_GROWTH
};

struct place_choice {
    uint32_t host;          // SNAPSHOT_NONE: unplaced
    double score;           // the cluster's after this placement
    double loss_vm_s_per_s; // what it adds to the cluster's loss
    double room_cores;      // what stays free on the host
    double room_mem_mib;
    const char *reason;
};

struct place_rejection {
    uint32_t host;
    const char *reason;
};

struct place_result {
    uint32_t n_choices; // placed, in order
    struct place_choice *choices;
    uint32_t n_rejected; // hosts that could not take (another) one at the end, by name
    struct place_rejection *rejected;
    uint32_t unplaced;
};

// Places request->count VMs into a checked snapshot. Everything is allocated in arena.
// O(hosts + count x log hosts) evaluations of a host.
void place_make(const struct snapshot *snapshot, const struct place_request *request, struct arena *arena,
                struct place_result *ret);

#endif
