// The log of a program: one line a message on standard error, with syslog priority prefixes ("<4>") when
// the journal reads it. Only programs log; libraries return errors.
#ifndef BALLAST_BASE_LOG_H
#define BALLAST_BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR = 3, // numbers are syslog's
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

// Everything up to and including level is written; default LOG_LEVEL_INFO.
void log_set_level(enum log_level level);

// Whether JOURNAL_STREAM says that standard error is the journal is found out at the first message.
void log_message(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
