// The score of where the planner has the VMs, kept per host.
#ifndef BALLAST_DECIDE_PLAN_SCORE_H
#define BALLAST_DECIDE_PLAN_SCORE_H

#include "decide/plan_state.h"
#include "decide/score.h"

struct plan_scores; // parts of the hosts as they were last looked at

// Allocated in arena; nothing is scored yet.
struct plan_scores *plan_scores_new(const struct plan_state *state, struct arena *arena);

// Scores the state as it is; hosts with woken[h] (NULL: none) count as up. O(hosts + VMs), and the division of the hosts
// that changed since they were scored last.
void plan_score(struct plan_scores *scores, const struct plan_state *state, const bool *woken,
                struct score *ret);

#endif
