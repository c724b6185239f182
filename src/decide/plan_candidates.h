// Where else a VM could have gone, what that would have cost and gained, and why it was not done.
#ifndef BALLAST_DECIDE_PLAN_CANDIDATES_H
#define BALLAST_DECIDE_PLAN_CANDIDATES_H

#include "decide/plan_search.h"

// For the move of step->vm, that has not been made yet: up to settings.candidates other destinations among those that
// the search looks at, possible ones first, then by benefit less cost. Their figures count this move alone.
void plan_candidates(struct plan_state *state, struct plan_search *search, const struct plan_step *step,
                     struct plan_move *move);

#endif
