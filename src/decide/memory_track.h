// What the memory manager remembers of one VM from step to step: rates, distress, whether its balloon
// moves. Internal to memory_manager.c.
//
// Nothing here must survive a restart: a fresh track takes what the balloon is now for what was asked of it
// and learns the rest within a few samples.
#ifndef BALLAST_DECIDE_MEMORY_TRACK_H
#define BALLAST_DECIDE_MEMORY_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timepoint.h"
#include "decide/memory_manager.h"
#include "decide/memory_used.h"

// Time constants of growth rates. Statistics come once a second, the resident set more often.
#define MEMORY_USED_RATE_TAU_S 1.5
#define MEMORY_RESIDENT_RATE_TAU_S 0.5

// Slower growth is noise: kernel threads, logs.
#define MEMORY_GROWTH_KIB_S 1024.0

// Swapping of the guest from which it is in distress. A guest that brings back what was swapped out long
// ago though it has plenty of memory is not: its usable memory says so.
#define MEMORY_SWAPPING_KIB_S 256.0

// Usable memory that is plenty: an eighth of what it has, at least 16 MiB.
#define MEMORY_PLENTY_PERMILLE 125
#define MEMORY_PLENTY_KIB (16.0 * 1024)

// Usable memory that will be gone within this time at the rate at which it falls is a collapse.
#define MEMORY_COLLAPSE_S 1.5

// Distress lasts at least this long after its last evidence: swapping comes in bursts, and the sample between
// two bursts must not take memory away. Five statistics.
#define MEMORY_DISTRESS_MS 5000

// In distress a guest wants more than it uses; nobody knows how much more. An eighth of maxmem, at least 32 MiB, or
// what it has swapped out in this distress and not brought back.
#define MEMORY_DISTRESS_PERMILLE 125
#define MEMORY_DISTRESS_KIB (32.0 * 1024)

// A balloon moves or is moved only by so much: below it is rounding.
#define MEMORY_ROUNDING_KIB 1024.0

struct memory_track {
    uint64_t id;
    bool started;
    struct mono at;     // of the last step
    double current_kib; // then
    double actual_kib;  // then
    double resident_rate_kib_s;
    struct memory_overhead overhead;

    bool known; // statistics have been seen
    struct mono statistics_at;
    struct memory_guest_figures figures; // those of the last statistics
    uint64_t swap_in_kib, swap_out_kib;
    double used_kib;        // at the last statistics
    double actual_then_kib; // actualmem then
    double used_rate_kib_s;
    double usable_kib;
    bool fresh; // this step brought new statistics
    enum memory_tristate swap;

    bool distress;
    struct mono distress_until;
    double swapped_kib; // by this distress: out less in

    double commanded_kib;
    bool commanded; // by us; else it is what was found
    bool arrived;   // has been at what was commanded
    struct mono progress_at;
    double progress_kib;  // currentmem then
    struct mono retry_at; // a stuck balloon is asked again then
    bool stuck;
    struct mono trouble_since; // of the present condition, where it is not active
    enum memory_condition condition;
    bool reported;
    enum memory_obstacle obstacle_reported;
    struct mono lowered_at; // statistics before this do not yet show the last lowering

    bool draining;
    double drain_to_kib; // actualmem at which the drain has brought what it was for
    bool drained;
    struct mono drained_at;
};

// Takes what a step's input says. cache_keep_permille as in memory_used.h.
void memory_track_step(struct memory_track *track, const struct memory_vm_input *vm,
                       uint32_t cache_keep_permille, struct mono now);

// What the guest uses now: the last statistics, and what it has touched since. KiB.
double memory_track_used_kib(const struct memory_track *track);

// How fast it grows, from statistics or resident set, whichever says more; 0 when below the noise. KiB/s.
double memory_track_growth_kib_s(const struct memory_track *track);

// Remembers that the balloon was told to leave the guest target_kib.
void memory_track_command(struct memory_track *track, double target_kib, struct mono now);

// The balloon was told to go elsewhere and has not arrived.
bool memory_track_moving(const struct memory_track *track);

#endif
