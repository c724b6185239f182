// What can be wrong with a store's file, and that nothing is lost or replaced by it: damaged, empty, foreign,
// truncated, moved away, replaced, read-only, full, locked.
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "base/random.h"
#include "store/sqlite.h"

static int64_t mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_file(const char *path, const void *data, size_t size, off_t at, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, at), (ssize_t)size);
    close(fd);
}

static void an_empty_file_is_not_taken_for_a_new_store(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    assert_int_equal(truncate(f->path, 0), 0);
    assert_refused_and_untouched(f, "empty");
}

static void text_is_not_taken_for_a_store(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    unlink(f->path);
    char text[8192];
    memset(text, 'x', sizeof text);
    write_file(f->path, text, sizeof text, 0, 0);
    assert_refused_and_untouched(f, "damaged or not a ballast store");
}

static void what_is_no_database_is_left_alone_beside_an_old_journal(void **state)
{
    struct fixture *f = *state;
    fill(f, 20);
    char path[128], *journal = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s-wal", f->path);
    ok(file_read(path, 1 << 26, &journal, &size, &err));
    assert_true(size > 2 * 4096);
    f->store = store_close(f->store);
    unlink(f->path);
    char text[6 * 4096];
    memset(text, 'x', sizeof text);
    write_file(f->path, text, sizeof text, 0, 0);
    write_file(path, journal, size, 0, O_TRUNC);
    free(journal);
    assert_refused_and_untouched(f, "damaged or not a ballast store");
}

static void another_programs_database_is_left_alone(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    unlink(f->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (x); INSERT INTO t VALUES (1)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_refused_and_untouched(f, "not a ballast store");
}

static void damage_in_the_middle_is_found_when_opening(void **state)
{
    struct fixture *f = *state;
    fill(f, 500);
    f->store = store_close(f->store);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    char noise[4096];
    struct random random = random_seed(7);
    int found = 0, rounds = 0;
    char *whole = NULL;
    size_t size = 0;
    ok(file_read(f->path, 1 << 26, &whole, &size, &err));
    for (off_t page = 1; page < st.st_size / 4096; page += 3, rounds++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (char)random_bits(&random);
        write_file(f->path, noise, sizeof noise, page * 4096, 0);
        struct store *store = NULL;
        error_clear(&err);
        if (store_open(f->path, NULL, &store, &err) < 0) {
            assert_int_equal(err.kind, ERROR_LOST);
            assert_non_null(strstr(err.text, "damaged"));
            found++;
        } else {
            store_close(store); // a page of the free list
        }
        write_file(f->path, whole, size, 0, O_TRUNC);
    }
    print_message("# %d of %d damaged pages found\n", found, rounds);
    assert_true(rounds > 5 && found >= rounds - 1);
    f->store = fixture_open(f); // whole again
    assert_int_equal(count_vms(f->store), 2);
    free(whole);
}

static void a_truncated_file_is_found_when_opening(void **state)
{
    struct fixture *f = *state;
    fill(f, 500);
    f->store = store_close(f->store);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(truncate(f->path, st.st_size / 2 / 4096 * 4096), 0);
    assert_refused_and_untouched(f, "damaged");
}

static void damage_under_an_open_store_is_an_error_not_a_wrong_answer(void **state)
{
    struct fixture *f = *state;
    fill(f, 2000);
    f->store = store_close(f->store);
    // A reader: it does not look at the whole file when opening, so that the damage is not in its cache.
    ok(store_open(f->path, &(struct store_options){.read_only = true}, &f->store, &err));
    char noise[4096];
    memset(noise, 0x5a, sizeof noise);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    for (off_t page = 2; page < st.st_size / 4096; page++)
        write_file(f->path, noise, sizeof noise, page * 4096, 0);
    struct store_events *events = NULL;
    fails(store_read_events(f->store, &(struct store_event_filter){.limit = 3000}, &events, &err),
          ERROR_LOST);
    assert_non_null(strstr(err.text, "damaged"));
}

static void a_file_removed_or_replaced_under_an_open_store_is_noticed(void **state)
{
    struct fixture *f = *state;
    fill(f, 1);
    char away[128];
    snprintf(away, sizeof away, "%s/away", f->directory);
    assert_int_equal(rename(f->path, away), 0);
    fails(store_heartbeat(f->store, "h1", NULL, &err), ERROR_LOST);
    assert_non_null(strstr(err.text, "removed or replaced"));
    struct store *other = NULL; // the journal is still there: no new store beside it
    fails(store_open(f->path, NULL, &other, &err), ERROR_LOST);
    assert_non_null(strstr(err.text, "journal"));
    assert_int_equal(rename(away, f->path), 0);
    ok(store_heartbeat(f->store, "h1", NULL, &err));
}

static void a_command_does_not_create_a_store(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct store *store = NULL;
    snprintf(path, sizeof path, "%s/none.db", f->directory);
    fails(store_open(path, &(struct store_options){.must_exist = true}, &store, &err), ERROR_MISSING);
    assert_int_equal(access(path, F_OK), -1);
    fails(store_open("mysql:host", NULL, &store, &err), ERROR_INPUT);
    fails(store_open("sqlite:", NULL, &store, &err), ERROR_INPUT);
    fails(store_open(f->directory, NULL, &store, &err), ERROR_INPUT);
    snprintf(path, sizeof path, "%s/no/such/ballast.db", f->directory);
    fails(store_open(path, NULL, &store, &err), ERROR_FAILED);
    assert_non_null(strstr(err.text, "directory"));
}

static void a_new_store_is_read_by_owner_and_group_alone(void **state)
{
    struct fixture *f = *state;
    char directory[160], path[200];
    struct stat st;
    snprintf(directory, sizeof directory, "%s/new", f->directory);
    snprintf(path, sizeof path, "%s/ballast.db", directory);
    struct store *store = NULL;
    ok(store_open(path, NULL, &store, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    struct store_host h = a_host("h1");
    ok(store_join(store, &h, NULL, 0, &err));
    snprintf(path, sizeof path, "%s/ballast.db-wal", directory);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    store_close(store);
}

static void a_reader_cannot_write(void **state)
{
    struct fixture *f = *state;
    fill(f, 0);
    struct store *reader = NULL;
    ok(store_open(f->path, &(struct store_options){.read_only = true}, &reader, &err));
    assert_int_equal(count_vms(reader), 2);
    fails(store_heartbeat(reader, "h1", NULL, &err), ERROR_REFUSED);
    store_close(reader);
}

static void a_locked_store_times_out_by_its_deadline_and_works_again_after(void **state)
{
    struct fixture *f = *state;
    fill(f, 0);
    struct store *hasty = NULL;
    ok(store_open(f->path,
                  &(struct store_options){.timeout_ms = 300, .clock_ms = fixture_clock, .clock_data = f},
                  &hasty, &err));
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = mono_ms();
    fails(store_heartbeat(hasty, "h1", NULL, &err), ERROR_TIMEOUT);
    int64_t took = mono_ms() - start;
    assert_non_null(strstr(err.text, "locked"));
    assert_non_null(strstr(err.text, f->path));
    assert_true(took >= 290 && took < 1500);
    assert_int_equal(count_vms(hasty), 2); // readers do not wait for writers
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ok(store_heartbeat(hasty, "h1", NULL, &err));
    sqlite3_close(db);
    store_close(hasty);
}

// A tmpfs of our own over the fixture's directory; skips where that is not allowed.
static void own_file_system(struct fixture *f, const char *options)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("ballast-test", f->directory, "tmpfs", 0, options) < 0) {
        print_message("# skipped: no own mounts here (%s)\n", strerror(errno));
        skip();
    }
}

static void a_full_file_system_loses_nothing_and_says_so(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    own_file_system(f, "size=512k");
    f->store = fixture_open(f);
    fill(f, 0);
    char text[900];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    int written = 0;
    error_clear(&err);
    while (written < 5000 &&
           store_append_event(f->store, &(struct store_event){.kind = "x", .text = text}, &err) == 0)
        written++;
    print_message("# after %d events: %s\n", written, err.text);
    assert_in_range(written, 10, 4999);
    assert_int_equal(err.kind, ERROR_FAILED);
    assert_non_null(strstr(err.text, "nothing is lost"));
    assert_non_null(strstr(err.text, f->path));
    struct store_events *events = NULL;
    ok(store_read_events(f->store, &(struct store_event_filter){.limit = 6000}, &events, &err));
    assert_int_equal(events->n, written + 1); // and the join
    store_events_free(events);
    assert_int_equal(mount(NULL, f->directory, NULL, MS_REMOUNT, "size=4m"), 0);
    ok(store_append_event(f->store, &(struct store_event){.kind = "x", .text = "room again"}, &err));
    store_close(f->store);
    f->store = fixture_open(f);
    assert_int_equal(count_vms(f->store), 2);
    f->store = store_close(f->store);
    umount2(f->directory, MNT_DETACH);
}

static void a_full_file_system_makes_no_half_store(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    own_file_system(f, "size=32k");
    struct store *store = NULL;
    error_clear(&err);
    assert_true(store_open(f->path, NULL, &store, &err) < 0);
    print_message("# %s\n", err.text);
    assert_int_equal(access(f->path, F_OK), -1);
    char command[128];
    snprintf(command, sizeof command, "test -z \"$(ls -A '%s')\"", f->directory);
    assert_int_equal(system(command), 0);
    umount2(f->directory, MNT_DETACH);
}

static void a_read_only_file_system_is_said_plainly_and_can_be_read(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    own_file_system(f, "size=4m");
    f->store = fixture_open(f);
    fill(f, 0);
    f->store = store_close(f->store);
    assert_int_equal(mount(NULL, f->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    struct store *store = NULL;
    fails(store_open(f->path, NULL, &store, &err), ERROR_LOST);
    print_message("# %s\n", err.text);
    assert_non_null(strstr(err.text, "written"));
    assert_int_equal(mount(NULL, f->directory, NULL, MS_REMOUNT, NULL), 0);
    f->store = fixture_open(f);
    assert_int_equal(count_vms(f->store), 2);
    f->store = store_close(f->store);
    umount2(f->directory, MNT_DETACH);
}

static void a_limit_on_file_size_is_an_error_not_a_crash(void **state)
{
    struct fixture *f = *state;
    fill(f, 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small = {200 * 1024, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &old);
    setrlimit(RLIMIT_FSIZE, &small);
    int written = 0;
    error_clear(&err);
    while (written < 5000 &&
           store_append_event(f->store, &(struct store_event){.kind = "x", .text = "y"}, &err) == 0)
        written++;
    setrlimit(RLIMIT_FSIZE, &old);
    print_message("# after %d events: %s\n", written, err.text);
    assert_int_equal(err.kind, ERROR_FAILED);
    assert_non_null(strstr(err.text, "ulimit"));
    ok(store_append_event(f->store, &(struct store_event){.kind = "x", .text = "y"}, &err));
}

// ---- schemas ----

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_empty_file_is_not_taken_for_a_new_store),
        T(text_is_not_taken_for_a_store),
        T(what_is_no_database_is_left_alone_beside_an_old_journal),
        T(another_programs_database_is_left_alone),
        T(damage_in_the_middle_is_found_when_opening),
        T(a_truncated_file_is_found_when_opening),
        T(damage_under_an_open_store_is_an_error_not_a_wrong_answer),
        T(a_file_removed_or_replaced_under_an_open_store_is_noticed),
        T(a_command_does_not_create_a_store),
        T(a_new_store_is_read_by_owner_and_group_alone),
        T(a_reader_cannot_write),
        T(a_locked_store_times_out_by_its_deadline_and_works_again_after),
        T(a_limit_on_file_size_is_an_error_not_a_crash),
        // last: these leave the process in a mount namespace of its own
        T(a_full_file_system_loses_nothing_and_says_so),
        T(a_full_file_system_makes_no_half_store),
        T(a_read_only_file_system_is_said_plainly_and_can_be_read),
    };
    return cmocka_run_group_tests_name("store trouble", tests, NULL, NULL);
}
