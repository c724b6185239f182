// A progress bar on standard error with the time left; silent unless that is a terminal.
#ifndef BALLAST_COMMAND_PROGRESS_H
#define BALLAST_COMMAND_PROGRESS_H

#include "base/timepoint.h"

struct progress {
    const char *label;
    struct mono started, shown;
    int enabled;
};

// Shows nothing yet; label is borrowed.
void progress_begin(struct progress *p, const char *label);

// done in [0, 1]. Draws at most ten times a second, and nothing in the first second: short work needs no bar.
void progress_update(struct progress *p, double done);

// Clears the line.
void progress_end(struct progress *p);

#endif
