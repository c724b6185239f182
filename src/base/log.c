#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

static _Atomic int max_level = LOG_LEVEL_INFO;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static int to_journal;

static void look_for_journal(void)
{
    to_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
    max_level = (int)level;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTICE:
        return "notice";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "?";
}

void log_message(enum log_level level, const char *format, ...)
{
    if ((int)level > max_level)
        return;
    pthread_once(&journal_once, look_for_journal);
    char line[1200];
    int used;
    if (to_journal) {
        used = snprintf(line, sizeof line, "<%d>", (int)level);
    } else {
        char stamp[32];
        used =
            snprintf(line, sizeof line, "%s %s: ", clock_format_utc(clock_wall(), stamp), level_name(level));
    }
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    va_end(args);
    text_make_safe(line, 0);
    size_t length = strlen(line);
    line[length] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length + 1);
    (void)written; // there is no one left to tell
}
