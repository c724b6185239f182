// Consolidation: empties hosts so that they can sleep.
#ifndef BALLAST_DECIDE_PACK_H
#define BALLAST_DECIDE_PACK_H

#include "decide/plan_search.h"

// Empties hosts as far as the settings allow, noting the steps: a host is emptied whole or not at all. emptied (n_hosts
// entries, by number in the state) is set for each host that was. Returns how many.
uint32_t pack_run(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                  bool *emptied);

#endif
