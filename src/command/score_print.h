// A score as the public formats and a person want it, and the JSON object around it.
#ifndef BALLAST_COMMAND_SCORE_PRINT_H
#define BALLAST_COMMAND_SCORE_PRINT_H

#include <stdio.h>

#include "decide/score.h"
#include "model/json_writer.h"

// The keys of a score object, from "score" on, into an object that is open.
void score_put_keys(struct json_writer *w, const struct score *score);

// A table with one column a score: titles[i] above scores[i].
void score_print_table(FILE *out, const char *const *titles, const struct score *scores, unsigned n);

// What a verb prints with --json: one object that begins with its format. Aborts when out of memory.
struct json_writer *json_print_begin(const char *format);

// Ends the object, prints it and a line break on stdout, frees the writer. EXIT_DONE or -1.
int json_print_end(struct json_writer *w, struct error *err);

#endif
