#include "agent/service.h"

#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "agent/driver.h"
#include "agent/notify.h"
#include "agent/protect.h"
#include "base/clock.h"
#include "base/log.h"

#define STATUS_PERIOD_MS 5000

struct service {
    uv_loop_t loop;
    uv_signal_t hup, term, interrupt;
    uv_timer_t status;
    uv_timer_t watchdog;
    struct driver *driver;
    struct settings *settings;
    const char *config;
    bool config_must_exist;
    bool ending;
    bool settled; // the start is over
};

static void log_problem(void *context, const char *text)
{
    (void)context;
    log_warning("%s", text);
}

// Takes the new file whole or keeps the old settings.
static void reload(struct service *s)
{
    struct settings next;
    struct error err = {0};
    notify_reloading();
    if (settings_read(s->config, &next, log_problem, NULL, &err) < 0) {
        if (err.kind == ERROR_MISSING && !s->config_must_exist) {
            settings_defaults(&next);
        } else {
            log_error("settings are not changed: %s", err.text);
            notify_ready();
            return;
        }
    }
    settings_reload(s->settings, &next, log_problem, NULL);
    log_set_level((enum log_level)(s->settings->log_level + LOG_LEVEL_ERROR));
    driver_reconfigured(s->driver);
    log_notice("settings read again from %s", s->config);
    notify_ready();
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_driver_closed(void *user)
{
    struct service *s = user;
    s->driver = NULL;
    close_handle((uv_handle_t *)&s->hup);
    close_handle((uv_handle_t *)&s->term);
    close_handle((uv_handle_t *)&s->interrupt);
    close_handle((uv_handle_t *)&s->watchdog);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct service *s = handle->data;
    if (s->ending) {
        if (signum != SIGHUP)
            _exit(1); // asked twice: no more politeness
        return;
    }
    if (signum == SIGHUP) {
        reload(s);
        return;
    }
    s->ending = true;
    log_notice("ending; migrations under way go on and are taken up again at the next start");
    notify_stopping();
    close_handle((uv_handle_t *)&s->status);
    driver_close(s->driver, on_driver_closed, s);
}

static void on_status(uv_timer_t *timer)
{
    struct service *s = timer->data;
    char text[256];
    if (!s->settled)
        protect_settle();
    s->settled = true;
    driver_status(s->driver, text, sizeof text);
    notify_status("%s", text);
    log_debug("%s; resident %ld KiB, CPU %.0f ms, %llu rounds", text, protect_resident_kib(), clock_cpu_ms(),
              (unsigned long long)driver_rounds(s->driver));
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_alive();
}

static void watch_signal(struct service *s, uv_signal_t *handle, int signum)
{
    uv_signal_init(&s->loop, handle);
    handle->data = s;
    uv_signal_start(handle, on_signal, signum);
}

int service_run(const char *config, bool must_exist, struct settings *settings, const char *host_name,
                const struct host_ops *host_ops)
{
    struct service s = {.settings = settings, .config = config, .config_must_exist = must_exist};
    struct error err = {0};
    signal(SIGPIPE, SIG_IGN); // libvirt's sockets
    uv_loop_init(&s.loop);
    struct driver_options options = {.host_ops = host_ops, .host_name = host_name};
    s.driver = driver_new(&s.loop, settings, &options, &err);
    if (!s.driver) {
        log_error("%s", err.text);
        return 1;
    }
    watch_signal(&s, &s.hup, SIGHUP);
    watch_signal(&s, &s.term, SIGTERM);
    watch_signal(&s, &s.interrupt, SIGINT);
    uv_timer_init(&s.loop, &s.status);
    uv_timer_init(&s.loop, &s.watchdog);
    s.status.data = s.watchdog.data = &s;
    uv_timer_start(&s.status, on_status, STATUS_PERIOD_MS, STATUS_PERIOD_MS);
    int64_t watchdog_ms = notify_watchdog_period_ms();
    if (watchdog_ms > 0)
        uv_timer_start(&s.watchdog, on_watchdog, 0, (uint64_t)watchdog_ms);
    notify_ready();
    log_notice("ballastd " BALLAST_VERSION " on host %s: mode %s, store %s", host_name,
               agent_mode_name((enum agent_mode)settings->mode), settings->store);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    uv_loop_close(&s.loop);
    return 0;
}
