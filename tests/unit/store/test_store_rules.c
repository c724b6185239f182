// Placement rules in the rows: what the snapshot makes of them, and that no claim breaks a strict one.
#include "fixture.h"

#include "base/random.h"
#include "decide/rules.h"

static void join(struct fixture *f, const char *name, const char *zone, struct store_vm *vms, size_t n)
{
    struct store_host host = a_host(name);
    host.zone = zone;
    ok(store_join(f->store, &host, vms, n, &err));
}

static struct store_vm ruled(const char *name, const char *rules)
{
    struct store_vm vm = a_vm(name, 100);
    vm.rules = rules;
    return vm;
}

// h1 (rack a) with v1 and v2, h2 (rack a) with w, h3 (rack b) empty.
static void cluster(struct fixture *f, const char *v1, const char *v2, const char *w)
{
    struct store_vm here[] = {ruled("v1", v1), ruled("v2", v2)}, there[] = {ruled("w", w)};
    join(f, "h1", "a", here, 2);
    join(f, "h2", "a", there, 1);
    join(f, "h3", "b", NULL, 0);
}

static enum store_refusal move(struct fixture *f, const char *vm, const char *from, const char *to)
{
    struct store_claim claim = a_claim(vm, from, to);
    return try_claim(f->store, &claim, NULL);
}

static void vms_apart_do_not_meet(void **state)
{
    struct fixture *f = *state;
    cluster(f, "apart:x", NULL, "apart:x");
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_REFUSED_RULE);
    assert_refusal(move(f, "v2", "h1", "h2"), STORE_GRANTED);
    assert_refusal(move(f, "v1", "h1", "h3"), STORE_GRANTED);
}

static void a_vm_on_its_way_counts_where_it_goes(void **state)
{
    struct fixture *f = *state;
    cluster(f, "apart:x", NULL, "apart:x");
    assert_refusal(move(f, "w", "h2", "h3"), STORE_GRANTED);
    assert_refusal(move(f, "v1", "h1", "h3"), STORE_REFUSED_RULE);
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_GRANTED);
}

static void apart_by_zone_means_racks(void **state)
{
    struct fixture *f = *state;
    struct store_vm z = ruled("z", "apart:x:zone");
    cluster(f, "apart:x:zone", NULL, NULL);
    join(f, "h4", "c", &z, 1);
    join(f, "h5", "c", NULL, 0);
    assert_refusal(move(f, "v1", "h1", "h5"), STORE_REFUSED_RULE);
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_GRANTED);
}

static void vms_together_are_not_parted(void **state)
{
    struct fixture *f = *state;
    cluster(f, "together:x", "together:x", NULL);
    assert_refusal(move(f, "v1", "h1", "h3"), STORE_REFUSED_RULE);
}

static void most_stay_together_and_the_rest_may_go(void **state)
{
    struct fixture *f = *state;
    cluster(f, "together:x", "together:x", "together:x");
    assert_refusal(move(f, "w", "h2", "h3"), STORE_GRANTED); // no worse than it is
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_REFUSED_RULE);
}

static void on_and_off_name_hosts_and_racks(void **state)
{
    struct fixture *f = *state;
    cluster(f, "on:h1 on:b:zone", "off:a:zone off:h9", "off:h3");
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_REFUSED_RULE);
    assert_refusal(move(f, "v1", "h1", "h3"), STORE_GRANTED);
    assert_refusal(move(f, "w", "h2", "h3"), STORE_REFUSED_RULE);
    assert_refusal(move(f, "v2", "h1", "h3"), STORE_GRANTED); // where it may not be is left
}

static void a_preference_refuses_no_claim(void **state)
{
    struct fixture *f = *state;
    cluster(f, "apart:x:preferred", NULL, "apart:x:preferred");
    assert_refusal(move(f, "v1", "h1", "h2"), STORE_GRANTED);
}

static void an_old_programs_row_has_no_rules(void **state)
{
    struct fixture *f = *state;
    struct store_cluster *c = NULL;
    cluster(f, NULL, NULL, NULL);
    ok(store_read_cluster(f->store, NULL, &c, &err));
    assert_int_equal(c->snapshot->n_rules, 0);
    assert_null(c->vms[0].rules);
    store_cluster_free(c);
}

// ---- the same as decide/rules says -----------------------------------------------------------------------

#define N_HOSTS 5
#define N_VMS 10

static const char *random_words(struct random *r, char text[64])
{
    static const char *const word[] = {"apart:x", "apart:y:zone",     "together:z", "together:q:zone",
                                       "on:h0",   "on:a:zone",        "off:h1",     "off:b:zone",
                                       "on:h2",   "apart:x:preferred"};
    text[0] = '\0';
    int used = 0;
    for (size_t n = random_below(r, 3); n > 0; n--)
        used += snprintf(text + used, 64 - (size_t)used, "%s ",
                         word[random_below(r, sizeof word / sizeof *word)]);
    return *text ? text : NULL;
}

static void claims_and_decisions_see_the_same_rules(void **state)
{
    struct fixture *f = *state;
    static const char *const host[N_HOSTS] = {"h0", "h1", "h2", "h3", "h4"};
    static const char *const zone[N_HOSTS] = {"a", "a", "b", "b", NULL};
    unsigned refused = 0, granted = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct random r = random_seed(seed);
        char name[N_VMS][8], text[N_VMS][64];
        uint32_t at[N_VMS];
        for (size_t v = 0; v < N_VMS; v++) {
            snprintf(name[v], sizeof name[v], "v%zu", v);
            at[v] = (uint32_t)random_below(&r, N_HOSTS);
            random_words(&r, text[v]);
        }
        for (uint32_t h = 0; h < N_HOSTS; h++) {
            struct store_vm rows[N_VMS];
            size_t n = 0;
            for (size_t v = 0; v < N_VMS; v++)
                if (at[v] == h) {
                    rows[n] = ruled(name[v], *text[v] ? text[v] : NULL);
                    rows[n++].appeared = true;
                }
            join(f, host[h], zone[h], rows, n);
        }
        for (int step = 0; step < 20; step++) {
            struct store_cluster *c = NULL;
            ok(store_read_cluster(f->store, NULL, &c, &err));
            ok(snapshot_check(c->snapshot, &err));
            struct rules *rules = rules_compile(c->snapshot, c->snapshot->vms.host, c->arena);
            uint32_t v = (uint32_t)random_below(&r, N_VMS), to = (uint32_t)random_below(&r, N_HOSTS);
            uint32_t from = c->snapshot->vms.host[v];
            if (from != to) {
                bool breaks = rules_move_effect(rules, v, to).strict_worse > 0;
                struct store_claim claim = a_claim(c->vms[v].uuid, host[from], host[to]);
                struct store_claim_result result;
                ok(store_claim(f->store, &claim, &result, &err));
                if (breaks != (result.refusal == STORE_REFUSED_RULE))
                    fail_msg("seed %lu, step %d, %s to %s: decide says %d, the claim %s (%s)",
                             (unsigned long)seed, step, c->vms[v].name, host[to], breaks,
                             store_refusal_name(result.refusal), result.why);
                refused += breaks;
                granted += result.refusal == STORE_GRANTED;
                struct store_outcome done = {.state = STORE_MIGRATION_DONE};
                if (result.refusal == STORE_GRANTED)
                    ok(store_finish(f->store, result.id, &done, &err));
            }
            store_cluster_free(c);
        }
        f->clock_ms += 2 * 3600 * 1000;
    }
    assert_true(refused > 50);
    assert_true(granted > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vms_apart_do_not_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vm_on_its_way_counts_where_it_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(apart_by_zone_means_racks, setup, teardown),
        cmocka_unit_test_setup_teardown(vms_together_are_not_parted, setup, teardown),
        cmocka_unit_test_setup_teardown(most_stay_together_and_the_rest_may_go, setup, teardown),
        cmocka_unit_test_setup_teardown(on_and_off_name_hosts_and_racks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_preference_refuses_no_claim, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_programs_row_has_no_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(claims_and_decisions_see_the_same_rules, setup, teardown),
    };
    return cmocka_run_group_tests_name("store rules", tests, NULL, NULL);
}
