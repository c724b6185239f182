#include "agent/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "agent/exchange_rows.h"
#include "base/log.h"

#define NOTES_AT_ONCE 64

// The job in flight. Only the teller's thread touches it between submit and done.
struct exchange {
    struct teller_job job;
    struct arena *arena; // of what goes there; reset for each exchange, its blocks are kept

    // there
    bool join;
    struct store_host host;
    bool host_changed;
    struct store_vm *vms;
    size_t n_vms;
    const char **gone;
    size_t n_gone;
    struct note notes[NOTES_AT_ONCE];
    size_t n_notes;
    bool want_cluster, full;
    bool have_settings;
    uint64_t settings_generation;
    // back
    struct store_pulse pulse;
    struct store_settings *settings;
    struct store_cluster *cluster;

    // the loop's
    bool under_way;
    bool joined;
    uint64_t timeline;
    struct mono sent_at;
    struct mono now;
    struct report_figures reported; // of the host
    struct exchange_news news;
    struct store_settings *news_settings;
    struct store_cluster *news_cluster;
    struct exchange_rows rows; // which VMs went, to mark them reported when they have arrived

    // constant
    struct teller *teller;
    const struct settings *configured;
    char host_name[256];
    char address[SETTINGS_TEXT_SIZE + 256];
    exchange_news_fn *on_news;
    void *user;
};

static int send_notes(struct exchange *x, struct store *store, struct error *err)
{
    struct store_decision decisions[NOTES_AT_ONCE];
    size_t n = 0;
    for (size_t i = 0; i < x->n_notes; i++) {
        const struct note *note = &x->notes[i];
        const char *uuid = *note->uuid_text ? note->uuid_text : NULL;
        const char *name = uuid && *note->vm_name ? note->vm_name : NULL;
        if (!note->is_event) {
            decisions[n++] = (struct store_decision){.loop = note->loop,
                                                     .host = x->host_name,
                                                     .vm_uuid = uuid,
                                                     .vm_name = name,
                                                     .verdict = note->kind,
                                                     .reason = note->text,
                                                     .detail = *note->detail ? note->detail : NULL,
                                                     .acted = note->acted};
            continue;
        }
        struct store_event event = {.severity = note->severity,
                                    .kind = note->kind,
                                    .host = x->host_name,
                                    .vm_uuid = uuid,
                                    .vm_name = name,
                                    .text = note->text};
        if (store_append_event(store, &event, err) < 0)
            return -1;
    }
    return n > 0 ? store_append_decisions(store, decisions, n, err) : 0;
}

// On the teller's thread.
static int run_exchange(struct teller_job *job, struct store *store, struct error *err)
{
    struct exchange *x = (struct exchange *)job;
    if (x->join && store_join(store, &x->host, x->vms, x->n_vms, err) < 0)
        return error_context(err, "join the cluster");
    if (!x->join && (x->host_changed || x->n_vms > 0 || x->n_gone > 0)) {
        struct store_report report = {.host = x->host_name,
                                      .row = x->host_changed ? &x->host : NULL,
                                      .vms = x->vms,
                                      .n_vms = x->n_vms,
                                      .gone = x->gone,
                                      .n_gone = x->n_gone};
        if (store_report(store, &report, err) < 0)
            return error_context(err, "report");
    }
    if (store_heartbeat(store, x->host_name, &x->pulse, err) < 0)
        return error_context(err, "heartbeat");
    if (send_notes(x, store, err) < 0)
        return error_context(err, "write decisions");
    if ((!x->have_settings || x->pulse.settings_generation != x->settings_generation) &&
        store_read_settings(store, x->host_name, &x->settings, err) < 0)
        return error_context(err, "read settings");
    struct store_read what = {.vms_of = x->full ? NULL : x->host_name,
                              .history = x->full,
                              .down_after_ms = 3 * x->configured->heartbeat_s * 1000};
    if (x->want_cluster && store_read_cluster(store, &what, &x->cluster, err) < 0)
        return error_context(err, "read the cluster");
    return 0;
}

static void take_news(struct exchange *x)
{
    x->news.new_settings = x->settings != NULL;
    if (x->settings) {
        store_settings_free(x->news_settings);
        x->news_settings = x->settings;
        x->settings = NULL;
        x->news.settings = x->news_settings;
        x->have_settings = true;
        x->settings_generation = x->news_settings->generation;
    }
    x->news.new_cluster = x->cluster != NULL;
    if (x->cluster) {
        store_cluster_free(x->news_cluster);
        x->news_cluster = x->cluster;
        x->cluster = NULL;
        x->news.cluster = x->news_cluster;
        x->news.cluster_at = x->now;
    }
    x->news.pulse = x->pulse;
}

static void done_exchange(struct teller_job *job, void *context)
{
    (void)context;
    struct exchange *x = (struct exchange *)job;
    x->under_way = false;
    if (job->result < 0) {
        // What this exchange carried may or may not be there: join anew, which says everything again.
        x->joined = false;
        // A lock or a slow disk may be over in a moment; until then nobody knows what the store says of modes.
        x->news.failed = job->err.kind != ERROR_TIMEOUT;
        if (x->join && teller_available(x->teller))
            log_warning("%s", job->err.text);
        x->settings = store_settings_free(x->settings);
        x->cluster = store_cluster_free(x->cluster);
        return;
    }
    x->news.failed = false;
    exchange_rows_arrived(&x->rows, x->now);
    x->reported = x->rows.host;
    x->joined = !x->joined || x->timeline == x->pulse.timeline;
    x->timeline = x->pulse.timeline;
    take_news(x);
    x->on_news(x->user, &x->news);
}

struct exchange *exchange_new(struct teller *teller, const struct settings *settings, const char *host_name,
                              exchange_news_fn *on_news, void *user, struct error *err)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x)
        x->arena = arena_new(256 << 10);
    if (!x || !x->arena || exchange_rows_init(&x->rows) < 0) {
        error_set(err, ERROR_MEMORY, "no memory");
        return exchange_free(x);
    }
    x->teller = teller;
    x->configured = settings;
    snprintf(x->host_name, sizeof x->host_name, "%s", host_name);
    x->on_news = on_news;
    x->user = user;
    x->job.run = run_exchange;
    x->job.done = done_exchange;
    return x;
}

struct exchange *exchange_free(struct exchange *x)
{
    if (!x)
        return NULL;
    store_settings_free(x->news_settings);
    store_cluster_free(x->news_cluster);
    exchange_rows_clear(&x->rows);
    arena_free(x->arena);
    free(x);
    return NULL;
}

bool exchange_tick(struct exchange *x, struct guests *guests, struct journal *journal,
                   const struct exchange_host *host, bool want_cluster, bool full, struct mono now)
{
    if (x->under_way)
        return false;
    arena_reset(x->arena);
    exchange_rows_choose(&x->rows, guests, host, !x->joined, now);
    // Settings may have changed since the last time.
    settings_host_address(x->configured, x->host_name, x->address, sizeof x->address);
    bool host_changed = !x->joined || exchange_rows_host_changed(&x->rows, &x->reported);
    bool heartbeat = now.ms - x->sent_at.ms >= x->configured->heartbeat_s * 1000;
    if (x->joined && !host_changed && !heartbeat && !want_cluster && x->rows.n == 0 && x->rows.n_gone == 0 &&
        journal->n == 0)
        return false;
    x->now = now;
    x->sent_at = now;
    x->join = !x->joined;
    x->host_changed = host_changed || heartbeat;
    exchange_rows_write_host(&x->rows, x->configured, x->host_name, x->address, guests, host, x->arena,
                             &x->host);
    x->vms = exchange_rows_write_vms(&x->rows, guests, x->arena, now);
    x->n_vms = x->rows.n;
    x->gone = (const char **)x->rows.gone;
    x->n_gone = x->rows.n_gone;
    x->n_notes = journal_take(journal, x->notes, NOTES_AT_ONCE);
    x->want_cluster = want_cluster || heartbeat || x->join;
    x->full = full;
    x->under_way = true;
    teller_submit(x->teller, &x->job);
    return true;
}

const struct exchange_news *exchange_latest(const struct exchange *x)
{
    return &x->news;
}

bool exchange_joined(const struct exchange *x)
{
    return x->joined;
}

struct leave_job {
    struct teller_job job;
    char host_name[256];
};

static int run_leave(struct teller_job *job, struct store *store, struct error *err)
{
    return store_leave(store, ((struct leave_job *)job)->host_name, err);
}

static void done_leave(struct teller_job *job, void *context)
{
    (void)context;
    free(job);
}

void exchange_leave(struct exchange *x)
{
    struct leave_job *leave = x->joined ? calloc(1, sizeof *leave) : NULL;
    if (!leave)
        return;
    memcpy(leave->host_name, x->host_name, sizeof leave->host_name);
    leave->job.run = run_leave;
    leave->job.done = done_leave;
    teller_submit(x->teller, &leave->job);
}
