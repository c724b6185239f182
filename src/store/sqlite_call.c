// Calls, transactions and statements of the SQLite back-end.
//
// One connection a handle, one call at a time (the mutex). A call has one deadline for everything: the wait
// for the handle, the wait for other processes' locks (busy handler), and the work itself (progress handler,
// which interrupts a statement). Writers begin with BEGIN IMMEDIATE: the lock is taken before anything is
// read, so that what a claim checks cannot change before it writes, and a later statement never has to give
// up because another process wrote in between.
//
// sqlite3_open keeps working on a file that was unlinked or replaced; two agents could then believe in two
// stores. So each transaction first asks whether the file is still where it was.
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "store/sqlite.h"

#define BUSY_SLEEP_MS 2      // between two looks at a lock: a commit takes less than 1 ms
#define PROGRESS_STEPS 20000 // virtual machine steps between two looks at the deadline: about 1 ms

int64_t sqlite_mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int busy(void *data, int times)
{
    (void)times;
    const struct sqlite_store *s = data;
    if (sqlite_mono_ms() >= s->deadline_ms)
        return 0;
    nanosleep(&(struct timespec){0, BUSY_SLEEP_MS * 1000000L}, NULL);
    return 1;
}

static int progress(void *data)
{
    const struct sqlite_store *s = data;
    return sqlite_mono_ms() >= s->deadline_ms;
}

void sqlite_install_deadline(struct sqlite_store *s)
{
    s->deadline_ms = sqlite_mono_ms() + s->timeout_ms;
    sqlite3_busy_handler(s->db, busy, s);
    sqlite3_progress_handler(s->db, PROGRESS_STEPS, progress, s);
}

int sqlite_error(struct sqlite_store *s, int code, struct error *err)
{
    int extended = s->db ? sqlite3_extended_errcode(s->db) : code;
    int errnum = s->db ? sqlite3_system_errno(s->db) : 0;
    if ((extended & 0xff) != (code & 0xff))
        extended = code;
    bool fresh = s->db && (sqlite3_errcode(s->db) & 0xff) == (code & 0xff); // else db speaks of another call
    const char *said = fresh ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(
            err, ERROR_TIMEOUT,
            "store \"%s\": locked by another process for more than %lld ms; nothing was written. "
            "It is tried again; if it stays so, `fuser -v '%s'` shows who holds it",
            s->path, (long long)s->timeout_ms, s->path);
    case SQLITE_INTERRUPT:
        return error_set(err, ERROR_TIMEOUT,
                         "store \"%s\": no answer within %lld ms; nothing was written. Slow disk or machine?",
                         s->path, (long long)s->timeout_ms);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return error_set(err, ERROR_LOST,
                         "store \"%s\": cannot be written (%s). Make the file and its directory writable for "
                         "this user, and the file system mounted read-write",
                         s->path, said);
    case SQLITE_CANTOPEN:
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": cannot be opened (%s%s%s). Its directory must exist and be writable for this user",
            s->path, said, errnum ? ": " : "", errnum ? strerror(errnum) : "");
    case SQLITE_FULL:
        return error_set(
            err, ERROR_FAILED,
            "store \"%s\": the file system is full; nothing was written and nothing is lost. Free "
            "space there; it is tried again",
            s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": damaged or not a ballast store (%s); left as it is. Stop the agents, keep a "
            "copy, and either restore a backup or move it away with its -wal and -shm: the agents then "
            "make a new one and report afresh (settings and history are in the old one: "
            "`sqlite3 FILE .recover`)",
            s->path, said);
    case SQLITE_NOMEM:
        return error_set(err, ERROR_MEMORY, "store \"%s\": no memory", s->path);
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_WRITE || errnum == EDQUOT || errnum == EFBIG)
            return error_set(
                err, ERROR_FAILED,
                "store \"%s\": cannot be written further (%s); nothing was written and nothing is "
                "lost. Look at quotas, the limit of file sizes (ulimit -f) and the disk; it is tried again",
                s->path, errnum ? strerror(errnum) : said);
        return error_set(err, ERROR_LOST, "store \"%s\": input/output error (%s%s%s). Check the disk",
                         s->path, sqlite3_errstr(extended), errnum ? ": " : "",
                         errnum ? strerror(errnum) : "");
    default:
        return error_set(err, ERROR_FAILED, "store \"%s\": %s (SQLite %d)", s->path, said, extended);
    }
}

static int check_in_place(struct sqlite_store *s, struct error *err)
{
    int moved = 0;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": the file was removed or replaced while it was open. Put it back, or let "
            "all agents open the new one",
            s->path);
    return 0;
}

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

// By the monotonic clock. The thread sanitizer of LLVM 14 does not see pthread_mutex_clocklock lock and takes every
// unlock for a mistake: there the lock is tried again and again.
static int lock_until(pthread_mutex_t *mutex, const struct timespec *until)
{
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
    int64_t until_ms = until->tv_sec * 1000 + until->tv_nsec / 1000000;
    int failed;
    while ((failed = pthread_mutex_trylock(mutex)) != 0 && sqlite_mono_ms() < until_ms)
        sqlite3_sleep(1);
    return failed;
#else
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, until);
#endif
}

int sqlite_begin(struct store *store, enum store_access access, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    if (access == STORE_WRITES && s->read_only)
        return error_set(err, ERROR_REFUSED, "store \"%s\": opened for reading only", s->path);
    int64_t deadline_ms = sqlite_mono_ms() + s->timeout_ms;
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    if (lock_until(&s->mutex, &until) != 0)
        return error_set(
            err, ERROR_TIMEOUT,
            "store \"%s\": another call on this handle took more than %lld ms; nothing was written", s->path,
            (long long)s->timeout_ms);
    s->deadline_ms = deadline_ms;
    if (check_in_place(s, err) < 0) {
        pthread_mutex_unlock(&s->mutex);
        return -1;
    }
    int code = sqlite3_exec(s->db, access == STORE_WRITES ? "BEGIN IMMEDIATE" : "BEGIN", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        sqlite_error(s, code, err);
        pthread_mutex_unlock(&s->mutex);
        return -1;
    }
    s->now_ms = sqlite_clock_now(s);
    return 0;
}

int sqlite_end(struct store *store, int rc, struct error *err)
{
    struct sqlite_store *s = sqlite_of(store);
    for (size_t i = 0; i < s->n_statements; i++)
        sqlite3_reset(s->statements[i].prepared);
    if (rc == 0) {
        int code = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
        if (code != SQLITE_OK)
            rc = sqlite_error(s, code, err);
    }
    // Some errors end the transaction by themselves. The rollback must not be stopped by the deadline.
    if (rc != 0 && !sqlite3_get_autocommit(s->db)) {
        sqlite3_progress_handler(s->db, 0, NULL, NULL);
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        sqlite3_progress_handler(s->db, PROGRESS_STEPS, progress, s);
    }
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static sqlite3_stmt *prepare(struct sqlite_store *s, const char *sql, struct error *err)
{
    for (size_t i = 0; i < s->n_statements; i++)
        if (s->statements[i].sql == sql)
            return s->statements[i].prepared;
    if (s->n_statements == SQLITE_MAX_STATEMENTS) {
        error_set(err, ERROR_FAILED, "store \"%s\": too many statements", s->path);
        return NULL;
    }
    sqlite3_stmt *prepared = NULL;
    int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, NULL);
    if (code != SQLITE_OK) {
        sqlite_error(s, code, err);
        return NULL;
    }
    s->statements[s->n_statements++] = (struct sqlite_statement){sql, prepared};
    return prepared;
}

static sqlite3_stmt *start(struct sqlite_store *s, struct error *err, const char *sql, const char *types,
                           va_list arguments)
{
    sqlite3_stmt *statement = prepare(s, sql, err);
    if (!statement)
        return NULL;
    sqlite3_reset(statement);
    int code = SQLITE_OK;
    for (int i = 1; code == SQLITE_OK && types[i - 1]; i++) {
        switch (types[i - 1]) {
        case 't':
            code = sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'i':
            code = sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
            break;
        case 'd':
            code = sqlite3_bind_double(statement, i, va_arg(arguments, double));
            break;
        case 'b': {
            const void *data = va_arg(arguments, const void *);
            code = sqlite3_bind_blob(statement, i, data, va_arg(arguments, int), SQLITE_TRANSIENT);
            break;
        }
        default:
            code = SQLITE_MISUSE;
        }
    }
    if (code != SQLITE_OK) {
        sqlite_error(s, code, err);
        return NULL;
    }
    return statement;
}

sqlite3_stmt *sqlite_start(struct sqlite_store *s, struct error *err, const char *sql, const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    sqlite3_stmt *statement = start(s, err, sql, types, arguments);
    va_end(arguments);
    return statement;
}

int sqlite_step(struct sqlite_store *s, sqlite3_stmt *statement, struct error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        sqlite_error(s, code, err);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? 0 : -1;
}

int sqlite_run(struct sqlite_store *s, struct error *err, const char *sql, const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    sqlite3_stmt *statement = start(s, err, sql, types, arguments);
    va_end(arguments);
    if (!statement)
        return -1;
    int rc = sqlite_step(s, statement, err);
    sqlite3_reset(statement);
    return rc < 0 ? -1 : 0;
}

int sqlite_number(struct sqlite_store *s, double fallback, double *ret_number, struct error *err,
                  const char *sql, const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    sqlite3_stmt *statement = start(s, err, sql, types, arguments);
    va_end(arguments);
    if (!statement)
        return -1;
    int rc = sqlite_step(s, statement, err);
    if (rc < 0)
        return -1;
    bool has = rc == 1 && sqlite3_column_type(statement, 0) != SQLITE_NULL;
    *ret_number = has ? sqlite3_column_double(statement, 0) : fallback;
    sqlite3_reset(statement);
    return 0;
}

static const char *safe_text(sqlite3_stmt *statement, int column, struct arena *arena, char keep)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    char *copy = text ? arena_strdup(arena, (const char *)text) : NULL;
    if (copy)
        text_make_safe(copy, keep);
    return copy;
}

const char *sqlite_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
    return safe_text(statement, column, arena, 0);
}

const char *sqlite_lines(sqlite3_stmt *statement, int column, struct arena *arena)
{
    return safe_text(statement, column, arena, '\n');
}
