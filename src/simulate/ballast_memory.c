// The memory manager of a simulated host.
#include <math.h>

#include "simulate/ballast.h"

#define KIB 1024.0
// Part of what a guest lacks that it swaps in each second, and as much out: it needs all of it, now this, now that.
#define SWAP_TURNOVER_PER_S 0.05
#define HOST_SWAP_PART 0.25 // of its memory: a host without swap would kill guests, and none is run so

static uint64_t kib(double mib)
{
    return mib > 0 ? (uint64_t)(mib * KIB) : 0;
}

// The guest as its balloon driver would tell: what it has touched and does not use is page cache, the rest is free; what
// it lacks shows only in what it swaps.
static struct memory_vm_input guest(const struct ballast *b, uint32_t v)
{
    const struct view *view = b->view;
    struct ballast_vm *vm = &b->vm[v];
    vm->swapped_mib +=
        view->guest_swap_mib[v] * fmin(1, SWAP_TURNOVER_PER_S * (double)(b->now_ms - vm->swapped_ms) / 1000);
    vm->swapped_ms = b->now_ms;
    double usable = view->mem_current_mib[v] - view->mem_used_mib[v];
    double unused = view->mem_current_mib[v] - fmax(view->mem_actual_mib[v], view->mem_used_mib[v]);
    return (struct memory_vm_input){
        .id = v,
        .maxmem_kib = kib(view->vm_mem_mib[v]),
        .currentmem_kib = kib(view->mem_current_mib[v]),
        .resident_kib = kib(view->mem_actual_mib[v] + view->vm_overhead_mib[v]),
        .overhead_kib = kib(view->vm_overhead_mib[v]),
        .has_statistics = view->known[v],
        .unused_kib = kib(unused),
        .usable_kib = kib(usable),
        .disk_caches_kib = kib(usable - unused),
        .swap_in_kib = kib(vm->swapped_mib),
        .swap_out_kib = kib(vm->swapped_mib + view->guest_swap_mib[v]),
        .shares = view->vm_shares[v],
        .guest_swap = MEMORY_YES,
        .autodeflate = true,
        .running = true,
        .migrating = view->vm_to[v] != VIEW_NONE,
    };
}

void ballast_memory_step(struct ballast *b, uint32_t h)
{
    const struct view *view = b->view;
    const struct view_list *list = &view->host_vms[h];
    struct ballast_host *host = &b->host[h];
    if (!host->memory)
        host->memory = memory_manager_new(view->n_vms, NULL);
    if (!host->memory)
        return;
    double resident = 0, capacity = view->host_mem_mib[h];
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t v = list->vm[i];
        resident += view->mem_actual_mib[v] + view->vm_overhead_mib[v];
        b->memory_vm[i] = guest(b, v);
    }
    double swap = capacity * HOST_SWAP_PART, swapped = resident > capacity ? resident - capacity : 0;
    struct memory_input in = {
        .host = {.total_kib = kib(capacity),
                 .available_kib = kib(capacity - resident),
                 .swap_total_kib = kib(swap),
                 .swap_free_kib = kib(swap - swapped)},
        .n_vms = list->n,
        .vms = b->memory_vm,
    };
    struct memory_output out;
    memory_manager_step(host->memory, &in, ballast_mono(b), &out);
    for (size_t i = 0; i < out.n_actions; i++)
        world_set_balloon(b->world, (uint32_t)out.actions[i].id, (double)out.actions[i].to_kib / KIB);
    for (size_t i = 0; i < out.n_views; i++) {
        struct ballast_vm *vm = &b->vm[out.views[i].id];
        vm->unmet_mib = (double)out.views[i].unmet_kib / KIB;
        vm->distress = out.views[i].distress;
    }
    host->memory_ms = out.urgent ? b->now_ms : b->now_ms + out.next_step_ms;
}
