#include "host/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void pressure_path(const char *proc_root, const struct cgroup_tree *tree,
                   const struct cgroup_capacity *limits, char *ret_path, size_t size)
{
    if (tree->version == 2 && limits->memory_group[0])
        snprintf(ret_path, size, "%s%s/memory.pressure", tree->root,
                 strcmp(limits->memory_group, "/") == 0 ? "" : limits->memory_group);
    else
        snprintf(ret_path, size, "%s/pressure/memory", proc_root);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct pressure_watch *watch = poll->data;
    uint64_t now_ms = uv_now(poll->loop);
    bool soon = watch->told && now_ms - watch->told_ms < PRESSURE_WINDOW_US / 2000;
    watch->n_soon = soon ? watch->n_soon + 1 : 0;
    // The kernel tells at most once in a window, so even a loop that was late hears of two soon after each other and
    // never of three; a group that was removed is ready for ever.
    if (status < 0 || watch->n_soon > 1)
        uv_poll_stop(poll);
    if (status < 0 || soon)
        return;
    watch->told = true;
    watch->told_ms = now_ms;
    watch->stalled(watch->user);
}

static int init(struct pressure_watch *watch, uv_loop_t *loop, int fd, void (*stalled)(void *user),
                void *user, struct error *err)
{
    *watch = (struct pressure_watch){.fd = -1, .stalled = stalled, .user = user};
    int result =
        uv_poll_init(loop, &watch->poll, fd); // refuses what cannot tell anything, such as a regular file
    if (result < 0) {
        close(fd);
        return error_set(err, ERROR_FAILED, "watch for memory pressure: %s", uv_strerror(result));
    }
    watch->fd = fd;
    watch->poll.data = watch;
    return 0;
}

int pressure_watch_take(struct pressure_watch *watch, uv_loop_t *loop, int fd, void (*stalled)(void *user),
                        void *user, struct error *err)
{
    if (init(watch, loop, fd, stalled, user, err) < 0)
        return -1;
    uv_poll_start(&watch->poll, UV_PRIORITIZED, on_poll);
    return 0;
}

int pressure_watch_start(struct pressure_watch *watch, uv_loop_t *loop, const char *path,
                         void (*stalled)(void *user), void *user, struct error *err)
{
    watch->fd = -1;
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERROR_FAILED, "open %s: %s", path, strerror(errno));
    if (init(watch, loop, fd, stalled, user, err) < 0)
        return -1;
    char trigger[64];
    int length = snprintf(trigger, sizeof trigger, "some %d %d", PRESSURE_STALL_US, PRESSURE_WINDOW_US);
    // Without a trigger nothing is ever told; the handle stays for its owner to close.
    if (write(fd, trigger, (size_t)length + 1) < 0)
        return error_set(err, ERROR_FAILED, "set a trigger on %s: %s", path, strerror(errno));
    uv_poll_start(&watch->poll, UV_PRIORITIZED, on_poll);
    return 0;
}

void pressure_watch_close(struct pressure_watch *watch, uv_close_cb closed)
{
    uv_poll_stop(&watch->poll);
    close(watch->fd);
    watch->fd = -1;
    uv_close((uv_handle_t *)&watch->poll, closed);
}
