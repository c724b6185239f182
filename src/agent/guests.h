// The table of this host's VMs, as the loops see them over time: what was measured between two samples, the
// terms under which they are served, their history, and what the store was told last.
//
// All memory for a VM is taken when it is first seen; samples afterwards allocate nothing. An entry stays
// for GUESTS_FORGET_MS after the VM has gone, so that a reboot or a failed migration does not lose its
// history.
#ifndef BALLAST_AGENT_GUESTS_H
#define BALLAST_AGENT_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/terms.h"
#include "base/timepoint.h"
#include "decide/demand.h"
#include "decide/history.h"
#include "decide/memory_manager.h"
#include "decide/push.h"
#include "decide/report.h"
#include "host/host.h"

// VMs on one host that are looked after: KVM hosts hold a few hundred at most, and every table is allocated for so many at
// start. Those beyond (who came last) are left alone like any other process of the host, which is said, and the host takes
// no VM while there are any: the sums that others see are short of them.
#define GUESTS_MAX 512

#define GUESTS_FORGET_MS 600000

// A measured dirty rate is believed for so long: what a guest does changes in minutes.
#define GUESTS_DIRTY_VALID_MS 300000
// Of a VM that nobody has measured: between an idle guest (below 1 MiB/s) and a busy one (hundreds).
#define GUESTS_DIRTY_PRIOR_MIB_S 10.0

// Shorter intervals between two readings of the CPU counters are not evaluated: the kernel's ticks (4 ms)
// would show.
#define GUESTS_CPU_INTERVAL_MIN_MS 400

struct guest {
    struct host_uuid uuid;
    char uuid_text[HOST_UUID_TEXT_SIZE];
    char name[HOST_NAME_SIZE];
    uint64_t id; // made from the UUID: stable over restarts and hosts
    bool present;
    bool was_present;    // in the sample before
    struct mono came_at; // when it was first seen to run here this time
    struct mono seen_at;
    const struct host_vm *vm; // in the current sample; NULL when not present

    struct terms terms;
    uint64_t terms_maxmem_kib; // for which the terms were resolved
    enum agent_mode host_mode; // under which the terms were resolved
    uint32_t facts_generation;
    uint64_t settings_generation;

    // CPU, over the interval between the two latest readings
    bool cpu_known;
    struct demand demand;
    struct mono cpu_at;
    uint32_t n_counters, counters_capacity;
    struct host_vcpu *counters; // per vCPU at cpu_at
    uint64_t throttled_ns;      // at cpu_at
    double weight_asked;        // CPU weight that was last asked for; 0: none
    struct mono weight_at;

    // swap-in rate of the guest
    struct mono swap_at;
    uint64_t swap_in_kib;
    double swap_in_mib_s; // -1: not known

    // memory, from the latest step
    bool has_view;
    struct memory_vm_view view;
    bool balloon_pending; // a call is out
    uint64_t balloon_asked_kib;
    uint32_t told_generation; // of the facts whose metadata was last complained about

    // what the store knows of its past
    struct mono past_at; // when it was read
    double migrations_1h;
    uint32_t migrations_24h;
    struct push_left left[PUSH_LEFT]; // ages as of past_at
    uint32_t n_left;
    double moved_dirty_mib_s; // dirty rate that its newest migration showed; 0: not known
    uint64_t open_migration;
    uint32_t in_view; // its number in the latest view of the cluster; SNAPSHOT_NONE: it is not there

    double cpu_entitlement_cores; // what it gets when all here ask for their demand at once
    struct mono dirty_asked_at;   // when its dirty rate was last asked for; .ms 0: never

    struct report_vm report;
    struct mono history_sent_at;
    bool history_sent;
    bool appeared; // came while we were watching: its row is ours whoever had it
    char why[256]; // one line for `explain`
    struct history history;
};

struct guests {
    size_t n;          // entries, present or not
    struct guest **at; // by UUID, ascending
    uint32_t overflow; // VMs in the latest sample that found no place
};

// Room for GUESTS_MAX pointers. -1 when out of memory.
int guests_init(struct guests *guests);
void guests_clear(struct guests *guests);

// Takes over a sample: finds or makes each VM's entry, forgets old ones, measures CPU where the sample has
// it and the interval is long enough. first: the first sample since start, in which nothing counts as
// having appeared. Returns how many VMs are present. O(n).
size_t guests_update(struct guests *guests, const struct host_sample *sample, double headroom, bool first);

// Resolves the terms of those whose facts, settings or host mode changed since. rows may be NULL.
void guests_resolve_terms(struct guests *guests, const struct store_settings *rows,
                          enum agent_mode host_mode);

struct guest *guests_find(const struct guests *guests, const struct host_uuid *uuid);

// Its sizes as far as they are known: of a VM that is arriving libvirt does not tell them yet, then what its
// process holds stands for both. Never 0. Only for a guest that is present.
uint64_t guest_maxmem_kib(const struct guest *guest);
uint64_t guest_current_kib(const struct guest *guest);

// Memory that it rewrites per second: measured lately, else what its newest migration showed, else a prior.
double guest_dirty_mib_s(const struct guest *guest, struct mono now);

// Why the VM may not be moved, or NULL when it may.
const char *guest_immovable_why(const struct guest *guest);

// FNV-1a, for ids that are equal on all hosts.
uint64_t guests_hash(const void *data, size_t size);

#endif
