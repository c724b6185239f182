// How short of memory a host is, in four states as in ESX (Waldspurger, OSDI 2002, section 6.3), with
// hysteresis.
//
//   high   enough: the fence opens with what there is, and every balloon is let go at one and a half times high
//   soft   idle memory is taken, as much as brings the host back to high; growth is promised twice over
//   hard   the fence: no guest can grow into what is not there; under overload, division by entitlement
//   low    as hard, without delay, without dead band, and nothing is lent
//
// The state follows what will be available after the reaction time if memory goes on being used up as fast
// as now, so need is noticed before it is there. Pressure stall and swap-in of the host count as one state
// worse, since MemAvailable flatters a host that has swap.
#ifndef BALLAST_DECIDE_MEMORY_STATE_H
#define BALLAST_DECIDE_MEMORY_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timepoint.h"

enum memory_host_state {
    MEMORY_HIGH = 0,
    MEMORY_SOFT,
    MEMORY_HARD,
    MEMORY_LOW,
};

#define MEMORY_N_STATES 4

// From a burst to memory freed for it: a sample every 250 to 500 ms, a request answered in 0.1 to 0.3 s, and a
// balloon takes 150 MiB in a second. More would take bursts for trends: 100 MiB are faulted in within 1.5 s.
#define MEMORY_REACTION_MS 2000

// A better state is entered only when its threshold has been exceeded by a quarter, and for this long.
#define MEMORY_BETTER_PERMILLE 1250
#define MEMORY_BETTER_AFTER_MS 1000

// Pressure (some, avg10) from which a host counts as one state worse. Below that, single reads of dropped
// program text show.
#define MEMORY_PRESSURE_PCT 10.0

// Swap-in of the host from which it counts as one state worse: 1 MiB/s.
#define MEMORY_SWAP_IN_KIB_S 1024.0

// Available memory below which the host leaves a state, in KiB.
struct memory_thresholds {
    uint64_t high_kib;    // below: soft
    uint64_t soft_kib;    // below: hard
    uint64_t low_kib;     // below: low
    uint64_t reserve_kib; // what is to be left available when all are short
};

// high is 25 % of the first 4 GiB, 12.5 % of the next 12, 3 % of the rest: what guests can fault in within the
// reaction time grows with cores, not with memory (ESX scales its minFree in the same way). soft is half
// of it, the reserve 12 % of it (3 % of a small host: with the fence nothing but the
// host's own processes can use it up), low half the reserve. reserve_kib 0: that rule; else as given.
struct memory_thresholds memory_thresholds(uint64_t total_kib, uint64_t reserve_kib);

struct memory_pressure {
    uint64_t available_kib;
    bool psi_known;
    double psi_some_avg10_pct;
    uint64_t swap_in_kib; // cumulative
};

struct memory_state {
    enum memory_host_state state;
    double falling_kib_s;  // how fast available memory is being used up, smoothed; >= 0
    uint64_t expected_kib; // available after the reaction time at that rate
    bool pressed;          // by stall or swap-in
    // private
    bool started;
    struct mono at, better_since;
    bool better_pending;
    uint64_t last_available_kib, last_swap_in_kib;
};

// Takes one sample; now must not go back. O(1).
void memory_state_step(struct memory_state *state, const struct memory_thresholds *thresholds,
                       const struct memory_pressure *pressure, struct mono now);

// "high", "soft", "hard", "low".
const char *memory_state_name(enum memory_host_state state);

#endif
