#include "decide/memory_used.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t beyond(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

uint64_t memory_used_kib(const struct memory_guest_figures *guest, uint32_t cache_keep_permille)
{
    uint64_t size = least(guest->currentmem_kib, guest->maxmem_kib);
    uint64_t usable = least(guest->usable_kib, size);
    uint64_t cache = least(guest->disk_caches_kib, beyond(usable, guest->unused_kib));
    uint64_t keep = least(cache_keep_permille, 1000);
    uint64_t kept = cache / 1000 * keep + cache % 1000 * keep / 1000;
    return least(size - usable + kept, size);
}

void memory_overhead_learn(struct memory_overhead *overhead, uint64_t resident_kib, uint64_t currentmem_kib,
                           uint64_t unused_kib)
{
    uint64_t in_use = beyond(currentmem_kib, unused_kib);
    uint64_t lower = beyond(resident_kib, currentmem_kib);
    uint64_t upper = beyond(resident_kib, in_use) + MEMORY_OVERHEAD_SLACK_KIB;
    // QEMU's own memory grows (translation caches, buffers): where the bounds cross, the newest sample counts.
    if (lower > overhead->least_kib)
        overhead->least_kib = lower;
    if (overhead->most_kib == 0 || upper < overhead->most_kib)
        overhead->most_kib = upper;
    if (overhead->least_kib > overhead->most_kib) {
        if (overhead->least_kib == lower)
            overhead->most_kib = lower;
        else
            overhead->least_kib = upper;
    }
}

uint64_t memory_overhead_kib(const struct memory_overhead *overhead, uint64_t estimate_kib)
{
    uint64_t kib = estimate_kib != 0 ? estimate_kib : MEMORY_OVERHEAD_UNKNOWN_KIB;
    if (overhead->most_kib == 0)
        return estimate_kib;
    return kib < overhead->least_kib ? overhead->least_kib : least(kib, overhead->most_kib);
}

uint64_t memory_actual_kib(uint64_t resident_kib, uint64_t overhead_kib, uint64_t maxmem_kib)
{
    return least(beyond(resident_kib, overhead_kib), maxmem_kib);
}
