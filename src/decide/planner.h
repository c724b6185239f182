// A planner that remembers the cluster: the next plan costs what has changed.
//
// It keeps a copy of the last snapshot and its working state. Given the next one it compares the two, loads the VMs
// whose figures differ, and adds up, divides and scores only hosts that are concerned; what is left of O(n) is the
// comparison and a few passes over one number per VM. When hosts, names, rules or the shares of all are others, it
// begins anew. Packing by levels (pack_level.h) takes all levels anew each time: there nothing is kept.
// The plan is the one that plan_make gives, to the last bit.
#ifndef BALLAST_DECIDE_PLANNER_H
#define BALLAST_DECIDE_PLANNER_H

#include "base/arena.h"
#include "decide/plan.h"
#include "model/snapshot.h"

struct planner;

// NULL when out of memory.
struct planner *planner_new(void);
struct planner *planner_free(struct planner *planner);

// As plan_make. Nothing of the snapshot, the settings or the arena is looked at after the return.
void planner_make(struct planner *planner, const struct snapshot *snapshot,
                  const struct plan_settings *settings, struct arena *arena, struct plan *ret);

#endif
