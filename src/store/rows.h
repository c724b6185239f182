// Hosts and VMs as their agents report them: what the store keeps of each (see store/store.h).
#ifndef BALLAST_STORE_ROWS_H
#define BALLAST_STORE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/snapshot.h"

// What may be done, from least to most. The least of cluster, host and VM holds.
enum store_mode {
    STORE_MODE_OBSERVE,   // only say what would be done
    STORE_MODE_RECOMMEND, // migrations await approval
    STORE_MODE_AUTO,      // act
};

// A host as its agent sees it. The agent writes everything but the fields after the line.
struct store_host {
    const char *name;          // unique in the cluster
    const char *address;       // where libvirt of other hosts reaches it for a peer to peer migration (URI)
    const char *migration_uri; // NULL or "tcp://ADDRESS" for the migration's data
    const char *zone;          // NULL: a zone of its own
    const char *provides; // NULL or tokens separated by spaces: what VMs may need ("cpu:Skylake net:br0")
    const char *agent_version; // NULL or text
    enum host_state state;     // up or maintenance (standby, down where known)
    enum store_mode mode;
    bool closed;            // takes no VM just now (pressure, failure, shutting down)
    const char *closed_why; // NULL or why
    double cpu_cores, mem_mib, mem_reserved_mib, net_mib_s, threads_per_core,
        core_speed; // as in model/snapshot.h
    // measured
    double cpu_used_cores;
    double cpu_demand_cores;  // sum over its VMs
    double cpu_unmet_cores;   // sum over its VMs
    double mem_used_mib;      // sum of usedmem + overhead over its VMs
    double mem_current_mib;   // sum of currentmem + overhead
    double mem_unmet_mib;     // what the memory manager could not provide
    double mem_available_mib; // MemAvailable or the cgroup's equivalent
    double swap_used_mib;
    double psi_cpu_permille; // "some avg10" x 10; -1: not known
    double psi_memory_permille;
    int memory_state; // 0 high, 1 soft, 2 hard, 3 low
    uint32_t n_vms;
    // written by the store, ignored on input
    int64_t report_age_ms; // since the last row was written
    int64_t heartbeat_age_ms;
    bool alive;               // heartbeat younger than down_after_ms and not left
    double in_flight_mem_mib; // on their way here: memory that open migrations need here
    double in_flight_cpu_cores;
    uint32_t migrations_in, migrations_out; // open ones
};

enum store_vm_state {
    STORE_VM_RUNNING,
    STORE_VM_PAUSED,
    STORE_VM_INCOMING, // a migration's destination side; not written: the row is the source's until it ends
    STORE_VM_OTHER,    // crashed, shut off in place, ...
};

#define STORE_LEFT 8 // hosts that a VM has left, newest first; older ones matter little

// A host that a VM left by a migration.
struct store_left {
    const char *host;
    int64_t age_ms;
};

// A VM as the agent of its host sees it, with the settings in force.
struct store_vm {
    const char *uuid; // the key
    const char *name;
    const char *host; // where it is; ignored on input (the reporting host)
    enum store_vm_state state;
    enum store_mode mode;
    bool excluded; // never touched
    bool movable;
    const char *movable_why; // NULL or why it cannot move
    const char *balloon_why; // NULL or why it cannot be ballooned
    const char *owner;       // NULL or who manages it ("pacemaker"): moved through that only
    const char *needs;       // NULL or tokens that a host must provide
    const char *rules;       // NULL or its words of placement rules (model/rule_text.h)
    uint32_t vcpus;
    double mem_mib, mem_current_mib, mem_used_mib, mem_actual_mib, mem_overhead_mib,
        mem_sd_mib; // maxmem, currentmem, ...
    double cpu_demand_cores, cpu_used_cores, cpu_sd_cores;
    double cpu_entitlement_cores, mem_entitlement_mib;
    double cpu_unmet_cores, mem_unmet_mib;
    double s_cpu, s_mem; // satisfaction, 0 .. 1
    uint32_t shares, cpu_shares, mem_shares;
    double cpu_reservation_cores, cpu_limit_cores, mem_reservation_mib, mem_limit_mib;
    double dirty_mib_s, local_disk_mib;
    double swap_in_mib_s;  // of the guest; -1: not known
    double mem_target_mib; // where its balloon is being driven; 0: left alone
    const char *why;       // NULL or one line: what is being done to it and why, or why nothing
    const void *history;   // NULL: unchanged on input (or not asked for on output)
    uint32_t history_bytes;
    bool appeared; // input: it began to run on this host, whoever reported it before (see store_report)
    // written by the store, ignored on input
    int64_t report_age_ms;
    double migrations_1h;      // count that decays with e-folding time of 1 h
    const char *last_from;     // NULL or the host that it last left by a migration
    int64_t last_moved_age_ms; // since the last migration ended, whatever its outcome; -1: never
    // migrations of the last day that were done
    uint32_t migrations_24h;
    uint32_t n_left;
    struct store_left left[STORE_LEFT];
    double moved_dirty_mib_s; // dirty rate that the newest of them showed; 0: not known
    uint64_t migration_id;    // its open migration; 0: none
};

#endif
