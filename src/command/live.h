// What the verbs on a live cluster share: finding and opening its store, finding a VM in it, words for figures.
#ifndef BALLAST_COMMAND_LIVE_H
#define BALLAST_COMMAND_LIVE_H

#include "base/cleanup.h"
#include "command/options.h"
#include "command/table.h"
#include "decide/score.h"
#include "store/store.h"

#define LIVE_OPTION(type_)                                                                                   \
    OPTION_TEXT(                                                                                             \
        type_, store, "store", "PATH", NULL,                                                                 \
        "the cluster's store; else BALLAST_STORE, else what ballast.conf says, else " STORE_DEFAULT_PATH)

DEFINE_CLEANUP(struct store *, store_close);
DEFINE_CLEANUP(struct store_cluster *, store_cluster_free);
DEFINE_CLEANUP(struct store_events *, store_events_free);
DEFINE_CLEANUP(struct store_migrations *, store_migrations_free);
DEFINE_CLEANUP(struct store_settings *, store_settings_free);

#define LIVE_STORE_TEXT                                                                                      \
    "The store is --store, else BALLAST_STORE, else that of /etc/ballast/ballast.conf, "                     \
    "else\n" STORE_DEFAULT_PATH "."

// The location of the store; given is the value of --store or NULL. buffer holds it where needed.
int live_location(const char *given, char *buffer, size_t size, const char **ret_location, struct error *err);

// Opens it for reading, or for writing. It must exist.
int live_open(const char *given, bool write, struct store **ret_store, struct error *err);

// The cluster's score by what each host measured of its VMs.
void live_score(const struct store_cluster *cluster, struct score *ret);

// Opens, reads the whole cluster, closes. Free with store_cluster_free.
int live_read(const char *given, struct store_cluster **ret_cluster, struct error *err);

// Reads the whole cluster, checks it and returns what use(values, its snapshot, err) does, or -1.
int live_with_snapshot(const char *given,
                       int (*use)(const void *values, const struct snapshot *snapshot, struct error *err),
                       const void *values, struct error *err);

// The VM of that name or UUID (or an unambiguous beginning of a UUID, 4 characters at least). ERROR_INPUT when
// there is none or several.
int live_find_vm(const struct store_cluster *cluster, const char *word, const struct store_vm **ret_vm,
                 struct error *err);

// The host of that name; ERROR_INPUT.
int live_find_host(const struct store_cluster *cluster, const char *word, const struct store_host **ret_host,
                   struct error *err);

// "3 s", "12 min", "5 h", "3 d"; "-" when negative. Returns buffer.
const char *live_age(int64_t age_ms, char buffer[static 16]);

const char *live_host_state(const struct store_host *host,
                            enum style *ret_style);                          // "up", "silent", "closed", ...
const char *live_vm_state(const struct store_vm *vm, enum style *ret_style); // "running", "moving", ...
const char *live_memory_state(int state, enum style *ret_style);             // "high" .. "low"

// Good, warning or bad for a satisfaction in [0, 1]: an owner notices below 0.95, suffers below 0.7.
enum style live_satisfaction_style(double s);

#endif
