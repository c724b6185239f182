// Emptying a host in maintenance: one VM at a time, the largest first (it finds room hardest), each to the open
// host on which most stays free. The operator has decided; loss and cost are not weighed.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/driver_state.h"
#include "base/log.h"

// After a move, a refusal or a look in vain: rows of the others have to show what has changed.
#define MAINTENANCE_INTERVAL_MS 10000

static bool has_migration(const struct store_cluster *cluster, const char *uuid)
{
    for (size_t i = 0; i < cluster->n_migrations; i++)
        if (strcmp(cluster->migrations[i].move.vm_uuid, uuid) == 0)
            return true;
    return false;
}

// The part of the host that stays free with the VM there; negative: it does not fit.
static double room_with(const struct immediate_host *host, const struct store_host *row,
                        const struct move_request *r)
{
    if (!host->open || host->age_s > IMMEDIATE_ROW_AGE_MOST_S || host->cpu_cores <= 0 || host->mem_mib <= 0)
        return -1;
    double cores = host->cpu_cores - row->cpu_demand_cores - host->coming_cpu_cores - r->cpu_needed_cores;
    double mib = host->mem_mib - row->mem_used_mib - host->coming_mem_mib - r->mem_needed_mib;
    return fmin(cores / host->cpu_cores, mib / host->mem_mib);
}

static void send_away(struct driver *d, struct guest *g, struct move_request *r, const struct store_host *to)
{
    char why[sizeof d->host_name + 32];
    snprintf(why, sizeof why, "%s is in maintenance", d->host_name);
    r->to = to->name;
    r->destination_uri = to->address;
    r->data_uri = to->migration_uri;
    r->reason = why;
    bool running = false;
    bool acted = actuator_of(g->terms.mode)->move(d, r, &running);
    journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, g->uuid_text, g->name, "move", acted, NULL,
                     "to %s: %s", to->name, why);
}

void driver_maintenance(struct driver *d)
{
    const struct exchange_news *news = exchange_latest(d->exchange);
    struct balance_feed *f = &d->balance_feed;
    bool due = d->emptied_at.ms == 0 || d->now.ms - d->emptied_at.ms >= MAINTENANCE_INTERVAL_MS;
    d->want_cluster = d->want_full = due && d->guests.n > 0;
    if (!due || mover_count(d->mover) > 0 || !f->knows_hosts)
        return;
    balance_feed_fill(f, d->sample, &d->guests, d->settings, news, d->mover, d->other_cores, d->now);
    struct guest *largest = NULL;
    size_t best = 0, waiting = 0;
    struct move_request request = {0};
    for (size_t i = 0; i < f->input.n_vms; i++) {
        struct guest *g = f->guest[i];
        if (!f->vm[i].movable || has_migration(news->cluster, g->uuid_text))
            continue;
        waiting++;
        struct move_request r = {.uuid = g->uuid, .vm_name = g->name, .origin = STORE_ORIGIN_IMMEDIATE};
        driver_needs(d, g, &r);
        if (largest && r.mem_needed_mib <= request.mem_needed_mib)
            continue;
        double most = 0;
        for (size_t h = 0; h < f->input.n_hosts; h++) {
            double room = room_with(&f->host[h], f->row[h], &r);
            if (room <= most)
                continue;
            most = room;
            largest = g;
            request = r;
            best = h;
        }
    }
    if (waiting == 0)
        return;
    d->emptied_at = d->now;
    if (largest)
        send_away(d, largest, &request, f->row[best]);
    else if (journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, NULL, NULL, "no-destination", false,
                              NULL, "in maintenance, and no host has room for any of %zu VMs", waiting))
        log_warning("in maintenance, and no host has room for any of %zu VMs", waiting);
}
