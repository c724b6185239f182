// What a VM needs of its memory and what it costs the host, from figures that a guest and a process tell.
//
//   usedmem    what the guest needs: currentmem - usable + cache_keep x min(disk_caches, usable - unused)
//   actualmem  what backs it on the host: resident + swapped pages of QEMU, less QEMU's own (the overhead)
//
// `usable` is the guest kernel's MemAvailable: free pages and the page cache that it could drop. Dropping
// all of the cache costs reads from disk, so a part of it (cache_keep) counts as needed. `available`
// (MemTotal) is not used at all: with autodeflate it stays at maxmem while the balloon is inflated, without
// it it shrinks. Every figure comes from the guest and may be nonsense: results are clamped, never trusted.
#ifndef BALLAST_DECIDE_MEMORY_USED_H
#define BALLAST_DECIDE_MEMORY_USED_H

#include <stdint.h>

// All KiB. maxmem >= currentmem is not assumed.
struct memory_guest_figures {
    uint64_t maxmem_kib;
    uint64_t currentmem_kib;
    uint64_t unused_kib;
    uint64_t usable_kib;
    uint64_t disk_caches_kib;
};

// usedmem in KiB, in [0, min(currentmem, maxmem)]. cache_keep_permille: 0 to 1000, more counts as 1000.
uint64_t memory_used_kib(const struct memory_guest_figures *guest, uint32_t cache_keep_permille);

// QEMU's own memory cannot be told apart from the guest's by looking at the process alone. But the guest's
// touched pages are at most currentmem, once the balloon rests (what is in the balloon was given back), and
// at least what the guest itself has in use. So
//
//   resident + swapped - currentmem <= overhead <= resident + swapped - (currentmem - unused)
//
// and each sample narrows the interval. Pages that the guest's kernel never touched though it does not count
// them as free make the upper bound too small by a few MiB, hence the slack.
struct memory_overhead {
    uint64_t least_kib;
    uint64_t most_kib; // 0: nothing is known yet
};

// 8 MiB: firmware, kernel structures allocated but not touched, counters read at different moments.
#define MEMORY_OVERHEAD_SLACK_KIB (8 * 1024)

// What QEMU is taken to need where the host has no estimate: between what was seen, 30 to 100 MiB. The interval's upper
// end would not do: all that a guest has touched and does not use would pass for QEMU's and never be taken.
#define MEMORY_OVERHEAD_UNKNOWN_KIB (64 * 1024)

// Narrows the interval by one sample in which the balloon rests. resident_kib includes swapped pages.
void memory_overhead_learn(struct memory_overhead *overhead, uint64_t resident_kib, uint64_t currentmem_kib,
                           uint64_t unused_kib);

// The host's estimate moved into the learned interval.
uint64_t memory_overhead_kib(const struct memory_overhead *overhead, uint64_t estimate_kib);

// actualmem in KiB, in [0, maxmem].
uint64_t memory_actual_kib(uint64_t resident_kib, uint64_t overhead_kib, uint64_t maxmem_kib);

#endif
