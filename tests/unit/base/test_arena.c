#include "../test.h"

#include <string.h>

#include "base/arena.h"

static void memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena *arena = arena_new(128);
    for (size_t i = 1; i < 100; i++) {
        char *p = arena_alloc(arena, i, 1);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < i; j++)
            assert_int_equal(p[j], 0);
        memset(p, 0xff, i);
    }
    arena_free(arena);
}

static void reset_reuses_the_blocks(void **state)
{
    (void)state;
    struct arena *arena = arena_new(1024);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++)
            memset(arena_alloc(arena, 100, 1), 0xff, 100);
        arena_alloc(arena, 5000, 1);
        arena_reset(arena);
    }
    size_t before = arena_footprint(arena);
    char *p = arena_alloc(arena, 5000, 1);
    assert_int_equal(p[4999], 0);
    assert_int_equal(arena_footprint(arena), before);
    arena_free(arena);
}

static void printf_formats_any_length(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_string_equal(arena_printf(arena, "%s-%d", "h", 3), "h-3");
    assert_int_equal(strlen(arena_printf(arena, "%0*d", 3000, 1)), 3000);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(reset_reuses_the_blocks),
        cmocka_unit_test(printf_formats_any_length),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
