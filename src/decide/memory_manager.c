// Theory of operation.
//
// Three sums decide. R is the reserve, A what the host has available.
//   capacity  sum of actualmem + A - R: what the VMs' memory can add up to (and what their kernels never use). Reclaiming idle memory changes
//             the two first terms against each other and not the sum, so the sum is held within a band and
//             noise of a few MiB moves no balloon.
//   room      capacity + k (A - R) + half of the host's free swap, of which no more than k times: what balloons may
//             leave in all. 1 + k is how often free memory is promised: once in hard and low (the fence: no
//             guest can ever grow into what is not there, and a host that has swapped comes out of its swap),
//             up to twice in soft, and in high ever more often, until at one and a half times high every balloon
//             is let go.
//   fixed     VMs that take no part (unballoonable, stuck, stopped, migrating, silent) are as they are; what
//             they may still take is kept free, at the cost of others' room and not of others' need; what they
//             are taking right now is lost to capacity.
// memory_divide turns them and the VMs' claims into a target for each VM.
//
// Idle memory, actualmem that the guest does not use, is returned to the host only when a balloon takes its
// pages, and a balloon may take pages first that were never touched. So a *drain* lowers a balloon far
// enough that the resident set must fall, ends when it has fallen, and lets the balloon go again: most
// idle first, no more of them than the host lacks.
//
// Free first, then give: what balloons were told to leave counts as taken from the moment on which it was
// said, and what they were told to give up only when they have. Distress may borrow from the reserve.
#include "decide/memory_manager.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "decide/memory_rules.h"

struct memory_settings memory_settings_default(void)
{
    return (struct memory_settings){
        .cache_keep_permille = 500,
        .floor_kib = 64 * 1024,
        .swap_floor_permille = 500,
    };
}

struct memory_manager *memory_manager_new(size_t max_vms, const struct memory_settings *settings)
{
    struct memory_manager *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    size_t n = max_vms + 1;
    m->settings = settings ? *settings : memory_settings_default();
    bool ok = memory_table_init(&m->table, max_vms) == 0;
    m->plan = calloc(n, sizeof *m->plan);
    m->order = calloc(n, sizeof *m->order);
    m->part = calloc(n, sizeof *m->part);
    m->claim = calloc(n, sizeof *m->claim);
    m->buffer = calloc(n, sizeof *m->buffer);
    m->entitlement = calloc(n, sizeof *m->entitlement);
    m->room = calloc(n, sizeof *m->room);
    m->scratch = malloc(entitlement_scratch_bytes(n));
    m->action = calloc(n, sizeof *m->action);
    m->view = calloc(n, sizeof *m->view);
    m->max_events = 4 * n;
    m->event = calloc(m->max_events, sizeof *m->event);
    if (ok && m->plan && m->order && m->part && m->claim && m->buffer && m->entitlement && m->room &&
        m->scratch && m->action && m->view && m->event)
        return m;
    return memory_manager_free(m);
}

struct memory_manager *memory_manager_free(struct memory_manager *m)
{
    if (!m)
        return NULL;
    memory_table_free(&m->table);
    free(m->plan);
    free(m->order);
    free(m->part);
    free(m->claim);
    free(m->buffer);
    free(m->entitlement);
    free(m->room);
    free(m->scratch);
    free(m->action);
    free(m->view);
    free(m->event);
    free(m);
    return NULL;
}

void memory_manager_set(struct memory_manager *m, const struct memory_settings *settings)
{
    m->settings = *settings;
}

// Sums over all VMs, and the claims of those that take part.
static void take_stock(struct memory_manager *m, const struct memory_input *in, size_t n)
{
    m->n_part = 0;
    m->sum = (struct memory_sums){0};
    for (size_t i = 0; i < n; i++) {
        struct memory_plan *p = &m->plan[i];
        const struct memory_track *t = &m->table.track[i];
        memory_rules_plan(m, &in->vms[i], t, p);
        m->sum.actual += t->actual_kib;
        double may_have = fmax(t->current_kib, t->commanded_kib) * (1 - MEMORY_NEVER_USED_PERMILLE / 1000.0);
        m->sum.committed += fmax(0, may_have - t->actual_kib);
        m->sum.idle += p->idle;
        m->sum.demand += p->wants;
        m->sum.floor += p->part ? p->floor : p->may_take + t->actual_kib;
        m->sum.overhead += (double)memory_overhead_kib(&t->overhead, in->vms[i].overhead_kib);
        if (p->part) {
            m->sum.part_actual += t->actual_kib;
            m->sum.never_used += t->current_kib * MEMORY_NEVER_USED_PERMILLE / 1000;
            m->claim[m->n_part] = p->claim;
            m->part[m->n_part++] = i;
        } else {
            m->sum.fixed_growth += p->may_take;
            m->sum.fixed_growing += fmin(p->may_take, memory_track_growth_kib_s(t) * MEMORY_GROWTH_AHEAD_S);
        }
    }
}

// capacity moves only when what it is made of has left the band around it.
// It is never more than could be if the host had nothing else to do: what is measured at different moments may not add up. What
// the host has swapped out is not there: else a host in low would stay in its swap with demands far below its memory.
static double held_capacity(struct memory_manager *m, const struct memory_host_input *host)
{
    double reserve = (double)m->thresholds.reserve_kib;
    double there = m->sum.part_actual + (double)host->available_kib - reserve;
    double most = (double)host->total_kib - reserve - m->sum.overhead;
    double now = fmin(there, most) + m->sum.never_used;
    double band = fmax(MEMORY_CAPACITY_BAND_KIB,
                       (double)m->thresholds.reserve_kib * MEMORY_CAPACITY_BAND_PERMILLE / 1000);
    if (!m->held || m->held_parts != m->n_part || fabs(now - m->capacity) > band) {
        m->capacity = now;
        m->held = true;
        m->held_parts = m->n_part;
    }
    return fmax(0, m->capacity - m->sum.fixed_growing);
}

// How often what is free may be promised besides once, by what is expected to be available: the fence is closed in hard
// and low, opens in the lower half of soft so that nothing jumps at hard, and is gone above MEMORY_FREE_PERMILLE.
static double promise_at(const struct memory_thresholds *t, enum memory_host_state state, double expected)
{
    double high = (double)t->high_kib, soft = (double)t->soft_kib;
    if (state >= MEMORY_HARD)
        return 0;
    if (expected < high)
        return fmin(1, fmax(0, (expected - soft) / ((high - soft) / 2)));
    double left = 1 - (expected - high) / (high * (MEMORY_FREE_PERMILLE / 1000.0 - 1));
    return 1 / fmax(left, 1 / MEMORY_PROMISE_MOST);
}

// The fence opens only when it has not closed for a while: a burst that is over is often followed by the next.
static double promise_of(struct memory_manager *m, struct mono now)
{
    double wanted = promise_at(&m->thresholds, m->state.state, (double)m->state.expected_kib);
    int64_t hold_ms = (int64_t)fmax(MEMORY_PROMISE_HOLD_MS, 2000 * m->elapsed_s);
    bool held = m->promise_fell && now.ms - m->promise_fell_at.ms < hold_ms;
    if (wanted < m->promise) {
        m->promise_fell = true;
        m->promise_fell_at = now;
        m->promise = wanted;
    } else if (!held) {
        m->promise = wanted;
    }
    return m->promise;
}

static void divide(struct memory_manager *m, const struct memory_host_input *host, struct mono now)
{
    double available = (double)host->available_kib, reserve = (double)m->thresholds.reserve_kib;
    double capacity = held_capacity(m, host);
    double promise = promise_of(m, now);
    double room = capacity + promise * fmax(0, available - reserve) +
                  fmin(1, promise) * (double)host->swap_free_kib / 2 -
                  fmax(0, m->sum.fixed_growth - m->sum.fixed_growing);
    m->division =
        memory_divide(capacity, room, m->n_part, m->claim, m->buffer, m->scratch, m->entitlement, m->room);
    for (size_t k = 0; k < m->n_part; k++) {
        m->plan[m->part[k]].entitlement = m->entitlement[k];
        m->plan[m->part[k]].room = m->room[k];
    }
}

static void fill_output(struct memory_manager *m, const struct memory_input *in, size_t n,
                        struct memory_output *out)
{
    const struct memory_host_input *host = &in->host;
    *out = (struct memory_output){
        .state = m->state.state,
        .thresholds = m->thresholds,
        .available_kib = host->available_kib,
        .expected_kib = m->state.expected_kib,
        .capacity_kib = (uint64_t)fmax(0, m->capacity),
        .demand_kib = (uint64_t)m->sum.demand,
        .idle_kib = (uint64_t)m->sum.idle,
        .n_actions = m->n_actions,
        .actions = m->action,
        .n_views = n,
        .views = m->view,
        .n_events = m->n_events,
        .events = m->event,
    };
    bool moving = m->n_actions > 0;
    double growth = 0;
    for (size_t i = 0; i < n; i++) {
        const struct memory_vm_view *v = &m->view[i];
        const struct memory_track *t = &m->table.track[i];
        out->unmet_kib += v->unmet_kib;
        growth += m->plan[i].part ? fmax(0, t->current_kib - t->actual_kib) : m->plan[i].may_take;
        bool short_of = t->distress && t->current_kib < m->plan[i].claim.limit;
        moving = moving || t->draining || (m->plan[i].part && (memory_track_moving(t) || short_of));
        if (v->condition == MEMORY_UNBALLOONABLE) {
            out->n_unballoonable++;
            out->unballoonable_kib += v->actualmem_kib;
        }
    }
    out->growth_kib = (uint64_t)growth;
    out->overcommitted = growth > (double)host->available_kib - (double)m->thresholds.reserve_kib;
    out->missing_kib = (uint64_t)m->missing;
    out->refuse_auto = m->missing > 0;
    out->urgent = moving || m->state.state >= MEMORY_HARD;
    bool near = out->overcommitted && host->available_kib < 2 * m->thresholds.high_kib;
    out->next_step_ms = moving                                  ? MEMORY_STEP_MOVING_MS
                        : m->state.state >= MEMORY_SOFT || near ? MEMORY_STEP_SHORT_MS
                        : out->overcommitted                    ? MEMORY_STEP_WATCH_MS
                                                                : MEMORY_STEP_CALM_MS;
}

void memory_manager_step(struct memory_manager *m, const struct memory_input *input, struct mono now,
                         struct memory_output *ret_output)
{
    assert(input->n_vms <= m->table.max);
    struct memory_input sane = *input;
    const struct memory_input *in = &sane;
    if (sane.host.available_kib > sane.host.total_kib)
        sane.host.available_kib = sane.host.total_kib;
    if (sane.host.swap_free_kib > sane.host.swap_total_kib)
        sane.host.swap_free_kib = sane.host.swap_total_kib;
    size_t n = in->n_vms;
    const struct memory_host_input *host = &in->host;
    m->n_events = 0;
    m->n_actions = 0;
    m->elapsed_s = m->started ? mono_seconds_between(m->at, now) : 0;
    m->started = true;
    m->at = now;
    m->thresholds = memory_thresholds(host->total_kib, m->settings.reserve_kib);

    enum memory_host_state before = m->state.state;
    struct memory_pressure pressure = {host->available_kib, host->psi_known, host->psi_some_avg10_pct,
                                       host->swap_in_kib};
    memory_state_step(&m->state, &m->thresholds, &pressure, now);
    if (m->state.state != before)
        memory_rules_event(m, MEMORY_EVENT_STATE, SIZE_MAX, m->state.state);

    memory_table_turn(&m->table, n, in->vms);
    for (size_t i = 0; i < n; i++) {
        bool distress = m->table.track[i].distress;
        memory_track_step(&m->table.track[i], &in->vms[i], m->settings.cache_keep_permille, now);
        memory_rules_condition(m, i, &in->vms[i], now);
        if (m->table.track[i].distress && !distress)
            memory_rules_event(m, MEMORY_EVENT_DISTRESS, i, 0);
    }
    take_stock(m, in, n);
    divide(m, host, now);
    memory_rules_drain(m, in->vms, host, now);
    memory_rules_targets(m, in);
    memory_rules_act(m, in, now);
    memory_rules_view(m, in);
    memory_rules_report_host(m, host, now);
    fill_output(m, in, n, ret_output);
}
