#include "command/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/vector.h"

struct cell {
    const char *text;
    enum style style;
};

struct column {
    const char *title;
    enum table_align align;
    int width;
};

DEFINE_VECTOR(cells, struct cell);
DEFINE_VECTOR(columns, struct column);

struct table {
    struct arena *arena;
    struct columns columns;
    struct cells cells;
};

static void check(int result)
{
    if (result < 0) {
        fputs("ballast: no memory for a table\n", stderr);
        abort();
    }
}

// Columns that text takes: its code points. Names in wide scripts come out a little ragged, no worse.
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

struct table *table_new(const char *columns)
{
    struct table *t = calloc(1, sizeof *t);
    check(t ? 0 : -1);
    t->arena = arena_new(0);
    check(t->arena ? 0 : -1);
    for (const char *title = columns, *end;; title = end + 1) {
        bool right = *title == '>';
        title += right;
        end = strchrnul(title, '|');
        table_column(t, arena_strndup(t->arena, title, (size_t)(end - title)),
                     right ? ALIGN_RIGHT : ALIGN_LEFT);
        if (!*end)
            return t;
    }
}

void table_column(struct table *t, const char *title, enum table_align align)
{
    check(columns_push(&t->columns, (struct column){title, align, width_of(title)}));
}

void table_cell(struct table *t, enum style style, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_make_safe(text, 0);
    struct column *column = &t->columns.at[t->cells.n % t->columns.n];
    int width = width_of(text);
    if (width > column->width)
        column->width = width;
    check(cells_push(&t->cells, (struct cell){arena_strdup(t->arena, text), style}));
}

// The last column is not made narrower than that for the terminal's sake.
#define LAST_COLUMN_LEAST 24

// Columns of the terminal that out is, 0: it is none.
static int terminal_width(FILE *out)
{
    struct winsize size;
    return isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// How many bytes of text stand on one line of `room` columns: up to the last blank that is within it.
static int line_bytes(const char *text, int room)
{
    int blank = 0;
    for (int i = 0, width = 0; text[i]; i++) {
        if (text[i] == ' ')
            blank = i;
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (width > room && blank > 0)
            return blank;
    }
    return (int)strlen(text);
}

// The last cell of a row, on several lines where the terminal has no room for it on one.
static void print_last(const struct table *t, FILE *out, const char *text, enum style style)
{
    int indent = 0, room = terminal_width(out);
    for (size_t i = 0; i + 1 < t->columns.n; i++)
        indent += t->columns.at[i].width + 2;
    room = room == 0 ? width_of(text) : room - indent;
    if (room < LAST_COLUMN_LEAST)
        room = width_of(text);
    for (const char *rest = text;;) {
        int bytes = line_bytes(rest, room);
        fprintf(out, "%s%.*s%s\n", style_begin(out, style), bytes, rest,
                style == STYLE_PLAIN ? "" : style_end(out));
        rest += bytes;
        if (!*rest)
            return;
        rest++; // the blank
        fprintf(out, "%*s", indent, "");
    }
}

static void print_cell(const struct table *t, FILE *out, size_t column, const char *text, enum style style)
{
    int padding = t->columns.at[column].width - width_of(text);
    bool last = column + 1 == t->columns.n;
    if (t->columns.at[column].align == ALIGN_RIGHT)
        fprintf(out, "%*s", padding, "");
    if (last) {
        print_last(t, out, text, style);
        return;
    }
    fprintf(out, "%s%s%s", style_begin(out, style), text, style == STYLE_PLAIN ? "" : style_end(out));
    if (t->columns.at[column].align == ALIGN_LEFT)
        fprintf(out, "%*s", padding, "");
    fputs("  ", out);
}

void table_print_take(struct table *t, FILE *out)
{
    assert(t->columns.n > 0);
    for (size_t i = 0; i < t->columns.n; i++)
        print_cell(t, out, i, t->columns.at[i].title, STYLE_BOLD);
    for (size_t i = 0; i < t->cells.n; i++)
        print_cell(t, out, i % t->columns.n, t->cells.at[i].text, t->cells.at[i].style);
    columns_free(&t->columns);
    cells_free(&t->cells);
    arena_free(t->arena);
    free(t);
}

bool style_enabled(FILE *out)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(out)) && !(off && *off) && term && strcmp(term, "dumb") != 0;
}

const char *style_begin(FILE *out, enum style style)
{
    static const char *const sequences[] = {
        [STYLE_PLAIN] = "",        [STYLE_BOLD] = "\033[1m",  [STYLE_DIM] = "\033[2m",
        [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
    };
    return style_enabled(out) ? sequences[style] : "";
}

const char *style_end(FILE *out)
{
    return style_enabled(out) ? "\033[0m" : "";
}
