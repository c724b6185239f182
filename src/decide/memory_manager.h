// The memory manager of one host: (state, what host and guests tell, now) -> balloon targets with reasons.
//
// Every host runs one, alone, also without the store. It takes memory only under need and as little as
// needed: first growth that nobody uses (the fence), then idle memory, then, under overload, by entitlement;
// what cannot be had here is unmet demand, which is the migration balancers' to solve. Theory of operation:
// memory_manager.c; the division itself: memory_target.h; states: memory_state.h; usedmem: memory_used.h.
//
// Call memory_manager_step whenever something new is known: a sample of balloon statistics, or only of
// the host's memory and the processes' resident sets (cheap, /proc alone), or an event. No period is
// assumed; the output says when it wants to be called at the latest. Figures that are not new are passed
// again as they were, with their age.
//
// The driver carries out the actions in their order, in parallel if it likes, and tells their fate in the
// next inputs: currentmem from libvirt, call_pending while a call is out. In observe it just does not.
#ifndef BALLAST_DECIDE_MEMORY_MANAGER_H
#define BALLAST_DECIDE_MEMORY_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/timepoint.h"
#include "decide/memory_reason.h"
#include "decide/memory_state.h"

// Statistics count as stale after this, and nothing is decided on them: three periods of 1 s and some delay.
#define MEMORY_STALE_MS 5000

// A balloon that has not moved towards its target for the first time counts as inactive (nobody waits for
// it), for the second time is reported.
#define MEMORY_STUCK_MS 5000
#define MEMORY_REPORT_MS 20000

// Why a VM cannot be ballooned at all, as the driver knows it.
enum memory_obstacle {
    MEMORY_OBSTACLE_NONE = 0,
    MEMORY_OBSTACLE_UNKNOWN, // its definition is not known yet
    MEMORY_OBSTACLE_NO_DEVICE,
    MEMORY_OBSTACLE_VFIO,
    MEMORY_OBSTACLE_HUGEPAGES,
    MEMORY_OBSTACLE_LOCKED,
    MEMORY_OBSTACLE_NO_DRIVER,  // never answered
    MEMORY_OBSTACLE_OLD_DRIVER, // statistics without `usable`
};

enum memory_tristate {
    MEMORY_UNSURE = 0,
    MEMORY_NO,
    MEMORY_YES,
};

// One VM as it is now. KiB throughout.
struct memory_vm_input {
    uint64_t id;         // stable over steps, unique in a step, chosen by the driver
    uint64_t maxmem_kib; // > 0
    uint64_t currentmem_kib;
    uint64_t resident_kib; // of the QEMU process, charged to the host: anonymous and shared memory
    uint64_t swapped_kib;  // of the QEMU process, on the host's swap
    uint64_t overhead_kib; // QEMU's own part of the two, as the host estimates it; 0: unknown

    bool has_statistics; // the guest has answered at least once; else the figures below are not looked at
    int64_t statistics_age_ms;
    uint64_t unused_kib, usable_kib, disk_caches_kib;
    uint64_t swap_in_kib, swap_out_kib; // cumulative
    uint64_t major_faults;              // cumulative, of swap and of files; 0: not told

    double shares;            // memory shares, > 0
    uint64_t reservation_kib; // 0: none
    uint64_t limit_kib;       // 0: none (maxmem)

    enum memory_obstacle obstacle;
    enum memory_tristate guest_swap; // unsure: learned when it swaps
    bool autodeflate;
    bool free_page_reporting;
    bool excluded;     // never touched
    bool advise_only;  // nothing is carried out for this one (see memory_input)
    bool running;      // false: paused, QEMU stopped or not answering
    bool hanging;      // ... of these the last two: it should run and does not, which is reported
    bool migrating;    // from here or to here
    bool call_pending; // a request to set its balloon has not come back
};

struct memory_host_input {
    uint64_t total_kib;
    // Can be had without swapping, also what QEMUs gave back and the kernel has not freed yet (partly unmapped huge
    // pages): otherwise what a balloon takes would seem to bring nothing, and more be taken.
    uint64_t available_kib;
    uint64_t swap_total_kib, swap_free_kib;
    uint64_t swap_in_kib; // cumulative
    bool psi_known;
    double psi_some_avg10_pct;
};

struct memory_input {
    bool
        advise_only; // nothing is carried out: actions are what would be done, and nobody waits for a balloon
    struct memory_host_input host;
    size_t n_vms; // at most what the manager was made for; more are an error of the driver
    const struct memory_vm_input *vms; // in any order
};

struct memory_action {
    size_t vm; // index into the input
    uint64_t id;
    uint64_t from_kib, to_kib; // set the balloon so that the guest has to_kib
    struct memory_reason reason;
};

enum memory_condition {
    MEMORY_ACTIVE = 0, // takes part
    MEMORY_STALE,
    MEMORY_STUCK,
    MEMORY_WAITING, // a call is out
    MEMORY_STOPPED,
    MEMORY_LEAVING, // migrating
    MEMORY_EXCLUDED,
    MEMORY_UNBALLOONABLE,
};

// What is known and decided of one VM.
struct memory_vm_view {
    uint64_t id;
    enum memory_condition condition;
    enum memory_obstacle obstacle;
    bool distress;        // swaps, or its usable memory collapses, or it deflates by itself
    bool draining;        // idle memory is being taken
    uint64_t usedmem_kib; // last known; currentmem where the guest tells nothing
    uint64_t actualmem_kib;
    uint64_t overhead_kib;
    uint64_t idle_kib; // actualmem - usedmem - what it keeps, >= 0
    uint64_t
        demand_kib; // what it wants now: usedmem, what it swapped out for want of memory, and more in distress
    uint64_t entitlement_kib; // its part when all get what they are entitled to
    uint64_t floor_kib;       // not lowered below this
    uint64_t target_kib;      // what the balloon is to be
    uint64_t unmet_kib;       // max(0, demand - entitlement): what this host cannot give
    struct memory_reason reason;
};

enum memory_event_kind {
    MEMORY_EVENT_STATE,         // the host's state changed [figure: new state]
    MEMORY_EVENT_STALE,         // statistics stay away for MEMORY_REPORT_MS
    MEMORY_EVENT_STUCK,         // a balloon does not move for MEMORY_REPORT_MS [figure: target]
    MEMORY_EVENT_RECOVERED,     // one of the two is over
    MEMORY_EVENT_UNBALLOONABLE, // first seen, or came to be so [figure: obstacle]
    MEMORY_EVENT_DISTRESS,      // a guest came into distress
    MEMORY_EVENT_UNMET,         // demand that this host cannot meet has lasted MEMORY_REPORT_MS [figure: KiB]
    MEMORY_EVENT_NOT_HELD,      // the fence cannot be held: auto must be refused [figure: KiB missing]
};

struct memory_event {
    enum memory_event_kind kind;
    size_t vm; // index into the input; SIZE_MAX: the host
    uint64_t figure;
};

struct memory_output {
    enum memory_host_state state;
    struct memory_thresholds thresholds;
    uint64_t available_kib, expected_kib;
    uint64_t capacity_kib; // what the balloonable VMs' memory may add up to
    uint64_t demand_kib;   // of all VMs
    uint64_t unmet_kib;    // of all VMs
    uint64_t idle_kib;     // of all VMs
    uint64_t growth_kib; // what guests could take without anybody being asked: sum of currentmem - actualmem
    uint64_t unballoonable_kib; // actualmem of VMs that cannot be ballooned
    size_t n_unballoonable;
    bool overcommitted; // growth_kib is more than the host has left
    // The fence could not be held even with every balloon at its floor: ballast must not promise `auto` here.
    bool refuse_auto;
    uint64_t missing_kib; // by so much

    size_t n_actions; // those that free memory first
    const struct memory_action *actions;
    size_t n_views; // as many as VMs, in the order of the input
    const struct memory_vm_view *views;
    size_t n_events;
    const struct memory_event *events;
    int64_t next_step_ms; // call again after this long at the latest
    bool urgent;          // a balloon moves or memory is short: sample everything at the short period
};

struct memory_settings {
    uint32_t cache_keep_permille; // 500
    uint64_t reserve_kib;         // 0: by the host's size, memory_state.h
    uint64_t floor_kib;           // no guest is left less than this; 64 MiB
    uint32_t swap_floor_permille; // part of usedmem that a guest with swap and autodeflate keeps; 500
};

struct memory_settings memory_settings_default(void);

struct memory_manager;

// Memory for up to max_vms VMs is allocated here and never again. settings NULL: defaults. NULL when out of memory.
struct memory_manager *memory_manager_new(size_t max_vms, const struct memory_settings *settings);
struct memory_manager *memory_manager_free(struct memory_manager *manager);

// Takes effect with the next step.
void memory_manager_set(struct memory_manager *manager, const struct memory_settings *settings);

// One step; now must not go back. ret_output points into the manager and is valid until the next step.
// A VM that is not in the input any more is forgotten. O(n log n); no allocation.
void memory_manager_step(struct memory_manager *manager, const struct memory_input *input, struct mono now,
                         struct memory_output *ret_output);

const char *memory_obstacle_text(enum memory_obstacle obstacle); // "no balloon device"
const char *memory_event_name(enum memory_event_kind kind);      // "stuck"

#endif
