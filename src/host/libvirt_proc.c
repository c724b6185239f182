// The part of a round that needs no libvirt (/proc and control groups), and what is learned between rounds.
// In the pool all the same: a read can wait for a lock of the kernel.
#include <stdlib.h>
#include <string.h>

#include "host/libvirt_internal.h"

// A VM whose process was not found is looked for again after this.
#define PROCESS_RETRY_MS 10000

// The first measurement waits for the guest to have started; the next ones come rarely.
#define LEARN_FIRST_MS 3000

struct proc_item {
    struct host_uuid uuid;
    char name[HOST_NAME_SIZE];
    struct process *process; // one reference; NULL: to be looked for when find is set
    bool find;
    unsigned what;
};

struct proc_job {
    struct lv_job job;
    unsigned groups;
    char proc_root[128], run_dir[256], capacity_group[CGROUP_PATH_SIZE];
    struct cgroup_tree tree;
    uint64_t fixed_memory_kib;
    double fixed_cpu_cores;
    struct host_memory memory;
    struct host_cpu cpu;
    struct proc_item *item;
    size_t n;
};

static void proc_work(struct lv_job *job)
{
    struct proc_job *self = (struct proc_job *)job;
    struct cgroup_capacity limits;
    cgroup_read_capacity(&self->tree, self->capacity_group[0] ? self->capacity_group : NULL, &limits);
    const struct capacity_source source = {.proc_root = self->proc_root,
                                           .sys_cpu_root = "/sys/devices/system/cpu",
                                           .tree = &self->tree,
                                           .limits = &limits,
                                           .fixed_memory_kib = self->fixed_memory_kib,
                                           .fixed_cpu_cores = self->fixed_cpu_cores};
    if (self->groups & HOST_GROUP_MEMORY)
        capacity_read_memory(&source, &self->memory);
    if (self->groups & HOST_GROUP_CPU)
        capacity_read_cpu(&source, &self->cpu);
    for (size_t i = 0; i < self->n; i++) {
        struct proc_item *item = &self->item[i];
        if (!item->process && item->find)
            item->process =
                process_find(self->proc_root, self->run_dir, &self->tree, item->name, &item->uuid);
        if (item->process)
            process_read(item->process, &self->tree, item->what);
    }
}

static void take_process(struct lv_host *host, struct proc_item *item)
{
    struct lv_vm *vm = lv_vm_find(host, &item->uuid);
    if (!vm || !item->find || vm->process)
        return;
    vm->process = item->process ? process_hold(item->process) : NULL;
    vm->process_due_ms = lv_now_ms(host) + PROCESS_RETRY_MS;
    vm->learn_due_ms = lv_now_ms(host) + LEARN_FIRST_MS;
    vm->learned = false;
}

static void proc_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct proc_job *self = (struct proc_job *)job;
    struct error scratch = {0};
    const struct error *error = lv_job_error(host, job, late, &scratch);
    if (late) { // the worker still writes into these processes: they are its own from now on
        for (size_t i = 0; i < self->n; i++) {
            struct lv_vm *vm = lv_vm_find(host, &self->item[i].uuid);
            if (vm && vm->process && vm->process == self->item[i].process)
                vm->process = process_release(vm->process);
        }
    }
    if (host->closing)
        return;
    if (!late) {
        if (self->groups & HOST_GROUP_MEMORY)
            host->round.memory = self->memory;
        if (self->groups & HOST_GROUP_CPU)
            host->round.cpu = self->cpu;
        for (size_t i = 0; i < self->n; i++)
            take_process(host, &self->item[i]);
    }
    for (size_t i = 0; i < host->vms.n; i++) {
        struct lv_vm *vm = host->vms.at[i];
        if (vm->process && vm->process->gone) {
            vm->process = process_release(vm->process);
            vm->process_due_ms = 0;
        }
        vm->stopped = vm->process && vm->process->stopped;
    }
    lv_round_proc_read(host, error);
}

static void proc_free(struct lv_job *job)
{
    struct proc_job *self = (struct proc_job *)job;
    for (size_t i = 0; i < self->n; i++)
        process_release(self->item[i].process);
    free(self->item);
    free(self);
}

void lv_proc(struct lv_host *host)
{
    struct proc_job *self = calloc(1, sizeof *self);
    if (self)
        self->item = calloc(host->vms.n + 1, sizeof *self->item);
    if (!self || !self->item) {
        free(self);
        struct error err;
        error_set(&err, ERROR_MEMORY, "no memory to read /proc");
        lv_round_proc_read(host, &err);
        return;
    }
    self->job =
        (struct lv_job){.work = proc_work, .done = proc_done, .free = proc_free, .what = "read /proc"};
    self->groups = host->round.groups;
    memcpy(self->proc_root, host->proc_root, sizeof self->proc_root);
    memcpy(self->run_dir, host->run_dir, sizeof self->run_dir);
    memcpy(self->capacity_group, host->capacity_group, sizeof self->capacity_group);
    self->tree = host->tree;
    self->fixed_memory_kib = host->settings.fixed_memory_kib;
    self->fixed_cpu_cores = host->settings.fixed_cpu_cores;
    unsigned what = (self->groups & HOST_GROUP_CPU ? PROCESS_CPU : 0) |
                    (self->groups & HOST_GROUP_MEMORY ? PROCESS_MEMORY : 0);
    for (size_t i = 0; i < host->vms.n; i++) {
        struct lv_vm *vm = host->vms.at[i];
        struct proc_item *item = &self->item[self->n++];
        item->uuid = vm->uuid;
        memcpy(item->name, vm->name, sizeof item->name);
        item->process = vm->process ? process_hold(vm->process) : NULL;
        item->find = !vm->process && vm->process_due_ms <= lv_now_ms(host);
        item->what = what | (vm->limits_due ? PROCESS_LIMITS : 0);
        vm->limits_due = false;
    }
    lv_job_start(host, &self->job, host->settings.call_deadline_ms);
}

// --- what QEMU needs for itself -------------------------------------------------------------------------

struct learn_job {
    struct lv_job job;
    struct process *process; // one reference; its numbers are not touched, only its directory is used
    uint64_t maxmem_kib;
    struct overhead_measure measure;
};

static void learn_work(struct lv_job *job)
{
    struct learn_job *self = (struct learn_job *)job;
    process_learn(self->process, self->maxmem_kib, &self->measure, &job->error);
}

static void learn_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct learn_job *self = (struct learn_job *)job;
    host->learning = false;
    struct lv_vm *vm = host->closing ? NULL : lv_vm_find(host, &job->uuid);
    if (!vm || vm->process != self->process)
        return;
    vm->learn_due_ms = lv_now_ms(host) + (int64_t)host->settings.learn_interval_s * 1000;
    if (late || job->error.kind != ERROR_NONE)
        return; // the estimate, or what was learned before, goes on
    vm->own_kib = self->measure.own_kib;
    vm->learned = true;
}

static void learn_free(struct lv_job *job)
{
    struct learn_job *self = (struct learn_job *)job;
    process_release(self->process);
    free(self);
}

void lv_learn(struct lv_host *host)
{
    if (host->learning)
        return;
    for (size_t i = 0; i < host->vms.n; i++) {
        struct lv_vm *vm = host->vms.at[i];
        bool due = vm->process && !vm->stopped && host_known(vm->maxmem_kib) &&
                   vm->learn_due_ms <= lv_now_ms(host) && vm->state == HOST_VM_RUNNING;
        struct learn_job *self = due ? calloc(1, sizeof *self) : NULL;
        if (!self)
            continue;
        self->job = (struct lv_job){.work = learn_work,
                                    .done = learn_done,
                                    .free = learn_free,
                                    .what = "read the mappings of QEMU",
                                    .uuid = vm->uuid};
        self->process = process_hold(vm->process);
        self->maxmem_kib = vm->maxmem_kib;
        host->learning = true;
        // no deadline: it is nobody's turn that waits, and at most one is under way
        lv_job_start(host, &self->job, 0);
        return;
    }
}
