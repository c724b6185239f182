#include "../test.h"

#include <string.h>

#include "command/top_list.h"

struct row {
    const char *key, *name;
    double figure;
    unsigned count;
};

static void by_special(const void *row, char *text, size_t size, enum style *style)
{
    *style = STYLE_WARN;
    snprintf(text, size, "s%u", 9 - ((const struct row *)row)->count);
}

static const struct top_column columns[] = {
    {"NAME", 8, false, TOP_TEXT, offsetof(struct row, name), 1, 0, NULL},
    {"FIGURE", 8, true, TOP_NUMBER, offsetof(struct row, figure), 100, 1, NULL},
    {"COUNT", 8, true, TOP_COUNT, offsetof(struct row, count), 1, 0, NULL},
    {"SPECIAL", 0, false, TOP_SPECIAL, 0, 1, 0, by_special},
};

static struct row data[] = {{"k1", "alpha", 0.5, 3},
                            {"k2", "beta", 0.1, 1},
                            {"k3", "gamma", 0.9, 2},
                            {"k4", NULL, 0.5, 4},
                            {"k5", "Beton", 0.2, 5}};
#define N (sizeof data / sizeof *data)

static struct top_list list;

static int begin(void **state)
{
    (void)state;
    list = (struct top_list){.columns = columns,
                             .n_columns = 4,
                             .row_size = sizeof(struct row),
                             .key_offset = offsetof(struct row, key),
                             .name_offset = offsetof(struct row, name)};
    return top_list_update(&list, data, N);
}

static int end(void **state)
{
    (void)state;
    top_list_free(&list);
    return 0;
}

static const char *key_at(size_t place)
{
    const struct row *row = top_list_row(&list, place);
    return row ? row->key : "(none)";
}

static void figures_sort_largest_first_and_turn_round(void **state)
{
    (void)state;
    top_list_sort(&list, 1);
    assert_string_equal(key_at(0), "k3");
    assert_string_equal(key_at(1), "k1"); // equals keep their order
    assert_string_equal(key_at(2), "k4");
    top_list_sort(&list, 1);
    assert_string_equal(key_at(0), "k2");
    assert_string_equal(key_at(4), "k3");
}

static void text_sorts_from_a_and_special_cells_by_what_they_show(void **state)
{
    (void)state;
    top_list_sort(&list, 2);
    top_list_sort(&list, 0);
    assert_string_equal(key_at(0), "k4"); // no name
    assert_string_equal(key_at(1), "k5");
    top_list_sort(&list, 3);
    assert_string_equal(key_at(0), "k5");
    assert_string_equal(key_at(4), "k2");
}

static void the_selection_follows_its_row(void **state)
{
    (void)state;
    top_list_move(&list, 2);
    const char *was = key_at(list.selected);
    top_list_sort(&list, 1);
    assert_string_equal(key_at(list.selected), was);
    struct row fewer[] = {data[4], data[2]};
    assert_int_equal(top_list_update(&list, fewer, 2), 0);
    assert_true(list.selected < 2);
}

static void a_selected_row_that_vanishes_leaves_a_valid_place(void **state)
{
    (void)state;
    top_list_move(&list, 100);
    assert_int_equal(list.selected, N - 1);
    assert_int_equal(top_list_update(&list, data, 1), 0);
    assert_int_equal(list.selected, 0);
    assert_int_equal(top_list_update(&list, data, 0), 0);
    assert_null(top_list_row(&list, list.selected));
    top_list_move(&list, 1);
    top_list_move(&list, -1);
    top_list_scroll(&list, 3);
    assert_false(top_list_search(&list, "a", true));
}

static void the_filter_looks_in_text_whatever_the_case(void **state)
{
    (void)state;
    strcpy(list.filter, "BET");
    assert_int_equal(top_list_update(&list, data, N), 0);
    assert_int_equal(list.n_shown, 2);
    strcpy(list.filter, "nothing");
    assert_int_equal(top_list_update(&list, data, N), 0);
    assert_int_equal(list.n_shown, 0);
}

static void search_goes_on_and_round(void **state)
{
    (void)state;
    assert_true(top_list_search(&list, "bet", false));
    const char *first = key_at(list.selected);
    assert_true(top_list_search(&list, "bet", true));
    assert_string_not_equal(key_at(list.selected), first);
    assert_true(top_list_search(&list, "bet", true));
    assert_string_equal(key_at(list.selected), first);
    assert_false(top_list_search(&list, "zzz", true));
    assert_string_equal(key_at(list.selected), first);
}

static void the_selected_row_is_always_on_the_screen(void **state)
{
    (void)state;
    for (size_t height = 1; height < 8; height++)
        for (long step = -6; step <= 6; step++) {
            top_list_move(&list, step);
            top_list_scroll(&list, height);
            assert_true(list.first <= list.selected && list.selected < list.first + height);
            assert_true(list.first == 0 || list.first + height <= N);
        }
}

static void cells_show_scaled_figures_and_empty_text(void **state)
{
    (void)state;
    char text[16];
    enum style style;
    top_list_cell(&columns[1], &data[0], text, sizeof text, &style);
    assert_string_equal(text, "50.0");
    top_list_cell(&columns[0], &data[3], text, sizeof text, &style);
    assert_string_equal(text, "");
    top_list_cell(&columns[3], &data[0], text, sizeof text, &style);
    assert_string_equal(text, "s6");
    assert_int_equal(style, STYLE_WARN);
}

#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(figures_sort_largest_first_and_turn_round),
        T(text_sorts_from_a_and_special_cells_by_what_they_show),
        T(the_selection_follows_its_row),
        T(a_selected_row_that_vanishes_leaves_a_valid_place),
        T(the_filter_looks_in_text_whatever_the_case),
        T(search_goes_on_and_round),
        T(the_selected_row_is_always_on_the_screen),
        T(cells_show_scaled_figures_and_empty_text),
    };
    return cmocka_run_group_tests_name("top list", tests, NULL, NULL);
}
