#include "model/snapshot.h"

#include <stdlib.h>
#include <string.h>

static struct index_lists empty_lists(struct arena *arena, uint32_t rows)
{
    return (struct index_lists){.start = arena_new_array(arena, uint32_t, (size_t)rows + 1),
                                .item = arena_new_array(arena, uint32_t, 1)};
}

static double *filled(struct arena *arena, uint32_t n, double value)
{
    double *column = arena_new_array(arena, double, n);
    if (value != 0)
        for (uint32_t i = 0; i < n; i++)
            column[i] = value;
    return column;
}

static uint32_t *filled_u32(struct arena *arena, uint32_t n, uint32_t value)
{
    uint32_t *column = arena_new_array(arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        column[i] = value;
    return column;
}

static void make_hosts(struct arena *arena, struct snapshot_hosts *hosts, uint32_t n)
{
    hosts->n = n;
    hosts->name = arena_new_array(arena, const char *, n);
    hosts->state = arena_new_array(arena, enum host_state, n);
    hosts->zone = arena_new_array(arena, uint32_t, n);
    hosts->cpu_cores = filled(arena, n, 0);
    hosts->mem_mib = filled(arena, n, 0);
    hosts->mem_reserved_mib = filled(arena, n, 0);
    hosts->net_mib_s = filled(arena, n, SNAPSHOT_NET_MIB_S);
    hosts->threads_per_core = filled(arena, n, 1);
    hosts->core_speed = filled(arena, n, 1);
}

static void make_vms(struct arena *arena, struct snapshot_vms *vms, uint32_t n)
{
    vms->n = n;
    vms->name = arena_new_array(arena, const char *, n);
    vms->host = arena_new_array(arena, uint32_t, n);
    vms->vcpus = filled_u32(arena, n, 1);
    vms->mem_mib = filled(arena, n, 0);
    vms->cpu_demand_cores = filled(arena, n, 0);
    vms->mem_used_mib = filled(arena, n, 0);
    vms->mem_current_mib = filled(arena, n, 0);
    vms->mem_actual_mib = filled(arena, n, 0);
    vms->mem_overhead_mib = filled(arena, n, 0);
    vms->cpu_sd_cores = filled(arena, n, 0);
    vms->mem_sd_mib = filled(arena, n, 0);
    vms->shares = filled_u32(arena, n, SNAPSHOT_SHARES);
    vms->cpu_shares = filled_u32(arena, n, SNAPSHOT_SHARES);
    vms->mem_shares = filled_u32(arena, n, SNAPSHOT_SHARES);
    vms->cpu_reservation_cores = filled(arena, n, 0);
    vms->cpu_limit_cores = filled(arena, n, 0);
    vms->mem_reservation_mib = filled(arena, n, 0);
    vms->mem_limit_mib = filled(arena, n, 0);
    vms->dirty_mib_s = filled(arena, n, SNAPSHOT_DIRTY_MIB_S);
    vms->migrations_1h = filled(arena, n, 0);
    vms->movable = arena_new_array(arena, bool, n);
    memset(vms->movable, true, n);
    vms->local_disk_mib = filled(arena, n, 0);
    vms->cannot_run_on = empty_lists(arena, n);
}

struct snapshot *snapshot_new(uint32_t n_hosts, uint32_t n_vms, uint32_t n_rules)
{
    // one block for the usual case: the columns of a VM take about 200 bytes, a host's about 80
    size_t expected =
        4096 + (size_t)n_hosts * 96 + (size_t)n_vms * 224 + (size_t)n_rules * sizeof(struct rule);
    struct arena *arena = arena_new(expected);
    if (!arena)
        return NULL;
    struct snapshot *snapshot = arena_new_object(arena, struct snapshot);
    snapshot->arena = arena;
    make_hosts(arena, &snapshot->hosts, n_hosts);
    make_vms(arena, &snapshot->vms, n_vms);
    snapshot->n_rules = n_rules;
    snapshot->rules = arena_new_array(arena, struct rule, n_rules);
    snapshot->n_zones = n_hosts;
    snapshot->zone_name = arena_new_array(arena, const char *, n_hosts);
    for (uint32_t h = 0; h < n_hosts; h++)
        snapshot->hosts.zone[h] = h;
    for (uint32_t r = 0; r < n_rules; r++)
        snapshot->rules[r].strict = true;
    return snapshot;
}

struct snapshot *snapshot_free(struct snapshot *snapshot)
{
    if (snapshot)
        arena_free(snapshot->arena);
    return NULL;
}

static void copy_names(struct arena *arena, uint32_t n, const char *const *from, const char **to)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[i] ? arena_strdup(arena, from[i]) : NULL;
}

static uint32_t *copy_u32(struct arena *arena, const uint32_t *from, size_t n)
{
    uint32_t *to = arena_new_array(arena, uint32_t, n);
    if (n)
        memcpy(to, from, n * sizeof *to);
    return to;
}

static void copy_hosts(struct arena *arena, const struct snapshot_hosts *from, struct snapshot_hosts *to)
{
    size_t figures = from->n * sizeof(double);
    copy_names(arena, from->n, from->name, to->name);
    if (!from->n)
        return;
    memcpy(to->state, from->state, from->n * sizeof *to->state);
    memcpy(to->zone, from->zone, from->n * sizeof *to->zone);
    memcpy(to->cpu_cores, from->cpu_cores, figures);
    memcpy(to->mem_mib, from->mem_mib, figures);
    memcpy(to->mem_reserved_mib, from->mem_reserved_mib, figures);
    memcpy(to->net_mib_s, from->net_mib_s, figures);
    memcpy(to->threads_per_core, from->threads_per_core, figures);
    memcpy(to->core_speed, from->core_speed, figures);
}

static void copy_vms(struct arena *arena, const struct snapshot_vms *from, struct snapshot_vms *to)
{
    size_t figures = from->n * sizeof(double), counts = from->n * sizeof(uint32_t);
    copy_names(arena, from->n, from->name, to->name);
    if (!from->n)
        return;
    memcpy(to->host, from->host, counts);
    memcpy(to->vcpus, from->vcpus, counts);
    memcpy(to->mem_mib, from->mem_mib, figures);
    memcpy(to->cpu_demand_cores, from->cpu_demand_cores, figures);
    memcpy(to->mem_used_mib, from->mem_used_mib, figures);
    memcpy(to->mem_current_mib, from->mem_current_mib, figures);
    memcpy(to->mem_actual_mib, from->mem_actual_mib, figures);
    memcpy(to->mem_overhead_mib, from->mem_overhead_mib, figures);
    memcpy(to->cpu_sd_cores, from->cpu_sd_cores, figures);
    memcpy(to->mem_sd_mib, from->mem_sd_mib, figures);
    memcpy(to->shares, from->shares, counts);
    memcpy(to->cpu_shares, from->cpu_shares, counts);
    memcpy(to->mem_shares, from->mem_shares, counts);
    memcpy(to->cpu_reservation_cores, from->cpu_reservation_cores, figures);
    memcpy(to->cpu_limit_cores, from->cpu_limit_cores, figures);
    memcpy(to->mem_reservation_mib, from->mem_reservation_mib, figures);
    memcpy(to->mem_limit_mib, from->mem_limit_mib, figures);
    memcpy(to->dirty_mib_s, from->dirty_mib_s, figures);
    memcpy(to->migrations_1h, from->migrations_1h, figures);
    memcpy(to->movable, from->movable, from->n * sizeof *to->movable);
    memcpy(to->local_disk_mib, from->local_disk_mib, figures);
    to->cannot_run_on.start = copy_u32(arena, from->cannot_run_on.start, (size_t)from->n + 1);
    to->cannot_run_on.item = copy_u32(arena, from->cannot_run_on.item, from->cannot_run_on.start[from->n]);
}

struct snapshot *snapshot_copy(const struct snapshot *from)
{
    struct snapshot *to = snapshot_new(from->hosts.n, from->vms.n, from->n_rules);
    if (!to)
        return NULL;
    to->taken_at = from->taken_at;
    to->has_taken_at = from->has_taken_at;
    copy_hosts(to->arena, &from->hosts, &to->hosts);
    copy_vms(to->arena, &from->vms, &to->vms);
    to->n_zones = from->n_zones;
    to->zone_name = arena_new_array(to->arena, const char *, from->n_zones);
    copy_names(to->arena, from->n_zones, from->zone_name, to->zone_name);
    for (uint32_t r = 0; r < from->n_rules; r++) {
        to->rules[r] = from->rules[r];
        to->rules[r].vms = copy_u32(to->arena, from->rules[r].vms, from->rules[r].n_vms);
        to->rules[r].hosts = copy_u32(to->arena, from->rules[r].hosts, from->rules[r].n_hosts);
    }
    return to;
}

uint32_t snapshot_host_by_name(const struct snapshot *s, const char *name)
{
    for (uint32_t h = 0; h < s->hosts.n; h++)
        if (strcmp(s->hosts.name[h], name) == 0)
            return h;
    return SNAPSHOT_NONE;
}

bool index_lists_has(const struct index_lists *lists, uint32_t row, uint32_t item)
{
    uint32_t low = lists->start[row], high = lists->start[row + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lists->item[middle] == item)
            return true;
        if (lists->item[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
