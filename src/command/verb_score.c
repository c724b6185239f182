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
    struct json_writer *w = json_writer_new(true);
    if (!w)
        return exit_status_of((error_set(err, ERROR_MEMORY, "no memory"), err));
    json_object_begin(w);
    json_key_string(w, "format", "ballast-score-1");
    score_put_keys(w, score);
    json_object_end(w);
    return json_print_take(w, err);
}

static int run(const void *values, char **words, int n_words, struct error *err)
{
    (void)n_words;
    const struct score_options *options = values;
    struct snapshot *snapshot = NULL;
    if (load_snapshot(words[0], &snapshot, err) < 0)
        return exit_status_of(err);
    struct score score;
    score_compute(snapshot, snapshot->arena, &score, NULL);
    int status = EXIT_DONE;
    if (options->json) {
        status = print_json(&score, err);
    } else {
        printf("%u hosts, %u VMs\n\n", snapshot->hosts.n, snapshot->vms.n);
        score_print_table(stdout, (const char *const[]){"now"}, &score, 1);
    }
    snapshot_free(snapshot);
    return status;
}

const struct verb verb_score = {
    .name = "score",
    .words = "SNAPSHOT",
    .least_words = 1,
    .most_words = 1,
    .summary = "how well the VMs of a snapshot are served",
    .more = "SNAPSHOT is a ballast-snapshot-1 file, or - for standard input. Exit status: 0 done, 1 failed,\n"
            "2 wrong usage or input.",
    .options = rows,
    .n_options = sizeof rows / sizeof *rows,
    .values_size = sizeof(struct score_options),
    .run = run,
};
