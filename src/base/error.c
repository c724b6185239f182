#include "base/error.h"

#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void set_text(struct error *err, const char *format,
                                                           va_list args)
{
    int length = vsnprintf(err->text, sizeof err->text, format, args);
    if (length < 0)
        err->text[0] = '\0';
}

void error_fill(struct error *err, enum error_kind kind, const char *format, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    err->kind = kind;
}

void error_fill_context(struct error *err, const char *format, ...)
{
    if (!err || err->kind == ERROR_NONE)
        return;
    struct error inner = *err;
    va_list args;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", inner.text);
}

void error_fill_errno(struct error *err, int errnum, const char *format, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, format);
    set_text(err, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(errnum));
    err->kind = ERROR_FAILED;
}

void error_clear(struct error *err)
{
    if (!err)
        return;
    err->kind = ERROR_NONE;
    err->text[0] = '\0';
}

const char *error_kind_name(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NONE:
        return "none";
    case ERROR_FAILED:
        return "failed";
    case ERROR_INPUT:
        return "input";
    case ERROR_MISSING:
        return "missing";
    case ERROR_TIMEOUT:
        return "timeout";
    case ERROR_REFUSED:
        return "refused";
    case ERROR_LOST:
        return "lost";
    case ERROR_MEMORY:
        return "memory";
    case ERROR_STOPPED:
        return "stopped";
    }
    return "unknown";
}
