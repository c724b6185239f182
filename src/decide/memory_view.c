// What the memory manager tells: a view of each VM, and events.
#include <math.h>

#include "decide/memory_rules.h"

void memory_rules_event(struct memory_manager *m, enum memory_event_kind kind, size_t vm, uint64_t figure)
{
    if (m->n_events < m->max_events)
        m->event[m->n_events++] = (struct memory_event){kind, vm, figure};
}

static enum memory_condition condition_of(const struct memory_track *t, const struct memory_vm_input *vm)
{
    if (vm->excluded)
        return MEMORY_EXCLUDED;
    if (vm->obstacle != MEMORY_OBSTACLE_NONE)
        return MEMORY_UNBALLOONABLE;
    if (vm->migrating)
        return MEMORY_LEAVING;
    if (!vm->running)
        return MEMORY_STOPPED;
    if (vm->call_pending)
        return MEMORY_WAITING;
    if (!vm->has_statistics || vm->statistics_age_ms >= MEMORY_STALE_MS)
        return MEMORY_STALE;
    return t->stuck ? MEMORY_STUCK : MEMORY_ACTIVE;
}

void memory_rules_condition(struct memory_manager *m, size_t i, const struct memory_vm_input *vm,
                            struct mono now)
{
    struct memory_track *t = &m->table.track[i];
    enum memory_condition before = t->condition;
    t->condition = condition_of(t, vm);
    if (t->condition != before || t->trouble_since.ms == 0)
        t->trouble_since = now;
    if (t->condition == MEMORY_ACTIVE) {
        if (t->reported)
            memory_rules_event(m, MEMORY_EVENT_RECOVERED, i, 0);
        t->reported = false;
    }
    if (vm->obstacle != t->obstacle_reported) {
        if (vm->obstacle != MEMORY_OBSTACLE_NONE)
            memory_rules_event(m, MEMORY_EVENT_UNBALLOONABLE, i, vm->obstacle);
        t->obstacle_reported = vm->obstacle;
    }
    bool lasts = now.ms - t->trouble_since.ms >= MEMORY_REPORT_MS - MEMORY_STALE_MS;
    if (t->reported || !lasts)
        return;
    bool hangs = t->condition == MEMORY_STOPPED && vm->hanging;
    if (t->condition == MEMORY_STALE || t->condition == MEMORY_WAITING || hangs) {
        memory_rules_event(m, MEMORY_EVENT_STALE, i, (uint64_t)vm->statistics_age_ms);
        t->reported = true;
    } else if (t->condition == MEMORY_STUCK) {
        memory_rules_event(m, MEMORY_EVENT_STUCK, i, (uint64_t)t->commanded_kib);
        t->reported = true;
    }
}

void memory_rules_view(struct memory_manager *m, const struct memory_input *in)
{
    for (size_t i = 0; i < m->table.n; i++) {
        const struct memory_track *t = &m->table.track[i];
        const struct memory_plan *p = &m->plan[i];
        double demand = p->wants;
        double entitlement = p->part ? p->entitlement : t->current_kib;
        m->view[i] = (struct memory_vm_view){
            .id = t->id,
            .condition = t->condition,
            .obstacle = in->vms[i].obstacle,
            .distress = t->distress,
            .draining = t->draining,
            .usedmem_kib = (uint64_t)memory_track_used_kib(t),
            .actualmem_kib = (uint64_t)t->actual_kib,
            .overhead_kib = memory_overhead_kib(&t->overhead, in->vms[i].overhead_kib),
            .idle_kib = (uint64_t)p->idle,
            .demand_kib = (uint64_t)demand,
            .entitlement_kib = (uint64_t)fmin(entitlement, fmax(demand, entitlement)),
            .floor_kib = (uint64_t)p->floor,
            .target_kib = (uint64_t)p->target,
            .unmet_kib = p->part ? (uint64_t)fmax(0, demand - entitlement) : 0,
            .reason = p->reason,
        };
    }
}

void memory_rules_report_host(struct memory_manager *m, const struct memory_host_input *host, struct mono now)
{
    double there = m->sum.actual + (double)host->available_kib + (double)host->swap_free_kib -
                   (double)m->thresholds.reserve_kib;
    m->missing = fmax(0, m->sum.floor - there);
    if (m->missing > 0 && !m->missing_reported)
        memory_rules_event(m, MEMORY_EVENT_NOT_HELD, SIZE_MAX, (uint64_t)m->missing);
    m->missing_reported = m->missing > 0;

    double unmet = 0;
    for (size_t i = 0; i < m->table.n; i++)
        unmet += (double)m->view[i].unmet_kib;
    bool is = unmet >= MEMORY_BAND_KIB;
    if (is && !m->unmet)
        m->unmet_since = now;
    m->unmet = is;
    if (!is)
        m->unmet_reported = false;
    if (is && !m->unmet_reported && now.ms - m->unmet_since.ms >= MEMORY_REPORT_MS) {
        memory_rules_event(m, MEMORY_EVENT_UNMET, SIZE_MAX, (uint64_t)unmet);
        m->unmet_reported = true;
    }
}

const char *memory_obstacle_text(enum memory_obstacle obstacle)
{
    static const char *const text[] = {
        [MEMORY_OBSTACLE_NONE] = "can be ballooned",
        [MEMORY_OBSTACLE_UNKNOWN] = "its definition is not known yet",
        [MEMORY_OBSTACLE_NO_DEVICE] = "no virtio balloon device",
        [MEMORY_OBSTACLE_VFIO] = "an assigned device pins its memory",
        [MEMORY_OBSTACLE_HUGEPAGES] = "its memory is in huge pages",
        [MEMORY_OBSTACLE_LOCKED] = "its memory is locked",
        [MEMORY_OBSTACLE_NO_DRIVER] = "the guest's balloon driver never answered",
        [MEMORY_OBSTACLE_OLD_DRIVER] = "the guest's balloon driver does not tell usable memory",
    };
    return (size_t)obstacle < sizeof text / sizeof *text ? text[obstacle] : "?";
}

const char *memory_event_name(enum memory_event_kind kind)
{
    static const char *const name[] = {
        [MEMORY_EVENT_STATE] = "state",
        [MEMORY_EVENT_STALE] = "stale",
        [MEMORY_EVENT_STUCK] = "stuck",
        [MEMORY_EVENT_RECOVERED] = "recovered",
        [MEMORY_EVENT_UNBALLOONABLE] = "unballoonable",
        [MEMORY_EVENT_DISTRESS] = "distress",
        [MEMORY_EVENT_UNMET] = "unmet",
        [MEMORY_EVENT_NOT_HELD] = "not-held",
    };
    return (size_t)kind < sizeof name / sizeof *name ? name[kind] : "?";
}
