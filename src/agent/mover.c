#include "agent/mover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/mover_slot.h"
#include "base/log.h"

// One request to the store about one slot.
struct move_job {
    struct teller_job job;
    struct move *move;
    struct store_claim_result granted; // claim
    struct store_progress progress;    // renew
    int64_t lifetime_ms;
};

static int64_t claim_lifetime_ms(const struct mover *mover)
{
    return mover->settings->claim_s * 1000;
}

static void submit(struct move *m, int (*run)(struct teller_job *, struct store *, struct error *),
                   void (*done)(struct teller_job *, void *))
{
    struct move_job *job = calloc(1, sizeof *job);
    if (!job)
        return; // tried again at the next tick: every phase that waits for a job has a time to repeat it
    job->job.run = run;
    job->job.done = done;
    job->move = m;
    job->progress = m->progress;
    job->lifetime_ms = claim_lifetime_ms(m->mover);
    m->jobs++;
    teller_submit(m->mover->teller, &job->job);
}

static struct move *job_ended(struct teller_job *base)
{
    struct move *m = ((struct move_job *)base)->move;
    m->jobs--;
    return m;
}

// ---- the end ------------------------------------------------------------------------------------------

static void tell_ended(struct move *m, enum store_refusal refusal)
{
    struct move_end end = {.uuid = m->uuid,
                           .vm_name = m->vm_name,
                           .to = m->to,
                           .id = m->id,
                           .refusal = refusal,
                           .outcome = m->outcome.state,
                           .text = m->outcome_text,
                           .duration_s = m->outcome.duration_s,
                           .downtime_ms = m->outcome.downtime_ms,
                           .transferred_mib = m->outcome.transferred_mib};
    m->phase = MOVE_FREE;
    m->mover->ended(m->mover->user, &end);
}

static int run_finish(struct teller_job *base, struct store *store, struct error *err)
{
    struct move *m = ((struct move_job *)base)->move;
    return store_finish(store, m->id, &m->outcome, err);
}

static void done_finish(struct teller_job *base, void *context)
{
    (void)context;
    struct move *m = job_ended(base);
    m->finish_sent = false;
    // Refused or missing: the row has ended otherwise; that is as much an end as ours.
    bool ended = base->result == 0 || base->err.kind == ERROR_REFUSED || base->err.kind == ERROR_MISSING;
    if (base->result < 0 && ended)
        log_warning("migration %llu of %s: the store has another end for it: %s", (unsigned long long)m->id,
                    m->vm_name, base->err.text);
    free(base);
    if (ended && !m->mover->stopped)
        tell_ended(m, STORE_GRANTED);
}

static void send_finish(struct move *m)
{
    m->finish_at = mono_after_ms(m->mover->now, MOVER_ASK_MS);
    m->finish_sent = true;
    unsigned before = m->jobs;
    submit(m, run_finish, done_finish);
    if (m->jobs == before)
        m->finish_sent = false;
}

void move_finish(struct move *m, enum store_migration_state state, const struct host_progress *final,
                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(m->outcome_text, sizeof m->outcome_text, format, args);
    va_end(args);
    m->phase = MOVE_FINISHING;
    m->outcome = (struct store_outcome){.state = state, .text = m->outcome_text};
    m->outcome.duration_s = mono_seconds_between(m->started_at, m->mover->now);
    if (final) {
        if (host_known(final->elapsed_ms))
            m->outcome.duration_s = (double) final->elapsed_ms / 1000.0;
        if (host_known(final->downtime_ms))
            m->outcome.downtime_ms = (double) final->downtime_ms;
        if (host_known(final->processed_kib))
            m->outcome.transferred_mib = (double) final->processed_kib / 1024.0;
    }
    send_finish(m);
}

// ---- the way ------------------------------------------------------------------------------------------

static void done_migrate(void *user, enum host_outcome outcome, const struct host_progress *final,
                         const struct error *error)
{
    struct move *m = user;
    if (m->mover->stopped)
        return;
    switch (outcome) {
    case HOST_DONE:
        move_finish(m, STORE_MIGRATION_DONE, final, "%s", "");
        return;
    case HOST_REFUSED:
        move_finish(m, STORE_MIGRATION_REFUSED, final, "%s", error->text);
        return;
    case HOST_FAILED:
        move_finish(m, STORE_MIGRATION_FAILED, final, "%s", error->text);
        return;
    case HOST_CANCELLED:
        move_finish(m, STORE_MIGRATION_CANCELLED, final, "%s", error->text);
        return;
    case HOST_UNKNOWN_OUTCOME:
        move_ask(m, error->kind != ERROR_NONE ? error->text : "no answer", m->mover->now);
        return;
    }
}

static void migrate(struct move *m)
{
    const struct settings *s = m->mover->settings;
    char claim[32];
    snprintf(claim, sizeof claim, "%llu", (unsigned long long)m->id);
    struct host_migration_request request = {
        .uuid = m->uuid,
        .destination_uri = m->destination_uri,
        .data_uri = *m->data_uri ? m->data_uri : NULL,
        .claim = claim,
        .bandwidth_mib_s = (uint64_t)s->bandwidth_mib_s,
        .timeout_s = (unsigned)s->timeout_s,
        .auto_converge = true,
    };
    m->phase = MOVE_MIGRATING;
    m->started_at = m->mover->now;
    m->mover->host->ops->migrate(m->mover->host, &request, done_migrate, m);
}

// Claim and advance at once: from here on a crash leaves a row that says so.
static int run_claim(struct teller_job *base, struct store *store, struct error *err)
{
    struct move_job *job = (struct move_job *)base;
    struct store_claim claim = job->move->claim;
    claim.lifetime_ms = job->lifetime_ms;
    if (store_claim(store, &claim, &job->granted, err) < 0)
        return -1;
    return job->granted.refusal == STORE_GRANTED ? store_advance(store, job->granted.id, err) : 0;
}

static void done_claim(struct teller_job *base, void *context)
{
    (void)context;
    struct move_job *job = (struct move_job *)base;
    struct move *m = job_ended(base);
    m->id = job->granted.id;
    m->renew_at = mono_after_ms(m->mover->now, claim_lifetime_ms(m->mover) / 3);
    if (m->mover->stopped) {
        free(base);
        return; // the row is found at the next start
    }
    if (base->result == 0 && job->granted.refusal == STORE_GRANTED) {
        free(base);
        migrate(m);
        return;
    }
    // Without an answer nothing was written, or a row is left that mover_recover will find.
    m->outcome = (struct store_outcome){.state = STORE_MIGRATION_REFUSED};
    snprintf(m->outcome_text, sizeof m->outcome_text, "%s",
             base->result < 0 ? base->err.text : job->granted.why);
    enum store_refusal refusal = base->result < 0 ? STORE_REFUSED_SOURCE : job->granted.refusal;
    free(base);
    tell_ended(m, refusal);
}

static int run_renew(struct teller_job *base, struct store *store, struct error *err)
{
    struct move_job *job = (struct move_job *)base;
    return store_renew(store, job->move->id, job->lifetime_ms, &job->progress, err);
}

static void done_abort(void *user, enum host_outcome outcome, const struct error *error)
{
    (void)user;
    if (outcome != HOST_DONE)
        log_warning("abort a migration: %s", error->text);
}

static void done_renew(struct teller_job *base, void *context)
{
    (void)context;
    struct move *m = job_ended(base);
    bool lost = base->result < 0 && base->err.kind == ERROR_REFUSED && !m->mover->stopped;
    if (lost && m->phase == MOVE_MIGRATING && !m->aborting) {
        log_warning("migration %llu of %s: its claim has ended (%s); aborting it", (unsigned long long)m->id,
                    m->vm_name, base->err.text);
        m->aborting = true;
        m->mover->host->ops->abort_migration(m->mover->host, &m->uuid, done_abort, m);
    }
    free(base);
}

int move_claim(struct move *m, struct error *err)
{
    m->phase = MOVE_CLAIMING;
    unsigned before = m->jobs;
    submit(m, run_claim, done_claim);
    if (m->jobs > before)
        return 0;
    m->phase = MOVE_FREE;
    return error_set(err, ERROR_MEMORY, "no memory");
}

void mover_tick(struct mover *mover, struct mono now)
{
    mover->now = now;
    for (size_t i = 0; i < MOVER_SLOTS; i++) {
        struct move *m = &mover->slot[i];
        if (m->phase == MOVE_ASKING)
            move_ask_tick(m, now);
        if (m->phase == MOVE_FINISHING && !m->finish_sent && now.ms >= m->finish_at.ms)
            send_finish(m);
        bool holds_claim = m->phase == MOVE_MIGRATING || m->phase == MOVE_ASKING;
        if (holds_claim && now.ms >= m->renew_at.ms) {
            m->renew_at = mono_after_ms(now, claim_lifetime_ms(mover) / 3);
            submit(m, run_renew, done_renew);
        }
    }
}

void mover_event(struct mover *mover, const struct host_event *event)
{
    if (event->kind != HOST_EVENT_MIGRATION_PROGRESS)
        return;
    for (size_t i = 0; i < MOVER_SLOTS; i++) {
        struct move *m = &mover->slot[i];
        if (m->phase != MOVE_MIGRATING || host_uuid_compare(&m->uuid, &event->uuid) != 0)
            continue;
        const struct host_progress *p = &event->progress;
        m->progress.transferred_mib = host_known(p->processed_kib) ? (double)p->processed_kib / 1024.0 : 0;
        m->progress.remaining_mib = host_known(p->remaining_kib) ? (double)p->remaining_kib / 1024.0 : 0;
        m->progress.rate_mib_s = host_known(p->bandwidth_kib_s) ? (double)p->bandwidth_kib_s / 1024.0 : 0;
        m->progress.dirty_mib_s = host_known(p->dirty_rate_kib_s) ? (double)p->dirty_rate_kib_s / 1024.0 : 0;
    }
}
