// From top to bottom: meters, what is moving and why, hosts, VMs, one line about the selected row, keys.
//
// The parts share the height that there is: the VMs get what is left, at least half of it; a terminal that is
// too small for all loses the hosts, then the moves, then the meters, and below three lines says so. Lines are
// cut at the right. Everything is drawn anew each time; ncurses sends only what changed.
#include "command/top_screen.h"

#include <inttypes.h>
#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "command/live.h"
#include "store/setting_keys.h"

#define PAIR_HEADER 7
#define PAIR_SELECTED 8
#define MOST_MOVES 4 // lines for migrations

static SCREEN *terminal;

int top_screen_open(bool colours, struct error *err)
{
    setlocale(LC_ALL, "");
    const char *term = getenv("TERM");
    terminal = newterm(term && *term ? term : "dumb", stdout, stdin);
    if (!terminal)
        return error_set(err, ERROR_FAILED, "the terminal \"%s\" is not known here (TERM)", term ? term : "");
    set_term(terminal);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    set_escdelay(25);
    if (colours && has_colors()) {
        start_color();
        use_default_colors();
        init_pair(STYLE_GOOD, COLOR_GREEN, -1);
        init_pair(STYLE_WARN, COLOR_YELLOW, -1);
        init_pair(STYLE_BAD, COLOR_RED, -1);
        init_pair(PAIR_HEADER, COLOR_BLACK, COLOR_GREEN);
        init_pair(PAIR_SELECTED, COLOR_BLACK, COLOR_CYAN);
    }
    return 0;
}

void top_screen_close(void)
{
    endwin();
    delscreen(terminal);
    terminal = NULL;
}

static attr_t attribute_of(const struct top_screen *s, enum style style)
{
    switch (style) {
    case STYLE_PLAIN:
        return A_NORMAL;
    case STYLE_BOLD:
        return A_BOLD;
    case STYLE_DIM:
        return A_DIM;
    case STYLE_GOOD:
        return s->colours ? (attr_t)COLOR_PAIR(STYLE_GOOD) : A_NORMAL;
    case STYLE_WARN:
        return s->colours ? (attr_t)COLOR_PAIR(STYLE_WARN) : A_BOLD;
    case STYLE_BAD:
        return s->colours ? (attr_t)(COLOR_PAIR(STYLE_BAD) | A_BOLD) : A_STANDOUT;
    }
    return A_NORMAL;
}

// Text of at most `width` columns at (y, x), filled up with blanks; what a terminal would obey becomes '?'.
// Nothing is written beyond the right edge.
static void put(int y, int x, int width, bool right, const char *text)
{
    wchar_t out[512];
    int used = 0, n = 0, most = width < COLS - x ? width : COLS - x;
    mbstate_t state = {0};
    for (const char *at = text; *at && n < 500;) {
        wchar_t c;
        size_t bytes = mbrtowc(&c, at, strlen(at), &state);
        if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
            memset(&state, 0, sizeof state);
            bytes = 1;
            c = L'?';
        }
        int columns = wcwidth(c);
        if (columns < 0) {
            c = L'?';
            columns = 1;
        }
        if (used + columns > most)
            break;
        out[n++] = c;
        used += columns;
        at += bytes;
    }
    if (most <= 0)
        return;
    int blank = most - used;
    mvhline(y, x, ' ', most);
    mvaddnwstr(y, x + (right ? blank : 0), out, n);
}

static void put_line(int y, attr_t attribute, const char *text)
{
    attrset(attribute);
    put(y, 0, COLS, false, text);
    attrset(A_NORMAL);
}

// "CPU [|||||     12.3/64.0 cores]"
static void meter(const struct top_screen *s, int y, int x, int width, const char *label, double value,
                  double most, const char *unit)
{
    char figures[64];
    snprintf(figures, sizeof figures, " %.*f/%.*f %s", most < 1000 ? 1 : 0, value, most < 1000 ? 1 : 0, most,
             unit);
    int inner = width - 6, bar = inner - (int)strlen(figures);
    if (inner < (int)strlen(figures) || x >= COLS)
        return;
    double part = most > 0 ? value / most : 0;
    int filled = part >= 1 ? bar : part <= 0 ? 0 : (int)(part * bar + 0.5);
    attrset(A_BOLD);
    put(y, x, 4, false, label);
    mvaddch(y, x + 4, '[');
    attrset(attribute_of(s, part > 1 ? STYLE_BAD : part > 0.9 ? STYLE_WARN : STYLE_GOOD));
    for (int i = 0; i < filled; i++)
        mvaddch(y, x + 5 + i, '|');
    attrset(A_NORMAL);
    put(y, x + 5 + (bar > 0 ? bar : 0), (int)strlen(figures), false, figures);
    attrset(A_BOLD);
    addch(']');
    attrset(A_NORMAL);
}

static int draw_meters(const struct top_screen *s, int y)
{
    const struct store_cluster *c = s->cluster;
    double cores = 0, demand = 0, mem = 0, used = 0, current = 0;
    unsigned alive = 0;
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++) {
        const struct store_host *host = &c->hosts[h];
        if (!host->alive)
            continue;
        alive++;
        cores += host->cpu_cores;
        demand += host->cpu_demand_cores;
        mem += host->mem_mib - host->mem_reserved_mib;
        used += host->mem_used_mib;
        current += host->mem_current_mib;
    }
    char line[256];
    snprintf(line, sizeof line, "Hosts %u/%u  VMs %u  Score %.4f  lowest %.2f  lost %.2f VM-s/s  Mode %s%s",
             alive, c->snapshot->hosts.n, c->snapshot->vms.n, s->score.score, s->score.s_min,
             s->score.lost_vm_s_per_s, store_mode_name(c->mode), c->planning ? "  planning" : "");
    put_line(y, A_BOLD, line);
    int half = COLS >= 100 ? COLS / 2 : COLS;
    meter(s, y + 1, 0, half - 1, "CPU", demand, cores, "cores");
    if (COLS >= 100)
        meter(s, y + 1, half, half - 1, "Cur", current, mem, "MiB");
    meter(s, y + 2, 0, half - 1, "Mem", used, mem, "MiB");
    if (COLS >= 100) {
        snprintf(line, sizeof line, "Store %s", s->location);
        attrset(A_DIM);
        put(y + 2, half, half, false, line);
        attrset(A_NORMAL);
    }
    return y + 3;
}

static int draw_moves(const struct top_screen *s, int y, int most)
{
    const struct store_cluster *c = s->cluster;
    int shown = 0;
    for (size_t i = 0; i < c->n_migrations && shown < most; i++) {
        const struct store_migration *m = &c->migrations[i];
        char line[512], progress[96] = "";
        double all = m->progress.transferred_mib + m->progress.remaining_mib;
        if (m->state == STORE_MIGRATION_RUNNING && all > 0)
            snprintf(progress, sizeof progress, " %.0f%%, %.0f MiB left,",
                     100 * m->progress.transferred_mib / all, m->progress.remaining_mib);
        bool last = shown + 1 == most && i + 1 < c->n_migrations;
        if (last)
            snprintf(line, sizeof line, "  and %zu more", c->n_migrations - i);
        else
            snprintf(line, sizeof line, "%s %s: %s -> %s,%s %s",
                     m->state == STORE_MIGRATION_RUNNING ? ">>" : "  ", store_migration_state_name(m->state),
                     m->vm_name, m->move.to, progress, m->move.reason ? m->move.reason : "");
        put_line(y + shown, attribute_of(s, m->state == STORE_MIGRATION_UNKNOWN ? STYLE_WARN : STYLE_BOLD),
                 line);
        shown++;
    }
    return y + shown;
}

static void draw_row(const struct top_screen *s, const struct top_list *list, size_t place, int y,
                     bool selected)
{
    const void *row = top_list_row(list, place);
    int x = 0;
    attr_t base = !selected ? A_NORMAL : s->colours ? (attr_t)COLOR_PAIR(PAIR_SELECTED) : A_REVERSE;
    attrset(base);
    mvhline(y, 0, ' ', COLS);
    for (size_t i = 0; i < list->n_columns && x < COLS; i++) {
        const struct top_column *c = &list->columns[i];
        char text[512];
        enum style style;
        top_list_cell(c, row, text, sizeof text, &style);
        attrset(selected ? base : attribute_of(s, style));
        put(y, x, c->width ? c->width : COLS - x, c->right, text);
        x += c->width + 1;
    }
    attrset(A_NORMAL);
}

// Header and rows in `height` lines from y on.
static void draw_list(struct top_screen *s, struct top_list *list, int y, int height, bool focused)
{
    if (height <= 0)
        return;
    attr_t header = s->colours ? (attr_t)COLOR_PAIR(PAIR_HEADER) : A_REVERSE;
    attr_t sorted = s->colours ? (attr_t)COLOR_PAIR(PAIR_SELECTED) : A_REVERSE | A_UNDERLINE;
    int x = 0;
    attrset(focused ? header : header | A_DIM);
    mvhline(y, 0, ' ', COLS);
    for (size_t i = 0; i < list->n_columns && x < COLS; i++) {
        const struct top_column *c = &list->columns[i];
        attrset((i == list->sort ? sorted : header) | (focused ? A_NORMAL : A_DIM));
        put(y, x, c->width ? c->width : COLS - x, c->right, c->title);
        x += c->width + 1;
    }
    attrset(A_NORMAL);
    size_t rows = (size_t)height - 1;
    top_list_scroll(list, rows);
    for (size_t i = 0; i < rows && list->first + i < list->n_shown; i++)
        draw_row(s, list, list->first + i, y + 1 + (int)i, focused && list->first + i == list->selected);
    if (list->n_shown == 0 && rows > 0)
        put_line(y + 1, A_DIM, *list->filter ? "  nothing passes the filter" : "  nothing here yet");
}

static const struct store_migration *migration_of(const struct store_cluster *c, uint64_t id)
{
    for (size_t i = 0; c && id && i < c->n_migrations; i++)
        if (c->migrations[i].id == id)
            return &c->migrations[i];
    return NULL;
}

// One line: trouble with the store, else what is known about the selected row.
static void draw_about(const struct top_screen *s, int y)
{
    char line[700] = "", age[16];
    if (s->trouble) {
        snprintf(line, sizeof line, "%s%s%s%s", s->cluster ? "Old by " : "",
                 s->cluster ? live_age(s->stale_ms, age) : "", s->cluster ? ": " : "", s->trouble);
        put_line(y, attribute_of(s, STYLE_BAD), line);
        return;
    }
    const struct top_list *list = s->hosts_focused ? &s->hosts : &s->vms;
    const void *row = top_list_row(list, list->selected);
    if (row && !s->hosts_focused) {
        const struct store_vm *v = row;
        const struct store_migration *m = migration_of(s->cluster, v->migration_id);
        const char *why = v->why ? v->why : "nothing to do";
        if (m)
            snprintf(line, sizeof line, "%s: moves to %s: %s", v->name, m->move.to,
                     m->move.reason ? m->move.reason : "");
        else
            snprintf(line, sizeof line, "%s: %s%s%s%s%s", v->name, why,
                     v->balloon_why ? "; no balloon: " : "", v->balloon_why ? v->balloon_why : "",
                     v->movable ? "" : "; stays: ", v->movable || !v->movable_why ? "" : v->movable_why);
    } else if (row) {
        const struct store_host *h = row;
        snprintf(line, sizeof line, "%s: %s%s%s; Enter shows its VMs", h->name, live_host_state(h, NULL),
                 h->closed_why ? ", " : "", h->closed_why ? h->closed_why : "");
    }
    put_line(y, A_DIM, line);
}

static void draw_keys(const struct top_screen *s, int y)
{
    char line[256];
    if (s->prompt == TOP_SEARCH) {
        snprintf(line, sizeof line, "Search: %s_%s  (F3 next, Enter keep, Esc leave)", s->word,
                 s->not_found ? "  not found" : "");
        put_line(y, A_REVERSE, line);
        return;
    }
    if (s->prompt == TOP_FILTER) {
        snprintf(line, sizeof line, "Filter: %s_  (Enter keep, Esc clear)", s->word);
        put_line(y, A_REVERSE, line);
        return;
    }
    static const char *const keys[][2] = {{"F1", "Help"},       {"F3", "Search"}, {"F4", "Filter"},
                                          {"Tab", "Hosts/VMs"}, {"F6", "SortBy"}, {"F10", "Quit"}};
    const char *filter = s->hosts_focused ? s->hosts.filter : s->vms.filter;
    int x = 0;
    put_line(y, A_NORMAL, "");
    for (size_t i = 0; i < sizeof keys / sizeof *keys && x < COLS; i++) {
        put(y, x, (int)strlen(keys[i][0]), false, keys[i][0]);
        x += (int)strlen(keys[i][0]);
        attrset(s->colours ? (attr_t)COLOR_PAIR(PAIR_SELECTED) : A_REVERSE);
        put(y, x, (int)strlen(keys[i][1]) + 2, false, keys[i][1]);
        attrset(A_NORMAL);
        x += (int)strlen(keys[i][1]) + 2;
    }
    if (*filter && x < COLS) {
        snprintf(line, sizeof line, " filter: %s", filter);
        put(y, x, COLS - x, false, line);
    }
}

static void draw_box(const struct top_screen *s, const char *const *lines, size_t n, size_t marked)
{
    for (size_t i = 0; i < n && (int)i < LINES - 1; i++) {
        char text[96];
        snprintf(text, sizeof text, " %-.70s", lines[i]);
        attrset(i == marked ? (s->colours ? (attr_t)COLOR_PAIR(PAIR_SELECTED) : A_REVERSE) : A_BOLD);
        put((int)i, 0, COLS, false, text);
    }
    attrset(A_NORMAL);
}

static void draw_sort_menu(const struct top_screen *s)
{
    const struct top_list *list = s->hosts_focused ? &s->hosts : &s->vms;
    const char *lines[32];
    size_t n = 0, first = 0, height = LINES > 2 ? (size_t)LINES - 2 : 1;
    lines[n++] = "Sort by (Enter choose, Esc leave)";
    if (s->sort_choice >= height - 1 && height > 1)
        first = s->sort_choice - (height - 2);
    for (size_t i = first; i < list->n_columns && n < 32; i++)
        lines[n++] = *list->columns[i].title ? list->columns[i].title : "(why)";
    draw_box(s, lines, n, s->sort_choice - first + 1);
}

static void draw_help(const struct top_screen *s)
{
    static const char *const lines[] = {
        "ballast top: the hosts and VMs of the cluster, as their agents report them. Read-only.",
        "",
        "Arrows, PgUp, PgDn, Home, End   move          Tab        hosts / VMs",
        "F3 or /   search by name, F3 again: next      Enter      on a host: its VMs",
        "F4 or \\   filter                              Esc        all again",
        "F6 or >   sort by;  I  turn round             P M N S    by CPU, memory, name, satisfaction",
        "F1 or h   this help                           q or F10   quit",
        "",
        "MAX      most that the VM may have            WANTED   cores that it asks for",
        "CURRENT  what its balloon leaves it           ENTIT    what it is entitled to",
        "USED     what the guest needs                 CPU% MEM%  how far it is satisfied",
        "ACTUAL   what backs it on the host            MEMORY   of the host: high, soft, hard, low",
        "",
        "Any key goes back.",
    };
    erase();
    draw_box(s, lines, sizeof lines / sizeof *lines, SIZE_MAX);
}

int top_screen_draw(struct top_screen *s)
{
    erase();
    if (LINES < 3 || COLS < 20) {
        put_line(0, A_NORMAL, "too small");
        refresh();
        return 1;
    }
    int y = 0, bottom = LINES - 2; // the about line and the keys are below
    int rows = 1;
    if (s->cluster) {
        if (LINES >= 12)
            y = draw_meters(s, y);
        if (LINES >= 16)
            y = draw_moves(s, y, MOST_MOVES);
        int left = bottom - y, hosts = (int)s->hosts.n_shown + 1;
        if (hosts > left / 2)
            hosts = left / 2;
        if (left < 8 || hosts < 2) // one list at a time: the focused one
            hosts = s->hosts_focused ? left : 0;
        draw_list(s, &s->hosts, y, hosts, s->hosts_focused);
        draw_list(s, &s->vms, y + hosts, left - hosts, !s->hosts_focused);
        rows = (s->hosts_focused ? hosts : left - hosts) - 1;
    } else {
        put_line(0, A_BOLD, "ballast top: waiting for the store");
        put_line(1, A_NORMAL, s->location);
    }
    draw_about(s, LINES - 2);
    draw_keys(s, LINES - 1);
    if (s->prompt == TOP_SORT)
        draw_sort_menu(s);
    if (s->prompt == TOP_HELP)
        draw_help(s);
    refresh();
    return rows > 1 ? rows : 1;
}
