#include "decide/plan_cost.h"

#include <math.h>

double plan_bandwidth_mib_s(const struct snapshot *s, uint32_t from, uint32_t to)
{
    return fmin(s->hosts.net_mib_s[from], s->hosts.net_mib_s[to]);
}

struct migration_cost plan_cost(const struct snapshot *s, uint32_t v, double weight, double bandwidth_mib_s)
{
    struct migration_cost c = {.penalty = 1};
    double send = s->vms.mem_actual_mib[v] + s->vms.local_disk_mib[v];
    double ratio = fmin(s->vms.dirty_mib_s[v] / bandwidth_mib_s, 0.9);
    c.estimate.duration_s = MIGRATION_SETUP_S + send / bandwidth_mib_s / (1 - ratio);
    c.estimate.downtime_s = MIGRATION_DOWNTIME_S;
    c.lost_vm_s =
        weight * (MIGRATION_SLOW_DOWN * c.estimate.duration_s + MIGRATION_DOWNTIME_S + MIGRATION_RISK_S);
    return c;
}
