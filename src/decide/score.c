#include "decide/score.h"

#include <math.h>
#include <stdlib.h>

#include "decide/entitlement.h"
#include "decide/score_expected.h"

// VMs by host: those of host h are vm[start[h]] .. vm[start[h + 1] - 1], in ascending order.
struct by_host {
    uint32_t *start;
    uint32_t *vm;
    uint32_t longest;
};

static struct by_host group_by_host(const struct snapshot *s, struct arena *scratch)
{
    struct by_host g = {arena_new_array(scratch, uint32_t, (size_t)s->hosts.n + 2),
                        arena_new_array(scratch, uint32_t, s->vms.n), 0};
    uint32_t *fill = g.start + 1; // fill[h] becomes the end of h's part, that is start[h + 1]
    for (uint32_t v = 0; v < s->vms.n; v++)
        fill[s->vms.host[v] + 1]++;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        if (fill[h + 1] > g.longest)
            g.longest = fill[h + 1];
        fill[h + 1] += fill[h];
    }
    for (uint32_t v = 0; v < s->vms.n; v++)
        g.vm[fill[s->vms.host[v]]++] = v;
    return g;
}

struct score_scratch score_scratch_new(uint32_t n_vms, struct arena *arena)
{
    return (struct score_scratch){arena, arena_new_array(arena, struct entitlement_claim, n_vms),
                                  arena_new_array(arena, double, n_vms),
                                  arena_alloc(arena, 1, entitlement_scratch_bytes(n_vms))};
}

// Satisfaction of the n VMs of one host, written to satisfaction[v].
static void satisfy_host(const struct snapshot *s, uint32_t h, uint32_t n, const uint32_t *vm,
                         const struct score_scratch *d, double *satisfaction)
{
    const struct snapshot_vms *vms = &s->vms;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = vm[i];
        d->claim[i] = (struct entitlement_claim){vms->cpu_demand_cores[v], vms->cpu_reservation_cores[v],
                                                 vms->cpu_limit_cores[v], vms->cpu_shares[v]};
    }
    entitlement_divide(s->hosts.cpu_cores[h], n, d->claim, d->grant, d->division);
    for (uint32_t i = 0; i < n; i++)
        satisfaction[vm[i]] =
            score_cpu_satisfaction(vms->cpu_demand_cores[vm[i]], d->grant[i], vms->vcpus[vm[i]]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = vm[i];
        d->claim[i] = (struct entitlement_claim){vms->mem_used_mib[v] + vms->mem_overhead_mib[v],
                                                 vms->mem_reservation_mib[v], vms->mem_limit_mib[v],
                                                 vms->mem_shares[v]};
    }
    entitlement_divide(snapshot_host_mem_mib(s, h), n, d->claim, d->grant, d->division);
    for (uint32_t i = 0; i < n; i++)
        satisfaction[vm[i]] *= score_mem_satisfaction(d->claim[i].demand, d->grant[i]);
}

// With satisfactions that were measured (NULL: with those that a division of the host gives).
static void add_host(const struct snapshot *s, uint32_t h, uint32_t n, const uint32_t *vm,
                     const struct score_scratch *scratch, const double *measured, double *satisfaction,
                     struct score_part *ret)
{
    struct score_part part = {.n_vms = n};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = vm[i];
        part.cpu_cores += s->vms.cpu_demand_cores[v];
        part.mem_used_mib += s->vms.mem_used_mib[v];
        part.mem_demand_mib += s->vms.mem_used_mib[v] + s->vms.mem_overhead_mib[v];
    }
    if (s->hosts.state[h] == HOST_DOWN) {
        for (uint32_t i = 0; i < n; i++)
            satisfaction[vm[i]] = 0;
        *ret = part;
        return;
    }
    if (!measured)
        satisfy_host(s, h, n, vm, scratch, satisfaction);
    part.expected = score_expected_host(s, h, n, vm, scratch->arena);
    for (uint32_t i = 0; i < n; i++) {
        if (measured)
            satisfaction[vm[i]] = measured[vm[i]];
        part.shares += s->vms.shares[vm[i]];
        part.lost += s->vms.shares[vm[i]] * (1 - satisfaction[vm[i]]);
        part.n_wanting += satisfaction[vm[i]] < 1;
    }
    *ret = part;
}

void score_host(const struct snapshot *s, uint32_t h, uint32_t n, const uint32_t *vm,
                const struct score_scratch *scratch, double *satisfaction, struct score_part *ret)
{
    add_host(s, h, n, vm, scratch, NULL, satisfaction, ret);
}

// Mean, deviations and maximum of demand / capacity over the hosts that are up.
struct spread {
    double sum, sum_squares, largest;
    double demand, capacity;
};

static void spread_add(struct spread *p, double demand, double capacity)
{
    double load = demand / capacity;
    p->sum += load;
    p->sum_squares += load * load;
    p->largest = fmax(p->largest, load);
    p->demand += demand;
    p->capacity += capacity;
}

static double mean_of(const struct spread *p, uint32_t n)
{
    return n ? p->sum / n : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void score_hosts(const struct snapshot *s, const struct score_part *part, struct score *ret)
{
    struct spread cpu = {0}, mem = {0};
    uint32_t n_up = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        bool runs = s->hosts.state[h] == HOST_UP || s->hosts.state[h] == HOST_MAINTENANCE;
        if (!runs)
            continue;
        ret->hosts_used += part[h].n_vms > 0;
        ret->hosts_overloaded +=
            part[h].cpu_cores > s->hosts.cpu_cores[h] || part[h].mem_demand_mib > snapshot_host_mem_mib(s, h);
        if (s->hosts.state[h] != HOST_UP)
            continue;
        n_up++;
        spread_add(&cpu, part[h].cpu_cores, s->hosts.cpu_cores[h]);
        spread_add(&mem, part[h].mem_used_mib, s->hosts.mem_mib[h]);
    }
    double cpu_mean = mean_of(&cpu, n_up), mem_mean = mean_of(&mem, n_up);
    double cpu_target = n_up ? cpu.demand / cpu.capacity : 0,
           mem_target = n_up ? mem.demand / mem.capacity : 0;
    double cpu_squares = 0, mem_squares = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        if (s->hosts.state[h] != HOST_UP)
            continue;
        double c = part[h].cpu_cores / s->hosts.cpu_cores[h], m = part[h].mem_used_mib / s->hosts.mem_mib[h];
        cpu_squares += (c - cpu_mean) * (c - cpu_mean);
        mem_squares += (m - mem_mean) * (m - mem_mean);
        ret->cpu_mad += fabs(c - cpu_target) / n_up;
        ret->mem_mad += fabs(m - mem_target) / n_up;
    }
    ret->cpu_sd = n_up ? sqrt(cpu_squares / n_up) : 0;
    ret->mem_sd = n_up ? sqrt(mem_squares / n_up) : 0;
    ret->cpu_max = cpu.largest;
    ret->mem_max = mem.largest;
}

void score_total(const struct snapshot *s, const struct score_part *part, const double *satisfaction,
                 struct arena *scratch, struct score *ret)
{
    struct score score = {.score = 1, .s_min = 1, .s_p1 = 1};
    double shares = 0, lost = 0, expected = 0;
    size_t n_counted = 0, n_wanting = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        if (s->hosts.state[h] == HOST_DOWN)
            continue;
        shares += part[h].shares;
        lost += part[h].lost;
        expected += part[h].expected;
        n_counted += part[h].n_vms;
        n_wanting += part[h].n_wanting;
    }
    score_hosts(s, part, &score);
    if (n_counted) {
        score.score = 1 - lost / shares;
        score.lost_vm_s_per_s = lost * (double)n_counted / shares;
        score.expected_lost_vm_s_per_s = expected * (double)n_counted / shares;
    }
    if (n_wanting) {
        double *wanting = arena_new_array(scratch, double, n_wanting); // the satisfactions below 1
        size_t n = 0, p1 = (n_counted + 99) / 100 - 1;
        for (uint32_t v = 0; v < s->vms.n; v++)
            if (satisfaction[v] < 1 && s->hosts.state[s->vms.host[v]] != HOST_DOWN)
                wanting[n++] = satisfaction[v];
        qsort(wanting, n, sizeof *wanting, by_value);
        score.s_min = wanting[0];
        score.s_p1 = p1 < n ? wanting[p1] : 1;
    }
    *ret = score;
}

static void compute(const struct snapshot *s, struct arena *arena, const double *measured, struct score *ret,
                    double *ret_satisfaction)
{
    struct by_host g = group_by_host(s, arena);
    struct score_scratch scratch = score_scratch_new(g.longest, arena);
    struct score_part *part = arena_new_array(arena, struct score_part, s->hosts.n);
    double *satisfaction = ret_satisfaction ? ret_satisfaction : arena_new_array(arena, double, s->vms.n);
    for (uint32_t h = 0; h < s->hosts.n; h++)
        add_host(s, h, g.start[h + 1] - g.start[h], g.vm + g.start[h], &scratch, measured, satisfaction,
                 &part[h]);
    score_total(s, part, satisfaction, arena, ret);
}

void score_compute(const struct snapshot *s, struct arena *arena, struct score *ret, double *ret_satisfaction)
{
    compute(s, arena, NULL, ret, ret_satisfaction);
}

void score_measured(const struct snapshot *s, struct arena *arena, const double *satisfaction,
                    struct score *ret)
{
    compute(s, arena, satisfaction, ret, NULL);
}
