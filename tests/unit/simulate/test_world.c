#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/generate.h"
#include "simulate/simulate.h"
#include "simulate/world.h"

static struct trace *wide(const char *text)
{
    struct trace *trace = NULL;
    struct error err = {0};
    struct trace_text source = {"w.csv", text, strlen(text)};
    if (trace_parse_wide(source, 100000, &trace, &err) < 0)
        fail_msg("%s", err.text);
    return trace;
}

// Two hosts of one core of 1000 MHz, VMs of one vCPU of 1000 MHz and 100 MiB; no memory model, shares.
static struct scenario small(void)
{
    struct scenario s;
    struct error err = {0};
    assert_int_equal(scenario_load("planetlab", &s, &err), 0);
    s.unit_core_mhz = 1000;
    s.n_host_types = 1;
    s.host_type[0] = (struct scenario_host_type){"h", 2, 1, 1000, 1000, 0, 10, &power_ml110_g4};
    s.n_vm_types = 1;
    s.vm_type[0] = (struct scenario_vm_type){1, 1000, 100};
    s.placement = PLACEMENT_ROOM;
    s.divide_by_demand = false;
    return s;
}

static struct world *world_of(const struct scenario *s, const struct trace *t)
{
    struct world *w = NULL;
    struct error err = {0};
    if (world_new(s, t, t->n_slots, 1, &w, &err) < 0)
        fail_msg("%s", err.text);
    world_advance(w, 0);
    return w;
}

static void energy_is_the_power_curve_over_time(void **state)
{
    (void)state;
    struct scenario s = small();
    struct trace *t = wide("vm,name,s0,s1\n0,a,50,100\n");
    struct world *w = world_of(&s, t);
    while (world_advance(w, 600000) < 600000)
        ;
    // One host at half load for 300 s and at full load for 300 s; the other is off.
    double by_hand = 300 * power_ml110_g4.watts[5] + 300 * power_ml110_g4.watts[10];
    assert_float_equal(world_totals(w).energy_j, by_hand, 1e-6);
    world_free(w);
    trace_free(t);
}

static void what_is_delivered_is_conserved_and_shared(void **state)
{
    (void)state;
    struct scenario s = small();
    s.host_type[0].count = 1;
    struct trace *t = wide("vm,name,s0\n0,a,90\n1,b,90\n2,c,10\n");
    struct world *w = world_of(&s, t);
    const struct view *v = world_view(w);
    assert_float_equal(v->cpu_delivered[0], 0.45, 1e-9); // the small one is served, the two share the rest
    assert_float_equal(v->cpu_delivered[1], 0.45, 1e-9);
    assert_float_equal(v->cpu_delivered[2], 0.10, 1e-9);
    while (world_advance(w, 300000) < 300000)
        ;
    struct world_totals totals = world_totals(w);
    assert_float_equal(totals.delivered, 300.0, 1e-6);
    assert_float_equal(totals.demanded, 1.9 * 300, 1e-6);
    assert_float_equal(totals.lost_vm_s, 2 * 300 * 0.5, 1e-6);
    assert_float_equal(totals.violated_s, 300, 1e-9);
    world_free(w);
    trace_free(t);
}

static void a_migration_takes_memory_over_bandwidth_and_costs_a_tenth(void **state)
{
    (void)state;
    struct scenario s = small();
    struct trace *t = wide("vm,name,s0\n0,a,50\n1,b,40\n");
    struct world *w = world_of(&s, t);
    const struct view *v = world_view(w);
    uint32_t from = v->vm_host[0], to = 1 - from;
    assert_true(world_migrate(w, 0, to));
    assert_false(world_migrate(w, 0, to)); // under way
    assert_int_equal(v->host_in[to], 1);
    assert_int_equal(world_advance(w, 300000), 10000); // 100 MiB at 10 MiB/s
    const struct world_migration_end *end;
    assert_int_equal(world_migrations_ended(w, &end), 1);
    assert_true(end->done);
    assert_int_equal(v->vm_host[0], to);
    struct world_totals totals = world_totals(w);
    assert_float_equal(totals.demanded - totals.delivered, 0.1 * 0.5 * 10, 1e-9);
    assert_float_equal(totals.not_delivered_migrating, 0.1 * 0.5 * 10, 1e-9);
    assert_float_equal(totals.lost_to_migration_vm_s, 0.1 * 10, 1e-9);
    world_free(w);
    trace_free(t);
}

static void coming_back_within_an_hour_is_counted(void **state)
{
    (void)state;
    struct scenario s = small();
    struct trace *t = wide("vm,name,s0\n0,a,50\n1,b,40\n");
    struct world *w = world_of(&s, t);
    uint32_t from = world_view(w)->vm_host[0];
    world_migrate(w, 0, 1 - from);
    world_advance(w, 300000);
    world_migrate(w, 0, from);
    assert_int_equal(world_totals(w).returns_1h, 1);
    assert_int_equal(world_totals(w).migrations_per_vm_max, 2);
    world_free(w);
    trace_free(t);
}

static void a_migration_that_fails_leaves_the_vm_where_it_was(void **state)
{
    (void)state;
    struct scenario s = small();
    s.migration_failure = 1;
    struct trace *t = wide("vm,name,s0\n0,a,50\n1,b,40\n");
    struct world *w = world_of(&s, t);
    uint32_t from = world_view(w)->vm_host[0];
    assert_true(world_migrate(w, 0, 1 - from));
    assert_true(world_advance(w, 300000) <= 10000);
    assert_int_equal(world_view(w)->vm_host[0], from);
    assert_int_equal(world_totals(w).failed_migrations, 1);
    world_free(w);
    trace_free(t);
}

static void late_information_is_of_the_slot_before(void **state)
{
    (void)state;
    struct scenario s = small();
    s.information = INFORMATION_LATE;
    struct trace *t = wide("vm,name,s0,s1\n0,a,50,80\n");
    struct world *w = world_of(&s, t);
    assert_false(world_view(w)->known[0]);
    while (world_advance(w, 300000) < 300000)
        ;
    assert_true(world_view(w)->known[0]);
    assert_float_equal(world_view(w)->cpu_demand[0], 0.5, 1e-9);
    world_free(w);
    trace_free(t);
}

static void a_guest_ballooned_below_its_use_swaps_and_is_less_satisfied(void **state)
{
    (void)state;
    struct scenario s;
    struct error err = {0};
    struct trace *t = NULL;
    scenario_load("bitbrains", &s, &err);
    const char *vms = "vm,vcpus,cap_mhz,mem_mb,first,last\na,1,2600,1000,0,1\n";
    const char *usage = "vm,interval,cpu_pct,mem_mb\na,0,10,704\n"; // 800 MiB with the kernel's 96
    assert_int_equal(trace_parse_long((struct trace_text){"v", vms, strlen(vms)},
                                      (struct trace_text){"u", usage, strlen(usage)}, 1000, &t, &err),
                     0);
    struct world *w = world_of(&s, t);
    assert_true(world_set_balloon(w, 0, 600));
    world_advance(w, 1000);
    assert_float_equal(world_view(w)->guest_swap_mib[0], 200, 1e-9);
    struct world_totals totals = world_totals(w);
    assert_float_equal(totals.guest_swapped_mib, 200, 1e-9);
    assert_float_equal(totals.balloon_moved_mib, 400, 1e-9);
    assert_float_equal(totals.lost_vm_s, 200.0 / (800 + 64), 1e-9);
    world_free(w);
    trace_free(t);
}

static void sleeping_hosts_take_their_time_to_wake(void **state)
{
    (void)state;
    struct scenario s = small();
    s.hosts_follow_use = false;
    s.wake_s = 60;
    s.sleep_s = 10;
    struct trace *t = wide("vm,name,s0\n0,a,50\n");
    struct world *w = world_of(&s, t);
    uint32_t empty = 1 - world_view(w)->vm_host[0];
    assert_false(world_sleep(w, 1 - empty)); // it has a VM
    assert_true(world_sleep(w, empty));
    assert_int_equal(world_advance(w, 100000), 10000);
    assert_int_equal(world_view(w)->host_power[empty], HOST_SLEEPING);
    assert_false(world_migrate(w, 0, empty));
    assert_true(world_wake(w, empty));
    assert_int_equal(world_advance(w, 100000), 70000);
    assert_true(world_migrate(w, 0, empty));
    world_free(w);
    trace_free(t);
}

static struct simulation_result simulated(const char *policy, uint64_t seed)
{
    struct trace *t = NULL;
    struct scenario s;
    struct error err = {0};
    struct simulation_result r;
    assert_int_equal(generate_trace(60, 24, 7, &t, &err), 0);
    assert_int_equal(scenario_load("bitbrains-130", &s, &err), 0);
    s.migration_failure = 0.1;
    struct simulation sim = {.trace = t, .scenario = &s, .policy = policy_by_name(policy), .seed = seed};
    assert_non_null(sim.policy);
    assert_int_equal(simulate_run(&sim, &r, &err), 0);
    trace_free(t);
    return r;
}

static void equal_seeds_give_equal_results_under_every_policy(void **state)
{
    (void)state;
    for (size_t i = 0; policy_by_index(i); i++) {
        struct simulation_result a, b;
        memset(&a, 0, sizeof(a));
        memset(&b, 0, sizeof(b));
        a = simulated(policy_by_index(i)->name, 3);
        b = simulated(policy_by_index(i)->name, 3);
        assert_int_equal(a.migrations, b.migrations);
        assert_true(a.score == b.score && a.energy_kwh == b.energy_kwh && a.lost_vm_s == b.lost_vm_s);
        assert_true(a.score > 0 && a.score <= 1);
    }
}

static struct simulation_result packed(bool packed_start, enum scenario_information information)
{
    // Forty VMs that want a tenth of what they may: CloudSim's first placement takes their full size.
    char text[8192] = "vm,name,s0,s1,s2,s3\n";
    for (int v = 0; v < 40; v++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d,v%02d,10,10,10,10\n", v, v);
    struct trace *t = wide(text);
    struct scenario s;
    struct error err = {0};
    struct simulation_result r;
    assert_int_equal(scenario_load("planetlab", &s, &err), 0);
    s.packed_start = packed_start;
    s.information = information;
    struct simulation sim = {.trace = t, .scenario = &s, .policy = &policy_none, .seed = 1};
    assert_int_equal(simulate_run(&sim, &r, &err), 0);
    trace_free(t);
    return r;
}

static void a_packed_start_packs_as_soon_as_anything_is_known(void **state)
{
    (void)state;
    double spread = packed(false, INFORMATION_SAME_SLOT).energy_kwh;
    struct simulation_result early = packed(true, INFORMATION_SAME_SLOT);
    struct simulation_result late = packed(true, INFORMATION_LATE);
    assert_true(early.energy_kwh < 0.5 * spread);
    assert_true(late.energy_kwh < 0.75 * spread); // one slot of four as it was placed
    assert_true(late.energy_kwh > early.energy_kwh);
    assert_true(early.migrations > 0 && late.migrations == early.migrations);
}

// One host of 1000 MiB; two VMs of 800 that use 300 and have touched 600 when the second slot begins.
static struct simulation_result short_of_memory(bool swap_blind, bool ballooning)
{
    static const char text[] = "vm,name,s0,s1\n0,a,10,10\n1,b,10,10\n";
    struct trace *t = wide(text);
    t->has_memory = true;
    t->mem_used_mib = calloc(t->n_samples, sizeof(*t->mem_used_mib));
    for (size_t i = 0; i < t->n_samples; i++)
        t->mem_used_mib[i] = 300;
    struct scenario s = small();
    struct error err;
    struct simulation_result r;
    s.host_type[0].count = 1;
    s.vm_type[0].mem_mib = 800;
    s.memory_constrains = true;
    s.cache_mib_s = 1;
    s.swap_blind = swap_blind;
    s.ballooning = ballooning;
    s.sample_s = 10;
    struct simulation sim = {.trace = t, .scenario = &s, .policy = &policy_none, .seed = 1};
    if (simulate_run(&sim, &r, &err) < 0)
        fail_msg("%s", err.text);
    trace_free(t);
    return r;
}

static void a_host_that_cannot_know_swaps_used_pages_in_proportion(void **state)
{
    (void)state;
    // Of 1200 MiB 1000 fit, so each VM has 250 of its 300 for the second slot.
    struct simulation_result blind = short_of_memory(true, false);
    assert_float_equal(blind.lost_vm_s, 2 * 300 * (1 - 250.0 / 300), 1e-6);
    assert_float_equal(blind.mem_short_mib_h, 2 * 50 * 300 / 3600.0, 1e-6);
    assert_float_equal(short_of_memory(false, false).lost_vm_s, 0, 1e-9);
}

static void the_hosts_memory_manager_runs_under_every_policy(void **state)
{
    (void)state;
    struct simulation_result r = short_of_memory(true, true);
    assert_true(r.balloon_moved_gib > 0);
    // All the cache of a slot comes at its beginning here: it takes the manager two looks.
    assert_true(r.lost_vm_s < 0.1 * short_of_memory(true, false).lost_vm_s);
}

static void overcommitment_of_a_fixed_number_of_hosts_is_an_error(void **state)
{
    (void)state;
    struct scenario s;
    struct error err;
    assert_true(scenario_parse("x.ini",
                               "[scenario]\nbase = bitbrains\n[host]\ncount = 3\n[world]\novercommit = 1.5\n",
                               &s, &err) < 0);
    assert_non_null(strstr(err.text, "x.ini: [world] overcommit"));
    assert_non_null(strstr(err.text, "count = 0"));
    assert_int_equal(
        scenario_parse("x.ini", "[scenario]\nbase = bitbrains\n[world]\novercommit = 1.5\n", &s, &err), 0);
}

// Lag-1 autocorrelation of a VM's samples; 0 where it does not vary.
static double autocorrelation(const struct trace *t, uint32_t v)
{
    const float *x = t->cpu_pct + trace_sample(t, v, t->first[v]);
    uint32_t n = t->last[v] - t->first[v] + 1;
    double mean = 0, products = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        mean += (double)x[i] / n;
    for (uint32_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    for (uint32_t i = 1; i < n; i++)
        products += ((double)x[i] - mean) * ((double)x[i - 1] - mean);
    return squares > 0 ? products / squares : 0;
}

// Bitbrains 2013-7 has a mean of 0.47; bursts a slot too long gave 0.69.
static void generated_vms_are_as_persistent_as_the_real_set(void **state)
{
    (void)state;
    struct error err;
    struct trace *t;
    generate_trace(434, 2016, 1, &t, &err);
    double sum = 0;
    for (uint32_t v = 0; v < t->n_vms; v++)
        sum += autocorrelation(t, v);
    assert_true(sum / t->n_vms > 0.42 && sum / t->n_vms < 0.52);
    trace_free(t);
}

static void generated_traces_depend_on_the_seed_alone(void **state)
{
    (void)state;
    struct error err = {0};
    struct trace *a, *b, *c;
    generate_trace(20, 300, 1, &a, &err);
    generate_trace(20, 300, 1, &b, &err);
    generate_trace(20, 300, 2, &c, &err);
    assert_memory_equal(a->cpu_pct, b->cpu_pct, a->n_samples * sizeof(float));
    assert_true(a->n_samples != c->n_samples ||
                memcmp(a->cpu_pct, c->cpu_pct, a->n_samples * sizeof(float)) != 0);
    trace_free(a);
    trace_free(b);
    trace_free(c);
}

static void a_written_trace_reads_back_the_same(void **state)
{
    (void)state;
    struct error err = {0};
    struct trace *a, *b;
    char *vms, *usage;
    size_t vms_size, usage_size;
    generate_trace(30, 400, 5, &a, &err);
    assert_int_equal(generate_write(a, &vms, &vms_size, &usage, &usage_size, &err), 0);
    if (trace_parse_long((struct trace_text){"v", vms, vms_size}, (struct trace_text){"u", usage, usage_size},
                         TRACE_MAX_SAMPLES, &b, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(a->n_samples, b->n_samples);
    assert_memory_equal(a->cpu_pct, b->cpu_pct, a->n_samples * sizeof(float));
    assert_memory_equal(a->mem_used_mib, b->mem_used_mib, a->n_samples * sizeof(float));
    free(vms);
    free(usage);
    trace_free(a);
    trace_free(b);
}

static void scenario_errors_name_line_and_cure(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *cure;
    } bad[] = {
        {"", "x.ini", "base"},
        {"[world]\novercommit = 1\n", "x.ini:2", "base"},
        {"[scenario]\nbase = mars\n", "x.ini:2", "planetlab or bitbrains"},
        {"[scenario]\nbase = bitbrains\n[world]\novercommit = nan\n", "x.ini:4", "number from"},
        {"[scenario]\nbase = bitbrains\n[world]\nnonsense = 1\n", "x.ini:4", "no such key"},
        {"[scenario]\nbase = bitbrains\n[policy]\nconsolidate = maybe\n", "x.ini:4", "yes or no"},
        {"[scenario]\nbase = bitbrains\n[host a]\nmem_mib = 10\nmem_reserved_mib = 10\n", "host a", "below"},
        {"[scenario]\nbase = bitbrains\n[world]\nslot_s = 5\nslot_s = 6\n", "x.ini:5", "given twice"},
        {"[scenario]\nbase = bitbrains\nno equals sign\n", "x.ini:3", "key = value"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct scenario s;
        struct error err = {0};
        assert_int_equal(scenario_parse("x.ini", bad[i].text, &s, &err), -1);
        if (!strstr(err.text, bad[i].place) || !strstr(err.text, bad[i].cure))
            fail_msg("\"%s\" should name \"%s\" and \"%s\"", err.text, bad[i].place, bad[i].cure);
    }
}

static void host_sections_make_host_types(void **state)
{
    (void)state;
    struct scenario s;
    struct error err = {0};
    const char *text = "[scenario]\nbase = bitbrains\nname = mine\n[host big]\ncount = 3\ncores = 32\n"
                       "[host small]\ncount = 5\ncores = 8\n[policy]\ninformation = late\n";
    assert_int_equal(scenario_parse("x.ini", text, &s, &err), 0);
    assert_string_equal(s.name, "mine");
    assert_int_equal(s.n_host_types, 2);
    assert_int_equal(s.host_type[1].count, 5);
    assert_float_equal(s.host_type[0].cores, 32, 0);
    assert_int_equal(s.information, INFORMATION_LATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_is_the_power_curve_over_time),
        cmocka_unit_test(what_is_delivered_is_conserved_and_shared),
        cmocka_unit_test(a_migration_takes_memory_over_bandwidth_and_costs_a_tenth),
        cmocka_unit_test(coming_back_within_an_hour_is_counted),
        cmocka_unit_test(a_migration_that_fails_leaves_the_vm_where_it_was),
        cmocka_unit_test(late_information_is_of_the_slot_before),
        cmocka_unit_test(a_guest_ballooned_below_its_use_swaps_and_is_less_satisfied),
        cmocka_unit_test(sleeping_hosts_take_their_time_to_wake),
        cmocka_unit_test(equal_seeds_give_equal_results_under_every_policy),
        cmocka_unit_test(a_packed_start_packs_as_soon_as_anything_is_known),
        cmocka_unit_test(a_host_that_cannot_know_swaps_used_pages_in_proportion),
        cmocka_unit_test(the_hosts_memory_manager_runs_under_every_policy),
        cmocka_unit_test(overcommitment_of_a_fixed_number_of_hosts_is_an_error),
        cmocka_unit_test(generated_traces_depend_on_the_seed_alone),
        cmocka_unit_test(generated_vms_are_as_persistent_as_the_real_set),
        cmocka_unit_test(a_written_trace_reads_back_the_same),
        cmocka_unit_test(scenario_errors_name_line_and_cure),
        cmocka_unit_test(host_sections_make_host_types),
    };
    return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
