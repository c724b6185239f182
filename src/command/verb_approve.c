// ballast approve: what waits for an operator's word, and giving it.
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/live_table.h"
#include "command/score_print.h"
#include "command/verbs.h"

#define MOST_IDS 64

struct approve_options {
    const char *store;
    bool all, reject, json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct approve_options),
    OPTION_FLAG(struct approve_options, all, "all", "every migration that waits"),
    OPTION_FLAG(struct approve_options, reject, "reject", "say no instead: it is cancelled"),
    OPTION_FLAG(struct approve_options, json, "json", "print one JSON object (ballast-approvals-1)"),
};

static int parse_id(const char *word, uint64_t *ret_id, struct error *err)
{
    char *end = NULL;
    errno = 0;
    uint64_t id = strtoull(word, &end, 10);
    if (*word < '0' || *word > '9' || *end || errno || id == 0)
        return error_set(err, ERROR_INPUT, "\"%s\" is no number of a migration; `ballast approve` lists them",
                         word);
    *ret_id = id;
    return 0;
}

static void who_am_i(char *ret_name, size_t size)
{
    const struct passwd *user = getpwuid(getuid());
    const char *sudo = getenv("SUDO_USER");
    snprintf(ret_name, size, "%s%s%s", user ? user->pw_name : "unknown", sudo ? " for " : "",
             sudo ? sudo : "");
}

static int decide(struct store *store, uint64_t id, bool reject, struct error *err)
{
    char who[256], text[300];
    who_am_i(who, sizeof who);
    snprintf(text, sizeof text, "rejected by %s", who);
    struct store_outcome no = {.state = STORE_MIGRATION_CANCELLED, .text = text};
    return reject ? store_finish(store, id, &no, err) : store_approve(store, id, who, err);
}

static int print(const struct store_migrations *waiting, bool json, struct error *err)
{
    if (!json) {
        if (waiting->n)
            live_table_migrations(waiting->at, waiting->n);
        else
            printf("Nothing waits for approval.\n");
        return EXIT_DONE;
    }
    struct json_writer *w = json_print_begin("ballast-approvals-1");
    json_key_array(w, "migrations");
    for (size_t i = 0; i < waiting->n; i++)
        live_json_migration(w, &waiting->at[i]);
    json_array_end(w);
    return json_print_end(w, err);
}

static int run(const void *values, char **words, struct error *err)
{
    const struct approve_options *o = values;
    bool change = o->all || words[0];
    uint64_t ids[MOST_IDS];
    size_t n_ids = 0;
    if (o->reject && !change)
        return error_set(err, ERROR_INPUT, "--reject: name migrations, or --all");
    for (; words[n_ids]; n_ids++)
        if (parse_id(words[n_ids], &ids[n_ids], err) < 0)
            return -1;
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(store_migrations_free) struct store_migrations *waiting = NULL;
    if (live_open(o->store, change, &store, err) < 0)
        return -1;
    int rc = store_read_migrations(store, &(struct store_migration_filter){.waiting = true}, &waiting, err);
    for (size_t i = 0; rc == 0 && o->all && i < waiting->n; i++)
        if (waiting->at[i].state == STORE_MIGRATION_PROPOSED)
            rc = decide(store, waiting->at[i].id, o->reject, err);
    for (size_t i = 0; rc == 0 && !o->all && i < n_ids; i++)
        rc = decide(store, ids[i], o->reject, err);
    if (rc == 0 && change) { // show what became of it
        waiting = store_migrations_free(waiting);
        rc = store_read_migrations(store, &(struct store_migration_filter){.waiting = true}, &waiting, err);
    }
    return rc == 0 && (!change || o->json) ? print(waiting, o->json, err) : rc;
}

const struct verb verb_approve = {
    .name = "approve",
    .words = "[ID...]",
    .most_words = MOST_IDS,
    .summary = "let migrations that wait for approval happen; without words: list them",
    .more =
        "In mode recommend migrations wait here for some minutes. An approved one is checked again when it\n"
        "starts, and carried out by the agent of its source. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct approve_options),
    .run = run,
};
