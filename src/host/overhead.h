// QEMU's own memory, besides the guest's pages: what is charged to the host and must not be mistaken for the
// guest's.
//
// Learned: /proc/PID/smaps tells each mapping of the process with what is resident and swapped in it. The
// guest's memory is the mappings of its size (one, or several where memory devices or NUMA cells make them);
// all other anonymous memory is QEMU's own. Walking the page tables costs some 5 ms per resident GiB of
// small pages and holds the process's mmap lock for reading, so it is done rarely (settings.learn_interval_s)
// and never within a round.
//
// Estimated, until that has been done or where it cannot be (another user's process without CAP_SYS_PTRACE):
//   base + per vCPU + video memory,  and page tables of maxmem / 512
// The figures are upper ones from measurements of QEMU 7.2 (Debian 12): 20 to 35 MiB of anonymous memory for a
// guest with few devices under KVM, 40 to 60 MiB emulated (translation cache of 16 MiB); each further vCPU
// touches about 0.5 MiB; the rest is for devices (KubeVirt reserves 8 MiB a vCPU and 16 MiB for video in its
// launcher's overhead; what is reserved there is mostly never touched). Page tables are 8 bytes per 4 KiB.
#ifndef BALLAST_HOST_OVERHEAD_H
#define BALLAST_HOST_OVERHEAD_H

#include "host/sample.h"

#define OVERHEAD_BASE_KVM_KIB (32 * 1024)
#define OVERHEAD_BASE_EMULATED_KIB (56 * 1024)
#define OVERHEAD_PER_VCPU_KIB 1024

// What one reading of smaps told, in KiB.
struct overhead_measure {
    uint64_t own_kib;   // anonymous, resident or swapped, outside the guest's memory
    uint64_t guest_kib; // resident or swapped in the guest's memory
    uint32_t guest_mappings;
};

// Reads the text of smaps. The guest's memory is the anonymous or shared mapping of maxmem's size, or, where
// there is none, pieces that make it up. -1 when it is not found: the layout is not understood and nothing is
// learned. O(length).
int overhead_parse_smaps(const char *text, uint64_t maxmem_kib, struct overhead_measure *ret);

// Anonymous memory of QEMU's own by the formula, page tables not included.
uint64_t overhead_estimate_kib(const struct host_facts *facts);

#endif
