// Hosts and VMs as tables of columns: the statements that write and read them are made from these rows, so
// that a new figure is one line here and one in a schema step. A reader of an older schema leaves out the
// columns that it does not have yet; they read as zero or NULL.
#include <math.h>
#include <string.h>

#include "store/sqlite.h"

#define HOST(type, field)                                                                                    \
    {                                                                                                        \
#field, type, offsetof(struct store_host, field), 1                                                  \
    }
#define VM(type, field)                                                                                      \
    {                                                                                                        \
#field, type, offsetof(struct store_vm, field), 1                                                    \
    }

const struct column host_columns[] = {
    HOST(COLUMN_TEXT, name),
    HOST(COLUMN_TEXT, address),
    HOST(COLUMN_TEXT, migration_uri),
    HOST(COLUMN_TEXT, zone),
    HOST(COLUMN_TEXT, provides),
    HOST(COLUMN_TEXT, agent_version),
    HOST(COLUMN_INT, state),
    HOST(COLUMN_INT, mode),
    HOST(COLUMN_BOOL, closed),
    HOST(COLUMN_TEXT, closed_why),
    HOST(COLUMN_DOUBLE, cpu_cores),
    HOST(COLUMN_DOUBLE, mem_mib),
    HOST(COLUMN_DOUBLE, mem_reserved_mib),
    HOST(COLUMN_DOUBLE, net_mib_s),
    HOST(COLUMN_DOUBLE, threads_per_core),
    HOST(COLUMN_DOUBLE, core_speed),
    HOST(COLUMN_DOUBLE, cpu_used_cores),
    HOST(COLUMN_DOUBLE, cpu_demand_cores),
    HOST(COLUMN_DOUBLE, cpu_unmet_cores),
    HOST(COLUMN_DOUBLE, mem_used_mib),
    HOST(COLUMN_DOUBLE, mem_current_mib),
    HOST(COLUMN_DOUBLE, mem_unmet_mib),
    HOST(COLUMN_DOUBLE, mem_available_mib),
    HOST(COLUMN_DOUBLE, swap_used_mib),
    HOST(COLUMN_DOUBLE, psi_cpu_permille),
    HOST(COLUMN_DOUBLE, psi_memory_permille),
    HOST(COLUMN_INT, memory_state),
    HOST(COLUMN_INT, n_vms),
};
const size_t n_host_columns = sizeof host_columns / sizeof *host_columns;

const struct column vm_columns[] = {
    VM(COLUMN_TEXT, uuid),
    VM(COLUMN_TEXT, name),
    VM(COLUMN_TEXT, host),
    VM(COLUMN_INT, state),
    VM(COLUMN_INT, mode),
    {"is_excluded", COLUMN_BOOL, offsetof(struct store_vm, excluded), 1},
    VM(COLUMN_BOOL, movable),
    VM(COLUMN_TEXT, movable_why),
    VM(COLUMN_TEXT, balloon_why),
    VM(COLUMN_TEXT, owner),
    VM(COLUMN_TEXT, needs),
    {"rules", COLUMN_TEXT, offsetof(struct store_vm, rules), 2},
    VM(COLUMN_INT, vcpus),
    VM(COLUMN_DOUBLE, mem_mib),
    VM(COLUMN_DOUBLE, mem_current_mib),
    VM(COLUMN_DOUBLE, mem_used_mib),
    VM(COLUMN_DOUBLE, mem_actual_mib),
    VM(COLUMN_DOUBLE, mem_overhead_mib),
    VM(COLUMN_DOUBLE, mem_sd_mib),
    VM(COLUMN_DOUBLE, cpu_demand_cores),
    VM(COLUMN_DOUBLE, cpu_used_cores),
    VM(COLUMN_DOUBLE, cpu_sd_cores),
    VM(COLUMN_DOUBLE, cpu_entitlement_cores),
    VM(COLUMN_DOUBLE, mem_entitlement_mib),
    VM(COLUMN_DOUBLE, cpu_unmet_cores),
    VM(COLUMN_DOUBLE, mem_unmet_mib),
    VM(COLUMN_DOUBLE, s_cpu),
    VM(COLUMN_DOUBLE, s_mem),
    VM(COLUMN_INT, shares),
    VM(COLUMN_INT, cpu_shares),
    VM(COLUMN_INT, mem_shares),
    VM(COLUMN_DOUBLE, cpu_reservation_cores),
    VM(COLUMN_DOUBLE, cpu_limit_cores),
    VM(COLUMN_DOUBLE, mem_reservation_mib),
    VM(COLUMN_DOUBLE, mem_limit_mib),
    VM(COLUMN_DOUBLE, dirty_mib_s),
    VM(COLUMN_DOUBLE, local_disk_mib),
    VM(COLUMN_DOUBLE, swap_in_mib_s),
    VM(COLUMN_DOUBLE, mem_target_mib),
    VM(COLUMN_TEXT, why),
};
const size_t n_vm_columns = sizeof vm_columns / sizeof *vm_columns;

// "INSERT INTO TABLE (a, b, TAIL) VALUES (?1, ...) ON CONFLICT (KEY) DO UPDATE SET a = excluded.a, ... CONDITION"
static char *make_upsert(const struct column *columns, size_t n, const char *table, const char *key,
                         const char *const *tail, size_t n_tail, const char *condition)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fprintf(f, "INSERT INTO %s (", table);
    for (size_t i = 0; i < n + n_tail; i++)
        fprintf(f, "%s%s", i ? ", " : "", i < n ? columns[i].name : tail[i - n]);
    fprintf(f, ") VALUES (");
    for (size_t i = 0; i < n + n_tail; i++)
        fprintf(f, "%s?%zu", i ? ", " : "", i + 1);
    fprintf(f, ") ON CONFLICT (%s) DO UPDATE SET ", key);
    for (size_t i = 0; i < n + n_tail; i++) {
        const char *name = i < n ? columns[i].name : tail[i - n];
        fprintf(f, "%s%s = excluded.%s", i ? ", " : "", name, name);
    }
    fprintf(f, " %s", condition);
    return fclose(f) == 0 ? text : NULL;
}

static char *make_select(const struct sqlite_store *s, const struct column *columns, size_t n,
                         const char *prefix, const char *rest)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fprintf(f, "SELECT ");
    for (size_t i = 0; i < n; i++)
        if (columns[i].since <= s->schema_version)
            fprintf(f, "%s.%s, ", prefix, columns[i].name);
    fprintf(f, "%s", rest);
    return fclose(f) == 0 ? text : NULL;
}

int sqlite_columns_open(struct sqlite_store *s, struct error *err)
{
    static const char *const host_tail[] = {"reported_at", "heartbeat_at", "has_left"};
    static const char *const vm_tail[] = {"reported_at"};
    s->upsert_host = make_upsert(host_columns, n_host_columns, "hosts", "name", host_tail, 3, "");
    // The parameter after the last column: whether to take the VM over from another host.
    char condition[64];
    snprintf(condition, sizeof condition, "WHERE vms.host = excluded.host OR ?%zu", n_vm_columns + 2);
    s->upsert_vm = make_upsert(vm_columns, n_vm_columns, "vms", "uuid", vm_tail, 1, condition);
    s->select_host = make_select(s, host_columns, n_host_columns, "h",
                                 "h.reported_at, h.heartbeat_at, h.has_left FROM hosts h ORDER BY h.name");
    s->select_vm = make_select(s, vm_columns, n_vm_columns, "v",
                               "v.reported_at, k.count_1h, k.count_at, k.last_from, k.last_at,"
                               " CASE WHEN ?2 THEN y.summary END"
                               " FROM vms v LEFT JOIN vm_moves k ON k.uuid = v.uuid"
                               " LEFT JOIN vm_history y ON ?2 AND y.uuid = v.uuid"
                               " WHERE ?1 IS NULL OR v.host = ?1 ORDER BY v.name, v.uuid");
    if (!s->upsert_host || !s->upsert_vm || !s->select_host || !s->select_vm)
        return error_set(err, ERROR_MEMORY, "store \"%s\": no memory", s->path);
    return 0;
}

int sqlite_columns_bind(struct sqlite_store *s, sqlite3_stmt *statement, const struct column *columns,
                        size_t n, const void *row, int first, struct error *err)
{
    const char *who = *(const char *const *)((const char *)row + columns[0].offset);
    for (size_t i = 0; i < n; i++) {
        const void *field = (const char *)row + columns[i].offset;
        int code = SQLITE_OK, at = first + (int)i;
        switch (columns[i].type) {
        case COLUMN_TEXT:
            code = sqlite3_bind_text(statement, at, *(const char *const *)field, -1, SQLITE_STATIC);
            break;
        case COLUMN_DOUBLE:
            if (!isfinite(*(const double *)field))
                return error_set(err, ERROR_INPUT, "report of \"%s\": %s is not a finite number", who,
                                 columns[i].name);
            code = sqlite3_bind_double(statement, at, *(const double *)field);
            break;
        case COLUMN_INT:
            code = sqlite3_bind_int(statement, at, *(const int *)field);
            break;
        case COLUMN_BOOL:
            code = sqlite3_bind_int(statement, at, *(const bool *)field);
            break;
        }
        if (code != SQLITE_OK)
            return sqlite_error(s, code, err);
    }
    return first + (int)n;
}

int sqlite_columns_read(const struct sqlite_store *s, sqlite3_stmt *statement, const struct column *columns,
                        size_t n, void *row, int first, struct arena *arena)
{
    for (size_t i = 0; i < n; i++) {
        if (columns[i].since > s->schema_version)
            continue;
        void *field = (char *)row + columns[i].offset;
        switch (columns[i].type) {
        case COLUMN_TEXT:
            *(const char **)field = sqlite_text(statement, first, arena);
            break;
        case COLUMN_DOUBLE:
            *(double *)field = sqlite3_column_double(statement, first);
            break;
        case COLUMN_INT:
            *(int *)field = sqlite3_column_int(statement, first);
            break;
        case COLUMN_BOOL:
            *(bool *)field = sqlite3_column_int(statement, first) != 0;
            break;
        }
        first++;
    }
    return first;
}
