// The immediate balancer's part of a round, and orders that come through the store.
#include <math.h>
#include <string.h>

#include "agent/driver_state.h"
#include "base/log.h"

#define DIRTY_AT_ONCE 4

// A QEMU that cannot measure leaves the figure unknown.
static void ignore_answer(void *user, enum host_outcome outcome, const struct error *error)
{
    (void)user;
    (void)outcome;
    (void)error;
}

static const struct store_host *row_of(const struct store_cluster *cluster, const char *name)
{
    for (uint32_t i = 0; cluster && i < cluster->snapshot->hosts.n; i++)
        if (strcmp(cluster->hosts[i].name, name) == 0)
            return &cluster->hosts[i];
    return NULL;
}

static void fill_needs(const struct driver *d, const struct guest *g, const struct store_host *to,
                       struct move_request *r)
{
    r->growth = (double)d->settings->growth_permille / 1000.0;
    double growth = 1.0 + r->growth;
    double demand_mib = (double)(g->has_view ? g->view.demand_kib : guest_current_kib(g)) / 1024.0;
    double overhead_mib = (host_known(g->vm->overhead_kib) ? (double)g->vm->overhead_kib / 1024.0 : 0);
    double needed_mib = fmin(demand_mib * growth, g->terms.mem_limit_mib);
    r->mem_needed_mib = fmax(needed_mib, g->terms.mem_reservation_mib) + overhead_mib;
    r->cpu_needed_cores =
        fmax(fmin(g->demand.demand_cores * growth, g->terms.cpu_limit_cores), g->terms.cpu_reservation_cores);
    // A host that is full of CPU demand may be the best place there is; what it has grown by until the claim is accepted too.
    double there_cores = to->cpu_demand_cores + to->in_flight_cpu_cores;
    r->cpu_ceiling_cores = fmax(to->cpu_cores, there_cores * growth + r->cpu_needed_cores);
}

bool driver_ask_move(struct driver *d, struct guest *g, const struct store_host *to, struct move_request *r,
                     bool *ret_running)
{
    r->uuid = g->uuid;
    r->vm_name = g->name;
    r->to = to->name;
    r->destination_uri = to->address;
    r->data_uri = to->migration_uri;
    r->origin = STORE_ORIGIN_IMMEDIATE;
    fill_needs(d, g, to, r);
    return actuator_of(g->terms.mode)->move(d, r, ret_running);
}

static struct migration_estimate model_move(const struct immediate_input *in,
                                            const struct immediate_output *out)
{
    const struct immediate_vm *vm = &in->vm[out->vm_index];
    struct migration_subject subject = {.resident_mib = vm->mem_resident_mib,
                                        .dirty_mib_s = vm->dirty_mib_s,
                                        .local_disk_mib = vm->local_disk_mib};
    double there_mib_s = in->host[out->host_index].bandwidth_mib_s;
    struct migration_link link = {.bandwidth_mib_s = in->bandwidth_mib_s};
    if (there_mib_s > 0)
        link.bandwidth_mib_s = fmin(link.bandwidth_mib_s, there_mib_s);
    return migration_estimate(&subject, &link, NULL);
}

// Asks how much memory the VMs rewrite, while a move is being considered: a few in each round, each again when
// half of the time is over for which the figure is believed.
static void measure_dirty(struct driver *d)
{
    unsigned n = 0;
    for (size_t i = 0; i < d->balance_feed.input.n_vms && n < DIRTY_AT_ONCE; i++) {
        struct guest *g = d->balance_feed.guest[i];
        bool due = g->dirty_asked_at.ms == 0 || d->now.ms - g->dirty_asked_at.ms >= GUESTS_DIRTY_VALID_MS / 2;
        if (!due || !d->balance_feed.vm[i].movable)
            continue;
        g->dirty_asked_at = d->now;
        d->host->ops->measure_dirty(d->host, &g->uuid, ignore_answer, NULL);
        n++;
    }
}

static void order(struct driver *d, const struct immediate_output *out, const char *why)
{
    struct guest *g = d->balance_feed.guest[out->vm_index];
    const struct store_host *to = d->balance_feed.row[out->host_index];
    struct move_request r = {.benefit_lost_vm_s = out->benefit_lost_vm_s,
                             .cost_lost_vm_s = out->cost_lost_vm_s,
                             .duration_s = out->duration_s,
                             .reason = why};
    bool running = false;
    bool acted = driver_ask_move(d, g, to, &r, &running);
    journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, g->uuid_text, g->name, "move", acted, NULL,
                     "%s", why);
    log_info("VM %s: %s%s", g->name, running ? "" : acted ? "proposed: " : "would move: ", why);
    if (running) {
        d->ordered_vm = out->vm;
        d->ordered = model_move(&d->balance_feed.input, out);
    } else { // it is as if it had been done: the next one is said only when its effect could have been seen
        immediate_report(d->immediate, out->vm, IMMEDIATE_DONE, out->duration_s, d->now);
    }
}

static void note_candidates(const struct driver *d, const struct immediate_output *out, char *text,
                            size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    if (!out->asked)
        return;
    for (uint32_t i = 0; i < out->decision.n_candidates && used < size; i++) {
        const struct push_candidate *c = &out->decision.candidate[i];
        int n = snprintf(text + used, size - used, "%s%s -> %s: benefit %.3g, cost %.3g lost VM-s: %s",
                         i ? "\n" : "", d->balance_feed.vm[c->vm].name, d->balance_feed.host[c->host].name,
                         c->benefit_lost_vm_s, c->cost.lost_vm_s, push_verdict_name(c->verdict));
        used += n > 0 ? (size_t)n : 0;
    }
}

void driver_balance(struct driver *d)
{
    const struct exchange_news *news = exchange_latest(d->exchange);
    bool possible = d->settings->migration_enabled && news->cluster && exchange_joined(d->exchange) &&
                    teller_available(d->teller) && d->sample->connected && d->mode_known;
    if (!possible || !d->cpu_is_new) {
        d->want_cluster = d->want_full = d->settings->migration_enabled;
        return;
    }
    if (d->maintenance) {
        driver_maintenance(d);
        return;
    }
    struct immediate_output *out = &d->immediate_out;
    d->balance_feed.input.calibration = &d->learned;
    balance_feed_fill(&d->balance_feed, d->sample, &d->guests, d->settings, news, d->mover, d->other_cores,
                      d->now);
    immediate_step(d->immediate, &d->balance_feed.input, d->now, out);
    bool lacking = out->verdict != IMMEDIATE_CALM;
    if (lacking && out->verdict != IMMEDIATE_MOVE)
        measure_dirty(d);
    d->want_cluster = lacking;
    d->want_full = lacking || d->balance_feed.n_cluster <= BALANCE_READ_ALWAYS_VMS;
    char why[512];
    if (lacking || d->last_verdict != IMMEDIATE_CALM)
        immediate_explain(out, why, sizeof why);
    if (out->verdict == IMMEDIATE_MOVE) {
        order(d, out, why);
    } else if (lacking || d->last_verdict != IMMEDIATE_CALM) {
        char candidates[JOURNAL_DETAIL_SIZE];
        note_candidates(d, out, candidates, sizeof candidates);
        const char *verdict = immediate_verdict_name(out->verdict);
        if (journal_decision(&d->journal, d->now, STORE_LOOP_IMMEDIATE, NULL, NULL, verdict, false,
                             candidates, "%s", why))
            log_debug("%s: %s", verdict, why);
    }
    d->last_verdict = out->verdict;
}

// ---- orders from the store ----------------------------------------------------------------------------

static void carry_out_order(struct driver *d, const struct store_cluster *cluster,
                            const struct store_migration *row)
{
    struct move_request r = {.vm_name = row->vm_name,
                             .to = row->move.to,
                             .order = row->id,
                             .origin = row->move.origin,
                             .reason = row->move.reason};
    const struct store_host *to = row_of(cluster, row->move.to);
    if (!to || !to->address || host_uuid_parse(row->move.vm_uuid, &r.uuid) < 0 ||
        mover_has(d->mover, &r.uuid))
        return;
    struct guest *g = guests_find(&d->guests, &r.uuid);
    if (!g || !g->present || g->terms.excluded)
        return;
    r.destination_uri = to->address;
    r.data_uri = to->migration_uri;
    struct error err = {0};
    // An order is somebody's decision already: in recommend an approved one is carried out.
    if (d->mode == AGENT_MODE_OBSERVE || mover_start(d->mover, &r, d->now, &err) < 0)
        return;
    log_info("VM %s: carrying out migration %llu to %s: %s", g->name, (unsigned long long)row->id,
             row->move.to, row->move.reason);
}

void driver_cluster(struct driver *d, const struct exchange_news *news)
{
    const struct store_cluster *cluster = news->cluster;
    balance_feed_cluster(&d->balance_feed, cluster, d->asked_full, d->host_name, d->mode, &d->guests, d->now);
    mover_recover(d->mover, cluster, d->now);
    for (size_t i = 0; i < cluster->n_migrations; i++) {
        const struct store_migration *row = &cluster->migrations[i];
        if (row->state == STORE_MIGRATION_ORDERED && strcmp(row->move.from, d->host_name) == 0)
            carry_out_order(d, cluster, row);
    }
}

void driver_move_ended(void *user, const struct move_end *end)
{
    struct driver *d = user;
    bool refused = end->refusal != STORE_GRANTED;
    bool done = !refused && end->outcome == STORE_MIGRATION_DONE;
    if (done)
        log_notice("VM %s: moved to %s in %.1f s, downtime %.0f ms, %.0f MiB sent", end->vm_name, end->to,
                   end->duration_s, end->downtime_ms, end->transferred_mib);
    else if (refused)
        log_info("VM %s: not moved to %s: %s", end->vm_name, end->to, end->text);
    else
        log_warning("VM %s: move to %s %s: %s", end->vm_name, end->to,
                    store_migration_state_name(end->outcome), end->text);
    uint64_t id = guests_hash(&end->uuid, sizeof end->uuid);
    if (d->ordered_vm == id) {
        d->ordered_vm = 0;
        if (done)
            migration_calibrate(&d->learned, &d->ordered, end->duration_s, end->downtime_ms / 1000.0);
        immediate_report(d->immediate, id,
                         done                                                 ? IMMEDIATE_DONE
                         : refused || end->outcome == STORE_MIGRATION_REFUSED ? IMMEDIATE_REFUSED
                                                                              : IMMEDIATE_FAILED,
                         end->duration_s, d->now);
    }
    d->emptying_until.ms = done ? 0 : d->now.ms + DRIVER_EMPTYING_MS;
    d->emptying_in_vain = false;
    if (!d->closing)
        driver_sample_now(d, HOST_GROUP_BALLOON);
}
