// A better set of at most as many moves: what one-after-the-other choice misses.
#ifndef BALLAST_DECIDE_PLAN_IMPROVE_H
#define BALLAST_DECIDE_PLAN_IMPROVE_H

#include "decide/plan_order.h"
#include "decide/plan_search.h"

// Searches for a better assignment than the state's with at most steps->capacity VMs away from home that can be reached
// in as many steps; steps are those made so far. When it finds one the state is in it, and steps lead there from the
// start. Deterministic. Spends up to about twice `work` evaluations. Returns whether it found a better one.
bool plan_improve(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                  uint64_t work);

#endif
