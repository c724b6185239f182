// A world's clock, and what the trace and chance do to it.
#include "simulate/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/world_private.h"

// ---- lists of VMs on hosts

void world_attach(struct world *w, uint32_t v, uint32_t h)
{
    struct view_list *list = &w->host_vms[h];
    world_flush_host(w, h);
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
        uint32_t *vm =
            arena_new_array(w->arena, uint32_t, capacity); // doubling: the old ones add up to as much
        if (list->n)
            memcpy(vm, list->vm, list->n * sizeof(*vm));
        list->vm = vm;
        list->capacity = capacity;
    }
    list->vm[list->n++] = v;
    w->vm_host[v] = h;
    w->host_dirty[h] = true;
}

void world_detach(struct world *w, uint32_t v)
{
    uint32_t h = w->vm_host[v], i = 0;
    struct view_list *list = &w->host_vms[h];
    world_flush_host(w, h);
    while (list->vm[i] != v)
        i++;
    memmove(list->vm + i, list->vm + i + 1, (list->n - i - 1) * sizeof(*list->vm));
    list->n--;
    w->vm_host[v] = VIEW_NONE;
    w->host_dirty[h] = true;
}

// ---- the clock

// Demand and memory of VM v in a slot in which it exists.
static void follow_trace(struct world *w, uint32_t v, uint32_t slot)
{
    uint32_t t = w->vm_trace[v];
    size_t i = trace_sample(w->trace, t, slot);
    w->demand[v] = (double)w->trace->cpu_pct[i] / 100.0 * w->vm_cores[v];
    double used = w->trace->has_memory ? (double)w->trace->mem_used_mib[i] + w->scenario->guest_kernel_mib
                                       : w->vm_mem_mib[v];
    w->mem_used[v] = used < w->vm_mem_mib[v] ? used : w->vm_mem_mib[v];
    w->dirty_mib_s[v] = 1 + w->scenario->dirty_mib_s_busy * w->demand[v];
}

static void learn(struct world *w, uint32_t v)
{
    w->known[v] = true;
    w->known_cpu[v] = w->demand[v];
    w->known_mem[v] = w->mem_used[v];
}

static void begin_slot(struct world *w, uint32_t slot)
{
    bool late = w->scenario->information == INFORMATION_LATE;
    if (w->slot_begun)
        world_fill_caches(w);
    for (uint32_t v = 0; v < w->n_vms; v++) {
        bool exists = trace_exists(w->trace, w->vm_trace[v], slot);
        if (w->vm_host[v] != VIEW_NONE && !exists) {
            world_cancel_migrations(w, v, VIEW_NONE);
            world_detach(w, v);
            w->known[v] = false;
        } else if (w->vm_host[v] != VIEW_NONE && late) {
            learn(w, v);
        }
        if (!exists)
            continue;
        follow_trace(w, v, slot);
        if (w->vm_host[v] == VIEW_NONE) {
            uint32_t h = world_place(w, v);
            if (h == VIEW_NONE)
                continue; // tried again in the next slot
            w->mem_actual[v] = w->guest_swap[v] = 0;
            w->mem_current[v] = w->vm_mem_mib[v];
            w->vm_since_ms[v] = w->now_ms;
            world_attach(w, v, h);
        }
        if (!late)
            learn(w, v);
        w->host_dirty[w->vm_host[v]] = true;
    }
    w->view.slot = slot;
    w->slot_begun = true;
}

static int64_t next_slot_ms(const struct world *w)
{
    if (!w->slot_begun)
        return 0;
    return w->view.slot + 1 < w->n_slots
               ? ((int64_t)w->view.slot + 1) * (int64_t)round(w->scenario->slot_s * 1000)
               : INT64_MAX;
}

// Wakes, sleeps, crashes and repairs that are due; returns whether there were any.
static bool change_hosts(struct world *w)
{
    bool changed = false;
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        if (w->host_change_ms[h] <= w->now_ms) {
            w->host_power[h] = w->host_power[h] == HOST_FALLING ? HOST_SLEEPING : HOST_ON;
            w->host_change_ms[h] = INT64_MAX;
            w->host_dirty[h] = changed = true;
        }
        if (w->host_crash_ms[h] <= w->now_ms) {
            w->host_crash_ms[h] = world_next_crash_ms(w, w->now_ms);
            if (w->host_power[h] != HOST_ON)
                continue;
            world_cancel_migrations(w, VIEW_NONE, h);
            world_flush_host(w, h);
            w->host_power[h] = HOST_CRASHED;
            w->host_change_ms[h] = w->now_ms + (int64_t)(w->scenario->repair_s * 1000) + 1;
            w->totals.crashes++;
            w->host_dirty[h] = changed = true;
        }
    }
    return changed;
}

static int64_t next_host_ms(const struct world *w)
{
    int64_t next = INT64_MAX;
    if (w->scenario->hosts_follow_use && w->scenario->crash_per_day <= 0)
        return next;
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        if (w->host_change_ms[h] < next)
            next = w->host_change_ms[h];
        if (w->host_crash_ms[h] < next)
            next = w->host_crash_ms[h];
    }
    return next;
}

int64_t world_advance(struct world *w, int64_t until_ms)
{
    migration_ends_clear(&w->ended);
    for (;;) {
        world_refresh_dirty(w);
        int64_t next = until_ms;
        int64_t slot_ms = next_slot_ms(w), migration_ms = world_next_migration_ms(w),
                host_ms = next_host_ms(w);
        if (slot_ms < next)
            next = slot_ms;
        if (migration_ms < next)
            next = migration_ms;
        if (host_ms < next)
            next = host_ms;
        w->now_ms = w->view.now_ms = next;
        world_end_migrations(w);
        bool changed = host_ms <= next && change_hosts(w);
        if (slot_ms <= next)
            begin_slot(w, w->slot_begun ? w->view.slot + 1 : 0);
        world_refresh_dirty(w);
        if (next >= until_ms || w->ended.n > 0 || changed)
            return next;
    }
}

uint32_t world_migrations_ended(const struct world *w, const struct world_migration_end **ret_ended)
{
    *ret_ended = w->ended.at;
    return (uint32_t)w->ended.n;
}

const struct view *world_view(const struct world *w)
{
    return &w->view;
}

const char *world_left_out(const struct world *w)
{
    return w->left_out;
}

void world_note_rows(struct world *w, uint64_t sampled, uint64_t reported)
{
    w->totals.rows_sampled += sampled;
    w->totals.rows_reported += reported;
}

// ---- other orders

bool world_wake(struct world *w, uint32_t h)
{
    if (h >= w->n_hosts || w->host_power[h] != HOST_SLEEPING)
        return false;
    w->host_power[h] = HOST_WAKING;
    w->host_change_ms[h] = w->now_ms + (int64_t)(w->scenario->wake_s * 1000);
    w->host_dirty[h] = true;
    return true;
}

bool world_sleep(struct world *w, uint32_t h)
{
    if (h >= w->n_hosts || w->host_power[h] != HOST_ON || w->host_vms[h].n > 0 || w->host_in[h] > 0 ||
        w->scenario->hosts_follow_use)
        return false;
    w->host_power[h] = HOST_FALLING;
    w->host_change_ms[h] = w->now_ms + (int64_t)(w->scenario->sleep_s * 1000);
    w->host_dirty[h] = true;
    return true;
}

bool world_set_balloon(struct world *w, uint32_t v, double mib)
{
    if (v >= w->n_vms || w->vm_host[v] == VIEW_NONE || !(mib > 0) || w->host_power[w->vm_host[v]] != HOST_ON)
        return false;
    mib = mib < w->vm_mem_mib[v] ? mib : w->vm_mem_mib[v];
    w->totals.balloon_moved_mib += fabs(w->mem_current[v] - mib);
    w->mem_current[v] = mib;
    w->host_dirty[w->vm_host[v]] = true;
    return true;
}

// ---- results

struct world_totals world_totals(struct world *w)
{
    for (uint32_t h = 0; h < w->n_hosts; h++)
        world_flush_host(w, h);
    return w->totals;
}

struct world_rates world_rates(const struct world *w)
{
    struct world_rates all = {.migrations_running = (uint32_t)w->running.n};
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        const struct host_rates *r = &w->host_rates[h];
        all.lost_vm_s_per_s += r->lost;
        all.exist_w += r->exist_w;
        all.power_w += r->power_w;
        all.demand += r->demanded;
        all.delivered += r->delivered;
        all.mem_used_mib += r->mem_used_mib;
        all.balloon_mib += r->balloon_mib;
        all.swap_mib += r->swap_mib;
        all.hosts_on += r->on;
        all.vms += r->vms;
    }
    return all;
}

void world_vm_losses(struct world *w, const double **ret_lost_vm_s, const double **ret_exist_w_s)
{
    world_totals(w);
    *ret_lost_vm_s = w->vm_lost;
    *ret_exist_w_s = w->vm_exist;
}
