/*
 * The loads: memory that is held, rewritten and worked on; a file that is read; CPUs that are burnt.
 *
 * Each runs in its own process with oom_score_adj 1000, so that a guest short of memory kills a load and never
 * the agent. Pages differ from each other, so same-page merging finds nothing; half of each page is noise and half
 * zeros, so that compressed swap halves it (swap of pure noise would free nothing).
 */
#include "guest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    MIB = 1 << 20,
    SLICE_US = 20000, /* duty cycles are kept per slice */
    IDLE_US = 100000, /* an emulated guest should wake rarely */
};

enum { HOLDER, READER, BURNER, LOADS = BURNER + BURNERS_MAX };

struct loads *loads;
static pid_t processes[LOADS];

void loads_init(void)
{
    void *p = mmap(NULL, sizeof *loads, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    loads = p;
    loads->seed = now_us() | 1;
}

/* xorshift64 (Marsaglia 2003): cheap, and its state is never zero. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill_mib(uint64_t *chunk, uint64_t *state)
{
    for (size_t page = 0; page < MIB / PAGE; page++, chunk += PAGE / 8) {
        for (size_t i = 0; i < PAGE / 16; i++)
            chunk[i] = random_next(state);
        memset(chunk + PAGE / 16, 0, PAGE / 2);
    }
}

/* A page of n picked at random; hot_pct % of the picks go to the first fifth. */
static uint64_t pick_page(uint64_t n, int64_t hot_pct, uint64_t *state)
{
    uint64_t r = random_next(state), hot = n / 5 > 0 ? n / 5 : 1;
    bool to_hot = n == hot || (int64_t)(r % 100) < hot_pct;
    return to_hot ? (r >> 20) % hot : hot + (r >> 20) % (n - hot);
}

/* One piece of work: sum a page that was picked at random, several times if so asked, and write to it. */
static void work_once(uint64_t *const *chunks, int64_t held, uint64_t *state)
{
    uint64_t r = pick_page((uint64_t)held * (MIB / PAGE), loads->work_hot_pct, state);
    uint64_t *page = chunks[r / (MIB / PAGE)] + (r % (MIB / PAGE)) * (PAGE / 8);
    uint64_t sum = 0;
    for (int64_t pass = 0; pass < loads->work_passes || pass == 0; pass++)
        for (size_t i = 0; i < PAGE / 16; i++)
            sum = (sum << 1 | sum >> 63) + page[i];
    page[r % (PAGE / 16)] = sum | 1;
}

/* Hold what is wanted, one MiB a step, so that a step never takes long. Returns whether something changed. */
static bool hold_step(uint64_t **chunks, uint64_t *state)
{
    int64_t want = loads->want_mib, held = loads->held_mib;
    if (want > HELD_MIB_MAX)
        want = HELD_MIB_MAX;
    if (held < want) {
        void *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            return false;
        fill_mib(p, state);
        chunks[held] = p;
        loads->held_mib = held + 1;
        return true;
    }
    if (held > want) {
        munmap(chunks[held - 1], MIB);
        loads->held_mib = held - 1;
        return true;
    }
    return false;
}

static void hold(void)
{
    static uint64_t *chunks[HELD_MIB_MAX];
    uint64_t state = loads->seed ^ now_us();
    uint64_t last = now_us(), next = 0;
    double owed_mib = 0;

    if (state == 0)
        state = 1;
    loads->held_mib = 0;
    for (;;) {
        uint64_t slice = now_us(), elapsed = slice - last;
        last = slice;
        if (hold_step(chunks, &state))
            continue;
        int64_t rate = loads->dirty_mib_s, held = loads->held_mib, duty = loads->work_pct;
        if (held == 0 || (rate <= 0 && duty <= 0)) {
            usleep(IDLE_US);
            owed_mib = 0;
            continue;
        }
        owed_mib += (double)elapsed * 1e-6 * (double)rate;
        if (owed_mib > (double)rate)
            owed_mib = (double)rate; /* what could not be done within a second is not made up for */
        for (; owed_mib >= 1 && now_us() - slice < 4 * SLICE_US; owed_mib--) {
            uint64_t before = now_us();
            fill_mib(chunks[next++ % (uint64_t)held], &state);
            uint64_t took = now_us() - before;
            if (took > loads->worst_us)
                loads->worst_us = took;
            loads->dirtied_mib++;
        }
        while (duty > 0 && now_us() - slice < (uint64_t)duty * SLICE_US / 100) {
            for (int i = 0; i < 16; i++)
                work_once(chunks, held, &state);
            loads->work_ops += 16;
        }
        uint64_t used = now_us() - slice;
        if (used < SLICE_US)
            usleep((useconds_t)(SLICE_US - used));
    }
}

/* Touch pages of the guest's disk through a mapping: what the page cache lacks is a major fault. */
static void read_file(void)
{
    uint64_t state = loads->seed ^ now_us() ^ 0x9e3779b97f4a7c15u;
    int fd = open("/dev/vda", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        _exit(1);
    off_t size = lseek(fd, 0, SEEK_END);
    const volatile unsigned char *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (size < PAGE || map == MAP_FAILED)
        _exit(1);
    madvise((void *)map, (size_t)size, MADV_RANDOM); /* no read-ahead: a miss costs one page */
    for (;;) {
        int64_t mib = loads->read_mib;
        if (mib <= 0) {
            usleep(IDLE_US);
            continue;
        }
        uint64_t pages = (uint64_t)mib * (MIB / PAGE);
        if (pages > (uint64_t)size / PAGE)
            pages = (uint64_t)size / PAGE;
        for (int i = 0; i < 64; i++) {
            const volatile unsigned char *page = map + pick_page(pages, loads->read_hot_pct, &state) * PAGE;
            (void)*page;
            for (int64_t pass = 0; pass < loads->read_passes; pass++)
                for (size_t at = 0; at < PAGE; at += 16)
                    (void)page[at];
        }
        loads->read_pages += 64;
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        loads->read_major_faults = (uint64_t)usage.ru_majflt;
    }
}

static void burn(int which)
{
    for (;;) {
        int64_t pct = loads->burn_pct[which];
        if (pct <= 0) {
            usleep(2 * IDLE_US);
            continue;
        }
        uint64_t start = now_us(), busy = (uint64_t)pct * SLICE_US / 100;
        while (now_us() - start < busy)
            ;
        uint64_t used = now_us() - start;
        if (used < SLICE_US)
            usleep((useconds_t)(SLICE_US - used));
    }
}

static bool wanted(int which)
{
    if (which == HOLDER)
        return loads->want_mib > 0;
    if (which == READER)
        return loads->read_mib > 0;
    return loads->burn_pct[which - BURNER] > 0;
}

void loads_start(void)
{
    for (int which = 0; which < LOADS; which++) {
        if (processes[which] > 0 || !wanted(which))
            continue;
        pid_t child = fork();
        if (child == 0) {
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            write_text("/proc/self/oom_score_adj", "1000");
            if (which == HOLDER)
                hold();
            else if (which == READER)
                read_file();
            else
                burn(which - BURNER);
            _exit(0);
        }
        processes[which] = child;
    }
}

unsigned loads_reap(void)
{
    unsigned killed = 0;
    pid_t child;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        for (int which = 0; which < LOADS; which++) {
            if (processes[which] != child)
                continue;
            processes[which] = 0;
            killed++;
            if (which == HOLDER)
                loads->want_mib = loads->held_mib = loads->dirty_mib_s = loads->work_pct = 0;
            else if (which == READER)
                loads->read_mib = 0;
            else
                loads->burn_pct[which - BURNER] = 0;
        }
    }
    return killed;
}
