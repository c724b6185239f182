// A better set of at most as many moves: what one-after-the-other choice misses.
#ifndef BALLAST_DECIDE_PLAN_IMPROVE_H
#define BALLAST_DECIDE_PLAN_IMPROVE_H

#include "decide/plan_order.h"
#include "decide/plan_search.h"

// Searches for an assignment that is better than the state's with at most most_displaced VMs away from home, and
// leaves the state in the best one found. Whether each can be reached step by step is for plan_order to find out; in
// the end state every bound holds. Deterministic. Spends up to `work` evaluations. Returns whether it is better than
// at the start.
bool plan_improve(struct plan_state *state, struct plan_search *search, uint32_t most_displaced,
                  uint64_t work);

// The displaced VMs and where they are, ascending. Returns how many; the array is in the state's arena.
uint32_t plan_displaced(const struct plan_state *state, struct plan_target **ret);

// Brings everyone home, then applies targets without regard to order.
void plan_assign(struct plan_state *state, uint32_t n, const struct plan_target *target);

#endif
