// The libvirt back-end: opening, closing, the table of functions.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/libvirt_internal.h"

static unsigned or_default(unsigned value, unsigned otherwise)
{
    return value ? value : otherwise;
}

static int copy_text(char *to, size_t size, const char *from, const char *otherwise, const char *what,
                     struct error *err)
{
    const char *text = from ? from : otherwise;
    if (strlen(text) >= size)
        return error_set(err, ERROR_INPUT, "%s is longer than %zu characters", what, size - 1);
    memcpy(to, text, strlen(text) + 1);
    return 0;
}

static int take_settings(struct lv_host *host, const struct host_settings *settings, struct error *err)
{
    host->settings = settings ? *settings : (struct host_settings){0};
    struct host_settings *s = &host->settings;
    if (copy_text(host->uri, sizeof host->uri, s->uri, "qemu:///system", "the libvirt URI", err) < 0 ||
        copy_text(host->proc_root, sizeof host->proc_root, s->proc_root, "/proc", "proc_root", err) < 0 ||
        copy_text(host->cgroup_root, sizeof host->cgroup_root, s->cgroup_root, "/sys/fs/cgroup",
                  "cgroup_root", err) < 0 ||
        copy_text(host->run_dir, sizeof host->run_dir, s->run_dir, "/run/libvirt/qemu", "run_dir", err) < 0 ||
        copy_text(host->capacity_group, sizeof host->capacity_group, s->capacity_cgroup, "",
                  "capacity_cgroup", err) < 0)
        return -1;
    if (!(s->fixed_cpu_cores >= 0))
        return error_set(err, ERROR_INPUT, "a fixed number of cores must not be negative");
    s->call_deadline_ms = or_default(s->call_deadline_ms, 5000);
    s->open_deadline_ms = or_default(s->open_deadline_ms, 5000);
    s->max_abandoned = or_default(s->max_abandoned, 6);
    s->reconnect_max_ms = or_default(s->reconnect_max_ms, 1000);
    s->facts_refresh_s = or_default(s->facts_refresh_s, 300);
    s->learn_interval_s = or_default(s->learn_interval_s, 600);
    return 0;
}

static void on_wake(uv_async_t *wake)
{
    struct lv_host *host = wake->data;
    struct lv_message *message = lv_mailbox_take(host->mailbox);
    while (message) {
        struct lv_message *next = message->next;
        if (!host->closing)
            lv_events_handle(host, message);
        lv_message_free(message);
        message = next;
    }
}

static void on_stalled(void *user)
{
    struct lv_host *host = user;
    if (!host->closing)
        host->on_event(host->user, &(struct host_event){.kind = HOST_EVENT_PRESSURE});
}

// Without it looks at their period are all there is: no reason to say anything.
static void watch_pressure(struct lv_host *host)
{
    struct cgroup_capacity limits;
    cgroup_read_capacity(&host->tree, host->capacity_group[0] ? host->capacity_group : NULL, &limits);
    char path[CGROUP_PATH_SIZE + 160];
    pressure_path(host->proc_root, &host->tree, &limits, path, sizeof path);
    struct error ignored = {0};
    pressure_watch_start(&host->pressure, host->loop, path, on_stalled, host, &ignored);
    if (host->pressure.fd >= 0)
        host->handles_open++;
}

static struct host *lv_open(struct uv_loop_s *loop, const struct host_settings *settings,
                            host_event_fn on_event, void *user, struct error *err)
{
    if (lv_events_start(err) < 0)
        return NULL;
    struct lv_host *host = calloc(1, sizeof *host);
    if (!host || take_settings(host, settings, err) < 0) {
        if (!host)
            error_set(err, ERROR_MEMORY, "no memory for a host");
        free(host);
        return NULL;
    }
    host->host.ops = &host_libvirt;
    host->loop = loop;
    host->on_event = on_event;
    host->user = user;
    host->bulk_deadline_ms = 1000;
    host->backoff_ms = 100;
    host->arena = arena_new(0);
    host->mailbox = lv_mailbox_new(&host->wake);
    if (!host->arena || !host->mailbox) {
        arena_free(host->arena);
        free(host);
        error_set(err, ERROR_MEMORY, "no memory for a host");
        return NULL;
    }
    cgroup_detect(host->cgroup_root, &host->tree);
    uv_async_init(loop, &host->wake, on_wake);
    uv_timer_init(loop, &host->retry);
    uv_timer_init(loop, &host->progress);
    host->wake.data = host->retry.data = host->progress.data = host;
    host->handles_open = 3;
    watch_pressure(host);
    host->lost_at_ms = lv_now_ms(host);
    lv_connect(host);
    return &host->host;
}

static void handle_closed(struct lv_host *host)
{
    if (--host->handles_open > 0)
        return;
    void (*closed)(void *) = host->closed;
    void *user = host->closed_user;
    arena_free(host->arena);
    free(host);
    if (closed)
        closed(user);
}

static void on_handle_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void on_pressure_closed(uv_handle_t *handle)
{
    const struct pressure_watch *watch = handle->data;
    handle_closed(watch->user);
}

// Told in the loop's next turn: callbacks never come from within a call.
static void on_close_turn(uv_timer_t *timer)
{
    struct lv_host *host = timer->data;
    lv_round_stop(host);
    lv_migrations_stop(host);
    lv_jobs_orphan(host);
    lv_mailbox_close(host->mailbox);
    lv_vms_free(host);
    lv_connection_discard(host->connection);
    lv_mailbox_release(host->mailbox);
    uv_close((uv_handle_t *)&host->wake, on_handle_closed);
    uv_close((uv_handle_t *)&host->retry, on_handle_closed);
    uv_close((uv_handle_t *)&host->progress, on_handle_closed);
    if (host->pressure.fd >= 0)
        pressure_watch_close(&host->pressure, on_pressure_closed);
}

static void lv_close(struct host *handle, void (*done)(void *user), void *user)
{
    struct lv_host *host = lv_of(handle);
    host->closing = true;
    host->closed = done;
    host->closed_user = user;
    uv_timer_stop(&host->progress);
    uv_timer_start(&host->retry, on_close_turn, 0, 0);
}

const struct host_ops host_libvirt = {
    .name = "libvirt",
    .open = lv_open,
    .close = lv_close,
    .sample = lv_sample,
    .set_balloon = lv_set_balloon,
    .set_stats_period = lv_set_stats_period,
    .set_cpu_weight = lv_set_cpu_weight,
    .measure_dirty = lv_measure_dirty,
    .migrate = lv_migrate,
    .abort_migration = lv_abort_migration,
    .presence = lv_presence,
};
