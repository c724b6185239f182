// An arena: memory that is handed out piece by piece and given back all at once.
//
// A planning cycle allocates from one arena and throws the whole away afterwards; nothing inside it is
// freed on its own. Not for use by several threads at a time.
#ifndef BALLAST_BASE_ARENA_H
#define BALLAST_BASE_ARENA_H

#include <stddef.h>

struct arena;

// Makes an arena that grows by blocks of at least block_bytes (0: 64 KiB). NULL when out of memory.
struct arena *arena_new(size_t block_bytes);

// Frees everything; takes NULL, returns NULL.
struct arena *arena_free(struct arena *arena);

// Zeroed memory for count objects of size bytes each, aligned for any type. Count 0 gives a valid
// pointer to nothing. Aborts the process when the sizes overflow or the memory is not to be had: a plan
// that cannot be held in memory has no sensible answer, and input sizes are bounded long before.
void *arena_alloc(struct arena *arena, size_t count, size_t size)
    __attribute__((malloc, alloc_size(2, 3), returns_nonnull));

// A copy of text that lives as long as the arena.
char *arena_strdup(struct arena *arena, const char *text) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *arena, const char *text, size_t length) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

// Forgets all that was allocated but keeps the blocks for the next cycle.
void arena_reset(struct arena *arena);

// Bytes held from the system, blocks kept for reuse included.
size_t arena_footprint(const struct arena *arena);

#define arena_new_array(arena, type, count) ((type *)arena_alloc((arena), (count), sizeof(type)))
#define arena_new_object(arena, type) ((type *)arena_alloc((arena), 1, sizeof(type)))

#endif
