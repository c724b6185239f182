// The long-term planner: which VMs to move where, in which order, and why.
//
// Hosts in maintenance are emptied and broken strict rules mended first; then the goal. A plan is a sequence
// of moves each of which can be carried out when its turn comes: the destination has the memory (with what
// it holds, and the VM counted on both hosts while it travels) and no strict rule that held is broken.
// Where direct moves would block each other, one goes through a spare host, and counts twice.
// Equal snapshots give equal plans whatever the order of their hosts and VMs; ties go to the VM's name, then
// the destination's, bytewise.
#ifndef BALLAST_DECIDE_PLAN_H
#define BALLAST_DECIDE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "decide/level.h"
#include "decide/score.h"
#include "model/snapshot.h"

enum plan_goal {
    PLAN_RELIEVE, // only moves that prevent more loss within the horizon than they cost
    PLAN_BALANCE, // also evens out what is satisfied already
    PLAN_PACK,    // empties hosts without creating expected loss
};

enum plan_balance {
    PLAN_BALANCE_BOTH,
    PLAN_BALANCE_CPU,
    PLAN_BALANCE_MEM,
};

enum plan_measure {
    PLAN_MEASURE_SD,  // standard deviation of demand / capacity
    PLAN_MEASURE_MAD, // mean absolute deviation from total demand / total capacity
};

#define PLAN_UNLIMITED UINT32_MAX
// What a contention that is seen now is taken to last: half an hour, as DRS does with its 5-minute samples
// and stable load; at most an hour is ever justified by an hour of history.
#define PLAN_HORIZON_S 1800.0
// A guest's used memory grows while it travels and after: this part more must fit at the destination.
#define PLAN_MEM_GROWTH 0.1
// A packed host is filled with CPU demand to at most this part of its cores where no history tells how its
// VMs' demands move together.
#define PLAN_PACK_CPU_FILL 0.85
// With series: packing may make a host expect to lose this part of its VMs' time.
#define PLAN_PACK_EXPECTED_LOSS 0.001

// Demand of every VM in the past, aligned in time, so that sums over VMs are what a host would have seen.
struct plan_series {
    uint32_t n_slots;       // 0: none
    const float *cpu_cores; // cpu_cores[v * n_slots + slot], oldest first; NAN where nothing is known
    // The level of each VM (covered_s 0: taken from the demand now); NULL: packing goes by the slots. With levels
    // PLAN_PACK keeps the number of hosts by expected overloads (pack_level.h).
    const struct level *level;
    double age_s; // how old the demands of the snapshot are; with levels
};

struct plan_settings {
    enum plan_goal goal;
    enum plan_balance balance; // for PLAN_BALANCE
    enum plan_measure measure; // for PLAN_BALANCE
    uint32_t max_moves;        // every hop counts; PLAN_UNLIMITED
    double
        mem_overcommit; // sum of mem_mib <= this x (mem_mib - mem_reserved_mib) on a destination; 0: no bound
    double mem_growth;
    double horizon_s;
    uint32_t reserve_hosts; // PLAN_PACK: hosts to leave on and empty beyond what is needed
    double pack_cpu_fill;   // PLAN_PACK without series: highest planned demand / cores
    double
        pack_expected_loss; // PLAN_PACK with series or sd: part of its VMs' time that a host may be expected to lose
    bool host_actions; // PLAN_PACK: propose sleep for emptied hosts; any goal: wake standby hosts if needed
    double depth; // 0 .. 1: part of the work of the deeper search that follows single moves in small clusters
    uint64_t work_limit;      // candidate evaluations, about; 0: no limit. Deterministic
    bool (*stop)(void *data); // asked now and then whether time is up; NULL: never. What was found is given
    void *stop_data;
    const bool *hold; // per VM: is not to be moved now (in flight, cooling down); NULL: none
    const bool *keep; // per VM: packing leaves it where it is; NULL: none
    // Whether VM vm is not to go to that host now (it left it lately); NULL: never.
    bool (*barred)(void *data, uint32_t vm, uint32_t host);
    void *barred_data;
    // Hosts whose VMs lose no more than this part are left alone: what packing has accepted, relieving does not undo.
    double tolerated_loss;
    uint32_t candidates;   // so many other destinations are told of each move
    uint32_t unmet;        // of so many hosts that still lose, most first, it is told why no more was done
    bool pack_anew;        // PLAN_PACK with levels: choose all hosts anew, not one more or one less
    bool pack_fewer;       // PLAN_PACK with levels: a host may be emptied
    uint32_t most_emptied; // PLAN_PACK: at most so many hosts in one plan; 0: no bound
    struct plan_series series; // optional
};

// The defaults of the plan verb: relieve, everything unlimited.
struct plan_settings plan_settings_default(void);

// Another destination of a move.
struct plan_candidate {
    uint32_t host;
    bool possible;
    double benefit_lost_vm_s, cost_lost_vm_s; // of going there instead, all else being the same
    const char *why_not;
};

struct plan_move {
    uint32_t vm, from, to;
    double benefit_lost_vm_s; // loss that it prevents within the horizon, all VMs concerned
    double cost_lost_vm_s;    // what the migration itself costs
    double duration_s;
    double downtime_s;
    const char *reason; // one line of plain English
    uint32_t n_candidates;
    struct plan_candidate *candidates; // other destinations, best first
};

struct plan_stuck {
    uint32_t vm, host;
    const char *reason;
};

// Why a host still loses after the plan.
enum plan_refusal {
    PLAN_REFUSED_MOVES_USED_UP,
    PLAN_REFUSED_TIME_IS_UP,
    PLAN_REFUSED_GOAL,        // a move would pay, but not for this goal or after the plan's other moves
    PLAN_REFUSED_OWN_LIMITS,  // the VMs' own limits withhold it, wherever they are
    PLAN_REFUSED_TOLERATED,   // what packing accepted
    PLAN_REFUSED_NOT_MOVABLE, // none of its VMs may be moved
    PLAN_REFUSED_NO_HOST,     // no other host can take any of them
    PLAN_REFUSED_NO_GAIN,     // no move would lessen what is lost
    PLAN_REFUSED_COSTS_MORE,  // the best would cost more than it prevents
};
#define PLAN_REFUSALS (PLAN_REFUSED_COSTS_MORE + 1)

struct plan_unmet {
    uint32_t host;
    double lost_vm_s_per_s; // by its VMs, after the plan
    enum plan_refusal refusal;
    uint32_t n_moves, n_impossible; // considered: VMs to destinations; of them those that a condition forbids
    uint32_t vm, to;                // the best of the others; SNAPSHOT_NONE: none
    double benefit_lost_vm_s, cost_lost_vm_s; // of it
    const char *reason;
};

// A refusal as programs read it: "costs_more".
const char *plan_refusal_name(enum plan_refusal refusal);

struct plan_host_action {
    uint32_t host;
    bool wake;           // else sleep
    uint32_t after_move; // number of moves that come before it
};

struct plan {
    uint32_t n_moves;
    struct plan_move *moves;
    uint32_t n_stuck;
    struct plan_stuck *stuck; // what should leave its host and cannot
    uint32_t n_losing;        // hosts that still lose
    uint32_t n_unmet;
    struct plan_unmet *unmet; // the worst of them
    uint32_t n_host_actions;
    struct plan_host_action *host_actions;
    uint32_t hosts_emptied; // by packing
    struct score before, after;
    uint64_t evaluations; // candidates evaluated
    bool stopped;         // the stop callback or the work limit ended the search early
    uint32_t
        vms_loaded;    // VMs whose figures were taken from the snapshot: all, but by a planner that kept them
    uint32_t *vm_host; // where each VM is after the plan
};

// Plans on a checked snapshot. Everything the plan points to is allocated in arena. O(n log n) to set up,
// then near linear in the moves made.
void plan_make(const struct snapshot *snapshot, const struct plan_settings *settings, struct arena *arena,
               struct plan *ret);

#endif
