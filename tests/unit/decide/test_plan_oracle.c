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

#define HOSTS_MOST 4
#define VMS_MOST 9
#define CLUSTERS 200

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
    struct entitlement_claim claim[VMS_MOST];
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

static void compare(double horizon_s, bool costs, double most)
{
    double gap[CLUSTERS];
    uint32_t n = 0;
    for (uint64_t seed = 1; n < CLUSTERS; seed++) {
        struct cluster_recipe recipe = {.hosts = 3 + seed % 2,
                                        .vms = 7 + seed % 3,
                                        .cpu_load = 0.6 + 0.1 * (double)(seed % 7),
                                        .mem_load = 0.35 + 0.05 * (double)(seed % 5),
                                        .figures = seed % 2};
        struct snapshot *s = random_cluster(seed, &recipe);
        struct plan_settings settings = plan_settings_default();
        settings.max_moves = 2 + (uint32_t)(seed % 3);
        settings.horizon_s = horizon_s;
        for (uint32_t v = 0; v < s->vms.n; v++)
            s->vms.movable[v] = true;
        struct plan plan;
        plan_make(s, &settings, s->arena, &plan);
        double shares = 0;
        for (uint32_t v = 0; v < s->vms.n; v++)
            shares += (double)s->vms.shares[v] / s->vms.n;
        double before = plan.before.lost_vm_s_per_s * horizon_s,
               after = plan.after.lost_vm_s_per_s * horizon_s;
        for (uint32_t i = 0; i < plan.n_moves && costs; i++)
            after += plan.moves[i].cost_lost_vm_s;
        if (before > 1e-6 * horizon_s) {
            double least = optimum(s, settings.max_moves, shares, horizon_s, costs);
            gap[n] = (after - least) / fmax(least, 0.001 * before);
            if (gap[n] > 0.01)
                print_message(
                    "# seed %lu, %u moves allowed: %.6g -> %.6g in %u moves, least %.6g (%.2f %%)\n",
                    (unsigned long)seed, settings.max_moves, before, after, plan.n_moves, least,
                    100 * gap[n]);
            n++;
        }
        snapshot_free(s);
    }
    qsort(gap, n, sizeof *gap, by_value);
    print_message(
        "# gap to the least loss in %%: median %.3g, 95th percentile %.3g, 99th %.3g, largest %.3g\n",
        100 * gap[n / 2], 100 * gap[n * 95 / 100 - 1], 100 * gap[n * 99 / 100 - 1], 100 * gap[n - 1]);
    assert_true(gap[n * 95 / 100 - 1] <= 0.01);
    assert_true(gap[n - 1] <= most);
}

static void the_remaining_loss_is_within_a_percent_of_the_least(void **state)
{
    (void)state;
    compare(86400, false, 0.05);
}

static void loss_and_cost_together_are_within_a_percent_of_the_least(void **state)
{
    (void)state;
    compare(PLAN_HORIZON_S, true, 0.05);
}

// Moves that would cost more than they prevent are not made, and the least loss does not count what its moves cost: a few
// clusters are left with a trifle that is large beside a least loss of nothing. The bound is for the rest.
static void with_the_usual_horizon_the_loss_alone_is_mostly_the_least_too(void **state)
{
    (void)state;
    compare(PLAN_HORIZON_S, false, HUGE_VAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_remaining_loss_is_within_a_percent_of_the_least),
        cmocka_unit_test(loss_and_cost_together_are_within_a_percent_of_the_least),
        cmocka_unit_test(with_the_usual_horizon_the_loss_alone_is_mostly_the_least_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
