#include "command/top_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const void *field(const void *row, size_t offset)
{
    return (const char *)row + offset;
}

static const char *text_at(const void *row, size_t offset)
{
    const char *text = *(const char *const *)field(row, offset);
    return text ? text : "";
}

static const void *row_at(const struct top_list *list, size_t index)
{
    return (const char *)list->rows + index * list->row_size;
}

void top_list_free(struct top_list *list)
{
    free(list->order);
    list->order = NULL;
    list->n_shown = 0;
}

void top_list_cell(const struct top_column *c, const void *row, char *text, size_t size, enum style *style)
{
    *style = STYLE_PLAIN;
    *text = '\0';
    switch (c->kind) {
    case TOP_TEXT:
        snprintf(text, size, "%s", text_at(row, c->offset));
        break;
    case TOP_NUMBER:
        snprintf(text, size, "%.*f", c->digits, c->scale * *(const double *)field(row, c->offset));
        break;
    case TOP_COUNT:
        snprintf(text, size, "%u", *(const unsigned *)field(row, c->offset));
        break;
    case TOP_SPECIAL:
        break;
    }
    if (c->special)
        c->special(row, text, size, style);
}

const void *top_list_row(const struct top_list *list, size_t place)
{
    return place < list->n_shown ? row_at(list, list->order[place]) : NULL;
}

static bool passes(const struct top_list *list, const void *row)
{
    if (!*list->filter)
        return true;
    for (size_t i = 0; i < list->n_columns; i++)
        if (list->columns[i].kind == TOP_TEXT &&
            strcasestr(text_at(row, list->columns[i].offset), list->filter))
            return true;
    return false;
}

static int compare_rows(const void *left, const void *right, void *data)
{
    const struct top_list *list = data;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    const void *row_a = row_at(list, a), *row_b = row_at(list, b);
    const struct top_column *c = &list->columns[list->sort];
    int order = 0;
    if (c->kind == TOP_NUMBER) {
        double x = *(const double *)field(row_a, c->offset), y = *(const double *)field(row_b, c->offset);
        order = (x > y) - (x < y);
    } else if (c->kind == TOP_COUNT) {
        unsigned x = *(const unsigned *)field(row_a, c->offset),
                 y = *(const unsigned *)field(row_b, c->offset);
        order = (x > y) - (x < y);
    } else {
        char x[TOP_KEY_BYTES], y[TOP_KEY_BYTES];
        enum style style;
        top_list_cell(c, row_a, x, sizeof x, &style);
        top_list_cell(c, row_b, y, sizeof y, &style);
        order = strcmp(x, y);
    }
    if (order != 0)
        return list->descending ? -order : order;
    return (a > b) - (a < b);
}

static void remember(struct top_list *list)
{
    const void *row = top_list_row(list, list->selected);
    if (row)
        snprintf(list->selected_key, sizeof list->selected_key, "%s", text_at(row, list->key_offset));
}

int top_list_update(struct top_list *list, const void *rows, size_t n_rows)
{
    size_t *order = realloc(list->order, (n_rows + 1) * sizeof *order);
    if (!order)
        return -1;
    list->order = order;
    list->rows = rows;
    list->n_rows = n_rows;
    list->n_shown = 0;
    for (size_t i = 0; i < n_rows; i++)
        if (passes(list, row_at(list, i)))
            order[list->n_shown++] = i;
    qsort_r(order, list->n_shown, sizeof *order, compare_rows, list);
    size_t place = list->selected;
    for (size_t i = 0; i < list->n_shown; i++)
        if (strcmp(text_at(top_list_row(list, i), list->key_offset), list->selected_key) == 0) {
            place = i;
            break;
        }
    list->selected = place < list->n_shown ? place : list->n_shown ? list->n_shown - 1 : 0;
    return 0;
}

void top_list_move(struct top_list *list, long delta)
{
    if (list->n_shown == 0)
        return;
    if (delta < 0 && (size_t)-delta > list->selected)
        list->selected = 0;
    else if (delta > 0 && (size_t)delta > list->n_shown - 1 - list->selected)
        list->selected = list->n_shown - 1;
    else
        list->selected = (size_t)((long)list->selected + delta);
    remember(list);
}

void top_list_scroll(struct top_list *list, size_t height)
{
    if (height == 0)
        return;
    if (list->selected < list->first)
        list->first = list->selected;
    if (list->selected >= list->first + height)
        list->first = list->selected - height + 1;
    size_t last = list->n_shown > height ? list->n_shown - height : 0;
    if (list->first > last)
        list->first = last;
}

bool top_list_search(struct top_list *list, const char *word, bool next)
{
    for (size_t i = 0; i < list->n_shown; i++) {
        size_t place = (list->selected + i + (next ? 1 : 0)) % list->n_shown;
        if (strcasestr(text_at(top_list_row(list, place), list->name_offset), word)) {
            list->selected = place;
            remember(list);
            return true;
        }
    }
    return false;
}

void top_list_sort(struct top_list *list, size_t column)
{
    enum top_kind kind = list->columns[column].kind;
    bool largest_first = kind == TOP_NUMBER || kind == TOP_COUNT;
    list->descending = list->sort == column ? !list->descending : largest_first;
    list->sort = column;
    remember(list); // the selection follows its row
    top_list_update(list, list->rows, list->n_rows);
}
