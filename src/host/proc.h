// Readers of the text that Linux gives in /proc and /sys. Pure: text in, figures out, nothing is opened.
// What a text does not contain stays HOST_UNKNOWN, unless a comment says otherwise. All O(length).
#ifndef BALLAST_HOST_PROC_H
#define BALLAST_HOST_PROC_H

#include "host/sample.h"

// The value of a line "KEY<blanks or colon>NUMBER ...", HOST_UNKNOWN when there is no such line. Serves
// memory.stat, cpu.stat, vmstat, memory.events and meminfo alike.
uint64_t proc_value(const char *text, const char *key);

// The sum of several of them, HOST_UNKNOWN when one is missing. keys ends with NULL.
uint64_t proc_sum(const char *text, const char *const *keys);

// A file that holds one number; HOST_UNKNOWN for "max", "-1" or no number.
uint64_t proc_number(const char *text);

struct proc_meminfo {
    uint64_t total_kib, free_kib, available_kib, swap_total_kib, swap_free_kib;
    uint64_t deferred_kib; // see struct host_memory; not part of available_kib here
};

// Sizes of one memory, all in the same unit, from which proc_deferred tells what is charged for nothing.
struct proc_lists {
    uint64_t listed; // pages on the kernel's lists: active, inactive and unevictable, anonymous and file
    uint64_t anon;   // anonymous pages that are mapped
    uint64_t file;   // page cache, buffers, shared memory, swap cache
};

// When part of a huge page is given back (a balloon inflates), the kernel unmaps it at once, but frees it only when
// it splits the huge page, and that it does only under pressure (Documentation/mm/transhuge.rst, "Partial unmap and
// deferred_split_folio()"). Until then the whole huge page stays on its list and is charged. So what is on the
// lists, and neither mapped nor cache, can be had. Pages that are both mapped and in the swap cache, and pages on
// their way to a list, make the result smaller than the truth, never larger. 0 where a figure is missing.
uint64_t proc_deferred(const struct proc_lists *lists);

// available_kib is estimated as free + file pages on a kernel without MemAvailable (before 3.14).
void proc_parse_meminfo(const char *text, struct proc_meminfo *ret);

struct proc_cpu {
    uint64_t busy_ticks; // user, nice, system, irq, softirq; guests' time is within user
    uint64_t steal_ticks;
};

// The first line of /proc/stat.
void proc_parse_stat(const char *text, struct proc_cpu *ret);

// /proc/PID/status.
void proc_parse_status(const char *text, struct host_resident *ret);

struct proc_task {
    char state;         // 'R', 'S', 'D', 'T' stopped, 't' traced, 'Z', ...; 0: not understood
    uint64_t cpu_ticks; // user + system, of all threads
};

// /proc/PID/stat; the command's name may contain anything.
void proc_parse_task(const char *text, struct proc_task *ret);

// /proc/PID/task/TID/schedstat: "run delay slices".
void proc_parse_schedstat(const char *text, struct host_vcpu *ret);

// /proc/pressure/* or a group's *.pressure. A missing "full" line (cpu before 5.13) gives zeros.
void proc_parse_psi(const char *text, struct host_psi *ret);

// Number of entries of a list such as "0-3,8,10-11"; 0 for an empty or broken one.
uint32_t proc_count_list(const char *text);

// The number in a QEMU thread's name "CPU 3/KVM" or "CPU 3/TCG"; -1 for any other thread.
int proc_vcpu_of_comm(const char *comm);

// The group of a process for a controller ("cpu"; NULL for version 2) from /proc/PID/cgroup, into path.
// 0, or -1 when the controller is not there or path too small.
int proc_parse_cgroup(const char *text, const char *controller, char *path, size_t size);

// Finds the file system type of the mount that holds path, from /proc/self/mountinfo, into type. The
// longest mount point that is a prefix decides; of equal ones the last. 0, or -1.
int proc_mount_type(const char *mountinfo, const char *path, char *type, size_t size);

// True for file systems that several hosts can have mounted at a time.
bool proc_type_is_shared(const char *type);

#endif
