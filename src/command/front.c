// The thin program behind `ballast`: verbs that work on snapshot files and need little but the decisions, and are called
// often by scripts. It links no store, no terminal library and no trace readers, whose loading would take as long as
// planning for 200 VMs does. Every other call is handed over, as it came, to `ballast-full`, which has all verbs.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/live.h"
#include "command/verbs.h"

const struct verb *const verbs[] = {&verb_score, &verb_plan, &verb_place};

const size_t n_verbs = sizeof verbs / sizeof *verbs;

#define FULL "ballast-full"

// Starts the program at `relative` to this one's folder; returns when there is none.
static void start_beside(const char *relative, char **argv)
{
    char path[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    if (n <= 0 || n == PATH_MAX)
        return;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return;
    snprintf(slash + 1, 64, "%s", relative);
    execv(path, argv);
}

// Beside this program, as in a build's folder; in the libexec of the tree in which this one lies; where it was installed.
void verbs_hand_over(char **argv)
{
    const char *installed = BALLAST_LIBEXEC "/" FULL;
    start_beside(FULL, argv);
    start_beside("../libexec/ballast/" FULL, argv);
    execv(installed, argv);
    fprintf(stderr, "ballast: start %s: %s\n", installed, strerror(errno));
    exit(EXIT_FAILED);
}

// Only reached if main did not see --live: never.
int live_with_snapshot(const char *given,
                       int (*use)(const void *values, const struct snapshot *snapshot, struct error *err),
                       const void *values, struct error *err)
{
    (void)given;
    (void)use;
    (void)values;
    return error_set(err, ERROR_FAILED, "a live cluster is read by " FULL);
}
