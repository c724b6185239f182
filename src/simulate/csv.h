// A cursor over comma-separated text in memory: lines, fields and numbers, each checked. No quoting: none of
// the formats read here has it. Errors are "FILE:LINE: what: cure".
#ifndef BALLAST_SIMULATE_CSV_H
#define BALLAST_SIMULATE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct csv {
    const char *file;
    const char *at;       // next line's beginning
    const char *end;      // of the text
    unsigned line;        // number of the current line, from 1
    const char *field;    // next field of the current line, NULL when the line is used up
    const char *line_end; // of the current line, without \r\n
};

struct csv csv_begin(const char *file, const char *text, size_t size);

// Goes to the next line that is not empty; false at the end of the text.
bool csv_next_line(struct csv *csv);

// The next field of the line; -1 with an error naming the column when the line has no more.
int csv_text(struct csv *csv, const char *column, const char **ret_text, size_t *ret_length,
             struct error *err);

// The next field as a number from least to most: digits with an optional point, no exponent, no sign but '-'.
int csv_number(struct csv *csv, const char *column, double least, double most, double *ret_number,
               struct error *err);

// The next field as an integer from 0 to most.
int csv_integer(struct csv *csv, const char *column, uint32_t most, uint32_t *ret_number, struct error *err);

// An error when the line has another field.
int csv_line_done(struct csv *csv, struct error *err);

// An error that names file and line. Gives -1; a macro so that compilers and analysers see it.
#define csv_error(...)                                                                                       \
    ({                                                                                                       \
        csv_fill_error(__VA_ARGS__);                                                                         \
        -1;                                                                                                  \
    })
void csv_fill_error(const struct csv *csv, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
