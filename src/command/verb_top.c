// ballast top: the live screen. Reads the store every --interval seconds and never writes to it. When the store
// cannot be read it goes on showing what it knew, says so, and tries again.
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "command/live.h"
#include "command/top_columns.h"
#include "command/top_screen.h"
#include "command/verbs.h"

#define READ_TIMEOUT_MS 1000 // keys wait that long at most when the store hangs
#define KEY_ESCAPE 27

struct top_options {
    const char *store;
    double interval_s;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct top_options),
    OPTION_NUMBER(struct top_options, interval_s, "interval", "SECONDS", 0.2, 3600, 2,
                  "time between two readings"),
};

struct top {
    struct top_screen screen;
    char location[512];
    struct store *store;
    struct store_cluster *cluster;
    struct error trouble;
    struct mono read_at; // when cluster was read
    int page;
    bool quit;
};

static struct top_list *focused(struct top *t)
{
    return t->screen.hosts_focused ? &t->screen.hosts : &t->screen.vms;
}

static int update_lists(struct top *t)
{
    if (!t->cluster)
        return 0;
    int rc = top_list_update(&t->screen.hosts, t->cluster->hosts, t->cluster->snapshot->hosts.n);
    return rc < 0 ? rc : top_list_update(&t->screen.vms, t->cluster->vms, t->cluster->snapshot->vms.n);
}

// Opens the store where needed and reads it. Failing leaves what was known.
static void read_store(struct top *t)
{
    struct store_options options = {.read_only = true, .must_exist = true, .timeout_ms = READ_TIMEOUT_MS};
    struct store_cluster *fresh = NULL;
    error_clear(&t->trouble);
    if (!t->store && store_open(t->location, &options, &t->store, &t->trouble) < 0)
        return;
    if (store_read_cluster(t->store, NULL, &fresh, &t->trouble) < 0) {
        if (t->trouble.kind == ERROR_LOST)
            t->store = store_close(t->store);
        return;
    }
    struct store_cluster *old = t->cluster;
    t->cluster = fresh;
    t->read_at = clock_mono();
    t->screen.cluster = fresh;
    if (update_lists(t) < 0)
        error_set(&t->trouble, ERROR_MEMORY, "no memory");
    t->screen.score = (struct score){.score = 1, .s_min = 1};
    if (fresh->snapshot->hosts.n)
        live_score(fresh, &t->screen.score);
    store_cluster_free(old);
}

static void type_word(struct top *t, int key)
{
    size_t n = strlen(t->screen.word);
    if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n > 0)
        t->screen.word[n - 1] = '\0';
    else if (key >= 32 && key < 256 && key != 127 && n + 1 < sizeof t->screen.word) {
        t->screen.word[n] = (char)key;
        t->screen.word[n + 1] = '\0';
    }
}

static void set_filter(struct top *t, const char *word)
{
    snprintf(focused(t)->filter, sizeof focused(t)->filter, "%s", word);
    update_lists(t);
}

static void key_in_search(struct top *t, int key)
{
    struct top_screen *s = &t->screen;
    if (key == KEY_ESCAPE || key == '\n' || key == KEY_ENTER) {
        s->prompt = TOP_NO_PROMPT;
        return;
    }
    bool next = key == KEY_F(3);
    if (!next)
        type_word(t, key);
    s->not_found = *s->word && !top_list_search(focused(t), s->word, next);
}

static void key_in_filter(struct top *t, int key)
{
    if (key == KEY_ESCAPE)
        t->screen.word[0] = '\0';
    else
        type_word(t, key);
    set_filter(t, t->screen.word);
    if (key == KEY_ESCAPE || key == '\n' || key == KEY_ENTER)
        t->screen.prompt = TOP_NO_PROMPT;
}

static void key_in_sort(struct top *t, int key)
{
    struct top_screen *s = &t->screen;
    size_t n = focused(t)->n_columns;
    if (key == KEY_UP && s->sort_choice > 0)
        s->sort_choice--;
    else if (key == KEY_DOWN && s->sort_choice + 1 < n)
        s->sort_choice++;
    else if (key == '\n' || key == KEY_ENTER) {
        top_list_sort(focused(t), s->sort_choice);
        s->prompt = TOP_NO_PROMPT;
    } else if (key == KEY_ESCAPE || key == 'q')
        s->prompt = TOP_NO_PROMPT;
}

// Sorts by the first column of that title.
static void sort_by(struct top *t, const char *title)
{
    struct top_list *list = focused(t);
    for (size_t i = 0; i < list->n_columns; i++)
        if (strcmp(list->columns[i].title, title) == 0) {
            top_list_sort(list, i);
            return;
        }
}

static void show_vms_of_selected(struct top *t)
{
    const struct store_host *host = top_list_row(&t->screen.hosts, t->screen.hosts.selected);
    if (!t->screen.hosts_focused || !host)
        return;
    t->screen.hosts_focused = false;
    set_filter(t, host->name);
}

static void open_prompt(struct top *t, enum top_prompt prompt)
{
    t->screen.prompt = prompt;
    t->screen.not_found = false;
    snprintf(t->screen.word, sizeof t->screen.word, "%s", prompt == TOP_FILTER ? focused(t)->filter : "");
    t->screen.sort_choice = focused(t)->sort;
}

static void key_in_list(struct top *t, int key)
{
    struct top_list *list = focused(t);
    switch (key) {
    case KEY_UP:
        top_list_move(list, -1);
        break;
    case KEY_DOWN:
        top_list_move(list, 1);
        break;
    case KEY_PPAGE:
        top_list_move(list, -t->page);
        break;
    case KEY_NPAGE:
        top_list_move(list, t->page);
        break;
    case KEY_HOME:
        top_list_move(list, -(long)list->n_shown);
        break;
    case KEY_END:
        top_list_move(list, (long)list->n_shown);
        break;
    case '\t':
        t->screen.hosts_focused = !t->screen.hosts_focused;
        break;
    case '\n':
    case KEY_ENTER:
        show_vms_of_selected(t);
        break;
    case KEY_ESCAPE:
        set_filter(t, "");
        break;
    case KEY_F(1):
    case 'h':
    case '?':
        open_prompt(t, TOP_HELP);
        break;
    case KEY_F(3):
    case '/':
        open_prompt(t, TOP_SEARCH);
        break;
    case KEY_F(4):
    case '\\':
        open_prompt(t, TOP_FILTER);
        break;
    case KEY_F(6):
    case '>':
        open_prompt(t, TOP_SORT);
        break;
    case 'I':
        top_list_sort(list, list->sort);
        break;
    case 'P':
        sort_by(t, "WANTED");
        break;
    case 'M':
        sort_by(t, "USED");
        break;
    case 'N':
        sort_by(t, t->screen.hosts_focused ? "HOST" : "VM");
        break;
    case 'S':
        sort_by(t, t->screen.hosts_focused ? "UNMET" : "MEM%");
        break;
    case 'q':
    case KEY_F(10):
        t->quit = true;
        break;
    default:
        break;
    }
}

static void on_key(struct top *t, int key)
{
    if (key == KEY_RESIZE)
        return; // drawn anew anyway
    if (key == KEY_F(10)) {
        t->quit = true;
        return;
    }
    switch (t->screen.prompt) {
    case TOP_NO_PROMPT:
        key_in_list(t, key);
        break;
    case TOP_SEARCH:
        key_in_search(t, key);
        break;
    case TOP_FILTER:
        key_in_filter(t, key);
        break;
    case TOP_SORT:
        key_in_sort(t, key);
        break;
    case TOP_HELP:
        t->screen.prompt = TOP_NO_PROMPT;
        break;
    }
}

static void loop(struct top *t, int64_t interval_ms)
{
    struct mono next = clock_mono();
    while (!t->quit) {
        struct mono now = clock_mono();
        if (now.ms >= next.ms) {
            read_store(t);
            next = mono_after_ms(clock_mono(), interval_ms);
        }
        t->screen.trouble = t->trouble.kind != ERROR_NONE ? t->trouble.text : NULL;
        t->screen.stale_ms = clock_mono().ms - t->read_at.ms;
        t->page = top_screen_draw(&t->screen);
        int64_t wait_ms = next.ms - clock_mono().ms;
        timeout(wait_ms > 0 ? (int)wait_ms : 1);
        int key = getch();
        if (key == ERR && (ferror(stdin) || feof(stdin)))
            return; // the terminal is gone
        if (key != ERR)
            on_key(t, key);
    }
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct top_options *options = values;
    const char *location = NULL, *off = getenv("NO_COLOR");
    struct top t = {.screen = {.hosts = top_hosts(), .vms = top_vms(), .colours = !(off && *off)}};
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        error_set(err, ERROR_FAILED, "needs a terminal; `ballast vms` and `ballast hosts` print the same");
        return EXIT_FAILED;
    }
    if (live_location(options->store, t.location, sizeof t.location, &location, err) < 0)
        return -1;
    if (location != t.location)
        snprintf(t.location, sizeof t.location, "%s", location);
    t.screen.location = t.location;
    read_store(&t);
    if (!t.cluster) { // a store that was never there is a mistake, not a disturbance
        *err = t.trouble;
        store_close(t.store);
        return -1;
    }
    if (top_screen_open(t.screen.colours, err) < 0)
        return EXIT_FAILED;
    t.screen.colours = t.screen.colours && has_colors();
    loop(&t, (int64_t)(options->interval_s * 1000));
    top_screen_close();
    top_list_free(&t.screen.hosts);
    top_list_free(&t.screen.vms);
    store_cluster_free(t.cluster);
    store_close(t.store);
    return EXIT_DONE;
}

const struct verb verb_top = {
    .name = "top",
    .words = "",
    .summary = "the live screen: hosts and VMs, what is moving and why",
    .more = "Keys as in htop: F1 help, F3 search, F4 filter, F6 sort, arrows, q. Read-only. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct top_options),
    .run = run,
};
