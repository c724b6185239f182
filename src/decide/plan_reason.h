// The reasons of moves, and why something stays: plain English.
#ifndef BALLAST_DECIDE_PLAN_REASON_H
#define BALLAST_DECIDE_PLAN_REASON_H

#include "decide/plan_state.h"

// Why v goes to host `to`; called before the move is made. pass_by: `to` is not where it ends.
const char *plan_reason_move(struct plan_state *state, uint32_t v, uint32_t to, bool passes_by,
                             struct arena *arena);

// Why v does not leave its host, though it should.
const char *plan_reason_stuck(struct plan_state *state, uint32_t v, bool out_of_moves, struct arena *arena);

// "3 lack memory, 1 cannot run it": how many hosts each obstacle concerns.
const char *plan_reason_obstacles(const uint32_t n[PLAN_OBSTACLES], struct arena *arena);

#endif
