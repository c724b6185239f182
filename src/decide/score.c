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

struct division {
    struct entitlement_claim *claim;
    double *grant;
    void *scratch;
};

// Satisfaction of the VMs of one host, written to satisfaction[v].
static void satisfy_host(const struct snapshot *s, uint32_t h, uint32_t n, const uint32_t *vm,
                         const struct division *d, double *satisfaction)
{
    const struct snapshot_vms *vms = &s->vms;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = vm[i];
        d->claim[i] = (struct entitlement_claim){vms->cpu_demand_cores[v], vms->cpu_reservation_cores[v],
                                                 vms->cpu_limit_cores[v], vms->cpu_shares[v]};
    }
    entitlement_divide(s->hosts.cpu_cores[h], n, d->claim, d->grant, d->scratch);
    for (uint32_t i = 0; i < n; i++)
        satisfaction[vm[i]] =
            score_cpu_satisfaction(vms->cpu_demand_cores[vm[i]], d->grant[i], vms->vcpus[vm[i]]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = vm[i];
        d->claim[i] = (struct entitlement_claim){vms->mem_used_mib[v] + vms->mem_overhead_mib[v],
                                                 vms->mem_reservation_mib[v], vms->mem_limit_mib[v],
                                                 vms->mem_shares[v]};
    }
    entitlement_divide(snapshot_host_mem_mib(s, h), n, d->claim, d->grant, d->scratch);
    for (uint32_t i = 0; i < n; i++)
        satisfaction[vm[i]] *= score_mem_satisfaction(d->claim[i].demand, d->grant[i]);
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

struct host_sums {
    double *cpu;        // demand in cores
    double *mem_used;   // MiB
    double *mem_demand; // with the hypervisor's own memory
};

static void add_up(const struct snapshot *s, const struct by_host *g, struct host_sums *sums)
{
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        for (uint32_t i = g->start[h]; i < g->start[h + 1]; i++) {
            uint32_t v = g->vm[i];
            sums->cpu[h] += s->vms.cpu_demand_cores[v];
            sums->mem_used[h] += s->vms.mem_used_mib[v];
            sums->mem_demand[h] += s->vms.mem_used_mib[v] + s->vms.mem_overhead_mib[v];
        }
    }
}

static void score_hosts(const struct snapshot *s, const struct by_host *g, const struct host_sums *sums,
                        struct score *ret)
{
    struct spread cpu = {0}, mem = {0};
    uint32_t n_up = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        bool runs = s->hosts.state[h] == HOST_UP || s->hosts.state[h] == HOST_MAINTENANCE;
        if (!runs)
            continue;
        ret->hosts_used += g->start[h + 1] > g->start[h];
        ret->hosts_overloaded +=
            sums->cpu[h] > s->hosts.cpu_cores[h] || sums->mem_demand[h] > snapshot_host_mem_mib(s, h);
        if (s->hosts.state[h] != HOST_UP)
            continue;
        n_up++;
        spread_add(&cpu, sums->cpu[h], s->hosts.cpu_cores[h]);
        spread_add(&mem, sums->mem_used[h], s->hosts.mem_mib[h]);
    }
    double cpu_mean = mean_of(&cpu, n_up), mem_mean = mean_of(&mem, n_up);
    double cpu_target = n_up ? cpu.demand / cpu.capacity : 0,
           mem_target = n_up ? mem.demand / mem.capacity : 0;
    double cpu_squares = 0, mem_squares = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        if (s->hosts.state[h] != HOST_UP)
            continue;
        double c = sums->cpu[h] / s->hosts.cpu_cores[h], m = sums->mem_used[h] / s->hosts.mem_mib[h];
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

// With satisfactions that were measured (NULL: with those that a division of each host gives).
static void compute(const struct snapshot *s, struct arena *scratch, const double *measured,
                    struct score *ret, double *ret_satisfaction)
{
    struct by_host g = group_by_host(s, scratch);
    size_t n_hosts = s->hosts.n;
    struct host_sums sums = {arena_new_array(scratch, double, n_hosts),
                             arena_new_array(scratch, double, n_hosts),
                             arena_new_array(scratch, double, n_hosts)};
    struct division d = {arena_new_array(scratch, struct entitlement_claim, g.longest),
                         arena_new_array(scratch, double, g.longest),
                         arena_alloc(scratch, 1, entitlement_scratch_bytes(g.longest))};
    double *satisfaction = ret_satisfaction ? ret_satisfaction : arena_new_array(scratch, double, s->vms.n);
    double *wanting = arena_new_array(scratch, double, s->vms.n); // the satisfactions below 1

    struct score score = {.s_min = 1, .s_p1 = 1};
    double shares = 0, lost = 0, expected = 0;
    size_t n_counted = 0, n_wanting = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        uint32_t n = g.start[h + 1] - g.start[h];
        const uint32_t *vm = g.vm + g.start[h];
        if (s->hosts.state[h] == HOST_DOWN) {
            for (uint32_t i = 0; i < n; i++)
                satisfaction[vm[i]] = 0;
            continue;
        }
        if (!measured)
            satisfy_host(s, h, n, vm, &d, satisfaction);
        expected += score_expected_host(s, h, n, vm, scratch);
        for (uint32_t i = 0; i < n; i++) {
            if (measured)
                satisfaction[vm[i]] = measured[vm[i]];
            shares += s->vms.shares[vm[i]];
            lost += s->vms.shares[vm[i]] * (1 - satisfaction[vm[i]]);
            n_counted++;
            if (satisfaction[vm[i]] < 1)
                wanting[n_wanting++] = satisfaction[vm[i]];
        }
    }
    add_up(s, &g, &sums);
    score_hosts(s, &g, &sums, &score);
    score.score = n_counted ? 1 - lost / shares : 1;
    score.lost_vm_s_per_s = n_counted ? lost * (double)n_counted / shares : 0;
    score.expected_lost_vm_s_per_s = n_counted ? expected * (double)n_counted / shares : 0;
    if (n_wanting) {
        size_t p1 = (n_counted + 99) / 100 - 1;
        qsort(wanting, n_wanting, sizeof *wanting, by_value);
        score.s_min = wanting[0];
        score.s_p1 = p1 < n_wanting ? wanting[p1] : 1;
    }
    *ret = score;
}

void score_compute(const struct snapshot *s, struct arena *scratch, struct score *ret,
                   double *ret_satisfaction)
{
    compute(s, scratch, NULL, ret, ret_satisfaction);
}

void score_measured(const struct snapshot *s, struct arena *scratch, const double *satisfaction,
                    struct score *ret)
{
    compute(s, scratch, satisfaction, ret, NULL);
}
