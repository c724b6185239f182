// The long-term balancer's loop: when to plan, what to order, which hosts to wake and to put to sleep.
//
// One host of the cluster runs it, under a lease. Every period, or at once when a host found no destination
// for a VM that must leave, it plans on the whole cluster (plan.h), and hands out the moves as orders. Hosts
// are packed slowly (a host must have been dispensable for a while) and unpacked at once.
#ifndef BALLAST_DECIDE_LONGTERM_H
#define BALLAST_DECIDE_LONGTERM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/timepoint.h"
#include "decide/plan.h"
#include "model/snapshot.h"

// A VM that moved so often within a day has no place that suits it; another move is no answer. Not so where the cluster as a whole
// was short within that day: where a shortage is least felt changes with the demands, no place is right for long, and only the
// price of moves (migration_cost.h) bounds them. (Bitbrains on 18 hosts: after a day of shortage nobody could be moved any more, and
// hosts stayed unequal for half a day in which the cluster had enough.)
#define LONGTERM_MOVES_A_DAY 6
// Packing waits until it has looked possible for that long: a dip in demand is shorter.
#define LONGTERM_PACK_AFTER_S 1200.0

// Expected loss that is no reason to move: three times what packing may cause, so that one does not undo the other.
#define LONGTERM_TOLERATED_LOSS 0.003

// The deeper search is paid for with time: in full once a minute, in part where plans follow each other faster. What one
// leaves the next goes on with, from where the VMs are then.
#define LONGTERM_DEPTH_S 60.0

struct longterm_settings {
    struct plan_settings plan; // goal PLAN_RELIEVE or PLAN_BALANCE; bounds for packing too
    double period_s;           // 300: between plans while nobody asks
    double urgent_gap_s;       // 10: least time between plans when a host asks
    bool consolidate;          // also pack, and let emptied hosts sleep
    double
        pack_after_s; // how long packing must have looked possible before it is done; not at the first plan
    double return_bar_s; // a VM does not return to a host that it left less than this ago: 3900
    double vm_rest_s;    // a VM that moved is left alone by packing for so long: 1800
};

// Every figure has a meaning of its own above; these are the values in brackets, consolidation off.
struct longterm_settings longterm_settings_default(void);

struct longterm_input {
    const struct snapshot *snapshot;
    const uint64_t *vm_id;   // stable identity of each VM of the snapshot; NULL: its number
    const uint64_t *host_id; // of each host; NULL: its number
    const bool *vm_busy;     // in an open claim or migration: not ordered again; NULL: none
    const uint32_t
        *vm_moves_24h; // moves of each VM in the last day, whoever ordered them; NULL: those seen here
    struct plan_series series; // aligned demand of the last hour (plan.h); optional
    bool lease_held;
    bool destination_wanted;  // a host reports that it found no destination
    bool (*stop)(void *data); // the search's time limit (plan.h); NULL: none
    void *stop_data;
};

enum longterm_outcome {
    LONGTERM_IDLE,      // not time yet
    LONGTERM_NO_LEASE,  // another host plans
    LONGTERM_SATISFIED, // planned: nothing to do
    LONGTERM_ORDERED,   // planned: moves or host actions below
};

struct longterm_output {
    enum longterm_outcome outcome;
    struct plan plan;   // valid until the next step; n_moves 0 where there is none
    const char *reason; // one line: why it planned, and what came of it; NULL when it did not
    double next_step_s; // after that many seconds at the latest it wants to be called again
};

struct longterm;

// settings NULL: the defaults. NULL when out of memory.
struct longterm *longterm_new(const struct longterm_settings *settings);
struct longterm *longterm_free(struct longterm *longterm);

// One step. Call it as often as convenient: it plans only when due. What has been moved, by whomever, it sees from
// where the VMs are. O(n log n) when it plans, else O(1).
void longterm_step(struct longterm *longterm, const struct longterm_input *in, struct mono now,
                   struct longterm_output *out);

#endif
