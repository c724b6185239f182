#include "decide/memory_track.h"

#include <math.h>

static double smoothed(double old, double sample, double elapsed_s, double tau_s)
{
    return old + (1 - exp(-elapsed_s / tau_s)) * (sample - old);
}

static double grown(uint64_t before, uint64_t after)
{
    return after > before ? (double)(after - before) : 0; // a guest that rebooted starts again at 0
}

// What counts as moved: half a percent, so that a large VM's small change is no progress.
static double step_kib(const struct memory_vm_input *vm)
{
    return fmax(MEMORY_ROUNDING_KIB, (double)vm->maxmem_kib * 0.005);
}

bool memory_track_moving(const struct memory_track *t)
{
    return fabs(t->commanded_kib - t->current_kib) >
           fmax(MEMORY_ARRIVED_KIB, t->commanded_kib * MEMORY_ARRIVED_PERMILLE / 1000);
}

// Whether the balloon follows. "Progress" is a step towards what was commanded.
static void follow_balloon(struct memory_track *t, const struct memory_vm_input *vm, struct mono now)
{
    if (!t->commanded) {
        t->commanded_kib = t->current_kib;
        t->arrived = true;
    }
    if (!memory_track_moving(t)) {
        t->arrived = true;
        t->stuck = false;
        t->progress_at = now;
        t->progress_kib = t->current_kib;
        return;
    }
    double before = fabs(t->commanded_kib - t->progress_kib);
    double left = fabs(t->commanded_kib - t->current_kib);
    if (left + step_kib(vm) <= before) {
        t->stuck = false;
        t->progress_at = now;
        t->progress_kib = t->current_kib;
    } else if (left > before) {
        t->progress_kib = t->current_kib; // it went the other way: measure from there
    }
    // A guest squeezed below its need gives the last part reluctantly or not at all; its balloon works.
    bool resists = left < fabs(t->commanded_kib - t->commanded_from_kib) / 2;
    if (now.ms - t->progress_at.ms >= MEMORY_STUCK_MS && !t->stuck && !resists) {
        t->stuck = true;
        t->retry_at = mono_after_ms(now, MEMORY_STUCK_MS);
    }
}

static bool new_statistics(const struct memory_track *t, const struct memory_vm_input *vm, struct mono at)
{
    // The age has a resolution of a second at worst; figures that differ are new in any case.
    return !t->known || at.ms > t->statistics_at.ms + 500 || vm->unused_kib != t->figures.unused_kib ||
           vm->usable_kib != t->figures.usable_kib || vm->disk_caches_kib != t->figures.disk_caches_kib ||
           vm->swap_in_kib != t->swap_in_kib || vm->swap_out_kib != t->swap_out_kib;
}

// Autodeflation: the balloon rises above what it was told to leave though it had been there.
static bool deflates_itself(const struct memory_track *t, const struct memory_vm_input *vm)
{
    return t->commanded && t->arrived && t->current_kib > t->commanded_kib + 2 * step_kib(vm);
}

// What the last statistics called usable, with what the balloon gave or took and the guest touched since.
static double usable_now(const struct memory_track *t)
{
    double moved = t->current_kib - (double)t->figures.currentmem_kib;
    return fmax(0, t->usable_kib + moved - fmax(0, t->actual_kib - t->actual_then_kib));
}

static double plenty_kib(const struct memory_track *t)
{
    return fmax(MEMORY_PLENTY_KIB, t->current_kib * MEMORY_PLENTY_PERMILLE / 1000);
}

static void feel_distress(struct memory_track *t, const struct memory_vm_input *vm, double swapping_kib_s,
                          struct mono now)
{
    double plenty = plenty_kib(t);
    double usable_rate = fmax(t->used_rate_kib_s, t->resident_rate_kib_s);
    double fast = fmax(MEMORY_COLLAPSE_KIB_S, (double)vm->maxmem_kib * MEMORY_COLLAPSE_PERMILLE_S / 1000);
    double usable = usable_now(t);
    bool evidence = (swapping_kib_s > MEMORY_SWAPPING_KIB_S && usable < plenty) ||
                    (usable_rate > fast && usable < usable_rate * MEMORY_COLLAPSE_S) ||
                    deflates_itself(t, vm);
    if (evidence) {
        t->distress_until = mono_after_ms(now, MEMORY_DISTRESS_MS);
        t->distress = true;
    } else if (t->distress && (now.ms >= t->distress_until.ms || usable > 2 * plenty)) {
        t->distress = false; // time is up, or it has plenty again
    }
}

// Memory in use has been touched, so actualmem bounds it, whatever a moving balloon makes of the difference
// between currentmem and usable.
static double at_most_actual(const struct memory_track *t, double used)
{
    double slack =
        fmax(MEMORY_ACTUAL_SLACK_KIB, (double)t->figures.maxmem_kib * MEMORY_ACTUAL_SLACK_PERMILLE / 1000);
    return fmin(used, fmin(t->actual_kib + slack, t->current_kib));
}

// While a balloon moves nobody knows what currentmem was at the moment at which the guest counted its usable
// memory. It was between the least and the most of the last seconds and where it was told to go, and used with it; within that what was
// known before and has been touched since is the best guess.
static double used_between(struct memory_track *t, const struct memory_vm_input *vm,
                           uint32_t cache_keep_permille)
{
    struct memory_guest_figures least = t->figures, most = t->figures;
    least.currentmem_kib = (uint64_t)fmin(t->commanded_kib, fmin(t->lowest_kib, t->lowest_before_kib));
    most.currentmem_kib = (uint64_t)fmax(t->commanded_kib, fmax(t->highest_kib, t->highest_before_kib));
    t->lowest_before_kib = t->lowest_kib;
    t->highest_before_kib = t->highest_kib;
    t->lowest_kib = t->highest_kib = t->current_kib;
    double low = (double)memory_used_kib(&least, cache_keep_permille);
    double high = (double)memory_used_kib(&most, cache_keep_permille);
    t->certain = high - low < step_kib(vm);
    if (!t->known || t->certain)
        return high;
    double guess = t->used_kib + fmax(0, t->actual_kib - t->actual_then_kib);
    return fmax(low, fmin(high, guess));
}

// Files that a guest reads again and again are in its cache for a reason: keeping a part of what is left, each time that
// memory is short, would leave nothing. Page faults that read a disk, and not swap, tell such a guest.
static void learn_cache(struct memory_track *t, const struct memory_vm_input *vm, double elapsed_s)
{
    double faults = grown(t->major_faults, vm->major_faults) - grown(t->swap_in_kib, vm->swap_in_kib) / 4;
    t->file_faults_s =
        smoothed(t->file_faults_s, fmax(0, faults) / elapsed_s, elapsed_s, MEMORY_FAULTS_TAU_S);
    t->cache_needed_kib = smoothed(t->cache_needed_kib, 0, elapsed_s, MEMORY_CACHE_FADES_TAU_S);
    if (t->file_faults_s > MEMORY_FILE_FAULTS_S)
        t->cache_needed_kib = fmax(t->cache_needed_kib, (double)vm->disk_caches_kib);
}

static void take_statistics(struct memory_track *t, const struct memory_vm_input *vm,
                            uint32_t cache_keep_permille, struct mono at, struct mono now)
{
    bool certain_before = t->certain;
    if (t->known && at.ms > t->statistics_at.ms)
        learn_cache(t, vm, mono_seconds_between(t->statistics_at, at));
    if (vm->disk_caches_kib > 0 && t->cache_needed_kib > 0)
        cache_keep_permille = (uint32_t)fmax(
            cache_keep_permille, fmin(1000, t->cache_needed_kib * 1000 / (double)vm->disk_caches_kib));
    t->figures = (struct memory_guest_figures){vm->maxmem_kib, vm->currentmem_kib, vm->unused_kib,
                                               vm->usable_kib, vm->disk_caches_kib};
    double used = at_most_actual(t, used_between(t, vm, cache_keep_permille));
    double elapsed_s = t->known ? mono_seconds_between(t->statistics_at, at) : 0;
    double swapping = 0;
    if (t->known && elapsed_s > 0) {
        // Two guesses make no rate.
        double rate = certain_before && t->certain ? (used - t->used_kib) / elapsed_s : 0;
        t->used_rate_kib_s = smoothed(t->used_rate_kib_s, rate, elapsed_s, MEMORY_USED_RATE_TAU_S);
        double in = grown(t->swap_in_kib, vm->swap_in_kib), out = grown(t->swap_out_kib, vm->swap_out_kib);
        swapping = (in + out) / elapsed_s;
        t->swapped_kib = vm->swap_out_kib >= t->swap_out_kib ? fmax(0, t->swapped_kib + out - in)
                                                             : grown(vm->swap_in_kib, vm->swap_out_kib);
        // With plenty of usable memory it could have brought back what it misses; the rest is cold or gone. Without, what it
        // brings back it works on, and so it will on more of what lies there.
        if (fmin((double)vm->usable_kib, usable_now(t)) > plenty_kib(t))
            t->swapped_kib = smoothed(t->swapped_kib, 0, elapsed_s, MEMORY_COLD_TAU_S);
        else
            t->swapped_kib =
                fmax(t->swapped_kib, fmin(t->swapped_kib + in, grown(vm->swap_in_kib, vm->swap_out_kib)));
    }
    if (!t->known) // the manager has been restarted: what was swapped out before counts too
        t->swapped_kib = grown(vm->swap_in_kib, vm->swap_out_kib);
    if (vm->guest_swap == MEMORY_UNSURE && vm->swap_out_kib > 0)
        t->swap = MEMORY_YES;
    else if (t->swap == MEMORY_UNSURE && deflates_itself(t, vm))
        t->swap = MEMORY_NO; // it had to be helped and did not swap
    t->known = true;
    t->fresh = true;
    t->statistics_at = at;
    t->swap_in_kib = vm->swap_in_kib;
    t->swap_out_kib = vm->swap_out_kib;
    t->major_faults = vm->major_faults;
    t->used_kib = used;
    t->usable_kib = fmin((double)vm->usable_kib, (double)vm->currentmem_kib);
    t->actual_then_kib = t->actual_kib;
    feel_distress(t, vm, swapping, now);
}

void memory_track_step(struct memory_track *t, const struct memory_vm_input *vm, uint32_t cache_keep_permille,
                       struct mono now)
{
    bool first = !t->started;
    double elapsed_s = first ? 0 : mono_seconds_between(t->at, now);
    double before_kib = t->current_kib, actual_before_kib = t->actual_kib;
    uint64_t resident = vm->resident_kib + vm->swapped_kib;
    t->started = true;
    t->at = now;
    t->fresh = false;
    t->current_kib = fmin((double)vm->currentmem_kib, (double)vm->maxmem_kib);
    if (first || elapsed_s * 1000 > MEMORY_MOVES_MS) {
        t->lowest_kib = t->highest_kib = t->lowest_before_kib = t->highest_before_kib = t->current_kib;
    } else {
        t->lowest_kib = fmin(t->lowest_kib, t->current_kib);
        t->highest_kib = fmax(t->highest_kib, t->current_kib);
    }
    if (vm->guest_swap != MEMORY_UNSURE)
        t->swap = vm->guest_swap;

    struct mono at = {now.ms - (vm->statistics_age_ms > 0 ? vm->statistics_age_ms : 0)};
    bool fresh = vm->has_statistics && vm->statistics_age_ms < MEMORY_STALE_MS && new_statistics(t, vm, at);
    bool rests =
        t->certain && fabs(before_kib - t->current_kib) < MEMORY_ROUNDING_KIB && !memory_track_moving(t);
    if (fresh && rests)
        memory_overhead_learn(&t->overhead, resident, vm->currentmem_kib, vm->unused_kib);
    uint64_t overhead = memory_overhead_kib(&t->overhead, vm->overhead_kib);
    t->actual_kib = fmin((double)memory_actual_kib(resident, overhead, vm->maxmem_kib), t->current_kib);
    if (first)
        t->progress_kib = t->current_kib, t->progress_at = now;
    if (elapsed_s > 0)
        t->resident_rate_kib_s =
            smoothed(t->resident_rate_kib_s, (t->actual_kib - actual_before_kib) / elapsed_s, elapsed_s,
                     MEMORY_RESIDENT_RATE_TAU_S);
    follow_balloon(t, vm, now);
    if (fresh)
        take_statistics(t, vm, cache_keep_permille, at, now);
    else if (t->known)
        feel_distress(t, vm, 0, now);
    if (t->fresh && t->certain && t->used_rate_kib_s < -MEMORY_GROWTH_KIB_S)
        t->growth_kib_s = 0; // it has turned round
    double wanted = memory_track_used_kib(t) + t->swapped_kib;
    if (fabs(wanted - t->settled_kib) > memory_part_kib((double)vm->maxmem_kib, MEMORY_SETTLED_PERMILLE,
                                                        MEMORY_SETTLED_KIB, MEMORY_SETTLED_MOST_KIB))
        t->settled_kib = wanted;
    t->growth_kib_s = fmax(smoothed(t->growth_kib_s, 0, elapsed_s, MEMORY_GROWTH_FADES_TAU_S),
                           fmax(t->used_rate_kib_s, t->resident_rate_kib_s));
}

double memory_track_used_kib(const struct memory_track *t)
{
    if (!t->known)
        return t->current_kib;
    // Pages touched since the statistics are in use: the resident set is read more often than the guest is asked.
    double touched = fmax(0, t->actual_kib - t->actual_then_kib);
    return at_most_actual(t, t->used_kib + touched);
}

double memory_track_growth_kib_s(const struct memory_track *t)
{
    return t->growth_kib_s > MEMORY_GROWTH_KIB_S ? t->growth_kib_s : 0;
}

void memory_track_command(struct memory_track *t, double target_kib, struct mono now)
{
    if (target_kib < t->current_kib)
        t->lowered_at = now;
    // Measured from where it turned round, else a guest that is lowered bit by bit to its limit would count as stuck.
    bool goes_on = (target_kib > t->current_kib) == (t->commanded_kib > t->commanded_from_kib);
    if (!t->commanded || !goes_on)
        t->commanded_from_kib = t->current_kib;
    t->commanded_up = target_kib > t->commanded_kib;
    t->commanded_at = now;
    t->commanded_kib = target_kib;
    t->commanded = true;
    t->retry_at = mono_after_ms(now, MEMORY_STUCK_MS);
    t->arrived = false;
    t->progress_at = now;
    t->progress_kib = t->current_kib;
}
