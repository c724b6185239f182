// The host's own memory, CPU and pressure: from the machine, from a control group that limits it, or fixed by
// configuration. The tightest holds.
#ifndef BALLAST_HOST_CAPACITY_H
#define BALLAST_HOST_CAPACITY_H

#include "host/cgroup.h"

struct capacity_source {
    const char *proc_root;    // "/proc"
    const char *sys_cpu_root; // "/sys/devices/system/cpu"
    const struct cgroup_tree *tree;
    const struct cgroup_capacity *limits;
    uint64_t fixed_memory_kib; // 0: measured
    double fixed_cpu_cores;    // 0: measured
};

// Memory and pressure. A fixed size below the machine's makes what is beyond it count as used.
void capacity_read_memory(const struct capacity_source *source, struct host_memory *ret);

// Cores = min(threads / threads per core, quota): a quota counts thread time, which spreads over cores
// before it shares them.
void capacity_read_cpu(const struct capacity_source *source, struct host_cpu *ret);

#endif
