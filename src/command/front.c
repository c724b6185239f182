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

// Beside this program, as in a build's folder.
static const char *full_beside(char path[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof FULL);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return NULL;
    memcpy(slash + 1, FULL, sizeof FULL);
    return path;
}

void verbs_hand_over(char **argv)
{
    char path[PATH_MAX];
    const char *beside = full_beside(path), *installed = BALLAST_LIBEXEC "/" FULL;
    if (beside)
        execv(beside, argv);
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
    error_set(err, ERROR_FAILED, "a live cluster is read by " FULL);
    return EXIT_FAILED;
}
