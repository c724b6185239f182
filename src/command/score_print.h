// A score as the public formats and a person want it.
#ifndef BALLAST_COMMAND_SCORE_PRINT_H
#define BALLAST_COMMAND_SCORE_PRINT_H

#include <stdio.h>

#include "decide/score.h"
#include "model/json_writer.h"

// The keys of a score object, from "score" on, into an object that is open.
void score_put_keys(struct json_writer *w, const struct score *score);

// A table with one column a score: titles[i] above scores[i].
void score_print_table(FILE *out, const char *const *titles, const struct score *scores, unsigned n);

// Prints the writer's text and a line break on stdout; frees the writer. Returns an exit status.
int json_print_take(struct json_writer *w, struct error *err);

#endif
