// Control groups of both versions, and the host's capacity, from trees of files made for the test.
#include "../test.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/capacity.h"
#include "host/overhead.h"

struct tree {
    char root[64];
    struct cgroup_tree groups;
};

static void put(const struct tree *tree, const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", tree->root, path);
    for (char *slash = strchr(full + strlen(tree->root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    struct tree *tree = calloc(1, sizeof *tree);
    snprintf(tree->root, sizeof tree->root, "/tmp/ballast-cgroup-XXXXXX");
    *state = tree;
    return mkdtemp(tree->root) ? 0 : -1;
}

static int teardown(void **state)
{
    struct tree *tree = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", tree->root);
    int result = system(command);
    free(tree);
    return result;
}

static void make_v1(struct tree *tree)
{
    put(tree, "cpu/cgroup.procs", "");
    put(tree, "cpuacct/cgroup.procs", "");
    put(tree, "cpuset/cgroup.procs", "");
    put(tree, "memory/cgroup.procs", "");
    put(tree, "cpu/cpu.cfs_quota_us", "80000\n");
    put(tree, "cpu/cpu.cfs_period_us", "100000\n");
    put(tree, "cpu/cpu.stat", "nr_periods 4\nnr_throttled 2\nthrottled_time 555\n");
    put(tree, "cpuacct/cpuacct.usage", "123456789\n");
    put(tree, "cpuset/cpuset.effective_cpus", "0-1\n");
    put(tree, "memory/memory.limit_in_bytes", "2147483648\n");
    put(tree, "memory/memory.usage_in_bytes", "1073741824\n");
    put(tree, "memory/memory.stat",
        "hierarchical_memory_limit 2147483648\nhierarchical_memsw_limit 9223372036854771712\n"
        "total_inactive_file 104857600\ntotal_active_file 52428800\ntotal_swap 0\n"
        "total_inactive_anon 734003200\ntotal_active_anon 104857600\ntotal_unevictable 10485760\n"
        "total_rss 734003200\ntotal_cache 167772160\n");
    put(tree, "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    const char *vm = "cpu/machine/qemu-3-g3.libvirt-qemu";
    char path[128];
    snprintf(path, sizeof path, "%s/cpu.shares", vm);
    put(tree, path, "2048\n");
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", vm);
    put(tree, path, "-1\n");
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", vm);
    put(tree, path, "100000\n");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/vcpu%d/cpu.cfs_quota_us", vm, i);
        put(tree, path, "50000\n");
        snprintf(path, sizeof path, "%s/vcpu%d/cpu.cfs_period_us", vm, i);
        put(tree, path, "100000\n");
        snprintf(path, sizeof path, "%s/vcpu%d/cpu.stat", vm, i);
        put(tree, path, "nr_periods 9\nnr_throttled 2\nthrottled_time 1000\n");
    }
    put(tree, "memory/machine/qemu-3-g3.libvirt-qemu/memory.limit_in_bytes", "9223372036854771712\n");
    cgroup_detect(tree->root, &tree->groups);
}

static void make_v2(struct tree *tree)
{
    put(tree, "cgroup.controllers", "cpuset cpu io memory\n");
    put(tree, "machine.slice/memory.max", "1073741824\n");
    put(tree, "machine.slice/memory.current", "536870912\n");
    put(tree, "machine.slice/memory.swap.max", "max\n");
    put(tree, "machine.slice/memory.stat",
        "anon 268435456\nfile 25165824\ninactive_anon 304087040\nactive_anon 0\nunevictable 10485760\n"
        "inactive_file 10485760\nactive_file 10485760\nslab_reclaimable 1048576\n");
    put(tree, "machine.slice/memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n");
    put(tree, "machine.slice/memory.pressure",
        "some avg10=6.10 avg60=0 avg300=0 total=77\nfull avg10=1.00 avg60=0 avg300=0 total=7\n");
    put(tree, "machine.slice/cpu.max", "150000 100000\n");
    put(tree, "machine.slice/cpu.stat", "usage_usec 4000\nuser_usec 1\nnr_throttled 1\nthrottled_usec 20\n");
    const char *vm = "machine.slice/machine-qemu\\x2d3\\x2dg3.scope";
    char path[128];
    snprintf(path, sizeof path, "%s/cpu.weight", vm);
    put(tree, path, "50\n");
    snprintf(path, sizeof path, "%s/cpu.max", vm);
    put(tree, path, "max 100000\n");
    snprintf(path, sizeof path, "%s/memory.max", vm);
    put(tree, path, "268435456\n");
    snprintf(path, sizeof path, "%s/libvirt/cpu.max", vm);
    put(tree, path, "max 100000\n");
    snprintf(path, sizeof path, "%s/libvirt/vcpu0/cpu.max", vm);
    put(tree, path, "25000 100000\n");
    snprintf(path, sizeof path, "%s/libvirt/vcpu0/cpu.stat", vm);
    put(tree, path, "usage_usec 10\nthrottled_usec 3\n");
    cgroup_detect(tree->root, &tree->groups);
}

static void both_versions_are_told_apart(void **state)
{
    struct tree *tree = *state;
    cgroup_detect(tree->root, &tree->groups);
    assert_int_equal(tree->groups.version, 0);
    make_v1(tree);
    assert_int_equal(tree->groups.version, 1);
    put(tree, "cgroup.controllers", "cpu memory\n");
    cgroup_detect(tree->root, &tree->groups);
    assert_int_equal(tree->groups.version, 2);
}

static void a_host_inside_a_v1_group_has_its_limits(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    struct cgroup_capacity capacity;
    cgroup_read_capacity(&tree->groups, NULL, &capacity);
    assert_int_equal(capacity.memory_limit_kib, 2048 * 1024);
    assert_true(capacity.cpu_quota_cores > 0.79 && capacity.cpu_quota_cores < 0.81);
    assert_int_equal(capacity.cpuset_cpus, 2);
    struct cgroup_memory memory;
    cgroup_read_memory(&tree->groups, "/", &memory);
    assert_int_equal(memory.usage_kib, 1024 * 1024);
    assert_int_equal(memory.reclaimable_kib, 150 * 1024);
    assert_int_equal(memory.deferred_kib, (700 + 100 + 10 + 150 - 700 - 160) * 1024);
    assert_int_equal(memory.oom_kills, 3);
    assert_false(host_known(memory.swap_limit_kib));
}

static void a_limited_machine_slice_of_v2_is_the_capacity(void **state)
{
    struct tree *tree = *state;
    make_v2(tree);
    struct cgroup_capacity capacity;
    cgroup_read_capacity(&tree->groups, NULL, &capacity);
    assert_string_equal(capacity.memory_group, "/machine.slice");
    assert_int_equal(capacity.memory_limit_kib, 1024 * 1024);
    assert_true(capacity.cpu_quota_cores > 1.49 && capacity.cpu_quota_cores < 1.51);
    struct cgroup_memory memory;
    cgroup_read_memory(&tree->groups, capacity.memory_group, &memory);
    assert_int_equal(memory.reclaimable_kib, 21 * 1024);
    assert_int_equal(memory.deferred_kib, (290 + 10 + 20 - 256 - 24) * 1024);
    assert_int_equal(memory.oom_kills, 1);
    assert_true(memory.memory_psi.known);
    assert_int_equal(memory.memory_psi.some_total_us, 77);
    uint64_t busy_ns, throttled_ns;
    cgroup_read_cpu(&tree->groups, "/machine.slice", &busy_ns, &throttled_ns);
    assert_int_equal(busy_ns, 4000000);
    assert_int_equal(throttled_ns, 20000);
}

static void a_vms_group_is_cut_from_its_emulators(void **state)
{
    struct tree *tree = *state;
    char path[CGROUP_PATH_SIZE];
    make_v1(tree);
    assert_int_equal(cgroup_of_vm(&tree->groups, "1:cpu:/machine/qemu-3-g3.libvirt-qemu/emulator\n", path),
                     0);
    assert_string_equal(path, "/machine/qemu-3-g3.libvirt-qemu");
    assert_int_equal(cgroup_of_vm(&tree->groups, "1:cpu:/\n", path), -1);
    tree->groups.version = 2;
    assert_int_equal(cgroup_of_vm(&tree->groups,
                                  "0::/machine.slice/machine-qemu\\x2d3\\x2dg3.scope/libvirt/emulator\n",
                                  path),
                     0);
    assert_string_equal(path, "/machine.slice/machine-qemu\\x2d3\\x2dg3.scope");
}

static void weight_quota_and_throttling_of_a_v1_vm(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    struct cgroup_vm vm;
    cgroup_read_vm(&tree->groups, "/machine/qemu-3-g3.libvirt-qemu", 2, &vm);
    assert_true(vm.weight > 1.99 && vm.weight < 2.01);
    assert_true(vm.limit_cores > 0.99 && vm.limit_cores < 1.01); // half a core for each of two
    assert_false(host_known(vm.mem_limit_kib));
    assert_int_equal(cgroup_read_throttled(&tree->groups, "/machine/qemu-3-g3.libvirt-qemu", 2), 2000);
}

static void weight_quota_and_throttling_of_a_v2_vm(void **state)
{
    struct tree *tree = *state;
    make_v2(tree);
    struct cgroup_vm vm;
    const char *group = "/machine.slice/machine-qemu\\x2d3\\x2dg3.scope";
    cgroup_read_vm(&tree->groups, group, 1, &vm);
    assert_true(vm.weight > 0.49 && vm.weight < 0.51);
    assert_true(vm.limit_cores > 0.24 && vm.limit_cores < 0.26);
    assert_int_equal(vm.mem_limit_kib, 256 * 1024);
    assert_int_equal(cgroup_read_throttled(&tree->groups, group, 1), 3000);
}

static struct capacity_source source_of(struct tree *tree, struct cgroup_capacity *limits)
{
    put(tree, "proc/meminfo",
        "MemTotal: 4194304 kB\nMemFree: 3145728 kB\nMemAvailable: 3670016 kB\nSwapTotal: 1048576 kB\n"
        "SwapFree: 1048576 kB\n");
    put(tree, "proc/stat", "cpu  100 0 0 0 0 0 0 7 0 0\n");
    put(tree, "proc/vmstat", "pswpin 1\npswpout 2\noom_kill 4\n");
    put(tree, "sys/online", "0-7\n");
    put(tree, "sys/cpu0/topology/thread_siblings_list", "0,4\n");
    static char proc[96], sys[96];
    snprintf(proc, sizeof proc, "%s/proc", tree->root);
    snprintf(sys, sizeof sys, "%s/sys", tree->root);
    cgroup_read_capacity(&tree->groups, NULL, limits);
    return (struct capacity_source){
        .proc_root = proc, .sys_cpu_root = sys, .tree = &tree->groups, .limits = limits};
}

static void without_groups_the_machine_is_the_capacity(void **state)
{
    struct tree *tree = *state;
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.source, HOST_SOURCE_MACHINE);
    assert_int_equal(memory.total_kib, 4194304);
    assert_int_equal(memory.available_kib, 3670016);
    assert_int_equal(memory.oom_kills, 4);
    assert_int_equal(memory.swap_out_pages, 2);
    assert_false(memory.memory_psi.known);
    struct host_cpu cpu;
    capacity_read_cpu(&source, &cpu);
    assert_int_equal(cpu.threads, 8);
    assert_int_equal(cpu.threads_per_core, 2);
    assert_true(cpu.capacity_cores > 3.99 && cpu.capacity_cores < 4.01);
    assert_int_equal(cpu.busy_ns, 1000000000);
}

static void a_groups_limit_is_the_capacity_where_it_is_tighter(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.source, HOST_SOURCE_CGROUP);
    assert_int_equal(memory.total_kib, 2048 * 1024);
    assert_int_equal(memory.free_kib, 1024 * 1024);
    assert_int_equal(memory.oom_kills, 3);
    struct host_cpu cpu;
    capacity_read_cpu(&source, &cpu);
    assert_int_equal(cpu.source, HOST_SOURCE_CGROUP);
    assert_true(cpu.capacity_cores > 0.79 && cpu.capacity_cores < 0.81);
    assert_int_equal(cpu.busy_ns, 123456789);
    assert_int_equal(cpu.throttled_ns, 555);
}

static void what_qemus_gave_back_is_available_before_the_kernel_frees_it(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.deferred_kib, 100 * 1024);
    assert_int_equal(memory.available_kib, (1024 + 150 + 100) * 1024);
}

static void what_lxcfs_calls_available_does_not_hide_what_is_deferred(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    put(tree, "proc/meminfo", "MemTotal: 2097152 kB\nMemFree: 1048576 kB\nMemAvailable: 1202176 kB\n");
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.available_kib, (1024 + 150 + 100) * 1024);
}

static void the_machine_holds_where_it_has_less_than_the_group_allows(void **state)
{
    struct tree *tree = *state;
    make_v1(tree);
    put(tree, "memory/memory.usage_in_bytes", "0\n");
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    put(tree, "proc/meminfo", "MemTotal: 4194304 kB\nMemFree: 1024 kB\nMemAvailable: 2048 kB\n");
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.available_kib, 2048);
    assert_int_equal(memory.free_kib, 1024);
}

static void a_fixed_size_counts_what_is_beyond_it_as_used(void **state)
{
    struct tree *tree = *state;
    struct cgroup_capacity limits;
    struct capacity_source source = source_of(tree, &limits);
    source.fixed_memory_kib = 1048576; // of 4 GiB, of which 3.5 are available
    source.fixed_cpu_cores = 1.5;
    struct host_memory memory;
    capacity_read_memory(&source, &memory);
    assert_int_equal(memory.source, HOST_SOURCE_CONFIG);
    assert_int_equal(memory.total_kib, 1048576);
    assert_int_equal(memory.available_kib, 3670016 - 3145728);
    struct host_cpu cpu;
    capacity_read_cpu(&source, &cpu);
    assert_int_equal(cpu.source, HOST_SOURCE_CONFIG);
    assert_true(cpu.capacity_cores > 1.49 && cpu.capacity_cores < 1.51);
}

#define MAPPING(range, perm, path, rss, anonymous, swap)                                                     \
    range " " perm " 00000000 00:00 0 " path "\nSize: 1 kB\nRss: " rss " kB\nAnonymous: " anonymous          \
          " kB\nSwap: " swap " kB\n"

static void qemus_own_memory_is_what_lies_outside_the_guests_mapping(void **state)
{
    (void)state;
    struct overhead_measure measure;
    const char *smaps = MAPPING("55d67b583000-55d67b98a000", "r--p", "/usr/bin/qemu", "4124", "0", "0")
        MAPPING("55d69fbf5000-55d6a0d44000", "rw-p", "[heap]", "4760", "4760", "100")
            MAPPING("7f8fc7e00000-7f8fcfe00000", "rw-p", "", "100352", "100352", "16")
                MAPPING("7f8fd6a00000-7f8fd79ff000", "rwxp", "", "16380", "16380", "0");
    assert_int_equal(overhead_parse_smaps(smaps, 131072, &measure), 0);
    assert_int_equal(measure.guest_mappings, 1);
    assert_int_equal(measure.guest_kib, 100352 + 16);
    assert_int_equal(measure.own_kib, 4760 + 100 + 16380);
}

static void guest_memory_in_pieces_is_put_together(void **state)
{
    (void)state;
    struct overhead_measure measure;
    const char *smaps = MAPPING("10000000-14000000", "rw-p", "", "60000", "60000", "0")
        MAPPING("20000000-24000000", "rw-s", "/memfd:memory-backend-memfd (deleted)", "50000", "0", "0")
            MAPPING("30000000-30100000", "rw-p", "", "700", "700", "0");
    assert_int_equal(overhead_parse_smaps(smaps, 131072, &measure), 0);
    assert_int_equal(measure.guest_mappings, 2);
    assert_int_equal(measure.guest_kib, 110000);
    assert_int_equal(measure.own_kib, 700);
}

static void a_layout_that_is_not_understood_teaches_nothing(void **state)
{
    (void)state;
    struct overhead_measure measure = {.own_kib = 9};
    const char *smaps = MAPPING("10000000-11000000", "rw-p", "", "60000", "60000", "0");
    assert_int_equal(overhead_parse_smaps(smaps, 131072, &measure), -1);
    assert_int_equal(overhead_parse_smaps("", 131072, &measure), -1);
    assert_int_equal(overhead_parse_smaps(smaps, 0, &measure), -1);
    assert_int_equal(measure.own_kib, 9);
}

static void the_estimate_grows_with_vcpus_and_without_kvm(void **state)
{
    (void)state;
    struct host_facts small = {.known = true, .kvm = true, .vcpus = 1},
                      large = {.known = true, .kvm = true, .vcpus = 8};
    struct host_facts emulated = {.known = true, .vcpus = 1};
    assert_true(overhead_estimate_kib(&large) > overhead_estimate_kib(&small));
    assert_true(overhead_estimate_kib(&emulated) > overhead_estimate_kib(&small));
}

int main(void)
{
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLAIM(both_versions_are_told_apart),
        CLAIM(a_host_inside_a_v1_group_has_its_limits),
        CLAIM(a_limited_machine_slice_of_v2_is_the_capacity),
        CLAIM(a_vms_group_is_cut_from_its_emulators),
        CLAIM(weight_quota_and_throttling_of_a_v1_vm),
        CLAIM(weight_quota_and_throttling_of_a_v2_vm),
        CLAIM(without_groups_the_machine_is_the_capacity),
        CLAIM(a_groups_limit_is_the_capacity_where_it_is_tighter),
        CLAIM(what_qemus_gave_back_is_available_before_the_kernel_frees_it),
        CLAIM(what_lxcfs_calls_available_does_not_hide_what_is_deferred),
        CLAIM(the_machine_holds_where_it_has_less_than_the_group_allows),
        CLAIM(a_fixed_size_counts_what_is_beyond_it_as_used),
        cmocka_unit_test(qemus_own_memory_is_what_lies_outside_the_guests_mapping),
        cmocka_unit_test(guest_memory_in_pieces_is_put_together),
        cmocka_unit_test(a_layout_that_is_not_understood_teaches_nothing),
        cmocka_unit_test(the_estimate_grows_with_vcpus_and_without_kvm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
