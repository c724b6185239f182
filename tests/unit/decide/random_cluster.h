// Seeded random clusters for property tests of the planner.
#ifndef BALLAST_TESTS_UNIT_DECIDE_RANDOM_CLUSTER_H
#define BALLAST_TESTS_UNIT_DECIDE_RANDOM_CLUSTER_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "model/snapshot.h"

struct cluster_recipe {
    uint32_t hosts, vms, rules;
    double cpu_load;  // of the cluster
    double mem_load;  // of the cluster, used memory
    bool maintenance; // some hosts
    bool figures;     // shares, reservations, limits, overheads at random
    double scale;     // factor on every capacity, demand, size and rate (1)
};

static inline double between(struct random *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

static inline uint32_t below(struct random *r, uint32_t n)
{
    return (uint32_t)random_below(r, n);
}

static inline const char *number_name(struct snapshot *s, char letter, uint32_t number)
{
    return arena_printf(s->arena, "%c%03u", letter, number);
}

static inline void random_rules(struct snapshot *s, struct random *r)
{
    for (uint32_t i = 0; i < s->n_rules; i++) {
        struct rule *rule = &s->rules[i];
        rule->type = (enum rule_type)below(r, 4);
        rule->strict = below(r, 3) > 0;
        rule->by_zone = below(r, 4) == 0;
        uint32_t n = rule->type == RULE_ON || rule->type == RULE_OFF ? 1 + below(r, 2) : 2 + below(r, 2);
        rule->vms = arena_new_array(s->arena, uint32_t, n);
        uint32_t first = below(r, s->vms.n - n);
        for (uint32_t k = 0; k < n; k++)
            rule->vms[rule->n_vms++] = first + k;
        if (rule->type != RULE_ON && rule->type != RULE_OFF)
            continue;
        rule->hosts = arena_new_array(s->arena, uint32_t, 2);
        uint32_t h = below(r, s->hosts.n - 1);
        rule->hosts[rule->n_hosts++] = h;
        rule->hosts[rule->n_hosts++] = h + 1;
    }
}

static inline struct snapshot *random_cluster(uint64_t seed, const struct cluster_recipe *recipe)
{
    struct random r = random_seed(seed);
    double k = recipe->scale > 0 ? recipe->scale : 1;
    struct snapshot *s = snapshot_new(recipe->hosts, recipe->vms, recipe->rules);
    double cores = 0, mem = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        s->hosts.name[h] = number_name(s, 'h', h);
        double size = 1 + below(&r, 2);
        s->hosts.cpu_cores[h] = 8 * size * k;
        s->hosts.mem_mib[h] = 32768 * size * k;
        s->hosts.net_mib_s[h] = 1000 * k;
        s->hosts.zone[h] = h;
        s->hosts.state[h] = recipe->maintenance && below(&r, 5) == 0 ? HOST_MAINTENANCE : HOST_UP;
        cores += s->hosts.cpu_cores[h];
        mem += s->hosts.mem_mib[h];
    }
    s->n_zones = s->hosts.n;
    s->zone_name = arena_new_array(s->arena, const char *, s->hosts.n);
    for (uint32_t z = 0; z < s->n_zones; z++)
        s->zone_name[z] = s->hosts.name[z];
    double *free_mib = arena_new_array(s->arena, double, s->hosts.n);
    for (uint32_t h = 0; h < s->hosts.n; h++)
        free_mib[h] = s->hosts.mem_mib[h];
    for (uint32_t v = 0; v < s->vms.n; v++) {
        s->vms.name[v] = number_name(s, 'v', v);
        double share = between(&r, 0.2, 1.8) / s->vms.n;
        double cpu = recipe->cpu_load * cores * between(&r, 0, 2) * share;
        double used = recipe->mem_load * mem * share;
        s->vms.vcpus[v] = (uint32_t)(cpu / k + 1) * (uint32_t)k;
        s->vms.cpu_demand_cores[v] = cpu;
        s->vms.mem_used_mib[v] = used;
        s->vms.mem_mib[v] = s->vms.mem_current_mib[v] = s->vms.mem_limit_mib[v] = used * between(&r, 1, 2);
        s->vms.mem_actual_mib[v] = used;
        s->vms.cpu_limit_cores[v] = s->vms.vcpus[v];
        s->vms.dirty_mib_s[v] = 10 * k;
        if (recipe->figures) {
            s->vms.shares[v] = s->vms.cpu_shares[v] = s->vms.mem_shares[v] = 500 * (1 + below(&r, 4));
            s->vms.mem_overhead_mib[v] = 64 * k * below(&r, 3);
            if (below(&r, 4) == 0)
                s->vms.cpu_reservation_cores[v] = cpu / 2;
            if (below(&r, 4) == 0)
                s->vms.mem_reservation_mib[v] = used;
            if (below(&r, 8) == 0)
                s->vms.cpu_limit_cores[v] = s->vms.vcpus[v] * 0.75;
            if (s->vms.cpu_reservation_cores[v] > s->vms.cpu_limit_cores[v])
                s->vms.cpu_reservation_cores[v] = s->vms.cpu_limit_cores[v];
            s->vms.movable[v] = below(&r, 20) > 0;
        }
        uint32_t h = below(&r, s->hosts.n);
        for (uint32_t tries = 0; tries < 20 && free_mib[h] < used * 1.1; tries++)
            h = below(&r, s->hosts.n);
        s->vms.host[v] = h;
        free_mib[h] -= used * 1.1;
    }
    random_rules(s, &r);
    struct error err = {0};
    if (snapshot_check(s, &err) < 0) {
        fprintf(stderr, "seed %lu: %s\n", (unsigned long)seed, err.text);
        abort();
    }
    return s;
}

#endif
