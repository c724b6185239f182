#include "command/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_CELLS 30
#define FIRST_AFTER_S 1.0
#define REDRAW_AFTER_S 0.1

void progress_begin(struct progress *p, const char *label)
{
    p->label = label;
    p->started = p->shown = clock_mono();
    p->enabled = isatty(STDERR_FILENO);
}

void progress_update(struct progress *p, double done)
{
    if (!p->enabled)
        return;
    struct mono now = clock_mono();
    double elapsed_s = mono_seconds_between(p->started, now);
    if (elapsed_s < FIRST_AFTER_S || mono_seconds_between(p->shown, now) < REDRAW_AFTER_S)
        return;
    p->shown = now;
    done = fmin(fmax(done, 0), 1);
    int full = (int)(done * BAR_CELLS);
    char bar[BAR_CELLS + 1];
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)full);
    bar[BAR_CELLS] = '\0';
    double left_s = done > 0.01 ? elapsed_s * (1 - done) / done : NAN;
    fprintf(stderr, "\r\033[K%s [%s] %3.0f %%", p->label, bar, 100 * done);
    if (isfinite(left_s))
        fprintf(stderr, ", %.0f s left", ceil(left_s));
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->enabled && p->shown.ms != p->started.ms)
        fputs("\r\033[K", stderr);
}
