// Comparing facts, member by member: structs have padding, and doubles that are equal have no equal bytes.
#include <string.h>

#include "host/metadata.h"

static bool same_amount(double a, double b)
{
    return !(a < b) && !(a > b);
}

static bool wishes_same(const struct host_wishes *a, const struct host_wishes *b)
{
    return a->shares == b->shares && a->cpu_shares == b->cpu_shares && a->mem_shares == b->mem_shares &&
           same_amount(a->cpu_reservation_cores, b->cpu_reservation_cores) &&
           same_amount(a->cpu_limit_cores, b->cpu_limit_cores) &&
           same_amount(a->mem_reservation_mib, b->mem_reservation_mib) &&
           same_amount(a->mem_limit_mib, b->mem_limit_mib) && a->mode == b->mode &&
           a->exclude == b->exclude && a->owner == b->owner && strcmp(a->rules, b->rules) == 0 &&
           strcmp(a->needs, b->needs) == 0 && a->present == b->present && strcmp(a->problem, b->problem) == 0;
}

static bool devices_same(const struct host_facts *a, const struct host_facts *b)
{
    return a->memory_locked == b->memory_locked && a->hugepages == b->hugepages && a->vfio == b->vfio &&
           a->shared_memory == b->shared_memory && a->autodeflate == b->autodeflate &&
           a->free_page_reporting == b->free_page_reporting && a->balloon_model == b->balloon_model &&
           a->stats_period_s == b->stats_period_s && a->immovable == b->immovable &&
           a->host_devices == b->host_devices && a->disks == b->disks &&
           a->local_disk_kib == b->local_disk_kib && a->video_ram_kib == b->video_ram_kib;
}

bool facts_same(const struct host_facts *a, const struct host_facts *b)
{
    return a->known == b->known && a->persistent == b->persistent && a->kvm == b->kvm &&
           a->maxmem_kib == b->maxmem_kib && a->vcpus == b->vcpus && a->owner == b->owner &&
           strcmp(a->owner_id, b->owner_id) == 0 && strcmp(a->arch, b->arch) == 0 &&
           strcmp(a->machine, b->machine) == 0 && strcmp(a->cpu, b->cpu) == 0 &&
           strcmp(a->claim, b->claim) == 0 && devices_same(a, b) && wishes_same(&a->wishes, &b->wishes);
}
