#include "../test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/pressure.h"

static unsigned told;

static void on_stalled(void *user)
{
    told++;
    if (user)
        uv_stop(user);
}

// Two ends of a TCP connection: urgent data stands for the kernel's trigger.
static void connect_pair(int ret[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ret[0], (struct sockaddr *)&at, size), 0);
    ret[1] = accept(listener, NULL, NULL);
    assert_true(ret[1] >= 0);
    close(listener);
}

static void a_stall_is_told_at_once_and_an_endless_one_only_once(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int end[2];
    connect_pair(end);
    struct pressure_watch watch;
    struct error err = {0};
    told = 0;
    assert_int_equal(pressure_watch_take(&watch, &loop, end[1], on_stalled, &loop, &err), 0);
    assert_int_equal(send(end[0], "!", 1, MSG_OOB), 1);
    uv_run(&loop, UV_RUN_DEFAULT); // ends by on_stalled
    assert_int_equal(told, 1);
    // Nobody reads the urgent byte: ready for ever, as a group that was removed. It is given up, so the loop ends.
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(told, 1);
    pressure_watch_close(&watch, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(end[0]);
}

// Says that there is urgent data, lets the loop hear of it, and takes the data away.
static void stall(uv_loop_t *loop, const int end[2])
{
    char byte;
    assert_int_equal(send(end[0], "!", 1, MSG_OOB), 1);
    usleep(20000);
    uv_run(loop, UV_RUN_NOWAIT);
    assert_int_equal(recv(end[1], &byte, 1, MSG_OOB), 1);
}

static void two_stalls_told_late_and_together_are_not_taken_for_an_endless_one(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int end[2];
    connect_pair(end);
    struct pressure_watch watch;
    struct error err = {0};
    told = 0;
    assert_int_equal(pressure_watch_take(&watch, &loop, end[1], on_stalled, NULL, &err), 0);
    stall(&loop, end);
    stall(&loop, end);
    assert_int_equal(told, 1);
    usleep(PRESSURE_WINDOW_US / 2 + 20000);
    stall(&loop, end);
    assert_int_equal(told, 2);
    pressure_watch_close(&watch, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(end[0]);
}

static void a_file_that_is_no_trigger_is_refused_and_left_as_it_was(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    char path[] = "/tmp/ballast-pressure-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "some avg10=0.00\n", 16), 16);
    struct pressure_watch watch;
    struct error err = {0};
    assert_int_equal(pressure_watch_start(&watch, &loop, path, on_stalled, NULL, &err), -1);
    assert_int_equal(watch.fd, -1);
    assert_int_equal(lseek(fd, 0, SEEK_END), 16);
    assert_int_equal(pressure_watch_start(&watch, &loop, "/nowhere/memory", on_stalled, NULL, &err), -1);
    close(fd);
    unlink(path);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void the_kernel_takes_the_trigger(void **state)
{
    (void)state;
    if (access("/proc/pressure/memory", W_OK) < 0)
        skip();
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct pressure_watch watch;
    struct error err = {0};
    if (pressure_watch_start(&watch, &loop, "/proc/pressure/memory", on_stalled, NULL, &err) < 0) {
        print_message("# %s\n", err.text); // PSI is off, or a container's rules forbid it
        if (watch.fd >= 0)
            pressure_watch_close(&watch, NULL);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
        skip();
    }
    pressure_watch_close(&watch, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void the_group_that_limits_the_host_is_watched_where_groups_tell(void **state)
{
    (void)state;
    struct cgroup_tree tree = {.version = 2, .root = "/sys/fs/cgroup"};
    struct cgroup_capacity limits = {.memory_group = "/machine.slice"};
    char path[128];
    pressure_path("/proc", &tree, &limits, path, sizeof path);
    assert_string_equal(path, "/sys/fs/cgroup/machine.slice/memory.pressure");
    strcpy(limits.memory_group, "/");
    pressure_path("/proc", &tree, &limits, path, sizeof path);
    assert_string_equal(path, "/sys/fs/cgroup/memory.pressure");
    tree.version = 1;
    pressure_path("/proc", &tree, &limits, path, sizeof path);
    assert_string_equal(path, "/proc/pressure/memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stall_is_told_at_once_and_an_endless_one_only_once),
        cmocka_unit_test(two_stalls_told_late_and_together_are_not_taken_for_an_endless_one),
        cmocka_unit_test(a_file_that_is_no_trigger_is_refused_and_left_as_it_was),
        cmocka_unit_test(the_kernel_takes_the_trigger),
        cmocka_unit_test(the_group_that_limits_the_host_is_watched_where_groups_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
