// Emptying a host in maintenance: which of its VMs goes next, and where to.
//
// It is the planner's own answer (plan.h empties hosts in maintenance first, whatever the goal) with the VMs of all other
// hosts held: memory bound with growth, strict rules, needs, and of the hosts that could take a VM the one that loses
// least by it. The operator has decided that the host is emptied, so what a move costs is told, not weighed.
#ifndef BALLAST_DECIDE_EVACUATE_H
#define BALLAST_DECIDE_EVACUATE_H

#include "base/arena.h"
#include "decide/plan.h"
#include "model/snapshot.h"

struct evacuation {
    uint32_t n_waiting; // VMs of the host that are neither held nor marked as not movable
    uint32_t vm, to;    // SNAPSHOT_NONE: none of them can go anywhere
    double benefit_lost_vm_s, cost_lost_vm_s, duration_s;
    const char *reason; // of the move; where there is none, of the first VM that is stuck; NULL: nobody waits
};

// One step for a host that the snapshot has in maintenance, as it should have others that take nothing just now. A VM on
// its way counts where the snapshot has it. held (per VM): not to be moved now. growth: PLAN_MEM_GROWTH unless configured.
// Texts are allocated in arena. O(VMs log VMs) and a bounded search.
void evacuate_next(const struct snapshot *snapshot, uint32_t host, const bool *held, double growth,
                   struct arena *arena, struct evacuation *ret);

#endif
