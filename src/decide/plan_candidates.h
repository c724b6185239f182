// Where else a VM could have gone, what that would have cost and gained, and why it was not done.
#ifndef BALLAST_DECIDE_PLAN_CANDIDATES_H
#define BALLAST_DECIDE_PLAN_CANDIDATES_H

#include "decide/plan_search.h"

// For the move of step->vm, that has not been made yet: up to settings.candidates other destinations among those that
// the search looks at, possible ones first, then by benefit less cost. Their figures count this move alone.
void plan_candidates(struct plan_state *state, struct plan_search *search, const struct plan_step *step,
                     struct plan_move *move);

// Fills n_losing, n_unmet and unmet of a plan: of the settings.unmet hosts that lose most in the state as it is, which
// moves to the destinations that the search looks at were considered, the best of them, and what refused it. O(hosts),
// then the VMs of those hosts times the destinations.
void plan_unmet(struct plan_state *state, struct plan_search *search, bool out_of_moves, struct plan *ret);

#endif
