/* The first process of a lab guest: mounts, modules, then the agent, started again should it ever end. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

int write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

static void mount_all(void)
{
    static const struct {
        const char *type, *place;
    } mounts[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}};
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        mkdir(mounts[i].place, 0755);
        mount(mounts[i].type, mounts[i].place, mounts[i].type, 0, NULL);
    }
}

static bool word_in_cmdline(const char *word)
{
    char line[4096];
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    line[n] = '\0';
    const char *p = strstr(line, word);
    return p != NULL && (p == line || p[-1] == ' ') && strchr(" \n", p[strlen(word)]) != NULL;
}

/* /modules/order names the modules in load order; the image builder wrote it. */
static void load_modules(void)
{
    bool balloon = !word_in_cmdline("lab.noballoon");
    char name[128], path[160];
    FILE *order = fopen("/modules/order", "re");
    while (order != NULL && fgets(name, sizeof name, order) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        if (!balloon && strcmp(name, "virtio_balloon.ko") == 0)
            continue;
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
            fprintf(stderr, "lab guest: cannot load %s: %s\n", name, strerror(errno));
        if (fd >= 0) {
            close(fd);
            unlink(path); /* the initramfs is memory */
        }
    }
    if (order != NULL)
        fclose(order);
}

int main(void)
{
    mount_all();
    load_modules();
    loads_init();
    printf("lab guest: up after %llu ms\n", (unsigned long long)now_us() / 1000);
    fflush(stdout);
    for (;;) {
        pid_t agent = fork();
        if (agent == 0) {
            agent_main();
            _exit(1);
        }
        pid_t ended;
        do
            ended = wait(NULL);
        while (ended != agent && ended > 0);
        fprintf(stderr, "lab guest: the agent ended, starting it again\n");
        sleep(1);
    }
}
