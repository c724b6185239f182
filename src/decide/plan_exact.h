// The best set of moves in a small cluster, by trying all.
#ifndef BALLAST_DECIDE_PLAN_EXACT_H
#define BALLAST_DECIDE_PLAN_EXACT_H

#include "decide/plan_order.h"

// VMs are bits of a mask.
#define PLAN_EXACT_VMS 64
#define PLAN_EXACT_HOSTS 16
// What one computed loss is worth of the work, in placements of a VM.
#define PLAN_EXACT_EVALUATION 16
// Work after which it gives up: some 30 ms. Ten VMs on five hosts need a tenth of it.
#define PLAN_EXACT_WORK 1000000

// What the horizon loses as the VMs are placed, and their moves from home.
double plan_exact_total(const struct plan_state *state);

// Tries the sets of at most `most` VMs away from home that lose less than `total`. Each better one found is given to
// take, which says what it loses with the way there, HUGE_VAL where there is none; it may move VMs. Returns whether all
// sets were tried within the work, so that nothing better exists. Losses alone are compared: with rules or hosts in
// maintenance it does nothing. Deterministic.
bool plan_exact(struct plan_state *state, uint32_t most, uint64_t work, double total,
                double (*take)(void *data, uint32_t n, const struct plan_target *target, double total),
                void *data);

#endif
