// From the table of VMs to the sample that is delivered: what is derived is derived here.
#include <string.h>

#include "base/clock.h"
#include "host/libvirt_internal.h"
#include "host/overhead.h"

static enum host_unballoonable unballoonable(const struct lv_vm *vm)
{
    if (!vm->facts.known || (vm->facts.balloon_model == HOST_BALLOON_MODEL_VIRTIO &&
                             vm->driver == HOST_BALLOON_DRIVER_UNKNOWN && !lv_vm_hangs(vm) && !vm->stopped))
        return HOST_UNBALLOONABLE_NOT_READ;
    if (vm->state != HOST_VM_RUNNING)
        return HOST_UNBALLOONABLE_STATE;
    if (vm->stopped)
        return HOST_UNBALLOONABLE_STOPPED;
    if (lv_vm_hangs(vm))
        return HOST_UNBALLOONABLE_HANGING;
    if (vm->facts.balloon_model != HOST_BALLOON_MODEL_VIRTIO)
        return HOST_UNBALLOONABLE_NO_DEVICE;
    if (vm->facts.vfio)
        return HOST_UNBALLOONABLE_VFIO;
    if (vm->facts.hugepages)
        return HOST_UNBALLOONABLE_HUGEPAGES;
    if (vm->facts.memory_locked)
        return HOST_UNBALLOONABLE_LOCKED;
    if (vm->driver == HOST_BALLOON_DRIVER_OLD)
        return HOST_UNBALLOONABLE_OLD_DRIVER;
    return vm->driver == HOST_BALLOON_DRIVER_ANSWERS ? HOST_BALLOONABLE : HOST_UNBALLOONABLE_NO_DRIVER;
}

// QEMU's own part, and what is left of the resident set for the guest.
static void fill_memory(const struct lv_vm *vm, struct host_vm *out)
{
    uint64_t own_kib = vm->learned ? vm->own_kib : overhead_estimate_kib(&vm->facts);
    uint64_t total_kib = HOST_UNKNOWN, tables_kib = 0;
    out->overhead_source = vm->learned ? HOST_OVERHEAD_LEARNED : HOST_OVERHEAD_ESTIMATED;
    if (vm->process) {
        out->resident = vm->process->resident;
        if (out->resident.known)
            total_kib = out->resident.anon_kib + out->resident.shmem_kib + out->resident.swap_kib;
        if (host_known(out->resident.page_tables_kib))
            tables_kib = out->resident.page_tables_kib;
    } else {
        total_kib = vm->libvirt_rss_kib; // file-backed pages included: an upper figure
    }
    if (tables_kib == 0 && host_known(out->maxmem_kib))
        tables_kib = out->maxmem_kib / 512;
    out->overhead_kib = own_kib + tables_kib;
    out->actual_kib = HOST_UNKNOWN;
    if (!host_known(total_kib))
        return;
    // an estimate must not eat into a guest that is only just starting
    out->actual_kib = total_kib > own_kib ? total_kib - own_kib : 0;
    if (out->actual_kib > out->maxmem_kib)
        out->actual_kib = out->maxmem_kib;
    if (vm->facts.hugepages)
        out->actual_kib = out->maxmem_kib; // set aside as a whole, and not in the resident set
}

static void fill_cpu(struct lv_host *host, struct lv_vm *vm, struct host_vm *out)
{
    const struct process *process = vm->process;
    const struct host_vcpu *vcpu = process ? process->vcpu : vm->vcpu;
    out->n_vcpus = process ? process->n_vcpus : vm->n_vcpus;
    struct host_vcpu *copy = arena_new_array(host->arena, struct host_vcpu, out->n_vcpus);
    if (out->n_vcpus > 0)
        memcpy(copy, vcpu, out->n_vcpus * sizeof *copy);
    out->vcpu = copy;
    out->emulator_run_ns = HOST_UNKNOWN;
    if (!process)
        return;
    uint64_t vcpus_ns = 0;
    for (uint32_t i = 0; i < out->n_vcpus; i++)
        vcpus_ns += host_known(copy[i].run_ns) ? copy[i].run_ns : 0;
    // the total comes in ticks of 10 ms: what falls below what was told before is that
    if (host_known(process->cpu_ns) && process->cpu_ns > vcpus_ns &&
        process->cpu_ns - vcpus_ns > vm->emulator_ns)
        vm->emulator_ns = process->cpu_ns - vcpus_ns;
    out->emulator_run_ns = vm->emulator_ns;
    out->throttled_ns = process->throttled_ns;
    out->cpu_weight = process->limits.weight;
    out->cpu_limit_cores = process->limits.limit_cores;
    out->mem_limit_kib = process->limits.mem_limit_kib;
}

static void fill_vm(struct lv_host *host, struct lv_vm *vm, struct host_vm *out)
{
    *out = (struct host_vm){.uuid = vm->uuid, .state = vm->state, .mem_limit_kib = HOST_UNKNOWN};
    memcpy(out->name, vm->name, sizeof out->name);
    out->maxmem_kib = vm->maxmem_kib;
    out->current_kib = vm->current_kib;
    out->balloon = vm->balloon;
    out->balloon_driver = vm->driver;
    out->unballoonable = unballoonable(vm);
    out->process_stopped = vm->stopped;
    out->hanging = lv_vm_hangs(vm);
    out->migrating = vm->migrating;
    out->dirty_kib_s = vm->dirty_at.ms > 0 ? vm->dirty_kib_s : HOST_UNKNOWN;
    out->dirty_at = vm->dirty_at;
    out->pid = vm->process ? vm->process->pid : 0;
    struct host_facts *facts = arena_new_object(host->arena, struct host_facts);
    *facts = vm->facts;
    out->facts = facts;
    out->facts_generation = vm->facts_generation;
    fill_memory(vm, out);
    fill_cpu(host, vm, out);
}

void lv_sample_build(struct lv_host *host)
{
    const struct lv_round *round = &host->round;
    arena_reset(host->arena);
    struct host_vm *vms = arena_new_array(host->arena, struct host_vm, host->vms.n);
    for (size_t i = 0; i < host->vms.n; i++)
        fill_vm(host, host->vms.at[i], &vms[i]);
    struct mono now = clock_mono();
    host->sample = (struct host_sample){
        .taken_at = now,
        .taken_at_wall = clock_wall(),
        .groups = round->brought,
        .connected = lv_answers(host),
        .lost_for_s = host->connection ? 0 : (double)(lv_now_ms(host) - host->lost_at_ms) / 1000.0,
        .abandoned_calls = host->abandoned,
        .round_ms = (double)(now.ms - round->started.ms),
        .memory = round->memory,
        .cpu = round->cpu,
        .n_vms = host->vms.n,
        .vms = vms,
    };
    memcpy(host->sample.trouble, round->trouble, sizeof host->sample.trouble);
}
