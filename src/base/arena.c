#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BLOCK_BYTES ((size_t)64 * 1024)

struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

struct arena {
    struct block *current; // the block being filled; those before it stand behind it in the list
    struct block *spare;   // blocks kept by arena_reset
    size_t block_bytes;
    size_t footprint;
};

struct arena *arena_new(size_t block_bytes)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->block_bytes = block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES;
    return arena;
}

static void free_list(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

struct arena *arena_free(struct arena *arena)
{
    if (!arena)
        return NULL;
    free_list(arena->current);
    free_list(arena->spare);
    free(arena);
    return NULL;
}

static void out_of_memory(size_t bytes)
{
    fprintf(stderr, "ballast: out of memory (an arena asked for %zu bytes)\n", bytes);
    abort();
}

static struct block *take_spare(struct arena *arena, size_t bytes)
{
    for (struct block **link = &arena->spare; *link; link = &(*link)->next) {
        if ((*link)->size < bytes)
            continue;
        struct block *block = *link;
        *link = block->next;
        return block;
    }
    return NULL;
}

static void add_block(struct arena *arena, size_t bytes)
{
    struct block *block = take_spare(arena, bytes);
    if (!block) {
        size_t size = bytes > arena->block_bytes ? bytes : arena->block_bytes;
        if (size > SIZE_MAX - sizeof *block)
            out_of_memory(bytes);
        block = malloc(sizeof *block + size);
        if (!block)
            out_of_memory(bytes);
        block->size = size;
        arena->footprint += sizeof *block + size;
    }
    block->used = 0;
    block->next = arena->current;
    arena->current = block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - sizeof(max_align_t))
        out_of_memory(SIZE_MAX);
    bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!arena->current || arena->current->size - arena->current->used < bytes)
        add_block(arena, bytes);
    void *result = (char *)arena->current->data + arena->current->used;
    arena->current->used += bytes;
    return memset(result, 0, bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return arena_strdup(arena, "");
    char *text = arena_alloc(arena, (size_t)length + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void arena_reset(struct arena *arena)
{
    while (arena->current) {
        struct block *block = arena->current;
        arena->current = block->next;
        block->next = arena->spare;
        arena->spare = block;
    }
}

size_t arena_footprint(const struct arena *arena)
{
    return arena->footprint;
}
