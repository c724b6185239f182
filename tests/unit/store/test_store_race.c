// Claims from many processes and threads at once: whatever the interleaving, no destination is overfilled and
// no budget exceeded.
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define PROCESSES 4
#define THREADS 3
#define SOURCES (PROCESSES * THREADS)
#define VMS 12 // on each source
#define USED_MIB 1000

static char names[SOURCES][8], vm_names[SOURCES][VMS][16];

// One destination with room for 9 VMs of 1100 MiB, and SOURCES hosts that want to send VMS there each.
static void many_sources(struct fixture *f, struct store *store)
{
    (void)f;
    struct store_host d = a_host("dest");
    d.mem_mib = 10384; // 10000 for VMs
    ok(store_join(store, &d, NULL, 0, &err));
    for (int s = 0; s < SOURCES; s++) {
        struct store_vm v[VMS];
        snprintf(names[s], sizeof names[s], "s%d", s);
        for (int i = 0; i < VMS; i++) {
            snprintf(vm_names[s][i], sizeof vm_names[s][i], "s%dv%d", s, i);
            v[i] = a_vm(vm_names[s][i], USED_MIB);
            v[i].cpu_demand_cores = 0.01;
        }
        struct store_host h = a_host(names[s]);
        ok(store_join(store, &h, v, VMS, &err));
    }
}

struct worker {
    struct store *store;
    int source;
    unsigned in_per_host;
    int granted, trouble;
};

static void *claim_all(void *data)
{
    struct worker *w = data;
    for (int i = 0; i < VMS; i++) {
        struct store_claim c = a_claim(vm_names[w->source][i], names[w->source], "dest");
        c.limits.out_per_host = 64;
        c.limits.in_per_host = w->in_per_host;
        struct store_claim_result result;
        struct error mine = {0};
        if (store_claim(w->store, &c, &result, &mine) < 0) {
            fprintf(stderr, "# claim: %s\n", mine.text);
            w->trouble++;
        } else {
            w->granted += result.refusal == STORE_GRANTED;
        }
    }
    return NULL;
}

// Runs SOURCES workers in PROCESSES processes; threads of one process share a handle or have one each.
static int race(struct fixture *f, bool own_handles, unsigned in_per_host)
{
    pid_t child[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        child[p] = fork();
        assert_true(child[p] >= 0);
        if (child[p] > 0)
            continue;
        struct worker w[THREADS] = {0};
        pthread_t thread[THREADS];
        struct store_options options = {.timeout_ms = 60000, .clock_ms = fixture_clock, .clock_data = f};
        int trouble = 0, granted = 0;
        for (int t = 0; t < THREADS; t++) {
            w[t] =
                (struct worker){.store = w[0].store, .source = p * THREADS + t, .in_per_host = in_per_host};
            if ((t == 0 || own_handles) && store_open(f->path, &options, &w[t].store, &err) < 0)
                _exit(255);
        }
        for (int t = 0; t < THREADS; t++)
            pthread_create(&thread[t], NULL, claim_all, &w[t]);
        for (int t = 0; t < THREADS; t++) {
            pthread_join(thread[t], NULL);
            trouble += w[t].trouble;
            granted += w[t].granted;
        }
        _exit(trouble ? 254 : granted);
    }
    int granted = 0;
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_int_equal(waitpid(child[p], &status, 0), child[p]);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), 0, 200);
        granted += WEXITSTATUS(status);
    }
    return granted;
}

static void check(struct fixture *f, int granted, int expected)
{
    f->store = fixture_open(f);
    struct store_cluster *c = NULL;
    ok(store_read_cluster(f->store, NULL, &c, &err));
    assert_string_equal(c->hosts[0].name, "dest");
    assert_int_equal(granted, expected);
    assert_int_equal(c->hosts[0].migrations_in, expected);
    assert_true(c->hosts[0].in_flight_mem_mib <= 10000);
    store_cluster_free(c);
}

static void claims_of_many_processes_never_overfill_a_destination(void **state)
{
    struct fixture *f = *state;
    many_sources(f, f->store);
    f->store = store_close(f->store); // a handle does not survive fork
    check(f, race(f, true, 64), 9);   // 9 x 1100 <= 10000 < 10 x 1100
}

static void threads_that_share_a_handle_never_exceed_a_budget(void **state)
{
    struct fixture *f = *state;
    many_sources(f, f->store);
    f->store = store_close(f->store);
    check(f, race(f, false, 5), 5);
}

static void agents_that_start_together_make_one_store(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    char command[160];
    for (int round = 0; round < 5; round++) {
        snprintf(command, sizeof command, "rm -f '%s'*", f->path);
        assert_int_equal(system(command), 0);
        pid_t child[8];
        for (int p = 0; p < 8; p++) {
            child[p] = fork();
            if (child[p] > 0)
                continue;
            struct store *store = NULL;
            char name[8];
            snprintf(name, sizeof name, "h%d", p);
            struct store_host h = a_host(name);
            struct store_options options = {.timeout_ms = 60000};
            if (store_open(f->path, &options, &store, &err) < 0 || store_join(store, &h, NULL, 0, &err) < 0) {
                fprintf(stderr, "# %s\n", err.text);
                _exit(1);
            }
            store_close(store);
            _exit(0);
        }
        for (int p = 0; p < 8; p++) {
            int status;
            waitpid(child[p], &status, 0);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        struct store *store = fixture_open(f);
        struct store_cluster *c = NULL;
        ok(store_read_cluster(store, NULL, &c, &err));
        assert_int_equal(c->snapshot->hosts.n, 8);
        store_cluster_free(c);
        store_close(store);
        snprintf(command, sizeof command, "test -z \"$(ls '%s' | grep new-)\"", f->directory);
        assert_int_equal(system(command), 0);
    }
}

// A process that dies in the middle of writing leaves a whole store, and its claims expire.
static void killed_writers_leave_a_whole_store(void **state)
{
    struct fixture *f = *state;
    many_sources(f, f->store);
    f->store = store_close(f->store);
    for (int round = 0; round < 20; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct store *store = NULL;
            struct store_options options = {.clock_ms = fixture_clock, .clock_data = f};
            if (store_open(f->path, &options, &store, &err) < 0)
                _exit(1);
            for (int i = 0;; i++) {
                char text[32];
                snprintf(text, sizeof text, "event %d", i);
                store_append_event(store, &(struct store_event){.kind = "x", .text = text}, &err);
            }
        }
        usleep(3000 + round * 1000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    check(f, 0, 0); // opening checks the whole file
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(claims_of_many_processes_never_overfill_a_destination),
        T(threads_that_share_a_handle_never_exceed_a_budget),
        T(agents_that_start_together_make_one_store),
        T(killed_writers_leave_a_whole_store),
    };
    return cmocka_run_group_tests_name("store race", tests, NULL, NULL);
}
