#include "decide/evacuate.h"

// Candidate evaluations after which the search gives what it has: some milliseconds of work, since the caller is an
// agent's loop. Emptying needs the VMs of one host x the hosts.
#define WORK_MOST 1000000

void evacuate_next(const struct snapshot *snapshot, uint32_t host, const bool *held, double growth,
                   struct arena *arena, struct evacuation *ret)
{
    const struct snapshot_vms *vms = &snapshot->vms;
    bool *hold = arena_new_array(arena, bool, vms->n);
    struct evacuation e = {.vm = SNAPSHOT_NONE, .to = SNAPSHOT_NONE};
    for (uint32_t v = 0; v < vms->n; v++) {
        hold[v] = vms->host[v] != host || held[v];
        e.n_waiting += !hold[v] && vms->movable[v];
    }
    if (e.n_waiting > 0) {
        struct plan_settings settings = plan_settings_default();
        settings.mem_growth = growth;
        settings.depth = 0;
        settings.work_limit = WORK_MOST;
        settings.hold = hold;
        struct plan plan;
        plan_make(snapshot, &settings, arena, &plan);
        if (plan.n_moves > 0) {
            const struct plan_move *first = &plan.moves[0];
            e.vm = first->vm;
            e.to = first->to;
            e.benefit_lost_vm_s = first->benefit_lost_vm_s;
            e.cost_lost_vm_s = first->cost_lost_vm_s;
            e.duration_s = first->duration_s;
            e.reason = first->reason;
        }
        for (uint32_t i = 0; i < plan.n_stuck && !e.reason; i++) {
            uint32_t v = plan.stuck[i].vm;
            if (!hold[v] && vms->movable[v])
                e.reason = arena_printf(arena, "%s: %s", vms->name[v], plan.stuck[i].reason);
        }
    }
    *ret = e;
}
