// A small deterministic world for tests of the memory manager: one host, guests with balloons, swap and
// touched pages, in ticks of 50 ms. Sizes in MiB. What it is modelled on: guests of 256 MiB that need 68 for
// themselves, swap to compressed memory at 2:1, fill up to 75 MiB/s; QEMUs that need some 70 MiB besides.
#ifndef BALLAST_TESTS_MEMORY_WORLD_H
#define BALLAST_TESTS_MEMORY_WORLD_H

#include <stdbool.h>

#include "base/random.h"
#include "decide/memory_manager.h"

#define WORLD_MOST 64

struct world_guest {
    // set by the test
    double maxmem, base, want, rewrite_mib_s, shares, reservation;
    bool autodeflate, free_page_reporting, lies, stopped, stuck, no_driver, excluded;
    bool seen_stopped; // the host says so: its QEMU is stopped or hangs
    double swap_size;
    enum memory_tristate tells_swap;
    // state
    double current, target;   // balloon
    int64_t obeys_ms;         // from when on it moves
    double held, swapped;     // of the guest's program; of it in swap
    double touched, overhead; // pages with backing; QEMU's own
    double swap_in, swap_out; // cumulative
    unsigned ooms;
    bool dead;
    // statistics, as of statistics_ms
    int64_t statistics_ms;
    double unused, usable, swap_in_told, swap_out_told;
    // measures
    double lowest, moved, satisfied_at_s;
    double first_shrink_s, first_growth_s;
};

struct world {
    double total, used_by_host, swap;
    // What a balloon takes is charged to the host until memory runs out. The host counts it as available, but
    // its counters are summed up only every 2 s.
    bool huge_pages;
    double deferred, deferred_told; // so much of it; as the host's counters say
    size_t n;
    struct world_guest guest[WORLD_MOST];
    int64_t ms, next_step_ms;
    bool managed;
    struct memory_manager *manager;
    struct memory_output out;
    struct memory_vm_input vm[WORLD_MOST];
    struct random random;
    int64_t answer_ms; // from an order to a balloon at rest until it begins to move
    double fill_mib_s; // of each guest in this tick
    double noise;      // of the available figure
    unsigned host_ooms;
    double lowest_available;
    unsigned events[16]; // by kind
    unsigned steps, commands;
    bool verbose;
    void (*check)(struct world *w); // after each step of the manager
};

// n guests as above, booted and idle, on a host of total MiB.
void world_begin(struct world *w, double total, size_t n, bool managed);
void world_end(struct world *w);
void world_run(struct world *w, double seconds);
double world_available(const struct world *w);
double world_guest_need(const struct world_guest *g);
double world_seconds(const struct world *w);
// Starts measuring anew: lowest, moved, first shrink and growth.
void world_mark(struct world *w);

// What the program of every guest holds from now on.
void world_want(struct world *w, double mib);

// Four guests on a host of 1100 MiB that all come to want 170, step by step of 5 s, and then rewrite it.
void world_contend(struct world *w, double step);

// No guest's kernel has killed, and the host's neither.
void world_nobody_was_killed(const struct world *w);

#endif
