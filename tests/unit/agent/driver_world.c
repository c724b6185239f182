#include "../test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver_world.h"

#include "base/log.h"

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    log_set_level(LOG_LEVEL_ERROR);
    strcpy(w->directory, "/tmp/ballast-test-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    settings_defaults(&w->settings);
    w->settings.mode = AGENT_MODE_AUTO;
    w->settings.period_pressure_ms = 200;
    w->settings.period_calm_ms = 200;
    w->settings.heartbeat_s = 1;
    w->settings.mem_reserved_mib = 0;
    snprintf(w->settings.store, sizeof w->settings.store, "%s/store.db", w->directory);
    assert_int_equal(uv_loop_init(&w->loop), 0);
}

void world_open_store(struct world *w)
{
    struct error err = {0};
    if (store_open(w->settings.store, NULL, &w->store, &err) < 0)
        fail_msg("%s", err.text);
}

void world_start(struct world *w)
{
    struct error err = {0};
    static const struct host_settings host_settings = {.call_deadline_ms = 500};
    struct driver_options options = {
        .host_ops = &host_fake, .host_settings = &host_settings, .host_name = "h1"};
    w->driver = driver_new(&w->loop, &w->settings, &options, &err);
    if (!w->driver)
        fail_msg("%s", err.text);
    w->host = driver_host(w->driver);
    *host_fake_memory(w->host) = (struct host_memory){.total_kib = 1024 << 10, .available_kib = 800 << 10};
    *host_fake_cpu(w->host) = (struct host_cpu){.capacity_cores = 2, .threads = 2, .threads_per_core = 1};
}

static void on_stopped(void *user)
{
    *(bool *)user = true;
}

void world_stop(struct world *w)
{
    bool stopped = false;
    driver_close(w->driver, on_stopped, &stopped);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(stopped);
    w->driver = NULL;
}

void world_free(struct world *w)
{
    if (w->driver)
        world_stop(w);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    store_close(w->store);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", w->directory);
    assert_int_equal(system(command), 0);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

bool world_until(struct world *w, bool (*holds)(struct world *), int ms)
{
    uv_timer_t tick;
    bool closed = false, held = false;
    uv_timer_init(&w->loop, &tick);
    tick.data = &closed;
    uv_timer_start(&tick, on_tick, 10, 10);
    uv_update_time(&w->loop);
    for (uint64_t end = uv_now(&w->loop) + (uint64_t)ms; uv_now(&w->loop) < end && !held;) {
        uv_run(&w->loop, UV_RUN_ONCE);
        held = holds && holds(w);
    }
    uv_close((uv_handle_t *)&tick, on_closed);
    while (!closed)
        uv_run(&w->loop, UV_RUN_NOWAIT);
    return held;
}

void world_for(struct world *w, int ms)
{
    world_until(w, NULL, ms);
}

size_t world_calls(struct world *w, enum host_fake_call call, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < host_fake_n_records(w->host); i++) {
        const struct host_fake_record *r = host_fake_record_at(w->host, i);
        n += r->call == call && (!name || strcmp(r->name, name) == 0);
    }
    return n;
}

struct host_fake_vm *world_guest(struct world *w, const char *name, unsigned used_mib, unsigned actual_mib)
{
    struct host_fake_vm *g = host_fake_add_vm(w->host, name, 256 << 10, 1);
    assert_non_null(g);
    g->vm.actual_kib = actual_mib << 10;
    g->vm.resident = (struct host_resident){.known = true, .anon_kib = actual_mib << 10};
    g->vm.balloon.unused_kib = g->vm.balloon.usable_kib = (256 - used_mib) << 10;
    g->vm.balloon.available_kib = 256 << 10;
    g->vm.balloon.disk_caches_kib = 0;
    g->facts.autodeflate = true;
    g->resident_follows = true;
    return g;
}

void world_available(struct world *w, unsigned mib)
{
    host_fake_memory(w->host)->available_kib = mib << 10;
}

void world_join_other(struct world *w, const char *name, unsigned mem_mib, const struct store_vm *vm)
{
    struct error err = {0};
    char address[64];
    snprintf(address, sizeof address, "test:///%s", name);
    struct store_host other = {.name = name,
                               .address = address,
                               .state = HOST_UP,
                               .mode = STORE_MODE_AUTO,
                               .cpu_cores = 8,
                               .mem_mib = mem_mib,
                               .net_mib_s = 1000,
                               .threads_per_core = 1,
                               .core_speed = 1,
                               .mem_available_mib = mem_mib};
    if (store_join(w->store, &other, vm, vm != NULL, &err) < 0)
        fail_msg("%s", err.text);
}

int world_migration_state(struct world *w)
{
    struct store_migrations *m = NULL;
    struct error err = {0};
    if (store_read_migrations(w->store, &(struct store_migration_filter){0}, &m, &err) < 0)
        fail_msg("%s", err.text);
    int state = m->n > 0 ? (int)m->at[0].state : -1;
    store_migrations_free(m);
    return state;
}
