// What Linux writes in /proc and /sys is read as it is meant.
#include "../test.h"

#include <string.h>

#include "host/proc.h"

static void meminfo_gives_its_five_figures(void **state)
{
    (void)state;
    struct proc_meminfo info;
    proc_parse_meminfo(
        "MemTotal:        2097152 kB\nMemFree:         1616400 kB\nMemAvailable:    1641456 kB\n"
        "SwapTotal:       1000 kB\nSwapFree:        900 kB\n",
        &info);
    assert_int_equal(info.total_kib, 2097152);
    assert_int_equal(info.free_kib, 1616400);
    assert_int_equal(info.available_kib, 1641456);
    assert_int_equal(info.swap_total_kib, 1000);
    assert_int_equal(info.swap_free_kib, 900);
}

static void free_swap_below_zero_is_none(void **state)
{
    (void)state;
    struct proc_meminfo info;
    proc_parse_meminfo("MemTotal:  1 kB\nSwapTotal:  0 kB\nSwapFree:  18446744073709551104 kB\n", &info);
    assert_int_equal(info.swap_free_kib, 0);
}

static void an_old_kernels_available_memory_is_free_and_file_pages(void **state)
{
    (void)state;
    struct proc_meminfo info;
    proc_parse_meminfo("MemTotal: 100 kB\nMemFree: 10 kB\nActive(file): 5 kB\nInactive(file): 7 kB\n", &info);
    assert_int_equal(info.available_kib, 22);
}

static void what_is_not_there_is_unknown(void **state)
{
    (void)state;
    struct proc_meminfo info;
    proc_parse_meminfo("MemTotal: 100 kB\n", &info);
    assert_false(host_known(info.free_kib));
    assert_false(host_known(info.available_kib));
}

static void what_is_listed_but_neither_mapped_nor_cache_is_deferred(void **state)
{
    (void)state;
    struct proc_meminfo info;
    proc_parse_meminfo("MemTotal: 9000 kB\nBuffers: 10 kB\nCached: 100 kB\nSwapCached: 5 kB\nActive: 700 kB\n"
                       "Inactive: 800 kB\nActive(anon): 650 kB\nUnevictable: 50 kB\nAnonPages: 1000 kB\n",
                       &info);
    assert_int_equal(info.deferred_kib, 700 + 800 + 50 - 1000 - 100 - 10 - 5);
}

static void without_the_figures_or_with_more_in_use_than_listed_nothing_is_deferred(void **state)
{
    (void)state;
    struct proc_lists missing = {1000, HOST_UNKNOWN, 10}, more = {1000, 900, 200};
    assert_int_equal(proc_deferred(&missing), 0);
    assert_int_equal(proc_deferred(&more), 0);
}

static void a_key_is_no_prefix_of_another(void **state)
{
    (void)state;
    assert_int_equal(proc_value("oom_kill_disable 7\nunder_oom 8\noom_kill 3\n", "oom_kill"), 3);
    assert_false(host_known(proc_value("throttled_usec_extra 4\n", "throttled_usec")));
}

static void max_and_minus_one_are_no_numbers(void **state)
{
    (void)state;
    assert_false(host_known(proc_number("max\n")));
    assert_false(host_known(proc_number("-1\n")));
    assert_false(host_known(proc_number("")));
    assert_false(host_known(proc_number("99999999999999999999999\n")));
    assert_int_equal(proc_number("  42\n"), 42);
}

static void busy_time_leaves_out_idle_waiting_and_steal(void **state)
{
    (void)state;
    struct proc_cpu cpu;
    proc_parse_stat("cpu  100 20 30 5000 60 7 8 900 50 0\ncpu0 1 2 3\n", &cpu);
    assert_int_equal(cpu.busy_ticks, 100 + 20 + 30 + 7 + 8);
    assert_int_equal(cpu.steal_ticks, 900);
}

static void a_truncated_stat_is_unknown(void **state)
{
    (void)state;
    struct proc_cpu cpu;
    proc_parse_stat("cpu  100 20", &cpu);
    assert_false(host_known(cpu.busy_ticks));
}

static void a_process_resident_set_is_told_by_kind(void **state)
{
    (void)state;
    struct host_resident resident;
    proc_parse_status(
        "Name:\tqemu-system-x86\nState:\tS (sleeping)\nVmRSS:\t  172248 kB\nRssAnon:\t  147788 kB\n"
        "RssFile:\t   24460 kB\nRssShmem:\t       8 kB\nVmPTE:\t     516 kB\nVmSwap:\t      12 kB\n",
        &resident);
    assert_true(resident.known);
    assert_int_equal(resident.anon_kib, 147788);
    assert_int_equal(resident.file_kib, 24460);
    assert_int_equal(resident.shmem_kib, 8);
    assert_int_equal(resident.swap_kib, 12);
    assert_int_equal(resident.page_tables_kib, 516);
}

static void a_zombie_has_no_resident_set(void **state)
{
    (void)state;
    struct host_resident resident;
    proc_parse_status("Name:\tqemu-system-x86\nState:\tZ (zombie)\n", &resident);
    assert_false(resident.known);
    assert_false(host_known(resident.anon_kib));
}

static void a_stopped_process_is_seen_behind_any_name(void **state)
{
    (void)state;
    struct proc_task task;
    proc_parse_task("91 (qemu) S (x) T 1 90 90 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 5 0 100 200\n", &task);
    assert_int_equal(task.state, 'T');
    assert_int_equal(task.cpu_ticks, 200);
}

static void a_broken_task_line_says_nothing(void **state)
{
    (void)state;
    struct proc_task task;
    proc_parse_task("91 (qemu", &task);
    assert_int_equal(task.state, 0);
    proc_parse_task("91 (qemu) S 1 2", &task);
    assert_false(host_known(task.cpu_ticks));
}

static void schedstat_gives_run_and_delay(void **state)
{
    (void)state;
    struct host_vcpu vcpu;
    proc_parse_schedstat("1917927980 90664296 1217\n", &vcpu);
    assert_int_equal(vcpu.run_ns, 1917927980);
    assert_int_equal(vcpu.delay_ns, 90664296);
    proc_parse_schedstat("1917927980\n", &vcpu);
    assert_false(host_known(vcpu.run_ns));
}

static void pressure_has_some_and_full(void **state)
{
    (void)state;
    struct host_psi psi;
    proc_parse_psi("some avg10=2.60 avg60=2.05 avg300=1.23 total=8067389\n"
                   "full avg10=1.68 avg60=1.02 avg300=0.47 total=3687034\n",
                   &psi);
    assert_true(psi.known);
    assert_true(psi.some_avg10_pct > 2.59 && psi.some_avg10_pct < 2.61);
    assert_true(psi.full_avg10_pct > 1.67 && psi.full_avg10_pct < 1.69);
    assert_int_equal(psi.some_total_us, 8067389);
    assert_int_equal(psi.full_total_us, 3687034);
}

static void cpu_pressure_of_older_kernels_has_no_full_line(void **state)
{
    (void)state;
    struct host_psi psi;
    proc_parse_psi("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n", &psi);
    assert_true(psi.known);
    assert_int_equal(psi.full_total_us, 0);
}

static void pressure_that_is_no_percentage_is_unknown(void **state)
{
    (void)state;
    struct host_psi psi;
    proc_parse_psi("some avg10=nan avg60=0 avg300=0 total=5\n", &psi);
    assert_false(psi.known);
    proc_parse_psi("some avg10=1.0\nfull avg10=2.0 total=9\n",
                   &psi); // the total of the next line is not its own
    assert_false(psi.known);
    proc_parse_psi("", &psi);
    assert_false(psi.known);
}

static void lists_of_cpus_are_counted(void **state)
{
    (void)state;
    assert_int_equal(proc_count_list("0-1\n"), 2);
    assert_int_equal(proc_count_list("0-3,8,10-11\n"), 7);
    assert_int_equal(proc_count_list("5"), 1);
    assert_int_equal(proc_count_list("\n"), 0);
    assert_int_equal(proc_count_list("3-1"), 0);
    assert_int_equal(proc_count_list("0-99999999999"), 0);
}

static void vcpu_threads_are_told_by_name(void **state)
{
    (void)state;
    assert_int_equal(proc_vcpu_of_comm("CPU 0/KVM\n"), 0);
    assert_int_equal(proc_vcpu_of_comm("CPU 17/TCG\n"), 17);
    assert_int_equal(proc_vcpu_of_comm("ALL CPUs/TCG\n"), -1);
    assert_int_equal(proc_vcpu_of_comm("IO mon_iothread\n"), -1);
    assert_int_equal(proc_vcpu_of_comm("CPU x/KVM\n"), -1);
}

static void a_processs_group_is_found_by_controller(void **state)
{
    (void)state;
    const char *v1 =
        "4:memory:/machine/qemu-3-g3\n2:cpuacct,cpu:/machine/qemu-3-g3/emulator\n0::/elsewhere\n";
    char path[128];
    assert_int_equal(proc_parse_cgroup(v1, "cpu", path, sizeof path), 0);
    assert_string_equal(path, "/machine/qemu-3-g3/emulator");
    assert_int_equal(proc_parse_cgroup(v1, NULL, path, sizeof path), 0);
    assert_string_equal(path, "/elsewhere");
    assert_int_equal(proc_parse_cgroup(v1, "cpuset", path, sizeof path), -1);
    assert_int_equal(proc_parse_cgroup(v1, "cpu", path, 5), -1);
}

static const char *mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                            "30 22 0:40 / /var/lib/libvirt/images rw - nfs4 filer:/vm rw\n"
                            "31 22 0:41 / /srv/my\\040disks rw shared:7 master:2 - xfs /dev/sdb rw\n";

static void the_longest_mount_point_holds_a_path(void **state)
{
    (void)state;
    char type[32];
    assert_int_equal(proc_mount_type(mounts, "/var/lib/libvirt/images/a.qcow2", type, sizeof type), 0);
    assert_string_equal(type, "nfs4");
    assert_int_equal(proc_mount_type(mounts, "/var/lib/libvirt/images2/a.qcow2", type, sizeof type), 0);
    assert_string_equal(type, "ext4");
    assert_int_equal(proc_mount_type(mounts, "/srv/my disks/a", type, sizeof type), 0);
    assert_string_equal(type, "xfs");
    assert_int_equal(proc_mount_type("", "/a", type, sizeof type), -1);
}

static void network_file_systems_are_shared(void **state)
{
    (void)state;
    assert_true(proc_type_is_shared("nfs4"));
    assert_true(proc_type_is_shared("fuse.glusterfs"));
    assert_false(proc_type_is_shared("ext4"));
    assert_false(proc_type_is_shared("tmpfs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meminfo_gives_its_five_figures),
        cmocka_unit_test(free_swap_below_zero_is_none),
        cmocka_unit_test(an_old_kernels_available_memory_is_free_and_file_pages),
        cmocka_unit_test(what_is_not_there_is_unknown),
        cmocka_unit_test(what_is_listed_but_neither_mapped_nor_cache_is_deferred),
        cmocka_unit_test(without_the_figures_or_with_more_in_use_than_listed_nothing_is_deferred),
        cmocka_unit_test(a_key_is_no_prefix_of_another),
        cmocka_unit_test(max_and_minus_one_are_no_numbers),
        cmocka_unit_test(busy_time_leaves_out_idle_waiting_and_steal),
        cmocka_unit_test(a_truncated_stat_is_unknown),
        cmocka_unit_test(a_process_resident_set_is_told_by_kind),
        cmocka_unit_test(a_zombie_has_no_resident_set),
        cmocka_unit_test(a_stopped_process_is_seen_behind_any_name),
        cmocka_unit_test(a_broken_task_line_says_nothing),
        cmocka_unit_test(schedstat_gives_run_and_delay),
        cmocka_unit_test(pressure_has_some_and_full),
        cmocka_unit_test(cpu_pressure_of_older_kernels_has_no_full_line),
        cmocka_unit_test(pressure_that_is_no_percentage_is_unknown),
        cmocka_unit_test(lists_of_cpus_are_counted),
        cmocka_unit_test(vcpu_threads_are_told_by_name),
        cmocka_unit_test(a_processs_group_is_found_by_controller),
        cmocka_unit_test(the_longest_mount_point_holds_a_path),
        cmocka_unit_test(network_file_systems_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
