#include "decide/memory_rules.h"

#include <math.h>
#include <stdlib.h>

static double limit_of(const struct memory_vm_input *vm)
{
    double max = (double)vm->maxmem_kib;
    return vm->limit_kib != 0 ? fmin(max, (double)vm->limit_kib) : max;
}

bool memory_rules_lands_softly(const struct memory_manager *m, const struct memory_vm_input *vm,
                               const struct memory_track *t)
{
    return vm->autodeflate &&
           (t->swap == MEMORY_YES || (t->swap == MEMORY_UNSURE && m->state.state >= MEMORY_HARD));
}

static double floor_of(const struct memory_manager *m, const struct memory_vm_input *vm,
                       const struct memory_track *t, double used)
{
    double max = (double)vm->maxmem_kib;
    // What it keeps free for growth is given up last: the alternative in low is that the host kills a VM. Who has swap
    // bridges the time until it is noticed.
    double keep =
        m->state.state == MEMORY_LOW || t->swap == MEMORY_YES
            ? memory_part_kib(max, MEMORY_MARGIN_PERMILLE, MEMORY_MARGIN_KIB, MEMORY_MARGIN_MOST_KIB)
            : memory_part_kib(max, MEMORY_HARD_KEEP_PERMILLE, MEMORY_HARD_KEEP_KIB,
                              MEMORY_HARD_KEEP_MOST_KIB);
    double floor =
        memory_rules_lands_softly(m, vm, t) ? used * m->settings.swap_floor_permille / 1000 : used + keep;
    return fmin(fmax(floor, (double)m->settings.floor_kib), max);
}

void memory_rules_plan(const struct memory_manager *m, const struct memory_vm_input *vm,
                       const struct memory_track *t, struct memory_plan *p)
{
    double max = (double)vm->maxmem_kib, limit = limit_of(vm);
    double used = memory_track_used_kib(t);
    bool waits = t->condition == MEMORY_WAITING && m->at.ms - t->trouble_since.ms < MEMORY_STUCK_MS;
    *p = (struct memory_plan){.part = t->condition == MEMORY_ACTIVE || waits};
    p->floor = fmin(floor_of(m, vm, t, used), fmax(limit, used));
    double keep = memory_part_kib(max, MEMORY_KEEP_PERMILLE, MEMORY_KEEP_KIB, MEMORY_KEEP_MOST_KIB);
    double wants = fmin(t->settled_kib, t->current_kib + t->swapped_kib);
    double need = memory_rules_lands_softly(m, vm, t) ? wants : fmax(wants, p->floor);
    p->wants = fmin(wants, limit);
    // Administrators may limit a guest below what it uses; the balloon follows as far as the floor lets it.
    need = fmin(need, limit);
    p->claim = (struct memory_claim){
        .need = need,
        .keep = fmax(0, wants + keep - need),
        .growth = memory_track_growth_kib_s(t) * MEMORY_GROWTH_AHEAD_S,
        .limit = limit,
        .reservation = fmin((double)vm->reservation_kib, need),
        .shares = vm->shares > 0 ? vm->shares : 1,
    };
    p->keep = fmin(memory_rules_lands_softly(m, vm, t) ? used + keep : fmax(p->floor, used + keep), max);
    p->idle = p->part && t->known && !t->distress ? fmax(0, t->actual_kib - p->keep) : 0;
    // Without a driver nothing stops it at currentmem; a balloon that hangs may still go where it was told.
    double may_have = t->condition == MEMORY_UNBALLOONABLE ? max : fmax(t->current_kib, t->commanded_kib);
    p->may_take = fmax(0, may_have - t->actual_kib);
    p->entitlement = p->room = t->current_kib;
    p->target = t->commanded_kib;
}

static double worth_draining(double max)
{
    return memory_part_kib(max, MEMORY_DRAIN_PERMILLE, MEMORY_DRAIN_KIB, MEMORY_DRAIN_MOST_KIB);
}

// Whether a drain has brought what it can or was for.
static bool drain_over(const struct memory_manager *m, const struct memory_track *t,
                       const struct memory_plan *p, double max)
{
    if (!p->part || t->distress || m->state.state == MEMORY_HIGH || p->idle < worth_draining(max) / 2 ||
        t->actual_kib <= t->drain_to_kib)
        return true;
    bool seen = t->statistics_at.ms > t->lowered_at.ms;
    return seen && !memory_track_moving(t) &&
           t->current_kib <= fmax(p->keep, t->drain_to_kib) + MEMORY_ROUNDING_KIB;
}

static int most_first(const void *a, const void *b)
{
    const struct memory_order *p = a, *q = b;
    if (p->key != q->key)
        return p->key > q->key ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

void memory_rules_drain(struct memory_manager *m, const struct memory_vm_input *vms,
                        const struct memory_host_input *host, struct mono now)
{
    double expected = fmin((double)host->available_kib, (double)m->state.expected_kib);
    double lack = m->state.state == MEMORY_HIGH
                      ? 0
                      : (double)m->thresholds.high_kib * MEMORY_BETTER_PERMILLE / 1000 - expected;
    double most = 0;
    size_t n_order = 0;
    for (size_t i = 0; i < m->table.n; i++) {
        struct memory_track *t = &m->table.track[i];
        const struct memory_plan *p = &m->plan[i];
        double max = (double)vms[i].maxmem_kib;
        most = fmax(most, p->idle);
        if (t->draining && drain_over(m, t, p, max)) {
            t->draining = false;
            t->drained = true;
            t->drained_at = now;
        }
        if (t->draining) {
            lack -= fmax(0, t->actual_kib - fmax(p->keep, t->drain_to_kib));
            continue;
        }
        bool rests = t->drained && now.ms - t->drained_at.ms < MEMORY_DRAIN_REST_MS;
        if (p->idle >= worth_draining(max) && memory_track_growth_kib_s(t) == 0 &&
            (!rests || m->state.state >= MEMORY_HARD))
            m->order[n_order++] = (struct memory_order){p->idle, t->id, i};
    }
    if (lack <= 0)
        return;
    qsort(m->order, n_order, sizeof *m->order, most_first);
    // In soft nobody is in need yet: little is not asked for beside much, for a balloon may first have to go through what
    // its guest has not touched, and is in its way when it grows.
    double least = m->state.state == MEMORY_SOFT ? most * MEMORY_DRAIN_LITTLE_PERMILLE / 1000 : 0;
    for (size_t k = 0; k < n_order && lack > 0 && m->order[k].key >= least; k++) {
        struct memory_track *t = &m->table.track[m->order[k].row];
        double take =
            fmin(m->order[k].key, fmax(lack, worth_draining((double)vms[m->order[k].row].maxmem_kib)));
        t->draining = true;
        t->drain_to_kib = t->actual_kib - take;
        lack -= take;
    }
}

// A stuck balloon takes no part: it is asked for the same again, or let go when there is enough.
static double target_of_stuck(const struct memory_manager *m, const struct memory_track *t,
                              const struct memory_plan *p)
{
    if (m->state.state == MEMORY_HIGH)
        return p->claim.limit;
    return t->distress ? fmax(t->commanded_kib, fmin(t->current_kib, p->claim.need)) : t->commanded_kib;
}

static double target_of(const struct memory_manager *m, const struct memory_vm_input *vm,
                        const struct memory_track *t, const struct memory_plan *p)
{
    if (t->condition == MEMORY_STUCK)
        return target_of_stuck(m, t, p);
    if (!p->part)
        return t->commanded_kib;
    double target = p->room;
    if (t->draining)
        target = fmin(target, fmax(p->keep, t->drain_to_kib));
    // Never lowered below the floor, though what is below it already is not raised at others' cost.
    if (target < t->current_kib)
        target = fmax(target, fmin(t->current_kib, p->floor));
    // Nothing is taken from a guest in distress up to its entitlement: beyond that it may be lying.
    if (t->distress && target < t->current_kib)
        target = fmax(target, fmin(t->current_kib, p->entitlement));
    double max = (double)vm->maxmem_kib;
    target = fmin(fmax(target, fmin((double)m->settings.floor_kib, max)), max);
    return target >= max ? max : floor(target / 1024) * 1024;
}

void memory_rules_targets(struct memory_manager *m, const struct memory_input *in)
{
    for (size_t i = 0; i < m->table.n; i++)
        m->plan[i].target = target_of(m, &in->vms[i], &m->table.track[i], &m->plan[i]);
}
