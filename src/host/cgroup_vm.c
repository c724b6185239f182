// The groups of one VM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cgroup.h"
#include "host/cgroup_file.h"
#include "host/proc.h"

// Default weights: cpu.shares of v1, cpu.weight of v2.
#define DEFAULT_SHARES 1024.0
#define DEFAULT_WEIGHT 100.0

// Whether the last component is one of those that libvirt makes for threads.
static bool is_thread_group(const char *name)
{
    return strcmp(name, "emulator") == 0 || strncmp(name, "vcpu", 4) == 0 ||
           strncmp(name, "iothread", 8) == 0;
}

int cgroup_of_vm(const struct cgroup_tree *tree, const char *proc_cgroup_text,
                 char path[static CGROUP_PATH_SIZE])
{
    char group[CGROUP_PATH_SIZE];
    if (proc_parse_cgroup(proc_cgroup_text, tree->version == 2 ? NULL : "cpu", group, sizeof group) < 0)
        return -1;
    char *last = strrchr(group, '/');
    if (last && is_thread_group(last + 1))
        *last = '\0';
    last = strrchr(group, '/');
    if (tree->version == 2 && last && strcmp(last, "/libvirt") == 0)
        *last = '\0';
    if (!group[0] || strcmp(group, "/") == 0)
        return -1; // in the root: libvirt made no group for it
    memcpy(path, group, sizeof group);
    return 0;
}

// The directory of the thread groups: below "libvirt" where systemd owns the scope.
static const char *thread_parent(const struct cgroup_tree *tree, const char *vm_group, char *path,
                                 size_t size)
{
    char text[64];
    snprintf(path, size, "%s/libvirt", vm_group);
    if (tree->version == 2 && cgroup_file_read(tree, "", path, "cpu.max", text, sizeof text) >= 0)
        return path;
    snprintf(path, size, "%s", vm_group);
    return path;
}

static double tighter(double a, double b)
{
    if (a <= 0)
        return b;
    return b > 0 && b < a ? b : a;
}

void cgroup_read_vm(const struct cgroup_tree *tree, const char *vm_group, uint32_t n_vcpus,
                    struct cgroup_vm *ret)
{
    *ret = (struct cgroup_vm){.mem_limit_kib = HOST_UNKNOWN};
    uint64_t weight = tree->version == 2 ? cgroup_file_number(tree, "", vm_group, "cpu.weight")
                                         : cgroup_file_number(tree, tree->cpu, vm_group, "cpu.shares");
    if (host_known(weight))
        ret->weight = (double)weight / (tree->version == 2 ? DEFAULT_WEIGHT : DEFAULT_SHARES);
    char parent[CGROUP_PATH_SIZE + 32], vcpu[CGROUP_PATH_SIZE + 64];
    thread_parent(tree, vm_group, parent, sizeof parent);
    snprintf(vcpu, sizeof vcpu, "%s/vcpu0", parent);
    double limit = cgroup_file_quota(tree, vcpu) * n_vcpus; // libvirt gives all vCPUs one quota
    limit = tighter(limit, cgroup_file_quota(tree, vm_group));
    limit = tighter(limit, cgroup_file_quota(tree, parent));
    ret->limit_cores = limit;
    ret->mem_limit_kib = cgroup_file_memory_limit(tree, vm_group);
}

uint64_t cgroup_read_throttled(const struct cgroup_tree *tree, const char *vm_group, uint32_t n_vcpus)
{
    char parent[CGROUP_PATH_SIZE + 32], vcpu[CGROUP_PATH_SIZE + 64];
    thread_parent(tree, vm_group, parent, sizeof parent);
    uint64_t sum_ns = 0, busy_ns, throttled_ns;
    for (uint32_t i = 0; i < n_vcpus; i++) {
        snprintf(vcpu, sizeof vcpu, "%s/vcpu%u", parent, i);
        cgroup_read_cpu(tree, vcpu, &busy_ns, &throttled_ns);
        if (host_known(throttled_ns))
            sum_ns += throttled_ns;
    }
    // a global quota stops all threads at a time: charged once
    cgroup_read_cpu(tree, vm_group, &busy_ns, &throttled_ns);
    return sum_ns + (host_known(throttled_ns) ? throttled_ns : 0);
}
