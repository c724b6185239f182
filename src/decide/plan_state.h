// The planner's working copy of a cluster: who is where, sums per host, and what a change would do.
//
// Hosts and VMs are numbered in the bytewise order of their names, so that nothing depends on the order of
// the input; lists of a host's VMs are kept ascending and sums are added up anew after each change, so that
// equal assignments have equal sums however they were reached. Internal to plan, pack and place.
#ifndef BALLAST_DECIDE_PLAN_STATE_H
#define BALLAST_DECIDE_PLAN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "decide/entitlement.h"
#include "decide/plan.h"
#include "decide/rules.h"
#include "model/snapshot.h"

// Among destinations equal in loss the one with most room: a hundred-thousandth of a VM per second decides
// nothing else.
#define PLAN_ROOM_LOSS 1e-5
// With series: the part of the loss that is what is seen now; the rest is expected from the slots of the series. A
// contention that was not there before mostly passes within one slot of six in a horizon of half an hour.
#define PLAN_SERIES_NOW 0.3
// A series shorter than that says nothing of what all VMs have in common.
#define PLAN_TIDE_SLOTS 4
// Sums that differ by rounding alone are equal.
#define PLAN_ROUNDING 1e-9

struct plan_vm {
    uint32_t host, home;
    uint32_t next, previous; // in the host's list, ascending; SNAPSHOT_NONE at the ends
    bool fixed;              // may not be moved
    bool ruled;              // has a rule or a host that it cannot run on
    double cpu;              // demand in cores
    double cpu_want;         // at most the limit
    double mem_used;         // MiB
    double mem_want;         // with overhead, at most the limit
    double
        mem_bound;  // what the memory bound counts: used x (1 + growth), at least the reservation, + overhead
    double mem_max; // configured
    double weight;  // shares / mean shares
    double own_loss;         // lost per second even where there is plenty (a limit below the demand)
    double move_cost;        // lost VM-seconds of one migration at the cluster's usual bandwidth
    double cpu_var, mem_var; // of the demand
    struct level level;      // of the CPU demand
};

struct plan_host {
    double cpu_cap, mem_cap; // cores; MiB for VMs
    double mem_phys;         // MiB, for the balance measure
    double max_cap;          // bound on the sum of configured memory, HUGE_VAL without one
    double cpu, cpu_want, mem_used, mem_want, mem_bound, mem_max, own_loss;
    double cpu_var, mem_var;
    struct level level;            // sum over its VMs
    double weight;                 // of its VMs
    double cpu_load, mem_load;     // demand / capacity, as the balance measures take it
    double loss_now;               // lost by what is demanded now alone
    double loss;                   // lost VM-seconds per second of its VMs
    double start_bound, start_max; // sums before the plan
    uint32_t head, n_vms;
    uint32_t version; // grows with every change
    bool up;          // may be a destination
    bool empties;     // in maintenance
    bool counts;      // not down
};

// What a change is worth: first what must be, then the goal's objective.
struct plan_gain {
    int must;     // VMs got off hosts in maintenance, violations of strict rules mended
    double value; // lost VM-seconds saved, or the measure of imbalance lessened
    double rank;  // value, and a trifle for the room that the destination keeps: for comparing
};

struct plan_state {
    const struct snapshot *snapshot; // in canonical order
    uint32_t *input_vm, *input_host; // numbers in the caller's snapshot
    struct plan_settings settings;
    struct arena *arena; // for what a search takes
    uint32_t n_hosts, n_vms, n_up;
    struct plan_host *host;
    struct plan_vm *vm;
    uint32_t *where;        // where[v] == vm[v].host, what the rules look at
    uint32_t *home_version; // of each host when the plan began, with everybody at home
    struct rules *rules;
    double mean_shares, bandwidth_mib_s;             // of all; bandwidth: the usual one
    struct entitlement_claim *cpu_claim, *mem_claim; // per VM
    bool leveled;                                    // packs by levels
    double tide;         // demand of the last hour / sum of levels: what all VMs have in common
    uint32_t n_slots;    // of the series; 0: none
    float *series;       // per VM, slot by slot; the demand now where unknown
    double *host_series; // per host
    // balance: sums of the loads of hosts that are up, and the loads to aim at
    double cpu_sum, mem_sum;
    double cpu_target, mem_target;
    double value_per_loss; // factor from lost VM-seconds per second to plan_gain.value
    // scratch for dividing one host
    struct entitlement_claim *claim;
    double *grant, *satisfaction;
    void *scratch;
    uint32_t scratch_vms;
    bool light;           // plan_state_begin_light
    bool track_loss;      // keep host.loss: what a search for balance alone does not need
    uint32_t n_displaced; // VMs not at home
    // what memo_host gains when memo_vm leaves it, as long as its version is memo_version
    uint32_t memo_vm, memo_host, memo_version;
    double memo_gain;
    uint64_t evaluations;
    bool out_of_time;
};

// Sets up from a checked snapshot. Everything is allocated in arena. O(n log n).
struct plan_state *plan_state_new(const struct snapshot *snapshot, const struct plan_settings *settings,
                                  struct arena *arena);

// The same from a snapshot in canonical order (plan_canon.h), whose VMs and hosts have these numbers in the caller's.
struct plan_state *plan_state_of(const struct snapshot *canon, uint32_t *input_vm, uint32_t *input_host,
                                 const struct plan_settings *settings, struct arena *arena);

// For another plan: everybody is at home, which is where the snapshot says now, with the settings given. The VMs with
// changed[v] (canonical order) have other figures in the snapshot than before; all else in it but their hosts is as it
// was. The state is then what a new one would be, to the last bit. What the search takes comes from arena. False when
// the change concerns all: the state is to be made anew. O(VMs), the sums of hosts only where something changed.
bool plan_state_renew(struct plan_state *state, const struct plan_settings *settings, const bool *changed,
                      struct arena *arena);

// Moves v to host `to`. O(VMs of both hosts).
void plan_state_move(struct plan_state *state, uint32_t v, uint32_t to);

// Moves v in the lists alone: sums and losses of both hosts are out of date until plan_state_sum.
void plan_state_put(struct plan_state *state, uint32_t v, uint32_t to);

// Adds up host h anew. O(its VMs).
void plan_state_sum(struct plan_state *state, uint32_t h);

// From now on plan_state_move takes O(1) and keeps only what a search for balance needs: lists, losses and what VMs may
// get are not kept up to date, and sums only but for rounding. Ends when every VM is back where it was at the start.
void plan_state_begin_light(struct plan_state *state);
void plan_state_end_light(struct plan_state *state);

// Loss per second of host h without VM `without` and with VM `with` (SNAPSHOT_NONE: nobody).
double plan_host_loss(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with);

// Loss per second of host h if it had exactly the n VMs vm[], ascending.
double plan_set_loss(struct plan_state *state, uint32_t h, uint32_t n, const uint32_t *vm);

// The part of plan_host_loss that is lost by what is demanded now.
double plan_loss_now(struct plan_state *state, uint32_t h, uint32_t without, uint32_t with);

// What host h may be expected to lose with VM `with` in addition, as part of its VMs' weight, and (not NULL) whether
// what is demanded now fits.
double plan_expected_part(struct plan_state *state, uint32_t h, uint32_t with, bool *ret_fits_now);

// Whether host h loses more than is tolerated.
bool plan_is_needy(const struct plan_state *state, uint32_t h);

// Takes a host on standby as up, or back.
void plan_state_wake(struct plan_state *state, uint32_t h, bool up);

// Whether v may be moved to host `to` now: state, memory bound, overcommitment, host compatibility, strict rules.
bool plan_fits(const struct plan_state *state, uint32_t v, uint32_t to);

// Whether v, displaced, could be at home again in the end.
bool plan_fits_home(const struct plan_state *state, uint32_t v);

// Why plan_fits says no.
enum plan_obstacle {
    PLAN_OBSTACLE_NONE,
    PLAN_OBSTACLE_STATE,      // not up
    PLAN_OBSTACLE_CANNOT_RUN, // incompatible
    PLAN_OBSTACLE_MEMORY,
    PLAN_OBSTACLE_OVERCOMMIT,
    PLAN_OBSTACLE_BARRED, // left it lately
    PLAN_OBSTACLE_RULE,
};
#define PLAN_OBSTACLES (PLAN_OBSTACLE_RULE + 1)
enum plan_obstacle plan_obstacle(const struct plan_state *state, uint32_t v, uint32_t to);

// Gain of moving v to host `to`, that fits.
struct plan_gain plan_gain_of(struct plan_state *state, uint32_t v, uint32_t to);

static inline bool plan_gain_above(struct plan_gain a, struct plan_gain b)
{
    return a.must != b.must ? a.must > b.must : a.rank > b.rank;
}

// Room of host h with VM `with` in addition: the smaller free part of CPU and memory, below 0 when overloaded.
double plan_room(const struct plan_state *state, uint32_t h, uint32_t with);

// Whether time or work is up; asks the stop callback.
bool plan_is_over(struct plan_state *state);

#endif
