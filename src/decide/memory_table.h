// Finds the track of a VM by its id: one step's tracks are laid out in the order of that step's input, and
// the next step looks them up. Internal to memory_manager.c.
#ifndef BALLAST_DECIDE_MEMORY_TABLE_H
#define BALLAST_DECIDE_MEMORY_TABLE_H

#include "decide/memory_track.h"

struct memory_table {
    size_t max, n;
    struct memory_track *track; // of the present step, by input row
    struct memory_track *old;   // of the step before
    uint32_t *slot;             // open addressing over old: index + 1, 0 empty
    size_t n_slots;             // a power of two, at least 2 x max
};

// -1 when out of memory; memory_table_free cleans up either way.
int memory_table_init(struct memory_table *table, size_t max);
void memory_table_free(struct memory_table *table);

// Makes track[i] that of vms[i], zeroed where the id is new; others are forgotten. O(n), no allocation.
void memory_table_turn(struct memory_table *table, size_t n, const struct memory_vm_input *vms);

#endif
