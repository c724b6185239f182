// From a set of moves to a sequence that can be carried out.
//
// A move can be made when its destination has the memory now and no strict rule that holds breaks. Of a few moves every
// order is tried; of many, what can go, goes, in the order given, until nothing can. If moves are left then they wait for each other in a circle (a
// swap between two full hosts): one of them goes through a spare host, at the price of one more move. What no spare
// host takes stays where it is.
#ifndef BALLAST_DECIDE_PLAN_ORDER_H
#define BALLAST_DECIDE_PLAN_ORDER_H

#include "decide/plan_search.h"

// So many moves have at most 256 sets of moves made: a quarter of a millisecond where no order is found.
#define PLAN_ORDER_ALL 8

struct plan_target {
    uint32_t vm, to;
};

// The VMs that are not at home and where they are, in the order of their numbers, in the state's arena; returns how many.
uint32_t plan_displaced(const struct plan_state *state, struct plan_target **ret);

// Carries out as many of the n targets as it can from the state as it is, noting the steps; all hops count towards
// steps->capacity. target is used up (reordered). Returns how many targets were not reached. O(n x passes) for many, passes
// being few unless moves wait for each other.
uint32_t plan_order(struct plan_state *state, uint32_t n, struct plan_target *target,
                    struct plan_steps *steps);

// Sends VMs that the steps move more than once straight to where they are in the end, where an order can be found.
void plan_order_shorten(struct plan_state *state, struct plan_search *search, struct plan_steps *steps);

// Brings steps that must be (off a host in maintenance, mending a strict rule) forward past others, as far as each step
// can still be made when its turn comes. O(steps that must be x others before them).
void plan_order_must_first(struct plan_state *state, struct plan_steps *steps);

#endif
