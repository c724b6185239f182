// Where a VM that arrives is put, the same for every policy.
#include "simulate/world_private.h"

// CloudSim's power-aware best fit: the full request must fit, CPU and memory, and of the hosts that can the one
// whose power grows least, the first of equals. At most 10 VMs of 100 Mbit/s share a host's network there.
#define POWER_MOST_VMS 10

static uint32_t place_by_power(const struct world *w, uint32_t v)
{
    uint32_t best = VIEW_NONE;
    double best_watts = 0;
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        const struct view_list *vms = &w->host_vms[h];
        double cores = 0, mem = 0;
        for (uint32_t i = 0; i < vms->n; i++) {
            cores += w->vm_cores[vms->vm[i]];
            mem += w->vm_mem_mib[vms->vm[i]];
        }
        if (w->host_power[h] != HOST_ON || vms->n >= POWER_MOST_VMS ||
            w->vm_cores[v] > w->host_core_cores[h] * w->vm_vcpus[v] ||
            cores + w->vm_cores[v] > w->host_cores[h] || mem + w->vm_mem_mib[v] > w->host_mem_mib[h])
            continue;
        double watts = power_watts(w->host_curve[h], (cores + w->vm_cores[v]) / w->host_cores[h]) -
                       power_watts(w->host_curve[h], cores / w->host_cores[h]);
        if (best == VIEW_NONE || watts < best_watts) {
            best = h;
            best_watts = watts;
        }
    }
    return best;
}

static uint32_t place_by_room(const struct world *w, uint32_t v)
{
    uint32_t best = VIEW_NONE;
    double best_load = 0;
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        const struct view_list *vms = &w->host_vms[h];
        if (w->host_power[h] != HOST_ON || w->vm_mem_mib[v] + w->vm_overhead_mib[v] > w->host_mem_mib[h])
            continue;
        double mem = w->vm_mem_mib[v] + w->vm_overhead_mib[v];
        for (uint32_t i = 0; i < vms->n; i++)
            mem += w->vm_mem_mib[vms->vm[i]] + w->vm_overhead_mib[vms->vm[i]];
        double load = mem / w->host_mem_mib[h];
        if (best == VIEW_NONE || load < best_load) {
            best = h;
            best_load = load;
        }
    }
    return best;
}

uint32_t world_place(const struct world *w, uint32_t v)
{
    uint32_t h = w->scenario->placement == PLACEMENT_POWER ? place_by_power(w, v) : VIEW_NONE;
    return h != VIEW_NONE ? h : place_by_room(w, v);
}
