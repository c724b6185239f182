#include "decide/plan_cost.h"

#include <math.h>

double plan_bandwidth_mib_s(const struct snapshot *s, uint32_t from, uint32_t to)
{
    return fmin(s->hosts.net_mib_s[from], s->hosts.net_mib_s[to]);
}

struct migration_cost plan_cost(const struct snapshot *s, uint32_t v, double weight, double bandwidth_mib_s)
{
    const struct migration_subject vm = {
        .resident_mib = s->vms.mem_actual_mib[v] + s->vms.mem_overhead_mib[v],
        .dirty_mib_s = s->vms.dirty_mib_s[v],
        .local_disk_mib = s->vms.local_disk_mib[v],
        .weight = weight,
        .migrations_1h = s->vms.migrations_1h[v],
        .left_destination_s = -1, // who may not return is barred, not priced
    };
    const struct migration_link link = {.bandwidth_mib_s = bandwidth_mib_s};
    return migration_cost(&vm, &link, NULL);
}
