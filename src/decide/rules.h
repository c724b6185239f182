// Placement rules: which VMs must or should be apart, together, on or off hosts, and what a move does to them.
//
// A rule has a violation count: 0 when it holds, else the least number of VMs that would have to move.
//   apart     sum over domains of (members there - 1), where that is positive
//   together  members outside the domain that has most of them
//   on, off   members outside, inside the named hosts (or their zones)
// A domain is a host, or a zone where the rule says so. A step of a plan may raise the count of no strict
// rule; so what held, holds, and what is broken never gets worse. VMs on a host that is down do not count.
#ifndef BALLAST_DECIDE_RULES_H
#define BALLAST_DECIDE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/snapshot.h"

// Whether strict rules contradict each other: together and apart for one pair, on and off (with
// cannot_run_on) leaving no host, apart for more VMs than there are domains. 0, or -1 with ERROR_INPUT and
// a text that names the place and the cure: /rules/2: ... . scratch is used and not given back.
int rules_check(const struct snapshot *snapshot, struct arena *scratch, struct error *err);

// As rules_check for a live cluster: each strict rule that contradicts an earlier one becomes a preference
// in the snapshot. Writes their numbers to ret_relaxed (n_rules entries) and returns how many.
uint32_t rules_relax(struct snapshot *snapshot, struct arena *scratch, uint32_t *ret_relaxed);

// A preference that is not met counts as that much loss per second, in VMs of mean weight: worth a move that
// costs a few VM-seconds, never worth making a VM suffer by more than 1 %.
#define RULES_PREFERENCE_LOSS 0.01

struct rules;

// Compiles the snapshot's rules for looking up. host[v] is where VM v is: the caller keeps it up to date
// and it lives as long as the rules do. Everything is allocated in arena.
struct rules *rules_compile(const struct snapshot *snapshot, const uint32_t *host, struct arena *arena);

// What a move would do to the violation counts.
struct rules_effect {
    int strict_worse;  // sum of increases over strict rules: a step with any is forbidden
    int strict_better; // sum of decreases over strict rules
    int preferred;     // sum of changes over preferred rules
    uint32_t worst;    // a strict rule that got worse, or SNAPSHOT_NONE
};

// Effect of moving VM v from host[v] to host `to`. O(sum of the squares of the sizes of v's rules up to 32 members),
// O(1) for each larger apart, O(hosts) for each larger together.
struct rules_effect rules_move_effect(const struct rules *rules, uint32_t v, uint32_t to);

// Whether VM v has any rule at all. O(1).
bool rules_concern(const struct rules *rules, uint32_t v);

// Tells that VM v went from host `from` to host[v]; call after changing host[v].
void rules_moved(struct rules *rules, uint32_t v, uint32_t from);

// Violation count of rule r now. O(size of the rule).
uint32_t rules_violation(const struct rules *rules, uint32_t r);

// Sum of the violation counts of the strict (or preferred) rules.
uint32_t rules_violations(const struct rules *rules, bool strict);

// "apart (strict) for v1, v2": for reasons and messages.
const char *rules_describe(const struct snapshot *snapshot, uint32_t r, struct arena *arena);

#endif
