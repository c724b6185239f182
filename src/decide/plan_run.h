// A plan on a state in which everybody is at home.
#ifndef BALLAST_DECIDE_PLAN_RUN_H
#define BALLAST_DECIDE_PLAN_RUN_H

#include "decide/plan_score.h"
#include "decide/plan_state.h"

// What the plan points to is allocated in the state's arena. The state is left at the end of the plan.
void plan_run(struct plan_state *state, struct plan_scores *scores, struct plan *ret);

#endif
