// ballast pause, resume: the cluster's mode as one word.
#include "command/live.h"
#include "command/verbs.h"

struct pause_options {
    const char *store;
};

static const struct option_row rows[] = {LIVE_OPTION(struct pause_options)};

static int set_mode(const struct pause_options *o, const char *mode, struct error *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    if (live_open(o->store, true, &store, err) < 0)
        return -1;
    return store_set(store, STORE_SCOPE_CLUSTER, "", "mode", mode, err);
}

static int run_pause(const void *values, char **words, struct error *err)
{
    (void)words;
    return set_mode(values, "observe", err);
}

static int run_resume(const void *values, char **words, struct error *err)
{
    (void)words;
    return set_mode(values, NULL, err);
}

const struct verb verb_pause = {
    .name = "pause",
    .words = "",
    .summary = "begin nothing more in the whole cluster (mode observe); what runs is finished",
    .more = LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct pause_options),
    .run = run_pause,
};

const struct verb verb_resume = {
    .name = "resume",
    .words = "",
    .summary = "end a pause: hosts and VMs act by their own modes again",
    .more = "Takes the cluster's mode back, whoever set it: one that `ballast set --cluster mode`\n"
            "gave before the pause is to be set again instead.\n" LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct pause_options),
    .run = run_resume,
};
