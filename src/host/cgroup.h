// Control groups, version 1 (a tree a controller) and 2 (one tree), behind one set of questions.
//
// libvirt gives each VM a group; below it are groups for its threads:
//   v1   <controller>/machine/qemu-3-g3.libvirt-qemu/{emulator,vcpu0,...}       (without systemd)
//        <controller>/machine.slice/machine-qemu\x2d3\x2dg3.scope/{emulator,vcpu0,...}
//   v2   machine.slice/machine-qemu\x2d3\x2dg3.scope/libvirt/{emulator,vcpu0,...}
// The weight is set on the VM's group, quotas on the vCPUs' (and a global one on the VM's).
// Reading these files never blocks for long: they are the kernel's own counters.
#ifndef BALLAST_HOST_CGROUP_H
#define BALLAST_HOST_CGROUP_H

#include "host/sample.h"

#define CGROUP_PATH_SIZE 512

struct cgroup_tree {
    int version; // 1, 2; 0: none mounted
    char root[128];
    char cpu[32], cpuacct[32], cpuset[32], memory[32]; // v1: directory of the controller below root, "" none
};

// What limits the whole host: the tightest of the groups above all VMs.
struct cgroup_capacity {
    char memory_group[CGROUP_PATH_SIZE]; // the group whose memory limit holds, "" none
    char cpu_group[CGROUP_PATH_SIZE];    // whose quota holds, "" none
    char cpuset_group[CGROUP_PATH_SIZE]; // where CPUs are listed, "" none
    uint64_t memory_limit_kib;           // HOST_UNKNOWN: none
    double cpu_quota_cores;              // 0: none
    uint32_t cpuset_cpus;                // 0: not restricted or not known
};

struct cgroup_memory {
    uint64_t usage_kib;
    uint64_t reclaimable_kib; // file cache and reclaimable slab
    uint64_t deferred_kib;    // see struct host_memory
    uint64_t swap_limit_kib;  // what the group may swap at most; HOST_UNKNOWN: no limit
    uint64_t swap_usage_kib;
    uint64_t oom_kills;
    struct host_psi memory_psi, cpu_psi, io_psi; // version 2 only
};

// CPU figures of one VM's groups.
struct cgroup_vm {
    double weight;          // 1.0 is the kernel's default; 0: not readable
    double limit_cores;     // 0: none
    uint64_t mem_limit_kib; // HOST_UNKNOWN: none
};

// Finds out what is mounted below root.
void cgroup_detect(const char *root, struct cgroup_tree *ret);

// Looks at the groups that libvirt puts its VMs below, and at the root, which inside a cgroup namespace has
// limits too. only: look at this group alone (NULL: find out).
void cgroup_read_capacity(const struct cgroup_tree *tree, const char *only, struct cgroup_capacity *ret);

// Figures of the group that limits memory.
void cgroup_read_memory(const struct cgroup_tree *tree, const char *group, struct cgroup_memory *ret);

// CPU time used and throttled in a group, in ns; HOST_UNKNOWN where not told.
void cgroup_read_cpu(const struct cgroup_tree *tree, const char *group, uint64_t *ret_busy_ns,
                     uint64_t *ret_throttled_ns);

// The VM's group from the text of /proc/PID/cgroup: cuts what libvirt put below it. -1 when not to be found.
int cgroup_of_vm(const struct cgroup_tree *tree, const char *proc_cgroup_text,
                 char path[static CGROUP_PATH_SIZE]);

// Weight, quota and hard limit in force.
void cgroup_read_vm(const struct cgroup_tree *tree, const char *vm_group, uint32_t n_vcpus,
                    struct cgroup_vm *ret);

// Time for which the VM's own quotas stopped its vCPUs, summed, in ns; 0 without quotas.
uint64_t cgroup_read_throttled(const struct cgroup_tree *tree, const char *vm_group, uint32_t n_vcpus);

#endif
