// The schema of the SQLite store and its migrations.
//
// PRAGMA application_id says that the file is ours, user_version which schema it has. steps[] is the whole
// history: step i brings version i to i + 1. A writer applies what is missing, in one transaction each; a
// reader takes the file as it is. Steps only add (tables, columns with defaults), so that programs of the
// version before go on reading and writing; a step that cannot keep this promise raises the meta row
// "readable_by", the oldest version that may still use the file.
#include <string.h>

#include "store/sqlite.h"

static const char *const steps[] = {
    // 0 -> 1
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE hosts ("
    " name TEXT PRIMARY KEY, address TEXT, migration_uri TEXT, zone TEXT, provides TEXT, agent_version TEXT,"
    " state INTEGER NOT NULL, mode INTEGER NOT NULL, closed INTEGER NOT NULL, closed_why TEXT,"
    " cpu_cores REAL NOT NULL, mem_mib REAL NOT NULL, mem_reserved_mib REAL NOT NULL, net_mib_s REAL NOT "
    "NULL,"
    " threads_per_core REAL NOT NULL, core_speed REAL NOT NULL,"
    " cpu_used_cores REAL NOT NULL, cpu_demand_cores REAL NOT NULL, cpu_unmet_cores REAL NOT NULL,"
    " mem_used_mib REAL NOT NULL, mem_current_mib REAL NOT NULL, mem_unmet_mib REAL NOT NULL,"
    " mem_available_mib REAL NOT NULL, swap_used_mib REAL NOT NULL,"
    " psi_cpu_permille REAL NOT NULL, psi_memory_permille REAL NOT NULL, memory_state INTEGER NOT NULL,"
    " n_vms INTEGER NOT NULL,"
    " reported_at INTEGER NOT NULL, heartbeat_at INTEGER NOT NULL, has_left INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE vms ("
    " uuid TEXT PRIMARY KEY, name TEXT NOT NULL, host TEXT NOT NULL,"
    " state INTEGER NOT NULL, mode INTEGER NOT NULL, is_excluded INTEGER NOT NULL, movable INTEGER NOT NULL,"
    " movable_why TEXT, balloon_why TEXT, owner TEXT, needs TEXT, vcpus INTEGER NOT NULL,"
    " mem_mib REAL NOT NULL, mem_current_mib REAL NOT NULL, mem_used_mib REAL NOT NULL,"
    " mem_actual_mib REAL NOT NULL, mem_overhead_mib REAL NOT NULL, mem_sd_mib REAL NOT NULL,"
    " cpu_demand_cores REAL NOT NULL, cpu_used_cores REAL NOT NULL, cpu_sd_cores REAL NOT NULL,"
    " cpu_entitlement_cores REAL NOT NULL, mem_entitlement_mib REAL NOT NULL,"
    " cpu_unmet_cores REAL NOT NULL, mem_unmet_mib REAL NOT NULL, s_cpu REAL NOT NULL, s_mem REAL NOT NULL,"
    " shares INTEGER NOT NULL, cpu_shares INTEGER NOT NULL, mem_shares INTEGER NOT NULL,"
    " cpu_reservation_cores REAL NOT NULL, cpu_limit_cores REAL NOT NULL,"
    " mem_reservation_mib REAL NOT NULL, mem_limit_mib REAL NOT NULL,"
    " dirty_mib_s REAL NOT NULL, local_disk_mib REAL NOT NULL, swap_in_mib_s REAL NOT NULL,"
    " mem_target_mib REAL NOT NULL, why TEXT, reported_at INTEGER NOT NULL);"
    "CREATE INDEX vms_of_host ON vms (host);"
    "CREATE TABLE vm_history (uuid TEXT PRIMARY KEY, summary BLOB NOT NULL);"
    // What a VM's migrations left behind; outlives the VM's row, which moves and may be reported anew.
    "CREATE TABLE vm_moves (uuid TEXT PRIMARY KEY, count_1h REAL NOT NULL, count_at INTEGER NOT NULL,"
    " last_from TEXT, last_at INTEGER NOT NULL);"
    "CREATE TABLE migrations ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, state INTEGER NOT NULL, vm_uuid TEXT NOT NULL, vm_name TEXT NOT "
    "NULL,"
    " source TEXT NOT NULL, destination TEXT NOT NULL, origin INTEGER NOT NULL,"
    " mem_needed_mib REAL NOT NULL, cpu_needed_cores REAL NOT NULL, cpu_ceiling_cores REAL NOT NULL,"
    " benefit_lost_vm_s REAL NOT NULL, cost_lost_vm_s REAL NOT NULL, expected_s REAL NOT NULL,"
    " reason TEXT, text TEXT, approved_by TEXT, after_id INTEGER NOT NULL DEFAULT 0,"
    " epoch_timeline INTEGER NOT NULL DEFAULT 0, epoch_counter INTEGER NOT NULL DEFAULT 0,"
    " created_at INTEGER NOT NULL, claimed_at INTEGER, started_at INTEGER, ended_at INTEGER,"
    " expires_at INTEGER NOT NULL,"
    " transferred_mib REAL NOT NULL DEFAULT 0, remaining_mib REAL NOT NULL DEFAULT 0,"
    " rate_mib_s REAL NOT NULL DEFAULT 0, dirty_mib_s REAL NOT NULL DEFAULT 0,"
    " duration_s REAL NOT NULL DEFAULT 0, downtime_ms REAL NOT NULL DEFAULT 0);"
    // States 2, 3 and 8 are claimed, running and unknown. The unique index is a second lock on the door.
    "CREATE UNIQUE INDEX migrations_open ON migrations (vm_uuid) WHERE state IN (2, 3, 8);"
    "CREATE INDEX migrations_live ON migrations (state) WHERE state IN (0, 1, 2, 3, 8);"
    "CREATE INDEX migrations_ended ON migrations (ended_at);"
    "CREATE INDEX migrations_claimed ON migrations (claimed_at);"
    "CREATE INDEX migrations_of_vm ON migrations (vm_uuid);"
    "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, counter INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL, planning_since INTEGER);"
    "CREATE TABLE settings (scope INTEGER NOT NULL, object TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT "
    "NULL,"
    " changed_at INTEGER NOT NULL, PRIMARY KEY (scope, object, key)) WITHOUT ROWID;"
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT, loop INTEGER NOT NULL, host TEXT NOT NULL,"
    " vm_uuid TEXT NOT NULL, vm_name TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT,"
    " acted INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, times INTEGER NOT NULL);"
    "CREATE INDEX decisions_latest ON decisions (vm_uuid, host, loop, id);"
    "CREATE INDEX decisions_by_age ON decisions (last_at);"
    "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, severity INTEGER NOT "
    "NULL,"
    " kind TEXT NOT NULL, host TEXT, vm_uuid TEXT, vm_name TEXT, text TEXT NOT NULL);"
    "CREATE INDEX events_by_age ON events (at);",
    // 1 -> 2
    "ALTER TABLE vms ADD COLUMN rules TEXT;",
};

int sqlite_schema_newest(void)
{
    return (int)(sizeof steps / sizeof *steps);
}

static int number(sqlite3 *db, const char *sql, int *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            *ret_number = sqlite3_column_int(statement, 0);
            code = SQLITE_OK;
        } else if (code == SQLITE_DONE) {
            code = SQLITE_NOTFOUND;
        }
    }
    sqlite3_finalize(statement);
    return code;
}

// Applies the steps after `from` up to `to`; within the caller's transaction.
static int apply(sqlite3 *db, int from, int to)
{
    for (int version = from; version < to && version < sqlite_schema_newest(); version++) {
        int code = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
        if (code != SQLITE_OK)
            return code;
        char pragma[48];
        snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", version + 1);
        code = sqlite3_exec(db, pragma, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            return code;
    }
    return SQLITE_OK;
}

int sqlite_schema_create(sqlite3 *db, int version)
{
    char sql[160];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d", SQLITE_APPLICATION_ID);
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = apply(db, 0, version);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db,
                            "INSERT INTO meta VALUES ('readable_by', 1);"
                            "INSERT INTO meta VALUES ('timeline', abs(random() / 2) + 1);"
                            "COMMIT",
                            NULL, NULL, NULL);
    return code;
}

// The version that the file has now; refuses what is not ours or too new.
static int look(struct sqlite_store *s, int *ret_version, struct error *err)
{
    int id = 0, version = 0, readable_by = 0;
    int code = number(s->db, "PRAGMA application_id", &id);
    if (code == SQLITE_OK)
        code = number(s->db, "PRAGMA user_version", &version);
    if (code != SQLITE_OK)
        return sqlite_error(s, code, err);
    if (id != SQLITE_APPLICATION_ID || version < 1)
        return error_set(err, ERROR_LOST,
                         "store \"%s\": an SQLite file, but not a ballast store; left as it is. Name another "
                         "file, or move this one away",
                         s->path);
    code = number(s->db, "SELECT value FROM meta WHERE key = 'readable_by'", &readable_by);
    if (code == SQLITE_NOTFOUND)
        code = SQLITE_CORRUPT;
    if (code != SQLITE_OK)
        return sqlite_error(s, code, err);
    if (readable_by > sqlite_schema_newest())
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": has schema %d, which needs a ballast that knows schema %d; this one knows %d. "
            "Install the newer version on this host too",
            s->path, version, readable_by, sqlite_schema_newest());
    *ret_version = version;
    return 0;
}

int sqlite_schema_open(struct sqlite_store *s, struct error *err)
{
    int version = 0;
    if (look(s, &version, err) < 0)
        return -1;
    if (!s->read_only && version < sqlite_schema_newest()) {
        // Look again under the lock: another agent may have done it meanwhile.
        int code = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (code != SQLITE_OK)
            return sqlite_error(s, code, err);
        int rc = look(s, &version, err);
        if (rc == 0 && version < sqlite_schema_newest()) {
            code = apply(s->db, version, sqlite_schema_newest());
            rc = code == SQLITE_OK ? 0 : sqlite_error(s, code, err);
        }
        if (rc == 0) {
            code = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
            rc = code == SQLITE_OK ? 0 : sqlite_error(s, code, err);
        }
        if (rc < 0) {
            if (!sqlite3_get_autocommit(s->db))
                sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
            return error_context(err, "bring the schema from version %d to %d", version,
                                 sqlite_schema_newest());
        }
        version = sqlite_schema_newest();
    }
    s->schema_version = version;
    return 0;
}
