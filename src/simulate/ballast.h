// ballast's own loops in the simulated world: what ballastd does on each host, with what a host would know.
// Shared by policy_ballast.c (the driver) and ballast_*.c (a file a loop).
//
// A loop sees its own host's VMs as measured and everything else as reported: rows are written when report.h says
// so, and are as old as that makes them. The long-term balancer knows the cluster from reported rows alone.
#ifndef BALLAST_SIMULATE_BALLAST_H
#define BALLAST_SIMULATE_BALLAST_H

#include "base/arena.h"
#include "base/timepoint.h"
#include "base/vector.h"
#include "decide/history.h"
#include "decide/immediate.h"
#include "decide/longterm.h"
#include "decide/memory_manager.h"
#include "decide/report.h"
#include "simulate/policy.h"

// Midnight UTC: the trace begins at the beginning of a day, for what has a daily cycle.
#define BALLAST_EPOCH_MS INT64_C(1299110400000)
// A host's loops look every sample_s for so long after something was wrong there; else once a slot.
#define BALLAST_ALERT_MS 600000
// An order of the long-term balancer that could not begin for so long is dropped: the next plan knows better.
#define BALLAST_ORDER_MOST_MS 300000
// Migrations that one host carries at a time where they share its network.
#define BALLAST_PARALLEL 2

struct ballast_vm {
    struct history history;
    struct history_series series; // of the history; travels with the VM's row
    int64_t series_ms;            // when it was made
    double moves_1h;              // decaying count at moves_ms
    int64_t moves_ms;
    int64_t move_ms[8]; // the last ones, for the count of a day
    uint32_t n_moves;
    struct push_left_at {
        uint32_t host;
        int64_t at_ms;
    } left[PUSH_LEFT]; // ring
    uint32_t n_left;
    double unmet_mib;   // what the memory manager cannot give it
    double swapped_mib; // in and out again, ever
    int64_t swapped_ms; // counted up to then
    bool distress;
};

struct ballast_host {
    struct memory_manager *memory;
    struct immediate *immediate;
    int64_t alert_ms;     // last time something was wrong here
    int64_t memory_ms;    // when the memory manager wants to be called
    int64_t immediate_ms; // last step
    bool busy;            // one of its own moves is under way
    bool wants_sleep;
    struct loss_sum sum; // from reported rows; valid in the tick sum_ms
    struct history_series series;
    int64_t series_ms; // when series was made
};

struct ballast_order { // of the long-term balancer, not begun yet
    uint32_t vm, to;
    int64_t at_ms;
};

DEFINE_VECTOR(ballast_orders, struct ballast_order);

struct ballast {
    struct world *world;
    const struct view *view;
    const struct scenario *scenario;
    bool use_immediate, use_longterm, use_memory;
    uint64_t seed;
    struct arena *arena; // what lives as long as the policy
    struct ballast_vm *vm;
    struct ballast_host *host;
    struct report_vm *report; // of each VM
    struct longterm *longterm;
    struct ballast_orders orders;
    bool destination_wanted;
    int64_t now_ms, before_ms; // this tick and the one before
    bool planned;              // ever
    int64_t planned_ms;        // the last time
    int64_t longterm_ms;       // when the long-term balancer wants to be called
    bool began;
    // scratch
    struct report_vm *report_of_host;
    uint32_t *report_index;
    double *report_scratch;
    struct immediate_vm *immediate_vm;
    struct immediate_host *immediate_host;
    struct memory_vm_input *memory_vm;
    uint32_t *known_vm, *vm_of_snapshot;
};

static inline struct mono ballast_mono(const struct ballast *b)
{
    return (struct mono){b->now_ms};
}

// A move that begins: counts and memory of where the VM was.
void ballast_note_move(struct ballast *b, uint32_t vm, uint32_t from);

// The decaying count of migrations of a VM as decide is told: such that its 1 + n^2 becomes the scenario's shape.
double ballast_count(const struct ballast *b, uint32_t vm);

// Moves of the VM in the last day, whoever ordered them.
uint32_t ballast_moves_24h(const struct ballast *b, uint32_t vm);

// The memory manager of host h, if due. Sets balloons.
void ballast_memory_step(struct ballast *b, uint32_t h);

// The immediate balancer of host h. Orders at most one move.
void ballast_immediate_step(struct ballast *b, uint32_t h);

// The long-term balancer, if due; and the orders that wait.
int ballast_longterm_new(struct ballast *b, struct error *err);
void ballast_longterm_step(struct ballast *b);
void ballast_orders_step(struct ballast *b);

#endif
