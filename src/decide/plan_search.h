// Best-improvement search: one move after the other, best net benefit first.
#ifndef BALLAST_DECIDE_PLAN_SEARCH_H
#define BALLAST_DECIDE_PLAN_SEARCH_H

#include "decide/plan_state.h"

// A balance move must lessen the sum of squared loads (sd) or of absolute deviations (mad) by so much: less is
// not worth a migration (two hosts 1 % apart in load).
#define PLAN_BALANCE_LEAST_SD 1e-4
#define PLAN_BALANCE_LEAST_MAD 1e-3

struct plan_step {
    uint32_t vm, from, to;
};

// Steps in the order in which they were made and can be carried out.
struct plan_steps {
    uint32_t n, capacity;
    struct plan_step *at;
};

// Up to PLAN_SEARCH_ALL_HOSTS hosts all are candidates; beyond, so many of each of three orders. The wins of longer
// lists were below 1 %.
#define PLAN_SEARCH_ALL_HOSTS 12
#define PLAN_SEARCH_PER_ORDER 4
#define PLAN_SEARCH_ORDERS 3
#define PLAN_SEARCH_DESTINATIONS (PLAN_SEARCH_ALL_HOSTS + PLAN_SEARCH_ORDERS * PLAN_SEARCH_PER_ORDER)

struct plan_search; // heap of sources and orders of destinations

// Everything is allocated in the state's arena.
struct plan_search *plan_search_new(struct plan_state *state);

// Moves VMs as long as it pays and steps has room, and notes the steps. May be called again after the state was
// changed by others. Near linear in the moves made.
void plan_search_run(struct plan_search *search, struct plan_steps *steps);

// Destinations worth looking at for any VM, best guesses first: all hosts that are up in a small cluster, else the
// emptiest by CPU, memory and both. Returns how many; the array lasts until the next call.
uint32_t plan_search_destinations(struct plan_search *search, const uint32_t **ret_hosts);

// The best move of VM v among these destinations (all hosts when n is 0). SNAPSHOT_NONE when none is possible.
uint32_t plan_search_best(struct plan_state *state, uint32_t v, uint32_t n, const uint32_t *hosts,
                          struct plan_gain *ret);

// Moves VM v to host `to` and keeps the orders of destinations up to date.
void plan_search_move(struct plan_search *search, uint32_t v, uint32_t to);

// Tells that a host's sums changed.
void plan_search_touch(struct plan_search *search, uint32_t h);

// The same after a host came up or went: the orders of destinations hold those that are up.
void plan_search_resort(struct plan_search *search);

// Whether a gain is worth a move.
bool plan_gain_pays(const struct plan_state *state, struct plan_gain gain);

#endif
