#include "simulate/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

DEFINE_CLEANUP(struct world *, world_free);

static void timeline_header(FILE *file)
{
    fputs("time_s,score,lost_vm_s_per_s,migrations,migrations_running,hosts_on,power_w,cpu_demand_cores,"
          "cpu_delivered_cores,mem_used_mib,balloon_mib,swap_mib,vms\n",
          file);
}

// One row for the time from before to after: means where that makes sense, the state at its end else.
static void timeline_row(FILE *file, const struct world_totals *before, const struct world_totals *after,
                         const struct world_rates *rates, double seconds, double time_s)
{
    double exist = after->exist_w_s - before->exist_w_s, lost = after->lost_vm_s - before->lost_vm_s;
    fprintf(file, "%.0f,%.6g,%.6g,%llu,%u,%u,%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%u\n", time_s,
            exist > 0 ? 1 - lost / exist : 1, lost / seconds,
            (unsigned long long)(after->migrations - before->migrations), rates->migrations_running,
            rates->hosts_on, (after->energy_j - before->energy_j) / seconds,
            (after->demanded - before->demanded) / seconds, (after->delivered - before->delivered) / seconds,
            rates->mem_used_mib, rates->balloon_mib, rates->swap_mib, rates->vms);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int vm_quantiles(struct world *world, struct simulation_result *r, struct error *err)
{
    const double *lost, *exist;
    uint32_t n = 0, all = world_view(world)->n_vms;
    world_vm_losses(world, &lost, &exist);
    CLEANUP(free) double *s = calloc(all, sizeof(*s));
    if (!s)
        return error_set(err, ERROR_MEMORY, "no memory for the results");
    for (uint32_t v = 0; v < all; v++)
        if (exist[v] > 0)
            s[n++] = 1 - lost[v] / exist[v];
    qsort(s, n, sizeof(*s), by_value);
    r->s_min = n ? s[0] : 1;
    r->s_p1 = n ? s[(uint32_t)ceil(0.01 * n) - 1] : 1;
    return 0;
}

static int summarize(struct world *world, double seconds, struct simulation_result *r, struct error *err)
{
    struct world_totals t = world_totals(world);
    r->n_hosts = world_view(world)->n_hosts;
    r->n_vms = world_view(world)->n_vms;
    r->simulated_s = seconds;
    r->score = t.exist_w_s > 0 ? 1 - t.lost_vm_s / t.exist_w_s : 1;
    r->lost_vm_s = t.lost_vm_s;
    r->lost_to_contention_vm_s = t.lost_to_contention_vm_s;
    r->lost_to_migration_vm_s = t.lost_to_migration_vm_s;
    r->migrations = t.migrations;
    r->rows_sampled = t.rows_sampled;
    r->rows_reported = t.rows_reported;
    r->failed_migrations = t.failed_migrations;
    r->returns_1h = t.returns_1h;
    r->migrations_per_vm_max = t.migrations_per_vm_max;
    r->host_shutdowns = t.shutdowns;
    r->host_crashes = t.crashes;
    r->balloon_moved_gib = t.balloon_moved_mib / 1024;
    r->guest_swap_gib = t.guest_swapped_mib / 1024;
    r->mem_short_mib_h = t.mem_short_mib_s / 3600;
    r->cpu_unmet_core_h = (t.demanded - t.delivered) / 3600;
    r->unmet_pct = t.demanded > 0 ? 100 * (t.demanded - t.delivered) / t.demanded : 0;
    r->energy_kwh = t.energy_j / 3.6e6;
    r->slatah = t.active_s > 0 ? t.violated_s / t.active_s : 0;
    r->pdm = t.demanded > 0 ? t.not_delivered_migrating / t.demanded : 0;
    r->slav = r->slatah * r->pdm;
    r->esv = r->energy_kwh * r->slav;
    r->hosts_used_mean = seconds > 0 ? t.on_s / seconds : 0;
    snprintf(r->left_out, sizeof(r->left_out), "%s", world_left_out(world));
    return vm_quantiles(world, r, err);
}

static void vm_rows(struct world *world, FILE *file)
{
    const double *lost, *exist;
    const struct view *view = world_view(world);
    world_vm_losses(world, &lost, &exist);
    fputs("vm,lived_vm_s,lost_vm_s,migrations\n", file);
    for (uint32_t v = 0; v < view->n_vms; v++)
        fprintf(file, "%s,%.9g,%.9g,%u\n", view->vm_name[v], exist[v], lost[v], view->vm_moves[v]);
}

static int64_t slot_ms_of(const struct simulation *s)
{
    return (int64_t)round(s->scenario->slot_s * 1000);
}

// When anything is known of the VMs at first.
static int64_t first_known_ms(const struct simulation *s)
{
    return s->scenario->information == INFORMATION_LATE ? slot_ms_of(s) : 0;
}

// One step of ballast's long-term balancer at the beginning, as all that is done to pack.
static int pack_first(const struct simulation *s, struct world *world, struct error *err)
{
    void *packer;
    while (world_view(world)->now_ms < first_known_ms(s))
        world_advance(world, first_known_ms(s));
    if (policy_ballast_longterm.start(world, s->scenario, s->seed, &packer, err) < 0)
        return -1;
    policy_ballast_longterm.step(packer);
    policy_ballast_longterm.stop(packer);
    return 0;
}

// memory: state of policy_memory, or NULL.
static void run(const struct simulation *s, struct world *world, void *policy, void *memory, int64_t end_ms)
{
    int64_t policy_ms = 0, slot_ms = slot_ms_of(s), row_ms = slot_ms;
    int64_t memory_ms = memory ? 0 : INT64_MAX;
    struct world_totals before = {0};
    if (s->timeline)
        timeline_header(s->timeline);
    if (s->scenario->packed_start)
        policy_ms = first_known_ms(s) + slot_ms; // the packing is under way
    for (int64_t now_ms = 0; now_ms < end_ms;) {
        if (now_ms >= policy_ms)
            policy_ms = s->policy->step(policy);
        if (now_ms >= memory_ms)
            memory_ms = policy_memory.step(memory);
        int64_t next_ms = row_ms < policy_ms ? row_ms : policy_ms;
        next_ms = memory_ms < next_ms ? memory_ms : next_ms;
        now_ms = world_advance(world, next_ms < end_ms ? next_ms : end_ms);
        const struct world_migration_end *ended;
        uint32_t n = world_migrations_ended(world, &ended);
        for (uint32_t i = 0; i < n && s->policy->migration_ended; i++)
            s->policy->migration_ended(policy, &ended[i]);
        if (now_ms >= row_ms) {
            if (s->timeline) {
                struct world_totals after = world_totals(world);
                struct world_rates rates = world_rates(world);
                timeline_row(s->timeline, &before, &after, &rates, s->scenario->slot_s,
                             (double)row_ms / 1000);
                before = after;
            }
            if (s->progress)
                s->progress(s->progress_data, (double)row_ms / (double)end_ms);
            row_ms += slot_ms;
        }
    }
}

int simulate_run(const struct simulation *s, struct simulation_result *ret, struct error *err)
{
    CLEANUP(world_free) struct world *world = NULL;
    void *policy, *memory = NULL;
    struct simulation_result result = {0};
    uint32_t slots = s->trace->n_slots;
    if (s->hours > 0 && s->hours * 3600 / s->scenario->slot_s < slots)
        slots = (uint32_t)ceil(s->hours * 3600 / s->scenario->slot_s);
    if (world_new(s->scenario, s->trace, slots, s->seed, &world, err) < 0)
        return -1;
    world_advance(world, 0);
    if (s->scenario->packed_start && pack_first(s, world, err) < 0)
        return -1;
    if (s->policy->start(world, s->scenario, s->seed, &policy, err) < 0)
        return error_context(err, "policy %s", s->policy->name);
    bool beside = s->scenario->ballooning && s->scenario->memory_constrains && !s->policy->has_memory_manager;
    if (beside && policy_memory.start(world, s->scenario, s->seed, &memory, err) < 0) {
        s->policy->stop(policy);
        return -1;
    }
    run(s, world, policy, memory, slots * slot_ms_of(s));
    policy_memory.stop(memory);
    s->policy->stop(policy);
    if (summarize(world, (double)slots * s->scenario->slot_s, &result, err) < 0)
        return -1;
    if (s->vms)
        vm_rows(world, s->vms);
    *ret = result;
    return 0;
}
