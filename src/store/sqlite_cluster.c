// Reading the cluster: one read transaction, rows into arrays, and a snapshot made from them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/vector.h"
#include "model/name_index.h"
#include "store/setting_keys.h"
#include "store/sqlite.h"

#define UUID_LENGTH 36
#define CLEAN_INDEX __attribute__((cleanup(name_index_free)))

DEFINE_VECTOR(host_rows, struct store_host);
DEFINE_VECTOR(vm_rows, struct store_vm);
DEFINE_VECTOR(migration_rows, struct store_migration);

// A migration of the last day that was done.
struct past_move {
    const char *vm_uuid, *from;
    int64_t age_ms;
    double dirty_mib_s;
};
DEFINE_VECTOR(past_moves, struct past_move);

struct reading {
    struct sqlite_store *s;
    const struct store_read *what;
    int64_t down_after_ms;
    struct arena *arena;
    struct host_rows hosts;
    struct vm_rows vms;
    struct migration_rows migrations;
    struct past_moves past; // newest first
};

static int no_memory(struct error *err)
{
    return error_set(err, ERROR_MEMORY, "read cluster: no memory");
}

static int read_hosts(struct reading *r, struct error *err)
{
    struct sqlite_store *s = r->s;
    sqlite3_stmt *q = sqlite_start(s, err, s->select_host, "");
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1) {
        struct store_host host = {0};
        int next = sqlite_columns_read(s, q, host_columns, n_host_columns, &host, 0, r->arena);
        host.report_age_ms = s->now_ms - sqlite3_column_int64(q, next);
        host.heartbeat_age_ms = s->now_ms - sqlite3_column_int64(q, next + 1);
        host.alive = !sqlite3_column_int(q, next + 2) && host.heartbeat_age_ms < r->down_after_ms;
        if (host_rows_push(&r->hosts, host) < 0)
            return no_memory(err);
    }
    return rc;
}

static int read_vms(struct reading *r, struct error *err)
{
    struct sqlite_store *s = r->s;
    sqlite3_stmt *q = sqlite_start(s, err, s->select_vm, "ti", r->what->vms_of, (int64_t)r->what->history);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1) {
        struct store_vm vm = {.last_moved_age_ms = -1};
        int next = sqlite_columns_read(s, q, vm_columns, n_vm_columns, &vm, 0, r->arena);
        vm.report_age_ms = s->now_ms - sqlite3_column_int64(q, next);
        if (sqlite3_column_type(q, next + 1) != SQLITE_NULL) {
            double age_ms = (double)(s->now_ms - sqlite3_column_int64(q, next + 2));
            vm.migrations_1h = sqlite3_column_double(q, next + 1) * exp(-age_ms / SQLITE_HOUR_MS);
            vm.last_from = sqlite_text(q, next + 3, r->arena);
            vm.last_moved_age_ms = s->now_ms - sqlite3_column_int64(q, next + 4);
        }
        int bytes = sqlite3_column_bytes(q, next + 5);
        const void *history = sqlite3_column_blob(q, next + 5);
        if (history && bytes > 0) {
            vm.history_bytes = (uint32_t)bytes;
            vm.history = memcpy(arena_alloc(r->arena, 1, (size_t)bytes), history, (size_t)bytes);
        }
        if (vm_rows_push(&r->vms, vm) < 0)
            return no_memory(err);
    }
    return rc;
}

static int read_migrations(struct reading *r, struct error *err)
{
    struct sqlite_store *s = r->s;
    sqlite3_stmt *q = sqlite_start(
        s, err,
        "SELECT " MIGRATION_COLUMNS " FROM migrations m WHERE m.state IN (0, 1, 2, 3, 8) ORDER BY m.id", "");
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1) {
        struct store_migration m;
        sqlite_migration_read(s, q, r->arena, &m);
        bool waits = m.state == STORE_MIGRATION_PROPOSED || m.state == STORE_MIGRATION_ORDERED;
        if (waits && m.expires_in_ms < 0)
            continue; // past, only not written down yet
        if (migration_rows_push(&r->migrations, m) < 0)
            return no_memory(err);
    }
    return rc;
}

static int read_past(struct reading *r, struct error *err)
{
    struct sqlite_store *s = r->s;
    sqlite3_stmt *q = sqlite_start(s, err,
                                   "SELECT vm_uuid, source, ended_at, dirty_mib_s FROM migrations"
                                   " WHERE ended_at > ?1 AND state = 4 ORDER BY ended_at DESC, id DESC",
                                   "i", s->now_ms - SQLITE_DAY_MS);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1) {
        struct past_move past = {.vm_uuid = sqlite_text(q, 0, r->arena),
                                 .from = sqlite_text(q, 1, r->arena),
                                 .age_ms = s->now_ms - sqlite3_column_int64(q, 2),
                                 .dirty_mib_s = sqlite3_column_double(q, 3)};
        if (past_moves_push(&r->past, past) < 0)
            return no_memory(err);
    }
    return rc;
}

static int host_by_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct store_host *)row)->name);
}

static struct store_host *find_host(const struct reading *r, const char *name)
{
    return r->hosts.n ? bsearch(name, r->hosts.at, r->hosts.n, sizeof *r->hosts.at, host_by_name) : NULL;
}

static struct store_vm *find_vm(struct reading *r, struct name_index *by_uuid, const char *uuid)
{
    uint32_t v = name_index_find(by_uuid, uuid);
    return v == NAME_INDEX_NONE ? NULL : &r->vms.at[v];
}

static void enter_past(struct store_vm *vm, const struct past_move *past)
{
    vm->migrations_24h++;
    if (vm->moved_dirty_mib_s <= 0)
        vm->moved_dirty_mib_s = past->dirty_mib_s;
    if (vm->n_left < STORE_LEFT)
        vm->left[vm->n_left++] = (struct store_left){past->from, past->age_ms};
}

// What is on its way, entered in the rows of both hosts and of the VM; what is past, in that of the VM.
static int enter_migrations(struct reading *r, struct error *err)
{
    if (r->migrations.n == 0 && r->past.n == 0)
        return 0;
    CLEAN_INDEX struct name_index by_uuid = {0};
    if (name_index_init(&by_uuid, (uint32_t)r->vms.n) < 0)
        return no_memory(err);
    for (size_t v = 0; v < r->vms.n; v++)
        name_index_add(&by_uuid, r->vms.at[v].uuid, (uint32_t)v);
    for (size_t i = 0; i < r->past.n; i++) {
        struct store_vm *vm = find_vm(r, &by_uuid, r->past.at[i].vm_uuid);
        if (vm)
            enter_past(vm, &r->past.at[i]);
    }
    for (size_t i = 0; i < r->migrations.n; i++) {
        const struct store_migration *m = &r->migrations.at[i];
        if (!store_migration_is_open(m->state))
            continue;
        struct store_vm *vm = find_vm(r, &by_uuid, m->move.vm_uuid);
        struct store_host *from = find_host(r, m->move.from), *to = find_host(r, m->move.to);
        if (vm)
            vm->migration_id = m->id;
        if (from)
            from->migrations_out++;
        if (!to)
            continue;
        to->migrations_in++;
        if (vm && strcmp(vm->host, m->move.to) == 0)
            continue; // arrived: its row counts there
        to->in_flight_mem_mib += m->move.mem_needed_mib;
        to->in_flight_cpu_cores += m->move.cpu_needed_cores;
    }
    return 0;
}

const char *sqlite_lacking(const char *provides, const char *needs, size_t *ret_length)
{
    for (const char *at = needs; *(at += strspn(at, " "));) {
        size_t n = strcspn(at, " ");
        bool found = false;
        for (const char *p = provides; !found && *(p += strspn(p, " "));) {
            size_t m = strcspn(p, " ");
            found = m == n && memcmp(p, at, n) == 0;
            p += m;
        }
        if (!found) {
            *ret_length = n;
            return at;
        }
        at += n;
    }
    return NULL;
}

// cannot_run_on of every VM. A cluster has few kinds of needs, so each kind is compared with the hosts once.
static int fill_incompatible(const struct reading *r, struct snapshot *snapshot, struct error *err)
{
    size_t n_vms = r->vms.n, n_hosts = r->hosts.n;
    CLEAN_INDEX struct name_index kinds = {0};
    if (name_index_init(&kinds, (uint32_t)n_vms) < 0)
        return no_memory(err);
    uint32_t *kind = arena_new_array(r->arena, uint32_t, n_vms);
    uint32_t **list = arena_new_array(r->arena, uint32_t *, n_vms + 1);
    uint32_t *length = arena_new_array(r->arena, uint32_t, n_vms + 1);
    uint32_t *start = arena_new_array(snapshot->arena, uint32_t, n_vms + 1), n_kinds = 0;
    size_t total = 0, unused;
    for (size_t v = 0; v < n_vms; v++) {
        const char *needs = r->vms.at[v].needs ? r->vms.at[v].needs : "";
        uint32_t k = kind[v] = name_index_add(&kinds, needs, n_kinds);
        if (k == n_kinds) {
            list[k] = arena_new_array(r->arena, uint32_t, n_hosts);
            for (uint32_t h = 0; h < n_hosts; h++)
                if (sqlite_lacking(r->hosts.at[h].provides ? r->hosts.at[h].provides : "", needs, &unused))
                    list[k][length[k]++] = h;
            n_kinds++;
        }
        start[v] = (uint32_t)total;
        total += length[k];
    }
    start[n_vms] = (uint32_t)total;
    uint32_t *item = arena_new_array(snapshot->arena, uint32_t, total);
    for (size_t v = 0; v < n_vms; v++)
        if (length[kind[v]])
            memcpy(item + start[v], list[kind[v]], length[kind[v]] * sizeof *item);
    snapshot->vms.cannot_run_on = (struct index_lists){start, item};
    return 0;
}

static double between(double low, double value, double high)
{
    return fmin(fmax(value, low), high);
}

// Of VMs with one name the later ones get their UUID behind it; so does one whose name could be taken for such.
static const char *unique_name(struct arena *arena, const struct store_vm *vm, bool is_taken)
{
    const char *tilde = strrchr(vm->name, '~');
    if (!is_taken && !(tilde && strlen(tilde + 1) == UUID_LENGTH))
        return arena_strdup(arena, vm->name);
    char name[201];
    snprintf(name, sizeof name, "%s", vm->name);
    text_make_safe(name, 0); // it may have been cut within a character
    return arena_printf(arena, "%s~%.54s", name, vm->uuid);
}

// Agents measure one after another, so figures of a row may not fit each other for a moment (used above a
// maximum that was just lowered). The snapshot's ranges hold all the same.
static void fill_vm(const struct reading *r, struct snapshot *snapshot, uint32_t v)
{
    const struct store_vm *vm = &r->vms.at[v];
    struct snapshot_vms *to = &snapshot->vms;
    double cpu_limit = vm->cpu_limit_cores > 0 ? fmin(vm->cpu_limit_cores, vm->vcpus) : vm->vcpus;
    double mem_limit = vm->mem_limit_mib > 0 ? fmin(vm->mem_limit_mib, vm->mem_mib) : vm->mem_mib;
    to->name[v] = unique_name(snapshot->arena, vm, v > 0 && strcmp(vm[-1].name, vm->name) == 0);
    to->vcpus[v] = vm->vcpus;
    to->mem_mib[v] = vm->mem_mib;
    to->cpu_demand_cores[v] = between(0, vm->cpu_demand_cores, vm->vcpus);
    to->mem_used_mib[v] = between(0, vm->mem_used_mib, vm->mem_mib);
    to->mem_current_mib[v] = between(0, vm->mem_current_mib, vm->mem_mib);
    to->mem_actual_mib[v] = fmax(0, vm->mem_actual_mib);
    to->mem_overhead_mib[v] = fmax(0, vm->mem_overhead_mib);
    to->cpu_sd_cores[v] = fmax(0, vm->cpu_sd_cores);
    to->mem_sd_mib[v] = fmax(0, vm->mem_sd_mib);
    to->shares[v] = vm->shares;
    to->cpu_shares[v] = vm->cpu_shares;
    to->mem_shares[v] = vm->mem_shares;
    to->cpu_limit_cores[v] = cpu_limit;
    to->cpu_reservation_cores[v] = between(0, vm->cpu_reservation_cores, cpu_limit);
    to->mem_limit_mib[v] = mem_limit;
    to->mem_reservation_mib[v] = between(0, vm->mem_reservation_mib, mem_limit);
    to->dirty_mib_s[v] = fmax(0, vm->dirty_mib_s);
    to->migrations_1h[v] = vm->migrations_1h;
    to->local_disk_mib[v] = fmax(0, vm->local_disk_mib);
    // What is moving already, or must not be touched, is nothing to plan with.
    to->movable[v] =
        vm->movable && !vm->excluded && !vm->owner && !vm->migration_id && vm->state == STORE_VM_RUNNING;
}

static int fill_hosts(const struct reading *r, struct snapshot *snapshot, struct error *err)
{
    CLEAN_INDEX struct name_index zones = {0};
    uint32_t n_hosts = (uint32_t)r->hosts.n;
    if (name_index_init(&zones, n_hosts) < 0)
        return no_memory(err);
    snapshot->zone_name = arena_new_array(snapshot->arena, const char *, n_hosts);
    snapshot->n_zones = 0; // a new snapshot has one for each host
    for (uint32_t h = 0; h < n_hosts; h++) {
        const struct store_host *host = &r->hosts.at[h];
        struct snapshot_hosts *to = &snapshot->hosts;
        uint32_t zone = snapshot->n_zones;
        to->name[h] = arena_strdup(snapshot->arena, host->name);
        if (host->zone)
            zone = name_index_add(&zones, host->zone, zone);
        if (zone == snapshot->n_zones)
            snapshot->zone_name[snapshot->n_zones++] =
                host->zone ? arena_strdup(snapshot->arena, host->zone) : to->name[h];
        to->zone[h] = zone;
        to->state[h] = host->alive                                       ? host->state
                       : host->state == HOST_STANDBY && host->n_vms == 0 ? HOST_STANDBY
                                                                         : HOST_DOWN;
        to->cpu_cores[h] = host->cpu_cores;
        to->mem_mib[h] = host->mem_mib;
        to->mem_reserved_mib[h] = between(0, host->mem_reserved_mib, host->mem_mib);
        to->net_mib_s[h] = host->net_mib_s > 0 ? host->net_mib_s : SNAPSHOT_NET_MIB_S;
        to->threads_per_core[h] = fmax(1, host->threads_per_core);
        to->core_speed[h] = host->core_speed > 0 ? host->core_speed : 1;
    }
    return 0;
}

static int make_snapshot(const struct reading *r, struct snapshot **ret_snapshot, struct error *err)
{
    struct snapshot *snapshot = *ret_snapshot = snapshot_new((uint32_t)r->hosts.n, (uint32_t)r->vms.n, 0);
    if (!snapshot)
        return no_memory(err);
    if (fill_hosts(r, snapshot, err) < 0 || fill_incompatible(r, snapshot, err) < 0)
        return -1;
    for (uint32_t v = 0; v < r->vms.n; v++) {
        fill_vm(r, snapshot, v);
        snapshot->vms.host[v] = (uint32_t)(find_host(r, r->vms.at[v].host) - r->hosts.at);
        if (snapshot->hosts.state[snapshot->vms.host[v]] == HOST_STANDBY)
            snapshot->hosts.state[snapshot->vms.host[v]] = HOST_DOWN; // it says so, yet VMs are there
    }
    return sqlite_rules_fill(snapshot, r->vms.at, err);
}

static void drop_orphans(struct reading *r)
{
    size_t kept = 0;
    for (size_t v = 0; v < r->vms.n; v++)
        if (find_host(r, r->vms.at[v].host))
            r->vms.at[kept++] = r->vms.at[v];
    r->vms.n = kept;
}

static void *keep(struct arena *arena, const void *rows, size_t n, size_t size)
{
    void *copy = arena_alloc(arena, n, size);
    if (n)
        memcpy(copy, rows, n * size);
    return copy;
}

static int read_all(struct reading *r, struct store_cluster *cluster, struct error *err)
{
    struct sqlite_store *s = r->s;
    int64_t generation = 0;
    double mode = STORE_MODE_AUTO;
    if (read_hosts(r, err) < 0 || read_vms(r, err) < 0 || read_migrations(r, err) < 0 ||
        read_past(r, err) < 0 || sqlite_meta_get(s, "settings_generation", 0, &generation, err) < 0 ||
        sqlite_setting(s, STORE_SCOPE_CLUSTER, "", "mode", mode, &mode, err) < 0 ||
        sqlite_is_planning(s, &cluster->planning, err) < 0)
        return -1;
    cluster->settings_generation = (uint64_t)generation;
    cluster->timeline = s->timeline;
    cluster->mode = (enum store_mode)mode;
    return 0;
}

int sqlite_read_cluster(struct store *store, const struct store_read *what, struct store_cluster *cluster,
                        struct error *err)
{
    struct reading r = {.s = sqlite_of(store),
                        .what = what,
                        .down_after_ms = what->down_after_ms > 0 ? what->down_after_ms : STORE_DOWN_AFTER_MS,
                        .arena = cluster->arena};
    int rc = read_all(&r, cluster, err);
    if (rc == 0) {
        drop_orphans(&r);
        rc = enter_migrations(&r, err);
    }
    if (rc == 0)
        rc = make_snapshot(&r, &cluster->snapshot, err);
    if (rc == 0) {
        cluster->hosts = keep(r.arena, r.hosts.at, r.hosts.n, sizeof *r.hosts.at);
        cluster->vms = keep(r.arena, r.vms.at, r.vms.n, sizeof *r.vms.at);
        cluster->migrations = keep(r.arena, r.migrations.at, r.migrations.n, sizeof *r.migrations.at);
        cluster->n_migrations = r.migrations.n;
    }
    host_rows_free(&r.hosts);
    vm_rows_free(&r.vms);
    migration_rows_free(&r.migrations);
    past_moves_free(&r.past);
    return rc;
}
