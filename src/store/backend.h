// What a kind of store must do; for store.c and the back-ends only.
//
// A back-end is a constant struct of functions and a handle that begins with struct store. Every function of the list
// means what store/store.h says of its namesake. store.c has checked the arguments, and calls it between begin and end,
// so it only reads and writes; what it leaves in its results counts only when end has succeeded.
#ifndef BALLAST_STORE_BACKEND_H
#define BALLAST_STORE_BACKEND_H

#include "store/store.h"

// One row an operation: its name, and what it takes between the store and the error. Results that hold rows come with
// an arena of their own, for whatever they point to.
#define STORE_OPERATIONS(X)                                                                                  \
    /* presence and reports */                                                                               \
    X(join, const struct store_host *host, const struct store_vm *vms, size_t n_vms)                         \
    X(report, const struct store_report *report)                                                             \
    X(heartbeat, const char *host, struct store_pulse *pulse)                                                \
    X(leave, const char *host)                                                                               \
    X(remove_host, const char *host)                                                                         \
    X(read_cluster, const struct store_read *what, struct store_cluster *cluster)                            \
    /* migrations */                                                                                         \
    X(claim, const struct store_claim *claim, struct store_claim_result *result)                             \
    X(advance, uint64_t id)                                                                                  \
    X(renew, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress)                        \
    X(finish, uint64_t id, const struct store_outcome *outcome)                                              \
    X(propose, const struct store_move *move, enum store_migration_state state, uint64_t after,              \
      int64_t lifetime_ms, const struct store_epoch *epoch, uint64_t *id)                                    \
    X(approve, uint64_t id, const char *who)                                                                 \
    X(read_migrations, const struct store_migration_filter *filter, struct store_migrations *migrations)     \
    /* leases */                                                                                             \
    X(lease_take, const char *name, const char *holder, int64_t lifetime_ms, bool planning,                  \
      struct store_lease *lease)                                                                             \
    X(lease_release, const char *name, const char *holder)                                                   \
    /* the journal */                                                                                        \
    X(append_decisions, const struct store_decision *decisions, size_t n)                                    \
    X(read_decisions, const struct store_decision_filter *filter, struct store_decisions *decisions)         \
    X(append_event, const struct store_event *event)                                                         \
    X(read_events, const struct store_event_filter *filter, struct store_events *events)                     \
    /* settings */                                                                                           \
    X(set, enum store_scope scope, const char *object, const char *key, const char *value)                   \
    X(read_settings, const char *host, struct store_settings *settings)

enum store_access { STORE_READS, STORE_WRITES };

struct store_operations {
    const char *scheme; // of a location "SCHEME:..."
    int (*open)(const char *path, const struct store_options *options, struct store **ret_store,
                struct error *err);
    void (*close)(struct store *store);

    // Takes the handle, starts the deadline and the transaction.
    int (*begin)(struct store *store, enum store_access access, struct error *err);
    // Commits on rc 0, else rolls back; gives the handle back. Returns rc, or -1 when it could not commit.
    int (*end)(struct store *store, int rc, struct error *err);

#define OPERATION_FIELD(name, ...) int (*name)(struct store * store, __VA_ARGS__, struct error * err);
    STORE_OPERATIONS(OPERATION_FIELD)
#undef OPERATION_FIELD
};

struct store {
    const struct store_operations *operations;
    char *location;
};

extern const struct store_operations sqlite_operations;

#endif
