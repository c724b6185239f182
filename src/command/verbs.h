// The verbs of the ballast command: one row and one file each.
#ifndef BALLAST_COMMAND_VERBS_H
#define BALLAST_COMMAND_VERBS_H

#include "command/options.h"

// Exit statuses, fixed by the public formats.
enum exit_status {
    EXIT_DONE = 0,   // also when the best plan is empty
    EXIT_FAILED = 1, // failed at run time, or not everything could be placed
    EXIT_USAGE = 2,  // wrong usage or wrong input
};

struct verb {
    const char *name;
    const char *words; // the positional arguments in --help: "SNAPSHOT", "[VM]"
    int least_words, most_words;
    const char *summary; // one line
    const char *more;    // what --help says below the options; may be NULL
    const struct option_row *options;
    size_t n_options;
    size_t values_size; // of the struct that the options fill
    // Does the work; words are between least and most, then NULL. Prints its own results on stdout and returns an
    // exit status. On an error it fills err, prints nothing and returns -1: main reports it.
    int (*run)(const void *values, char **words, struct error *err);
};

#define VERB_OPTIONS(rows_, type_)                                                                           \
    .options = rows_, .n_options = sizeof(rows_) / sizeof *(rows_), .values_size = sizeof(type_)

// The verbs of this program, in the order of --help: all of them in ballast-full, those on snapshots in ballast.
extern const struct verb *const verbs[];
extern const size_t n_verbs;

// Becomes the program that has all verbs, with the same arguments; returns only where this one is it.
void verbs_hand_over(char **argv);

extern const struct verb verb_place;
extern const struct verb verb_plan;
extern const struct verb verb_status, verb_hosts, verb_vms, verb_explain, verb_events, verb_set, verb_approve,
    verb_pause, verb_resume, verb_top;
extern const struct verb verb_score;
extern const struct verb verb_simulate;
extern const struct verb verb_generate;

#endif
