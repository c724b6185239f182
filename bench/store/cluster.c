#include "cluster.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void made_host_init(struct made_host *host, unsigned index, uint32_t n_vms, struct random *random)
{
    memset(host, 0, sizeof *host);
    host->n_vms = n_vms;
    snprintf(host->name, sizeof host->name, "host%03u", index);
    host->row = (struct store_host){
        .name = host->name,
        .address = "qemu+tls://host/system",
        .agent_version = "bench",
        .mode = STORE_MODE_AUTO,
        .cpu_cores = 16,
        .mem_mib = 65536,
        .mem_reserved_mib = 2048,
        .net_mib_s = 1000,
        .threads_per_core = 2,
        .core_speed = 1,
        .psi_cpu_permille = -1,
        .psi_memory_permille = -1,
    };
    for (uint32_t i = 0; i < n_vms; i++) {
        snprintf(host->vm_names[i], sizeof host->vm_names[i], "vm%03u-%02u", index, i);
        snprintf(host->uuids[i], sizeof host->uuids[i], "%08x-0000-4000-8000-%012x", index, i);
        host->level_cores[i] = random_unit(random) * 1.5;
        host->level_mib[i] = 500 + random_unit(random) * 2500;
        host->vms[i] = (struct store_vm){
            .uuid = host->uuids[i],
            .name = host->vm_names[i],
            .mode = STORE_MODE_AUTO,
            .movable = true,
            .vcpus = 2,
            .mem_mib = 4096,
            .shares = i % 4 ? 1000 : 2000,
            .cpu_shares = 1000,
            .mem_shares = 1000,
            .cpu_limit_cores = 2,
            .mem_limit_mib = 4096,
            .dirty_mib_s = 10,
            .swap_in_mib_s = 0,
            .mem_overhead_mib = 80,
        };
    }
    made_host_step(host, random);
}

static double wander(double value, double step, double low, double high, struct random *random)
{
    double next = value + (random_unit(random) - 0.5) * step;
    if (random_below(random, 300) == 0) // a jump every five minutes
        next = low + random_unit(random) * (high - low);
    return fmin(fmax(next, low), high);
}

void made_host_step(struct made_host *host, struct random *random)
{
    struct store_host *row = &host->row;
    row->cpu_demand_cores = row->mem_used_mib = row->mem_current_mib = row->mem_unmet_mib = 0;
    for (uint32_t i = 0; i < host->n_vms; i++) {
        struct store_vm *vm = &host->vms[i];
        host->level_cores[i] = wander(host->level_cores[i], 0.05, 0, 2, random);
        host->level_mib[i] = wander(host->level_mib[i], 20, 200, 4096, random);
        vm->cpu_demand_cores = host->level_cores[i];
        vm->cpu_used_cores = host->level_cores[i];
        vm->mem_used_mib = host->level_mib[i];
        vm->mem_current_mib = fmin(4096, vm->mem_used_mib * 1.2 + 64);
        vm->mem_actual_mib = fmin(4096, vm->mem_used_mib * 1.1 + 32);
        vm->mem_entitlement_mib = vm->mem_current_mib;
        vm->cpu_entitlement_cores = 2;
        row->cpu_demand_cores += vm->cpu_demand_cores;
        row->mem_used_mib += vm->mem_used_mib + vm->mem_overhead_mib;
        row->mem_current_mib += vm->mem_current_mib + vm->mem_overhead_mib;
    }
    row->cpu_used_cores = fmin(row->cpu_demand_cores, row->cpu_cores);
    row->cpu_unmet_cores = row->cpu_demand_cores - row->cpu_used_cores;
    double lack = fmax(0, row->cpu_unmet_cores / fmax(row->cpu_demand_cores, 1e-9));
    double room = row->mem_mib - row->mem_reserved_mib;
    row->mem_unmet_mib = fmax(0, row->mem_used_mib - room);
    double lack_mem = row->mem_unmet_mib / fmax(row->mem_used_mib, 1e-9);
    for (uint32_t i = 0; i < host->n_vms; i++) {
        struct store_vm *vm = &host->vms[i];
        vm->cpu_unmet_cores = vm->cpu_demand_cores * lack;
        vm->mem_unmet_mib = vm->mem_used_mib * lack_mem;
        vm->s_cpu = 1 - lack;
        vm->s_mem = 1 - lack_mem;
    }
    row->mem_available_mib = fmax(0, room - row->mem_used_mib);
    row->memory_state = row->mem_available_mib > 0.06 * room   ? 0
                        : row->mem_available_mib > 0.04 * room ? 1
                                                               : 2;
    row->n_vms = host->n_vms;
}
