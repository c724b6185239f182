// Workloads made to drive a balancer mad, through the simulator with all loops of ballast: nothing may go back and forth,
// nobody may move all day, and moving may not cost more than it brings.
#include "../test.h"

#include <stdio.h>
#include <string.h>

#include "simulate/simulate.h"

#define SLOT_S 10
#define SLOTS (6 * 3600 / SLOT_S)
#define VMS 12
#define BUSY 75.0f // percent of 4 vCPUs: four such VMs want 12 cores of a host's 8
#define IDLE 4.0f

enum shape {
    TURNS,     // the VMs of the first host, then those of the second
    TOGETHER,  // all VMs of all hosts at once
    SCATTERED, // each VM at a phase of its own
    SHAPES,
};

static bool is_busy(enum shape shape, uint32_t v, uint32_t n_hosts, double t, double period_s)
{
    double phase = t / period_s;
    switch (shape) {
    case TURNS:
        return (v % n_hosts == 0) == (phase - (double)(uint64_t)phase < 0.5) && v % n_hosts < 2;
    case TOGETHER:
        return phase - (double)(uint64_t)phase < 0.3;
    case SCATTERED:
        phase += v * 0.381966; // golden section: no two alike
        return phase - (double)(uint64_t)phase < 0.4;
    case SHAPES:
        break;
    }
    return false;
}

static struct trace *make_trace(enum shape shape, uint32_t n_hosts, double period_s)
{
    struct trace *t = trace_new(VMS);
    struct error err = {0};
    for (uint32_t v = 0; v < VMS; v++) {
        char name[16];
        snprintf(name, sizeof name, "v%02u", v);
        t->name[v] = strdup(name);
        t->vcpus[v] = 4;
        t->cap_mhz[v] = 4 * 2600;
        t->mem_mib[v] = 4096;
        t->first[v] = 0;
        t->last[v] = SLOTS - 1;
    }
    t->has_capacity = true;
    assert_int_equal(trace_allocate_samples(t, true, TRACE_MAX_SAMPLES, &err), 0);
    for (uint32_t v = 0; v < VMS; v++)
        for (uint32_t i = 0; i < SLOTS; i++) {
            size_t at = trace_sample(t, v, i);
            t->cpu_pct[at] = is_busy(shape, v, n_hosts, (double)i * SLOT_S, period_s) ? BUSY : IDLE;
            t->mem_used_mib[at] = 1500;
        }
    return t;
}

static struct scenario scenario_of(uint32_t n_hosts)
{
    struct scenario s;
    struct error err = {0};
    assert_int_equal(scenario_load("bitbrains", &s, &err), 0);
    s.slot_s = SLOT_S;
    s.host_type[0].count = n_hosts;
    s.host_type[0].cores = 8;
    return s;
}

static struct simulation_result run_in(struct scenario s, const struct trace *trace,
                                       const struct policy_class *policy)
{
    struct simulation_result r;
    struct error err = {0};
    struct simulation simulation = {.trace = trace, .scenario = &s, .policy = policy, .seed = 1};
    if (simulate_run(&simulation, &r, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static struct simulation_result run(const struct trace *trace, uint32_t n_hosts,
                                    const struct policy_class *policy)
{
    return run_in(scenario_of(n_hosts), trace, policy);
}

static void check(enum shape shape, uint32_t n_hosts)
{
    static const double period_s[] = {20, 60, 300, 900, 1800, 3600, 7200};
    for (size_t k = 0; k < sizeof period_s / sizeof period_s[0]; k++) {
        struct trace *trace = make_trace(shape, n_hosts, period_s[k]);
        struct simulation_result none = run(trace, n_hosts, &policy_none);
        struct simulation_result r = run(trace, n_hosts, &policy_ballast);
        print_message("period %.0f s: %llu moves, most of one VM %u, lost %.0f of %.0f VM-s\n", period_s[k],
                      (unsigned long long)r.migrations, r.migrations_per_vm_max, r.lost_vm_s, none.lost_vm_s);
        assert_true(none.lost_vm_s > 0);
        assert_int_equal(r.returns_1h, 0);
        assert_in_range(r.migrations_per_vm_max, 0, 6);
        assert_true(r.lost_vm_s <= 1.05 * none.lost_vm_s);
        trace_free(trace);
    }
}

static void hosts_that_take_turns_exchange_nothing_for_ever(void **state)
{
    (void)state;
    check(TURNS, 3);
}

static void spikes_at_the_same_time_everywhere_shuffle_nobody(void **state)
{
    (void)state;
    check(TOGETHER, 3);
}

static void square_waves_out_of_phase_cause_no_ping_pong(void **state)
{
    (void)state;
    check(SCATTERED, 3);
}

static void without_bars_and_price_vms_come_back(void **state)
{
    (void)state;
    struct trace *trace = make_trace(SCATTERED, 3, 900);
    struct scenario s = scenario_of(3);
    s.bars = false;
    s.penalty = PENALTY_NONE;
    struct simulation_result r = run_in(s, trace, &policy_ballast);
    assert_true(r.returns_1h > 0);
    trace_free(trace);
}

static void coarser_reports_are_fewer(void **state)
{
    (void)state;
    struct trace *trace = make_trace(SCATTERED, 3, 900);
    uint64_t rows[3];
    static const double part[3] = {0, 1, 20};
    for (int i = 0; i < 3; i++) {
        struct scenario s = scenario_of(3);
        s.report_part = part[i];
        struct simulation_result r = run_in(s, trace, &policy_ballast);
        rows[i] = r.rows_reported;
        assert_true(r.rows_reported < r.rows_sampled);
    }
    assert_true(rows[0] >= rows[1] && rows[1] > rows[2]);
    trace_free(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_take_turns_exchange_nothing_for_ever),
        cmocka_unit_test(spikes_at_the_same_time_everywhere_shuffle_nobody),
        cmocka_unit_test(square_waves_out_of_phase_cause_no_ping_pong),
        cmocka_unit_test(without_bars_and_price_vms_come_back),
        cmocka_unit_test(coarser_reports_are_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
