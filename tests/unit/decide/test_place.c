#include "../test.h"

#include <math.h>
#include <string.h>

#include "decide/place.h"
#include "decide/plan.h"
#include "random_cluster.h"

static struct place_request request(uint32_t count)
{
    return (struct place_request){.vcpus = 2,
                                  .mem_mib = 4096,
                                  .cpu_demand_cores = 1.5,
                                  .mem_used_mib = 3000,
                                  .shares = 1000,
                                  .count = count,
                                  .mem_growth = PLAN_MEM_GROWTH};
}

static struct snapshot *cluster(uint64_t seed)
{
    struct cluster_recipe recipe = {.hosts = 5, .vms = 20, .cpu_load = 0.6, .mem_load = 0.5};
    return random_cluster(seed, &recipe);
}

static void no_other_host_would_lose_less(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct snapshot *s = cluster(seed);
        struct place_request r = request(1);
        struct place_result result;
        place_make(s, &r, s->arena, &result);
        if (result.unplaced) {
            snapshot_free(s);
            continue;
        }
        // measured with a VM that is really there, host by host
        double best = HUGE_VAL, chosen = HUGE_VAL;
        struct snapshot *t = snapshot_new(s->hosts.n, s->vms.n + 1, 0);
        t->hosts = s->hosts;
        for (uint32_t v = 0; v < s->vms.n; v++) {
            t->vms.host[v] = s->vms.host[v];
            t->vms.vcpus[v] = s->vms.vcpus[v];
            t->vms.cpu_demand_cores[v] = s->vms.cpu_demand_cores[v];
            t->vms.cpu_limit_cores[v] = s->vms.cpu_limit_cores[v];
            t->vms.mem_used_mib[v] = s->vms.mem_used_mib[v];
            t->vms.mem_limit_mib[v] = s->vms.mem_limit_mib[v];
        }
        uint32_t v = s->vms.n;
        t->vms.vcpus[v] = 2;
        t->vms.cpu_demand_cores[v] = 1.5;
        t->vms.cpu_limit_cores[v] = 2;
        t->vms.mem_used_mib[v] = 3000;
        t->vms.mem_limit_mib[v] = 4096;
        for (uint32_t h = 0; h < s->hosts.n; h++) {
            double bound = 3000 * 1.1;
            for (uint32_t u = 0; u < s->vms.n; u++)
                bound += s->vms.host[u] == h ? s->vms.mem_used_mib[u] * 1.1 : 0;
            if (bound > s->hosts.mem_mib[h])
                continue;
            struct score score;
            t->vms.host[v] = h;
            score_compute(t, t->arena, &score, NULL);
            best = fmin(best, score.lost_vm_s_per_s);
            if (h == result.choices[0].host) {
                chosen = score.lost_vm_s_per_s;
                assert_float_equal(score.score, result.choices[0].score, 1e-9);
            }
        }
        if (chosen > best + 1e-7)
            fail_msg("seed %lu: loses %g instead of %g", (unsigned long)seed, chosen, best);
        snapshot_free(t);
        snapshot_free(s);
    }
}

static void apart_gives_each_a_host_of_its_own(void **state)
{
    (void)state;
    struct snapshot *s = cluster(1);
    struct place_request r = request(7);
    r.mem_used_mib = 10;
    r.apart = true;
    struct place_result result;
    place_make(s, &r, s->arena, &result);
    assert_int_equal(result.n_choices, 5);
    assert_int_equal(result.unplaced, 2);
    for (uint32_t i = 0; i < 5; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(result.choices[i].host, result.choices[k].host);
    assert_int_equal(result.n_rejected, 5);
    assert_non_null(strstr(result.rejected[0].reason, "apart"));
    snapshot_free(s);
}

static void what_does_not_fit_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct snapshot *s = cluster(1);
    struct place_request r = request(1);
    r.mem_mib = r.mem_used_mib = 1e6;
    s->hosts.state[2] = HOST_MAINTENANCE;
    struct place_result result;
    place_make(s, &r, s->arena, &result);
    assert_int_equal(result.unplaced, 1);
    assert_int_equal(result.n_choices, 0);
    assert_int_equal(result.n_rejected, 5);
    assert_non_null(strstr(result.rejected[0].reason, "memory"));
    assert_non_null(strstr(result.rejected[2].reason, "maintenance"));
    snapshot_free(s);
}

static void overcommitment_bounds_configured_memory(void **state)
{
    (void)state;
    struct snapshot *s = cluster(1);
    struct place_request r = request(1000);
    r.mem_used_mib = 1;
    r.cpu_demand_cores = 0;
    r.mem_overcommit = 2;
    struct place_result result;
    place_make(s, &r, s->arena, &result);
    double room = 0, count = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        double configured = 0;
        for (uint32_t v = 0; v < s->vms.n; v++)
            configured += s->vms.host[v] == h ? s->vms.mem_mib[v] : 0;
        room += floor((2 * s->hosts.mem_mib[h] - configured) / 4096);
    }
    count = result.n_choices;
    assert_float_equal(count, room, 0);
    assert_non_null(strstr(result.rejected[0].reason, "overcommitment"));
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_other_host_would_lose_less),
        cmocka_unit_test(apart_gives_each_a_host_of_its_own),
        cmocka_unit_test(what_does_not_fit_is_refused_with_the_reason),
        cmocka_unit_test(overcommitment_bounds_configured_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
