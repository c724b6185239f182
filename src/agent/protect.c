#include "agent/protect.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

// Text mappings of /proc/self/maps are some 60 lines of 100 bytes; more is cut, and those keep their pages.
#define MAPS_MAX_BYTES (64 << 10)

// As low as services go that the machine cannot do without; sshd and udev use -1000, which also exempts
// children, and we have none.
#define OOM_SCORE_ADJ "-900"

#define CAP_IPC_LOCK_BIT 14

static int has_ipc_lock(void)
{
    char status[4096];
    if (file_read_small("/proc/self/status", status, sizeof status) < 0)
        return 0;
    const char *line = strstr(status, "CapEff:");
    return line && (strtoull(line + 7, NULL, 16) >> CAP_IPC_LOCK_BIT & 1);
}

// With a finite limit and no capability, MCL_FUTURE would make allocations fail once the limit is reached:
// worse than being paged out. So pages are locked only where the limit does not bind.
static int may_lock(void)
{
    struct rlimit limit;
    return has_ipc_lock() || (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
}

static void lock_pages(void)
{
    if (!may_lock()) {
        log_notice(
            "memory is not locked: needs CAP_IPC_LOCK or LimitMEMLOCK=infinity; ballastd may be paged out "
            "when the host is short of memory");
        return;
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        log_notice(
            "memory is not locked: mlockall: %s; ballastd may be paged out when the host is short of memory",
            strerror(errno));
}

static void be_killed_last(void)
{
    __attribute__((cleanup(cleanup_close))) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, OOM_SCORE_ADJ, sizeof OOM_SCORE_ADJ - 1) < 0)
        log_notice("oom_score_adj is not lowered: %s; set OOMScoreAdjust=" OOM_SCORE_ADJ
                   " in the unit file or start with CAP_SYS_RESOURCE",
                   strerror(errno));
}

// Few arenas, no trimming, no mmap for mid-sized blocks: what was touched once stays with the process.
static void keep_heap(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    char *reserve = malloc(PROTECT_HEAP_RESERVE_BYTES);
    if (!reserve)
        return;
    for (size_t i = 0; i < PROTECT_HEAP_RESERVE_BYTES; i += 4096)
        ((volatile char *)reserve)[i] = 1;
    free(reserve);
}

void protect_self(void)
{
    keep_heap();
    lock_pages();
    be_killed_last();
}

// Executable, never written, backed by a file: whatever is needed again is read from the page cache.
static void drop_text(char *maps)
{
    char *next = NULL;
    for (char *line = strtok_r(maps, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        char *end;
        unsigned long from = strtoul(line, &end, 16);
        unsigned long to = *end == '-' ? strtoul(end + 1, &end, 16) : 0;
        if (to > from && strncmp(end, " r-xp", 5) == 0 && strchr(end, '/'))
            madvise((void *)from, to - from, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
    }
}

void protect_settle(void)
{
    __attribute__((cleanup(cleanup_free))) char *maps = malloc(MAPS_MAX_BYTES);
    if (!maps || file_read_small("/proc/self/maps", maps, MAPS_MAX_BYTES) < 0)
        return;
    munlockall();
    drop_text(maps);
    if (may_lock())
        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

long protect_resident_kib(void)
{
    char text[128];
    if (file_read_small("/proc/self/statm", text, sizeof text) < 0)
        return 0;
    char *end;
    strtol(text, &end, 10);
    return strtol(end, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}
