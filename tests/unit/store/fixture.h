// What the tests of the store share: a store in a directory of its own, a clock to turn, rows to report.
#ifndef BALLAST_TESTS_UNIT_STORE_FIXTURE_H
#define BALLAST_TESTS_UNIT_STORE_FIXTURE_H

#include "../test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

#endif
