// What differs between two snapshots of one cluster.
#ifndef BALLAST_DECIDE_PLAN_CHANGES_H
#define BALLAST_DECIDE_PLAN_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

// Whether b has the same hosts with the same figures, the same VMs by name and in the same order, with the same hosts
// that they cannot run on, and the same rules. O(n), at the speed of memory.
bool plan_changes_same_cluster(const struct snapshot *a, const struct snapshot *b);

// Sets changed[v] for every VM whose figures or host differ. For snapshots of the same cluster. O(n).
void plan_changes_mark(const struct snapshot *a, const struct snapshot *b, bool *changed);

// Writes the figures of VM `from_vm` to row `to_vm` of another snapshot; its name, host and lists stay.
void plan_changes_take(const struct snapshot *from, uint32_t from_vm, struct snapshot *to, uint32_t to_vm);

#endif
