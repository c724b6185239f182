// The mover's slots: taking, filling, finding them; proposals, which take none.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mover_slot.h"
#include "base/log.h"

// An operator has this long to approve a proposal; while its reason lasts it is renewed.
#define PROPOSAL_LIFETIME_MS 600000

// ---- slots --------------------------------------------------------------------------------------------

// A slot whose teller's jobs have all ended can be used again.
static struct move *free_slot(struct mover *mover)
{
    for (size_t i = 0; i < MOVER_SLOTS; i++)
        if (mover->slot[i].phase == MOVE_FREE && mover->slot[i].jobs == 0)
            return &mover->slot[i];
    return NULL;
}

void move_fill(struct move *m, struct mover *mover, const struct move_request *r)
{
    memset(m, 0, sizeof *m);
    m->mover = mover;
    m->uuid = r->uuid;
    host_uuid_format(&r->uuid, m->uuid_text);
    snprintf(m->vm_name, sizeof m->vm_name, "%s", r->vm_name ? r->vm_name : m->uuid_text);
    snprintf(m->to, sizeof m->to, "%s", r->to);
    snprintf(m->destination_uri, sizeof m->destination_uri, "%s",
             r->destination_uri ? r->destination_uri : "");
    snprintf(m->data_uri, sizeof m->data_uri, "%s", r->data_uri ? r->data_uri : "");
    snprintf(m->reason, sizeof m->reason, "%s", r->reason ? r->reason : "");
    m->claim = (struct store_claim){
        .order = r->order, .epoch = r->epoch, .limits.growth = r->growth, .cooldown_ms = r->cooldown_ms};
    m->claim.move = (struct store_move){.vm_uuid = m->uuid_text,
                                        .from = mover->host_name,
                                        .to = m->to,
                                        .origin = r->origin,
                                        .mem_needed_mib = r->mem_needed_mib,
                                        .cpu_needed_cores = r->cpu_needed_cores,
                                        .cpu_ceiling_cores = r->cpu_ceiling_cores,
                                        .benefit_lost_vm_s = r->benefit_lost_vm_s,
                                        .cost_lost_vm_s = r->cost_lost_vm_s,
                                        .duration_s = r->duration_s,
                                        .reason = m->reason};
}

int mover_start(struct mover *mover, const struct move_request *request, struct mono now, struct error *err)
{
    mover->now = now;
    if (mover_has(mover, &request->uuid))
        return error_set(err, ERROR_REFUSED, "VM %s is being moved already", request->vm_name);
    struct move *m = free_slot(mover);
    if (!m)
        return error_set(err, ERROR_REFUSED, "%d migrations are under way from this host", MOVER_SLOTS);
    move_fill(m, mover, request);
    return move_claim(m, err);
}

struct proposal_job {
    struct teller_job job;
    struct move move; // a slot of its own that no list knows: texts live in it
};

static int run_propose(struct teller_job *base, struct store *store, struct error *err)
{
    struct proposal_job *job = (struct proposal_job *)base;
    uint64_t id;
    return store_propose(store, &job->move.claim.move, STORE_MIGRATION_PROPOSED, 0, PROPOSAL_LIFETIME_MS,
                         &job->move.claim.epoch, &id, err);
}

static void done_propose(struct teller_job *base, void *context)
{
    (void)context;
    struct proposal_job *job = (struct proposal_job *)base;
    if (base->result < 0 && base->err.kind == ERROR_REFUSED)
        log_info("VM %s: no proposal: %s", job->move.vm_name, base->err.text);
    free(base);
}

void mover_propose(struct mover *mover, const struct move_request *request)
{
    struct proposal_job *job = calloc(1, sizeof *job);
    if (!job)
        return; // proposed again while the reason lasts
    move_fill(&job->move, mover, request);
    job->job.run = run_propose;
    job->job.done = done_propose;
    teller_submit(mover->teller, &job->job);
}

void mover_recover(struct mover *mover, const struct store_cluster *cluster, struct mono now)
{
    mover->now = now;
    for (size_t i = 0; i < cluster->n_migrations; i++) {
        const struct store_migration *row = &cluster->migrations[i];
        struct move_request r = {.vm_name = row->vm_name, .to = row->move.to, .reason = row->move.reason};
        if (!store_migration_is_open(row->state) || strcmp(row->move.from, mover->host_name) != 0 ||
            host_uuid_parse(row->move.vm_uuid, &r.uuid) < 0 || mover_has(mover, &r.uuid))
            continue;
        for (size_t h = 0; h < cluster->snapshot->hosts.n; h++)
            if (strcmp(cluster->hosts[h].name, row->move.to) == 0)
                r.destination_uri = cluster->hosts[h].address;
        struct move *m = free_slot(mover);
        if (!m)
            return;
        move_fill(m, mover, &r);
        m->id = row->id;
        m->started_at = now;
        m->renew_at = now;
        m->never_started = row->state == STORE_MIGRATION_CLAIMED;
        move_ask(m, "ballastd was not there when it ended", now);
    }
}

void mover_stop(struct mover *mover)
{
    mover->stopped = true;
}

bool mover_has(const struct mover *mover, const struct host_uuid *uuid)
{
    for (size_t i = 0; i < MOVER_SLOTS; i++)
        if (mover->slot[i].phase != MOVE_FREE && host_uuid_compare(&mover->slot[i].uuid, uuid) == 0)
            return true;
    return false;
}

size_t mover_count(const struct mover *mover)
{
    size_t n = 0;
    for (size_t i = 0; i < MOVER_SLOTS; i++)
        n += mover->slot[i].phase != MOVE_FREE;
    return n;
}

struct mover *mover_new(struct host *host, struct teller *teller, const struct settings *settings,
                        const char *host_name, move_ended_fn *ended, void *user, struct error *err)
{
    struct mover *mover = calloc(1, sizeof *mover);
    if (!mover) {
        error_set(err, ERROR_MEMORY, "no memory");
        return NULL;
    }
    mover->host = host;
    mover->teller = teller;
    mover->settings = settings;
    mover->ended = ended;
    mover->user = user;
    snprintf(mover->host_name, sizeof mover->host_name, "%s", host_name);
    return mover;
}

struct mover *mover_free(struct mover *mover)
{
    free(mover);
    return NULL;
}
