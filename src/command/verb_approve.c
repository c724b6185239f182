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
    struct json_writer *w = json_writer_new(true);
    if (!w)
        return exit_status_of((error_set(err, ERROR_MEMORY, "no memory"), err));
    json_object_begin(w);
    json_key_string(w, "format", "ballast-approvals-1");
    json_key(w, "migrations");
    json_array_begin(w);
    for (size_t i = 0; i < waiting->n; i++)
        live_json_migration(w, &waiting->at[i]);
    json_array_end(w);
    json_object_end(w);
    return json_print_take(w, err);
}

static int run(const void *values, char **words, int n_words, struct error *err)
{
    const struct approve_options *o = values;
    bool change = o->all || n_words > 0;
    uint64_t ids[MOST_IDS];
    if (o->reject && !change)
        return exit_status_of((error_set(err, ERROR_INPUT, "--reject: name migrations, or --all"), err));
    for (int i = 0; i < n_words; i++)
        if (parse_id(words[i], &ids[i], err) < 0)
            return exit_status_of(err);
    struct store *store = NULL;
    struct store_migrations *waiting = NULL;
    if (live_open(o->store, change, &store, err) < 0)
        return exit_status_of(err);
    int rc = store_read_migrations(store, &(struct store_migration_filter){.waiting = true}, &waiting, err);
    for (size_t i = 0; rc == 0 && o->all && i < waiting->n; i++)
        if (waiting->at[i].state == STORE_MIGRATION_PROPOSED)
            rc = decide(store, waiting->at[i].id, o->reject, err);
    for (int i = 0; rc == 0 && !o->all && i < n_words; i++)
        rc = decide(store, ids[i], o->reject, err);
    if (rc == 0 && change) { // show what became of it
        waiting = store_migrations_free(waiting);
        rc = store_read_migrations(store, &(struct store_migration_filter){.waiting = true}, &waiting, err);
    }
    int status = rc < 0 ? exit_status_of(err) : EXIT_DONE;
    if (rc == 0 && (!change || o->json))
        status = print(waiting, o->json, err);
    store_migrations_free(waiting);
    store_close(store);
    return status;
}

const struct verb verb_approve = {
    .name = "approve",
    .words = "[ID...]",
    .most_words = MOST_IDS,
    .summary = "let migrations that wait for approval happen; without words: list them",
    .more =
        "In mode recommend migrations wait here for some minutes. An approved one is checked again when it\n"
        "starts, and carried out by the agent of its source. " LIVE_STORE_TEXT,
    .options = rows,
    .n_options = sizeof rows / sizeof *rows,
    .values_size = sizeof(struct approve_options),
    .run = run,
};
