#include "host/cgroup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "host/cgroup_file.h"
#include "host/proc.h"

#define TEXT_SIZE 8192

// v1 writes "unlimited" as the largest multiple of a page below 2^63.
#define UNLIMITED_BYTES (UINT64_C(1) << 62)

static void find_controller(const struct cgroup_tree *tree, const char *const *names, char *ret, size_t size)
{
    ret[0] = '\0';
    for (; *names; names++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s/cgroup.procs", tree->root, *names);
        if (access(path, F_OK) == 0) {
            snprintf(ret, size, "%s", *names);
            return;
        }
    }
}

void cgroup_detect(const char *root, struct cgroup_tree *ret)
{
    *ret = (struct cgroup_tree){0};
    snprintf(ret->root, sizeof ret->root, "%s", root);
    char path[256];
    snprintf(path, sizeof path, "%s/cgroup.controllers", root);
    if (access(path, F_OK) == 0) {
        ret->version = 2;
        return;
    }
    find_controller(ret, (const char *const[]){"cpu", "cpu,cpuacct", NULL}, ret->cpu, sizeof ret->cpu);
    find_controller(ret, (const char *const[]){"cpuacct", "cpu,cpuacct", NULL}, ret->cpuacct,
                    sizeof ret->cpuacct);
    find_controller(ret, (const char *const[]){"cpuset", NULL}, ret->cpuset, sizeof ret->cpuset);
    find_controller(ret, (const char *const[]){"memory", NULL}, ret->memory, sizeof ret->memory);
    if (ret->cpu[0] || ret->memory[0])
        ret->version = 1;
}

long cgroup_file_read(const struct cgroup_tree *tree, const char *controller, const char *group,
                      const char *file, char *text, size_t size)
{
    char path[1024];
    if (tree->version == 0 || (tree->version == 1 && !controller[0]))
        return -1;
    const char *slash = group[0] == '/' || !group[0] ? "" : "/";
    int length = tree->version == 2 ? snprintf(path, sizeof path, "%s%s%s/%s", tree->root, slash, group, file)
                                    : snprintf(path, sizeof path, "%s/%s%s%s/%s", tree->root, controller,
                                               slash, group, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return -1;
    return file_read_small(path, text, size);
}

uint64_t cgroup_file_number(const struct cgroup_tree *tree, const char *controller, const char *group,
                            const char *file)
{
    char text[64];
    if (cgroup_file_read(tree, controller, group, file, text, sizeof text) < 0)
        return HOST_UNKNOWN;
    return proc_number(text);
}

static uint64_t bytes_to_kib(uint64_t bytes)
{
    return host_known(bytes) ? bytes / 1024 : HOST_UNKNOWN;
}

uint64_t cgroup_file_memory_limit(const struct cgroup_tree *tree, const char *group)
{
    uint64_t bytes = tree->version == 2
                         ? cgroup_file_number(tree, "", group, "memory.max")
                         : cgroup_file_number(tree, tree->memory, group, "memory.limit_in_bytes");
    return host_known(bytes) && bytes < UNLIMITED_BYTES ? bytes / 1024 : HOST_UNKNOWN;
}

double cgroup_file_quota(const struct cgroup_tree *tree, const char *group)
{
    if (tree->version == 2) {
        char text[64];
        uint64_t quota, period;
        if (cgroup_file_read(tree, "", group, "cpu.max", text, sizeof text) < 0 ||
            sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) != 2 || period == 0)
            return 0;
        return (double)quota / (double)period;
    }
    uint64_t quota = cgroup_file_number(tree, tree->cpu, group, "cpu.cfs_quota_us"); // "-1" is no number
    uint64_t period = cgroup_file_number(tree, tree->cpu, group, "cpu.cfs_period_us");
    if (!host_known(quota) || !host_known(period) || period == 0)
        return 0;
    return (double)quota / (double)period;
}

static uint32_t read_cpuset(const struct cgroup_tree *tree, const char *group)
{
    char text[1024];
    const char *file = tree->version == 2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus";
    if (cgroup_file_read(tree, tree->cpuset, group, file, text, sizeof text) < 0)
        return 0;
    return proc_count_list(text);
}

void cgroup_read_capacity(const struct cgroup_tree *tree, const char *only, struct cgroup_capacity *ret)
{
    *ret = (struct cgroup_capacity){.memory_limit_kib = HOST_UNKNOWN};
    const char *const above_vms[] = {"/", "/machine.slice", "/machine", NULL};
    const char *const just_one[] = {only, NULL};
    for (const char *const *group = only ? just_one : above_vms; *group; group++) {
        uint64_t limit_kib = cgroup_file_memory_limit(tree, *group);
        if (host_known(limit_kib) && limit_kib < ret->memory_limit_kib) {
            ret->memory_limit_kib = limit_kib;
            snprintf(ret->memory_group, sizeof ret->memory_group, "%s", *group);
        }
        double quota = cgroup_file_quota(tree, *group);
        if (quota > 0 && (ret->cpu_quota_cores <= 0 || quota < ret->cpu_quota_cores)) {
            ret->cpu_quota_cores = quota;
            snprintf(ret->cpu_group, sizeof ret->cpu_group, "%s", *group);
        }
        uint32_t cpus = read_cpuset(tree, *group);
        if (cpus > 0 && (ret->cpuset_cpus == 0 || cpus < ret->cpuset_cpus)) {
            ret->cpuset_cpus = cpus;
            snprintf(ret->cpuset_group, sizeof ret->cpuset_group, "%s", *group);
        }
    }
}

// lists ends with NULL; anon: mapped anonymous memory; file: the page cache with shared memory and swap cache.
static uint64_t deferred_kib(const char *text, const char *const lists[static 6], const char *anon,
                             const char *file)
{
    struct proc_lists sizes = {proc_sum(text, lists), proc_value(text, anon), proc_value(text, file)};
    return proc_deferred(&sizes) / 1024;
}

static void read_memory_v1(const struct cgroup_tree *tree, const char *group, struct cgroup_memory *ret)
{
    char text[TEXT_SIZE];
    ret->usage_kib = bytes_to_kib(cgroup_file_number(tree, tree->memory, group, "memory.usage_in_bytes"));
    if (cgroup_file_read(tree, tree->memory, group, "memory.stat", text, sizeof text) >= 0) {
        uint64_t active = proc_value(text, "total_active_file");
        uint64_t inactive = proc_value(text, "total_inactive_file");
        if (host_known(active) && host_known(inactive))
            ret->reclaimable_kib = (active + inactive) / 1024;
        uint64_t memsw = proc_value(text, "hierarchical_memsw_limit");
        uint64_t limit = proc_value(text, "hierarchical_memory_limit");
        if (host_known(memsw) && host_known(limit) && memsw < UNLIMITED_BYTES)
            ret->swap_limit_kib = memsw > limit ? (memsw - limit) / 1024 : 0;
        ret->swap_usage_kib = bytes_to_kib(proc_value(text, "total_swap"));
        static const char *const lists[] = {"total_active_anon",   "total_inactive_anon", "total_active_file",
                                            "total_inactive_file", "total_unevictable",   NULL};
        ret->deferred_kib = deferred_kib(text, lists, "total_rss", "total_cache");
    }
    if (cgroup_file_read(tree, tree->memory, group, "memory.oom_control", text, sizeof text) >= 0)
        ret->oom_kills = proc_value(text, "oom_kill");
}

static void read_psi(const struct cgroup_tree *tree, const char *group, const char *file,
                     struct host_psi *ret)
{
    char text[256];
    if (cgroup_file_read(tree, "", group, file, text, sizeof text) >= 0)
        proc_parse_psi(text, ret);
}

static void read_memory_v2(const struct cgroup_tree *tree, const char *group, struct cgroup_memory *ret)
{
    char text[TEXT_SIZE];
    ret->usage_kib = bytes_to_kib(cgroup_file_number(tree, "", group, "memory.current"));
    if (cgroup_file_read(tree, "", group, "memory.stat", text, sizeof text) >= 0) {
        uint64_t active = proc_value(text, "active_file"), inactive = proc_value(text, "inactive_file");
        uint64_t slab = proc_value(text, "slab_reclaimable");
        if (host_known(active) && host_known(inactive))
            ret->reclaimable_kib = (active + inactive + (host_known(slab) ? slab : 0)) / 1024;
        static const char *const lists[] = {"active_anon",   "inactive_anon", "active_file",
                                            "inactive_file", "unevictable",   NULL};
        ret->deferred_kib = deferred_kib(text, lists, "anon", "file");
    }
    ret->swap_limit_kib =
        bytes_to_kib(cgroup_file_number(tree, "", group, "memory.swap.max")); // "max" is no number
    ret->swap_usage_kib = bytes_to_kib(cgroup_file_number(tree, "", group, "memory.swap.current"));
    if (cgroup_file_read(tree, "", group, "memory.events", text, sizeof text) >= 0)
        ret->oom_kills = proc_value(text, "oom_kill");
    read_psi(tree, group, "memory.pressure", &ret->memory_psi);
    read_psi(tree, group, "cpu.pressure", &ret->cpu_psi);
    read_psi(tree, group, "io.pressure", &ret->io_psi);
}

void cgroup_read_memory(const struct cgroup_tree *tree, const char *group, struct cgroup_memory *ret)
{
    *ret = (struct cgroup_memory){.usage_kib = HOST_UNKNOWN,
                                  .swap_limit_kib = HOST_UNKNOWN,
                                  .swap_usage_kib = HOST_UNKNOWN,
                                  .oom_kills = HOST_UNKNOWN};
    if (tree->version == 1)
        read_memory_v1(tree, group, ret);
    else if (tree->version == 2)
        read_memory_v2(tree, group, ret);
}

void cgroup_read_cpu(const struct cgroup_tree *tree, const char *group, uint64_t *ret_busy_ns,
                     uint64_t *ret_throttled_ns)
{
    char text[1024];
    uint64_t busy_ns = HOST_UNKNOWN, throttled_ns = HOST_UNKNOWN;
    bool stat = cgroup_file_read(tree, tree->cpu, group, "cpu.stat", text, sizeof text) >= 0;
    if (tree->version == 1) {
        busy_ns = cgroup_file_number(tree, tree->cpuacct, group, "cpuacct.usage");
        throttled_ns = stat ? proc_value(text, "throttled_time") : HOST_UNKNOWN;
    } else if (stat) {
        uint64_t busy_us = proc_value(text, "usage_usec"), throttled_us = proc_value(text, "throttled_usec");
        busy_ns = host_known(busy_us) ? busy_us * 1000 : HOST_UNKNOWN;
        throttled_ns = host_known(throttled_us) ? throttled_us * 1000 : HOST_UNKNOWN;
    }
    *ret_busy_ns = busy_ns;
    *ret_throttled_ns = throttled_ns;
}
