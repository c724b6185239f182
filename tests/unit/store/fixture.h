// What the tests of the store share: a store in a directory of its own, a clock to turn, rows to report.
#ifndef BALLAST_TESTS_UNIT_STORE_FIXTURE_H
#define BALLAST_TESTS_UNIT_STORE_FIXTURE_H

#include "../test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

// A test fails with the error's text, not with a number.
#define ok(call)                                                                                             \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                             \
    } while (0)

#define fails(call, kind_)                                                                                   \
    do {                                                                                                     \
        error_clear(&err);                                                                                   \
        assert_true((call) < 0);                                                                             \
        assert_string_equal(error_kind_name(err.kind), error_kind_name(kind_));                              \
    } while (0)

struct fixture {
    char directory[64];
    char path[96];
    int64_t clock_ms;
    struct store *store;
};

static struct error err;

static int64_t fixture_clock(void *data)
{
    return ((struct fixture *)data)->clock_ms;
}

__attribute__((unused)) static struct store *fixture_open(struct fixture *f)
{
    struct store_options options = {.clock_ms = fixture_clock, .clock_data = f};
    struct store *store = NULL;
    ok(store_open(f->path, &options, &store, &err));
    return store;
}

__attribute__((unused)) static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->directory, "/tmp/ballast-store-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/ballast.db", f->directory);
    f->clock_ms = 1000000000000;
    f->store = fixture_open(f);
    *state = f;
    return 0;
}

__attribute__((unused)) static int teardown(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->directory);
    int rc = system(command);
    free(f);
    return rc;
}

__attribute__((unused)) static struct store_host a_host(const char *name)
{
    return (struct store_host){
        .name = name,
        .address = "qemu+tcp://host/system",
        .mode = STORE_MODE_AUTO,
        .cpu_cores = 8,
        .mem_mib = 16384,
        .mem_reserved_mib = 384,
        .net_mib_s = 100,
        .threads_per_core = 1,
        .core_speed = 1,
    };
}

__attribute__((unused)) static struct store_vm a_vm(const char *name, double mem_used_mib)
{
    return (struct store_vm){
        .uuid = name,
        .name = name,
        .mode = STORE_MODE_AUTO,
        .movable = true,
        .vcpus = 2,
        .mem_mib = 8192,
        .mem_current_mib = 8192,
        .mem_used_mib = mem_used_mib,
        .mem_actual_mib = mem_used_mib,
        .cpu_demand_cores = 0.5,
        .s_cpu = 1,
        .s_mem = 1,
        .shares = 1000,
        .cpu_shares = 1000,
        .mem_shares = 1000,
    };
}

__attribute__((unused)) static struct store_claim a_claim(const char *vm, const char *from, const char *to)
{
    return (struct store_claim){
        .move = {.vm_uuid = vm, .from = from, .to = to, .reason = "memory is short"},
        .limits = {.out_per_host = 8, .in_per_host = 8, .per_cluster = 64, .per_hour = 1000},
    };
}

// Claims and returns why not (STORE_GRANTED when granted); *ret_id the migration.
__attribute__((unused)) static enum store_refusal try_claim(struct store *store,
                                                            const struct store_claim *claim, uint64_t *ret_id)
{
    struct store_claim_result result;
    ok(store_claim(store, claim, &result, &err));
    if (result.refusal != STORE_GRANTED)
        assert_true(result.why[0] != '\0');
    if (ret_id)
        *ret_id = result.id;
    return result.refusal;
}

#define assert_refusal(refusal, expected)                                                                    \
    assert_string_equal(store_refusal_name(refusal), store_refusal_name(expected))

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

// h1 with v1 (1000 MiB), h2 empty, h3 empty.
__attribute__((unused)) static void three_hosts(struct fixture *f)
{
    struct store_host h[] = {a_host("h1"), a_host("h2"), a_host("h3")};
    struct store_vm v[] = {a_vm("v1", 1000), a_vm("v2", 1000), a_vm("v3", 1000)};
    ok(store_join(f->store, &h[0], v, 3, &err));
    ok(store_join(f->store, &h[1], NULL, 0, &err));
    ok(store_join(f->store, &h[2], NULL, 0, &err));
}

__attribute__((unused)) static struct store_migration *read_one(struct fixture *f, uint64_t id,
                                                                struct store_migrations **ret_all)
{
    ok(store_read_migrations(f->store, NULL, ret_all, &err));
    for (size_t i = 0; i < (*ret_all)->n; i++)
        if ((*ret_all)->at[i].id == id)
            return &(*ret_all)->at[i];
    fail_msg("no migration %llu", (unsigned long long)id);
    return NULL;
}

__attribute__((unused)) static enum store_migration_state state_of(struct fixture *f, uint64_t id)
{
    struct store_migrations *all = NULL;
    enum store_migration_state state = read_one(f, id, &all)->state;
    store_migrations_free(all);
    return state;
}

__attribute__((unused)) static void finish_as(struct fixture *f, uint64_t id,
                                              enum store_migration_state state)
{
    ok(store_finish(f->store, id, &(struct store_outcome){.state = state}, &err));
}

__attribute__((unused)) static void fill(struct fixture *f, int n_events)
{
    struct store_host h = a_host("h1");
    struct store_vm v[] = {a_vm("v1", 100), a_vm("v2", 200)};
    ok(store_join(f->store, &h, v, 2, &err));
    for (int i = 0; i < n_events; i++)
        ok(store_append_event(f->store, &(struct store_event){.kind = "x", .text = "something happened"},
                              &err));
}

__attribute__((unused)) static size_t count_vms(struct store *store)
{
    struct store_cluster *c = NULL;
    ok(store_read_cluster(store, NULL, &c, &err));
    size_t n = c->snapshot->vms.n;
    store_cluster_free(c);
    return n;
}

// Opening fails as LOST with a text that names the file and has `word`; the file's bytes stay as they are.
__attribute__((unused)) static void assert_refused_and_untouched(struct fixture *f, const char *word)
{
    char *before = NULL, *after = NULL;
    size_t n_before = 0, n_after = 0;
    struct store *store = NULL;
    ok(file_read(f->path, 1 << 26, &before, &n_before, &err));
    fails(store_open(f->path, NULL, &store, &err), ERROR_LOST);
    print_message("# %s\n", err.text);
    assert_non_null(strstr(err.text, f->path));
    assert_non_null(strstr(err.text, word));
    ok(file_read(f->path, 1 << 26, &after, &n_after, &err));
    assert_int_equal(n_before, n_after);
    assert_memory_equal(before, after, n_before);
    free(before);
    free(after);
}

#endif
