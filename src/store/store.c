// The public face: chooses the back-end by the location, checks arguments, passes calls on.
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "store/setting_keys.h"

static const struct store_operations *const backends[] = {&sqlite_operations};

// The back-end of "SCHEME:REST" (REST without "//" in front of a path), SQLite for a plain path.
static const struct store_operations *choose(const char *location, const char **ret_path, struct error *err)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyz");
    if (scheme == 0 || location[scheme] != ':') {
        *ret_path = location;
        return backends[0];
    }
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strlen(backends[i]->scheme) == scheme && strncmp(backends[i]->scheme, location, scheme) == 0) {
            *ret_path = location + scheme + 1;
            if (strncmp(*ret_path, "//", 2) == 0)
                *ret_path += 2;
            return backends[i];
        }
    error_set(err, ERROR_INPUT, "store \"%s\": unknown kind \"%.*s\"; a path or \"sqlite:PATH\" is possible",
              location, (int)scheme, location);
    return NULL;
}

int store_open(const char *location, const struct store_options *options, struct store **ret_store,
               struct error *err)
{
    static const struct store_options defaults = {0};
    const char *path = NULL;
    const struct store_operations *operations = choose(location, &path, err);
    if (!operations)
        return -1;
    if (!*path)
        return error_set(err, ERROR_INPUT, "store \"%s\": the path is missing", location);
    char *copy = strdup(location);
    if (!copy)
        return error_set(err, ERROR_MEMORY, "store \"%s\": no memory", location);
    struct store *store = NULL;
    if (operations->open(path, options ? options : &defaults, &store, err) < 0) {
        free(copy);
        return -1;
    }
    store->location = copy;
    *ret_store = store;
    return 0;
}

struct store *store_close(struct store *store)
{
    if (store) {
        free(store->location);
        store->operations->close(store);
    }
    return NULL;
}

const char *store_location(const struct store *store)
{
    return store->location;
}

static int check_name(const char *what, const char *name, struct error *err)
{
    if (name && *name && strlen(name) <= SNAPSHOT_NAME_BYTES)
        return 0;
    return error_set(err, ERROR_INPUT, "%s: the name must have 1 to %d bytes", what, SNAPSHOT_NAME_BYTES);
}

int store_join(struct store *store, const struct store_host *host, const struct store_vm *vms, size_t n_vms,
               struct error *err)
{
    if (check_name("host", host->name, err) < 0)
        return -1;
    return store->operations->join(store, host, vms, n_vms, err);
}

int store_report(struct store *store, const struct store_report *report, struct error *err)
{
    if (check_name("host", report->host, err) < 0)
        return -1;
    if (report->row && strcmp(report->row->name, report->host) != 0)
        return error_set(err, ERROR_INPUT, "report of host \"%s\": the row is of \"%s\"", report->host,
                         report->row->name);
    return store->operations->report(store, report, err);
}

int store_heartbeat(struct store *store, const char *host, struct store_pulse *ret_pulse, struct error *err)
{
    struct store_pulse pulse;
    return store->operations->heartbeat(store, host, ret_pulse ? ret_pulse : &pulse, err);
}

int store_leave(struct store *store, const char *host, struct error *err)
{
    return store->operations->leave(store, host, err);
}

int store_remove_host(struct store *store, const char *host, struct error *err)
{
    return store->operations->remove_host(store, host, err);
}

int store_read_cluster(struct store *store, const struct store_read *what, struct store_cluster **ret_cluster,
                       struct error *err)
{
    static const struct store_read all = {0};
    return store->operations->read_cluster(store, what ? what : &all, ret_cluster, err);
}

static int check_move(const struct store_move *move, struct error *err)
{
    if (check_name("VM's UUID", move->vm_uuid, err) < 0 || check_name("source", move->from, err) < 0)
        return -1;
    return check_name("destination", move->to, err);
}

int store_claim(struct store *store, const struct store_claim *claim, struct store_claim_result *ret_result,
                struct error *err)
{
    if (!claim->order && check_move(&claim->move, err) < 0)
        return error_context(err, "claim");
    return store->operations->claim(store, claim, ret_result, err);
}

int store_advance(struct store *store, uint64_t id, struct error *err)
{
    return store->operations->advance(store, id, err);
}

int store_renew(struct store *store, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress,
                struct error *err)
{
    return store->operations->renew(store, id, lifetime_ms, progress, err);
}

int store_finish(struct store *store, uint64_t id, const struct store_outcome *outcome, struct error *err)
{
    if (outcome->state < STORE_MIGRATION_DONE || outcome->state > STORE_MIGRATION_UNKNOWN)
        return error_set(err, ERROR_INPUT, "finish migration: %s is no outcome",
                         store_migration_state_name(outcome->state));
    return store->operations->finish(store, id, outcome, err);
}

int store_propose(struct store *store, const struct store_move *move, enum store_migration_state state,
                  uint64_t after, int64_t lifetime_ms, const struct store_epoch *epoch, uint64_t *ret_id,
                  struct error *err)
{
    if (state != STORE_MIGRATION_PROPOSED && state != STORE_MIGRATION_ORDERED)
        return error_set(err, ERROR_INPUT, "propose: the state must be proposed or ordered, not %s",
                         store_migration_state_name(state));
    if (check_move(move, err) < 0)
        return error_context(err, "propose");
    uint64_t id = 0;
    return store->operations->propose(store, move, state, after, lifetime_ms, epoch, ret_id ? ret_id : &id,
                                      err);
}

int store_approve(struct store *store, uint64_t id, const char *who, struct error *err)
{
    return store->operations->approve(store, id, who, err);
}

int store_read_migrations(struct store *store, const struct store_migration_filter *filter,
                          struct store_migrations **ret_migrations, struct error *err)
{
    static const struct store_migration_filter all = {0};
    return store->operations->read_migrations(store, filter ? filter : &all, ret_migrations, err);
}

int store_lease_take(struct store *store, const char *name, const char *holder, int64_t lifetime_ms,
                     bool planning, struct store_lease *ret_lease, struct error *err)
{
    return store->operations->lease_take(store, name, holder, lifetime_ms, planning, ret_lease, err);
}

int store_lease_release(struct store *store, const char *name, const char *holder, struct error *err)
{
    return store->operations->lease_release(store, name, holder, err);
}

int store_append_decisions(struct store *store, const struct store_decision *decisions, size_t n,
                           struct error *err)
{
    return store->operations->append_decisions(store, decisions, n, err);
}

int store_read_decisions(struct store *store, const struct store_decision_filter *filter,
                         struct store_decisions **ret_decisions, struct error *err)
{
    static const struct store_decision_filter all = {0};
    return store->operations->read_decisions(store, filter ? filter : &all, ret_decisions, err);
}

int store_append_event(struct store *store, const struct store_event *event, struct error *err)
{
    return store->operations->append_event(store, event, err);
}

int store_read_events(struct store *store, const struct store_event_filter *filter,
                      struct store_events **ret_events, struct error *err)
{
    static const struct store_event_filter all = {0};
    return store->operations->read_events(store, filter ? filter : &all, ret_events, err);
}

int store_set(struct store *store, enum store_scope scope, const char *object, const char *key,
              const char *value, struct error *err)
{
    if (!value && !store_key_find(key))
        return error_set(err, ERROR_INPUT, "unknown setting \"%.60s\"; `ballast set` lists them", key);
    if (value && store_key_parse(scope, key, value, NULL, err) < 0)
        return -1;
    return store->operations->set(store, scope, object, key, value, err);
}

int store_read_settings(struct store *store, const char *host, struct store_settings **ret_settings,
                        struct error *err)
{
    return store->operations->read_settings(store, host, ret_settings, err);
}

// Results are objects inside their own arena.

struct store_cluster *store_cluster_free(struct store_cluster *cluster)
{
    if (cluster) {
        snapshot_free(cluster->snapshot);
        arena_free(cluster->arena);
    }
    return NULL;
}

struct store_migrations *store_migrations_free(struct store_migrations *migrations)
{
    if (migrations)
        arena_free(migrations->arena);
    return NULL;
}

struct store_decisions *store_decisions_free(struct store_decisions *decisions)
{
    if (decisions)
        arena_free(decisions->arena);
    return NULL;
}

struct store_events *store_events_free(struct store_events *events)
{
    if (events)
        arena_free(events->arena);
    return NULL;
}

struct store_settings *store_settings_free(struct store_settings *settings)
{
    if (settings)
        arena_free(settings->arena);
    return NULL;
}

// Names of enumerations, for messages, files and JSON.

static const char *const migration_states[] = {"proposed", "ordered", "claimed",   "running", "done",
                                               "refused",  "failed",  "cancelled", "unknown"};

const char *store_migration_state_name(enum store_migration_state state)
{
    return (unsigned)state < sizeof migration_states / sizeof *migration_states ? migration_states[state]
                                                                                : "?";
}

static const char *const refusals[] = {"granted", "vm-missing",  "vm-migrating", "vm-cooling", "vm-excluded",
                                       "source",  "destination", "incompatible", "memory",     "cpu",
                                       "budget",  "mode",        "epoch",        "order",      "breaker"};

const char *store_refusal_name(enum store_refusal refusal)
{
    return (unsigned)refusal < sizeof refusals / sizeof *refusals ? refusals[refusal] : "?";
}

static const char *const loops[] = {"memory", "immediate", "longterm", "operator"};

const char *store_loop_name(enum store_loop loop)
{
    return (unsigned)loop < sizeof loops / sizeof *loops ? loops[loop] : "?";
}
