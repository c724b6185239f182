// A snapshot in the bytewise order of names.
#ifndef BALLAST_DECIDE_PLAN_CANON_H
#define BALLAST_DECIDE_PLAN_CANON_H

#include "base/arena.h"
#include "model/snapshot.h"

// Returns the snapshot itself when it is in order, else a reordered copy of its figures in arena (strings are
// borrowed). ret_vm and ret_host give the number in the original of each VM and host. O(n log n), O(n)
// when in order.
const struct snapshot *plan_canon(const struct snapshot *snapshot, struct arena *arena, uint32_t **ret_vm,
                                  uint32_t **ret_host);

#endif
