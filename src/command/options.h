// Options of the verbs as tables: parsing, ranges, defaults and --help come from one row each.
//
// A verb keeps its values in a struct of its own; each row says at which offset its value lives:
//
//     struct plan_options { char *goal; double horizon_s; int64_t max_moves; bool json; };
//     static const struct option_row rows[] = {
//         OPTION_CHOICE(struct plan_options, goal, "goal", "relieve|balance|pack", "relieve", "what to aim at"),
//         OPTION_NUMBER(struct plan_options, horizon_s, "horizon-s", "SECONDS", 1, 86400, 1800, "..."),
//         ...
#ifndef BALLAST_COMMAND_OPTIONS_H
#define BALLAST_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum option_type {
    OPTION_TYPE_FLAG,    // bool
    OPTION_TYPE_TEXT,    // const char *, NULL when absent and without default
    OPTION_TYPE_CHOICE,  // const char *, one of the words in metavar ("a|b|c")
    OPTION_TYPE_NUMBER,  // double
    OPTION_TYPE_INTEGER, // int64_t
    OPTION_TYPE_LIST,    // struct option_list: may be given several times
};

#define OPTION_LIST_MAX 64 // times that a list option may be given

struct option_list {
    const char *at[OPTION_LIST_MAX];
    unsigned n;
};

struct option_row {
    const char *name;    // without the dashes
    const char *metavar; // what --help shows for the value; the words of a choice
    enum option_type type;
    double low, high;          // numbers and integers
    double fallback;           // numbers and integers: the default; shown in --help unless hide_default
    const char *fallback_text; // texts and choices
    size_t offset;
    const char *help;
    bool hide_default; // the default is a stand-in for "not given"
};

#define OPTION_FLAG(type_, field_, name_, help_)                                                             \
    {                                                                                                        \
        .name = name_, .type = OPTION_TYPE_FLAG, .offset = offsetof(type_, field_), .help = help_            \
    }
#define OPTION_TEXT(type_, field_, name_, metavar_, fallback_, help_)                                        \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_TEXT, .fallback_text = fallback_,            \
        .offset = offsetof(type_, field_), .help = help_                                                     \
    }
#define OPTION_CHOICE(type_, field_, name_, words_, fallback_, help_)                                        \
    {                                                                                                        \
        .name = name_, .metavar = words_, .type = OPTION_TYPE_CHOICE, .fallback_text = fallback_,            \
        .offset = offsetof(type_, field_), .help = help_                                                     \
    }
#define OPTION_NUMBER(type_, field_, name_, metavar_, low_, high_, fallback_, help_)                         \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_NUMBER, .low = low_, .high = high_,          \
        .fallback = fallback_, .offset = offsetof(type_, field_), .help = help_                              \
    }
#define OPTION_INTEGER(type_, field_, name_, metavar_, low_, high_, fallback_, help_)                        \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_INTEGER, .low = low_, .high = high_,         \
        .fallback = fallback_, .offset = offsetof(type_, field_), .help = help_                              \
    }
// A number (integer) that has no default: absent it is fallback_, which --help does not show.
#define OPTION_NUMBER_OR(type_, field_, name_, metavar_, low_, high_, fallback_, help_)                      \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_NUMBER, .low = low_, .high = high_,          \
        .fallback = fallback_, .offset = offsetof(type_, field_), .help = help_, .hide_default = true        \
    }
#define OPTION_INTEGER_OR(type_, field_, name_, metavar_, low_, high_, fallback_, help_)                     \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_INTEGER, .low = low_, .high = high_,         \
        .fallback = fallback_, .offset = offsetof(type_, field_), .help = help_, .hide_default = true        \
    }
#define OPTION_LIST(type_, field_, name_, metavar_, help_)                                                   \
    {                                                                                                        \
        .name = name_, .metavar = metavar_, .type = OPTION_TYPE_LIST, .offset = offsetof(type_, field_),     \
        .help = help_                                                                                        \
    }

// Parses argv[1..] (argv[0] is the verb) by n rows into values: first every default, then what is given.
// Words that are no options are the positional arguments: ret_words points into argv (which is permuted).
// `--` ends the options. Errors: ERROR_INPUT with a text that names the option and what it takes.
int options_parse(const struct option_row *rows, size_t n, int argc, char **argv, void *values,
                  char ***ret_words, int *ret_n_words, struct error *err);

// Writes the words of text in columns indent to 79; line breaks in it are blanks.
void options_print_wrapped(FILE *out, int indent, const char *text);

// Writes the rows as --help shows them, one paragraph a row, wrapped for 80 columns.
void options_print(const struct option_row *rows, size_t n, FILE *out);

#endif
