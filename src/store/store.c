// The public face: chooses the back-end by the location, checks arguments, passes calls on.
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
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
    if (name && text_valid_name(name))
        return 0;
    return error_set(err, ERROR_INPUT,
                     "%s: the name must have 1 to %d bytes of UTF-8 without control characters", what,
                     TEXT_NAME_BYTES);
}

// One call: a transaction with the back-end's function in it. Needs store and err.
#define CALL(access, function, ...)                                                                          \
    (store->operations->begin(store, access, err) < 0                                                        \
         ? -1                                                                                                \
         : store->operations->end(store, store->operations->function(store, __VA_ARGS__, err), err))

// Results are objects inside their own arena, which is their first member.
static void *result_new(size_t bytes, struct error *err)
{
    struct arena *arena = arena_new(0);
    if (!arena) {
        error_set(err, ERROR_MEMORY, "no memory to read the store");
        return NULL;
    }
    struct arena **result = arena_alloc(arena, 1, bytes);
    *result = arena;
    return result;
}

#define DEFINE_RESULT_FREE(type)                                                                             \
    struct type *type##_free(struct type *result)                                                            \
    {                                                                                                        \
        return result ? (void *)arena_free(result->arena) : NULL;                                            \
    }                                                                                                        \
    DEFINE_CLEANUP(struct type *, type##_free)

DEFINE_RESULT_FREE(store_migrations);
DEFINE_RESULT_FREE(store_decisions);
DEFINE_RESULT_FREE(store_events);
DEFINE_RESULT_FREE(store_settings);

struct store_cluster *store_cluster_free(struct store_cluster *cluster)
{
    if (cluster) {
        snapshot_free(cluster->snapshot);
        arena_free(cluster->arena);
    }
    return NULL;
}

DEFINE_CLEANUP(struct store_cluster *, store_cluster_free);

// Reads rows into a new result of that type and hands it over.
#define READ(type, function, argument, ret)                                                                  \
    ({                                                                                                       \
        CLEANUP(type##_free) struct type *result_ = result_new(sizeof *result_, err);                        \
        int rc_ = result_ ? CALL(STORE_READS, function, argument, result_) : -1;                             \
        if (rc_ == 0)                                                                                        \
            *(ret) = take_pointer(&result_);                                                                 \
        rc_;                                                                                                 \
    })

int store_join(struct store *store, const struct store_host *host, const struct store_vm *vms, size_t n_vms,
               struct error *err)
{
    if (check_name("host", host->name, err) < 0)
        return -1;
    return CALL(STORE_WRITES, join, host, vms, n_vms);
}

int store_report(struct store *store, const struct store_report *report, struct error *err)
{
    if (check_name("host", report->host, err) < 0)
        return -1;
    if (report->row && strcmp(report->row->name, report->host) != 0)
        return error_set(err, ERROR_INPUT, "report of host \"%s\": the row is of \"%s\"", report->host,
                         report->row->name);
    return CALL(STORE_WRITES, report, report);
}

int store_heartbeat(struct store *store, const char *host, struct store_pulse *ret_pulse, struct error *err)
{
    struct store_pulse pulse = {0};
    if (CALL(STORE_WRITES, heartbeat, host, &pulse) < 0)
        return -1;
    if (ret_pulse)
        *ret_pulse = pulse;
    return 0;
}

int store_leave(struct store *store, const char *host, struct error *err)
{
    return CALL(STORE_WRITES, leave, host);
}

int store_remove_host(struct store *store, const char *host, struct error *err)
{
    return CALL(STORE_WRITES, remove_host, host);
}

int store_read_cluster(struct store *store, const struct store_read *what, struct store_cluster **ret_cluster,
                       struct error *err)
{
    static const struct store_read all = {0};
    return READ(store_cluster, read_cluster, what ? what : &all, ret_cluster);
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
    struct store_claim_result result = {.refusal = STORE_GRANTED};
    if ((!claim->order && check_move(&claim->move, err) < 0) || CALL(STORE_WRITES, claim, claim, &result) < 0)
        return error_context(err, "claim");
    *ret_result = result;
    return 0;
}

int store_advance(struct store *store, uint64_t id, struct error *err)
{
    return CALL(STORE_WRITES, advance, id);
}

int store_renew(struct store *store, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress,
                struct error *err)
{
    return CALL(STORE_WRITES, renew, id, lifetime_ms, progress);
}

int store_finish(struct store *store, uint64_t id, const struct store_outcome *outcome, struct error *err)
{
    if (outcome->state < STORE_MIGRATION_DONE || outcome->state > STORE_MIGRATION_UNKNOWN)
        return error_set(err, ERROR_INPUT, "finish migration: %s is no outcome",
                         store_migration_state_name(outcome->state));
    return CALL(STORE_WRITES, finish, id, outcome);
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
    if (CALL(STORE_WRITES, propose, move, state, after, lifetime_ms, epoch, &id) < 0)
        return -1;
    if (ret_id)
        *ret_id = id;
    return 0;
}

int store_approve(struct store *store, uint64_t id, const char *who, struct error *err)
{
    return CALL(STORE_WRITES, approve, id, who);
}

int store_read_migrations(struct store *store, const struct store_migration_filter *filter,
                          struct store_migrations **ret_migrations, struct error *err)
{
    static const struct store_migration_filter all = {0};
    return READ(store_migrations, read_migrations, filter ? filter : &all, ret_migrations);
}

int store_lease_take(struct store *store, const char *name, const char *holder, int64_t lifetime_ms,
                     bool planning, struct store_lease *ret_lease, struct error *err)
{
    struct store_lease lease = {0};
    if (CALL(STORE_WRITES, lease_take, name, holder, lifetime_ms, planning, &lease) < 0)
        return -1;
    *ret_lease = lease;
    return 0;
}

int store_lease_release(struct store *store, const char *name, const char *holder, struct error *err)
{
    return CALL(STORE_WRITES, lease_release, name, holder);
}

int store_append_decisions(struct store *store, const struct store_decision *decisions, size_t n,
                           struct error *err)
{
    return CALL(STORE_WRITES, append_decisions, decisions, n);
}

int store_read_decisions(struct store *store, const struct store_decision_filter *filter,
                         struct store_decisions **ret_decisions, struct error *err)
{
    static const struct store_decision_filter all = {0};
    return READ(store_decisions, read_decisions, filter ? filter : &all, ret_decisions);
}

int store_append_event(struct store *store, const struct store_event *event, struct error *err)
{
    return CALL(STORE_WRITES, append_event, event);
}

int store_read_events(struct store *store, const struct store_event_filter *filter,
                      struct store_events **ret_events, struct error *err)
{
    static const struct store_event_filter all = {0};
    return READ(store_events, read_events, filter ? filter : &all, ret_events);
}

int store_set(struct store *store, enum store_scope scope, const char *object, const char *key,
              const char *value, struct error *err)
{
    if (!value && !store_key_find(key))
        return error_set(err, ERROR_INPUT, "unknown setting \"%.60s\"; `ballast set` lists them", key);
    if (value && store_key_parse(scope, key, value, NULL, err) < 0)
        return -1;
    return CALL(STORE_WRITES, set, scope, object, key, value);
}

int store_read_settings(struct store *store, const char *host, struct store_settings **ret_settings,
                        struct error *err)
{
    return READ(store_settings, read_settings, host, ret_settings);
}

// Names of enumerations, for messages, files and JSON.

static const char *const migration_states[] = {"proposed", "ordered", "claimed",   "running", "done",
                                               "refused",  "failed",  "cancelled", "unknown"};

const char *store_migration_state_name(enum store_migration_state state)
{
    return (unsigned)state < sizeof migration_states / sizeof *migration_states ? migration_states[state]
                                                                                : "?";
}

static const char *const refusals[] = {"granted",     "vm-missing", "vm-migrating", "vm-cooling",
                                       "vm-excluded", "source",     "destination",  "incompatible",
                                       "memory",      "cpu",        "budget",       "mode",
                                       "epoch",       "order",      "breaker",      "rule"};

const char *store_refusal_name(enum store_refusal refusal)
{
    return (unsigned)refusal < sizeof refusals / sizeof *refusals ? refusals[refusal] : "?";
}

static const char *const loops[] = {"memory", "immediate", "longterm", "operator"};

const char *store_loop_name(enum store_loop loop)
{
    return (unsigned)loop < sizeof loops / sizeof *loops ? loops[loop] : "?";
}
