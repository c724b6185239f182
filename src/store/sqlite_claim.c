// The claim: every check of a move and the migration's row in one write transaction.
//
// BEGIN IMMEDIATE makes all claims of a store one queue, so each sees the reservations of all before it.
// The checks go from what is wrong with the move itself to what is only not possible now; the first that
// fails is the answer, with its figures.
//
// Room on the destination: the sum over its VMs of max(usedmem x (1 + growth) + overhead, reservation), plus
// what open migrations have reserved there, plus this VM, must fit mem_mib - mem_reserved_mib. A migrated VM
// whose row already belongs to the destination is not counted twice. CPU likewise: the destination's
// demand as its agent reported it, plus reservations of moves on their way.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/setting_keys.h"
#include "store/sqlite.h"

DEFINE_CLEANUP(struct arena *, arena_free);

struct claim_check {
    struct sqlite_store *s;
    const struct store_claim *claim;
    struct store_move move; // of the claim or of the order
    bool approved;
    struct store_claim_result *result;
    struct error *err;
    double growth;
    char vm_name[SNAPSHOT_NAME_BYTES + 1];
    double mem_needed_mib, cpu_needed_cores; // at least what the rows say
};

static int refuse(struct claim_check *c, enum store_refusal refusal, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Returns 1: decided.
static int refuse(struct claim_check *c, enum store_refusal refusal, const char *format, ...)
{
    c->result->refusal = refusal;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->result->why, sizeof c->result->why, format, arguments);
    va_end(arguments);
    return 1;
}

// A cluster setting; else what the claimant allows (when it says), else the key's own fallback.
static int cluster_number(struct claim_check *c, const char *key, double claimant, double *ret_number)
{
    double fallback = claimant > 0 ? claimant : store_key_find(key)->fallback;
    return sqlite_setting(c->s, STORE_SCOPE_CLUSTER, "", key, fallback, ret_number, c->err);
}

// Each check returns 0 (passed), 1 (refused, result filled) or -1 (error).

static int check_epoch(struct claim_check *c, const struct store_epoch *epoch)
{
    bool holds = true;
    if (epoch->counter && sqlite_epoch_holds(c->s, epoch, &holds, c->err) < 0)
        return -1;
    return holds ? 0
                 : refuse(c, STORE_REFUSED_EPOCH,
                          "planned under a lease that is no longer in force (epoch %" PRIu64 ")",
                          epoch->counter);
}

static int check_mode(struct claim_check *c, enum store_mode reported, enum store_scope scope,
                      const char *object, const char *what, const char *name)
{
    double set = reported;
    if (sqlite_setting(c->s, scope, object, "mode", reported, &set, c->err) < 0)
        return -1;
    enum store_mode mode = (enum store_mode)fmin(set, reported);
    if (mode == STORE_MODE_AUTO || (mode == STORE_MODE_RECOMMEND && c->approved))
        return 0;
    return refuse(c, STORE_REFUSED_MODE, "%s%s%s%s is in mode %s%s", what, *name ? " \"" : "", name,
                  *name ? "\"" : "", store_mode_name(mode),
                  mode == STORE_MODE_RECOMMEND ? ": the move needs approval" : "");
}

static int check_vm(struct claim_check *c)
{
    sqlite3_stmt *q = sqlite_start(
        c->s, c->err,
        "SELECT v.name, v.host, v.state, v.mode, v.is_excluded, v.movable, coalesce(v.movable_why, ''),"
        " v.mem_used_mib * (1 + ?2) + v.mem_overhead_mib, v.mem_reservation_mib, v.cpu_demand_cores * (1 + "
        "?2),"
        " k.last_at, v.owner FROM vms v LEFT JOIN vm_moves k ON k.uuid = v.uuid WHERE v.uuid = ?1",
        "td", c->move.vm_uuid, c->growth);
    int rc = q ? sqlite_step(c->s, q, c->err) : -1;
    if (rc < 0)
        return -1;
    if (rc == 0)
        return refuse(c, STORE_REFUSED_VM_MISSING, "no host has reported this VM");
    snprintf(c->vm_name, sizeof c->vm_name, "%s", (const char *)sqlite3_column_text(q, 0));
    const char *host = (const char *)sqlite3_column_text(q, 1);
    enum store_mode mode = (enum store_mode)sqlite3_column_int(q, 3);
    double excluded = sqlite3_column_int(q, 4);
    int64_t since_ms =
        sqlite3_column_type(q, 10) == SQLITE_NULL ? -1 : c->s->now_ms - sqlite3_column_int64(q, 10);
    c->mem_needed_mib =
        fmax(c->move.mem_needed_mib, fmax(sqlite3_column_double(q, 7), sqlite3_column_double(q, 8)));
    c->cpu_needed_cores =
        c->move.cpu_needed_cores > 0 ? c->move.cpu_needed_cores : sqlite3_column_double(q, 9);
    if (strcmp(host, c->move.from) != 0)
        return refuse(c, STORE_REFUSED_VM_MISSING, "the VM is on \"%.80s\", not on \"%.80s\"", host,
                      c->move.from);
    if (sqlite3_column_int(q, 2) != STORE_VM_RUNNING)
        return refuse(c, STORE_REFUSED_VM_EXCLUDED, "the VM is not running");
    if (!sqlite3_column_int(q, 5))
        return refuse(c, STORE_REFUSED_VM_EXCLUDED, "the VM cannot be moved: %.160s",
                      (const char *)sqlite3_column_text(q, 6));
    if (sqlite3_column_type(q, 11) != SQLITE_NULL)
        return refuse(c, STORE_REFUSED_VM_EXCLUDED, "the VM is managed by %.80s and moved only through that",
                      (const char *)sqlite3_column_text(q, 11));
    if (sqlite_setting(c->s, STORE_SCOPE_VM, c->move.vm_uuid, "excluded", excluded, &excluded, c->err) < 0)
        return -1;
    sqlite3_reset(q);
    if (excluded > 0)
        return refuse(c, STORE_REFUSED_VM_EXCLUDED, "the VM is excluded");
    double open = 0, cooldown_s = 0;
    if (sqlite_number(c->s, 0, &open, c->err,
                      "SELECT id FROM migrations WHERE vm_uuid = ?1 AND state IN (2, 3, 8)", "t",
                      c->move.vm_uuid) < 0 ||
        cluster_number(c, "cooldown_s", 0, &cooldown_s) < 0)
        return -1;
    if (open > 0)
        return refuse(c, STORE_REFUSED_VM_MIGRATING, "migration %.0f of this VM is still open", open);
    double cooldown_ms = fmax((double)c->claim->cooldown_ms, cooldown_s * 1000);
    if (c->move.origin != STORE_ORIGIN_OPERATOR && since_ms >= 0 && (double)since_ms < cooldown_ms)
        return refuse(c, STORE_REFUSED_VM_COOLING,
                      "its last migration ended %.0f s ago; it is left alone for %.0f s",
                      (double)since_ms / 1000, cooldown_ms / 1000);
    return check_mode(c, mode, STORE_SCOPE_VM, c->move.vm_uuid, "VM", c->vm_name);
}

static int check_host(struct claim_check *c, const char *name, bool destination)
{
    enum store_refusal refusal = destination ? STORE_REFUSED_DESTINATION : STORE_REFUSED_SOURCE;
    const char *what = destination ? "destination" : "source";
    sqlite3_stmt *q =
        sqlite_start(c->s, c->err,
                     "SELECT state, mode, closed, coalesce(closed_why, ''), heartbeat_at, has_left"
                     " FROM hosts WHERE name = ?1",
                     "t", name);
    int rc = q ? sqlite_step(c->s, q, c->err) : -1;
    if (rc < 0)
        return -1;
    if (rc == 0)
        return refuse(c, refusal, "%s \"%.80s\" has not joined", what, name);
    int state = sqlite3_column_int(q, 0);
    enum store_mode mode = (enum store_mode)sqlite3_column_int(q, 1);
    int64_t silent_ms = c->s->now_ms - sqlite3_column_int64(q, 4);
    if (sqlite3_column_int(q, 5))
        return refuse(c, refusal, "the agent of %s \"%.80s\" has stopped", what, name);
    if (silent_ms >= STORE_DOWN_AFTER_MS)
        return refuse(c, refusal, "%s \"%.80s\" has been silent for %.0f s", what, name,
                      (double)silent_ms / 1000);
    if (destination && state != HOST_UP)
        return refuse(c, refusal, "destination \"%.80s\" is in maintenance or standby", name);
    if (destination && sqlite3_column_int(q, 2))
        return refuse(c, refusal, "destination \"%.80s\" takes no VM now: %.120s", name,
                      (const char *)sqlite3_column_text(q, 3));
    sqlite3_reset(q);
    return check_mode(c, mode, STORE_SCOPE_HOST, name, what, name);
}

// Every token that the VM needs is among those that the destination provides.
static int check_compatible(struct claim_check *c)
{
    sqlite3_stmt *q = sqlite_start(c->s, c->err,
                                   "SELECT coalesce(v.needs, ''), coalesce(h.provides, '')"
                                   " FROM vms v, hosts h WHERE v.uuid = ?1 AND h.name = ?2",
                                   "tt", c->move.vm_uuid, c->move.to);
    int rc = q ? sqlite_step(c->s, q, c->err) : -1;
    if (rc <= 0)
        return rc;
    size_t length = 0;
    const char *lacking = sqlite_lacking((const char *)sqlite3_column_text(q, 1),
                                         (const char *)sqlite3_column_text(q, 0), &length);
    return lacking ? refuse(c, STORE_REFUSED_INCOMPATIBLE, "destination \"%.80s\" does not provide %.*s",
                            c->move.to, (int)(length < 120 ? length : 120), lacking)
                   : 0;
}

static int check_rules(struct claim_check *c, struct arena *arena)
{
    const char *why = NULL;
    int rc = sqlite_rules_check(c->s, &c->move, arena, &why, c->err);
    return rc == 0 && why ? refuse(c, STORE_REFUSED_RULE, "%s", why) : rc;
}

static int check_room(struct claim_check *c)
{
    sqlite3_stmt *q = sqlite_start(
        c->s, c->err,
        "SELECT h.mem_mib - h.mem_reserved_mib, h.cpu_cores, h.cpu_demand_cores,"
        " (SELECT total(max(v.mem_used_mib * (1 + ?2) + v.mem_overhead_mib, v.mem_reservation_mib))"
        "  FROM vms v WHERE v.host = h.name),"
        " (SELECT total(m.mem_needed_mib) FROM migrations m LEFT JOIN vms v ON v.uuid = m.vm_uuid"
        "  WHERE m.state IN (2, 3, 8) AND m.destination = h.name AND v.host IS NOT h.name),"
        " (SELECT total(m.cpu_needed_cores) FROM migrations m LEFT JOIN vms v ON v.uuid = m.vm_uuid"
        "  WHERE m.state IN (2, 3, 8) AND m.destination = h.name AND v.host IS NOT h.name)"
        " FROM hosts h WHERE h.name = ?1",
        "td", c->move.to, c->growth);
    int rc = q ? sqlite_step(c->s, q, c->err) : -1;
    if (rc <= 0)
        return rc;
    double capacity = sqlite3_column_double(q, 0), cores = sqlite3_column_double(q, 1);
    double demand = sqlite3_column_double(q, 2), there = sqlite3_column_double(q, 3);
    double coming = sqlite3_column_double(q, 4), coming_cores = sqlite3_column_double(q, 5);
    sqlite3_reset(q);
    if (there + coming + c->mem_needed_mib > capacity)
        return refuse(
            c, STORE_REFUSED_MEMORY,
            "destination \"%.80s\": %.0f MiB for its VMs + %.0f on their way + %.0f for this one > %.0f",
            c->move.to, there, coming, c->mem_needed_mib, capacity);
    double ceiling = fmax(c->move.cpu_ceiling_cores, cores);
    if (demand + coming_cores + c->cpu_needed_cores > ceiling * (1 + 1e-9))
        return refuse(
            c, STORE_REFUSED_CPU,
            "destination \"%.80s\": %.2f cores wanted there + %.2f on their way + %.2f for this one > %.2f",
            c->move.to, demand, coming_cores, c->cpu_needed_cores, ceiling);
    return 0;
}

static int check_budget(struct claim_check *c, const char *key, uint32_t claimant, const char *sql,
                        const char *of, const char *what)
{
    double most = 0, now = 0;
    if (cluster_number(c, key, claimant, &most) < 0 ||
        sqlite_number(c->s, 0, &now, c->err, sql, "ti", of, c->s->now_ms - SQLITE_HOUR_MS) < 0)
        return -1;
    if (now < most)
        return 0;
    return refuse(c, STORE_REFUSED_BUDGET, "%.0f %s%s%.80s%s (%s is %.0f)", now, what, *of ? " \"" : "", of,
                  *of ? "\"" : "", key, most);
}

// Failures in a row: something is wrong that more moves will not cure.
static int check_breaker(struct claim_check *c)
{
    double most = 0, failures = 0;
    if (cluster_number(c, "breaker_failures", 0, &most) < 0)
        return -1;
    if (most < 1)
        return 0;
    if (sqlite_number(
            c->s, 0, &failures, c->err,
            "SELECT count(*) FROM migrations WHERE ended_at > ?1 AND state IN (5, 6) AND ended_at >"
            " coalesce((SELECT max(ended_at) FROM migrations WHERE ended_at > ?1 AND state = 4), 0)",
            "i", c->s->now_ms - SQLITE_HOUR_MS / 2) < 0)
        return -1;
    if (failures < most)
        return 0;
    return refuse(
        c, STORE_REFUSED_BREAKER,
        "the last %.0f migrations of this half hour all failed (breaker_failures is %.0f): see `ballast "
        "events`; a migration that an operator orders and that succeeds closes the breaker",
        failures, most);
}

static int check_budgets(struct claim_check *c)
{
    int rc =
        check_budget(c, "migrations_out_per_host", c->claim->limits.out_per_host,
                     "SELECT count(*) FROM migrations WHERE state IN (2, 3, 8) AND source = ?1 AND ?2 <> 0",
                     c->move.from, "migrations leave");
    if (rc == 0)
        rc = check_budget(
            c, "migrations_in_per_host", c->claim->limits.in_per_host,
            "SELECT count(*) FROM migrations WHERE state IN (2, 3, 8) AND destination = ?1 AND ?2 <> 0",
            c->move.to, "migrations are on their way to");
    if (rc == 0)
        rc = check_budget(c, "migrations_per_cluster", c->claim->limits.per_cluster,
                          "SELECT count(*) FROM migrations WHERE state IN (2, 3, 8) AND ?1 = '' AND ?2 <> 0",
                          "", "migrations are open in the cluster");
    if (rc != 0 || c->move.origin == STORE_ORIGIN_OPERATOR)
        return rc;
    rc = check_budget(c, "migrations_per_hour", c->claim->limits.per_hour,
                      "SELECT count(*) FROM migrations WHERE ?1 = '' AND claimed_at > ?2", "",
                      "migrations within the last hour");
    return rc == 0 ? check_breaker(c) : rc;
}

// Loads the order to be claimed; its texts live in the arena.
static int load_order(struct claim_check *c, struct arena *arena)
{
    sqlite3_stmt *q = sqlite_start(c->s, c->err,
                                   "SELECT " MIGRATION_COLUMNS ", m.epoch_timeline, m.epoch_counter,"
                                   " (SELECT p.state FROM migrations p WHERE p.id = m.after_id)"
                                   " FROM migrations m WHERE m.id = ?1",
                                   "i", (int64_t)c->claim->order);
    int rc = q ? sqlite_step(c->s, q, c->err) : -1;
    if (rc < 0)
        return -1;
    if (rc == 0)
        return refuse(c, STORE_REFUSED_ORDER, "there is no order %" PRIu64, c->claim->order);
    struct store_migration m;
    sqlite_migration_read(c->s, q, arena, &m);
    struct store_epoch epoch = {(uint64_t)sqlite3_column_int64(q, 27), (uint64_t)sqlite3_column_int64(q, 28)};
    bool first_done = !m.after || sqlite3_column_int(q, 29) == STORE_MIGRATION_DONE;
    sqlite3_reset(q);
    if (m.state != STORE_MIGRATION_ORDERED)
        return refuse(c, STORE_REFUSED_ORDER, "order %" PRIu64 " is %s", m.id,
                      store_migration_state_name(m.state));
    if (m.expires_in_ms < 0)
        return refuse(c, STORE_REFUSED_ORDER, "order %" PRIu64 " has expired", m.id);
    if (!first_done)
        return refuse(c, STORE_REFUSED_ORDER, "order %" PRIu64 " waits for migration %" PRIu64, m.id,
                      m.after);
    c->move = m.move;
    c->approved = m.approved_by != NULL;
    // What a person approved stands by itself; the plan it came from may be past.
    return c->approved ? 0 : check_epoch(c, &epoch);
}

static int write_claim(struct claim_check *c)
{
    struct sqlite_store *s = c->s;
    int64_t lifetime_ms = c->claim->lifetime_ms > 0 ? c->claim->lifetime_ms : SQLITE_CLAIM_MS;
    int rc;
    if (c->claim->order) {
        rc = sqlite_run(
            s, c->err,
            "UPDATE migrations SET state = 2, vm_name = ?2, mem_needed_mib = ?3, cpu_needed_cores = ?4,"
            " claimed_at = ?5, expires_at = ?6 WHERE id = ?1",
            "itddii", (int64_t)c->claim->order, c->vm_name, c->mem_needed_mib, c->cpu_needed_cores, s->now_ms,
            s->now_ms + lifetime_ms);
        c->result->id = c->claim->order;
    } else {
        const struct store_move *m = &c->move;
        rc = sqlite_run(
            s, c->err,
            "INSERT INTO migrations (state, vm_uuid, vm_name, source, destination, origin,"
            " mem_needed_mib, cpu_needed_cores, cpu_ceiling_cores, benefit_lost_vm_s, cost_lost_vm_s,"
            " expected_s, reason, epoch_timeline, epoch_counter, created_at, claimed_at, expires_at)"
            " VALUES (2, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, ?16)",
            "ttttiddddddtiiii", m->vm_uuid, c->vm_name, m->from, m->to, (int64_t)m->origin, c->mem_needed_mib,
            c->cpu_needed_cores, m->cpu_ceiling_cores, m->benefit_lost_vm_s, m->cost_lost_vm_s, m->duration_s,
            m->reason, (int64_t)c->claim->epoch.timeline, (int64_t)c->claim->epoch.counter, s->now_ms,
            s->now_ms + lifetime_ms);
        c->result->id = (uint64_t)sqlite3_last_insert_rowid(s->db);
    }
    if (rc < 0)
        return -1;
    // A proposal or order for a VM that now moves has lost its sense.
    if (sqlite_run(s, c->err,
                   "UPDATE migrations SET state = 7, ended_at = ?2, text = 'the VM moved otherwise'"
                   " WHERE vm_uuid = ?1 AND state = 0",
                   "ti", c->move.vm_uuid, s->now_ms) < 0)
        return -1;
    return sqlite_event(s, STORE_INFO, "migration-claimed", c->move.from, c->move.vm_uuid, c->vm_name, c->err,
                        "migration %" PRIu64 " to \"%s\": %s", c->result->id, c->move.to,
                        c->move.reason ? c->move.reason : "no reason given");
}

static int claim_in_transaction(struct claim_check *c, struct arena *arena)
{
    if (sqlite_expire(c->s, c->err) < 0 ||
        cluster_number(c, "growth", c->claim->limits.growth, &c->growth) < 0)
        return -1;
    int rc = check_epoch(c, &c->claim->epoch);
    if (rc == 0 && c->claim->order)
        rc = load_order(c, arena);
    if (rc == 0 && strcmp(c->move.from, c->move.to) == 0)
        rc = refuse(c, STORE_REFUSED_DESTINATION, "source and destination are the same host");
    if (rc == 0)
        rc = check_mode(c, STORE_MODE_AUTO, STORE_SCOPE_CLUSTER, "", "the cluster", "");
    if (rc == 0)
        rc = check_host(c, c->move.from, false);
    if (rc == 0)
        rc = check_vm(c);
    if (rc == 0)
        rc = check_host(c, c->move.to, true);
    if (rc == 0)
        rc = check_compatible(c);
    if (rc == 0)
        rc = check_rules(c, arena);
    if (rc == 0)
        rc = check_room(c);
    if (rc == 0)
        rc = check_budgets(c);
    if (rc == 0)
        rc = write_claim(c);
    return rc < 0 ? -1 : 0; // refused: what expired meanwhile is still worth committing
}

int sqlite_claim(struct store *store, const struct store_claim *claim, struct store_claim_result *result,
                 struct error *err)
{
    CLEANUP(arena_free) struct arena *arena = arena_new(0);
    if (!arena)
        return error_set(err, ERROR_MEMORY, "no memory");
    struct claim_check check = {.s = sqlite_of(store),
                                .claim = claim,
                                .move = claim->move,
                                .approved = !claim->order && claim->move.origin == STORE_ORIGIN_OPERATOR,
                                .result = result,
                                .err = err};
    return claim_in_transaction(&check, arena);
}
