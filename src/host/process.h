// One QEMU process: where it is, and what /proc tells of it. No libvirt.
//
// The process's directory in /proc is held open: its files then belong to this process and no other, even
// when its number is given to another one later. Reads are of small counters only; what takes the process's
// mmap lock (cmdline, smaps) can wait for a busy QEMU and is kept out of the round: process_find, and
// process_learn.
#ifndef BALLAST_HOST_PROCESS_H
#define BALLAST_HOST_PROCESS_H

#include "base/error.h"
#include "host/cgroup.h"
#include "host/overhead.h"

// vCPU threads looked at; QEMU's own limit for x86 is 1024 and more are of no use to anyone here.
#define PROCESS_MAX_VCPUS 1024

struct process {
    unsigned references; // of the thread that owns the table
    int pid;
    int dir_fd;
    bool gone;                    // a read found that it has ended
    char group[CGROUP_PATH_SIZE]; // its control group, "" none
    uint32_t n_vcpus;
    int *tid;               // of vCPU i, ascending by vCPU number
    struct host_vcpu *vcpu; // last read
    struct host_resident resident;
    uint64_t cpu_ns; // all threads
    uint64_t throttled_ns;
    bool stopped; // state T or t
    struct cgroup_vm limits;
    unsigned limits_age; // rounds since limits were read
};

// Finds the QEMU of a VM by libvirt's PID file run_dir/NAME.pid, or else by looking through all processes
// for its UUID. NULL: not visible from here (another PID namespace, a remote libvirt).
struct process *process_find(const char *proc_root, const char *run_dir, const struct cgroup_tree *tree,
                             const char *name, const struct host_uuid *uuid);

// What is read.
#define PROCESS_MEMORY 1u
#define PROCESS_CPU 2u
#define PROCESS_LIMITS 4u // weight, quota and limit of its control group again, not only now and then

// Reads the figures; sets gone when the process has ended. Some 10 us a file.
void process_read(struct process *process, const struct cgroup_tree *tree, unsigned what);

// Looks for the vCPU threads anew (after plugging). -1: none to be told apart.
int process_find_threads(struct process *process);

// Measures QEMU's own memory; see overhead.h. Can take long.
int process_learn(const struct process *process, uint64_t maxmem_kib, struct overhead_measure *ret,
                  struct error *err);

struct process *process_hold(struct process *process);
struct process *process_release(struct process *process); // takes NULL, returns NULL

#endif
