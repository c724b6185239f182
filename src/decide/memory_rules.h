// The rules of the memory manager, one function each, and its state. Internal to memory_manager.c.
#ifndef BALLAST_DECIDE_MEMORY_RULES_H
#define BALLAST_DECIDE_MEMORY_RULES_H

#include "decide/memory_manager.h"
#include "decide/memory_table.h"
#include "decide/memory_target.h"

// Call again after this: while a balloon moves or a guest is in distress (an order of magnitude below the
// reaction time, /proc alone); while memory is short, or a burst could make it so before the next look; while
// guests could take more than there is; else.
#define MEMORY_STEP_MOVING_MS 250
#define MEMORY_STEP_SHORT_MS 250
#define MEMORY_STEP_WATCH_MS 1000
#define MEMORY_STEP_CALM_MS 5000

// capacity is held until it is off by a fifth of the reserve, at least 4 MiB: page cache of the host's own processes and
// the moment between reading one figure and the next make a few MiB of noise, and the reserve is there to be used.
#define MEMORY_CAPACITY_BAND_PERMILLE 200
#define MEMORY_CAPACITY_BAND_KIB (4.0 * 1024)

// From so much available, in parts of high, every balloon is let go, however much the guests could then take: a host that
// has more than what can be used up within the reaction time (that is high) and as much again as half of it notices a
// burst in time. Between high and that the promise grows as 1 / (what is left of the way), to this at most.
#define MEMORY_FREE_PERMILLE 1500
#define MEMORY_PROMISE_MOST 1000.0

// How long less is promised of what is free after it had to be promised less.
#define MEMORY_PROMISE_HOLD_MS 5000

// How far ahead growth under way is served before room that nobody is growing into: longer than the reaction
// time, for what it costs is only that others have less room.
#define MEMORY_GROWTH_AHEAD_S 5.0

// What a guest's kernel never uses up, its watermarks: 1 % of what it has (2 to 3 % were seen). Nobody grows into that.
#define MEMORY_NEVER_USED_PERMILLE 10

// Parts of maxmem below are right for small guests. What a guest can take before it is noticed is bounded by the speed of
// its memory and not by its size, about 1 GiB a second, and a large guest that uses little must not keep what others
// need: so each has an upper bound, which begins to count at 8 to 10 GiB.
#define MEMORY_MARGIN_MOST_KIB (256.0 * 1024)
#define MEMORY_KEEP_MOST_KIB (512.0 * 1024)
#define MEMORY_HARD_KEEP_MOST_KIB (1024.0 * 1024)
#define MEMORY_DRAIN_MOST_KIB (256.0 * 1024)
#define MEMORY_BAND_MOST_KIB (64.0 * 1024)

// What a guest keeps free in any division: 6 % of maxmem, at least 16 MiB. Its kernel does not reclaim at once (Linux
// wakes kswapd at 1 to 2 %), noise is no distress, and it has about a second to grow before it is noticed.
#define MEMORY_KEEP_PERMILLE 60
#define MEMORY_KEEP_KIB (16.0 * 1024)

// What is left of it in low for guests that cannot be brought below their need: 3 %, at least 8 MiB.
#define MEMORY_MARGIN_PERMILLE 30
#define MEMORY_MARGIN_KIB (8.0 * 1024)

// What a guest keeps free that cannot be brought below its need safely, because it has no swap or its balloon
// does not deflate by itself: 15 %, at least 48 MiB, then an allocation within one reaction time finds it.
#define MEMORY_HARD_KEEP_PERMILLE 150
#define MEMORY_HARD_KEEP_KIB (48.0 * 1024)

// Idle memory worth a drain: 5 %, at least 12 MiB: QEMU's overhead is known no better than that. Done when
// less than half of that is left.
#define MEMORY_DRAIN_PERMILLE 50
#define MEMORY_DRAIN_KIB (12.0 * 1024)

// Idle memory of one guest that is little beside the most of another: a quarter.
#define MEMORY_DRAIN_LITTLE_PERMILLE 250

// A drained guest is not drained again within this time, unless the state is hard or low.
#define MEMORY_DRAIN_REST_MS 10000

// Take slowly: until statistics show the last lowering, a balloon is not lowered by more than a quarter of
// maxmem a second (a half in hard), at least 64 MiB; by half as much where the guest does not land softly.
#define MEMORY_TAKE_PERMILLE 250
#define MEMORY_TAKE_HARD_PERMILLE 500
#define MEMORY_TAKE_KIB (64.0 * 1024)

// In soft nobody is in need but those in distress: only differences of four dead bands are worth it. The same goes for a balloon
// that is to turn round within this time, but for what low takes.
#define MEMORY_CAUTIOUS_BANDS 4
#define MEMORY_REVERSAL_MS 10000

// Dead band: smaller differences move no balloon: 1 % of maxmem, at least 3 MiB. When one VM's difference is
// larger under overload all those with a quarter of it are moved, so that equals stay equal.
#define MEMORY_BAND_PERMILLE 10
#define MEMORY_BAND_KIB (3.0 * 1024)

// A guest in distress is given what is half of it: it waits for no more, and is not asked for every MiB.
#define MEMORY_DISTRESS_BAND 0.5

// Differences within the dead band that add up to more than this part of the reserve are moved in hard.
#define MEMORY_OWED_PERMILLE 400

// What the step plans for one VM.
struct memory_plan {
    bool part; // takes part in the division
    struct memory_claim claim;
    double floor;
    double wants;    // what it uses, and what is in its swap for want of memory
    double keep;     // what a drain leaves it: what it uses and keeps free
    double idle;     // actualmem beyond that
    double may_take; // what it can still take though it takes no part
    double entitlement, room;
    double target;
    struct memory_reason reason;
};

struct memory_order {
    double key;
    uint64_t id;
    size_t row;
};

struct memory_sums {
    double actual, part_actual, overhead, never_used, committed, idle, demand, floor, fixed_growth,
        fixed_growing;
};

struct memory_manager {
    struct memory_settings settings;
    struct memory_table table;
    bool started;
    struct mono at;
    double elapsed_s;
    struct memory_thresholds thresholds;
    struct memory_state state;

    struct memory_plan *plan;   // by row of the input
    struct memory_order *order; // scratch for sorting
    size_t *part;               // rows that take part
    size_t n_part;
    struct memory_claim *claim; // of part[k]; so are the following
    struct entitlement_claim *buffer;
    double *entitlement, *room;
    void *scratch;
    struct memory_sums sum;
    struct memory_division division;

    bool held; // capacity is that of an earlier step
    size_t held_parts;
    double capacity;
    double promise; // how often what is free may be promised besides once: 0 to MEMORY_PROMISE_MOST
    bool promise_fell;
    struct mono promise_fell_at;

    double missing; // for the fence
    bool missing_reported, unmet, unmet_reported;
    struct mono unmet_since;

    struct memory_action *action;
    size_t n_actions;
    struct memory_vm_view *view;
    struct memory_event *event;
    size_t n_events, max_events;
};

void memory_rules_event(struct memory_manager *m, enum memory_event_kind kind, size_t vm, uint64_t figure);

// Sets the condition of VM i and tells of changes that last.
void memory_rules_condition(struct memory_manager *m, size_t i, const struct memory_vm_input *vm,
                            struct mono now);

// Claim, floor and idle memory of one VM.
void memory_rules_plan(const struct memory_manager *m, const struct memory_vm_input *vm,
                       const struct memory_track *t, struct memory_plan *p);

// A guest that can be brought below its need: it swaps, and should that fail its balloon gives way. Whether
// it has swap is not known before it has used it; when the host is short that is found out, for with a balloon
// that gives way the guest loses nothing by it.
bool memory_rules_lands_softly(const struct memory_manager *m, const struct memory_vm_input *vm,
                               const struct memory_track *t);

// Begins and ends drains.
void memory_rules_drain(struct memory_manager *m, const struct memory_vm_input *vms,
                        const struct memory_host_input *host, struct mono now);

// Targets from room, drains, floors and vetoes.
void memory_rules_targets(struct memory_manager *m, const struct memory_input *in);

// Actions from targets: dead band, those that free first, gifts within what is free.
void memory_rules_act(struct memory_manager *m, const struct memory_input *in, struct mono now);

void memory_rules_view(struct memory_manager *m, const struct memory_input *in);
void memory_rules_report_host(struct memory_manager *m, const struct memory_host_input *host,
                              struct mono now);

#endif
