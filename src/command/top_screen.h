// Drawing the live screen with ncurses.
#ifndef BALLAST_COMMAND_TOP_SCREEN_H
#define BALLAST_COMMAND_TOP_SCREEN_H

#include "command/top_list.h"
#include "decide/score.h"
#include "store/store.h"

enum top_prompt { TOP_NO_PROMPT, TOP_SEARCH, TOP_FILTER, TOP_SORT, TOP_HELP };

struct top_screen {
    const struct store_cluster *cluster; // NULL until the store could be read
    struct score score;
    const char *location;
    struct top_list hosts, vms;
    bool hosts_focused;
    enum top_prompt prompt;
    char word[TOP_WORD_BYTES]; // what is being typed
    bool not_found;            // the search
    size_t sort_choice;        // row of the sort menu
    const char *trouble;       // NULL, or why what is shown is old
    int64_t stale_ms;          // its age then
    bool colours;
};

// Begins using the terminal; -1 with an error when it cannot. Ends on top_screen_close and on signals that end
// the program.
int top_screen_open(bool colours, struct error *err);
void top_screen_close(void);

// Draws everything for the size that the terminal has now. Returns the rows of the focused list, for paging.
int top_screen_draw(struct top_screen *s);

#endif
