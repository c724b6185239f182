// The fake host's answers. Each is a uv timer, so that the order of calls and answers is the same as with a
// real host: never within the asking function, equal delays in the order of asking.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "host/fake_state.h"

struct mono fake_now(const struct fake *fake)
{
    return (struct mono){(int64_t)uv_now(fake->loop)};
}

static void free_fake(struct fake *fake)
{
    for (size_t i = 0; i < fake->vms.n; i++)
        free(fake->vms.at[i]);
    fake_vms_free(&fake->vms);
    fake_rules_free(&fake->rules);
    fake_records_free(&fake->records);
    fake_remotes_free(&fake->remotes);
    fake_sampled_free(&fake->sampled);
    void (*closed)(void *) = fake->closed;
    void *user = fake->closed_user;
    free(fake);
    if (closed)
        closed(user);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct fake_pending *pending = handle->data;
    struct fake *fake = pending->fake;
    bool last = pending->is_close;
    free(pending);
    fake->handles--;
    // the closing timer fires last, and libuv closes handles in any order: wait for all of them
    if (last)
        fake->closing = true;
    if (fake->closing && fake->handles == 0)
        free_fake(fake);
}

static void unlink_pending(struct fake_pending *pending)
{
    struct fake *fake = pending->fake;
    if (pending->previous)
        pending->previous->next = pending->next;
    else
        fake->pending = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
}

void fake_advance_balloon(struct fake *fake, struct host_fake_vm *vm)
{
    int64_t now_ms = (int64_t)uv_now(fake->loop);
    int64_t elapsed_ms = now_ms - vm->balloon_moved_at_ms;
    uint64_t current = vm->vm.current_kib, target = vm->balloon_target_kib;
    if (target < vm->balloon_stuck_at_kib)
        target = vm->balloon_stuck_at_kib < current ? vm->balloon_stuck_at_kib : current;
    uint64_t step =
        vm->balloon_rate_kib_s ? vm->balloon_rate_kib_s * (uint64_t)elapsed_ms / 1000 : UINT64_MAX;
    if (target == current) {
        vm->balloon_moved_at_ms = now_ms;
        return;
    }
    if (step == 0)
        return; // too early for a whole KiB: the time adds up
    uint64_t gap = target > current ? target - current : current - target;
    if (step > gap)
        step = gap;
    vm->vm.current_kib = target > current ? current + step : current - step;
    vm->balloon_moved_at_ms = now_ms;
    if (vm->resident_follows && vm->vm.actual_kib > vm->vm.current_kib) {
        uint64_t freed = vm->vm.actual_kib - vm->vm.current_kib;
        vm->vm.actual_kib = vm->vm.current_kib;
        vm->vm.resident.anon_kib -= freed < vm->vm.resident.anon_kib ? freed : vm->vm.resident.anon_kib;
        fake->memory.available_kib += freed;
        fake->memory.free_kib += freed;
    }
    struct host_event event = {.kind = HOST_EVENT_BALLOON, .uuid = vm->vm.uuid, .value = vm->vm.current_kib};
    snprintf(event.name, sizeof event.name, "%s", vm->vm.name);
    host_fake_emit(&fake->host, &event);
}

static const struct host_sample *build_sample(struct fake *fake, unsigned groups)
{
    fake_sampled_clear(&fake->sampled);
    if (fake_sampled_reserve(&fake->sampled, fake->vms.n) < 0)
        abort();
    struct wall wall = clock_wall();
    for (size_t i = 0; i < fake->vms.n; i++) {
        struct host_fake_vm *vm = fake->vms.at[i];
        fake_advance_balloon(fake, vm);
        if (fake->connected && (groups & HOST_GROUP_BALLOON)) {
            vm->vm.balloon.sampled_at = fake_now(fake);
            if (!vm->stats_stale) {
                vm->vm.balloon.last_update_s = (uint64_t)(wall.ms / 1000);
                vm->vm.balloon.changed_at = fake_now(fake);
            }
            int64_t age_ms = wall.ms - (int64_t)vm->vm.balloon.last_update_s * 1000;
            vm->vm.balloon.last_update_age_ms = age_ms > 0 ? (uint64_t)age_ms : 0;
        }
        vm->facts.stats_period_s = vm->stats_period_s;
        vm->vm.vcpu = vm->vcpus;
        fake_sampled_push(&fake->sampled, vm->vm);
    }
    struct host_sample *sample = &fake->sample;
    *sample = (struct host_sample){
        .taken_at = fake_now(fake),
        .taken_at_wall = wall,
        .groups = fake->connected ? groups : groups & (HOST_GROUP_CPU | HOST_GROUP_MEMORY),
        .connected = fake->connected,
        .lost_for_s = fake->connected ? 0 : (double)(fake_now(fake).ms - fake->lost_at_ms) / 1000.0,
        .abandoned_calls = fake->abandoned,
        .memory = fake->memory,
        .cpu = fake->cpu,
        .n_vms = fake->sampled.n,
        .vms = fake->sampled.at,
    };
    if (!fake->connected)
        snprintf(sample->trouble, sizeof sample->trouble, "libvirt is away");
    return sample;
}

// Does what was asked, when it is time.
static void carry_out(struct fake *fake, struct fake_pending *pending)
{
    struct host_fake_vm *vm = fake_vm_by_uuid(fake, &pending->uuid);
    if (!vm)
        return;
    switch (pending->call) {
    case HOST_FAKE_SET_BALLOON:
        fake_advance_balloon(fake, vm);
        vm->balloon_target_kib = pending->value < vm->vm.maxmem_kib ? pending->value : vm->vm.maxmem_kib;
        fake_advance_balloon(fake, vm);
        break;
    case HOST_FAKE_SET_STATS_PERIOD:
        vm->stats_period_s = (unsigned)pending->value;
        break;
    case HOST_FAKE_SET_CPU_WEIGHT:
        vm->vm.cpu_weight = pending->weight;
        break;
    case HOST_FAKE_MEASURE_DIRTY:
        vm->vm.dirty_kib_s = vm->dirty_kib_s;
        vm->vm.dirty_at = fake_now(fake);
        break;
    case HOST_FAKE_MIGRATE:
        fake_take_out(fake, &pending->uuid, HOST_EVENT_MIGRATED_AWAY, "");
        break;
    case HOST_FAKE_ANY:
    case HOST_FAKE_SAMPLE:
    case HOST_FAKE_ABORT_MIGRATION:
    case HOST_FAKE_PRESENCE:
        break;
    }
}

static void tell(struct fake *fake, struct fake_pending *pending)
{
    const struct error *error = &pending->error;
    switch (pending->call) {
    case HOST_FAKE_ANY:
        if (!pending->is_close && fake->on_event && error->kind == ERROR_NONE)
            fake->on_event(fake->user, &pending->event);
        break;
    case HOST_FAKE_SAMPLE:
        fake->sampling = false;
        pending->done.sample(pending->user,
                             error->kind == ERROR_NONE ? build_sample(fake, pending->groups) : NULL, error);
        break;
    case HOST_FAKE_SET_BALLOON:
    case HOST_FAKE_SET_STATS_PERIOD:
    case HOST_FAKE_SET_CPU_WEIGHT:
    case HOST_FAKE_MEASURE_DIRTY:
    case HOST_FAKE_ABORT_MIGRATION:
        if (pending->done.action)
            pending->done.action(pending->user, pending->outcome, error);
        break;
    case HOST_FAKE_MIGRATE: {
        struct host_progress final = {.elapsed_ms = fake->migration_ms,
                                      .total_kib = HOST_UNKNOWN,
                                      .processed_kib = HOST_UNKNOWN,
                                      .remaining_kib = 0,
                                      .bandwidth_kib_s = HOST_UNKNOWN,
                                      .dirty_rate_kib_s = HOST_UNKNOWN,
                                      .round = 1,
                                      .expected_downtime_ms = HOST_UNKNOWN,
                                      .downtime_ms = 50};
        pending->done.migrated(pending->user, pending->outcome, &final, error);
        break;
    }
    case HOST_FAKE_PRESENCE:
        pending->done.presence(pending->user, error->kind == ERROR_NONE ? &pending->presence : NULL, error);
        break;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct fake_pending *pending = timer->data;
    struct fake *fake = pending->fake;
    unlink_pending(pending);
    if (pending->overdue) {
        fake->abandoned++;
        struct host_fake_vm *vm = fake_vm_by_uuid(fake, &pending->uuid);
        if (vm)
            vm->vm.hanging = true;
    }
    struct host_fake_vm *mover = pending->is_migration ? fake_vm_by_uuid(fake, &pending->uuid) : NULL;
    if (mover)
        mover->vm.migrating = false;
    if (pending->carry_out)
        carry_out(fake, pending);
    tell(fake, pending);
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

struct fake_pending *fake_answer_later(struct fake *fake, enum host_fake_call call, uint64_t delay_ms)
{
    struct fake_pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        abort();
    pending->fake = fake;
    pending->call = call;
    pending->timer.data = pending;
    pending->next = fake->pending;
    if (fake->pending)
        fake->pending->previous = pending;
    fake->pending = pending;
    fake->handles++;
    uv_timer_init(fake->loop, &pending->timer);
    pending->timer.data = pending;
    uv_timer_start(&pending->timer, on_timer, delay_ms, 0);
    return pending;
}

void fake_answer_now(struct fake_pending *pending)
{
    uv_timer_start(&pending->timer, on_timer, 0, 0);
}

void fake_refuse(struct fake_pending *pending, enum host_outcome outcome, enum error_kind kind,
                 const char *text)
{
    pending->carry_out = false;
    pending->outcome = outcome;
    error_set(&pending->error, kind, "%s", text);
}
