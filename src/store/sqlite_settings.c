// Settings of the cluster, of hosts and of VMs.
#include <string.h>

#include "store/setting_keys.h"
#include "store/sqlite.h"

int sqlite_setting(struct sqlite_store *s, enum store_scope scope, const char *object, const char *key,
                   double fallback, double *ret_number, struct error *err)
{
    sqlite3_stmt *q =
        sqlite_start(s, err, "SELECT value FROM settings WHERE scope = ?1 AND object = ?2 AND key = ?3",
                     "itt", (int64_t)scope, object, key);
    int rc = q ? sqlite_step(s, q, err) : -1;
    if (rc < 0)
        return -1;
    *ret_number = fallback;
    if (rc == 1) {
        // A value that a newer version wrote and this one does not know counts as unset.
        double number;
        if (store_key_parse(scope, key, (const char *)sqlite3_column_text(q, 0), &number, NULL) == 0)
            *ret_number = number;
        sqlite3_reset(q);
    }
    return 0;
}

int sqlite_set(struct store *store, enum store_scope scope, const char *object, const char *key,
               const char *value, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    if (value &&
        sqlite_run(s, err,
                   "INSERT INTO settings VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (scope, object, key)"
                   " DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at",
                   "ittti", (int64_t)scope, object, key, value, s->now_ms) < 0)
        return -1;
    if (!value && sqlite_run(s, err, "DELETE FROM settings WHERE scope = ?1 AND object = ?2 AND key = ?3",
                             "itt", (int64_t)scope, object, key) < 0)
        return -1;
    int64_t generation = 0;
    if (sqlite_meta_get(s, "settings_generation", 0, &generation, err) < 0 ||
        sqlite_meta_set(s, "settings_generation", generation + 1, err) < 0)
        return -1;
    bool vm = scope == STORE_SCOPE_VM;
    char name[SNAPSHOT_NAME_BYTES + 1] = "";
    if (vm && sqlite_vm_name(s, object, name, err) < 0)
        return -1;
    return sqlite_event(s, STORE_INFO, "setting", scope == STORE_SCOPE_HOST ? object : NULL,
                        vm ? object : NULL, *name ? name : NULL, err, "%s %s %s", key,
                        value ? "set to" : "no longer set", value ? value : "");
}

int sqlite_read_settings(struct store *store, const char *host, struct store_settings *result,
                         struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    struct arena *arena = result->arena;
    int64_t generation = 0;
    double n = 0;
    if (sqlite_number(s, 0, &n, err, "SELECT count(*) FROM settings", "") < 0 ||
        sqlite_meta_get(s, "settings_generation", 0, &generation, err) < 0)
        return -1;
    result->at = arena_new_array(arena, struct store_setting, (size_t)n);
    result->generation = (uint64_t)generation;
    sqlite3_stmt *q = sqlite_start(
        s, err,
        "SELECT scope, object, key, value, changed_at FROM settings WHERE ?1 IS NULL OR scope = 0"
        " OR (scope = 1 AND object = ?1)"
        " OR (scope = 2 AND object IN (SELECT uuid FROM vms WHERE host = ?1))"
        " ORDER BY scope, object, key",
        "t", host);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1)
        result->at[result->n++] = (struct store_setting){
            .scope = (enum store_scope)sqlite3_column_int(q, 0),
            .object = sqlite_text(q, 1, arena),
            .key = sqlite_text(q, 2, arena),
            .value = sqlite_text(q, 3, arena),
            .age_ms = s->now_ms - sqlite3_column_int64(q, 4),
        };
    return rc;
}
