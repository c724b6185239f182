#include "decide/memory_table.h"

#include <stdlib.h>
#include <string.h>

int memory_table_init(struct memory_table *table, size_t max)
{
    *table = (struct memory_table){.max = max, .n_slots = 16};
    while (table->n_slots < 2 * max)
        table->n_slots *= 2;
    table->track = calloc(max + 1, sizeof *table->track);
    table->old = calloc(max + 1, sizeof *table->old);
    table->slot = calloc(table->n_slots, sizeof *table->slot);
    return table->track && table->old && table->slot ? 0 : -1;
}

void memory_table_free(struct memory_table *table)
{
    free(table->track);
    free(table->old);
    free(table->slot);
    *table = (struct memory_table){0};
}

// Fibonacci hashing: ids may be small numbers or parts of a UUID.
static size_t slot_of(const struct memory_table *table, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (table->n_slots - 1);
}

static const struct memory_track *find(const struct memory_table *table, uint64_t id)
{
    for (size_t s = slot_of(table, id); table->slot[s] != 0; s = (s + 1) & (table->n_slots - 1))
        if (table->old[table->slot[s] - 1].id == id)
            return &table->old[table->slot[s] - 1];
    return NULL;
}

void memory_table_turn(struct memory_table *table, size_t n, const struct memory_vm_input *vms)
{
    struct memory_track *swap = table->old;
    table->old = table->track;
    table->track = swap;
    memset(table->slot, 0, table->n_slots * sizeof *table->slot);
    for (size_t i = 0; i < table->n; i++) {
        size_t s = slot_of(table, table->old[i].id);
        while (table->slot[s] != 0)
            s = (s + 1) & (table->n_slots - 1);
        table->slot[s] = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < n; i++) {
        const struct memory_track *known = find(table, vms[i].id);
        table->track[i] = known ? *known : (struct memory_track){.id = vms[i].id};
    }
    table->n = n;
}
