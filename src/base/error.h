// The one error type of ballast.
//
// A function that can fail takes `struct error *err` as its last argument and returns 0, or a negative
// value after filling err. Each level that passes an error on adds its context in front, so that the
// operator reads   host "h3": read balloon statistics: domain vanished
// A caller that does not care passes NULL.
#ifndef BALLAST_BASE_ERROR_H
#define BALLAST_BASE_ERROR_H

#include <stdarg.h>

// What kind of failure it was, for callers that act on it. Never shown to a person.
enum error_kind {
    ERROR_NONE = 0,
    ERROR_FAILED,  // it was tried and did not work
    ERROR_INPUT,   // what was given is wrong; trying again changes nothing
    ERROR_MISSING, // the object is not there (any more)
    ERROR_TIMEOUT, // no answer within the deadline; what happened is unknown
    ERROR_REFUSED, // the other side understood and said no
    ERROR_LOST,    // the connection is gone; reconnect and ask again
    ERROR_MEMORY,  // no memory
    ERROR_STOPPED, // the caller asked for an early end
};

#define ERROR_TEXT_SIZE 512

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_SIZE]; // always terminated; cut at the end when longer
};

// Fills err (may be NULL) with a kind and a formatted text. Gives -1, so that
// `return error_set(err, ...)` reads naturally.
#define error_set(...)                                                                                       \
    ({                                                                                                       \
        error_fill(__VA_ARGS__);                                                                             \
        -1;                                                                                                  \
    })

// Puts "FORMATTED: " in front of what err says; does nothing when err is NULL or empty. Gives -1.
#define error_context(...)                                                                                   \
    ({                                                                                                       \
        error_fill_context(__VA_ARGS__);                                                                     \
        -1;                                                                                                  \
    })

// Fills err from errno as "FORMATTED: strerror". Gives -1.
#define error_errno(...)                                                                                     \
    ({                                                                                                       \
        error_fill_errno(__VA_ARGS__);                                                                       \
        -1;                                                                                                  \
    })

// The functions behind the macros, which are macros so that compilers and analysers see the -1.
void error_fill(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void error_fill_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void error_fill_errno(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Empties err so that it can be used again.
void error_clear(struct error *err);

// Stable short name of a kind ("timeout"), for logs and tests.
const char *error_kind_name(enum error_kind kind);

#endif
