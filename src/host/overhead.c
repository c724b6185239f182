#include "host/overhead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/proc.h"

// Pages beside the guest's in its own mapping: QEMU aligns and guards it, and the kernel merges neighbours.
#define MAPPING_SLACK_KIB (2 * 1024)

struct mapping {
    uint64_t size_kib, resident_kib, swap_kib, anonymous_kib;
    bool candidate; // may hold the guest's memory: no file behind it, or shared memory
};

struct tally {
    uint64_t maxmem_kib;
    bool pieces;
    uint64_t own_kib, guest_kib, guest_size_kib;
    uint32_t guest_mappings;
};

// First the one mapping of the guest's size is looked for. Only where there is none, the pieces are that
// together may be the guest's memory: whole MiB, none smaller than a sixteenth of it, so that thread stacks
// and heaps never count.
static bool is_guest(const struct tally *tally, const struct mapping *mapping)
{
    if (!mapping->candidate)
        return false;
    if (!tally->pieces)
        return mapping->size_kib >= tally->maxmem_kib &&
               mapping->size_kib <= tally->maxmem_kib + MAPPING_SLACK_KIB;
    return mapping->size_kib % 1024 == 0 && mapping->size_kib >= tally->maxmem_kib / 16 &&
           tally->guest_size_kib + mapping->size_kib <= tally->maxmem_kib + MAPPING_SLACK_KIB;
}

static void count(struct tally *tally, const struct mapping *mapping)
{
    if (mapping->size_kib == 0)
        return;
    if (is_guest(tally, mapping)) {
        tally->guest_kib += mapping->resident_kib + mapping->swap_kib;
        tally->guest_size_kib += mapping->size_kib;
        tally->guest_mappings++;
    } else {
        tally->own_kib += mapping->anonymous_kib + mapping->swap_kib;
    }
}

static bool is_candidate(const char *header)
{
    // "from-to perm offset dev inode   path": no path, or shared memory without a name in a directory;
    // never executable, which is QEMU's translation cache
    const char *end = header + strcspn(header, "\n");
    const char *p = header + strcspn(header, " ");
    if (end - p < 5 || p[1] != 'r' || p[3] == 'x')
        return false;
    p = header;
    for (int field = 0; field < 5; field++) {
        while (p < end && *p == ' ')
            p++;
        while (p < end && *p != ' ')
            p++;
    }
    while (p < end && *p == ' ')
        p++;
    if (p == end)
        return true;
    return strncmp(p, "/memfd:", 7) == 0 || strncmp(p, "/dev/shm/", 9) == 0 ||
           strncmp(p, "/dev/zero", 9) == 0 || strstr(header, "/qemu_back_mem") != NULL;
}

static uint64_t value_or_0(const char *text)
{
    uint64_t value = proc_number(text);
    return host_known(value) ? value : 0;
}

static bool is_header(const char *line, uint64_t *ret_size_kib)
{
    char *end;
    unsigned long long from = strtoull(line, &end, 16);
    if (end == line || *end != '-')
        return false;
    const char *second = end + 1;
    unsigned long long to = strtoull(second, &end, 16);
    if (end == second || *end != ' ' || to < from)
        return false;
    *ret_size_kib = (to - from) / 1024;
    return true;
}

static void tally_smaps(const char *text, struct tally *tally)
{
    struct mapping mapping = {0};
    for (const char *line = text; line && *line;) {
        uint64_t size_kib;
        char first = *line;
        if (((first >= '0' && first <= '9') || (first >= 'a' && first <= 'f')) &&
            is_header(line, &size_kib)) {
            count(tally, &mapping);
            mapping = (struct mapping){.size_kib = size_kib, .candidate = is_candidate(line)};
        } else if (first == 'R' && strncmp(line, "Rss:", 4) == 0) {
            mapping.resident_kib = value_or_0(line + 4);
        } else if (first == 'A' && strncmp(line, "Anonymous:", 10) == 0) {
            mapping.anonymous_kib = value_or_0(line + 10);
        } else if (first == 'S' && strncmp(line, "Swap:", 5) == 0) {
            mapping.swap_kib = value_or_0(line + 5);
        }
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : NULL;
    }
    count(tally, &mapping);
}

int overhead_parse_smaps(const char *text, uint64_t maxmem_kib, struct overhead_measure *ret)
{
    if (maxmem_kib == 0)
        return -1;
    struct tally tally = {.maxmem_kib = maxmem_kib};
    tally_smaps(text, &tally);
    if (tally.guest_mappings == 0) {
        tally = (struct tally){.maxmem_kib = maxmem_kib, .pieces = true};
        tally_smaps(text, &tally);
        if (tally.guest_size_kib + MAPPING_SLACK_KIB < maxmem_kib)
            return -1;
    }
    *ret = (struct overhead_measure){tally.own_kib, tally.guest_kib, tally.guest_mappings};
    return 0;
}

uint64_t overhead_estimate_kib(const struct host_facts *facts)
{
    uint64_t base = facts->known && facts->kvm ? OVERHEAD_BASE_KVM_KIB : OVERHEAD_BASE_EMULATED_KIB;
    return base + (uint64_t)facts->vcpus * OVERHEAD_PER_VCPU_KIB + facts->video_ram_kib;
}
