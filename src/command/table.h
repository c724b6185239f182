// Tables for people: columns as wide as their widest cell, numbers to the right, the last column on several lines where a
// terminal is too narrow for it, a header in bold on a terminal (NO_COLOR and TERM=dumb honoured). Cells are made safe: control characters become '?'.
#ifndef BALLAST_COMMAND_TABLE_H
#define BALLAST_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum table_align { ALIGN_LEFT, ALIGN_RIGHT };

// How a cell or a word stands out. Plain when colours are off.
enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_WARN, STYLE_BAD };

struct table;

// columns: their titles separated by '|', those of figures with '>' before them ("VM|HOST|>MiB"). Aborts when out
// of memory, as all of table does: a program that cannot print has nothing else to do.
struct table *table_new(const char *columns);

// One column more, before the first cell.
void table_column(struct table *t, const char *title, enum table_align align);

// Adds the next cell of the current row; rows fill from left to right and begin by themselves.
void table_cell(struct table *t, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Prints and frees it.
void table_print_take(struct table *t, FILE *out);

// Whether out is a terminal that takes colours and nobody said NO_COLOR.
bool style_enabled(FILE *out);

// The escape sequence that begins a style on out ("" when colours are off), and the one that ends it.
const char *style_begin(FILE *out, enum style style);
const char *style_end(FILE *out);

#endif
