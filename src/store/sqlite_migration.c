// A migration's life outside the claim: proposals and orders, advance, renew, finish, expiry; and reading.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "store/sqlite.h"

DEFINE_CLEANUP(struct arena *, arena_free);

int sqlite_expire(struct sqlite_store *s, struct error *err)
{
    sqlite3_stmt *q = sqlite_start(s, err,
                                   "SELECT id, source, destination, vm_uuid, vm_name FROM migrations"
                                   " WHERE state IN (2, 3) AND expires_at < ?1 LIMIT 100",
                                   "i", s->now_ms);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1)
        if (sqlite_event(
                s, STORE_WARNING, "migration-unknown", (const char *)sqlite3_column_text(q, 1),
                (const char *)sqlite3_column_text(q, 3), (const char *)sqlite3_column_text(q, 4), err,
                "migration %lld to \"%s\" was not renewed in time; its reservation stays until the hosts "
                "have said what became of it",
                (long long)sqlite3_column_int64(q, 0), (const char *)sqlite3_column_text(q, 2)) < 0)
            rc = -1;
    if (rc < 0)
        return -1;
    if (sqlite_run(s, err,
                   "UPDATE migrations SET state = 8 WHERE id IN"
                   " (SELECT id FROM migrations WHERE state IN (2, 3) AND expires_at < ?1 LIMIT 100)",
                   "i", s->now_ms) < 0)
        return -1;
    return sqlite_run(
        s, err,
        "UPDATE migrations SET ended_at = ?1, text = CASE state WHEN 0 THEN 'nobody approved it in time'"
        " ELSE 'nobody carried it out in time' END, state = 7"
        " WHERE state IN (0, 1) AND expires_at < ?1",
        "i", s->now_ms);
}

// The state a migration is in; ERROR_MISSING.
static int state_of(struct sqlite_store *s, uint64_t id, enum store_migration_state *ret_state,
                    struct error *err)
{
    double state = -1;
    if (sqlite_number(s, -1, &state, err, "SELECT state FROM migrations WHERE id = ?1", "i", (int64_t)id) < 0)
        return -1;
    if (state < 0)
        return error_set(err, ERROR_MISSING, "there is no migration %" PRIu64, id);
    *ret_state = (enum store_migration_state)state;
    return 0;
}

static int must_be_open(struct sqlite_store *s, uint64_t id, struct error *err)
{
    enum store_migration_state state;
    if (state_of(s, id, &state, err) < 0)
        return -1;
    if (!store_migration_is_open(state))
        return error_set(err, ERROR_REFUSED, "migration %" PRIu64 " is %s, no longer a claim", id,
                         store_migration_state_name(state));
    return 0;
}

int sqlite_advance(struct store *store, uint64_t id, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    if (must_be_open(s, id, err) < 0)
        return -1;
    return sqlite_run(s, err,
                      "UPDATE migrations SET state = 3, started_at = coalesce(started_at, ?2),"
                      " expires_at = max(expires_at, ?3) WHERE id = ?1",
                      "iii", (int64_t)id, s->now_ms, s->now_ms + SQLITE_CLAIM_MS);
}

int sqlite_renew(struct store *store, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress,
                 struct error *err)
{
    static const struct store_progress none = {0};
    const struct store_progress *p = progress ? progress : &none;
    struct sqlite_store *s = sqlite_of(store);
    if (must_be_open(s, id, err) < 0)
        return -1;
    return sqlite_run(s, err,
                      "UPDATE migrations SET expires_at = ?2,"
                      " state = CASE WHEN state = 8 THEN (CASE WHEN started_at IS NULL THEN 2 ELSE 3 END)"
                      "  ELSE state END,"
                      " transferred_mib = CASE WHEN ?3 THEN ?4 ELSE transferred_mib END,"
                      " remaining_mib = CASE WHEN ?3 THEN ?5 ELSE remaining_mib END,"
                      " rate_mib_s = CASE WHEN ?3 THEN ?6 ELSE rate_mib_s END,"
                      " dirty_mib_s = CASE WHEN ?3 THEN ?7 ELSE dirty_mib_s END WHERE id = ?1",
                      "iiidddd", (int64_t)id, s->now_ms + (lifetime_ms > 0 ? lifetime_ms : SQLITE_CLAIM_MS),
                      (int64_t)(progress != NULL), p->transferred_mib, p->remaining_mib, p->rate_mib_s,
                      p->dirty_mib_s);
}

// The VM's decaying count grows by one and its row follows it.
static int note_move(struct sqlite_store *s, const char *uuid, const char *from, const char *to, bool done,
                     struct error *err)
{
    double count = 0, at = 0;
    if (sqlite_number(s, 0, &count, err, "SELECT count_1h FROM vm_moves WHERE uuid = ?1", "t", uuid) < 0 ||
        sqlite_number(s, 0, &at, err, "SELECT count_at FROM vm_moves WHERE uuid = ?1", "t", uuid) < 0)
        return -1;
    double now = (double)s->now_ms;
    count = count * exp(-(now - at) / SQLITE_HOUR_MS) + 1;
    if (sqlite_run(s, err,
                   "INSERT INTO vm_moves VALUES (?1, ?2, ?3, ?4, ?3) ON CONFLICT (uuid) DO UPDATE SET"
                   " count_1h = excluded.count_1h, count_at = excluded.count_at, last_at = excluded.last_at,"
                   " last_from = coalesce(excluded.last_from, last_from)",
                   "tdit", uuid, count, s->now_ms, done ? from : NULL) < 0)
        return -1;
    if (!done)
        return 0;
    return sqlite_run(s, err, "UPDATE vms SET host = ?3 WHERE uuid = ?1 AND host = ?2", "ttt", uuid, from,
                      to);
}

int sqlite_finish(struct store *store, uint64_t id, const struct store_outcome *o, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    enum store_migration_state state;
    if (state_of(s, id, &state, err) < 0)
        return -1;
    if (state == o->state)
        return 0;
    bool waiting = state == STORE_MIGRATION_PROPOSED || state == STORE_MIGRATION_ORDERED;
    if (!store_migration_is_open(state) &&
        !(waiting && o->state != STORE_MIGRATION_DONE && o->state != STORE_MIGRATION_UNKNOWN))
        return error_set(err, ERROR_REFUSED, "migration %" PRIu64 " is %s already", id,
                         store_migration_state_name(state));
    CLEANUP(arena_free) struct arena *arena = arena_new(0);
    sqlite3_stmt *q = sqlite_start(s, err, "SELECT " MIGRATION_COLUMNS " FROM migrations m WHERE m.id = ?1",
                                   "i", (int64_t)id);
    if (!arena || !q || sqlite_step(s, q, err) != 1)
        return -1;
    struct store_migration m;
    sqlite_migration_read(s, q, arena, &m);
    sqlite3_reset(q);
    bool ends = o->state != STORE_MIGRATION_UNKNOWN;
    // Without a measurement of its own the store's clock says how long it ran.
    double duration_s = o->duration_s > 0       ? o->duration_s
                        : m.started_age_ms >= 0 ? (double)m.started_age_ms / 1000
                                                : 0;
    if (sqlite_run(
            s, err,
            "UPDATE migrations SET state = ?2, ended_at = CASE WHEN ?3 THEN ?4 END, text = substr(?5, 1, ?6),"
            " duration_s = ?7, downtime_ms = ?8, transferred_mib = max(transferred_mib, ?9),"
            " remaining_mib = CASE WHEN ?2 = 4 THEN 0 ELSE remaining_mib END WHERE id = ?1",
            "iiiitiddd", (int64_t)id, (int64_t)o->state, (int64_t)ends, s->now_ms, o->text,
            (int64_t)STORE_TEXT_BYTES, duration_s, o->downtime_ms, o->transferred_mib) < 0)
        return -1;
    // What never ran does not count against the VM.
    bool ran = o->state == STORE_MIGRATION_DONE ||
               (o->state == STORE_MIGRATION_FAILED && m.started_age_ms >= 0) ||
               (o->state == STORE_MIGRATION_CANCELLED && m.started_age_ms >= 0);
    if (ran &&
        note_move(s, m.move.vm_uuid, m.move.from, m.move.to, o->state == STORE_MIGRATION_DONE, err) < 0)
        return -1;
    char kind[48];
    snprintf(kind, sizeof kind, "migration-%s", store_migration_state_name(o->state));
    bool good = o->state == STORE_MIGRATION_DONE || o->state == STORE_MIGRATION_CANCELLED;
    return sqlite_event(s, good ? STORE_INFO : STORE_WARNING, kind, m.move.from, m.move.vm_uuid, m.vm_name,
                        err, "migration %" PRIu64 " to \"%s\"%s%s; %.1f s, downtime %.0f ms", id, m.move.to,
                        o->text ? ": " : "", o->text ? o->text : "", duration_s, o->downtime_ms);
}

int sqlite_propose(struct store *store, const struct store_move *m, enum store_migration_state state,
                   uint64_t after, int64_t lifetime_ms, const struct store_epoch *epoch, uint64_t *id,
                   struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    bool holds = true;
    if (epoch && epoch->counter && sqlite_epoch_holds(s, epoch, &holds, err) < 0)
        return -1;
    if (!holds)
        return error_set(err, ERROR_REFUSED, "the lease under which this was planned is no longer in force");
    char name[SNAPSHOT_NAME_BYTES + 1];
    int rc = sqlite_vm_name(s, m->vm_uuid, name, err);
    if (rc <= 0)
        return rc < 0 ? -1 : error_set(err, ERROR_MISSING, "no host has reported VM %s", m->vm_uuid);
    // The same proposal again only lives longer: an operator who reads its number can still approve it.
    double same = 0;
    if (sqlite_number(s, 0, &same, err,
                      "SELECT id FROM migrations WHERE vm_uuid = ?1 AND source = ?2 AND destination = ?3"
                      " AND state = ?4 AND after_id = ?5",
                      "tttii", m->vm_uuid, m->from, m->to, (int64_t)state, (int64_t)after) < 0)
        return -1;
    if (same > 0) {
        *id = (uint64_t)same;
        return sqlite_run(
            s, err,
            "UPDATE migrations SET expires_at = ?2, reason = ?3, benefit_lost_vm_s = ?4,"
            " cost_lost_vm_s = ?5, mem_needed_mib = ?6, cpu_needed_cores = ?7, cpu_ceiling_cores = ?8,"
            " epoch_timeline = ?9, epoch_counter = ?10 WHERE id = ?1",
            "iitdddddii", (int64_t)same, s->now_ms + lifetime_ms, m->reason, m->benefit_lost_vm_s,
            m->cost_lost_vm_s, m->mem_needed_mib, m->cpu_needed_cores, m->cpu_ceiling_cores,
            (int64_t)(epoch ? epoch->timeline : 0), (int64_t)(epoch ? epoch->counter : 0));
    }
    if (sqlite_run(s, err,
                   "UPDATE migrations SET state = 7, ended_at = ?2, text = 'replaced by a newer one'"
                   " WHERE vm_uuid = ?1 AND state = 0",
                   "ti", m->vm_uuid, s->now_ms) < 0 ||
        sqlite_run(
            s, err,
            "INSERT INTO migrations (state, vm_uuid, vm_name, source, destination, origin, mem_needed_mib,"
            " cpu_needed_cores, cpu_ceiling_cores, benefit_lost_vm_s, cost_lost_vm_s, expected_s, reason,"
            " after_id, epoch_timeline, epoch_counter, created_at, expires_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            "ittttiddddddtiiiii", (int64_t)state, m->vm_uuid, name, m->from, m->to, (int64_t)m->origin,
            m->mem_needed_mib, m->cpu_needed_cores, m->cpu_ceiling_cores, m->benefit_lost_vm_s,
            m->cost_lost_vm_s, m->duration_s, m->reason, (int64_t)after,
            (int64_t)(epoch ? epoch->timeline : 0), (int64_t)(epoch ? epoch->counter : 0), s->now_ms,
            s->now_ms + lifetime_ms) < 0)
        return -1;
    *id = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return sqlite_event(s, STORE_INFO,
                        state == STORE_MIGRATION_PROPOSED ? "migration-proposed" : "migration-ordered",
                        m->from, m->vm_uuid, name, err, "migration %" PRIu64 " to \"%s\": %s%s", *id, m->to,
                        m->reason ? m->reason : "no reason given",
                        state == STORE_MIGRATION_PROPOSED ? "; waits for approval" : "");
}

int sqlite_approve(struct store *store, uint64_t id, const char *who, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    enum store_migration_state state;
    if (sqlite_expire(s, err) < 0 || state_of(s, id, &state, err) < 0)
        return -1;
    if (state != STORE_MIGRATION_PROPOSED)
        return error_set(err, ERROR_REFUSED,
                         "migration %" PRIu64 " is %s: only a proposed one can be approved", id,
                         store_migration_state_name(state));
    if (sqlite_run(s, err,
                   "UPDATE migrations SET state = 1, approved_by = ?2, expires_at = max(expires_at, ?3) "
                   "WHERE id = ?1",
                   "iti", (int64_t)id, who, s->now_ms + 2 * SQLITE_CLAIM_MS) < 0)
        return -1;
    return sqlite_run(s, err,
                      "INSERT INTO events (at, severity, kind, host, vm_uuid, vm_name, text)"
                      " SELECT ?2, 0, 'migration-approved', source, vm_uuid, vm_name,"
                      " 'migration ' || id || ' to \"' || destination || '\" approved by ' || approved_by"
                      " FROM migrations WHERE id = ?1",
                      "ii", (int64_t)id, s->now_ms);
}

void sqlite_migration_read(const struct sqlite_store *s, sqlite3_stmt *q, struct arena *arena,
                           struct store_migration *m)
{
    int64_t expires_in_ms = sqlite3_column_int64(q, 20) - s->now_ms;
    enum store_migration_state state = (enum store_migration_state)sqlite3_column_int(q, 1);
    // A reader sees what the next writer will write down.
    if (expires_in_ms < 0 && (state == STORE_MIGRATION_CLAIMED || state == STORE_MIGRATION_RUNNING))
        state = STORE_MIGRATION_UNKNOWN;
    *m = (struct store_migration){
        .id = (uint64_t)sqlite3_column_int64(q, 0),
        .state = state,
        .move = {.vm_uuid = sqlite_text(q, 2, arena),
                 .from = sqlite_text(q, 4, arena),
                 .to = sqlite_text(q, 5, arena),
                 .origin = (enum store_origin)sqlite3_column_int(q, 6),
                 .mem_needed_mib = sqlite3_column_double(q, 7),
                 .cpu_needed_cores = sqlite3_column_double(q, 8),
                 .cpu_ceiling_cores = sqlite3_column_double(q, 9),
                 .benefit_lost_vm_s = sqlite3_column_double(q, 10),
                 .cost_lost_vm_s = sqlite3_column_double(q, 11),
                 .duration_s = sqlite3_column_double(q, 12),
                 .reason = sqlite_text(q, 13, arena)},
        .vm_name = sqlite_text(q, 3, arena),
        .text = sqlite_text(q, 14, arena),
        .approved_by = sqlite_text(q, 15, arena),
        .after = (uint64_t)sqlite3_column_int64(q, 16),
        .created_at = sqlite_wall(s, sqlite3_column_int64(q, 17)),
        .created_age_ms = s->now_ms - sqlite3_column_int64(q, 17),
        .started_age_ms =
            sqlite3_column_type(q, 18) == SQLITE_NULL ? -1 : s->now_ms - sqlite3_column_int64(q, 18),
        .ended_age_ms =
            sqlite3_column_type(q, 19) == SQLITE_NULL ? -1 : s->now_ms - sqlite3_column_int64(q, 19),
        .expires_in_ms = expires_in_ms,
        .progress = {sqlite3_column_double(q, 21), sqlite3_column_double(q, 22), sqlite3_column_double(q, 23),
                     sqlite3_column_double(q, 24)},
        .duration_s = sqlite3_column_double(q, 25),
        .downtime_ms = sqlite3_column_double(q, 26),
        .transferred_mib = sqlite3_column_double(q, 21),
    };
}

int sqlite_read_migrations(struct store *store, const struct store_migration_filter *f,
                           struct store_migrations *result, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    bool all = !f->waiting && !f->open && !f->ended;
    int64_t limit = f->limit ? f->limit : 1000;
    result->at = arena_new_array(result->arena, struct store_migration, (size_t)limit);
    sqlite3_stmt *q = sqlite_start(
        s, err,
        "SELECT " MIGRATION_COLUMNS " FROM migrations m"
        " WHERE (?1 IS NULL OR m.source = ?1 OR m.destination = ?1)"
        " AND (?2 IS NULL OR m.source = ?2) AND (?3 IS NULL OR m.vm_uuid = ?3)"
        " AND ((?4 AND m.state IN (0, 1) AND (?8 OR m.expires_at >= ?9)) OR (?5 AND m.state IN (2, 3, 8))"
        "  OR (?6 AND m.state IN (4, 5, 6, 7)))"
        " ORDER BY m.id DESC LIMIT ?7",
        "tttiiiiii", f->host, f->from, f->vm_uuid, (int64_t)(f->waiting || all), (int64_t)(f->open || all),
        (int64_t)(f->ended || all), limit, (int64_t)all, s->now_ms);
    int rc = q ? 1 : -1;
    while (rc > 0 && (rc = sqlite_step(s, q, err)) == 1)
        sqlite_migration_read(s, q, result->arena, &result->at[result->n++]);
    return rc;
}
