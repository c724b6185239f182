#include "decide/plan_changes.h"

#include <string.h>

#include "decide/plan_canon.h"

static bool same_names(uint32_t n, const char *const *a, const char *const *b)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

// To the last bit: what the planner made of equal bytes is equal.
static bool same_bytes(size_t bytes, const void *a, const void *b)
{
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}

static bool same_numbers(size_t n, const uint32_t *a, const uint32_t *b)
{
    return same_bytes(n * sizeof *a, a, b);
}

static bool same_rules(const struct snapshot *a, const struct snapshot *b)
{
    for (uint32_t r = 0; r < a->n_rules; r++) {
        const struct rule *x = &a->rules[r], *y = &b->rules[r];
        if (x->type != y->type || x->by_zone != y->by_zone || x->strict != y->strict ||
            x->n_vms != y->n_vms || x->n_hosts != y->n_hosts || !same_numbers(x->n_vms, x->vms, y->vms) ||
            !same_numbers(x->n_hosts, x->hosts, y->hosts))
            return false;
    }
    return true;
}

static bool same_hosts(const struct snapshot_hosts *a, const struct snapshot_hosts *b)
{
#define DO(field)                                                                                            \
    if (!same_bytes(a->n * sizeof *a->field, a->field, b->field))                                            \
        return false;
    PLAN_CANON_HOST_FIGURES(DO)
#undef DO
    return same_names(a->n, a->name, b->name);
}

bool plan_changes_same_cluster(const struct snapshot *a, const struct snapshot *b)
{
    const struct index_lists *x = &a->vms.cannot_run_on, *y = &b->vms.cannot_run_on;
    return a->hosts.n == b->hosts.n && a->vms.n == b->vms.n && a->n_rules == b->n_rules &&
           a->n_zones == b->n_zones && same_hosts(&a->hosts, &b->hosts) &&
           same_names(a->vms.n, a->vms.name, b->vms.name) &&
           same_numbers((size_t)a->vms.n + 1, x->start, y->start) &&
           same_numbers(x->start[a->vms.n], x->item, y->item) && same_rules(a, b);
}

// Values compared at a time: most stretches of most columns are the same.
#define STRETCH 64

static void mark_column(size_t n, size_t size, const void *column_a, const void *column_b, bool *changed)
{
    const char *a = column_a, *b = column_b;
    for (size_t i = 0; i < n; i += STRETCH) {
        size_t end = n - i < STRETCH ? n : i + STRETCH;
        if (same_bytes((end - i) * size, a + i * size, b + i * size))
            continue;
        for (size_t k = i; k < end; k++)
            if (!same_bytes(size, a + k * size, b + k * size))
                changed[k] = true;
    }
}

void plan_changes_mark(const struct snapshot *a, const struct snapshot *b, bool *changed)
{
#define DO(field) mark_column(a->vms.n, sizeof *a->vms.field, a->vms.field, b->vms.field, changed);
    DO(host)
    PLAN_CANON_VM_FIGURES(DO)
#undef DO
}

void plan_changes_take(const struct snapshot *from, uint32_t from_vm, struct snapshot *to, uint32_t to_vm)
{
#define DO(field) to->vms.field[to_vm] = from->vms.field[from_vm];
    PLAN_CANON_VM_FIGURES(DO)
#undef DO
}
