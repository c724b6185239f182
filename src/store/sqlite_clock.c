// The store's clock, and the small numbers kept in table meta.
//
// All who share an SQLite store run on one machine, so the kernel's CLOCK_BOOTTIME is one clock for them
// that no NTP step or administrator moves. The store's clock is CLOCK_BOOTTIME + an offset that the first
// writer after a boot chooses so that it reads like the wall clock, but never less than the store's clock
// had reached before (meta "clock_floor_ms"). Leases and claims thus expire by true elapsed time, and after
// a boot everything that was held has simply aged.
//
// Timeline: a store that was copied (restored from a backup) may have gone back in time; its file has
// another inode than the one noted when it was made. The first writer that notices draws a new timeline,
// ends all leases and lets open claims become unknown.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/sqlite.h"

static int64_t boot_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// A number that differs from boot to boot.
static int64_t boot_number(void)
{
    char text[64] = "";
    if (file_read_small("/proc/sys/kernel/random/boot_id", text, sizeof text) <= 0)
        return 0;
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *p = text; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return (int64_t)(hash >> 1);
}

int64_t sqlite_clock_now(const struct sqlite_store *s)
{
    return s->clock_ms ? s->clock_ms(s->clock_data) : boot_ms() + s->clock_offset_ms;
}

struct wall sqlite_wall(const struct sqlite_store *s, int64_t at_ms)
{
    return (struct wall){clock_wall().ms - (s->now_ms - at_ms)};
}

int sqlite_meta_get(struct sqlite_store *s, const char *key, int64_t fallback, int64_t *ret_value,
                    struct error *err)
{
    sqlite3_stmt *q = sqlite_start(s, err, "SELECT value FROM meta WHERE key = ?1", "t", key);
    if (!q)
        return -1;
    int rc = sqlite_step(s, q, err);
    if (rc < 0)
        return -1;
    *ret_value = rc == 1 ? sqlite3_column_int64(q, 0) : fallback;
    sqlite3_reset(q);
    return 0;
}

int sqlite_meta_set(struct sqlite_store *s, const char *key, int64_t value, struct error *err)
{
    return sqlite_run(
        s, err, "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        "ti", key, value);
}

static int64_t file_number(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)(((uint64_t)st.st_ino << 16 ^ (uint64_t)st.st_dev) >> 1) : 0;
}

// Under the write lock: sets what a new boot or a restored file changes.
static int renew_clock(struct sqlite_store *s, struct error *err)
{
    int64_t boot = 0, offset = 0, floor = 0, file = 0;
    if (sqlite_meta_get(s, "boot", 0, &boot, err) < 0 ||
        sqlite_meta_get(s, "clock_offset_ms", 0, &offset, err) < 0 ||
        sqlite_meta_get(s, "clock_floor_ms", 0, &floor, err) < 0 ||
        sqlite_meta_get(s, "file", 0, &file, err) < 0)
        return -1;
    if (boot != boot_number()) {
        offset = clock_wall().ms - boot_ms();
        if (boot_ms() + offset < floor)
            offset = floor - boot_ms();
        if (sqlite_meta_set(s, "boot", boot_number(), err) < 0 ||
            sqlite_meta_set(s, "clock_offset_ms", offset, err) < 0)
            return -1;
    }
    s->clock_offset_ms = offset;
    s->now_ms = sqlite_clock_now(s);
    if (file == file_number(s->path))
        return 0;
    if (sqlite_meta_set(s, "file", file_number(s->path), err) < 0)
        return -1;
    if (!file) // new: nothing to distrust
        return 0;
    if (sqlite_run(s, err, "UPDATE meta SET value = abs(random() / 2) + 1 WHERE key = 'timeline'", "") < 0 ||
        sqlite_run(s, err, "UPDATE leases SET expires_at = 0, planning_since = NULL", "") < 0 ||
        sqlite_run(s, err, "UPDATE migrations SET expires_at = 0 WHERE state IN (2, 3)", "") < 0)
        return -1;
    return sqlite_event(
        s, STORE_WARNING, "store-restored", NULL, NULL, NULL, err,
        "the store's file is a copy of an earlier one: a new timeline begins, leases are void, open "
        "migrations are looked up");
}

int sqlite_clock_open(struct sqlite_store *s, struct error *err)
{
    int64_t boot = 0, file = 0, timeline = 0;
    if (sqlite_begin(&s->base, STORE_READS, err) < 0)
        return -1;
    int rc = sqlite_meta_get(s, "boot", 0, &boot, err);
    if (rc == 0)
        rc = sqlite_meta_get(s, "file", 0, &file, err);
    if (rc == 0)
        rc = sqlite_meta_get(s, "clock_offset_ms", 0, &s->clock_offset_ms, err);
    if (rc == 0)
        rc = sqlite_meta_get(s, "timeline", 0, &timeline, err);
    if (sqlite_end(&s->base, rc, err) < 0)
        return -1;
    bool changed = boot != boot_number() || file != file_number(s->path);
    if (changed && s->read_only)
        s->clock_offset_ms =
            clock_wall().ms - boot_ms(); // nobody has written since the boot: good enough to show ages
    if (changed && !s->read_only) {
        if (sqlite_begin(&s->base, STORE_WRITES, err) < 0)
            return -1;
        rc = renew_clock(s, err);
        if (rc == 0)
            rc = sqlite_meta_get(s, "timeline", 0, &timeline, err);
        if (sqlite_end(&s->base, rc, err) < 0)
            return -1;
    }
    s->timeline = (uint64_t)timeline;
    return 0;
}
