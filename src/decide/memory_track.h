// What the memory manager remembers of one VM from step to step: rates, distress, whether its balloon
// moves. Internal to memory_manager.c.
//
// Nothing here must survive a restart: a fresh track takes what the balloon is now for what was asked of it
// and learns the rest within a few samples.
#ifndef BALLAST_DECIDE_MEMORY_TRACK_H
#define BALLAST_DECIDE_MEMORY_TRACK_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/timepoint.h"
#include "decide/memory_manager.h"
#include "decide/memory_used.h"

// Time constants of growth rates. Statistics come once a second, the resident set more often.
#define MEMORY_USED_RATE_TAU_S 1.5
#define MEMORY_RESIDENT_RATE_TAU_S 0.5

// A balloon this close to where it was told to go has arrived: a guest at its limit gives way by itself by a few
// MiB, now and then.
#define MEMORY_ARRIVED_KIB (4.0 * 1024)
#define MEMORY_ARRIVED_PERMILLE 15

// Noise of what a guest uses: 1.5 % of maxmem, at least 4 MiB. Targets follow beyond that.
#define MEMORY_SETTLED_KIB (4.0 * 1024)
#define MEMORY_SETTLED_PERMILLE 15
#define MEMORY_SETTLED_MOST_KIB (64.0 * 1024)

// What grew is taken to go on for a while: a guest that stalls for want of memory still wants it.
#define MEMORY_GROWTH_FADES_TAU_S 3.0

// Slower growth is noise: kernel threads, logs.
#define MEMORY_GROWTH_KIB_S 1024.0

// Swapping of the guest from which it is in distress, while it has no plenty of usable memory: 5 % of what it has, at
// least 12 MiB. A guest that brings back what was swapped out long ago though it has plenty is not.
#define MEMORY_SWAPPING_KIB_S 256.0
#define MEMORY_PLENTY_PERMILLE 50
#define MEMORY_PLENTY_KIB (12.0 * 1024)

// What lies in a guest's swap though it has plenty of usable memory is forgotten with this time constant: programs
// touch what they work on within a minute.
#define MEMORY_COLD_TAU_S 60.0

// File pages that a guest reads anew each second, on average, from which all its cache counts as used: a guest at
// peace has a few, one whose working set of files does not fit hundreds. What it was is forgotten slowly.
#define MEMORY_FILE_FAULTS_S 50.0
#define MEMORY_FAULTS_TAU_S 5.0
#define MEMORY_CACHE_FADES_TAU_S 120.0

// Usable memory that will be gone within this time at the rate at which it falls is a collapse, if that rate
// is more than 4 MiB/s, or 2 % of maxmem a second: a guest with little to spare is not in distress for that.
#define MEMORY_COLLAPSE_S 1.5
#define MEMORY_COLLAPSE_KIB_S (4.0 * 1024)
#define MEMORY_COLLAPSE_PERMILLE_S 20

// Distress lasts at least this long after its last evidence: a guest that is short swaps in bursts, and what it
// lost between two bursts would have to come back. It ends at once when the guest has plenty.
#define MEMORY_DISTRESS_MS 15000

// A balloon moves or is moved only by so much: below it is rounding.
#define MEMORY_ROUNDING_KIB 1024.0

// By how much actualmem may be too small: what QEMU's overhead is learned to, 8 MiB, or 2 % of a large VM.
#define MEMORY_ACTUAL_SLACK_KIB (8.0 * 1024)
#define MEMORY_ACTUAL_SLACK_PERMILLE 20

// A balloon that was seen to move within this time may have moved since the guest counted; steps further
// apart than this have seen nothing of it.
#define MEMORY_MOVES_MS 3000

// A part of the whole, at least `least`, and above that at most `most`. KiB.
static inline double memory_part_kib(double whole, double permille, double least, double most)
{
    return fmin(fmax(least, whole * permille / 1000), fmax(least, most));
}

struct memory_track {
    uint64_t id;
    bool started;
    struct mono at;                               // of the last step
    double current_kib;                           // then
    double actual_kib;                            // then
    double lowest_kib, highest_kib;               // currentmem since the last statistics
    double lowest_before_kib, highest_before_kib; // and between the two before
    double resident_rate_kib_s;
    double growth_kib_s; // the larger of the two rates, fading slowly
    struct memory_overhead overhead;

    bool known; // statistics have been seen
    struct mono statistics_at;
    struct memory_guest_figures figures; // those of the last statistics
    uint64_t swap_in_kib, swap_out_kib, major_faults;
    double file_faults_s;    // smoothed
    double cache_needed_kib; // the largest cache at which it read files anew, fading
    double used_kib;         // at the last statistics
    double actual_then_kib;  // actualmem then
    double settled_kib; // used and swapped_kib, as targets see them: held while they change by noise only
    double used_rate_kib_s;
    bool certain; // no balloon moved while they were counted
    double usable_kib;
    bool fresh; // this step brought new statistics
    enum memory_tristate swap;

    bool distress;
    struct mono distress_until;
    // Out less in: what it uses no more only because it has been squeezed. Usedmem alone would call every division
    // right, for a guest that was lowered uses less afterwards. Fades while it has plenty.
    double swapped_kib;

    double commanded_kib, commanded_from_kib;
    bool commanded; // by us; else it is what was found
    bool commanded_up;
    struct mono commanded_at;
    bool arrived; // has been at what was commanded
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
