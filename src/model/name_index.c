#include "model/name_index.h"

#include <string.h>

int name_index_init(struct name_index *index, uint32_t n)
{
    memset(index, 0, sizeof *index);
    // a third more places than names keeps the probe chains of the open addressing short
    if (!hcreate_r((size_t)n + n / 3 + 8, &index->table))
        return -1;
    index->ready = true;
    return 0;
}

void name_index_free(struct name_index *index)
{
    if (index->ready)
        hdestroy_r(&index->table);
    index->ready = false;
}

// The table keeps keys as char * but never writes to them.
static ENTRY entry_of(const char *name, uint32_t number)
{
    union {
        const char *in;
        char *out;
    } key = {.in = name};
    return (ENTRY){.key = key.out, .data = (void *)(uintptr_t)number};
}

uint32_t name_index_add(struct name_index *index, const char *name, uint32_t number)
{
    ENTRY *found;
    if (!hsearch_r(entry_of(name, number), ENTER, &found, &index->table))
        return NAME_INDEX_NONE;
    return (uint32_t)(uintptr_t)found->data;
}

uint32_t name_index_find(struct name_index *index, const char *name)
{
    ENTRY *found;
    if (!index->ready || !hsearch_r(entry_of(name, 0), FIND, &found, &index->table))
        return NAME_INDEX_NONE;
    return (uint32_t)(uintptr_t)found->data;
}
