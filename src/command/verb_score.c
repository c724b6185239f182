// ballast score: how well a snapshot's VMs are served.
#include "base/cleanup.h"
#include "command/load.h"
#include "command/score_print.h"
#include "command/verbs.h"

struct score_options {
    bool json;
};

static const struct option_row rows[] = {
    OPTION_FLAG(struct score_options, json, "json", "print one JSON object (ballast-score-1)"),
};

static int print_json(const struct score *score, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-score-1");
    score_put_keys(w, score);
    return json_print_end(w, err);
}

static int run(const void *values, char **words, struct error *err)
{
    const struct score_options *options = values;
    CLEANUP(snapshot_free) struct snapshot *snapshot = NULL;
    if (load_snapshot(words[0], &snapshot, err) < 0)
        return -1;
    struct score score;
    score_compute(snapshot, snapshot->arena, &score, NULL);
    if (options->json)
        return print_json(&score, err);
    printf("%u hosts, %u VMs\n\n", snapshot->hosts.n, snapshot->vms.n);
    score_print_table(stdout, (const char *const[]){"now"}, &score, 1);
    return EXIT_DONE;
}

const struct verb verb_score = {
    .name = "score",
    .words = "SNAPSHOT",
    .least_words = 1,
    .most_words = 1,
    .summary = "how well the VMs of a snapshot are served",
    .more = "SNAPSHOT is a ballast-snapshot-1 file, or - for standard input. Exit status: 0 done, 1 failed,\n"
            "2 wrong usage or input.",
    VERB_OPTIONS(rows, struct score_options),
    .run = run,
};
