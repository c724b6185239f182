#include "host/capacity.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "host/proc.h"

#define TEXT_SIZE 8192

static long read_below(const char *root, const char *file, char *text, size_t size)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s", root, file);
    return length > 0 && (size_t)length < sizeof path ? file_read_small(path, text, size) : -1;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b; // HOST_UNKNOWN is the largest
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void read_machine_memory(const struct capacity_source *source, struct host_memory *ret)
{
    char text[TEXT_SIZE];
    struct proc_meminfo info = {HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN, 0};
    if (read_below(source->proc_root, "meminfo", text, sizeof text) > 0)
        proc_parse_meminfo(text, &info);
    ret->total_kib = info.total_kib;
    ret->available_kib = info.available_kib;
    if (host_known(info.available_kib)) {
        ret->deferred_kib = least(info.deferred_kib, minus(info.total_kib, info.available_kib));
        ret->available_kib += ret->deferred_kib;
    }
    ret->free_kib = info.free_kib;
    ret->swap_total_kib = info.swap_total_kib;
    ret->swap_free_kib = info.swap_free_kib;
}

static void read_vmstat(const struct capacity_source *source, struct host_memory *ret)
{
    char text[TEXT_SIZE];
    ret->swap_in_pages = ret->swap_out_pages = ret->oom_kills = HOST_UNKNOWN;
    if (read_below(source->proc_root, "vmstat", text, sizeof text) <= 0)
        return;
    ret->swap_in_pages = proc_value(text, "pswpin");
    ret->swap_out_pages = proc_value(text, "pswpout");
    ret->oom_kills = proc_value(text, "oom_kill");
}

static void read_pressure(const struct capacity_source *source, struct host_memory *ret)
{
    char text[256];
    if (read_below(source->proc_root, "pressure/memory", text, sizeof text) > 0)
        proc_parse_psi(text, &ret->memory_psi);
    if (read_below(source->proc_root, "pressure/cpu", text, sizeof text) > 0)
        proc_parse_psi(text, &ret->cpu_psi);
    if (read_below(source->proc_root, "pressure/io", text, sizeof text) > 0)
        proc_parse_psi(text, &ret->io_psi);
}

// The group's limit is at most what the machine has: the group's figures then hold, and the machine's where
// they are tighter still.
static void apply_group(const struct capacity_source *source, struct host_memory *ret)
{
    const struct cgroup_capacity *limits = source->limits;
    if (!limits->memory_group[0] || limits->memory_limit_kib > ret->total_kib)
        return;
    struct cgroup_memory group;
    cgroup_read_memory(source->tree, limits->memory_group, &group);
    if (!host_known(group.usage_kib))
        return;
    // lxcfs shows a container its group's figures in /proc/meminfo, but knows nothing of what is deferred there.
    bool same = ret->total_kib == limits->memory_limit_kib;
    ret->source = HOST_SOURCE_CGROUP;
    ret->total_kib = limits->memory_limit_kib;
    uint64_t free_kib = minus(limits->memory_limit_kib, group.usage_kib);
    ret->free_kib = least(ret->free_kib, free_kib);
    uint64_t reclaimable_kib = least(group.reclaimable_kib + group.deferred_kib, group.usage_kib);
    ret->deferred_kib = least(group.deferred_kib, group.usage_kib);
    uint64_t available_kib = free_kib + reclaimable_kib;
    ret->available_kib = same ? available_kib : least(ret->available_kib, available_kib);
    if (host_known(group.swap_limit_kib) && group.swap_limit_kib < ret->swap_total_kib) {
        ret->swap_total_kib = group.swap_limit_kib;
        uint64_t used_kib = host_known(group.swap_usage_kib) ? group.swap_usage_kib : 0;
        ret->swap_free_kib = least(ret->swap_free_kib, minus(group.swap_limit_kib, used_kib));
    }
    if (host_known(group.oom_kills))
        ret->oom_kills = group.oom_kills;
    if (group.memory_psi.known)
        ret->memory_psi = group.memory_psi;
    if (group.cpu_psi.known)
        ret->cpu_psi = group.cpu_psi;
    if (group.io_psi.known)
        ret->io_psi = group.io_psi;
}

void capacity_read_memory(const struct capacity_source *source, struct host_memory *ret)
{
    *ret = (struct host_memory){0};
    read_machine_memory(source, ret);
    read_vmstat(source, ret);
    read_pressure(source, ret);
    apply_group(source, ret);
    if (source->fixed_memory_kib == 0)
        return;
    uint64_t beyond_kib = host_known(ret->total_kib) ? minus(ret->total_kib, source->fixed_memory_kib) : 0;
    ret->source = HOST_SOURCE_CONFIG;
    ret->total_kib = source->fixed_memory_kib;
    if (host_known(ret->available_kib))
        ret->available_kib = least(minus(ret->available_kib, beyond_kib), ret->total_kib);
    if (host_known(ret->free_kib))
        ret->free_kib = least(minus(ret->free_kib, beyond_kib), ret->total_kib);
}

static void read_threads(const struct capacity_source *source, struct host_cpu *ret)
{
    char text[1024];
    if (read_below(source->sys_cpu_root, "online", text, sizeof text) > 0)
        ret->threads = proc_count_list(text);
    if (ret->threads == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        ret->threads = online > 0 ? (uint32_t)online : 1;
    }
    ret->threads_per_core = 0;
    if (read_below(source->sys_cpu_root, "cpu0/topology/thread_siblings_list", text, sizeof text) > 0)
        ret->threads_per_core = proc_count_list(text);
    if (ret->threads_per_core == 0)
        ret->threads_per_core = 1;
}

static void read_busy(const struct capacity_source *source, struct host_cpu *ret)
{
    char text[TEXT_SIZE];
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    struct proc_cpu cpu = {HOST_UNKNOWN, HOST_UNKNOWN};
    if (read_below(source->proc_root, "stat", text, sizeof text) > 0)
        proc_parse_stat(text, &cpu);
    ret->busy_ns = host_known(cpu.busy_ticks) ? cpu.busy_ticks * tick_ns : HOST_UNKNOWN;
    ret->steal_ns = host_known(cpu.steal_ticks) ? cpu.steal_ticks * tick_ns : HOST_UNKNOWN;
    const struct cgroup_capacity *limits = source->limits;
    // a group at the root that limits memory is the whole of this host (a container); one further down is not
    bool at_root = strcmp(limits->memory_group, "/") == 0;
    const char *group = limits->cpu_group[0] || !at_root ? limits->cpu_group : limits->memory_group;
    if (!group[0])
        return;
    uint64_t busy_ns, throttled_ns;
    cgroup_read_cpu(source->tree, group, &busy_ns, &throttled_ns);
    if (host_known(busy_ns))
        ret->busy_ns = busy_ns;
    if (host_known(throttled_ns))
        ret->throttled_ns = throttled_ns;
}

void capacity_read_cpu(const struct capacity_source *source, struct host_cpu *ret)
{
    *ret = (struct host_cpu){0};
    read_threads(source, ret);
    const struct cgroup_capacity *limits = source->limits;
    if (limits->cpuset_cpus > 0 && limits->cpuset_cpus < ret->threads) {
        ret->threads = limits->cpuset_cpus;
        ret->source = HOST_SOURCE_CPUSET;
    }
    ret->capacity_cores = (double)ret->threads / ret->threads_per_core;
    if (limits->cpu_quota_cores > 0 && limits->cpu_quota_cores < ret->capacity_cores) {
        ret->capacity_cores = limits->cpu_quota_cores;
        ret->source = HOST_SOURCE_CGROUP;
    }
    read_busy(source, ret);
    if (source->fixed_cpu_cores > 0) {
        ret->capacity_cores = source->fixed_cpu_cores;
        ret->source = HOST_SOURCE_CONFIG;
    }
}
