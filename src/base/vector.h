// A typed growing array.
//
//     DEFINE_VECTOR(samples, struct sample);       // struct samples { struct sample *at; size_t n, capacity; }
//     struct samples s = {0};
//     samples_push(&s, value);                     // 0, or -1 when out of memory (then s is unchanged)
//     samples_clear(&s);                           // empty, memory kept
//     samples_free(&s);                            // takes a zeroed or half-built vector
#ifndef BALLAST_BASE_VECTOR_H
#define BALLAST_BASE_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define DEFINE_VECTOR(name, type)                                                                            \
    struct name {                                                                                            \
        type *at;                                                                                            \
        size_t n;                                                                                            \
        size_t capacity;                                                                                     \
    };                                                                                                       \
    __attribute__((unused)) static inline int name##_reserve(struct name *v, size_t want)                    \
    {                                                                                                        \
        if (want <= v->capacity)                                                                             \
            return 0;                                                                                        \
        size_t capacity = v->capacity ? v->capacity : 8;                                                     \
        while (capacity < want && capacity <= SIZE_MAX / 2)                                                  \
            capacity *= 2;                                                                                   \
        if (capacity < want || capacity > SIZE_MAX / sizeof(type))                                           \
            return -1;                                                                                       \
        type *at = realloc(v->at, capacity * sizeof(type));                                                  \
        if (!at)                                                                                             \
            return -1;                                                                                       \
        v->at = at;                                                                                          \
        v->capacity = capacity;                                                                              \
        return 0;                                                                                            \
    }                                                                                                        \
    __attribute__((unused)) static inline int name##_push(struct name *v, type value)                        \
    {                                                                                                        \
        if (name##_reserve(v, v->n + 1) < 0)                                                                 \
            return -1;                                                                                       \
        v->at[v->n++] = value;                                                                               \
        return 0;                                                                                            \
    }                                                                                                        \
    __attribute__((unused)) static inline void name##_clear(struct name *v)                                  \
    {                                                                                                        \
        v->n = 0;                                                                                            \
    }                                                                                                        \
    __attribute__((unused)) static inline void name##_free(struct name *v)                                   \
    {                                                                                                        \
        free(v->at);                                                                                         \
        v->at = NULL;                                                                                        \
        v->n = v->capacity = 0;                                                                              \
    }                                                                                                        \
    struct name

#endif
