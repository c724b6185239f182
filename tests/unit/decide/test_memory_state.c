#include "../test.h"

#include <string.h>

#include "decide/memory_state.h"

#define MIB 1024u
#define GIB (1024u * 1024u)

static struct memory_state s;
static struct memory_thresholds t;
static int64_t at_ms;

static enum memory_host_state sample(uint64_t available_kib, int64_t after_ms)
{
    at_ms += after_ms;
    struct memory_pressure p = {.available_kib = available_kib};
    memory_state_step(&s, &t, &p, (struct mono){at_ms});
    return s.state;
}

static int begin(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    t = memory_thresholds(1100 * MIB, 0);
    at_ms = 5000;
    return 0;
}

static void thresholds_are_ordered_for_every_size(void **state)
{
    (void)state;
    for (uint64_t total = 256 * MIB; total < 8192ull * GIB; total += total / 7)
        for (uint64_t reserve = 0; reserve < total / 4; reserve += total / 16) {
            struct memory_thresholds x = memory_thresholds(total, reserve);
            assert_true(0 < x.low_kib && x.low_kib < x.reserve_kib && x.reserve_kib < x.soft_kib &&
                        x.soft_kib < x.high_kib && x.high_kib < total);
        }
}

static void a_large_host_keeps_a_smaller_part(void **state)
{
    (void)state;
    assert_int_equal(memory_thresholds(4 * GIB, 0).high_kib, 1 * GIB);
    assert_true(memory_thresholds(1024ull * GIB, 0).high_kib < 34ull * GIB);
}

static void the_first_sample_decides_at_once(void **state)
{
    (void)state;
    assert_int_equal(sample(10 * MIB, 0), MEMORY_LOW);
}

static void worse_comes_at_once(void **state)
{
    (void)state;
    sample(500 * MIB, 0);
    assert_int_equal(sample(100 * MIB, 100000), MEMORY_HARD);
}

static void a_fast_fall_is_hard_before_it_is_low(void **state)
{
    (void)state;
    sample(600 * MIB, 0);
    sample(500 * MIB, 1000);
    assert_int_equal(sample(330 * MIB, 1000), MEMORY_HARD); // 330 are high, at this rate not for two seconds
    assert_true(s.expected_kib < 100 * MIB);
}

static void better_needs_a_margin_and_time(void **state)
{
    (void)state;
    sample(250 * MIB, 0);
    assert_int_equal(s.state, MEMORY_SOFT);
    assert_int_equal(sample(300 * MIB, 1000), MEMORY_SOFT); // above 275, but not by a quarter
    assert_int_equal(sample(350 * MIB, 1000), MEMORY_SOFT); // for no time yet
    assert_int_equal(sample(350 * MIB, 1000), MEMORY_HIGH);
}

static void noise_around_a_threshold_changes_nothing(void **state)
{
    (void)state;
    sample(270 * MIB, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(sample((uint64_t)(275 + (i % 2 ? 20 : -20)) * MIB, 1000), MEMORY_SOFT);
}

static void pressure_counts_as_one_worse(void **state)
{
    (void)state;
    struct memory_pressure p = {.available_kib = 200 * MIB, .psi_known = true, .psi_some_avg10_pct = 30};
    memory_state_step(&s, &t, &p, (struct mono){1000});
    assert_int_equal(s.state, MEMORY_HARD);
    p.psi_known = false;
    memory_state_step(&s, &t, &p, (struct mono){2000});
    memory_state_step(&s, &t, &p, (struct mono){4000});
    assert_int_equal(s.state, MEMORY_SOFT);
}

static void swapping_in_counts_as_one_worse(void **state)
{
    (void)state;
    struct memory_pressure p = {.available_kib = 200 * MIB};
    memory_state_step(&s, &t, &p, (struct mono){1000});
    assert_int_equal(s.state, MEMORY_SOFT);
    p.swap_in_kib = 20 * MIB;
    memory_state_step(&s, &t, &p, (struct mono){2000});
    assert_int_equal(s.state, MEMORY_HARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(thresholds_are_ordered_for_every_size, begin),
        cmocka_unit_test_setup(a_large_host_keeps_a_smaller_part, begin),
        cmocka_unit_test_setup(the_first_sample_decides_at_once, begin),
        cmocka_unit_test_setup(worse_comes_at_once, begin),
        cmocka_unit_test_setup(a_fast_fall_is_hard_before_it_is_low, begin),
        cmocka_unit_test_setup(better_needs_a_margin_and_time, begin),
        cmocka_unit_test_setup(noise_around_a_threshold_changes_nothing, begin),
        cmocka_unit_test_setup(pressure_counts_as_one_worse, begin),
        cmocka_unit_test_setup(swapping_in_counts_as_one_worse, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
