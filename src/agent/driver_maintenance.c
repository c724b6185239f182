// Emptying a host in maintenance, one VM at a time; which and where to is decided in decide/evacuate.
#include <stdio.h>
#include <string.h>

#include "agent/driver_state.h"
#include "base/log.h"
#include "decide/evacuate.h"

// Whatever makes another answer possible, as the rows of the hosts and of the own VMs have it, mixed into one number.
static uint64_t mix_rows(const struct driver *d)
{
    const struct balance_feed *f = &d->balance_feed;
    uint64_t sum = d->guests.n;
    for (size_t h = 0; h < f->input.n_hosts; h++) {
        const struct store_host *row = f->row[h];
        double figures[] = {row->mem_mib,          row->mem_reserved_mib,  row->mem_used_mib,
                            row->cpu_demand_cores, row->in_flight_mem_mib, f->host[h].open};
        sum = sum * 31 + guests_hash(figures, sizeof figures);
    }
    for (size_t i = 0; i < d->guests.n; i++) { // a new VM's row may be older than what is known of it here
        const struct guest *g = d->guests.at[i];
        bool in_view = g->in_view != SNAPSHOT_NONE;
        sum = sum * 31 + (guest_immovable_why(g) == NULL) + 2 * (unsigned)in_view +
              4 * (unsigned)(in_view && f->view.snapshot.vms.movable[g->in_view]);
    }
    return sum;
}

static void send_away(struct driver *d, struct guest *g, const struct evacuation *e)
{
    const struct store_host *to = &exchange_latest(d->exchange)->cluster->hosts[e->to];
    struct move_request r = {.benefit_lost_vm_s = e->benefit_lost_vm_s,
                             .cost_lost_vm_s = e->cost_lost_vm_s,
                             .duration_s = e->duration_s,
                             .reason = e->reason};
    bool running = false;
    bool acted = driver_ask_move(d, g, to, &r, &running);
    journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, g->uuid_text, g->name, "move", acted, NULL,
                     "to %s: %s", to->name, e->reason);
    if (acted)
        d->emptying_until.ms = 0;
}

void driver_maintenance(struct driver *d)
{
    const struct exchange_news *news = exchange_latest(d->exchange);
    struct balance_feed *f = &d->balance_feed;
    struct cluster_view *view = &f->view;
    bool due = d->now.ms >= d->emptying_until.ms, small = f->n_cluster <= BALANCE_READ_ALWAYS_VMS;
    d->want_cluster = d->want_full = (due || small) && d->guests.n > 0;
    if (mover_count(d->mover) > 0 || view->own == SNAPSHOT_NONE || news->cluster_at.ms <= d->emptied_at.ms ||
        !(due || (small && d->emptying_in_vain && mix_rows(d) != d->emptying_rows)))
        return;
    balance_feed_fill(f, d->sample, &d->guests, d->settings, news, d->mover, d->other_cores, d->now);
    struct evacuation e;
    bool *held = arena_new_array(view->arena, bool, view->snapshot.vms.n);
    memset(held, true, view->snapshot.vms.n * sizeof *held);
    for (size_t i = 0; i < f->input.n_vms; i++)
        if (f->guest[i]->in_view != SNAPSHOT_NONE)
            held[f->guest[i]->in_view] = !f->vm[i].movable;
    for (size_t i = 0; i < news->cluster->n_migrations; i++) // proposals wait for somebody's word
        for (size_t k = 0; k < f->input.n_vms; k++)
            if (strcmp(news->cluster->migrations[i].move.vm_uuid, f->guest[k]->uuid_text) == 0 &&
                f->guest[k]->in_view != SNAPSHOT_NONE)
                held[f->guest[k]->in_view] = true;
    view->snapshot.hosts.state[view->own] = HOST_MAINTENANCE;
    evacuate_next(&view->snapshot, view->own, held, (double)d->settings->growth_permille / 1000.0,
                  view->arena, &e);
    if (e.n_waiting == 0)
        return;
    d->emptied_at = d->now;
    d->emptying_until.ms = d->now.ms + DRIVER_EMPTYING_MS;
    d->emptying_in_vain = true;
    d->emptying_rows = mix_rows(d);
    for (size_t i = 0; e.vm != SNAPSHOT_NONE && i < f->input.n_vms; i++)
        if (f->guest[i]->in_view == e.vm)
            send_away(d, f->guest[i], &e);
    if (e.vm == SNAPSHOT_NONE &&
        journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, NULL, NULL, "no-destination", false, NULL,
                         "in maintenance, and none of %u VMs can go anywhere: %s", e.n_waiting,
                         e.reason ? e.reason : "the search for a place was cut off"))
        log_warning("in maintenance, and none of %u VMs can go anywhere: %s", e.n_waiting,
                    e.reason ? e.reason : "the search for a place was cut off");
}
