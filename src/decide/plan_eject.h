// Exchanges: one VM goes where there is no room for it, and what is in its way goes elsewhere.
#ifndef BALLAST_DECIDE_PLAN_EJECT_H
#define BALLAST_DECIDE_PLAN_EJECT_H

#include "decide/plan_search.h"

// VMs of a host that are tried as the first of a chain, those that want most of what it lacks first; and how long a
// chain may be. A VM of half a host meets a dozen small ones in its way.
#define PLAN_EJECT_TRIES 6
#define PLAN_EJECT_LENGTH 16

// Makes, for each host that loses in turn, the best chain that pays, and notes its steps, until there is none or about
// `work` evaluations are spent. Memory and strict rules hold at each step; the CPU of the host in the middle is
// overloaded while the chain runs. Returns whether anything was moved.
bool plan_eject(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                uint64_t work);

#endif
