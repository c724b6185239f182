// Scope-bound cleanup: the variable's destructor runs when its scope ends, on every path.
//
//     CLEANUP(arena_free) struct arena *arena = arena_new(0);
//     ...
//     return take_pointer(&arena);      // explicit hand-over to the caller
#ifndef BALLAST_BASE_CLEANUP_H
#define BALLAST_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Defines cleanup_FUNCTION for a destructor FUNCTION(TYPE *) that takes NULL.
#define DEFINE_CLEANUP(type, function)                                                                       \
    __attribute__((unused)) static inline void cleanup_##function(type *pointer)                             \
    {                                                                                                        \
        if (*pointer)                                                                                        \
            function(*pointer);                                                                              \
    }                                                                                                        \
    struct cleanup_##function##_defined

#define CLEANUP(function) __attribute__((cleanup(cleanup_##function)))

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

// Hands over what *pointer holds and leaves NULL, so that the cleanup does nothing.
#define take_pointer(pointer)                                                                                \
    ({                                                                                                       \
        __typeof__(*(pointer)) taken_ = *(pointer);                                                          \
        *(pointer) = NULL;                                                                                   \
        taken_;                                                                                              \
    })

#endif
