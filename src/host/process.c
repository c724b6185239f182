#include "host/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "host/proc.h"

#define SMALL_TEXT 4096

// A command line of QEMU with very many devices; the UUID stands near its start.
#define CMDLINE_BYTES (64 * 1024)

// smaps of a QEMU with some 500 mappings is 350 KB.
#define SMAPS_MAX_BYTES (16 * 1024 * 1024)

// Weight and quota change rarely and by hand: read again after this many rounds.
#define LIMITS_ROUNDS 10

static inline void cleanup_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

// Whether an argument of the process is this UUID.
static bool has_uuid(int dir_fd, const char *uuid_text)
{
    CLEANUP(free) char *text = malloc(CMDLINE_BYTES);
    long length = text ? file_read_small_at(dir_fd, "cmdline", text, CMDLINE_BYTES) : -1;
    for (long i = 0; i < length; i += (long)strlen(text + i) + 1)
        if (strcasecmp(text + i, uuid_text) == 0)
            return true;
    return false;
}

static int open_pid(const char *proc_root, int pid)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%d", proc_root, pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// The directory of the process, or -1.
static int find_by_pid_file(const char *proc_root, const char *run_dir, const char *name,
                            const char *uuid_text, int *ret_pid)
{
    char path[512], text[32];
    int length = snprintf(path, sizeof path, "%s/%s.pid", run_dir, name);
    if (length < 0 || (size_t)length >= sizeof path || strchr(name, '/'))
        return -1;
    if (file_read_small(path, text, sizeof text) < 0)
        return -1;
    int pid = atoi(text);
    int fd = pid > 0 ? open_pid(proc_root, pid) : -1;
    if (fd >= 0 && has_uuid(fd, uuid_text)) {
        *ret_pid = pid;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

// Whether the process is a QEMU for that VM.
static bool is_wanted(int dir_fd, const char *uuid_text)
{
    char comm[64];
    if (file_read_small_at(dir_fd, "comm", comm, sizeof comm) < 0)
        return false;
    return (strncmp(comm, "qemu", 4) == 0 || strncmp(comm, "kvm", 3) == 0) && has_uuid(dir_fd, uuid_text);
}

static int find_by_search(const char *proc_root, const char *uuid_text, int *ret_pid)
{
    CLEANUP(closedir) DIR *dir = opendir(proc_root);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        int pid = atoi(entry->d_name);
        int fd = open_pid(proc_root, pid);
        if (fd >= 0 && is_wanted(fd, uuid_text)) {
            *ret_pid = pid;
            return fd;
        }
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

struct thread {
    int number, tid;
};

static int compare_threads(const void *a, const void *b)
{
    const struct thread *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

int process_find_threads(struct process *process)
{
    struct thread thread[PROCESS_MAX_VCPUS];
    int fd = openat(process->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(closedir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (fd >= 0 && !dir)
        close(fd);
    size_t n = 0;
    for (struct dirent *entry; dir && n < PROCESS_MAX_VCPUS && (entry = readdir(dir));) {
        char path[64], comm[64];
        int tid = atoi(entry->d_name);
        snprintf(path, sizeof path, "task/%d/comm", tid);
        if (tid <= 0 || file_read_small_at(process->dir_fd, path, comm, sizeof comm) < 0)
            continue;
        int number = proc_vcpu_of_comm(comm);
        if (number >= 0)
            thread[n++] = (struct thread){number, tid};
    }
    if (n == 0)
        return -1;
    qsort(thread, n, sizeof thread[0], compare_threads);
    int *tids = calloc(n, sizeof *tids);
    struct host_vcpu *vcpus = calloc(n, sizeof *vcpus);
    if (!tids || !vcpus) {
        free(tids);
        free(vcpus);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        tids[i] = thread[i].tid;
        vcpus[i] = (struct host_vcpu){HOST_UNKNOWN, HOST_UNKNOWN};
    }
    free(process->tid);
    free(process->vcpu);
    process->tid = tids;
    process->vcpu = vcpus;
    process->n_vcpus = (uint32_t)n;
    return 0;
}

struct process *process_find(const char *proc_root, const char *run_dir, const struct cgroup_tree *tree,
                             const char *name, const struct host_uuid *uuid)
{
    char uuid_text[HOST_UUID_TEXT_SIZE];
    host_uuid_format(uuid, uuid_text);
    int pid = 0;
    int fd = find_by_pid_file(proc_root, run_dir, name, uuid_text, &pid);
    if (fd < 0)
        fd = find_by_search(proc_root, uuid_text, &pid);
    if (fd < 0)
        return NULL;
    struct process *process = calloc(1, sizeof *process);
    if (!process) {
        close(fd);
        return NULL;
    }
    process->references = 1;
    process->pid = pid;
    process->dir_fd = fd;
    process->limits_age = LIMITS_ROUNDS;
    process->cpu_ns = HOST_UNKNOWN;
    char text[SMALL_TEXT];
    if (file_read_small_at(fd, "cgroup", text, sizeof text) < 0 ||
        cgroup_of_vm(tree, text, process->group) < 0)
        process->group[0] = '\0';
    process_find_threads(process);
    return process;
}

static void read_threads(struct process *process)
{
    bool lost = process->n_vcpus == 0;
    for (uint32_t i = 0; i < process->n_vcpus; i++) {
        char path[64], text[128];
        snprintf(path, sizeof path, "task/%d/schedstat", process->tid[i]);
        if (file_read_small_at(process->dir_fd, path, text, sizeof text) > 0)
            proc_parse_schedstat(text, &process->vcpu[i]);
        else
            lost = true;
    }
    if (lost) // unplugged, or a kernel without schedstat: look at what is there, read it next time
        process_find_threads(process);
}

static void read_groups(struct process *process, const struct cgroup_tree *tree, unsigned what)
{
    if (!process->group[0]) {
        process->limits = (struct cgroup_vm){.mem_limit_kib = HOST_UNKNOWN};
        return;
    }
    if ((what & PROCESS_LIMITS) || process->limits_age++ >= LIMITS_ROUNDS) {
        cgroup_read_vm(tree, process->group, process->n_vcpus, &process->limits);
        process->limits_age = 0;
    }
    if (process->limits.limit_cores > 0)
        process->throttled_ns = cgroup_read_throttled(tree, process->group, process->n_vcpus);
}

void process_read(struct process *process, const struct cgroup_tree *tree, unsigned what)
{
    char text[SMALL_TEXT];
    if (file_read_small_at(process->dir_fd, "stat", text, sizeof text) <= 0) {
        process->gone = true; // ESRCH: the directory is that of a process that has ended
        return;
    }
    struct proc_task task;
    proc_parse_task(text, &task);
    process->gone = task.state == 'Z' || task.state == 'X';
    process->stopped = task.state == 'T' || task.state == 't';
    if (host_known(task.cpu_ticks))
        process->cpu_ns = task.cpu_ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    if ((what & PROCESS_MEMORY) && file_read_small_at(process->dir_fd, "status", text, sizeof text) > 0)
        proc_parse_status(text, &process->resident);
    if (what & PROCESS_CPU) {
        read_threads(process);
        read_groups(process, tree, what);
    }
}

// The whole of smaps, to be freed; NULL with err filled.
static char *read_smaps(const struct process *process, struct error *err)
{
    for (size_t size = 512 * 1024; size <= SMAPS_MAX_BYTES; size *= 4) {
        char *text = malloc(size);
        if (!text) {
            error_set(err, ERROR_MEMORY, "no memory for the mappings of process %d", process->pid);
            return NULL;
        }
        long length = file_read_small_at(process->dir_fd, "smaps", text, size);
        if (length >= 0 && (size_t)length < size - 1)
            return text;
        free(text);
        if (length < 0) {
            error_set(err, ERROR_FAILED, "the mappings of process %d cannot be read", process->pid);
            return NULL;
        }
    }
    error_set(err, ERROR_FAILED, "process %d has too many mappings", process->pid);
    return NULL;
}

int process_learn(const struct process *process, uint64_t maxmem_kib, struct overhead_measure *ret,
                  struct error *err)
{
    char *text = read_smaps(process, err);
    if (!text)
        return -1;
    int result = overhead_parse_smaps(text, maxmem_kib, ret);
    free(text);
    if (result < 0)
        return error_set(err, ERROR_FAILED, "the guest's memory was not found in process %d", process->pid);
    return 0;
}

struct process *process_hold(struct process *process)
{
    process->references++;
    return process;
}

struct process *process_release(struct process *process)
{
    if (!process || --process->references > 0)
        return NULL;
    close(process->dir_fd);
    free(process->tid);
    free(process->vcpu);
    free(process);
    return NULL;
}
