// Single steps of the memory manager, without a world.
#include "../test.h"

#include <math.h>

#include "base/random.h"
#include "decide/memory_manager.h"

static void order_of_the_input_changes_nothing(void **state)
{
    (void)state;
    struct random r = random_seed(31);
    struct memory_manager *a = memory_manager_new(32, NULL), *b = memory_manager_new(32, NULL);
    struct memory_vm_input vm[32] = {0}, mixed[32];
    for (int64_t step = 0; step < 2000; step++) {
        size_t n = 1 + random_below(&r, 32);
        for (size_t i = 0; i < n; i++)
            vm[i] = (struct memory_vm_input){
                .id = i * 7919,
                .maxmem_kib = 256 << 10,
                .currentmem_kib = random_below(&r, 256 << 10),
                .resident_kib = random_below(&r, 400 << 10),
                .overhead_kib = 50 << 10,
                .has_statistics = true,
                .unused_kib = random_below(&r, 200 << 10),
                .usable_kib = random_below(&r, 200 << 10),
                .swap_out_kib = random_below(&r, 2) * 4096 * (uint64_t)step,
                .shares = 1000,
                .autodeflate = i % 3 != 0,
                .running = i % 11 != 0,
            };
        size_t shift = random_below(&r, n);
        for (size_t i = 0; i < n; i++)
            mixed[(i + shift) % n] = vm[i];
        struct memory_input in = {.host = {.total_kib = 4 << 20, .available_kib = random_below(&r, 1 << 20)},
                                  .n_vms = n,
                                  .vms = vm};
        struct memory_output x, y;
        memory_manager_step(a, &in, (struct mono){step * 700}, &x);
        in.vms = mixed;
        memory_manager_step(b, &in, (struct mono){step * 700}, &y);
        for (size_t i = 0; i < n; i++) {
            const struct memory_vm_view *p = &x.views[i], *q = &y.views[(i + shift) % n];
            assert_int_equal(p->id, q->id);
            assert_true(fabs((double)p->target_kib - (double)q->target_kib) <= 1024); // sums in another order
            assert_true(p->target_kib <= 256 << 10);
        }
    }
    memory_manager_free(a);
    memory_manager_free(b);
}

static void advice_is_given_and_nothing_waited_for(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(1, NULL);
    struct memory_vm_input vm = {.id = 1,
                                 .maxmem_kib = 256 << 10,
                                 .currentmem_kib = 256 << 10,
                                 .resident_kib = 300 << 10,
                                 .overhead_kib = 50 << 10,
                                 .has_statistics = true,
                                 .unused_kib = 150 << 10,
                                 .usable_kib = 150 << 10,
                                 .shares = 1000,
                                 .autodeflate = true,
                                 .running = true};
    struct memory_input in = {.advise_only = true,
                              .host = {.total_kib = 512 << 10, .available_kib = 40 << 10},
                              .n_vms = 1,
                              .vms = &vm};
    struct memory_output out;
    for (int64_t s = 0; s < 60; s++) {
        vm.unused_kib = vm.usable_kib = (uint64_t)(150 << 10) - (uint64_t)(s % 2) * 64;
        memory_manager_step(m, &in, (struct mono){s * 1000}, &out);
        assert_int_equal(out.views[0].condition, MEMORY_ACTIVE);
        assert_true(s == 0 || out.n_actions == 1);
    }
    memory_manager_free(m);
}

static void a_sample_that_lies_promises_no_more_than_the_host_has(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(2, NULL);
    struct memory_vm_input vm[2];
    for (size_t i = 0; i < 2; i++)
        vm[i] = (struct memory_vm_input){.id = i,
                                         .maxmem_kib = 256 << 10,
                                         .currentmem_kib = 180 << 10,
                                         .resident_kib = 225 << 10,
                                         .overhead_kib = 50 << 10,
                                         .has_statistics = true,
                                         .unused_kib = 5 << 10,
                                         .usable_kib = 5 << 10,
                                         .shares = 1000,
                                         .guest_swap = MEMORY_YES,
                                         .autodeflate = true,
                                         .running = true};
    struct memory_input in = {
        .host = {.total_kib = 470 << 10, .available_kib = 5 << 10}, .n_vms = 2, .vms = vm};
    struct memory_output out;
    memory_manager_step(m, &in, (struct mono){1000}, &out);
    for (int lie = 0; lie < 2; lie++) {
        in.host.available_kib = lie ? 460 << 10 : 5 << 10;
        in.host.swap_free_kib = lie ? 0 : UINT64_MAX - 511;
        memory_manager_step(m, &in, (struct mono){2000 + lie * 1000}, &out);
        assert_true(out.views[0].target_kib + out.views[1].target_kib <= 375 << 10);
        assert_true(out.capacity_kib <= 370 << 10);
    }
    memory_manager_free(m);
}

// A host of 8 GiB and four guests that have touched 9 and use 4: what it has swapped is no room, and its balloons take
// the guests out of the swap.
static void a_host_that_has_swapped_comes_out_of_its_swap(void **state)
{
    (void)state;
    const uint64_t total = UINT64_C(8) << 20, each = (total + (UINT64_C(1) << 20)) / 4,
                   used = UINT64_C(1) << 20;
    struct memory_manager *m = memory_manager_new(4, NULL);
    struct memory_vm_input vm[4];
    uint64_t current[4] = {each, each, each, each}, resident[4] = {each, each, each, each}, all = 0;
    struct memory_output out;
    for (int step = 0; step < 30; step++) {
        all = 0;
        for (uint64_t i = 0; i < 4; i++) {
            vm[i] = (struct memory_vm_input){.id = i,
                                             .maxmem_kib = each,
                                             .currentmem_kib = current[i],
                                             .resident_kib = resident[i],
                                             .has_statistics = true,
                                             .usable_kib = current[i] - used,
                                             .disk_caches_kib = current[i] - used,
                                             .shares = 1,
                                             .guest_swap = MEMORY_YES,
                                             .autodeflate = true,
                                             .running = true};
            all += resident[i];
        }
        struct memory_input in = {.host = {.total_kib = total,
                                           .available_kib = total > all ? total - all : 0,
                                           .swap_total_kib = total / 4,
                                           .swap_free_kib = total / 4 - (all > total ? all - total : 0)},
                                  .n_vms = 4,
                                  .vms = vm};
        memory_manager_step(m, &in, (struct mono){step * 10000}, &out);
        assert_true(out.capacity_kib <= total + total / 20); // with what guests' kernels never use
        for (size_t i = 0; i < out.n_actions; i++) {
            uint64_t id = out.actions[i].id;
            current[id] = out.actions[i].to_kib;
            resident[id] = current[id] < resident[id] ? current[id] : resident[id]; // touches nothing more
        }
    }
    assert_true(all < total);
    assert_true(out.state < MEMORY_HARD);
    memory_manager_free(m);
}

// One guest, 100 MiB in use and a cache of 100 that it reads again and again, its balloon left where it is.
static uint64_t used_with_cache_mib(uint64_t faults_a_second)
{
    struct memory_manager *m = memory_manager_new(1, NULL);
    struct memory_vm_input vm = {.id = 1,
                                 .maxmem_kib = 256 << 10,
                                 .currentmem_kib = 210 << 10,
                                 .resident_kib = 260 << 10,
                                 .overhead_kib = 50 << 10,
                                 .has_statistics = true,
                                 .unused_kib = 10 << 10,
                                 .usable_kib = 110 << 10,
                                 .disk_caches_kib = 100 << 10,
                                 .shares = 1000,
                                 .autodeflate = true,
                                 .running = true};
    struct memory_input in = {.advise_only = true,
                              .host = {.total_kib = 1 << 20, .available_kib = 200 << 10},
                              .n_vms = 1,
                              .vms = &vm};
    struct memory_output out;
    for (int64_t s = 0; s < 30; s++) {
        vm.major_faults += faults_a_second;
        memory_manager_step(m, &in, (struct mono){s * 1000}, &out);
    }
    uint64_t used_mib = out.views[0].usedmem_kib >> 10;
    memory_manager_free(m);
    return used_mib;
}

static void cache_whose_loss_is_read_anew_counts_whole(void **state)
{
    (void)state;
    assert_int_equal(used_with_cache_mib(0), 150);
    assert_int_equal(used_with_cache_mib(10), 150);
    assert_int_equal(used_with_cache_mib(200), 200);
}

static void what_cannot_be_held_is_said(void **state)
{
    (void)state;
    struct memory_manager *m = memory_manager_new(2, NULL);
    struct memory_vm_input vm[2];
    for (size_t i = 0; i < 2; i++)
        vm[i] = (struct memory_vm_input){.id = i,
                                         .maxmem_kib = 1 << 20,
                                         .currentmem_kib = 1 << 20,
                                         .resident_kib = 400 << 10,
                                         .overhead_kib = 50 << 10,
                                         .shares = 1000,
                                         .obstacle = MEMORY_OBSTACLE_VFIO,
                                         .running = true};
    struct memory_input in = {
        .host = {.total_kib = 1 << 20, .available_kib = 200 << 10}, .n_vms = 2, .vms = vm};
    struct memory_output out;
    memory_manager_step(m, &in, (struct mono){1000}, &out);
    assert_true(out.refuse_auto);
    assert_int_equal(out.n_unballoonable, 2);
    // What they may grow to, less what is there: 2 x (1024 - 350) - (200 - 40) MiB.
    assert_true(out.missing_kib > 1150u << 10 && out.missing_kib < 1250u << 10);
    memory_manager_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_has_swapped_comes_out_of_its_swap),
        cmocka_unit_test(order_of_the_input_changes_nothing),
        cmocka_unit_test(advice_is_given_and_nothing_waited_for),
        cmocka_unit_test(a_sample_that_lies_promises_no_more_than_the_host_has),
        cmocka_unit_test(cache_whose_loss_is_read_anew_counts_whole),
        cmocka_unit_test(what_cannot_be_held_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
