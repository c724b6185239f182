// The table of active VMs, by UUID.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/libvirt_internal.h"

// The index of the first VM whose UUID is not below uuid.
static size_t position(const struct lv_host *host, const struct host_uuid *uuid)
{
    size_t low = 0, high = host->vms.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (host_uuid_compare(&host->vms.at[middle]->uuid, uuid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lv_vm *lv_vm_find(struct lv_host *host, const struct host_uuid *uuid)
{
    size_t i = position(host, uuid);
    bool there = i < host->vms.n && host_uuid_compare(&host->vms.at[i]->uuid, uuid) == 0;
    return there ? host->vms.at[i] : NULL;
}

struct lv_vm *lv_vm_add(struct lv_host *host, const struct host_uuid *uuid, const char *name)
{
    struct lv_vm *vm = lv_vm_find(host, uuid);
    if (vm) {
        snprintf(vm->name, sizeof vm->name, "%s", name);
        return vm;
    }
    vm = calloc(1, sizeof *vm);
    if (!vm || lv_table_reserve(&host->vms, host->vms.n + 1) < 0) {
        free(vm);
        return NULL;
    }
    vm->uuid = *uuid;
    snprintf(vm->name, sizeof vm->name, "%s", name);
    vm->maxmem_kib = vm->current_kib = vm->libvirt_rss_kib = HOST_UNKNOWN;
    vm->balloon = (struct host_balloon){.last_update_s = HOST_UNKNOWN,
                                        .last_update_age_ms = HOST_UNKNOWN,
                                        .unused_kib = HOST_UNKNOWN,
                                        .usable_kib = HOST_UNKNOWN,
                                        .available_kib = HOST_UNKNOWN,
                                        .disk_caches_kib = HOST_UNKNOWN,
                                        .swap_in_kib = HOST_UNKNOWN,
                                        .swap_out_kib = HOST_UNKNOWN,
                                        .major_faults = HOST_UNKNOWN};
    size_t i = position(host, uuid);
    memmove(&host->vms.at[i + 1], &host->vms.at[i], (host->vms.n - i) * sizeof host->vms.at[0]);
    host->vms.at[i] = vm;
    host->vms.n++;
    return vm;
}

static void free_vm(struct lv_vm *vm)
{
    if (vm->domain)
        virDomainFree(vm->domain);
    process_release(vm->process);
    free(vm->vcpu);
    free(vm);
}

void lv_vm_remove(struct lv_host *host, const struct host_uuid *uuid)
{
    size_t i = position(host, uuid);
    if (i >= host->vms.n || host_uuid_compare(&host->vms.at[i]->uuid, uuid) != 0)
        return;
    free_vm(host->vms.at[i]);
    memmove(&host->vms.at[i], &host->vms.at[i + 1], (host->vms.n - i - 1) * sizeof host->vms.at[0]);
    host->vms.n--;
}

void lv_vms_forget_domains(struct lv_host *host)
{
    for (size_t i = 0; i < host->vms.n; i++) {
        if (host->vms.at[i]->domain)
            virDomainFree(host->vms.at[i]->domain);
        host->vms.at[i]->domain = NULL;
    }
}

void lv_vms_free(struct lv_host *host)
{
    for (size_t i = 0; i < host->vms.n; i++)
        free_vm(host->vms.at[i]);
    host->vms.n = 0;
    lv_table_free(&host->vms);
}

enum host_vm_state lv_state(int state, int reason)
{
    switch (state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
        return HOST_VM_RUNNING;
    case VIR_DOMAIN_PAUSED:
        return reason == VIR_DOMAIN_PAUSED_MIGRATION ? HOST_VM_INCOMING : HOST_VM_PAUSED;
    case VIR_DOMAIN_PMSUSPENDED:
        return HOST_VM_PAUSED;
    case VIR_DOMAIN_SHUTDOWN:
        return HOST_VM_SHUTTING_DOWN;
    case VIR_DOMAIN_SHUTOFF:
        return HOST_VM_OFF;
    case VIR_DOMAIN_CRASHED:
        return HOST_VM_CRASHED;
    default:
        return HOST_VM_UNKNOWN;
    }
}
