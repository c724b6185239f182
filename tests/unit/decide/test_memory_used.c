#include "../test.h"

#include "base/random.h"
#include "decide/memory_used.h"

#define MIB 1024u

static void used_is_what_is_not_usable_and_the_kept_part_of_the_cache(void **state)
{
    (void)state;
    struct memory_guest_figures g = {256 * MIB, 200 * MIB, 20 * MIB, 120 * MIB, 90 * MIB};
    assert_int_equal(memory_used_kib(&g, 0), 80 * MIB);
    assert_int_equal(memory_used_kib(&g, 500), 125 * MIB);
    assert_int_equal(memory_used_kib(&g, 1000), 170 * MIB);
}

static void only_cache_that_is_usable_and_not_free_can_be_kept(void **state)
{
    (void)state;
    struct memory_guest_figures g = {256 * MIB, 200 * MIB, 110 * MIB, 120 * MIB, 90 * MIB};
    assert_int_equal(memory_used_kib(&g, 1000), 90 * MIB); // of 90 MiB cache only 10 are usable
}

static void nonsense_from_a_guest_stays_within_its_size(void **state)
{
    (void)state;
    struct random r = random_seed(3);
    for (int i = 0; i < 200000; i++) {
        struct memory_guest_figures g = {
            random_bits(&r) >> (random_below(&r, 60)), random_bits(&r) >> (random_below(&r, 60)),
            random_bits(&r) >> (random_below(&r, 60)), random_bits(&r) >> (random_below(&r, 60)),
            random_bits(&r) >> (random_below(&r, 60))};
        uint64_t used = memory_used_kib(&g, (uint32_t)random_below(&r, 2000));
        assert_true(used <= g.currentmem_kib && used <= g.maxmem_kib);
    }
}

static void more_cache_kept_is_never_less_used(void **state)
{
    (void)state;
    struct random r = random_seed(4);
    for (int i = 0; i < 100000; i++) {
        struct memory_guest_figures g = {1 << 20, random_below(&r, 1 << 20), random_below(&r, 1 << 20),
                                         random_below(&r, 1 << 20), random_below(&r, 1 << 20)};
        uint32_t keep = (uint32_t)random_below(&r, 1000);
        assert_true(memory_used_kib(&g, keep) <= memory_used_kib(&g, keep + 1));
    }
}

static void overhead_is_learned_from_both_sides(void **state)
{
    (void)state;
    struct memory_overhead o = {0};
    assert_int_equal(memory_overhead_kib(&o, 0), 0);
    assert_int_equal(memory_overhead_kib(&o, 50 * MIB), 50 * MIB); // nothing known: the estimate
    // 60 MiB of QEMU's own. Idle after boot: 90 MiB touched, 70 in use.
    memory_overhead_learn(&o, 150 * MIB, 256 * MIB, 186 * MIB);
    assert_int_equal(memory_overhead_kib(&o, 500 * MIB), 88 * MIB);
    // All touched and all in use.
    memory_overhead_learn(&o, 316 * MIB, 256 * MIB, 0);
    assert_int_equal(memory_overhead_kib(&o, 1), 60 * MIB);
    assert_int_equal(memory_overhead_kib(&o, 500 * MIB), 68 * MIB);
}

static void overhead_that_grows_is_followed(void **state)
{
    (void)state;
    struct memory_overhead o = {0};
    memory_overhead_learn(&o, 300 * MIB, 256 * MIB, 0);
    memory_overhead_learn(&o, 330 * MIB, 256 * MIB, 0);
    assert_int_equal(memory_overhead_kib(&o, 50 * MIB), 74 * MIB);
}

static void actual_is_within_the_vms_size(void **state)
{
    (void)state;
    assert_int_equal(memory_actual_kib(300, 50, 200), 200);
    assert_int_equal(memory_actual_kib(100, 50, 200), 50);
    assert_int_equal(memory_actual_kib(10, 50, 200), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_is_what_is_not_usable_and_the_kept_part_of_the_cache),
        cmocka_unit_test(only_cache_that_is_usable_and_not_free_can_be_kept),
        cmocka_unit_test(nonsense_from_a_guest_stays_within_its_size),
        cmocka_unit_test(more_cache_kept_is_never_less_used),
        cmocka_unit_test(overhead_is_learned_from_both_sides),
        cmocka_unit_test(overhead_that_grows_is_followed),
        cmocka_unit_test(actual_is_within_the_vms_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
