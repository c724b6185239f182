// Presence and reports: join, report, heartbeat, leave, remove.
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "store/setting_keys.h"
#include "store/sqlite.h"

static int check_vm(const struct store_vm *vm, struct error *err)
{
    if (!vm->uuid || !*vm->uuid || !vm->name || !*vm->name)
        return error_set(err, ERROR_INPUT, "report: a VM without UUID or name");
    if (strlen(vm->name) > SNAPSHOT_NAME_BYTES)
        return error_set(err, ERROR_INPUT, "report of VM %s: its name is longer than %d bytes", vm->uuid,
                         SNAPSHOT_NAME_BYTES);
    if (vm->vcpus < 1 || vm->shares < 1 || vm->cpu_shares < 1 || vm->mem_shares < 1 || !(vm->mem_mib > 0))
        return error_set(err, ERROR_INPUT, "report of VM \"%s\": vcpus, shares and mem_mib must be above 0",
                         vm->name);
    if (vm->history_bytes > STORE_HISTORY_BYTES)
        return error_set(err, ERROR_INPUT, "report of VM \"%s\": history of %u bytes, at most %d", vm->name,
                         vm->history_bytes, STORE_HISTORY_BYTES);
    return 0;
}

static int write_host(struct sqlite_store *s, const struct store_host *host, struct error *err)
{
    if (!(host->cpu_cores > 0) || !(host->mem_mib > 0))
        return error_set(err, ERROR_INPUT, "report of host \"%s\": cpu_cores and mem_mib must be above 0",
                         host->name);
    sqlite3_stmt *q = sqlite_start(s, err, s->upsert_host, "");
    if (!q)
        return -1;
    int next = sqlite_columns_bind(s, q, host_columns, n_host_columns, host, 1, err);
    if (next < 0)
        return -1;
    sqlite3_bind_int64(q, next, s->now_ms);
    sqlite3_bind_int64(q, next + 1, s->now_ms);
    sqlite3_bind_int64(q, next + 2, 0);
    return sqlite_step(s, q, err);
}

static int write_vm(struct sqlite_store *s, const char *host, const struct store_vm *vm, bool take_over,
                    struct error *err)
{
    if (check_vm(vm, err) < 0)
        return -1;
    if (vm->state == STORE_VM_INCOMING)
        return 0; // it still belongs to its source; the claim holds its room here
    struct store_vm row = *vm;
    // Its owner chose the name; what is kept can be shown, and be a name in a snapshot.
    char name[SNAPSHOT_NAME_BYTES + 1];
    snprintf(name, sizeof name, "%s", vm->name);
    text_make_safe(name, 0);
    row.name = name;
    row.host = host;
    sqlite3_stmt *q = sqlite_start(s, err, s->upsert_vm, "");
    if (!q)
        return -1;
    int next = sqlite_columns_bind(s, q, vm_columns, n_vm_columns, &row, 1, err);
    if (next < 0)
        return -1;
    sqlite3_bind_int64(q, next, s->now_ms);
    sqlite3_bind_int(q, next + 1, take_over);
    if (sqlite_step(s, q, err) < 0)
        return -1;
    if (!vm->history || sqlite3_changes(s->db) == 0)
        return 0;
    return sqlite_run(s, err,
                      "INSERT INTO vm_history VALUES (?1, ?2)"
                      " ON CONFLICT (uuid) DO UPDATE SET summary = excluded.summary",
                      "tb", vm->uuid, vm->history, (int)vm->history_bytes);
}

static int drop_vm(struct sqlite_store *s, const char *host, const char *uuid, struct error *err)
{
    if (sqlite_run(s, err, "DELETE FROM vms WHERE uuid = ?1 AND host = ?2", "tt", uuid, host) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return 0;
    return sqlite_run(s, err, "DELETE FROM vm_history WHERE uuid = ?1", "t", uuid);
}

// Rows of this host that the transaction's join did not write.
static int drop_unreported(struct sqlite_store *s, const char *host, struct error *err)
{
    if (sqlite_run(s, err,
                   "DELETE FROM vm_history WHERE uuid IN"
                   " (SELECT uuid FROM vms WHERE host = ?1 AND reported_at < 0)",
                   "t", host) < 0)
        return -1;
    return sqlite_run(s, err, "DELETE FROM vms WHERE host = ?1 AND reported_at < 0", "t", host);
}

int sqlite_join(struct store *store, const struct store_host *host, const struct store_vm *vms, size_t n_vms,
                struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    double silent_ms = 0;
    if (sqlite_number(
            s, -1, &silent_ms, err,
            "SELECT CASE WHEN has_left THEN -1 ELSE ?2 - heartbeat_at END FROM hosts WHERE name = ?1", "ti",
            host->name, s->now_ms) < 0)
        return -1;
    // Marked first; what is written loses the mark.
    if (sqlite_run(s, err, "UPDATE vms SET reported_at = -1 WHERE host = ?1", "t", host->name) < 0 ||
        write_host(s, host, err) < 0)
        return -1;
    for (size_t i = 0; i < n_vms; i++)
        if (write_vm(s, host->name, &vms[i], true, err) < 0)
            return -1;
    if (drop_unreported(s, host->name, err) < 0)
        return -1;
    if (silent_ms >= 0 && silent_ms < STORE_DOWN_AFTER_MS)
        return 0; // it was there all the time: a reconnection, no news
    return sqlite_event(s, STORE_INFO, "host-joined", host->name, NULL, NULL, err,
                        "joined with %zu VMs, %g cores and %.0f MiB, mode %s", n_vms, host->cpu_cores,
                        host->mem_mib, store_mode_name(host->mode));
}

// Notes that the host is alive; ERROR_MISSING when it never joined or has left.
static int beat(struct sqlite_store *s, const char *host, struct error *err)
{
    if (sqlite_run(s, err, "UPDATE hosts SET heartbeat_at = ?2 WHERE name = ?1 AND NOT has_left", "ti", host,
                   s->now_ms) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return error_set(err, ERROR_MISSING, "store \"%s\": host \"%s\" has not joined", s->path, host);
    return 0;
}

int sqlite_report(struct store *store, const struct store_report *r, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    if (beat(s, r->host, err) < 0)
        return -1;
    if (r->row && write_host(s, r->row, err) < 0)
        return -1;
    for (size_t i = 0; i < r->n_vms; i++)
        if (write_vm(s, r->host, &r->vms[i], r->vms[i].appeared, err) < 0)
            return -1;
    for (size_t i = 0; i < r->n_gone; i++)
        if (drop_vm(s, r->host, r->gone[i], err) < 0)
            return -1;
    return 0;
}

int sqlite_heartbeat(struct store *store, const char *host, struct store_pulse *pulse, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    int64_t generation = 0;
    double orders = 0;
    if (beat(s, host, err) < 0 || sqlite_expire(s, err) < 0 || sqlite_prune(s, err) < 0 ||
        sqlite_meta_get(s, "settings_generation", 0, &generation, err) < 0 ||
        sqlite_is_planning(s, &pulse->planning, err) < 0 ||
        sqlite_number(s, 0, &orders, err, "SELECT count(*) FROM migrations WHERE state = 1 AND source = ?1",
                      "t", host) < 0)
        return -1;
    pulse->settings_generation = (uint64_t)generation;
    pulse->timeline = s->timeline;
    pulse->orders = (uint32_t)orders;
    return 0;
}

int sqlite_leave(struct store *store, const char *host, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    int rc = sqlite_run(s, err, "UPDATE hosts SET has_left = 1 WHERE name = ?1 AND NOT has_left", "t", host);
    if (rc < 0 || sqlite3_changes(s->db) == 0)
        return rc;
    return sqlite_event(s, STORE_INFO, "host-left", host, NULL, NULL, err,
                        "its agent stopped; VMs go on running, no longer managed");
}

int sqlite_remove_host(struct store *store, const char *host, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    if (sqlite_run(s, err, "DELETE FROM hosts WHERE name = ?1", "t", host) < 0)
        return -1;
    if (sqlite3_changes(s->db) == 0)
        return error_set(err, ERROR_MISSING, "store \"%s\": no host \"%s\"", s->path, host);
    if (sqlite_run(s, err, "DELETE FROM vm_history WHERE uuid IN (SELECT uuid FROM vms WHERE host = ?1)", "t",
                   host) < 0 ||
        sqlite_run(s, err, "DELETE FROM vms WHERE host = ?1", "t", host) < 0 ||
        sqlite_run(s, err, "DELETE FROM settings WHERE scope = ?1 AND object = ?2", "it",
                   (int64_t)STORE_SCOPE_HOST, host) < 0 ||
        sqlite_run(s, err,
                   "UPDATE migrations SET state = CASE WHEN state IN (0, 1) THEN 7 ELSE 6 END, ended_at = ?2,"
                   " text = 'host removed by the operator'"
                   " WHERE state IN (0, 1, 2, 3, 8) AND (source = ?1 OR destination = ?1)",
                   "ti", host, s->now_ms) < 0)
        return -1;
    return sqlite_event(s, STORE_WARNING, "host-removed", host, NULL, NULL, err,
                        "removed by the operator; its open migrations count as failed");
}

int sqlite_vm_name(struct sqlite_store *s, const char *uuid, char ret_name[static SNAPSHOT_NAME_BYTES + 1],
                   struct error *err)
{
    sqlite3_stmt *q = sqlite_start(s, err, "SELECT name FROM vms WHERE uuid = ?1", "t", uuid);
    int rc = q ? sqlite_step(s, q, err) : -1;
    if (rc == 1) {
        snprintf(ret_name, SNAPSHOT_NAME_BYTES + 1, "%s", (const char *)sqlite3_column_text(q, 0));
        sqlite3_reset(q);
    }
    return rc;
}
