// Who gets how much of a host, and what that costs.
//
// CPU: copying for migrations comes first, then the VMs by shares (entitlement.h), each at most one core of this
// host per vCPU. A VM that is being copied loses part of its work. The host's load is what runs on it; the part
// that a migrating VM loses is run too, in vain.
#include "decide/score.h"
#include "simulate/world_private.h"

static double seconds(int64_t ms)
{
    return (double)ms / 1000.0;
}

void world_flush_host(struct world *w, uint32_t h)
{
    int64_t ms = w->now_ms - w->host_since_ms[h];
    w->host_since_ms[h] = w->now_ms;
    if (ms == 0)
        return;
    const struct host_rates *r = &w->host_rates[h];
    struct world_totals *t = &w->totals;
    double s = seconds(ms);
    t->energy_j += r->power_w * s;
    if (r->on)
        t->on_s += s;
    if (r->vms == 0)
        return;
    t->exist_w_s += r->exist_w * s;
    t->lost_vm_s += r->lost * s;
    t->lost_to_contention_vm_s += r->lost_contention * s;
    t->lost_to_migration_vm_s += r->lost_migration * s;
    t->demanded += r->demanded * s;
    t->delivered += r->delivered * s;
    t->not_delivered_migrating += r->not_delivered_migrating * s;
    t->mem_short_mib_s += r->mem_short_mib * s;
    if (r->active) {
        t->active_s += s;
        if (r->violated)
            t->violated_s += s;
    }
    const struct view_list *vms = &w->host_vms[h];
    for (uint32_t i = 0; i < vms->n; i++) {
        uint32_t v = vms->vm[i];
        w->vm_exist[v] += w->vm_weight[v] * s;
        w->vm_lost[v] += w->vm_lost_rate[v] * s;
    }
}

// CPU that copying takes on host h, and the demand of VMs that are on their way here.
static double copying(const struct world *w, uint32_t h, double *ret_coming)
{
    double cores = 0, coming = 0;
    for (size_t i = 0; i < w->running.n; i++) {
        const struct migration *m = &w->running.at[i];
        if (m->from != h && m->to != h)
            continue;
        cores += w->scenario->migration_cpu_cores * m->rate_mib_s / w->host_net_mib_s[h];
        if (m->to == h) {
            coming += w->demand[m->vm];
            cores += w->scenario->migration_destination_load * w->demand[m->vm];
        }
    }
    *ret_coming = coming;
    return cores;
}

// Writes what each VM is granted to w->grant; returns the sum.
static double divide_cpu(struct world *w, const struct view_list *vms, double available, double core_cores)
{
    double wanted = 0;
    for (uint32_t i = 0; i < vms->n; i++) {
        uint32_t v = vms->vm[i];
        double most = core_cores * w->vm_vcpus[v];
        w->grant[i] = w->demand[v] < most ? w->demand[v] : most;
        wanted += w->grant[i];
    }
    if (wanted <= available)
        return wanted;
    if (w->scenario->divide_by_demand) {
        for (uint32_t i = 0; i < vms->n; i++)
            w->grant[i] *= available / wanted;
        return available;
    }
    for (uint32_t i = 0; i < vms->n; i++) {
        uint32_t v = vms->vm[i];
        w->claim[i] =
            (struct entitlement_claim){w->demand[v], 0, core_cores * w->vm_vcpus[v], w->vm_shares[v]};
    }
    return entitlement_divide(available, vms->n, w->claim, w->grant, w->scratch);
}

static const struct migration *migration_of(const struct world *w, uint32_t v)
{
    for (size_t i = 0; i < w->running.n; i++)
        if (w->running.at[i].vm == v)
            return &w->running.at[i];
    return NULL;
}

static void add_vm(struct world *w, uint32_t v, double grant, struct host_rates *r)
{
    double demand = w->demand[v], weight = w->vm_weight[v];
    double slow_down = 0;
    if (w->vm_to[v] != VIEW_NONE) {
        const struct migration *m = migration_of(w, v);
        slow_down = m ? m->slow_down : 0;
    }
    double delivered = grant * (1 - slow_down);
    // An idle VM that waits a moment is not half lost: as in the plain score, with what the VM may have at most.
    double floor = SCORE_CPU_FLOOR_PER_VCPU * w->vm_cores[v];
    double base = demand > floor ? demand : floor;
    double s_contention = (1 - (demand - grant) / base) * w->s_mem[v];
    double s = (1 - (demand - delivered) / base) * w->s_mem[v];
    r->exist_w += weight;
    r->lost += weight * (1 - s);
    r->lost_contention += weight * (1 - s_contention);
    r->lost_migration += weight * (s_contention - s);
    r->demanded += demand;
    r->delivered += delivered;
    if (w->vm_to[v] != VIEW_NONE)
        r->not_delivered_migrating += demand - delivered;
    w->delivered[v] = delivered;
    w->vm_lost_rate[v] = weight * (1 - s);
}

void world_refresh_host(struct world *w, uint32_t h)
{
    world_flush_host(w, h);
    w->host_dirty[h] = false;
    const struct view_list *vms = &w->host_vms[h];
    struct host_rates r = {0};
    enum host_power power = w->host_power[h];
    if (w->scenario->hosts_follow_use)
        r.on = vms->n > 0 || w->host_in[h] > 0;
    else
        r.on = power != HOST_SLEEPING && power != HOST_CRASHED;
    if (w->host_rates[h].on && !r.on)
        w->totals.shutdowns++;
    if (power == HOST_CRASHED) {
        w->host_rates[h] = r;
        return;
    }
    double coming = 0, overhead = 0;
    if (w->host_in[h] || w->host_out[h])
        overhead = copying(w, h, &coming);
    double capacity = w->host_cores[h];
    overhead = overhead < capacity ? overhead : capacity;
    double granted = divide_cpu(w, vms, capacity - overhead, w->host_core_cores[h]);
    world_divide_memory(w, h, &r);
    for (uint32_t i = 0; i < vms->n; i++)
        add_vm(w, vms->vm[i], w->grant[i], &r);
    r.vms = vms->n;
    double asked = r.demanded + coming, given = granted + w->scenario->migration_destination_load * coming;
    r.active = granted + overhead > 0;
    r.violated = given < asked - 1e-9 * capacity;
    if (r.on)
        r.power_w = power_watts(w->host_curve[h], (granted + overhead) / capacity);
    else if (!w->scenario->hosts_follow_use)
        r.power_w = w->scenario->standby_w;
    w->host_rates[h] = r;
}

void world_refresh_dirty(struct world *w)
{
    for (uint32_t h = 0; h < w->n_hosts; h++)
        if (w->host_dirty[h])
            world_refresh_host(w, h);
}
