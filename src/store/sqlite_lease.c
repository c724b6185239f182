// Leases by the store's clock, and what depends on them.
#include <string.h>

#include "store/sqlite.h"

#define PLANNING_MS 60000 // a plan takes no longer; who says so for longer is not believed

// The row of a lease; 1 there, 0 not, -1 error.
struct lease_row {
    char holder[256];
    uint64_t counter;
    int64_t expires_at_ms;
};

static int read_lease(struct sqlite_store *s, const char *name, struct lease_row *row, struct error *err)
{
    sqlite3_stmt *q =
        sqlite_start(s, err, "SELECT holder, counter, expires_at FROM leases WHERE name = ?1", "t", name);
    int rc = q ? sqlite_step(s, q, err) : -1;
    if (rc <= 0)
        return rc;
    snprintf(row->holder, sizeof row->holder, "%s", (const char *)sqlite3_column_text(q, 0));
    row->counter = (uint64_t)sqlite3_column_int64(q, 1);
    row->expires_at_ms = sqlite3_column_int64(q, 2);
    sqlite3_reset(q);
    return 1;
}

int sqlite_lease_take(struct store *store, const char *name, const char *holder, int64_t lifetime_ms,
                      bool planning, struct store_lease *lease, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    struct lease_row row = {0};
    int rc = read_lease(s, name, &row, err);
    if (rc < 0)
        return -1;
    bool in_force = rc == 1 && row.expires_at_ms > s->now_ms;
    bool same = in_force && strcmp(row.holder, holder) == 0;
    if (in_force && !same) {
        snprintf(lease->holder, sizeof lease->holder, "%s", row.holder);
        lease->remaining_ms = row.expires_at_ms - s->now_ms;
        return 0;
    }
    // The counter outlives every holder, so that an epoch never comes back.
    uint64_t counter = same ? row.counter : row.counter + 1;
    if (sqlite_run(
            s, err,
            "INSERT INTO leases VALUES (?1, ?2, ?3, ?4, CASE WHEN ?5 THEN ?6 END)"
            " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, counter = excluded.counter,"
            " expires_at = excluded.expires_at,"
            " planning_since = CASE WHEN ?5 THEN coalesce(CASE WHEN ?7 THEN planning_since END, ?6) END",
            "ttiiiii", name, holder, (int64_t)counter, s->now_ms + lifetime_ms, (int64_t)planning, s->now_ms,
            (int64_t)same) < 0)
        return -1;
    lease->mine = true;
    lease->epoch = (struct store_epoch){s->timeline, counter};
    snprintf(lease->holder, sizeof lease->holder, "%s", holder);
    lease->remaining_ms = lifetime_ms;
    if (same)
        return 0;
    return sqlite_event(s, STORE_INFO, "lease-taken", holder, NULL, NULL, err,
                        "holds the lease \"%s\" now%s%s%s", name,
                        rc == 1 && *row.holder ? "; before: \"" : "", rc == 1 ? row.holder : "",
                        rc == 1 && *row.holder ? "\"" : "");
}

int sqlite_lease_release(struct store *store, const char *name, const char *holder, struct error *err)
{
    return sqlite_run(
        sqlite_of(store), err,
        "UPDATE leases SET expires_at = 0, planning_since = NULL WHERE name = ?1 AND holder = ?2", "tt", name,
        holder);
}

int sqlite_epoch_holds(struct sqlite_store *s, const struct store_epoch *epoch, bool *ret_holds,
                       struct error *err)
{
    struct lease_row row = {0};
    int rc = read_lease(s, STORE_LEASE_LONGTERM, &row, err);
    if (rc < 0)
        return -1;
    *ret_holds = rc == 1 && row.expires_at_ms > s->now_ms && row.counter == epoch->counter &&
                 epoch->timeline == s->timeline;
    return 0;
}

int sqlite_is_planning(struct sqlite_store *s, bool *ret_planning, struct error *err)
{
    double planning = 0;
    if (sqlite_number(s, 0, &planning, err,
                      "SELECT 1 FROM leases WHERE name = '" STORE_LEASE_LONGTERM "' AND expires_at > ?1"
                      " AND planning_since > ?2",
                      "ii", s->now_ms, s->now_ms - PLANNING_MS) < 0)
        return -1;
    *ret_planning = planning > 0;
    return 0;
}
