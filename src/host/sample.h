// The figures of one round: the host's and its VMs'. Counters are cumulative; who wants rates keeps the
// sample before. HOST_UNKNOWN marks what could not be read.
#ifndef BALLAST_HOST_SAMPLE_H
#define BALLAST_HOST_SAMPLE_H

#include "base/timepoint.h"
#include "host/facts.h"

// Where a capacity comes from.
enum host_source {
    HOST_SOURCE_MACHINE = 0, // the whole machine
    HOST_SOURCE_CGROUP,      // a control group's limit is tighter than the machine
    HOST_SOURCE_CPUSET,      // the control group may use these CPUs only
    HOST_SOURCE_CONFIG,      // fixed by configuration
};

// Pressure stall information: share of time in which some or all tasks waited (Documentation/accounting/psi).
struct host_psi {
    bool known;
    double some_avg10_pct, full_avg10_pct; // 0 to 100
    uint64_t some_total_us, full_total_us; // cumulative
};

struct host_memory {
    enum host_source source;
    uint64_t total_kib; // what VMs and the host's own processes share
    // Can be had without swapping: MemAvailable, or the group's limit - usage + file cache; and deferred_kib.
    uint64_t available_kib;
    // Given back by QEMU, but charged until the kernel splits the huge pages it is part of (proc_deferred). The
    // kernel does that when an allocation would fail otherwise, so it counts as available.
    uint64_t deferred_kib;
    uint64_t free_kib;                      // not used for anything
    uint64_t swap_total_kib, swap_free_kib; // the machine's, or what the group may use of it
    uint64_t swap_in_pages, swap_out_pages; // cumulative, the machine's (/proc/vmstat)
    uint64_t oom_kills;                     // cumulative, by the kernel (of the group where it is limited)
    struct host_psi memory_psi, cpu_psi, io_psi;
};

struct host_cpu {
    enum host_source source;
    double capacity_cores;     // cores, not threads, that VMs and host can use
    uint32_t threads;          // logical CPUs usable
    uint32_t threads_per_core; // 1 without hyperthreading
    uint64_t busy_ns;          // cumulative CPU time used, summed over threads
    uint64_t steal_ns;         // cumulative: what the hypervisor under this host took
    uint64_t throttled_ns;     // cumulative: what the host's own quota took (source CGROUP)
};

// As libvirt's virDomainState; the reason only where it matters to us.
enum host_vm_state {
    HOST_VM_UNKNOWN = 0,
    HOST_VM_RUNNING,
    HOST_VM_PAUSED,
    HOST_VM_INCOMING, // a migration to this host is under way: here, but not running yet
    HOST_VM_SHUTTING_DOWN,
    HOST_VM_OFF,
    HOST_VM_CRASHED,
};

enum host_balloon_driver {
    HOST_BALLOON_DRIVER_UNKNOWN = 0, // not asked yet
    HOST_BALLOON_DRIVER_SILENT,      // never answered: no driver, or the guest has not booted yet
    HOST_BALLOON_DRIVER_OLD,         // answers, but without `usable` (Linux before 3.19)
    HOST_BALLOON_DRIVER_ANSWERS,
};

// Why a VM's memory cannot be taken by ballooning. The first that applies.
enum host_unballoonable {
    HOST_BALLOONABLE = 0,
    HOST_UNBALLOONABLE_NOT_READ,  // its definition is not known yet
    HOST_UNBALLOONABLE_STATE,     // not running
    HOST_UNBALLOONABLE_STOPPED,   // its QEMU process is stopped (SIGSTOP, ptrace)
    HOST_UNBALLOONABLE_HANGING,   // its QEMU does not answer libvirt
    HOST_UNBALLOONABLE_NO_DEVICE, // no virtio balloon
    HOST_UNBALLOONABLE_VFIO,      // device assignment pins the memory
    HOST_UNBALLOONABLE_HUGEPAGES,
    HOST_UNBALLOONABLE_LOCKED,
    HOST_UNBALLOONABLE_NO_DRIVER,  // the guest's driver never answered
    HOST_UNBALLOONABLE_OLD_DRIVER, // statistics without `usable`: its need cannot be told
};

// Balloon statistics as the guest's driver gives them; untrusted. In KiB as libvirt gives them.
struct host_balloon {
    struct mono sampled_at; // when libvirt answered; .ms 0: never yet. Older than the sample in calm rounds
    uint64_t
        last_update_s; // wall time at which the guest last answered QEMU, whole seconds; 0 or unknown: never
    uint64_t last_update_age_ms; // against the wall clock at sampled_at; resolution 1 s, never negative
    struct mono changed_at;      // when we first saw this last_update: a finer, later bound
    uint64_t unused_kib;         // MemFree
    uint64_t usable_kib;         // MemAvailable
    uint64_t available_kib;      // MemTotal; shrinks with the balloon unless autodeflate is on
    uint64_t disk_caches_kib;
    uint64_t swap_in_kib, swap_out_kib; // cumulative
    uint64_t major_faults;              // cumulative
};

struct host_vcpu {
    uint64_t run_ns;   // cumulative time on a CPU; HOST_UNKNOWN when it cannot be read
    uint64_t delay_ns; // cumulative time runnable but not running, its own quota's throttling included
};

// The memory of the QEMU process, from /proc/PID/status. What the VM costs the host is anon + shmem + swap;
// file-backed pages are QEMU's program text, shared by all QEMUs and dropped under pressure, so they are
// shown and not charged. The kernel's counters lag by up to some 64 pages a CPU.
struct host_resident {
    bool known;
    uint64_t anon_kib, shmem_kib, file_kib, swap_kib;
    uint64_t page_tables_kib;
};

enum host_overhead_source {
    HOST_OVERHEAD_ESTIMATED = 0, // by formula, see overhead.h
    HOST_OVERHEAD_LEARNED,       // measured from the process's mappings
};

struct host_vm {
    struct host_uuid uuid;
    char name[HOST_NAME_SIZE];
    enum host_vm_state state;
    uint64_t maxmem_kib;  // what it may have at most
    uint64_t current_kib; // what the balloon leaves it now (from an event where that is newer than the poll)
    uint64_t actual_kib;  // what backs the guest's memory: resident - overhead's part in it, >= 0
    struct host_balloon balloon;
    enum host_balloon_driver balloon_driver;
    enum host_unballoonable unballoonable;
    struct host_resident resident;
    uint64_t overhead_kib; // QEMU's own, besides the guest's pages, charged to the host
    enum host_overhead_source overhead_source;
    bool process_stopped; // QEMU is stopped by a signal: nothing is asked of it
    bool hanging;         // an earlier call on this VM has not come back
    bool migrating;       // a migration of it is under way from here
    int pid;              // 0: not visible from here (then resident and vCPU figures come from libvirt)
    uint32_t n_vcpus;
    const struct host_vcpu *vcpu;
    uint64_t emulator_run_ns; // all other threads of QEMU, cumulative
    uint64_t throttled_ns;    // by its own quota, summed over vCPUs, cumulative; 0 without a quota
    double cpu_weight;        // in force, relative to the kernel's default of 1.0; 0: not readable
    double cpu_limit_cores;   // quota in force over all vCPUs; 0: none
    uint64_t mem_limit_kib;   // hard limit of its own control group; HOST_UNKNOWN: none
    // Memory rewritten per second, measured when asked for (measure_dirty); HOST_UNKNOWN: never, or not told.
    uint64_t dirty_kib_s;
    struct mono dirty_at;           // when it was read
    const struct host_facts *facts; // never NULL; valid as long as the sample
    uint32_t facts_generation;      // grows when facts changed
};

struct host_sample {
    struct mono taken_at;
    struct wall taken_at_wall;
    unsigned groups;          // what this round really brought, enum host_group
    bool connected;           // libvirt answers; else VMs are as last known and only /proc figures are new
    double lost_for_s;        // how long there has been no connection
    unsigned abandoned_calls; // calls past their deadline that have not come back yet
    char trouble[160];        // why something asked for is missing; "" when nothing is
    double round_ms;          // wall time that the round took
    struct host_memory memory;
    struct host_cpu cpu;
    size_t n_vms;
    const struct host_vm *vms; // by UUID, ascending; only VMs that are active
};

// "VFIO device pins its memory": for a person.
const char *host_unballoonable_text(enum host_unballoonable reason);

// "running".
const char *host_vm_state_name(enum host_vm_state state);

#endif
