#include "agent/guests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/metadata.h"

uint64_t guests_hash(const void *data, size_t size)
{
    const unsigned char *byte = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ byte[i]) * 0x100000001b3u;
    return h;
}

int guests_init(struct guests *g)
{
    memset(g, 0, sizeof *g);
    g->at = calloc(GUESTS_MAX, sizeof *g->at);
    return g->at ? 0 : -1;
}

static void free_guest(struct guest *guest)
{
    free(guest->counters);
    free(guest);
}

void guests_clear(struct guests *g)
{
    for (size_t i = 0; i < g->n; i++)
        free_guest(g->at[i]);
    free(g->at);
    memset(g, 0, sizeof *g);
}

// Index of the first entry whose UUID is not below.
static size_t lower_bound(const struct guests *g, const struct host_uuid *uuid)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (host_uuid_compare(&g->at[middle]->uuid, uuid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct guest *guests_find(const struct guests *g, const struct host_uuid *uuid)
{
    size_t i = lower_bound(g, uuid);
    return i < g->n && host_uuid_compare(&g->at[i]->uuid, uuid) == 0 ? g->at[i] : NULL;
}

// Who is gone makes room for who came, before its time.
static void forget_one(struct guests *g)
{
    size_t oldest = g->n;
    for (size_t i = 0; i < g->n; i++)
        if (!g->at[i]->present && !g->at[i]->was_present && !g->at[i]->report.known &&
            (oldest == g->n || g->at[i]->seen_at.ms < g->at[oldest]->seen_at.ms))
            oldest = i;
    if (oldest == g->n)
        return;
    free_guest(g->at[oldest]);
    memmove(g->at + oldest, g->at + oldest + 1, (g->n - oldest - 1) * sizeof *g->at);
    g->n--;
}

static struct guest *insert(struct guests *g, const struct host_vm *vm)
{
    if (g->n == GUESTS_MAX)
        forget_one(g);
    if (g->n == GUESTS_MAX)
        return NULL;
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest)
        return NULL;
    guest->uuid = vm->uuid;
    host_uuid_format(&vm->uuid, guest->uuid_text);
    guest->id = guests_hash(&vm->uuid, sizeof vm->uuid);
    guest->swap_in_mib_s = -1;
    guest->in_view = SNAPSHOT_NONE;
    size_t i = lower_bound(g, &vm->uuid);
    memmove(g->at + i + 1, g->at + i, (g->n - i) * sizeof *g->at);
    g->at[i] = guest;
    g->n++;
    return guest;
}

static void forget_old(struct guests *g, struct mono now)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct guest *guest = g->at[i];
        if (guest->present || now.ms - guest->seen_at.ms < GUESTS_FORGET_MS)
            g->at[kept++] = guest;
        else
            free_guest(guest);
    }
    g->n = kept;
}

// Seconds between two counters of nanoseconds; 0 when one is unknown or it went back.
static double counted_s(uint64_t before, uint64_t after)
{
    if (!host_known(before) || !host_known(after) || after < before)
        return 0;
    return (double)(after - before) / 1e9;
}

static void keep_counters(struct guest *guest, const struct host_vm *vm, struct mono now)
{
    if (vm->n_vcpus > guest->counters_capacity) {
        struct host_vcpu *more = realloc(guest->counters, vm->n_vcpus * sizeof *more);
        if (!more)
            return;
        guest->counters = more;
        guest->counters_capacity = vm->n_vcpus;
    }
    if (vm->n_vcpus > 0)
        memcpy(guest->counters, vm->vcpu, vm->n_vcpus * sizeof *vm->vcpu);
    guest->n_counters = vm->n_vcpus;
    guest->throttled_ns = vm->throttled_ns;
    guest->cpu_at = now;
}

#define VCPUS_AT_ONCE 512

static void measure_cpu(struct guest *guest, const struct host_vm *vm, struct mono now, double headroom)
{
    bool comparable =
        guest->n_counters > 0 && guest->n_counters == vm->n_vcpus && vm->n_vcpus <= VCPUS_AT_ONCE;
    int64_t interval_ms = now.ms - guest->cpu_at.ms;
    if (comparable && interval_ms < GUESTS_CPU_INTERVAL_MIN_MS)
        return;
    if (comparable) {
        struct demand_vcpu vcpu[VCPUS_AT_ONCE];
        double throttled_s = counted_s(guest->throttled_ns, vm->throttled_ns) / vm->n_vcpus;
        for (uint32_t i = 0; i < vm->n_vcpus; i++)
            vcpu[i] =
                (struct demand_vcpu){.run_s = counted_s(guest->counters[i].run_ns, vm->vcpu[i].run_ns),
                                     .wait_s = counted_s(guest->counters[i].delay_ns, vm->vcpu[i].delay_ns),
                                     .throttled_s = throttled_s};
        double limit = guest->terms.cpu_limit_cores > 0 ? guest->terms.cpu_limit_cores : vm->n_vcpus;
        if (vm->cpu_limit_cores > 0 && vm->cpu_limit_cores < limit)
            limit = vm->cpu_limit_cores;
        guest->demand = demand_measure((double)interval_ms / 1000.0, vm->n_vcpus, vcpu, limit, headroom);
        guest->cpu_known = true;
    }
    keep_counters(guest, vm, now);
}

static void measure_swap(struct guest *guest, const struct host_vm *vm)
{
    const struct host_balloon *b = &vm->balloon;
    if (!host_known(b->swap_in_kib) || b->changed_at.ms == guest->swap_at.ms)
        return;
    double s = mono_seconds_between(guest->swap_at, b->changed_at);
    if (guest->swap_at.ms > 0 && s > 0 && b->swap_in_kib >= guest->swap_in_kib)
        guest->swap_in_mib_s = (double)(b->swap_in_kib - guest->swap_in_kib) / 1024.0 / s;
    guest->swap_at = b->changed_at;
    guest->swap_in_kib = b->swap_in_kib;
}

static void add_history(struct guest *guest, const struct host_sample *sample, struct mono before)
{
    double s = mono_seconds_between(before, guest->cpu_at);
    if (before.ms == 0 || s <= 0 || !guest->cpu_known)
        return;
    double mem_mib = (double)(guest->has_view ? guest->view.usedmem_kib : guest_current_kib(guest)) / 1024.0;
    history_add(&guest->history, sample->taken_at_wall, s, guest->demand.demand_cores, mem_mib);
}

size_t guests_update(struct guests *g, const struct host_sample *sample, double headroom, bool first)
{
    size_t n = 0;
    g->overflow = 0;
    for (size_t i = 0; i < g->n; i++) {
        g->at[i]->was_present = g->at[i]->present;
        g->at[i]->present = false;
        g->at[i]->vm = NULL;
    }
    for (size_t i = 0; i < sample->n_vms; i++) {
        const struct host_vm *vm = &sample->vms[i];
        struct guest *guest = guests_find(g, &vm->uuid);
        if (!guest)
            guest = insert(g, vm);
        if (!guest) {
            g->overflow++;
            continue;
        }
        if (!guest->was_present) {
            guest->came_at = sample->taken_at;
            guest->terms = (struct terms){0}; // facts count their generations anew with each coming
            guest->told_generation = 0;
        }
        if (!first && !guest->was_present)
            guest->appeared = true;
        guest->present = true;
        guest->seen_at = sample->taken_at;
        guest->vm = vm;
        snprintf(guest->name, sizeof guest->name, "%s", vm->name);
        if (sample->groups & HOST_GROUP_CPU) {
            struct mono before = guest->cpu_at;
            measure_cpu(guest, vm, sample->taken_at, headroom);
            if (before.ms != guest->cpu_at.ms)
                add_history(guest, sample, before);
        }
        measure_swap(guest, vm);
        n++;
    }
    forget_old(g, sample->taken_at);
    return n;
}

void guests_resolve_terms(struct guests *g, const struct store_settings *rows, enum agent_mode host_mode)
{
    uint64_t generation = rows ? rows->generation + 1 : 0;
    for (size_t i = 0; i < g->n; i++) {
        struct guest *guest = g->at[i];
        const struct host_vm *vm = guest->vm;
        bool same = guest->terms.shares > 0 && guest->facts_generation == (vm ? vm->facts_generation : 0) &&
                    guest->settings_generation == generation && guest->host_mode == host_mode &&
                    guest->terms_maxmem_kib == (vm ? guest_maxmem_kib(guest) : 0);
        if (!vm || same)
            continue;
        uint32_t vcpus = vm->n_vcpus > 0 ? vm->n_vcpus : vm->facts->vcpus > 0 ? vm->facts->vcpus : 1;
        struct host_wishes wishes = vm->facts->known ? vm->facts->wishes : wishes_none();
        terms_resolve(&wishes, guest->uuid_text, rows, host_mode, vcpus,
                      (double)guest_maxmem_kib(guest) / 1024.0, &guest->terms);
        // Perhaps its metadata say that it must not be touched.
        guest->terms.excluded = guest->terms.excluded || !vm->facts->known;
        guest->facts_generation = vm->facts_generation;
        guest->settings_generation = generation;
        guest->terms_maxmem_kib = guest_maxmem_kib(guest);
        guest->host_mode = host_mode;
    }
}

uint64_t guest_maxmem_kib(const struct guest *guest)
{
    const struct host_vm *vm = guest->vm;
    if (host_known(vm->maxmem_kib) && vm->maxmem_kib > 0)
        return vm->maxmem_kib;
    uint64_t resident_kib = vm->resident.known ? vm->resident.anon_kib + vm->resident.shmem_kib : 0;
    return resident_kib > 0 ? resident_kib : 1;
}

uint64_t guest_current_kib(const struct guest *guest)
{
    const struct host_vm *vm = guest->vm;
    return host_known(vm->current_kib) && vm->current_kib > 0 ? vm->current_kib : guest_maxmem_kib(guest);
}

double guest_dirty_mib_s(const struct guest *guest, struct mono now)
{
    const struct host_vm *vm = guest->vm;
    if (vm && host_known(vm->dirty_kib_s) && now.ms - vm->dirty_at.ms <= GUESTS_DIRTY_VALID_MS)
        return (double)vm->dirty_kib_s / 1024.0;
    return guest->moved_dirty_mib_s > 0 ? guest->moved_dirty_mib_s : GUESTS_DIRTY_PRIOR_MIB_S;
}

const char *guest_immovable_why(const struct guest *guest)
{
    const struct host_vm *vm = guest->vm;
    if (!vm)
        return "it is not here";
    if (!vm->facts->known)
        return "its definition is not known yet";
    if (guest->terms.excluded)
        return "it is excluded";
    if (vm->facts->owner != HOST_OWNER_NONE)
        return "another manager owns it";
    if (guest->terms.rules_unreadable)
        return "its rules cannot be read";
    if (vm->state != HOST_VM_RUNNING)
        return "it is not running";
    if (vm->process_stopped || vm->hanging)
        return "its QEMU does not answer";
    if (vm->facts->immovable & HOST_IMMOVABLE_HOSTDEV)
        return "it uses a device of this host";
    if (vm->facts->immovable & HOST_IMMOVABLE_LOCAL_DISK)
        return "it has a disk on this host only";
    if (vm->facts->immovable & HOST_IMMOVABLE_MIGRATABLE_OFF)
        return "its CPU cannot be migrated";
    if (vm->facts->immovable & HOST_IMMOVABLE_SHMEM)
        return "it shares memory with this host";
    return NULL;
}
