// ballast events: what happened.
#include <time.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/live_table.h"
#include "command/score_print.h"
#include "command/verbs.h"

struct events_options {
    const char *store, *host, *vm;
    int64_t limit;
    bool warnings, migrations, json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct events_options),
    OPTION_TEXT(struct events_options, host, "host", "HOST", NULL, "only of this host"),
    OPTION_TEXT(struct events_options, vm, "vm", "VM", NULL, "only of this VM (name or UUID)"),
    OPTION_INTEGER(struct events_options, limit, "limit", "N", 1, 10000, 50, "the newest so many"),
    OPTION_FLAG(struct events_options, warnings, "warnings", "only warnings and errors"),
    OPTION_FLAG(struct events_options, migrations, "migrations", "migrations with their figures instead"),
    OPTION_FLAG(struct events_options, json, "json", "print one JSON object (ballast-events-1)"),
};

static int print_json(const struct store_events *events, const struct store_migrations *migrations,
                      struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-events-1");
    json_key_array(w, migrations ? "migrations" : "events");
    for (size_t i = 0; migrations && i < migrations->n; i++)
        live_json_migration(w, &migrations->at[i]);
    for (size_t i = 0; events && i < events->n; i++)
        live_json_event(w, &events->at[i]);
    json_array_end(w);
    return json_print_end(w, err);
}

static int read_and_print(struct store *store, const struct events_options *o, const char *uuid,
                          struct error *err)
{
    CLEANUP(store_events_free) struct store_events *events = NULL;
    CLEANUP(store_migrations_free) struct store_migrations *migrations = NULL;
    struct store_event_filter event_filter = {.host = o->host,
                                              .vm_uuid = uuid,
                                              .least = o->warnings ? STORE_WARNING : STORE_INFO,
                                              .limit = (uint32_t)o->limit};
    struct store_migration_filter migration_filter = {
        .host = o->host, .vm_uuid = uuid, .limit = (uint32_t)o->limit};
    int rc = o->migrations ? store_read_migrations(store, &migration_filter, &migrations, err)
                           : store_read_events(store, &event_filter, &events, err);
    if (rc < 0)
        return -1;
    if (o->json)
        return print_json(events, migrations, err);
    if (migrations)
        live_table_migrations(migrations->at, migrations->n);
    if (events)
        live_table_events(events->at, events->n);
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct events_options *options = values;
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    const struct store_vm *vm = NULL;
    if (live_open(options->store, false, &store, err) < 0 ||
        (options->vm && (store_read_cluster(store, NULL, &cluster, err) < 0 ||
                         live_find_vm(cluster, options->vm, &vm, err) < 0)))
        return -1;
    return read_and_print(store, options, vm ? vm->uuid : NULL, err);
}

const struct verb verb_events = {
    .name = "events",
    .words = "",
    .summary = "what happened, oldest first",
    .more = LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct events_options),
    .run = run,
};
