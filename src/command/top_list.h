// A list on the live screen: columns as a table, rows filtered, sorted, searched, one of them selected. No
// terminal in here, so that it can be tested.
#ifndef BALLAST_COMMAND_TOP_LIST_H
#define BALLAST_COMMAND_TOP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "command/table.h"

#define TOP_WORD_BYTES 64
#define TOP_KEY_BYTES 256

enum top_kind {
    TOP_TEXT,   // const char * at offset, NULL shows nothing
    TOP_NUMBER, // double at offset, times scale, with digits
    TOP_COUNT,  // unsigned int at offset
    TOP_SPECIAL // print writes it; sorted by its text
};

struct top_column {
    const char *title;
    int width; // 0: what is left of the line (last column)
    bool right;
    enum top_kind kind;
    size_t offset;
    double scale;
    int digits;
    // TOP_SPECIAL: writes the cell. Others: may choose the style. NULL allowed.
    void (*special)(const void *row, char *text, size_t size, enum style *style);
};

struct top_list {
    const struct top_column *columns;
    size_t n_columns;
    size_t row_size;
    size_t key_offset;  // const char *: what identifies a row from one reading to the next
    size_t name_offset; // const char *: what search looks in
    // state
    const void *rows; // borrowed until the next top_list_update
    size_t n_rows;
    size_t *order; // rows shown, in order
    size_t n_shown;
    size_t selected; // in order; 0 when empty
    size_t first;    // first one on the screen
    size_t sort;     // column
    bool descending;
    char filter[TOP_WORD_BYTES]; // in any text column, case ignored; empty: all
    char selected_key[TOP_KEY_BYTES];
};

void top_list_free(struct top_list *list);

// New rows: filters, sorts (ties by the rows' own order), finds the selected row again. -1: no memory.
int top_list_update(struct top_list *list, const void *rows, size_t n_rows);

// The row at a place of the order; NULL beyond the end.
const void *top_list_row(const struct top_list *list, size_t place);

// Moves the selection by delta rows, stopping at the ends.
void top_list_move(struct top_list *list, long delta);

// Scrolls so that the selected row is among `height` rows shown.
void top_list_scroll(struct top_list *list, size_t height);

// Selects the next row (from the selected one on, or after it when `next`) whose name has word in it, going
// round. False when there is none.
bool top_list_search(struct top_list *list, const char *word, bool next);

// Sorts by a column: figures largest first, text from A; the same column again turns it round.
void top_list_sort(struct top_list *list, size_t column);

// The text of a cell.
void top_list_cell(const struct top_column *column, const void *row, char *text, size_t size,
                   enum style *style);

#endif
