// Migrations under way: how long they take, who shares the network, how they end.
//
// By the pre-copy model (decide/migration_cost.h) the amount to send is fixed when a migration starts; how fast it
// is sent depends on how many migrations share the network of the two hosts, and changes when one starts or ends.
// Without it (CloudSim's way) a migration takes configured memory / half the bandwidth whatever else goes on.
#include <math.h>

#include "decide/migration_cost.h"
#include "simulate/world_private.h"

static uint32_t jobs_at(const struct world *w, uint32_t h)
{
    return w->host_in[h] + w->host_out[h];
}

static double rate_of(const struct world *w, const struct migration *m)
{
    if (!w->scenario->precopy)
        return w->host_net_mib_s[m->to];
    return fmin(w->host_net_mib_s[m->from] / jobs_at(w, m->from),
                w->host_net_mib_s[m->to] / jobs_at(w, m->to));
}

// What has been sent until now at the rate so far.
static void progress(const struct world *w, struct migration *m)
{
    double s = (double)(w->now_ms - m->updated_ms) / 1000.0;
    double wait = fmin(s, m->setup_s);
    m->setup_s -= wait;
    m->left_mib = fmax(0, m->left_mib - (s - wait) * m->rate_mib_s);
    m->updated_ms = w->now_ms;
}

// Sets the rate anew, and with it the end.
static void retime(const struct world *w, struct migration *m)
{
    progress(w, m);
    m->rate_mib_s = rate_of(w, m);
    double until_mib = m->fail_at_mib >= 0 ? fmax(0, m->left_mib - m->fail_at_mib) : m->left_mib;
    double downtime_s = m->fail_at_mib >= 0 ? 0 : m->downtime_s;
    m->end_ms = w->now_ms + (int64_t)ceil((m->setup_s + until_mib / m->rate_mib_s + downtime_s) * 1000.0);
}

// One more or one less migration on these hosts: all others there get another part of the network.
static void retime_sharing(struct world *w, uint32_t a, uint32_t b)
{
    if (!w->scenario->precopy)
        return;
    for (size_t i = 0; i < w->running.n; i++) {
        struct migration *m = &w->running.at[i];
        if (m->from == a || m->to == a || m->from == b || m->to == b) {
            retime(w, m);
            w->host_dirty[m->from] = w->host_dirty[m->to] = true;
        }
    }
}

static bool left_within_hour(const struct world *w, uint32_t v, uint32_t h)
{
    uint32_t n = w->vm_n_left[v] < WORLD_LEFT ? w->vm_n_left[v] : WORLD_LEFT;
    for (uint32_t i = 0; i < n; i++)
        if (w->vm_left[v][i].host == h && w->now_ms - w->vm_left[v][i].at_ms < 3600000)
            return true;
    return false;
}

// Whether host h can hold the VM besides what is there and on its way: what it uses, not what it is configured with.
static bool has_room(const struct world *w, uint32_t v, uint32_t h)
{
    double used = w->mem_used[v] + w->vm_overhead_mib[v];
    for (uint32_t i = 0; i < w->host_vms[h].n; i++) {
        uint32_t other = w->host_vms[h].vm[i];
        used += w->mem_used[other] + w->vm_overhead_mib[other];
    }
    for (size_t i = 0; i < w->running.n; i++)
        if (w->running.at[i].to == h)
            used += w->mem_used[w->running.at[i].vm] + w->vm_overhead_mib[w->running.at[i].vm];
    return used <= w->host_mem_mib[h];
}

bool world_migrate(struct world *w, uint32_t v, uint32_t to)
{
    if (v >= w->n_vms || to >= w->n_hosts)
        return false;
    uint32_t from = w->vm_host[v];
    if (from == VIEW_NONE || from == to || w->vm_to[v] != VIEW_NONE || w->host_power[to] != HOST_ON ||
        w->host_power[from] == HOST_CRASHED)
        return false;
    if (w->scenario->memory_constrains && !has_room(w, v, to))
        return false;
    struct migration m = {.vm = v, .from = from, .to = to, .fail_at_mib = -1};
    m.started_ms = m.updated_ms = w->now_ms;
    w->host_out[from]++;
    w->host_in[to]++;
    m.rate_mib_s = rate_of(w, &m);
    m.slow_down = w->scenario->migration_slow_down;
    m.left_mib = w->vm_mem_mib[v];
    if (w->scenario->precopy) {
        struct migration_subject subject = {.resident_mib = w->mem_actual[v] + w->vm_overhead_mib[v],
                                            .dirty_mib_s = w->dirty_mib_s[v],
                                            .weight = 1,
                                            .left_destination_s = -1};
        struct migration_link link = {.bandwidth_mib_s = m.rate_mib_s};
        struct migration_estimate e = migration_estimate(&subject, &link, NULL);
        m.left_mib = e.sent_mib;
        m.downtime_s = e.downtime_s;
        m.setup_s = MIGRATION_SETUP_S;
        m.slow_down = e.slow_down;
    }
    if (w->scenario->migration_failure > 0 && random_unit(&w->random) < w->scenario->migration_failure)
        m.fail_at_mib = m.left_mib * random_unit(&w->random);
    if (migrations_push(&w->running, m) < 0) {
        w->host_out[from]--;
        w->host_in[to]--;
        return false;
    }
    w->vm_to[v] = to;
    retime(w, &w->running.at[w->running.n - 1]);
    retime_sharing(w, from, to);
    w->host_dirty[from] = w->host_dirty[to] = true;
    w->totals.migrations++;
    w->totals.returns_1h += left_within_hour(w, v, to);
    if (++w->vm_moves[v] > w->totals.migrations_per_vm_max)
        w->totals.migrations_per_vm_max = w->vm_moves[v];
    return true;
}

int64_t world_next_migration_ms(const struct world *w)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < w->running.n; i++)
        if (w->running.at[i].end_ms < next)
            next = w->running.at[i].end_ms;
    return next;
}

// Takes the i-th running migration out, without moving the VM.
static void finish(struct world *w, size_t i, bool done)
{
    struct migration m = w->running.at[i];
    for (size_t k = i + 1; k < w->running.n; k++)
        w->running.at[k - 1] = w->running.at[k];
    w->running.n--;
    w->host_out[m.from]--;
    w->host_in[m.to]--;
    w->vm_to[m.vm] = VIEW_NONE;
    w->host_dirty[m.from] = w->host_dirty[m.to] = true;
    w->totals.failed_migrations += !done;
    struct world_migration_end end = {
        m.vm, m.from, m.to, done, (double)(w->now_ms - m.started_ms) / 1000.0, done ? m.downtime_s : 0};
    (void)migration_ends_push(&w->ended,
                              end); // out of memory: the policy is not told, the VM is moved all the same
    retime_sharing(w, m.from, m.to);
}

static void complete(struct world *w, size_t i)
{
    struct migration m = w->running.at[i];
    finish(w, i, true);
    world_detach(w, m.vm);
    world_attach(w, m.vm, m.to);
    w->vm_left[m.vm][w->vm_n_left[m.vm]++ % WORLD_LEFT] = (struct left_host){m.from, w->now_ms};
    // The downtime: nothing ran, whatever the satisfaction was otherwise.
    double s = w->vm_weight[m.vm] > 0 ? 1 - w->vm_lost_rate[m.vm] / w->vm_weight[m.vm] : 0;
    double lost = w->vm_weight[m.vm] * m.downtime_s * s;
    w->totals.lost_vm_s += lost;
    w->totals.lost_to_migration_vm_s += lost;
    w->vm_lost[m.vm] += lost;
}

void world_end_migrations(struct world *w)
{
    for (;;) {
        size_t first = w->running.n;
        for (size_t i = 0; i < w->running.n; i++)
            if (w->running.at[i].end_ms <= w->now_ms &&
                (first == w->running.n || w->running.at[i].end_ms < w->running.at[first].end_ms))
                first = i;
        if (first == w->running.n)
            return;
        if (w->running.at[first].fail_at_mib >= 0)
            finish(w, first, false);
        else
            complete(w, first);
    }
}

void world_cancel_migrations(struct world *w, uint32_t vm, uint32_t host)
{
    for (size_t i = w->running.n; i-- > 0;) {
        const struct migration *m = &w->running.at[i];
        if (m->vm == vm || (host != VIEW_NONE && (m->from == host || m->to == host))) {
            finish(w, i, false);
        }
    }
}
