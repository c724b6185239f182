// The loss that a snapshot lets expect: score.h's beside what is seen now.
#ifndef BALLAST_DECIDE_SCORE_EXPECTED_H
#define BALLAST_DECIDE_SCORE_EXPECTED_H

#include <stdint.h>

#include "base/arena.h"
#include "model/snapshot.h"

// Expected loss rate of host h with the n VMs vm[], in shares: the caller divides by the mean shares. 0 where the
// demands fit and are certain. Uses scratch for O(n) bytes there where they do not. O(n), O(n log n) when short.
double score_expected_host(const struct snapshot *snapshot, uint32_t h, uint32_t n, const uint32_t *vm,
                           struct arena *scratch);

#endif
