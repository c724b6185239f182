// Decisions and events, and how long old rows are kept.
#include <stdarg.h>
#include <string.h>

#include "store/sqlite.h"

// Bounds of what is kept: enough to explain last week, small enough to stay some ten MiB.
#define KEEP_EVENTS 20000
#define KEEP_EVENTS_MS (INT64_C(30) * SQLITE_DAY_MS)
#define KEEP_DECISIONS 50000
#define KEEP_DECISIONS_MS (INT64_C(7) * SQLITE_DAY_MS)
#define KEEP_MIGRATIONS 50000
#define KEEP_MIGRATIONS_MS (INT64_C(90) * SQLITE_DAY_MS)
#define KEEP_MOVES_MS SQLITE_DAY_MS // a count of the last hour has decayed to nothing by then
#define PRUNE_EVERY_MS 60000
#define PRUNE_ROWS                                                                                           \
    500 // in one go, so that a heartbeat stays short; agents together drop far more than they add

int sqlite_event(struct sqlite_store *s, enum store_severity severity, const char *kind, const char *host,
                 const char *vm_uuid, const char *vm_name, struct error *err, const char *format, ...)
{
    char text[STORE_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return sqlite_run(s, err,
                      "INSERT INTO events (at, severity, kind, host, vm_uuid, vm_name, text)"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                      "iittttt", s->now_ms, (int64_t)severity, kind, host, vm_uuid, vm_name, text);
}

int sqlite_append_event(struct store *store, const struct store_event *e, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    return sqlite_event(s, e->severity, e->kind, e->host, e->vm_uuid, e->vm_name, err, "%s", e->text);
}

int sqlite_read_events(struct store *store, const struct store_event_filter *f, struct store_events *result,
                       struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    int64_t limit = f->limit ? f->limit : 100;
    struct arena *arena = result->arena;
    result->at = arena_new_array(arena, struct store_event, (size_t)limit);
    sqlite3_stmt *q =
        sqlite_start(s, err,
                     "SELECT id, at, severity, kind, host, vm_uuid, vm_name, text FROM events"
                     " WHERE (?1 IS NULL OR host = ?1) AND (?2 IS NULL OR vm_uuid = ?2)"
                     " AND severity >= ?3 AND id > ?4 ORDER BY id DESC LIMIT ?5",
                     "ttiii", f->host, f->vm_uuid, (int64_t)f->least, (int64_t)f->after_id, limit);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1)
        result->at[result->n++] = (struct store_event){
            .id = (uint64_t)sqlite3_column_int64(q, 0),
            .at = sqlite_wall(s, sqlite3_column_int64(q, 1)),
            .age_ms = s->now_ms - sqlite3_column_int64(q, 1),
            .severity = (enum store_severity)sqlite3_column_int(q, 2),
            .kind = sqlite_text(q, 3, arena),
            .host = sqlite_text(q, 4, arena),
            .vm_uuid = sqlite_text(q, 5, arena),
            .vm_name = sqlite_text(q, 6, arena),
            .text = sqlite_text(q, 7, arena),
        };
    for (size_t i = 0; i < result->n / 2; i++) { // read newest first for the limit, given oldest first
        struct store_event swap = result->at[i];
        result->at[i] = result->at[result->n - 1 - i];
        result->at[result->n - 1 - i] = swap;
    }
    return rc;
}

static int append_decision(struct sqlite_store *s, const struct store_decision *d, struct error *err)
{
    const char *uuid = d->vm_uuid ? d->vm_uuid : "", *name = d->vm_name ? d->vm_name : "";
    if (sqlite_run(
            s, err,
            "UPDATE decisions SET last_at = ?5, times = times + 1, reason = substr(?6, 1, ?9),"
            " detail = substr(?7, 1, ?10), acted = ?8"
            " WHERE id = (SELECT max(id) FROM decisions WHERE vm_uuid = ?1 AND host = ?2 AND loop = ?3)"
            " AND verdict = ?4 AND acted = ?8",
            "ttitittiii", uuid, d->host, (int64_t)d->loop, d->verdict, s->now_ms, d->reason, d->detail,
            (int64_t)d->acted, (int64_t)STORE_TEXT_BYTES, (int64_t)STORE_DETAIL_BYTES) < 0)
        return -1;
    if (sqlite3_changes(s->db) > 0)
        return 0;
    return sqlite_run(
        s, err,
        "INSERT INTO decisions (loop, host, vm_uuid, vm_name, verdict, reason, detail, acted, first_at,"
        " last_at, times) VALUES (?1, ?2, ?3, ?4, ?5, substr(?6, 1, ?10), substr(?7, 1, ?11), ?8, ?9,"
        " ?9, 1)",
        "itttttti"
        "iii",
        (int64_t)d->loop, d->host, uuid, name, d->verdict, d->reason, d->detail, (int64_t)d->acted, s->now_ms,
        (int64_t)STORE_TEXT_BYTES, (int64_t)STORE_DETAIL_BYTES);
}

int sqlite_append_decisions(struct store *store, const struct store_decision *decisions, size_t n,
                            struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = append_decision(sqlite_of(store), &decisions[i], err);
    return rc;
}

int sqlite_read_decisions(struct store *store, const struct store_decision_filter *f,
                          struct store_decisions *result, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    int64_t limit = f->limit ? f->limit : 100;
    struct arena *arena = result->arena;
    result->at = arena_new_array(arena, struct store_decision, (size_t)limit);
    sqlite3_stmt *q =
        sqlite_start(s, err,
                     "SELECT id, loop, host, nullif(vm_uuid, ''), nullif(vm_name, ''), verdict, reason,"
                     " detail, acted, first_at, last_at, times FROM decisions"
                     " WHERE (?1 IS NULL OR host = ?1) AND (?2 IS NULL OR vm_uuid = ?2) AND id > ?3 AND (NOT "
                     "?5 OR vm_uuid = '')"
                     " ORDER BY last_at DESC, id DESC LIMIT ?4",
                     "ttiii", f->host, f->vm_uuid, (int64_t)f->after_id, limit, (int64_t)f->of_host);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1)
        result->at[result->n++] = (struct store_decision){
            .id = (uint64_t)sqlite3_column_int64(q, 0),
            .loop = (enum store_loop)sqlite3_column_int(q, 1),
            .host = sqlite_text(q, 2, arena),
            .vm_uuid = sqlite_text(q, 3, arena),
            .vm_name = sqlite_text(q, 4, arena),
            .verdict = sqlite_text(q, 5, arena),
            .reason = sqlite_text(q, 6, arena),
            .detail = sqlite_lines(q, 7, arena),
            .acted = sqlite3_column_int(q, 8) != 0,
            .first_age_ms = s->now_ms - sqlite3_column_int64(q, 9),
            .last_age_ms = s->now_ms - sqlite3_column_int64(q, 10),
            .times = (uint32_t)sqlite3_column_int(q, 11),
        };
    return rc;
}

int sqlite_prune(struct sqlite_store *s, struct error *err)
{
    if (s->now_ms - s->pruned_at_ms < PRUNE_EVERY_MS)
        return 0;
    s->pruned_at_ms = s->now_ms;
    if (sqlite_meta_set(s, "clock_floor_ms", s->now_ms, err) < 0 ||
        sqlite_run(s, err,
                   "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ?1"
                   " OR id <= (SELECT max(id) FROM events) - ?2 ORDER BY id LIMIT ?3)",
                   "iii", s->now_ms - KEEP_EVENTS_MS, (int64_t)KEEP_EVENTS, (int64_t)PRUNE_ROWS) < 0 ||
        sqlite_run(s, err,
                   "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions WHERE last_at < ?1"
                   " OR id <= (SELECT max(id) FROM decisions) - ?2 ORDER BY id LIMIT ?3)",
                   "iii", s->now_ms - KEEP_DECISIONS_MS, (int64_t)KEEP_DECISIONS, (int64_t)PRUNE_ROWS) < 0 ||
        sqlite_run(s, err,
                   "DELETE FROM migrations WHERE id IN (SELECT id FROM migrations WHERE ended_at < ?1"
                   " OR (ended_at IS NOT NULL AND id <= (SELECT max(id) FROM migrations) - ?2) ORDER BY id "
                   "LIMIT ?3)",
                   "iii", s->now_ms - KEEP_MIGRATIONS_MS, (int64_t)KEEP_MIGRATIONS, (int64_t)PRUNE_ROWS) < 0)
        return -1;
    return sqlite_run(s, err, "DELETE FROM vm_moves WHERE last_at < ?1", "i", s->now_ms - KEEP_MOVES_MS);
}
