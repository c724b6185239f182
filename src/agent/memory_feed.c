#include "agent/memory_feed.h"

#include <stdlib.h>
#include <string.h>

int memory_feed_init(struct memory_feed *feed)
{
    memset(feed, 0, sizeof *feed);
    feed->vm = calloc(GUESTS_MAX, sizeof *feed->vm);
    feed->guest = calloc(GUESTS_MAX, sizeof *feed->guest);
    if (feed->vm && feed->guest)
        return 0;
    memory_feed_clear(feed);
    return -1;
}

void memory_feed_clear(struct memory_feed *feed)
{
    free(feed->vm);
    free(feed->guest);
    memset(feed, 0, sizeof *feed);
}

static enum memory_obstacle obstacle_of(enum host_unballoonable reason)
{
    switch (reason) {
    case HOST_BALLOONABLE:
    case HOST_UNBALLOONABLE_STATE: // these three are `running` false
    case HOST_UNBALLOONABLE_STOPPED:
    case HOST_UNBALLOONABLE_HANGING:
        return MEMORY_OBSTACLE_NONE;
    case HOST_UNBALLOONABLE_NOT_READ:
        return MEMORY_OBSTACLE_UNKNOWN;
    case HOST_UNBALLOONABLE_NO_DEVICE:
        return MEMORY_OBSTACLE_NO_DEVICE;
    case HOST_UNBALLOONABLE_VFIO:
        return MEMORY_OBSTACLE_VFIO;
    case HOST_UNBALLOONABLE_HUGEPAGES:
        return MEMORY_OBSTACLE_HUGEPAGES;
    case HOST_UNBALLOONABLE_LOCKED:
        return MEMORY_OBSTACLE_LOCKED;
    case HOST_UNBALLOONABLE_NO_DRIVER:
        return MEMORY_OBSTACLE_NO_DRIVER;
    case HOST_UNBALLOONABLE_OLD_DRIVER:
        return MEMORY_OBSTACLE_OLD_DRIVER;
    }
    return MEMORY_OBSTACLE_UNKNOWN;
}

static uint64_t known_or(uint64_t value, uint64_t otherwise)
{
    return host_known(value) ? value : otherwise;
}

// Age of the guest's statistics now: what libvirt said of their age, plus the time since it said so.
static int64_t statistics_age_ms(const struct host_balloon *b, struct mono now)
{
    int64_t since_changed = now.ms - b->changed_at.ms;
    if (!host_known(b->last_update_age_ms))
        return since_changed;
    int64_t told = (int64_t)b->last_update_age_ms + (now.ms - b->sampled_at.ms);
    // last_update has whole seconds; when it was seen to change is a later, finer bound.
    return told < since_changed ? told : since_changed;
}

static void fill_vm(struct memory_vm_input *in, const struct guest *g, const struct mover *mover,
                    struct mono now)
{
    const struct host_vm *vm = g->vm;
    const struct host_balloon *b = &vm->balloon;
    bool answered = vm->balloon_driver == HOST_BALLOON_DRIVER_ANSWERS && b->sampled_at.ms > 0 &&
                    host_known(b->usable_kib) && host_known(b->unused_kib);
    // A guest that has just come (booted, or moved here) has not answered yet; that is no obstacle.
    bool may_pass =
        vm->unballoonable == HOST_UNBALLOONABLE_NOT_READ || vm->unballoonable == HOST_UNBALLOONABLE_NO_DRIVER;
    bool is_new = now.ms - g->came_at.ms < MEMORY_FEED_PATIENCE_MS;
    *in = (struct memory_vm_input){
        .id = g->id,
        .maxmem_kib = guest_maxmem_kib(g),
        .currentmem_kib = guest_current_kib(g),
        .overhead_kib = known_or(vm->overhead_kib, 0),
        .has_statistics = answered,
        .shares = g->terms.mem_shares > 0 ? g->terms.mem_shares : 1,
        .reservation_kib = (uint64_t)(g->terms.mem_reservation_mib * 1024),
        .limit_kib = (uint64_t)(g->terms.mem_limit_mib * 1024),
        .obstacle = is_new && may_pass ? MEMORY_OBSTACLE_NONE : obstacle_of(vm->unballoonable),
        .guest_swap = MEMORY_UNSURE,
        .autodeflate = vm->facts->autodeflate,
        .free_page_reporting = vm->facts->free_page_reporting,
        .excluded = g->terms.excluded,
        .advise_only = g->terms.mode != AGENT_MODE_AUTO,
        .running = vm->state == HOST_VM_RUNNING && !vm->process_stopped && !vm->hanging,
        .hanging = vm->state == HOST_VM_RUNNING && (vm->process_stopped || vm->hanging),
        .migrating = vm->migrating || vm->state == HOST_VM_INCOMING || mover_has(mover, &g->uuid),
        .call_pending = g->balloon_pending,
    };
    if (vm->resident.known) {
        in->resident_kib = vm->resident.anon_kib + vm->resident.shmem_kib;
        in->swapped_kib = vm->resident.swap_kib;
    } else {
        in->resident_kib = known_or(vm->actual_kib, 0) + in->overhead_kib;
    }
    if (!answered)
        return;
    in->statistics_age_ms = statistics_age_ms(b, now);
    in->unused_kib = b->unused_kib;
    in->usable_kib = b->usable_kib;
    in->disk_caches_kib = known_or(b->disk_caches_kib, 0);
    in->swap_in_kib = known_or(b->swap_in_kib, 0);
    in->swap_out_kib = known_or(b->swap_out_kib, 0);
    in->major_faults = known_or(b->major_faults, 0);
}

void memory_feed_fill(struct memory_feed *feed, const struct host_sample *sample, const struct guests *guests,
                      const struct mover *mover)
{
    const struct host_memory *m = &sample->memory;
    struct memory_input *in = &feed->input;
    in->host = (struct memory_host_input){
        .total_kib = m->total_kib,
        // As measured: what the host itself uses is not in it, and the manager keeps a reserve of its own.
        .available_kib = m->available_kib,
        .swap_total_kib = known_or(m->swap_total_kib, 0),
        .swap_free_kib = known_or(m->swap_free_kib, 0),
        .swap_in_kib = known_or(m->swap_in_pages, 0) * 4,
        .psi_known = m->memory_psi.known,
        .psi_some_avg10_pct = m->memory_psi.some_avg10_pct,
    };
    in->n_vms = 0;
    for (size_t i = 0; i < guests->n; i++) {
        struct guest *g = guests->at[i];
        if (!g->present)
            continue;
        fill_vm(&feed->vm[in->n_vms], g, mover, sample->taken_at);
        feed->guest[in->n_vms++] = g;
    }
    in->vms = feed->vm;
}
