/*
 * The agent: answers requests on the virtio-serial port "lab.0", one line each.
 *
 * A request may begin with "#TEXT "; the answer then does too, so that a client knows an answer that came too
 * late for an earlier client from its own. An answer is "ok", "ok key=value ..." or "error REASON". The port reads
 * as end of file while nobody is connected; SIGIO tells when that changes, so the agent sleeps meanwhile.
 */
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 3 };

struct request {
    const char *text[ARGUMENTS_MAX]; /* as given, "" where absent */
    long long number[ARGUMENTS_MAX]; /* the same as numbers, 0 where absent */
};

static const char *do_ping(const struct request *r)
{
    (void)r;
    return NULL;
}

static const char *do_mem(const struct request *r)
{
    loads->want_mib = r->number[0];
    return NULL;
}

static const char *do_dirty(const struct request *r)
{
    loads->dirty_mib_s = r->number[0];
    return NULL;
}

static const char *do_work(const struct request *r)
{
    loads->work_hot_pct = r->text[1][0] != '\0' ? r->number[1] : 20;
    loads->work_passes = r->text[2][0] != '\0' ? r->number[2] : 1;
    loads->work_pct = r->number[0] > 100 ? 100 : r->number[0];
    return NULL;
}

static const char *do_cpu(const struct request *r)
{
    long long threads = r->text[1][0] != '\0' ? r->number[1] : 1;
    if (threads > BURNERS_MAX)
        return "too many threads";
    for (int i = 0; i < BURNERS_MAX; i++)
        loads->burn_pct[i] = i < threads ? (r->number[0] > 100 ? 100 : r->number[0]) : 0;
    return NULL;
}

static const char *do_read(const struct request *r)
{
    if (access("/dev/vda", R_OK) != 0)
        return "this guest has no disk to read";
    loads->read_hot_pct = r->text[1][0] != '\0' ? r->number[1] : 20;
    loads->read_passes = r->number[2];
    loads->read_mib = r->number[0];
    return NULL;
}

static const char *do_swap(const struct request *r)
{
    return swap_set((unsigned long)r->number[0]);
}

static const char *do_swapdisk(const struct request *r)
{
    (void)r;
    return swap_to_disk();
}

static const char *do_drop(const struct request *r)
{
    (void)r;
    sync();
    write_text("/proc/sys/vm/drop_caches", "3");
    write_text("/proc/sys/vm/compact_memory", "1");
    return NULL;
}

/*
 * Makes so much memory look free that is not: the kernel's estimate counts the slabs of inodes and names as usable, and
 * those of ramfs have nowhere else to be. About 800 bytes a file.
 */
static const char *do_pin(const struct request *r)
{
    static long long next;
    char path[48];
    mkdir("/pin", 0755);
    if (next == 0 && mount("pin", "/pin", "ramfs", 0, NULL) != 0)
        return strerror(errno);
    for (long long end = next + r->number[0] * (1 << 20) / 800; next < end; next++) {
        snprintf(path, sizeof path, "/pin/%lld", next);
        if (mknod(path, S_IFREG | 0600, 0) != 0)
            return strerror(errno);
    }
    return NULL;
}

static const char *do_sysctl(const struct request *r)
{
    char path[128];
    if (strstr(r->text[0], "..") != NULL)
        return "bad name";
    snprintf(path, sizeof path, "/proc/sys/%s", r->text[0]);
    return write_text(path, r->text[1]) == 0 ? NULL : strerror(errno);
}

/* Clones of one template are told who they are. */
static const char *do_name(const struct request *r)
{
    if (sethostname(r->text[0], strlen(r->text[0])) != 0)
        return strerror(errno);
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *p = r->text[0]; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    loads->seed = hash | 1;
    return NULL;
}

static const char *do_quit(const struct request *r)
{
    (void)r;
    reboot(RB_POWER_OFF);
    return strerror(errno);
}

static const char *do_panic(const struct request *r)
{
    (void)r;
    write_text("/proc/sys/kernel/sysrq", "1");
    write_text("/proc/sysrq-trigger", "c");
    return "the kernel did not panic";
}

static const struct {
    const char *word;
    int arguments_min;
    bool numeric; /* the first argument must be a number of 0 or more */
    const char *(*run)(const struct request *r);
} commands[] = {
    {"ping", 0, false, do_ping},     {"mem", 1, true, do_mem},
    {"dirty", 1, true, do_dirty},    {"work", 1, true, do_work},
    {"cpu", 1, true, do_cpu},        {"read", 1, true, do_read},
    {"swap", 1, true, do_swap},      {"drop", 0, false, do_drop},
    {"sysctl", 2, false, do_sysctl}, {"name", 1, false, do_name},
    {"quit", 0, false, do_quit},     {"panic", 0, false, do_panic},
    {"stat", 0, false, do_ping},     {"swapdisk", 0, false, do_swapdisk},
    {"pin", 1, true, do_pin},
};

static const char *handle(char *line, char *answer, size_t size)
{
    struct request r = {.text = {"", "", ""}};
    char *save = NULL, *word = strtok_r(line, " ", &save);
    int arguments = 0;
    for (char *p; arguments < ARGUMENTS_MAX && (p = strtok_r(NULL, " ", &save)) != NULL; arguments++)
        r.text[arguments] = p;
    if (word == NULL)
        return "empty request";
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].word, word) != 0)
            continue;
        if (arguments < commands[i].arguments_min)
            return "an argument is missing";
        for (int a = 0; a < arguments; a++) {
            char *end;
            r.number[a] = strtoll(r.text[a], &end, 10);
            if (commands[i].numeric && (*end != '\0' || r.number[a] < 0))
                return "not a number of 0 or more";
        }
        const char *problem = commands[i].run(&r);
        if (problem == NULL && strcmp(word, "stat") == 0)
            facts_line(answer, size);
        return problem;
    }
    return "unknown command";
}

/*
 * A request can be here before the news that somebody connected, and until then the port takes no answer. So try
 * again for a while. Where the client is really gone, the next one ends the wait; it tells the answer by its mark.
 */
static void send_line(int port, const char *line)
{
    for (int tries = 0; tries < 10000; tries++) {
        if (write(port, line, strlen(line)) > 0 || errno != EAGAIN)
            return;
        usleep(1000);
    }
}

static void serve_line(int port, char *line)
{
    static char facts[LINE_MAX_BYTES], answer[LINE_MAX_BYTES + 128];
    char mark[64] = "";
    if (line[0] == '#') {
        char *rest = strchr(line, ' ');
        if (rest == NULL)
            return;
        *rest = '\0';
        snprintf(mark, sizeof mark, "%.60s ", line);
        line = rest + 1;
    }
    facts[0] = '\0';
    loads_reap();
    const char *problem = handle(line, facts, sizeof facts);
    loads_start();
    if (problem != NULL)
        snprintf(answer, sizeof answer, "%serror %s\n", mark, problem);
    else
        snprintf(answer, sizeof answer, "%sok%s%s\n", mark, facts[0] != '\0' ? " " : "", facts);
    send_line(port, answer);
}

/* There is no udev here: the port is found by the name that QEMU gave it. */
static int open_port(void)
{
    char path[320], name[32];
    DIR *ports = opendir("/sys/class/virtio-ports");
    int fd = -1;
    for (struct dirent *e; fd < 0 && ports != NULL && (e = readdir(ports)) != NULL;) {
        snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", e->d_name);
        FILE *f = e->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (f == NULL)
            continue;
        if (fgets(name, sizeof name, f) != NULL && strncmp(name, "lab.0", 5) == 0) {
            snprintf(path, sizeof path, "/dev/%s", e->d_name);
            fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
        fclose(f);
    }
    if (ports != NULL)
        closedir(ports);
    return fd;
}

/* Sleep until the port may have something to say; a second at most, to notice killed loads. */
static void wait_for(int port, const sigset_t *signals, bool connected)
{
    static const struct timespec second = {.tv_sec = 1};
    if (connected)
        poll(&(struct pollfd){.fd = port, .events = POLLIN}, 1, 1000);
    else
        sigtimedwait(signals, NULL, &second);
}

void agent_main(void)
{
    static char buffer[LINE_MAX_BYTES];
    size_t used = 0;
    sigset_t signals;
    int port;

    write_text("/proc/self/oom_score_adj", "-1000");
    mlockall(MCL_CURRENT | MCL_FUTURE);
    sigemptyset(&signals);
    sigaddset(&signals, SIGIO);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    while ((port = open_port()) < 0)
        usleep(20000);
    fcntl(port, F_SETOWN, getpid());
    fcntl(port, F_SETFL, O_NONBLOCK | O_ASYNC);
    printf("lab guest: agent ready\n");
    fflush(stdout);
    for (;;) {
        ssize_t n = read(port, buffer + used, sizeof buffer - 1 - used);
        loads_reap();
        if (n <= 0) {
            wait_for(port, &signals, n < 0 && errno == EAGAIN);
            continue;
        }
        used += (size_t)n;
        buffer[used] = '\0';
        for (char *end; (end = strchr(buffer, '\n')) != NULL;) {
            *end = '\0';
            serve_line(port, buffer);
            used -= (size_t)(end + 1 - buffer);
            memmove(buffer, end + 1, used + 1);
        }
        if (used >= sizeof buffer - 1)
            used = 0; /* nobody says so much: noise */
    }
}
