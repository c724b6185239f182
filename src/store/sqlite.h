// The SQLite back-end's inside: one connection, its transactions and statements, and the tables' columns.
//
// Every operation is called between sqlite_begin, which also reads the store's clock after the lock (s->now_ms), and
// sqlite_end; it does its work by sqlite_start, sqlite_step and sqlite_run.
#ifndef BALLAST_STORE_SQLITE_H
#define BALLAST_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "store/backend.h"

#define SQLITE_APPLICATION_ID 0x626c7374 // "blst", in the file's header
#define SQLITE_MAX_STATEMENTS 96         // distinct statements of this back-end, with room
#define SQLITE_CLAIM_MS                                                                                      \
    30000 // of a claim between renewals: an agent's restart fits in, a dead host is noticed
#define SQLITE_HOUR_MS 3600000
#define SQLITE_DAY_MS (24 * SQLITE_HOUR_MS)
#define SQLITE_QUICK_CHECK_BYTES                                                                             \
    (32 << 20) // files up to this are checked whole when an agent opens them (0.1 s)

struct sqlite_statement {
    const char *sql; // the key: its address
    sqlite3_stmt *prepared;
};

struct sqlite_store {
    struct store base;
    char *path;
    bool read_only;
    sqlite3 *db;
    pthread_mutex_t mutex; // held during a call
    int64_t timeout_ms;
    int64_t deadline_ms; // of the call that is running, CLOCK_MONOTONIC
    int64_t now_ms;      // the store's clock, read after the lock of the transaction that is running
    int64_t (*clock_ms)(void *data);
    void *clock_data;
    int64_t clock_offset_ms; // store's clock = CLOCK_BOOTTIME + offset; see sqlite_clock.c
    uint64_t timeline;
    int schema_version;
    int64_t pruned_at_ms; // when this handle last dropped old rows
    // Statements made from the column tables, by what the schema at hand has.
    char *upsert_host, *select_host, *upsert_vm, *select_vm;
    struct sqlite_statement statements[SQLITE_MAX_STATEMENTS];
    size_t n_statements;
};

static inline struct sqlite_store *sqlite_of(struct store *store)
{
    return (struct sqlite_store *)store;
}

// ---- sqlite_call.c: calls, transactions, statements ------------------------------------------------------

int sqlite_begin(struct store *store, enum store_access access, struct error *err);
int sqlite_end(struct store *store, int rc, struct error *err);

// Turns what SQLite just said into an error that names the file, the cause and the cure. Returns -1.
int sqlite_error(struct sqlite_store *s, int code, struct error *err);

// Prepares (once per handle) and binds: t text (NULL allowed), i int64_t, d double, b blob (pointer, int).
// NULL on an error. The statement is valid until the next sqlite_start with the same sql.
sqlite3_stmt *sqlite_start(struct sqlite_store *s, struct error *err, const char *sql, const char *types,
                           ...);

// 1: a row; 0: no more (the statement is reset); -1: error.
int sqlite_step(struct sqlite_store *s, sqlite3_stmt *statement, struct error *err);

// sqlite_start and one step; for statements without a result. 0 or -1.
int sqlite_run(struct sqlite_store *s, struct error *err, const char *sql, const char *types, ...);

// First column of the first row; fallback when there is no row or it is NULL.
int sqlite_number(struct sqlite_store *s, double fallback, double *ret_number, struct error *err,
                  const char *sql, const char *types, ...);

// Text of a column in the arena; NULL for NULL. It may come from a guest's owner: what a terminal would obey has become
// '?', line breaks too except in sqlite_lines.
const char *sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena);
const char *sqlite_lines(sqlite3_stmt *statement, int column, struct arena *arena);

int64_t sqlite_mono_ms(void);

// Sets the busy and progress handlers that keep the deadline.
void sqlite_install_deadline(struct sqlite_store *s);

// ---- sqlite_schema.c -------------------------------------------------------------------------------------

// Newest schema that this program writes.
int sqlite_schema_newest(void);

// In a new, empty database: everything, up to version (tests make old ones).
int sqlite_schema_create(sqlite3 *db, int version);

// Brings the schema of an opened store up to date (writers), or accepts it (readers). Needs a deadline.
int sqlite_schema_open(struct sqlite_store *s, struct error *err);

// ---- sqlite_clock.c --------------------------------------------------------------------------------------

int sqlite_clock_open(struct sqlite_store *s, struct error *err);
int64_t sqlite_clock_now(const struct sqlite_store *s);
int sqlite_meta_get(struct sqlite_store *s, const char *key, int64_t fallback, int64_t *ret_value,
                    struct error *err);
int sqlite_meta_set(struct sqlite_store *s, const char *key, int64_t value, struct error *err);

// The wall time of a moment of the store's clock, for people.
struct wall sqlite_wall(const struct sqlite_store *s, int64_t at_ms);

// ---- sqlite_columns.c: hosts and VMs as tables of columns ------------------------------------------------

enum column_type { COLUMN_TEXT, COLUMN_DOUBLE, COLUMN_INT, COLUMN_BOOL };

struct column {
    const char *name;
    enum column_type type;
    size_t offset; // in struct store_host or struct store_vm
    int since;     // schema version that has it
};

extern const struct column host_columns[], vm_columns[];
extern const size_t n_host_columns, n_vm_columns;

// Makes the four statements for the schema at hand.
int sqlite_columns_open(struct sqlite_store *s, struct error *err);

// Binds a row to parameters from first on and returns the number of the next parameter, or -1: a figure
// that is not finite, a text that is missing.
int sqlite_columns_bind(struct sqlite_store *s, sqlite3_stmt *statement, const struct column *columns,
                        size_t n, const void *row, int first, struct error *err);

// Reads a row from columns from first on; returns the number of the next column.
int sqlite_columns_read(const struct sqlite_store *s, sqlite3_stmt *statement, const struct column *columns,
                        size_t n, void *row, int first, struct arena *arena);

// ---- shared between operations ---------------------------------------------------------------------------

// Within a write transaction: claims that have expired become unknown, waiting ones past their time are cancelled.
int sqlite_expire(struct sqlite_store *s, struct error *err);

// Within a write transaction: drops old rows, a bounded number.
int sqlite_prune(struct sqlite_store *s, struct error *err);

// Within a write transaction.
int sqlite_event(struct sqlite_store *s, enum store_severity severity, const char *kind, const char *host,
                 const char *vm_uuid, const char *vm_name, struct error *err, const char *format, ...)
    __attribute__((format(printf, 8, 9)));

// A setting as a number (see setting_keys.h), fallback when it is not set.
int sqlite_setting(struct sqlite_store *s, enum store_scope scope, const char *object, const char *key,
                   double fallback, double *ret_number, struct error *err);

// The first token of needs that is not among those of provides (separated by spaces), with its length; NULL: none.
const char *sqlite_lacking(const char *provides, const char *needs, size_t *ret_length);

// The name of a VM that a host has reported. 1, 0: there is none, -1.
int sqlite_vm_name(struct sqlite_store *s, const char *uuid, char ret_name[static SNAPSHOT_NAME_BYTES + 1],
                   struct error *err);

// Whether the lease of that epoch is held and in force.
int sqlite_epoch_holds(struct sqlite_store *s, const struct store_epoch *epoch, bool *ret_holds,
                       struct error *err);

int sqlite_is_planning(struct sqlite_store *s, bool *ret_planning, struct error *err);

// Columns of migrations in the order that sqlite_migration_read reads.
#define MIGRATION_COLUMNS                                                                                    \
    "m.id, m.state, m.vm_uuid, m.vm_name, m.source, m.destination, m.origin, m.mem_needed_mib, "             \
    "m.cpu_needed_cores, m.cpu_ceiling_cores, m.benefit_lost_vm_s, m.cost_lost_vm_s, m.expected_s, "         \
    "m.reason, "                                                                                             \
    "m.text, m.approved_by, m.after_id, m.created_at, m.started_at, m.ended_at, m.expires_at, "              \
    "m.transferred_mib, m.remaining_mib, m.rate_mib_s, m.dirty_mib_s, m.duration_s, m.downtime_ms "

void sqlite_migration_read(const struct sqlite_store *s, sqlite3_stmt *statement, struct arena *arena,
                           struct store_migration *ret_migration);

// Rules of the VMs' rows, into a snapshot whose hosts, zones and VMs are filled. O(words + VMs).
int sqlite_rules_fill(struct snapshot *snapshot, const struct store_vm *vms, struct error *err);

// Within a transaction: the strict rule that the move breaks, for a person (in the arena); NULL: none.
int sqlite_rules_check(struct sqlite_store *s, const struct store_move *move, struct arena *arena,
                       const char **ret_why, struct error *err);

// Operations, one file a group.
#define SQLITE_OPERATION(name, ...) int sqlite_##name(struct store *store, __VA_ARGS__, struct error *err);
STORE_OPERATIONS(SQLITE_OPERATION)
#undef SQLITE_OPERATION

#endif
