// The driver's beginning and end.
#include <stdlib.h>
#include <string.h>

#include "agent/driver_state.h"
#include "base/clock.h"

static void take_memory_settings(struct driver *d)
{
    struct memory_settings m = memory_settings_default();
    m.cache_keep_permille = (uint32_t)d->settings->cache_keep_permille;
    m.floor_kib = (uint64_t)d->settings->floor_mib * 1024;
    m.reserve_kib = (uint64_t)d->settings->reserve_mib * 1024;
    memory_manager_set(d->memory, &m);
}

void driver_reconfigured(struct driver *d)
{
    take_memory_settings(d);
    driver_sample_now(d, 0);
}

static void free_driver(struct driver *d)
{
    exchange_free(d->exchange);
    mover_free(d->mover);
    guests_clear(&d->guests);
    journal_clear(&d->journal);
    memory_feed_clear(&d->memory_feed);
    balance_feed_clear(&d->balance_feed);
    memory_manager_free(d->memory);
    arena_free(d->arena);
    free(d);
}

static struct host_settings settings_of_host(const struct settings *s)
{
    return (struct host_settings){
        .uri = s->libvirt_uri,
        .capacity_cgroup = *s->cgroup ? s->cgroup : NULL,
        .fixed_memory_kib = (uint64_t)s->mem_mib * 1024,
        .fixed_cpu_cores = s->cpu_cores,
        .call_deadline_ms = (unsigned)s->libvirt_deadline_ms,
        .open_deadline_ms = (unsigned)s->libvirt_deadline_ms,
        .stats_period_s = 1,
    };
}

// Everything that can fail for want of memory; what was made is freed by free_driver.
static int make_parts(struct driver *d)
{
    d->memory = memory_manager_new(GUESTS_MAX, NULL);
    d->arena = arena_new(0);
    if (!d->memory || !d->arena || guests_init(&d->guests) < 0 || journal_init(&d->journal) < 0 ||
        memory_feed_init(&d->memory_feed) < 0 || balance_feed_init(&d->balance_feed) < 0)
        return -1;
    d->immediate = immediate_new(d->arena, GUESTS_MAX, BALANCE_HOSTS_MAX,
                                 guests_hash(d->host_name, strlen(d->host_name)));
    return d->immediate ? 0 : -1;
}

struct driver *driver_new(struct uv_loop_s *loop, struct settings *settings,
                          const struct driver_options *options, struct error *err)
{
    struct driver *d = calloc(1, sizeof *d);
    if (d)
        snprintf(d->host_name, sizeof d->host_name, "%s", options->host_name);
    if (!d || make_parts(d) < 0) {
        error_set(err, ERROR_MEMORY, "no memory");
        goto failed;
    }
    d->loop = loop;
    d->settings = settings;
    d->started_at = d->now = clock_mono();
    d->mode = (enum agent_mode)settings->mode;
    d->want_cluster = d->want_full = true;
    d->connected = true; // so that a libvirt that is away from the start is told
    take_memory_settings(d);
    struct host_settings host_settings = settings_of_host(settings);
    d->host = options->host_ops->open(loop, options->host_settings ? options->host_settings : &host_settings,
                                      driver_on_event, d, err);
    if (!d->host)
        goto failed;
    uv_async_init(loop, &d->store_answered, driver_on_store_answered);
    uv_timer_init(loop, &d->timer);
    d->store_answered.data = d->timer.data = d;
    d->teller = teller_new(settings->store, options->store_options, false, driver_wake, d, err);
    d->exchange = d->teller ? exchange_new(d->teller, settings, d->host_name, driver_on_news, d, err) : NULL;
    d->mover =
        d->exchange ? mover_new(d->host, d->teller, settings, d->host_name, driver_move_ended, d, err) : NULL;
    if (!d->mover) {
        driver_close(d, NULL, NULL);
        return NULL;
    }
    uv_timer_start(&d->timer, driver_on_timer, 0, 0);
    return d;
failed:
    if (d)
        free_driver(d);
    return NULL;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct driver *d = handle->data;
    if (--d->handles_open > 0)
        return;
    void (*closed)(void *) = d->closed;
    void *user = d->closed_user;
    free_driver(d);
    if (closed)
        closed(user);
}

static void on_host_closed(void *user)
{
    struct driver *d = user;
    d->host = NULL;
    d->handles_open = 2;
    uv_close((uv_handle_t *)&d->timer, on_handle_closed);
    uv_close((uv_handle_t *)&d->store_answered, on_handle_closed);
}

void driver_close(struct driver *d, void (*done)(void *user), void *user)
{
    d->closing = true;
    d->closed = done;
    d->closed_user = user;
    uv_timer_stop(&d->timer);
    if (d->mover)
        mover_stop(d->mover);
    if (d->exchange)
        exchange_leave(d->exchange);
    d->teller = teller_free(d->teller);
    d->host->ops->close(d->host, on_host_closed, d);
}

void driver_status(const struct driver *d, char *ret_text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < d->guests.n; i++)
        n += d->guests.at[i]->present;
    snprintf(ret_text, size, "%s%s, %zu VMs, memory %s, %zu migrations under way%s%s",
             agent_mode_name(d->mode), d->auto_refused ? " (refused for balloons)" : "", n,
             d->memory_stepped ? memory_state_name(d->memory_out.state) : "not managed",
             d->mover ? mover_count(d->mover) : 0, d->connected ? "" : ", libvirt away",
             d->teller && teller_available(d->teller) ? "" : ", store away");
}

uint64_t driver_rounds(const struct driver *d)
{
    return d->rounds;
}

struct host *driver_host(struct driver *d)
{
    return d->host;
}
