#include "agent/driver.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/driver_state.h"
#include "base/clock.h"
#include "base/log.h"

// Listing the domains anew, though events tell of them: a lost event is forgiven after this time.
#define DOMAINS_MS 60000

// Half-life of the host's own CPU use, which libvirt, the kernel and emulators need beside the vCPUs.
#define OTHER_HALF_LIFE_S 20.0

// ---- when to sample -----------------------------------------------------------------------------------

static bool is_urgent(const struct driver *d)
{
    bool memory = d->memory_stepped && d->memory_out.urgent;
    return memory || d->last_verdict != IMMEDIATE_CALM || mover_count(d->mover) > 0;
}

static void plan_next(struct driver *d)
{
    int64_t wait = is_urgent(d) ? d->settings->period_pressure_ms : DRIVER_LOOK_MS;
    if (d->memory_stepped && d->memory_out.next_step_ms < wait)
        wait = d->memory_out.next_step_ms;
    if (wait < 100)
        wait = 100;
    uv_timer_start(&d->timer, driver_on_timer, (uint64_t)wait, 0);
}

static unsigned groups_due(const struct driver *d, struct mono now)
{
    unsigned groups = HOST_GROUP_MEMORY | HOST_GROUP_CPU;
    int64_t period = is_urgent(d) ? d->settings->period_pressure_ms : d->settings->period_calm_ms;
    // A round that comes a little early does it too, rather than one period late.
    if (!d->first_sample_seen || now.ms - d->balloon_at.ms >= period - 50)
        groups |= HOST_GROUP_BALLOON;
    if (!d->first_sample_seen || now.ms - d->domains_at.ms >= DOMAINS_MS)
        groups |= HOST_GROUP_DOMAINS;
    return groups;
}

static void on_sample(void *user, const struct host_sample *sample, const struct error *error);

static void start_sample(struct driver *d, unsigned groups)
{
    struct error err = {0};
    if (d->host->ops->sample(d->host, groups, on_sample, d, &err) < 0) {
        log_debug("sample: %s", err.text);
        plan_next(d);
        return;
    }
    d->sampling = true;
}

void driver_sample_now(struct driver *d, unsigned groups)
{
    d->again_groups |= groups;
    if (d->sampling) {
        d->again = true;
        return;
    }
    if (!d->closing)
        uv_timer_start(&d->timer, driver_on_timer, 0, 0);
}

void driver_on_timer(uv_timer_t *timer)
{
    struct driver *d = timer->data;
    d->now = clock_mono();
    mover_tick(d->mover, d->now);
    if (d->sampling)
        return; // its end plans the next
    unsigned groups = groups_due(d, d->now) | d->again_groups;
    d->again_groups = 0;
    start_sample(d, groups);
}

// ---- a sample -----------------------------------------------------------------------------------------

static void measure_host_cpu(struct driver *d)
{
    const struct host_cpu *cpu = &d->sample->cpu;
    d->cpu_is_new = false;
    if (!(d->sample->groups & HOST_GROUP_CPU))
        return;
    double s = mono_seconds_between(d->busy_at, d->sample->taken_at);
    if (d->busy_at.ms > 0 && s < GUESTS_CPU_INTERVAL_MIN_MS / 1000.0)
        return;
    if (d->busy_at.ms > 0 && host_known(cpu->busy_ns) && cpu->busy_ns >= d->busy_ns) {
        d->used_cores = (double)(cpu->busy_ns - d->busy_ns) / 1e9 / s;
        double vms = 0;
        for (size_t i = 0; i < d->guests.n; i++)
            if (d->guests.at[i]->present)
                vms += d->guests.at[i]->demand.delivered_cores;
        double other = fmax(0, d->used_cores - vms), keep = exp2(-s / OTHER_HALF_LIFE_S);
        d->other_cores = keep * d->other_cores + (1 - keep) * other;
        d->cpu_is_new = true;
    }
    d->busy_at = d->sample->taken_at;
    d->busy_ns = cpu->busy_ns;
}

static void watch_connection(struct driver *d)
{
    bool starting = !d->first_sample_seen && d->now.ms - d->started_at.ms < DRIVER_CONNECT_PATIENCE_MS;
    if (d->sample->connected == d->connected || (!d->sample->connected && starting))
        return;
    d->connected = d->sample->connected;
    if (!d->connected && !d->told_lost) {
        log_warning("libvirt does not answer: %s. Nothing is ballooned or moved until it is back",
                    *d->sample->trouble ? d->sample->trouble : "connection lost");
        journal_event(&d->journal, STORE_WARNING, "libvirt-lost", NULL, NULL, "libvirt does not answer");
        d->told_lost = true;
    } else if (d->connected && d->told_lost) {
        log_notice("libvirt is back");
        journal_event(&d->journal, STORE_INFO, "libvirt-back", NULL, NULL, "libvirt is back");
        d->told_lost = false;
    }
}

static void tell_overflow(struct driver *d)
{
    if (d->guests.overflow > 0 && d->told_overflow == 0) {
        log_warning("%u VMs beyond the %d that one host can have here are left alone", d->guests.overflow,
                    GUESTS_MAX);
        journal_event(&d->journal, STORE_WARNING, "too-many-vms", NULL, NULL,
                      "%u VMs beyond %d are neither ballooned, moved nor reported", d->guests.overflow,
                      GUESTS_MAX);
    }
    d->told_overflow = d->guests.overflow;
}

// What the owner wrote into a VM's metadata and nobody understands is said once, or he would believe that it holds.
static void tell_problems(struct driver *d)
{
    for (size_t i = 0; i < d->guests.n; i++) {
        struct guest *g = d->guests.at[i];
        if (!g->vm || !*g->vm->facts->wishes.problem || g->told_generation == g->vm->facts_generation)
            continue;
        g->told_generation = g->vm->facts_generation;
        log_warning("VM %s: metadata: %s", g->name, g->vm->facts->wishes.problem);
        journal_event(&d->journal, STORE_WARNING, "metadata-not-understood", g->uuid_text, g->name, "%s",
                      g->vm->facts->wishes.problem);
    }
}

// The mode in force here: the file's, narrowed by what the store says of cluster and host.
static void settle_mode(struct driver *d)
{
    const struct exchange_news *news = exchange_latest(d->exchange);
    const struct store_settings *rows = news->settings;
    bool is_short = d->memory_stepped && d->memory_out.state >= MEMORY_HARD;
    int64_t patience_ms = is_short ? DRIVER_SETTINGS_WAIT_SHORT_MS : DRIVER_SETTINGS_WAIT_MS;
    if (!d->mode_known)
        d->mode_known = rows || news->failed || d->now.ms - d->started_at.ms >= patience_ms;
    enum agent_mode mode = terms_host_mode((enum agent_mode)d->settings->mode, d->host_name, rows);
    if (mode != d->mode)
        log_notice("mode is %s%s", agent_mode_name(mode),
                   mode < (enum agent_mode)d->settings->mode ? " (narrowed by a setting in the store)" : "");
    d->mode = mode;
    bool maintenance = terms_maintenance(d->host_name, rows);
    if (maintenance != d->maintenance)
        log_notice("%s",
                   maintenance ? "in maintenance: takes no VM and is emptied" : "no longer in maintenance");
    d->maintenance = maintenance;
    guests_resolve_terms(&d->guests, rows, mode);
}

static void exchange_what_is_due(struct driver *d)
{
    struct exchange_host host = {.sample = d->sample,
                                 .memory = d->memory_stepped ? &d->memory_out : NULL,
                                 .mode = d->mode,
                                 .maintenance = d->maintenance,
                                 .cpu_used_cores = d->used_cores};
    if (!d->connected) {
        host.closed = true;
        host.closed_why = "its libvirt does not answer";
    } else if (d->guests.overflow > 0) {
        host.closed = true;
        host.closed_why = "it has more VMs than ballastd looks after";
    } else if (d->memory_stepped && d->memory_out.state >= MEMORY_HARD) {
        host.closed = true;
        host.closed_why = "short of memory";
    } else if (d->memory_stepped && d->memory_out.refuse_auto) {
        host.closed = true;
        host.closed_why = "its guests may grow by more than it has";
    }
    bool full = d->want_full;
    if (exchange_tick(d->exchange, &d->guests, &d->journal, &host, d->want_cluster, full, d->now))
        d->asked_full = full;
}

static void on_sample(void *user, const struct host_sample *sample, const struct error *error)
{
    struct driver *d = user;
    d->sampling = false;
    if (d->closing)
        return;
    d->now = clock_mono();
    if (!sample) {
        log_debug("sample: %s", error->text);
        plan_next(d);
        return;
    }
    d->sample = sample;
    d->rounds++;
    if (sample->groups & HOST_GROUP_BALLOON)
        d->balloon_at = sample->taken_at;
    if (sample->groups & HOST_GROUP_DOMAINS)
        d->domains_at = sample->taken_at;
    watch_connection(d);
    guests_update(&d->guests, sample, (double)d->settings->headroom_permille / 1000.0, !d->first_sample_seen);
    d->first_sample_seen = d->first_sample_seen || sample->connected;
    tell_overflow(d);
    tell_problems(d);
    settle_mode(d);
    driver_memory(d);
    measure_host_cpu(d);
    driver_weights(d);
    driver_balance(d);
    exchange_what_is_due(d);
    if (d->again) {
        d->again = false;
        uv_timer_start(&d->timer, driver_on_timer, 0, 0);
    } else if (!uv_is_active((uv_handle_t *)&d->timer) || d->again_groups == 0) {
        plan_next(d);
    }
}

void driver_on_event(void *user, const struct host_event *event)
{
    struct driver *d = user;
    if (d->closing)
        return;
    mover_event(d->mover, event);
    switch (event->kind) {
    case HOST_EVENT_CONNECTED:
        driver_sample_now(d, HOST_GROUP_DOMAINS | HOST_GROUP_BALLOON);
        return;
    case HOST_EVENT_STARTED:
    case HOST_EVENT_STOPPED:
    case HOST_EVENT_MIGRATED_AWAY:
    case HOST_EVENT_LOST:
    case HOST_EVENT_RESUMED:
    case HOST_EVENT_CHANGED:
    case HOST_EVENT_PRESSURE:
        driver_sample_now(d, 0);
        return;
    case HOST_EVENT_PAUSED:
    case HOST_EVENT_BALLOON:
    case HOST_EVENT_MIGRATION_ROUND:
    case HOST_EVENT_MIGRATION_PROGRESS:
    case HOST_EVENT_JOB_COMPLETED:
        return;
    }
}

void driver_on_news(void *user, const struct exchange_news *news)
{
    struct driver *d = user;
    if (d->closing)
        return;
    if (news->new_cluster)
        driver_cluster(d, news);
}

// On the teller's thread: the only call of libuv that may be made from there.
void driver_wake(void *context)
{
    struct driver *d = context;
    uv_async_send(&d->store_answered);
}

void driver_on_store_answered(uv_async_t *async)
{
    struct driver *d = async->data;
    if (d->teller)
        teller_collect(d->teller);
}
