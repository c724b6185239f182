/* The lab's guest: one static program that is its init, its agent and its loads. */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

#include <stddef.h>
#include <stdint.h>

enum {
    BURNERS_MAX = 8,       /* as many as a guest may have vCPUs */
    HELD_MIB_MAX = 4096,   /* lab guests are far smaller */
    LINE_MAX_BYTES = 2048, /* one request or one answer */
};

/*
 * What a load is asked for and what it has done. It lives in memory shared by the agent, which writes the
 * wishes, and the load processes, which write the rest; every field has one writer and is read whole.
 */
struct loads {
    volatile int64_t want_mib;     /* memory to hold */
    volatile int64_t dirty_mib_s;  /* rewrite so much of it per second */
    volatile int64_t work_pct;     /* share of the time spent on random accesses to it */
    volatile int64_t work_hot_pct; /* share of these accesses that go to the first fifth of it; 20: uniform */
    volatile int64_t work_passes;  /* how often an access goes through its page: how much it computes */
    volatile int64_t read_mib;     /* size of the file that is read in random order; 0: none */
    volatile int64_t read_hot_pct; /* share of the accesses that go to the first fifth of it; 20: uniform */
    volatile int64_t read_passes;  /* how often a read goes through its page; 0: it only touches it */
    volatile int64_t burn_pct[BURNERS_MAX];

    volatile int64_t held_mib;
    volatile uint64_t dirtied_mib;
    volatile uint64_t worst_us; /* slowest rewrite of one MiB since the last "stat" */
    volatile uint64_t work_ops;
    volatile uint64_t read_pages;
    volatile uint64_t read_major_faults;
    volatile uint64_t seed; /* clones of one template must not hold equal pages */
};

extern struct loads *loads;

/* Prepare the shared memory. Call once, before anything else of this file. */
void loads_init(void);

/* Start the processes that the present wishes need and have not got. */
void loads_start(void);

/* Collect dead children. A load that was killed is forgotten: it holds nothing until asked again. Returns how
 * many were killed. */
unsigned loads_reap(void);

/* Print the guest's facts as "key=value ..." into line of size bytes. */
void facts_line(char *line, size_t size);

/* Set up swap_mib of compressed swap in memory (zram), or none with 0. Returns NULL or what went wrong. */
const char *swap_set(unsigned long swap_mib);

/* Swap to the guest's last disk, all of it. Returns NULL or what went wrong. */
const char *swap_to_disk(void);

/* Serve requests on the virtio-serial port for ever. */
void agent_main(void);

uint64_t now_us(void);

/* Write text to a file of /proc or /sys. Returns 0, or -1 with errno. */
int write_text(const char *path, const char *text);

#endif
