// One host's own decision: which of its VMs goes where, or nothing, and why.
//
// Theory: rent or buy. Bearing a contention costs its loss as it accrues (rent); a migration costs once (buy): its own
// cost and the loss that goes on until it is done. A move is taken when the accrued loss that it would have spared has
// reached that price: the rule whose worst case is about twice a prophet's loss where buying is immediate (Karlin et al.,
// "Competitive snoopy caching", 1988). Here the worst case is higher, for spikes are waited out and the loss goes on
// while a move is under way; bench/rent measures how much.
// In other words the benefit is counted over what the
// contention has already lasted (at most an hour), which is all that is known of how long it will last.
//
//     horizon = min(lasted, accrued / loss now)    the time that the present loss has effectively lasted
//     benefit = relief x (horizon - duration) + aftermath x (an hour - horizon)
//
// A VM stays where it arrives, also after the contention: where the last hour says that it would lose more at the
// destination than here, that loss (aftermath, <= 0) counts for the rest of an hour. That keeps hosts that are busy in
// turns from exchanging VMs. So do preferred rules that are not met there (rules.h); strict ones are no candidates at all.
//
// VMs that have all that they want stay as long as one that does not can go. The destination must hold the VM's demand
// x (1 + growth) besides its own and all that is on its way there. Where no allowed host has that much, one that has the
// memory and is not full of CPU demand will do, if the relief pays after what is lost there: in a cluster that is nearly
// full the least bad place is better than none. Among destinations that are nearly best, the one with
// the most room; between equals a random one, lest many hosts choose the same.
#ifndef BALLAST_DECIDE_PUSH_H
#define BALLAST_DECIDE_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "decide/loss.h"
#include "decide/migration_cost.h"

#define PUSH_GROWTH 0.10           // room that a destination must have beyond the VM's demand
#define PUSH_HORIZON_MOST_S 3600.0 // longest time over which a benefit is counted
#define PUSH_CRITICAL_S 120.0      // distress does not pass by itself sooner
#define PUSH_SATISFIED 0.98        // from here on a VM has what it wants
#define PUSH_NEAR_BEST 0.10        // net benefits that differ by less are as good
#define PUSH_EQUAL_ROOM 0.02       // rooms (part of capacity) that differ by less are equal
#define PUSH_RELIEF_LEAST 0.02     // a move that relieves less of the contention is no answer to it
#define PUSH_CANDIDATES 16         // kept as reasons
#define PUSH_LEFT 8                // hosts a VM has left lately

// A host that a VM has left.
struct push_left {
    uint64_t host;
    double ago_s;
};

// One of the host's own VMs. All pointers are borrowed for the call.
struct push_vm {
    uint64_t id;
    const char *name;                    // for ties, bytewise
    struct loss_vm loss;                 // what it wants now
    const struct history_series *series; // its last hour, NULL: unknown
    double satisfaction;                 // measured now, [0, 1]
    struct migration_subject migration;  // left_destination_s is found from left[]
    struct push_left left[PUSH_LEFT];
    uint32_t n_left;
    bool movable;              // false: pinned, excluded, managed by others, in an open claim
    const uint8_t *may_run_on; // per host of the input, 0: never there; NULL: everywhere
    const int8_t *
        broken_preferences; // per host: preferred rules that its going there breaks less those it mends; NULL
};

// Another host, as its row says.
struct push_host {
    uint64_t id;
    const char *name;
    bool open; // up, takes VMs, not closed by itself, its row is fresh enough, budget left
    struct loss_capacity capacity;
    struct loss_sum sum;                 // its VMs
    double coming[LOSS_RESOURCES];       // demand of what is on its way there
    const struct history_series *series; // the last hour of its sum, NULL: unknown
    double bandwidth_mib_s;              // that a migration there would get
};

struct push_input {
    struct loss_capacity capacity;       // this host's
    const struct history_series *series; // the last hour of its sum, NULL: unknown
    size_t n_vms;
    const struct push_vm *vm;
    size_t n_hosts;
    const struct push_host *host;
    double accrued_lost_vm_s; // loss accrued in this contention
    double lasted_s;          // how long it has lasted
    double loss_per_s;        // measured now
    double bandwidth_mib_s;   // of this host for a migration
    double growth;            // PUSH_GROWTH unless configured
    bool critical;            // somebody is in distress: the horizon is at least PUSH_CRITICAL_S
    const struct migration_calibration *calibration; // may be NULL
};

enum push_verdict {
    PUSH_MOVE,            // take it
    PUSH_NO_LOSS,         // nobody lacks anything here
    PUSH_NOTHING_MOVABLE, // those who lack something cannot go, nor can others
    PUSH_NO_DESTINATION,  // no host could hold any candidate
    PUSH_NO_RELIEF,       // no move relieves the contention noticeably
    PUSH_NOT_WORTH,       // the best move costs more than it brings
    PUSH_WAIT,            // the loss accrued has not reached the cost of a move yet
};

// A move that was considered.
struct push_candidate {
    uint32_t vm, host;               // indices into the input
    const char *vm_name, *host_name; // borrowed from the input
    double relief_per_s;             // lost VM-seconds per second less, both hosts together
    double aftermath_per_s;   // <= 0: what the last hour says the VM loses more there; then preferences
    double benefit_lost_vm_s; // over the horizon
    struct migration_cost cost;
    double room;               // least free part of the destination afterwards
    int broken_preferences;    // less those that it mends
    enum push_verdict verdict; // why not (or PUSH_MOVE)
};

struct push_decision {
    enum push_verdict verdict;
    struct push_candidate chosen;    // for PUSH_MOVE; for PUSH_WAIT and PUSH_NOT_WORTH the best one
    double loss_per_s;               // this host's, at the demands given
    double wait_s;                   // PUSH_WAIT: seconds until the rent reaches the cost at the present rate
    uint32_t n_considered;           // all (VM, host) pairs that were looked at
    uint32_t n_no_room, n_forbidden; // pairs that fell out for that
    uint32_t n_candidates;
    struct push_candidate candidate[PUSH_CANDIDATES]; // the best ones, best first
};

// Bytes of scratch for so many VMs and hosts.
size_t push_scratch_bytes(size_t n_vms, size_t n_hosts);

// Decides. r: for ties; same seed and input give the same answer. scratch: aligned as malloc does.
// O(n_vms^2 log n_vms + n_vms x n_hosts), no allocation.
void push_decide(const struct push_input *in, struct random *r, void *scratch, struct push_decision *ret);

// Stable short name of a verdict ("no-destination").
const char *push_verdict_name(enum push_verdict verdict);

// One sentence for a person, while the names live; text is always terminated. Returns text.
char *push_explain(const struct push_decision *decision, char *text, size_t size);

#endif
