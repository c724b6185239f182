// The kernel's own word that tasks stall for want of memory (PSI): a file that becomes ready when they did, so that
// nobody has to wait for the next look. An aid: where the kernel has none, or does not let us, looks at their period
// are all there is.
#ifndef BALLAST_HOST_PRESSURE_H
#define BALLAST_HOST_PRESSURE_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "host/cgroup.h"

// So much stalling within so long is told, at most once in that time. A guest that faults in memory which the host must
// first reclaim stalls for milliseconds at a time; the window is the least that needs no privilege.
#define PRESSURE_STALL_US 50000
#define PRESSURE_WINDOW_US 2000000

struct pressure_watch {
    uv_poll_t poll;
    int fd; // -1: not watching, and poll is no handle
    bool told;
    uint64_t told_ms;
    unsigned n_soon; // so often in a row it was ready again too soon
    void (*stalled)(void *user);
    void *user;
};

// The file of the group that limits the host (version 2 has one a group), else the machine's.
void pressure_path(const char *proc_root, const struct cgroup_tree *tree,
                   const struct cgroup_capacity *limits, char *ret_path, size_t size);

// stalled is called on the loop. After an error nothing is told; where watch->fd is not -1 the handle is still to be
// closed. A file that is no PSI file is left as it was.
int pressure_watch_start(struct pressure_watch *watch, uv_loop_t *loop, const char *path,
                         void (*stalled)(void *user), void *user, struct error *err);

// The same for a descriptor that tells by urgent data (POLLPRI); it is the watch's from then on. On an error it is closed.
int pressure_watch_take(struct pressure_watch *watch, uv_loop_t *loop, int fd, void (*stalled)(void *user),
                        void *user, struct error *err);

// Stops watching; closed is called for the handle in a later turn. Not to be called for a watch whose fd is -1.
void pressure_watch_close(struct pressure_watch *watch, uv_close_cb closed);

#endif
