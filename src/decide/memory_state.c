#include "decide/memory_state.h"

#include <math.h>

#define GIB_KIB (1024u * 1024u)

// Time constant of the smoothed rate at which memory is used up: short enough to see a burst in two samples of
// 250 ms, long enough that one page cache read is not a trend.
#define FALLING_TAU_S 1.0

struct memory_thresholds memory_thresholds(uint64_t total_kib, uint64_t reserve_kib)
{
    uint64_t first = fmin((double)total_kib, 4.0 * GIB_KIB);
    uint64_t next = fmin((double)(total_kib - first), 12.0 * GIB_KIB);
    uint64_t rest = total_kib - first - next;
    struct memory_thresholds t = {.high_kib = first / 4 + next / 8 + rest / 100 * 3};
    t.reserve_kib = reserve_kib != 0 ? reserve_kib : t.high_kib / 100 * 12;
    t.low_kib = t.reserve_kib / 2;
    t.soft_kib = t.high_kib / 2;
    // A reserve that the operator made large moves the states with it.
    if (t.soft_kib < t.reserve_kib + t.reserve_kib / 2)
        t.soft_kib = t.reserve_kib + t.reserve_kib / 2;
    if (t.high_kib < t.soft_kib + t.soft_kib / 2)
        t.high_kib = t.soft_kib + t.soft_kib / 2;
    return t;
}

static enum memory_host_state state_of(const struct memory_thresholds *t, double kib)
{
    return kib < (double)t->low_kib    ? MEMORY_LOW
           : kib < (double)t->soft_kib ? MEMORY_HARD
           : kib < (double)t->high_kib ? MEMORY_SOFT
                                       : MEMORY_HIGH;
}

static void rates_step(struct memory_state *s, const struct memory_pressure *p, double elapsed_s)
{
    double fall = ((double)s->last_available_kib - (double)p->available_kib) / elapsed_s;
    double part = 1 - exp(-elapsed_s / FALLING_TAU_S);
    s->falling_kib_s = fmax(0, s->falling_kib_s + part * (fall - s->falling_kib_s));
    double swap_in = p->swap_in_kib >= s->last_swap_in_kib
                         ? (double)(p->swap_in_kib - s->last_swap_in_kib) / elapsed_s
                         : 0;
    s->pressed = swap_in > MEMORY_SWAP_IN_KIB_S;
}

void memory_state_step(struct memory_state *s, const struct memory_thresholds *t,
                       const struct memory_pressure *p, struct mono now)
{
    bool first = !s->started;
    if (first)
        *s = (struct memory_state){.started = true, .at = now};
    double elapsed_s = mono_seconds_between(s->at, now);
    if (elapsed_s > 0)
        rates_step(s, p, elapsed_s);
    if (first || elapsed_s > 0) {
        s->at = now;
        s->last_available_kib = p->available_kib;
        s->last_swap_in_kib = p->swap_in_kib;
    }
    bool pressed = s->pressed || (p->psi_known && p->psi_some_avg10_pct > MEMORY_PRESSURE_PCT);
    double expected = fmax(0, (double)p->available_kib - s->falling_kib_s * MEMORY_REACTION_MS / 1000.0);
    s->expected_kib = (uint64_t)expected;

    // The trend warns of hard, not of low: nothing is lost yet.
    enum memory_host_state worst = state_of(t, (double)p->available_kib);
    enum memory_host_state next = state_of(t, expected);
    if (next == MEMORY_LOW && worst < MEMORY_LOW)
        next = MEMORY_HARD;
    // Pressure while there is plenty comes from a VM's own control group or a disk, not from this host's memory.
    if (pressed && next != MEMORY_HIGH && next != MEMORY_LOW)
        next++;
    if (first || next > s->state) {
        s->state = next;
        s->better_pending = false;
        return;
    }
    // A better state only when it would also be had with its threshold a quarter higher, and has been for a while.
    enum memory_host_state firm = state_of(t, expected * 1000.0 / MEMORY_BETTER_PERMILLE);
    if (pressed || firm >= s->state) {
        s->better_pending = false;
        return;
    }
    if (!s->better_pending) {
        s->better_pending = true;
        s->better_since = now;
    }
    // A driver that steps rarely has no sample in between that says otherwise.
    bool rare = elapsed_s * 1000 >= 5 * MEMORY_BETTER_AFTER_MS;
    if (rare || now.ms - s->better_since.ms >= MEMORY_BETTER_AFTER_MS) {
        s->state = firm;
        s->better_pending = false;
    }
}

const char *memory_state_name(enum memory_host_state state)
{
    static const char *const name[MEMORY_N_STATES] = {"high", "soft", "hard", "low"};
    return (unsigned)state < MEMORY_N_STATES ? name[state] : "?";
}
