// The plain score of a cluster: how well its VMs are served at one moment.
//
// On each host CPU and memory are divided by water-filling (entitlement.h) and every VM has a satisfaction
// s = s_cpu x s_mem in [0, 1]:  s_cpu = 1 - unmet_cores / max(demand, 0.1 x vcpus),
// s_mem = delivered / (mem_used + mem_overhead). Weighted by w = shares / mean shares that gives the lost
// VM-seconds per second. This linear form, without headroom or uncertainty, is the one wherever a score is
// reported; decisions look further (loss.h). VMs on a host that is down count nowhere.
#ifndef BALLAST_DECIDE_SCORE_H
#define BALLAST_DECIDE_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "decide/entitlement.h"
#include "model/snapshot.h"

// A VM that uses next to nothing and waits a moment is not half lost: unmet CPU is measured against at
// least this part of its vCPUs.
#define SCORE_CPU_FLOOR_PER_VCPU 0.1

struct score {
    double score;                    // 1 - lost / sum of weights; 1 for a cluster without VMs
    double lost_vm_s_per_s;          // sum of w (1 - s)
    double expected_lost_vm_s_per_s; // with uncertainty, headroom and the tail (score_expected.h)
    uint32_t hosts_overloaded; // of the hosts up or in maintenance: demand above capacity, CPU or memory
    uint32_t hosts_used;       // of the hosts up or in maintenance: with at least one VM
    double cpu_sd;             // population standard deviation over the hosts up of demand / capacity
    double mem_sd;
    double cpu_mad; // mean over the hosts up of |demand / capacity - total demand / total capacity|
    double mem_mad;
    double cpu_max; // largest demand / capacity over the hosts up
    double mem_max;
    double s_min; // smallest satisfaction; 1 without VMs
    double s_p1;  // 1st percentile of the satisfaction (nearest rank)
};

// Scores a snapshot. scratch is used for O(n) bytes and not given back: reset it when convenient.
// ret_satisfaction: n_vms values, or NULL; a VM on a host that is down has 0 there. O(n log n) in the VMs
// of the most loaded host, O(n) over the cluster.
void score_compute(const struct snapshot *snapshot, struct arena *scratch, struct score *ret,
                   double *ret_satisfaction);

// The same with each VM's satisfaction as its host measured it (n_vms values in [0, 1]): what is, not what the hosts
// could give. A guest that swaps because its balloon is too small counts although its host has memory.
void score_measured(const struct snapshot *snapshot, struct arena *scratch, const double *satisfaction,
                    struct score *ret);

// What one host adds to the score: for who keeps a score up to date while VMs move.
struct score_part {
    double shares;         // sum over its VMs
    double lost, expected; // shares x VM-seconds lost per second: seen now; expected
    double cpu_cores;      // demand
    double mem_used_mib;
    double mem_demand_mib;     // with the hypervisor's own memory
    uint32_t n_vms, n_wanting; // its VMs; those with a satisfaction below 1
};

// Memory for dividing a host.
struct score_scratch {
    struct arena *arena; // of expected losses; used and not given back
    struct entitlement_claim *claim;
    double *grant;
    void *division;
};

// For hosts of up to n_vms VMs, allocated in arena.
struct score_scratch score_scratch_new(uint32_t n_vms, struct arena *arena);

// The part of host h with the n VMs vm[], wherever the snapshot has them, and their satisfactions at satisfaction[v];
// the parts of a host that is down hold sums alone. O(n log n).
void score_host(const struct snapshot *snapshot, uint32_t h, uint32_t n, const uint32_t *vm,
                const struct score_scratch *scratch, double *satisfaction, struct score_part *ret);

// The score from the parts of all hosts and the satisfactions of all VMs. O(hosts + VMs).
void score_total(const struct snapshot *snapshot, const struct score_part *part, const double *satisfaction,
                 struct arena *scratch, struct score *ret);

// Satisfaction with CPU of one VM: demand and grant in cores.
static inline double score_cpu_satisfaction(double demand_cores, double grant_cores, uint32_t vcpus)
{
    double floor_cores = SCORE_CPU_FLOOR_PER_VCPU * vcpus;
    double unmet = demand_cores > grant_cores ? demand_cores - grant_cores : 0;
    return unmet > 0 ? 1 - unmet / (demand_cores > floor_cores ? demand_cores : floor_cores) : 1;
}

// Satisfaction with memory: delivered / demanded, 1 where nothing is demanded.
static inline double score_mem_satisfaction(double demand_mib, double grant_mib)
{
    return demand_mib > grant_mib ? grant_mib / demand_mib : 1;
}

#endif
