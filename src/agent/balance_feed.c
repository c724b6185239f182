#include "agent/balance_feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int balance_feed_init(struct balance_feed *f)
{
    memset(f, 0, sizeof *f);
    f->mean_shares = TERMS_DEFAULT_SHARES;
    f->vm = calloc(GUESTS_MAX, sizeof *f->vm);
    f->guest = calloc(GUESTS_MAX, sizeof *f->guest);
    f->host = calloc(BALANCE_HOSTS_MAX, sizeof *f->host);
    f->series = calloc(BALANCE_HOSTS_MAX, sizeof *f->series);
    f->unwatched = calloc(BALANCE_HOSTS_MAX, sizeof *f->unwatched);
    f->row = calloc(BALANCE_HOSTS_MAX, sizeof *f->row);
    f->view_host = calloc(BALANCE_HOSTS_MAX, sizeof *f->view_host);
    f->may_run_on = calloc(GUESTS_MAX, sizeof *f->may_run_on);
    f->broken_preferences = calloc(GUESTS_MAX, sizeof *f->broken_preferences);
    if (f->vm && f->guest && f->host && f->series && f->unwatched && f->row && f->view_host &&
        f->may_run_on && f->broken_preferences && cluster_view_init(&f->view) == 0)
        return 0;
    balance_feed_clear(f);
    return -1;
}

void balance_feed_clear(struct balance_feed *f)
{
    free(f->vm);
    free(f->guest);
    free(f->host);
    free(f->series);
    free(f->unwatched);
    free(f->row);
    free(f->view_host);
    free(f->may_run_on);
    free(f->broken_preferences);
    cluster_view_clear(&f->view);
    memset(f, 0, sizeof *f);
}

// ---- the others ---------------------------------------------------------------------------------------

// A row of another host's VM as the balancer's arithmetic wants it.
static struct loss_vm loss_of_row(const struct store_vm *row, double mean_shares)
{
    struct immediate_vm vm = {.vcpus = row->vcpus,
                              .cpu_demand_cores = row->cpu_demand_cores,
                              .cpu_delivered_cores = row->cpu_demand_cores - row->cpu_unmet_cores,
                              .cpu_limit_cores = row->cpu_limit_cores,
                              .cpu_reservation_cores = row->cpu_reservation_cores,
                              .cpu_shares = row->cpu_shares,
                              .cpu_sd_cores = row->cpu_sd_cores,
                              .mem_used_mib = row->mem_used_mib,
                              .mem_missing_mib = row->mem_unmet_mib,
                              .mem_overhead_mib = row->mem_overhead_mib,
                              .mem_resident_mib = row->mem_actual_mib,
                              .mem_limit_mib = row->mem_limit_mib,
                              .mem_reservation_mib = row->mem_reservation_mib,
                              .mem_shares = row->mem_shares,
                              .mem_sd_mib = row->mem_sd_mib,
                              .shares = row->shares};
    return immediate_loss_vm(&vm, mean_shares, 0);
}

static double mean_shares_of(const struct store_cluster *cluster)
{
    double sum = 0;
    for (uint32_t i = 0; i < cluster->snapshot->vms.n; i++)
        sum += cluster->vms[i].shares;
    return cluster->snapshot->vms.n > 0 && sum > 0 ? sum / cluster->snapshot->vms.n : TERMS_DEFAULT_SHARES;
}

static void add_vm_to_host(struct balance_feed *f, size_t h, const struct store_vm *row)
{
    struct loss_vm loss = loss_of_row(row, f->mean_shares);
    loss_sum_add(&f->host[h].sum, &loss);
    if (row->history && row->history_bytes == sizeof(struct history_summary)) {
        struct history_summary summary;
        memcpy(&summary, row->history, sizeof summary);
        history_series_add(&f->series[h], &summary.series, 1.0);
        f->host[h].series = &f->series[h];
    } else {
        f->unwatched[h][HISTORY_CPU] += row->cpu_demand_cores;
        f->unwatched[h][HISTORY_MEM] += row->mem_used_mib + row->mem_overhead_mib;
    }
}

// VMs without a history count in their host's last hour with what they want now.
static void add_unwatched(struct history_series *series, const double unwatched[HISTORY_RESOURCES])
{
    for (int r = 0; r < HISTORY_RESOURCES; r++)
        for (size_t i = HISTORY_SERIES - series->n; i < HISTORY_SERIES; i++) {
            series->mean[r][i] += (float)unwatched[r];
            series->max[r][i] += (float)unwatched[r];
        }
}

// What the store knows of the past of one of our own.
static void take_past(struct guest *g, const struct store_vm *row, struct mono now)
{
    g->migrations_1h = row->migrations_1h;
    g->open_migration = row->migration_id;
    g->past_at = now;
    g->migrations_24h = row->migrations_24h;
    g->moved_dirty_mib_s = row->moved_dirty_mib_s;
    g->n_left = 0;
    for (uint32_t i = 0; i < row->n_left && g->n_left < PUSH_LEFT; i++)
        g->left[g->n_left++] =
            (struct push_left){.host = guests_hash(row->left[i].host, strlen(row->left[i].host)),
                               .ago_s = (double)row->left[i].age_ms / 1000.0};
}

void balance_feed_cluster(struct balance_feed *f, const struct store_cluster *cluster, bool full,
                          const char *host_name, enum agent_mode mode, struct guests *guests, struct mono now)
{
    struct immediate_input *in = &f->input;
    in->n_hosts = 0;
    f->n_cluster = 0;
    f->knows_hosts = full;
    cluster_view_fill(&f->view, cluster, full, host_name, mode, guests);
    if (full)
        f->mean_shares = mean_shares_of(cluster);
    for (uint32_t i = 0; i < cluster->snapshot->hosts.n; i++) {
        const struct store_host *row = &cluster->hosts[i];
        f->n_cluster += row->n_vms;
        if (strcmp(row->name, host_name) == 0 || in->n_hosts == BALANCE_HOSTS_MAX)
            continue;
        size_t h = in->n_hosts++;
        memset(&f->series[h], 0, sizeof f->series[h]);
        memset(f->unwatched[h], 0, sizeof f->unwatched[h]);
        f->row[h] = row;
        f->view_host[h] = i;
        f->host[h] = (struct immediate_host){
            .id = guests_hash(row->name, strlen(row->name)),
            .name = row->name,
            .age_s = (double)row->heartbeat_age_ms / 1000.0,
            .open = full && f->view.snapshot.hosts.state[i] == HOST_UP,
            .cpu_cores = demand_host_capacity_cores(row->cpu_cores, row->threads_per_core, row->core_speed),
            .mem_mib = row->mem_mib - row->mem_reserved_mib,
            .coming_cpu_cores = row->in_flight_cpu_cores,
            .coming_mem_mib = row->in_flight_mem_mib,
            .bandwidth_mib_s = row->net_mib_s,
        };
    }
    for (uint32_t i = 0; i < cluster->snapshot->vms.n; i++) {
        const struct store_vm *row = &cluster->vms[i];
        struct host_uuid uuid;
        if (strcmp(row->host, host_name) == 0) {
            struct guest *g = host_uuid_parse(row->uuid, &uuid) == 0 ? guests_find(guests, &uuid) : NULL;
            if (g)
                take_past(g, row, now);
            continue;
        }
        for (size_t h = 0; full && h < in->n_hosts; h++)
            if (strcmp(f->host[h].name, row->host) == 0) {
                add_vm_to_host(f, h, row);
                break;
            }
    }
    for (size_t h = 0; h < in->n_hosts; h++)
        if (f->host[h].series)
            add_unwatched(&f->series[h], f->unwatched[h]);
    in->host = f->host;
}

// ---- our own ------------------------------------------------------------------------------------------

static double mib(uint64_t kib)
{
    return host_known(kib) ? (double)kib / 1024.0 : 0;
}

// Work behind thread time: on a host with hyperthreads two busy threads of a core are not two cores.
static double work(double thread_cores, const struct host_cpu *cpu, double busy_cores)
{
    if (cpu->threads_per_core <= 1)
        return thread_cores;
    return demand_from_threads(thread_cores, busy_cores, cpu->capacity_cores, cpu->threads_per_core);
}

static void fill_vm(struct immediate_vm *vm, const struct guest *g, const struct host_cpu *cpu,
                    double busy_cores, const struct mover *mover, struct mono now)
{
    const struct terms *t = &g->terms;
    double past_s = mono_seconds_between(g->past_at, now);
    *vm = (struct immediate_vm){
        .id = g->id,
        .name = g->name,
        .vcpus = g->vm->n_vcpus > 0 ? g->vm->n_vcpus : 1,
        .cpu_demand_cores = work(g->demand.demand_cores, cpu, busy_cores),
        .cpu_delivered_cores = work(g->demand.delivered_cores, cpu, busy_cores),
        .cpu_limit_cores = t->cpu_limit_cores,
        .cpu_reservation_cores = t->cpu_reservation_cores,
        .cpu_shares = t->cpu_shares,
        .mem_used_mib = mib(g->has_view ? g->view.demand_kib : guest_current_kib(g)),
        .mem_missing_mib = g->has_view ? mib(g->view.unmet_kib) : 0,
        .mem_overhead_mib = mib(g->vm->overhead_kib),
        .mem_resident_mib = mib(g->vm->actual_kib) + mib(g->vm->overhead_kib),
        .mem_limit_mib = t->mem_limit_mib,
        .mem_reservation_mib = t->mem_reservation_mib,
        .mem_shares = t->mem_shares,
        .shares = t->shares,
        .dirty_mib_s = guest_dirty_mib_s(g, now),
        .local_disk_mib = mib(g->vm->facts->local_disk_kib),
        .migrations_1h = migration_count_decay(g->migrations_1h, past_s),
        .migrations_24h = g->migrations_24h,
        .movable = guest_immovable_why(g) == NULL && !mover_has(mover, &g->uuid) && !g->vm->migrating,
        .distress = g->has_view && g->view.distress,
        .history = &g->history,
    };
    for (; vm->n_left < g->n_left; vm->n_left++) {
        vm->left[vm->n_left] = g->left[vm->n_left];
        vm->left[vm->n_left].ago_s += past_s;
    }
}

// Where rules and needs let the VM go. One that the view does not have goes nowhere: its rules are not known.
static void fill_places(struct balance_feed *f, size_t i)
{
    struct immediate_vm *vm = &f->vm[i];
    uint32_t v = f->guest[i]->in_view;
    const struct index_lists *not = &f->view.snapshot.vms.cannot_run_on;
    if (v == SNAPSHOT_NONE) {
        vm->movable = false;
        return;
    }
    bool ruled = rules_concern(f->view.rules, v);
    if (!ruled && not ->start[v + 1] == not ->start[v])
        return;
    for (size_t h = 0; h < f->input.n_hosts; h++) {
        struct rules_effect effect = {0};
        if (ruled)
            effect = rules_move_effect(f->view.rules, v, f->view_host[h]);
        f->may_run_on[i][h] = effect.strict_worse == 0 && !index_lists_has(not, v, f->view_host[h]);
        f->broken_preferences[i][h] = (int8_t)fmin(fmax(effect.preferred, INT8_MIN), INT8_MAX);
    }
    vm->may_run_on = f->may_run_on[i];
    vm->broken_preferences = f->broken_preferences[i];
}

void balance_feed_fill(struct balance_feed *f, const struct host_sample *sample, const struct guests *guests,
                       const struct settings *settings, const struct exchange_news *news,
                       const struct mover *mover, double other_cores, struct mono now)
{
    struct immediate_input *in = &f->input;
    const struct host_cpu *cpu = &sample->cpu;
    double reserved_mib = fmin((double)settings->mem_reserved_mib, mib(sample->memory.total_kib) / 2);
    double own_shares = 0, busy_cores = other_cores;
    for (size_t i = 0; i < guests->n; i++)
        if (guests->at[i]->present)
            busy_cores += guests->at[i]->demand.delivered_cores;
    in->cpu_cores =
        demand_host_capacity_cores(cpu->capacity_cores, cpu->threads_per_core, settings->core_speed);
    in->cpu_cores = fmax(in->cpu_cores / 10, in->cpu_cores - other_cores);
    in->mem_mib = mib(sample->memory.total_kib) - reserved_mib;
    in->bandwidth_mib_s = (double)settings->net_mib_s;
    if (settings->bandwidth_mib_s > 0)
        in->bandwidth_mib_s = fmin(in->bandwidth_mib_s, (double)settings->bandwidth_mib_s);
    in->growth = (double)settings->growth_permille / 1000.0;
    in->long_term_planning = news->pulse.planning;
    in->move_running = mover_count(mover) > 0;
    in->age_s = mono_seconds_between(sample->taken_at, now);
    in->n_vms = 0;
    for (size_t i = 0; i < guests->n; i++) {
        struct guest *g = guests->at[i];
        // A VM on its way here, or one whose counters were read once only, has no demand that could be told.
        if (!g->present || !g->cpu_known || g->vm->state != HOST_VM_RUNNING)
            continue;
        fill_vm(&f->vm[in->n_vms], g, cpu, busy_cores, mover, now);
        f->guest[in->n_vms] = g;
        fill_places(f, in->n_vms++);
        own_shares += g->terms.shares;
    }
    in->vm = f->vm;
    in->mean_shares = f->knows_hosts || in->n_vms == 0 ? f->mean_shares : own_shares / (double)in->n_vms;
    // Rows grow older between two readings.
    for (size_t h = 0; h < in->n_hosts; h++)
        f->host[h].age_s =
            (double)f->row[h]->heartbeat_age_ms / 1000.0 + mono_seconds_between(news->cluster_at, now);
}
