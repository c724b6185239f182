// From a name to its number. A thin layer over the C library's hash table (hsearch_r).
#ifndef BALLAST_MODEL_NAME_INDEX_H
#define BALLAST_MODEL_NAME_INDEX_H

#include <search.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_INDEX_NONE UINT32_MAX

struct name_index {
    struct hsearch_data table;
    bool ready;
};

// Makes room for up to n names; -1 when out of memory.
int name_index_init(struct name_index *index, uint32_t n);

// Takes a zeroed one, too.
void name_index_free(struct name_index *index);

// Adds name (borrowed: it must outlive the index) with a number. Returns number, or the number under which
// the name is there already.
uint32_t name_index_add(struct name_index *index, const char *name, uint32_t number);

// The number of name, or NAME_INDEX_NONE.
uint32_t name_index_find(struct name_index *index, const char *name);

#endif
