#include "../test.h"

#include "decide/score.h"

// Two hosts of 4 cores and 8 GiB; v0, v1 on h0, v2 on h1.
static struct snapshot *small_cluster(void)
{
    struct snapshot *s = snapshot_new(2, 3, 0);
    static const char *const hosts[] = {"h0", "h1"}, *const vms[] = {"v0", "v1", "v2"};
    for (uint32_t h = 0; h < 2; h++) {
        s->hosts.name[h] = hosts[h];
        s->hosts.cpu_cores[h] = 4;
        s->hosts.mem_mib[h] = 8192;
    }
    for (uint32_t v = 0; v < 3; v++) {
        s->vms.name[v] = vms[v];
        s->vms.host[v] = v / 2;
        s->vms.vcpus[v] = 4;
        s->vms.cpu_limit_cores[v] = 4;
        s->vms.mem_mib[v] = s->vms.mem_limit_mib[v] = 4096;
    }
    return s;
}

static struct score score_of(const struct snapshot *s, double *satisfaction)
{
    struct score score;
    score_compute(s, s->arena, &score, satisfaction);
    return score;
}

static void a_satisfied_cluster_scores_one(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = 2;
    s->vms.cpu_demand_cores[1] = 2;
    struct score score = score_of(s, NULL);
    assert_float_equal(score.score, 1, 0);
    assert_float_equal(score.lost_vm_s_per_s, 0, 0);
    assert_int_equal(score.hosts_overloaded, 0);
    assert_int_equal(score.hosts_used, 2);
    assert_float_equal(score.cpu_sd, 0.5, 1e-12); // loads 1 and 0
    assert_float_equal(score.cpu_mad, 0.5, 1e-12);
    assert_float_equal(score.cpu_max, 1, 1e-12);
    snapshot_free(s);
}

static void unmet_cpu_counts_by_weight(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = 4;
    s->vms.cpu_demand_cores[1] = 4;
    s->vms.shares[0] = 3000; // weights 1.8, 0.6, 0.6
    s->vms.cpu_shares[0] = 3000;
    double satisfaction[3];
    struct score score = score_of(s, satisfaction);
    assert_float_equal(satisfaction[0], 0.75, 1e-12);
    assert_float_equal(satisfaction[1], 0.25, 1e-12);
    assert_float_equal(satisfaction[2], 1, 0);
    assert_float_equal(score.lost_vm_s_per_s, 1.8 * 0.25 + 0.6 * 0.75, 1e-12);
    assert_float_equal(score.score, 1 - 0.9 / 3, 1e-12);
    assert_float_equal(score.s_min, 0.25, 1e-12);
    assert_int_equal(score.hosts_overloaded, 1);
    snapshot_free(s);
}

static void cpu_and_memory_multiply(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->hosts.mem_reserved_mib[0] = 8192 - 3000;
    for (uint32_t v = 0; v < 2; v++) {
        s->vms.cpu_demand_cores[v] = 4;
        s->vms.mem_used_mib[v] = 1900;
        s->vms.mem_overhead_mib[v] = 100;
    }
    double satisfaction[3];
    score_of(s, satisfaction);
    assert_float_equal(satisfaction[0], 0.5 * 0.75, 1e-12);
    snapshot_free(s);
}

static void an_idle_vm_that_waits_is_not_half_lost(void **state)
{
    (void)state;
    assert_float_equal(score_cpu_satisfaction(0.02, 0.01, 4), 1 - 0.01 / 0.4, 1e-12);
    assert_float_equal(score_cpu_satisfaction(2, 1, 4), 0.5, 1e-12);
    assert_float_equal(score_mem_satisfaction(0, 0), 1, 0);
}

static void vms_on_a_host_that_is_down_count_nowhere(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = s->vms.cpu_demand_cores[1] = 4;
    s->vms.shares[2] = 100000;
    s->hosts.state[1] = HOST_DOWN;
    struct score score = score_of(s, NULL);
    assert_float_equal(score.lost_vm_s_per_s, 1, 1e-12);
    assert_float_equal(score.score, 0.5, 1e-12);
    assert_int_equal(score.hosts_used, 1);
    assert_float_equal(score.cpu_sd, 0, 0);
    snapshot_free(s);
}

static double expected_of(struct snapshot *s)
{
    return score_of(s, NULL).expected_lost_vm_s_per_s;
}

static void what_is_certain_and_fits_is_expected_to_lose_nothing(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = s->vms.cpu_demand_cores[1] = 2;
    assert_float_equal(expected_of(s), 0, 0);
    snapshot_free(s);
}

static void uncertainty_makes_a_full_host_expect_a_loss_that_grows_with_it(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = s->vms.cpu_demand_cores[1] = 1.9;
    double last = 0;
    for (double sd = 0.2; sd < 1; sd += 0.2) {
        s->vms.cpu_sd_cores[0] = sd;
        struct score score = score_of(s, NULL);
        assert_float_equal(score.lost_vm_s_per_s, 0, 0);
        assert_true(score.expected_lost_vm_s_per_s > last);
        last = score.expected_lost_vm_s_per_s;
    }
    snapshot_free(s);
}

static void a_vm_alone_on_a_host_of_its_size_expects_no_loss_however_uncertain(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[2] = 3.5;
    s->vms.cpu_sd_cores[2] = 3;
    assert_float_equal(expected_of(s), 0, 0);
    snapshot_free(s);
}

static void demands_held_back_are_expected_to_be_a_tenth_higher(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.cpu_demand_cores[0] = s->vms.cpu_demand_cores[1] = 3;
    struct score score = score_of(s, NULL);
    assert_float_equal(score.lost_vm_s_per_s, 2 * (1.0 / 3), 1e-12);
    assert_float_equal(score.expected_lost_vm_s_per_s, 2 * (1.3 / 3.3), 1e-12);
    snapshot_free(s);
}

static void a_measured_score_counts_what_hosts_could_have_given(void **state)
{
    (void)state;
    struct snapshot *s = small_cluster();
    s->vms.mem_used_mib[0] = 1024; // there is room for it: the plain score sees nothing
    const double measured[3] = {0.4, 1, 1};
    struct score score;
    score_measured(s, s->arena, measured, &score);
    assert_float_equal(score_of(s, NULL).score, 1, 0);
    assert_float_equal(score.score, 0.8, 1e-12);
    assert_float_equal(score.lost_vm_s_per_s, 0.6, 1e-12);
    assert_float_equal(score.s_min, 0.4, 0);
    s->hosts.state[0] = HOST_DOWN; // counts nowhere, measured or not
    score_measured(s, s->arena, measured, &score);
    assert_float_equal(score.score, 1, 0);
    snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_satisfied_cluster_scores_one),
        cmocka_unit_test(unmet_cpu_counts_by_weight),
        cmocka_unit_test(cpu_and_memory_multiply),
        cmocka_unit_test(an_idle_vm_that_waits_is_not_half_lost),
        cmocka_unit_test(vms_on_a_host_that_is_down_count_nowhere),
        cmocka_unit_test(what_is_certain_and_fits_is_expected_to_lose_nothing),
        cmocka_unit_test(uncertainty_makes_a_full_host_expect_a_loss_that_grows_with_it),
        cmocka_unit_test(a_vm_alone_on_a_host_of_its_size_expects_no_loss_however_uncertain),
        cmocka_unit_test(demands_held_back_are_expected_to_be_a_tenth_higher),
        cmocka_unit_test(a_measured_score_counts_what_hosts_could_have_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
