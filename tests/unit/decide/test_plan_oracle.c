// The planner's remaining loss against exhaustive enumeration on small clusters.
//
// The oracle tries every assignment with at most K VMs away from home that can be reached in some order of its moves,
// and takes the one with the least plain loss over the horizon, once with what the moves cost and once without. Without
// costs the planner is given a horizon of a day, so that no loss is too small to be worth a move.
#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decide/entitlement.h"
#include "decide/plan.h"
#include "decide/plan_cost.h"
#include "random_cluster.h"

#define HOSTS_MOST 5
#define VMS_MOST 10
// Clusters of each shape; BALLAST_ORACLE_CLUSTERS in the environment asks for another number.
#define CLUSTERS 60
#define CLUSTERS_MOST 100000

struct oracle {
    const struct snapshot *s;
    uint32_t most;
    double loss[HOSTS_MOST][1 << VMS_MOST];
    double bound[1 << VMS_MOST];
    uint32_t at[VMS_MOST]; // the assignment under construction
    uint32_t mask[HOSTS_MOST];
    double horizon_s, cost[VMS_MOST];
    double best;
};

static double loss_of(const struct snapshot *s, uint32_t h, uint32_t mask, double mean_shares)
{
    struct entitlement_claim claim[VMS_MOST] = {0};
    double grant[VMS_MOST], satisfaction[VMS_MOST], loss = 0;
    char scratch[VMS_MOST * 64];
    uint32_t vm[VMS_MOST], n = 0;
    for (uint32_t v = 0; v < s->vms.n; v++)
        if (mask >> v & 1)
            vm[n++] = v;
    for (uint32_t i = 0; i < n; i++)
        claim[i] =
            (struct entitlement_claim){s->vms.cpu_demand_cores[vm[i]], s->vms.cpu_reservation_cores[vm[i]],
                                       s->vms.cpu_limit_cores[vm[i]], s->vms.cpu_shares[vm[i]]};
    entitlement_divide(s->hosts.cpu_cores[h], n, claim, grant, scratch);
    for (uint32_t i = 0; i < n; i++)
        satisfaction[i] = 1 - (claim[i].demand - grant[i]) / fmax(claim[i].demand, 0.1 * s->vms.vcpus[vm[i]]);
    for (uint32_t i = 0; i < n; i++)
        claim[i] = (struct entitlement_claim){s->vms.mem_used_mib[vm[i]] + s->vms.mem_overhead_mib[vm[i]],
                                              s->vms.mem_reservation_mib[vm[i]], s->vms.mem_limit_mib[vm[i]],
                                              s->vms.mem_shares[vm[i]]};
    entitlement_divide(snapshot_host_mem_mib(s, h), n, claim, grant, scratch);
    for (uint32_t i = 0; i < n; i++)
        loss += s->vms.shares[vm[i]] / mean_shares * (1 - satisfaction[i] * grant[i] / claim[i].demand);
    return loss;
}

static bool fits(const struct oracle *o, uint32_t h, uint32_t mask)
{
    return o->bound[mask] <= snapshot_host_mem_mib(o->s, h);
}

// Whether the VMs of `waiting` can reach their places one after the other.
static bool reachable(const struct oracle *o, uint32_t waiting, const uint32_t *mask)
{
    if (!waiting)
        return true;
    for (uint32_t v = 0; v < o->s->vms.n; v++) {
        if (!(waiting >> v & 1))
            continue;
        uint32_t from = o->s->vms.host[v], to = o->at[v], next[HOSTS_MOST];
        if (!fits(o, to, mask[to] | 1u << v))
            continue;
        memcpy(next, mask, sizeof next);
        next[from] &= ~(1u << v);
        next[to] |= 1u << v;
        if (reachable(o, waiting & ~(1u << v), next))
            return true;
    }
    return false;
}

static void consider(struct oracle *o)
{
    double loss = 0;
    for (uint32_t h = 0; h < o->s->hosts.n; h++)
        loss += o->loss[h][o->mask[h]] * o->horizon_s;
    for (uint32_t v = 0; v < o->s->vms.n; v++)
        loss += o->at[v] != o->s->vms.host[v] ? o->cost[v] : 0;
    if (loss >= o->best)
        return;
    uint32_t start[HOSTS_MOST] = {0}, waiting = 0;
    for (uint32_t v = 0; v < o->s->vms.n; v++) {
        start[o->s->vms.host[v]] |= 1u << v;
        if (o->at[v] != o->s->vms.host[v])
            waiting |= 1u << v;
    }
    if (reachable(o, waiting, start))
        o->best = loss;
}

static void enumerate(struct oracle *o, uint32_t v, uint32_t displaced)
{
    if (v == o->s->vms.n) {
        consider(o);
        return;
    }
    for (uint32_t h = 0; h < o->s->hosts.n; h++) {
        bool away = h != o->s->vms.host[v];
        if (displaced + away > o->most)
            continue;
        o->at[v] = h;
        o->mask[h] |= 1u << v;
        enumerate(o, v + 1, displaced + away);
        o->mask[h] &= ~(1u << v);
    }
}

static double optimum(const struct snapshot *s, uint32_t most, double mean_shares, double horizon_s,
                      bool costs)
{
    struct oracle *o = calloc(1, sizeof *o);
    assert_non_null(o);
    o->s = s;
    o->most = most;
    o->best = HUGE_VAL;
    o->horizon_s = horizon_s;
    for (uint32_t v = 0; v < s->vms.n && costs; v++)
        o->cost[v] = plan_cost(s, v, s->vms.shares[v] / mean_shares, s->hosts.net_mib_s[0]).lost_vm_s;
    for (uint32_t mask = 0; mask < 1u << s->vms.n; mask++) {
        for (uint32_t v = 0; v < s->vms.n; v++)
            if (mask >> v & 1)
                o->bound[mask] += fmax(s->vms.mem_used_mib[v] * 1.1, s->vms.mem_reservation_mib[v]) +
                                  s->vms.mem_overhead_mib[v];
        for (uint32_t h = 0; h < s->hosts.n; h++)
            o->loss[h][mask] = loss_of(s, h, mask, mean_shares);
    }
    enumerate(o, 0, 0);
    double best = o->best;
    free(o);
    return best;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Kinds of clusters: what differs is where the trouble lies.
static const struct shape {
    const char *name;
    uint32_t hosts, vms; // at least; up to one and two more
    double cpu_load, mem_load;
    uint32_t rules;
} shapes[] = {
    {"mixed", 3, 7, 0.6, 0.35, 0},         {"overloaded", 3, 7, 1.0, 0.4, 0},
    {"full of memory", 3, 8, 0.7, 0.6, 0}, {"two hosts", 2, 8, 0.8, 0.45, 0},
    {"many hosts", 4, 7, 0.7, 0.4, 0},     {"few large VMs", 3, 5, 0.75, 0.45, 0},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static struct snapshot *cluster_of(uint64_t seed, const struct shape *shape)
{
    struct cluster_recipe recipe = {.hosts = shape->hosts + seed % 2,
                                    .vms = shape->vms + seed % 3,
                                    .cpu_load = shape->cpu_load + 0.1 * (double)(seed % 7),
                                    .mem_load = shape->mem_load + 0.05 * (double)(seed % 5),
                                    .figures = seed % 2};
    struct snapshot *s = random_cluster(seed, &recipe);
    for (uint32_t v = 0; v < s->vms.n; v++)
        s->vms.movable[v] = true;
    return s;
}

// The gap of the plan's remaining loss to the least, relative to it or to a thousandth of the loss before; negative
// where nothing was lost before.
static double gap_of(uint64_t seed, const struct shape *shape, double horizon_s, bool costs)
{
    struct snapshot *s = cluster_of(seed, shape);
    struct plan_settings settings = plan_settings_default();
    settings.max_moves = seed % 5 == 4 ? s->vms.n : 2 + (uint32_t)(seed % 4);
    settings.horizon_s = horizon_s;
    struct plan plan;
    plan_make(s, &settings, s->arena, &plan);
    double shares = 0, gap = -1;
    for (uint32_t v = 0; v < s->vms.n; v++)
        shares += (double)s->vms.shares[v] / s->vms.n;
    double before = plan.before.lost_vm_s_per_s * horizon_s, after = plan.after.lost_vm_s_per_s * horizon_s;
    for (uint32_t i = 0; i < plan.n_moves && costs; i++)
        after += plan.moves[i].cost_lost_vm_s;
    if (before > 1e-6 * horizon_s) {
        double least = optimum(s, settings.max_moves, shares, horizon_s, costs);
        gap = (after - least) / fmax(least, 0.001 * before);
        if (gap > 0.01)
            print_message(
                "# %s, seed %lu, %u moves allowed: %.6g -> %.6g in %u moves, least %.6g (%.2f %%)\n",
                shape->name, (unsigned long)seed, settings.max_moves, before, after, plan.n_moves, least,
                100 * gap);
        gap = fmax(gap, 0);
    }
    snapshot_free(s);
    return gap;
}

static uint32_t clusters(void)
{
    const char *wanted = getenv("BALLAST_ORACLE_CLUSTERS");
    long n = wanted ? strtol(wanted, NULL, 10) : CLUSTERS;
    return n < 1 ? 1 : n > CLUSTERS_MOST ? CLUSTERS_MOST : (uint32_t)n;
}

enum measure {
    LOSS,          // what remains
    LOSS_AND_COST, // and what the moves cost
    LOSS_WORTH_IT, // what remains; where that is much, with what the moves that would prevent it cost
};

static double measured_gap(uint64_t seed, const struct shape *shape, double horizon_s, enum measure measure)
{
    double gap = gap_of(seed, shape, horizon_s, measure == LOSS_AND_COST);
    return measure == LOSS_WORTH_IT && gap > 0.05 ? gap_of(seed, shape, horizon_s, true) : gap;
}

static void compare(double horizon_s, enum measure measure)
{
    uint32_t per_shape = clusters(), n = 0, above = 0;
    double *gap = calloc(SHAPES * per_shape, sizeof *gap);
    assert_non_null(gap);
    for (size_t k = 0; k < SHAPES; k++) {
        uint64_t seed = 1;
        for (uint32_t made = 0; made < per_shape; seed++) {
            double g = measured_gap(seed, &shapes[k], horizon_s, measure);
            if (g < 0)
                continue;
            above += g > 0.01;
            gap[n++] = g;
            made++;
        }
    }
    qsort(gap, n, sizeof *gap, by_value);
    print_message(
        "# gap to the least loss in %% of %u clusters: median %.3g, 95th percentile %.3g, 99th %.3g, largest "
        "%.3g; %u above 1 %%\n",
        n, 100 * gap[n / 2], 100 * gap[n * 95 / 100 - 1], 100 * gap[n * 99 / 100 - 1], 100 * gap[n - 1],
        above);
    double p95 = gap[n * 95 / 100 - 1], largest = gap[n - 1];
    free(gap);
    assert_true(p95 <= 0.01);
    assert_true(largest <= 0.05);
}

static void the_remaining_loss_is_within_a_percent_of_the_least(void **state)
{
    (void)state;
    compare(86400, LOSS);
}

static void loss_and_cost_together_are_within_a_percent_of_the_least(void **state)
{
    (void)state;
    compare(PLAN_HORIZON_S, LOSS_AND_COST);
}

// Moves that would cost more than they prevent are not made, and the least loss does not count what its moves cost: a
// few clusters are left with a trifle that is large beside a least loss of nothing. What is left there is worth less than
// the moves: with their cost the plan is at the optimum.
static void at_the_usual_horizon_what_is_left_costs_more_than_it_is_worth(void **state)
{
    (void)state;
    compare(PLAN_HORIZON_S, LOSS_WORTH_IT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_remaining_loss_is_within_a_percent_of_the_least),
        cmocka_unit_test(loss_and_cost_together_are_within_a_percent_of_the_least),
        cmocka_unit_test(at_the_usual_horizon_what_is_left_costs_more_than_it_is_worth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
