// Opening, creating and closing the SQLite store.
//
// A new store is made whole under another name and then linked into place: whoever sees the file sees a
// complete store, of two agents that start at once one wins, and a file that is there but empty or damaged
// was never ours to replace. It is reported and left alone.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite.h"

#define WAL_LIMIT_BYTES "16777216" // the journal is cut back to this after a burst
// Names and reasons in it are the cluster's own business: read by owner and group, as under the unit's UMask. SQLite
// gives its journal the same mode.
#define FILE_MODE 0640
#define DIRECTORY_MODE 0750

static void sqlite_close(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    for (size_t i = 0; i < s->n_statements; i++)
        sqlite3_finalize(s->statements[i].prepared);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->mutex);
    free(s->upsert_host);
    free(s->upsert_vm);
    free(s->select_host);
    free(s->select_vm);
    free(s->path);
    free(s);
}

// Makes PATH.new-XXXXXX with the newest schema in WAL mode, and links it to PATH unless PATH came to be meanwhile.
static int create(struct sqlite_store *s, struct error *err)
{
    char wal[4096], fresh[4096];
    struct stat st;
    if (snprintf(wal, sizeof wal, "%s-wal", s->path) >= (int)sizeof wal)
        return error_set(err, ERROR_INPUT, "store \"%s\": the path is too long", s->path);
    // Looked at in this order: another agent may have made the store just now and be writing already.
    bool journal = stat(wal, &st) == 0 && st.st_size > 0;
    if (stat(s->path, &st) == 0)
        return 0;
    if (journal)
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": the file is gone but its journal \"%s\" is there: it was moved away or "
            "deleted alone. Put it back, or remove the journal too and a new store is made",
            s->path, wal);
    if (snprintf(fresh, sizeof fresh, "%s.new-XXXXXX", s->path) >= (int)sizeof fresh)
        return error_set(err, ERROR_INPUT, "store \"%s\": the path is too long", s->path);
    char *slash = strrchr(s->path, '/');
    if (slash && slash != s->path) { // the last directory only: a mistyped path is not built up whole
        *slash = '\0';
        if (mkdir(s->path, DIRECTORY_MODE) < 0 && errno != EEXIST) {
            int errnum = errno;
            error_errno(err, errnum, "store \"%s/%s\": make its directory", s->path, slash + 1);
            *slash = '/';
            return -1;
        }
        *slash = '/';
    }
    // SQLite would follow a link that somebody put in its way; mkostemp does not.
    int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0 || fchmod(fd, FILE_MODE) < 0) {
        int errnum = errno;
        if (fd >= 0) {
            close(fd);
            unlink(fresh);
        }
        return error_errno(err, errnum, "store \"%s\": make the file", s->path);
    }
    close(fd);
    int code = sqlite3_open_v2(fresh, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite_schema_create(s->db, sqlite_schema_newest());
    if (code == SQLITE_OK)
        code = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    int rc = code == SQLITE_OK ? 0 : sqlite_error(s, code, err);
    sqlite3_close(s->db); // folds the journal into the file
    s->db = NULL;
    if (rc == 0 && link(fresh, s->path) < 0 && errno != EEXIST)
        rc = error_errno(err, errno, "store \"%s\": put the new file in place", s->path);
    unlink(fresh);
    static const char *const beside[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 3; i++) {
        char other[4200];
        snprintf(other, sizeof other, "%s%s", fresh, beside[i]);
        unlink(other);
    }
    return rc;
}

// Whether the whole file holds together; only for files small enough to be read in no time.
static int check_whole(struct sqlite_store *s, int64_t bytes, struct error *err)
{
    if (s->read_only || bytes > SQLITE_QUICK_CHECK_BYTES)
        return 0;
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &q, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    const char *said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    int rc = 0;
    if (code != SQLITE_ROW)
        rc = sqlite_error(s, code, err);
    else if (said && strcmp(said, "ok") != 0) {
        sqlite_error(s, SQLITE_CORRUPT, err);
        rc = error_context(err, "%.80s", said);
    }
    sqlite3_finalize(q);
    return rc;
}

// SQLite is not to open what is no database: where the journal of an earlier file still lies beside it, it would find
// the file damaged and yet write the journal's pages into it when it closes.
static int check_magic(struct sqlite_store *s, struct error *err)
{
    static const char magic[16] = "SQLite format 3";
    char begin[sizeof magic];
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "store \"%s\"", s->path);
    ssize_t n = pread(fd, begin, sizeof begin, 0);
    int errnum = errno;
    close(fd);
    if (n < 0)
        return error_errno(err, errnum, "store \"%s\"", s->path);
    return n == sizeof begin && memcmp(begin, magic, sizeof magic) == 0 ? 0
                                                                        : sqlite_error(s, SQLITE_NOTADB, err);
}

static int connect(struct sqlite_store *s, const struct store_options *options, struct error *err)
{
    struct stat st;
    if (stat(s->path, &st) < 0) {
        if (errno != ENOENT)
            return error_errno(err, errno, "store \"%s\"", s->path);
        if (options->read_only || options->must_exist)
            return error_set(err, ERROR_MISSING,
                             "store \"%s\": no such file. It is made by ballastd; is that running here, with "
                             "this store? Another one is named by --store or BALLAST_STORE",
                             s->path);
        if (create(s, err) < 0)
            return -1;
        if (stat(s->path, &st) < 0)
            return error_errno(err, errno, "store \"%s\"", s->path);
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INPUT, "store \"%s\": not a regular file", s->path);
    if (st.st_size == 0)
        return error_set(
            err, ERROR_LOST,
            "store \"%s\": the file is empty: not a ballast store, or a truncated one; left as it is. "
            "Restore a backup, or remove it with its -wal and -shm and a new store is made",
            s->path);
    if (check_magic(s, err) < 0)
        return -1;
    int code = sqlite3_open_v2(
        s->path, &s->db, (s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX,
        NULL);
    if (code != SQLITE_OK)
        return sqlite_error(s, code, err);
    if (!s->read_only && sqlite3_db_readonly(s->db, "main") == 1)
        return sqlite_error(s, SQLITE_READONLY, err);
    sqlite3_extended_result_codes(s->db, 0);
    sqlite_install_deadline(s);
    // NORMAL: a commit survives the death of any process; a power failure may take the last ones, but then
    // every host that shares this store has gone down with it.
    code = sqlite3_exec(s->db,
                        "PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = " WAL_LIMIT_BYTES "; "
                        "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON",
                        NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_error(s, code, err);
    if (sqlite_schema_open(s, err) < 0 || check_whole(s, (int64_t)st.st_size, err) < 0)
        return -1;
    if (sqlite_columns_open(s, err) < 0)
        return -1;
    return sqlite_clock_open(s, err);
}

static int sqlite_open(const char *path, const struct store_options *options, struct store **ret_store,
                       struct error *err)
{
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return error_set(err, ERROR_MEMORY, "store \"%s\": no memory", path);
    }
    pthread_mutex_init(&s->mutex, NULL);
    s->base.operations = &sqlite_operations;
    s->read_only = options->read_only;
    s->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : STORE_TIMEOUT_MS;
    s->clock_ms = options->clock_ms;
    s->clock_data = options->clock_data;
    if (connect(s, options, err) < 0) {
        sqlite_close(&s->base);
        return -1;
    }
    *ret_store = &s->base;
    return 0;
}

#define OPERATION_ENTRY(name, ...) .name = sqlite_##name,
const struct store_operations sqlite_operations = {.scheme = "sqlite",
                                                   .open = sqlite_open,
                                                   .close = sqlite_close,
                                                   .begin = sqlite_begin,
                                                   .end = sqlite_end,
                                                   STORE_OPERATIONS(OPERATION_ENTRY)};
