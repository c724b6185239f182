// What a kind of store must do; for store.c and the back-ends only.
//
// A back-end is a constant struct of functions and a handle that begins with struct store. Every function
// means what store/store.h says of its namesake; arguments were checked by store.c.
#ifndef BALLAST_STORE_BACKEND_H
#define BALLAST_STORE_BACKEND_H

#include "store/store.h"

struct store_operations {
    const char *scheme; // of a location "SCHEME:..."
    int (*open)(const char *path, const struct store_options *options, struct store **ret_store,
                struct error *err);
    void (*close)(struct store *store);

    // presence and reports
    int (*join)(struct store *store, const struct store_host *host, const struct store_vm *vms, size_t n_vms,
                struct error *err);
    int (*report)(struct store *store, const struct store_report *report, struct error *err);
    int (*heartbeat)(struct store *store, const char *host, struct store_pulse *ret_pulse, struct error *err);
    int (*leave)(struct store *store, const char *host, struct error *err);
    int (*remove_host)(struct store *store, const char *host, struct error *err);
    int (*read_cluster)(struct store *store, const struct store_read *what,
                        struct store_cluster **ret_cluster, struct error *err);

    // migrations
    int (*claim)(struct store *store, const struct store_claim *claim, struct store_claim_result *ret_result,
                 struct error *err);
    int (*advance)(struct store *store, uint64_t id, struct error *err);
    int (*renew)(struct store *store, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress,
                 struct error *err);
    int (*finish)(struct store *store, uint64_t id, const struct store_outcome *outcome, struct error *err);
    int (*propose)(struct store *store, const struct store_move *move, enum store_migration_state state,
                   uint64_t after, int64_t lifetime_ms, const struct store_epoch *epoch, uint64_t *ret_id,
                   struct error *err);
    int (*approve)(struct store *store, uint64_t id, const char *who, struct error *err);
    int (*read_migrations)(struct store *store, const struct store_migration_filter *filter,
                           struct store_migrations **ret_migrations, struct error *err);

    // leases
    int (*lease_take)(struct store *store, const char *name, const char *holder, int64_t lifetime_ms,
                      bool planning, struct store_lease *ret_lease, struct error *err);
    int (*lease_release)(struct store *store, const char *name, const char *holder, struct error *err);

    // the journal
    int (*append_decisions)(struct store *store, const struct store_decision *decisions, size_t n,
                            struct error *err);
    int (*read_decisions)(struct store *store, const struct store_decision_filter *filter,
                          struct store_decisions **ret_decisions, struct error *err);
    int (*append_event)(struct store *store, const struct store_event *event, struct error *err);
    int (*read_events)(struct store *store, const struct store_event_filter *filter,
                       struct store_events **ret_events, struct error *err);

    // settings
    int (*set)(struct store *store, enum store_scope scope, const char *object, const char *key,
               const char *value, struct error *err);
    int (*read_settings)(struct store *store, const char *host, struct store_settings **ret_settings,
                         struct error *err);
};

struct store {
    const struct store_operations *operations;
    char *location;
};

extern const struct store_operations sqlite_operations;

#endif
