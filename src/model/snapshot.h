// A cluster as plain data at one moment: hosts, VMs, rules.
//
// Structure of arrays, indexed by host and VM number, since the planner scans single quantities over
// 60,000 VMs. All memory is the snapshot's arena; who holds a snapshot may change figures in place, but
// what it found by name keeps its index. The file form is FORMAT "ballast-snapshot-1" (model/snapshot_json.h).
//
// Invariants once snapshot_check() returned 0: names unique and valid; vm.host < hosts.n; every figure
// finite and in its range; 0 <= cpu_demand_cores <= vcpus, 0 <= mem_used_mib <= mem_mib; lists sorted.
#ifndef BALLAST_MODEL_SNAPSHOT_H
#define BALLAST_MODEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "base/timepoint.h"

#define SNAPSHOT_NONE UINT32_MAX // no such host, VM or zone

// Defaults of the optional keys (the public format fixes them).
#define SNAPSHOT_NET_MIB_S 1000.0
#define SNAPSHOT_DIRTY_MIB_S 10.0
#define SNAPSHOT_SHARES 1000u
#define SNAPSHOT_NAME_BYTES TEXT_NAME_BYTES // longest name

enum host_state {
    HOST_UP,          // runs VMs and takes more
    HOST_MAINTENANCE, // to be emptied, no destination
    HOST_STANDBY,     // powered down on purpose, empty, can be woken
    HOST_DOWN,        // dead: its VMs count nowhere and do not move
};

// A list of numbers per row: row i is item[start[i]] .. item[start[i + 1] - 1], ascending.
struct index_lists {
    uint32_t *start; // rows + 1 entries
    uint32_t *item;
};

struct snapshot_hosts {
    uint32_t n;
    const char **name;
    enum host_state *state;
    uint32_t *zone;           // number of the fault domain; each host without one is a zone of its own
    double *cpu_cores;        // > 0, cores (not threads)
    double *mem_mib;          // > 0, physical
    double *mem_reserved_mib; // 0 .. mem_mib, kept for the host itself
    double *net_mib_s;        // > 0, bandwidth that migrations may use
    double *threads_per_core; // >= 1
    double *core_speed;       // > 0, relative to the cluster's unit (1.0)
};

struct snapshot_vms {
    uint32_t n;
    const char **name;
    uint32_t *host;           // where it runs
    uint32_t *vcpus;          // >= 1
    double *mem_mib;          // maxmem, > 0
    double *cpu_demand_cores; // 0 .. vcpus: what it wants now
    double *mem_used_mib;     // 0 .. mem_mib: usedmem
    double *mem_current_mib;  // what the balloon leaves it (default mem_mib)
    double *mem_actual_mib;   // what backs it on the host (default mem_used_mib)
    double *mem_overhead_mib; // the hypervisor process's own memory
    double *cpu_sd_cores;     // uncertainty of the demand, >= 0
    double *mem_sd_mib;
    uint32_t *shares;              // >= 1: the VM's weight
    uint32_t *cpu_shares;          // default shares
    uint32_t *mem_shares;          // default shares
    double *cpu_reservation_cores; // 0 .. cpu_limit_cores
    double *cpu_limit_cores;       // default vcpus
    double *mem_reservation_mib;   // 0 .. mem_limit_mib
    double *mem_limit_mib;         // default mem_mib
    double *dirty_mib_s;           // memory rewritten per second
    double *migrations_1h;         // decaying count, >= 0
    bool *movable;
    double *local_disk_mib;           // disk that would have to travel
    struct index_lists cannot_run_on; // hosts
};

enum rule_type {
    RULE_APART,    // the VMs on different hosts (zones)
    RULE_TOGETHER, // the VMs on one host (zone)
    RULE_ON,       // the VMs only on these hosts
    RULE_OFF,      // the VMs never on these hosts
};

struct rule {
    enum rule_type type;
    bool by_zone; // scope zone instead of host; on/off: the zones of the named hosts
    bool strict;  // false: a preference
    uint32_t n_vms, n_hosts;
    uint32_t *vms;   // ascending
    uint32_t *hosts; // ascending; empty for apart and together
};

struct snapshot {
    struct arena *arena; // owns everything below
    struct wall taken_at;
    bool has_taken_at;
    struct snapshot_hosts hosts;
    struct snapshot_vms vms;
    uint32_t n_zones;
    const char **zone_name;
    uint32_t n_rules;
    struct rule *rules;
};

// An empty snapshot with room for that many of each; every optional figure holds its default that does
// not depend on another (shares 1000, dirty 10, movable, ...). cannot_run_on is empty lists. The caller
// fills names and figures and calls snapshot_check. NULL only when out of memory.
struct snapshot *snapshot_new(uint32_t n_hosts, uint32_t n_vms, uint32_t n_rules);

// Takes NULL, returns NULL.
struct snapshot *snapshot_free(struct snapshot *snapshot);

// A deep copy; NULL when out of memory.
struct snapshot *snapshot_copy(const struct snapshot *snapshot);

// A test of every invariant above (not of rules against each other: decide/rules.h). The error names the
// object: host "h3": cpu_cores must be above 0.
int snapshot_check(const struct snapshot *snapshot, struct error *err);

// Number of the host of that name, or SNAPSHOT_NONE. O(n): build an index for many look-ups.
uint32_t snapshot_host_by_name(const struct snapshot *snapshot, const char *name);

// Memory of host h that VMs may have: mem_mib - mem_reserved_mib.
static inline double snapshot_host_mem_mib(const struct snapshot *s, uint32_t h)
{
    return s->hosts.mem_mib[h] - s->hosts.mem_reserved_mib[h];
}

// Whether list row of lists holds item; O(log length).
bool index_lists_has(const struct index_lists *lists, uint32_t row, uint32_t item);

#endif
