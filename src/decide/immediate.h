// The immediate balancer's loop: one for each host, for that host's own VMs.
//
// Step by step (at any period; only elapsed time counts) it measures the loss of its VMs, accrues it while a contention
// lasts, and asks push.h for the move that this justifies. One move at a time.
//
// A contention has a memory: accrued loss and contended time both decay with a half-life of IMMEDIATE_MEMORY_S while
// nothing is lost. So a spike is forgotten, while spikes that come again and again add up to a contention.
// A VM that goes takes its part of both along. Nothing moves for a contention younger than IMMEDIATE_SPIKE_S, except under critical distress.
//
// After a move (done or failed) the host waits until its effect can be seen: a cool-down of twice the move's duration, at
// least IMMEDIATE_COOL_S; after a failure doubled with each one in a row. While the long-term balancer plans the
// loop holds back. Critical distress overrides cool-down after success, spike and hold-back.
#ifndef BALLAST_DECIDE_IMMEDIATE_H
#define BALLAST_DECIDE_IMMEDIATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/timepoint.h"
#include "decide/history.h"
#include "decide/loss.h"
#include "decide/migration_cost.h"
#include "decide/push.h"

#define IMMEDIATE_SPIKE_S 15.0    // contended time below which a contention is a spike
#define IMMEDIATE_FRESH_S 5.5     // contention without a break, so that others' rows show the same moment
#define IMMEDIATE_MEMORY_S 120.0  // half-life of accrued loss and contended time while calm
#define IMMEDIATE_LOSS_LEAST 0.01 // weighted loss per second of the host that counts as contention
#define IMMEDIATE_COOL_S 10.0
#define IMMEDIATE_COOL_MOST_S 1800.0
#define IMMEDIATE_HOLD_BACK_MOST_S 60.0 // the long-term balancer is not waited for longer
#define IMMEDIATE_ROW_AGE_MOST_S                                                                             \
    60.0 // a host whose row is older is no destination (driver: allow its heartbeat)
// Own figures older than that say nothing of the present contention: it may be over.
#define IMMEDIATE_OWN_AGE_MOST_S 60.0
#define IMMEDIATE_NO_DESTINATION_S 60.0 // the signal is not repeated sooner
#define IMMEDIATE_CRITICAL 0.3          // satisfaction of a VM in distress ...
#define IMMEDIATE_CRITICAL_S 30.0       // ... for so long: critical
#define IMMEDIATE_DISTRESS_S 5.0        // so is a guest that misses memory and is in distress for so long

// One of the host's own VMs now. Zeroed optional figures are sensible.
struct immediate_vm {
    uint64_t id;
    const char *name;
    uint32_t vcpus;
    double cpu_demand_cores;    // demand.h, with headroom
    double cpu_delivered_cores; // what it got of that (demand.h: delivered_cores)
    double cpu_limit_cores;     // vcpus when it has none
    double cpu_reservation_cores;
    double cpu_shares;
    double cpu_sd_cores;    // 0: taken from the history
    double mem_used_mib;    // usedmem: what the guest needs
    double mem_missing_mib; // of that: what this host cannot give it (the memory manager's unmet demand)
    double mem_overhead_mib;
    double mem_resident_mib; // actualmem: what a migration has to send
    double mem_limit_mib;    // the most it may have
    double mem_reservation_mib;
    double mem_shares;
    double mem_sd_mib;
    double shares; // weight is shares / mean_shares of the cluster
    double dirty_mib_s;
    double local_disk_mib;
    double migrations_1h;  // decaying count
    double migrations_24h; // in the last day
    bool movable;
    bool distress; // the memory manager says so: swapping in, usable collapsing, autodeflation
    struct push_left left[PUSH_LEFT]; // hosts that it left within the last hours
    uint32_t n_left;
    const uint8_t *may_run_on;        // per other host in the input; NULL: everywhere
    const int8_t *broken_preferences; // likewise, see push.h
    const struct history *history;    // NULL: none
};

// Another host's row.
struct immediate_host {
    uint64_t id;
    const char *name;
    double age_s;            // of the row
    bool open;               // takes VMs: up, not closed, mode and budget allow it
    double cpu_cores;        // capacity (demand_host_capacity_cores)
    double mem_mib;          // for VMs
    struct loss_sum sum;     // over its VMs; use immediate_loss_vm() and loss_sum_add() to build it
    double coming_cpu_cores; // VMs on their way there (open claims)
    double coming_mem_mib;
    double bandwidth_mib_s;
    const struct history_series *series; // last hour of its sum; NULL: unknown
};

struct immediate_input {
    double cpu_cores; // this host's capacity
    double mem_mib;
    double bandwidth_mib_s;
    double mean_shares; // of the cluster's VMs, > 0
    size_t n_vms;
    const struct immediate_vm *vm;
    size_t n_hosts;
    const struct immediate_host *host; // all others
    bool long_term_planning;           // hold back
    double planned_ago_s; // since the long-term balancer planned last on all there is; 0: never, or not known
    bool move_running;    // one of this host's moves is under way
    double growth;        // 0: PUSH_GROWTH
    double age_s; // of the own VMs' figures: beyond IMMEDIATE_OWN_AGE_MOST_S nothing is decided on them
    const struct migration_calibration *calibration; // may be NULL
};

enum immediate_verdict {
    IMMEDIATE_MOVE,
    IMMEDIATE_CALM,           // nobody loses anything
    IMMEDIATE_SPIKE,          // loss, but the contention is too young
    IMMEDIATE_WAIT,           // renting is cheaper still
    IMMEDIATE_NOT_WORTH,      // no move brings more than it costs
    IMMEDIATE_NO_DESTINATION, // nobody can take any candidate
    IMMEDIATE_NOTHING_MOVABLE,
    IMMEDIATE_BUSY,      // a move is under way
    IMMEDIATE_COOLING,   // after a move
    IMMEDIATE_HELD_BACK, // the long-term balancer plans
    IMMEDIATE_STALE,     // the own figures are too old: what they show may be over
};

struct immediate_output {
    enum immediate_verdict verdict;
    uint64_t vm, host; // IMMEDIATE_MOVE: ids
    uint32_t vm_index, host_index;
    double benefit_lost_vm_s, cost_lost_vm_s, duration_s, downtime_s;
    bool critical;
    bool wake_long_term;      // no destination found: the long-term balancer should look
    double loss_per_s;        // measured, this step
    double accrued_lost_vm_s; // in this contention
    double lasted_s;
    double expected_loss_per_s; // the larger of measured and modelled from present demand and its uncertainty
    bool asked;                 // push was asked; decision below is valid
    struct push_decision decision; // candidates and reasons
};

struct immediate;

// A loop's state for at most so many VMs and other hosts at a time (more are ignored, largest index first); all
// memory is taken from the arena now, steps allocate nothing. seed: ties.
struct immediate *immediate_new(struct arena *arena, size_t most_vms, size_t most_hosts, uint64_t seed);

// One step. now never goes back.
void immediate_step(struct immediate *state, const struct immediate_input *in, struct mono now,
                    struct immediate_output *out);

// What became of an order. The driver calls it once for each IMMEDIATE_MOVE that ended (or was refused).
enum immediate_outcome { IMMEDIATE_DONE, IMMEDIATE_REFUSED, IMMEDIATE_FAILED };
void immediate_report(struct immediate *state, uint64_t vm, enum immediate_outcome outcome, double duration_s,
                      struct mono now);

// What loss.h needs of a VM, weight for starved_s included; also for other hosts' sums.
struct loss_vm immediate_loss_vm(const struct immediate_vm *vm, double mean_shares, double starved_s);

// Seconds that the VM has starved (satisfaction below LOSS_STARVED_BELOW), 0 for unknown ones.
double immediate_starved_s(const struct immediate *state, uint64_t vm);

// Satisfaction of the VM as measured now, [0, 1].
double immediate_satisfaction(const struct immediate_vm *vm);

const char *immediate_verdict_name(enum immediate_verdict verdict);

// One sentence for a person. Returns text.
char *immediate_explain(const struct immediate_output *out, char *text, size_t size);

#endif
