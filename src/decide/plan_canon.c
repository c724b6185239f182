#include "decide/plan_canon.h"

#include <stdlib.h>
#include <string.h>

struct named {
    const char *name;
    uint32_t number;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

// ret[rank] = number. Returns whether that is the order already.
static bool rank_names(uint32_t n, const char *const *name, struct arena *arena, uint32_t **ret)
{
    uint32_t *order = arena_new_array(arena, uint32_t, n);
    bool sorted = true;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
        sorted = sorted && (i == 0 || strcmp(name[i - 1], name[i]) < 0);
    }
    if (!sorted) {
        struct named *names = arena_new_array(arena, struct named, n);
        for (uint32_t i = 0; i < n; i++)
            names[i] = (struct named){name[i], i};
        qsort(names, n, sizeof *names, by_name);
        for (uint32_t i = 0; i < n; i++)
            order[i] = names[i].number;
    }
    *ret = order;
    return sorted;
}

uint32_t *plan_canon_inverse(uint32_t n, const uint32_t *order, struct arena *arena)
{
    uint32_t *rank = arena_new_array(arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        rank[order[i]] = i;
    return rank;
}

#define REORDER(to, from, field, n, order)                                                                   \
    do {                                                                                                     \
        (to).field = arena_alloc(arena, (n), sizeof *(to).field);                                            \
        for (uint32_t i_ = 0; i_ < (n); i_++)                                                                \
            (to).field[i_] = (from).field[(order)[i_]];                                                      \
    } while (0)

static void reorder_hosts(struct snapshot_hosts *to, const struct snapshot_hosts *from, const uint32_t *order,
                          struct arena *arena)
{
    to->n = from->n;
#define DO(field) REORDER(*to, *from, field, from->n, order);
    DO(name)
    PLAN_CANON_HOST_FIGURES(DO)
#undef DO
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t *map_list(uint32_t n, const uint32_t *list, const uint32_t *rank, struct arena *arena)
{
    uint32_t *mapped = arena_new_array(arena, uint32_t, n);
    for (uint32_t i = 0; i < n; i++)
        mapped[i] = rank[list[i]];
    if (n > 1)
        qsort(mapped, n, sizeof *mapped, by_number);
    return mapped;
}

static void reorder_vms(struct snapshot_vms *to, const struct snapshot_vms *from, const uint32_t *order,
                        const uint32_t *host_rank, struct arena *arena)
{
    to->n = from->n;
#define DO(field) REORDER(*to, *from, field, from->n, order);
    PLAN_CANON_VM_COLUMNS(DO)
#undef DO
    to->host = arena_new_array(arena, uint32_t, from->n);
    to->cannot_run_on.start = arena_new_array(arena, uint32_t, (size_t)from->n + 1);
    const struct index_lists *lists = &from->cannot_run_on;
    to->cannot_run_on.item = arena_new_array(arena, uint32_t, lists->start[from->n]);
    for (uint32_t v = 0; v < from->n; v++) {
        to->host[v] = host_rank[from->host[order[v]]];
        uint32_t first = lists->start[order[v]], n = lists->start[order[v] + 1] - first;
        uint32_t at = to->cannot_run_on.start[v];
        for (uint32_t i = 0; i < n; i++)
            to->cannot_run_on.item[at + i] = host_rank[lists->item[first + i]];
        if (n > 1)
            qsort(to->cannot_run_on.item + at, n, sizeof(uint32_t), by_number);
        to->cannot_run_on.start[v + 1] = at + n;
    }
}

static struct snapshot *reorder(const struct snapshot *s, const uint32_t *vm, const uint32_t *host,
                                struct arena *arena)
{
    uint32_t *host_rank = plan_canon_inverse(s->hosts.n, host, arena);
    uint32_t *vm_rank = plan_canon_inverse(s->vms.n, vm, arena);
    struct snapshot *canon = arena_new_object(arena, struct snapshot);
    *canon = *s;
    canon->arena = NULL;
    reorder_hosts(&canon->hosts, &s->hosts, host, arena);
    reorder_vms(&canon->vms, &s->vms, vm, host_rank, arena);
    canon->rules = arena_new_array(arena, struct rule, s->n_rules);
    for (uint32_t r = 0; r < s->n_rules; r++) {
        canon->rules[r] = s->rules[r];
        canon->rules[r].vms = map_list(s->rules[r].n_vms, s->rules[r].vms, vm_rank, arena);
        canon->rules[r].hosts = map_list(s->rules[r].n_hosts, s->rules[r].hosts, host_rank, arena);
    }
    return canon;
}

const struct snapshot *plan_canon(const struct snapshot *s, struct arena *arena, uint32_t **ret_vm,
                                  uint32_t **ret_host)
{
    bool hosts_sorted = rank_names(s->hosts.n, s->hosts.name, arena, ret_host);
    bool vms_sorted = rank_names(s->vms.n, s->vms.name, arena, ret_vm);
    return hosts_sorted && vms_sorted ? s : reorder(s, *ret_vm, *ret_host, arena);
}

struct snapshot *plan_canon_copy(const struct snapshot *s, struct arena *arena, uint32_t **ret_vm,
                                 uint32_t **ret_host)
{
    rank_names(s->hosts.n, s->hosts.name, arena, ret_host);
    rank_names(s->vms.n, s->vms.name, arena, ret_vm);
    return reorder(s, *ret_vm, *ret_host, arena);
}
