// Older and newer schemas, and a file that is a copy of an earlier one.
#include "fixture.h"

#include <sqlite3.h>

#include "store/sqlite.h"

static void run_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int schema_version(struct fixture *f)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int version = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return version;
}

static void a_newer_schema_that_promises_to_be_readable_is_used(void **state)
{
    struct fixture *f = *state;
    fill(f, 0);
    f->store = store_close(f->store);
    run_sql(f, "ALTER TABLE vms ADD COLUMN brand_new REAL NOT NULL DEFAULT 7; PRAGMA user_version = 1000");
    f->store = fixture_open(f);
    assert_int_equal(count_vms(f->store), 2);
    struct store_vm v = a_vm("v3", 300);
    ok(store_report(f->store, &(struct store_report){.host = "h1", .vms = &v, .n_vms = 1}, &err));
    assert_int_equal(count_vms(f->store), 3);
    f->store = store_close(f->store);
    assert_int_equal(schema_version(f), 1000); // not taken back
}

static void a_newer_schema_that_does_not_is_refused(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    run_sql(f, "UPDATE meta SET value = 1000 WHERE key = 'readable_by'; PRAGMA user_version = 1000");
    assert_refused_and_untouched(f, "newer version");
}

static void each_older_schema_is_read_as_it_is_and_brought_up_by_a_writer(void **state)
{
    struct fixture *f = *state;
    f->store = store_close(f->store);
    for (int version = 1; version <= sqlite_schema_newest(); version++) {
        char command[160];
        snprintf(command, sizeof command, "rm -f '%s'*", f->path);
        assert_int_equal(system(command), 0);
        sqlite3 *db = NULL;
        assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
        assert_int_equal(sqlite_schema_create(db, version), SQLITE_OK);
        assert_int_equal(
            sqlite3_exec(db,
                         "PRAGMA journal_mode = WAL;"
                         "INSERT INTO hosts (name, state, mode, closed, cpu_cores, mem_mib,"
                         " mem_reserved_mib, net_mib_s, threads_per_core, core_speed, cpu_used_cores,"
                         " cpu_demand_cores, cpu_unmet_cores, mem_used_mib, mem_current_mib,"
                         " mem_unmet_mib, mem_available_mib, swap_used_mib, psi_cpu_permille,"
                         " psi_memory_permille, memory_state, n_vms, reported_at, heartbeat_at)"
                         " VALUES ('old', 0, 2, 0, 4, 1000, 0, 100, 1, 1,"
                         " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                         NULL, NULL, NULL),
            SQLITE_OK);
        sqlite3_close(db);
        struct store *reader = NULL;
        ok(store_open(f->path, &(struct store_options){.read_only = true}, &reader, &err));
        assert_int_equal(count_vms(reader), 0);
        assert_int_equal(schema_version(f), version); // a reader changes nothing
        f->store = fixture_open(f);
        assert_int_equal(schema_version(f), sqlite_schema_newest());
        fill(f, 1);
        struct store_cluster *c = NULL;
        ok(store_read_cluster(reader, NULL, &c, &err)); // opened before, reading after
        assert_int_equal(c->snapshot->hosts.n, 2);
        assert_string_equal(c->hosts[1].name, "old");
        store_cluster_free(c);
        store_close(reader);
        f->store = store_close(f->store);
    }
}

static void every_column_that_is_written_exists(void **state)
{
    struct fixture *f = *state;
    char sql[160];
    for (size_t i = 0; i < n_host_columns; i++) {
        snprintf(sql, sizeof sql, "SELECT count(%s) FROM hosts", host_columns[i].name);
        run_sql(f, sql);
    }
    for (size_t i = 0; i < n_vm_columns; i++) {
        snprintf(sql, sizeof sql, "SELECT count(%s) FROM vms", vm_columns[i].name);
        run_sql(f, sql);
    }
}

static void a_copied_store_begins_a_new_timeline_and_voids_leases(void **state)
{
    struct fixture *f = *state;
    fill(f, 0);
    struct store_host h2 = a_host("h2");
    ok(store_join(f->store, &h2, NULL, 0, &err));
    struct store_claim claim = a_claim("v1", "h1", "h2");
    uint64_t id = 0;
    assert_refusal(try_claim(f->store, &claim, &id), STORE_GRANTED);
    struct store_lease lease, next;
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 60000, false, &lease, &err));
    f->store = store_close(f->store);
    f->store = fixture_open(f); // the same file: the same timeline
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h1", 60000, false, &next, &err));
    assert_true(next.epoch.timeline == lease.epoch.timeline && next.epoch.counter == lease.epoch.counter);
    f->store = store_close(f->store);
    char command[500];
    snprintf(command, sizeof command, "cp '%s' '%s.copy' && mv '%s.copy' '%s'", f->path, f->path, f->path,
             f->path);
    assert_int_equal(system(command), 0);
    f->store = fixture_open(f);
    ok(store_lease_take(f->store, STORE_LEASE_LONGTERM, "h2", 60000, false, &next, &err));
    assert_true(next.mine);
    assert_true(next.epoch.timeline != lease.epoch.timeline);
    struct store_migrations *m = NULL;
    ok(store_read_migrations(f->store, &(struct store_migration_filter){.open = true}, &m, &err));
    assert_int_equal(m->n, 1);
    assert_int_equal(m->at[0].state, STORE_MIGRATION_UNKNOWN);
    store_migrations_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_newer_schema_that_promises_to_be_readable_is_used),
        T(a_newer_schema_that_does_not_is_refused),
        T(each_older_schema_is_read_as_it_is_and_brought_up_by_a_writer),
        T(every_column_that_is_written_exists),
        T(a_copied_store_begins_a_new_timeline_and_voids_leases),
    };
    return cmocka_run_group_tests_name("store schema", tests, NULL, NULL);
}
