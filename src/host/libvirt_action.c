// Orders to libvirt about one VM, and the question what is true about it.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "host/libvirt_internal.h"
#include "host/metadata.h"

// Weights as the kernel takes them: cpu.shares of version 1, cpu.weight of version 2.
#define SHARES_DEFAULT 1024.0
#define SHARES_MIN 2.0
#define SHARES_MAX 262144.0
#define WEIGHT_DEFAULT 100.0
#define WEIGHT_MIN 1.0
#define WEIGHT_MAX 10000.0

enum action {
    ACTION_BALLOON,
    ACTION_PERIOD,
    ACTION_WEIGHT,
    ACTION_DIRTY,
    ACTION_ABORT,
};

// How long QEMU watches the pages, and how long afterwards a round still asks what it found.
#define DIRTY_WATCH_S 1
#define DIRTY_READ_MS 15000

struct action_job {
    struct lv_job job;
    enum action action;
    uint64_t value;
    host_done_fn tell;
    void *user;
};

static int set_weight(virDomainPtr domain, uint64_t weight)
{
    virTypedParameterPtr params = NULL;
    int n = 0, max = 0, result = -1;
    if (virTypedParamsAddULLong(&params, &n, &max, VIR_DOMAIN_SCHEDULER_CPU_SHARES, weight) == 0)
        result = virDomainSetSchedulerParametersFlags(domain, params, n, VIR_DOMAIN_AFFECT_LIVE);
    virTypedParamsFree(params, n);
    return result;
}

static void action_work(struct lv_job *job)
{
    struct action_job *self = (struct action_job *)job;
    int result = -1;
    if (!job->domain) // a connection so new that the domains have not been listed yet
        job->domain = virDomainLookupByUUID(job->conn, job->uuid.byte);
    if (!job->domain) {
        lv_error(&job->error, job->conn);
        return;
    }
    switch (self->action) {
    case ACTION_BALLOON:
        result = virDomainSetMemoryFlags(job->domain, self->value, VIR_DOMAIN_AFFECT_LIVE);
        break;
    case ACTION_PERIOD:
        result = virDomainSetMemoryStatsPeriod(job->domain, (int)self->value, VIR_DOMAIN_AFFECT_LIVE);
        break;
    case ACTION_WEIGHT:
        result = set_weight(job->domain, self->value);
        break;
    case ACTION_DIRTY:
        result = virDomainStartDirtyRateCalc(job->domain, DIRTY_WATCH_S, 0);
        break;
    case ACTION_ABORT:
        result = virDomainAbortJob(job->domain);
        break;
    }
    if (result < 0)
        lv_error(&job->error, job->conn);
}

static enum host_outcome outcome_of(const struct error *error)
{
    switch (error->kind) {
    case ERROR_NONE:
        return HOST_DONE;
    case ERROR_REFUSED:
    case ERROR_INPUT:
        return HOST_REFUSED;
    case ERROR_TIMEOUT:
    case ERROR_LOST:
        return HOST_UNKNOWN_OUTCOME;
    case ERROR_STOPPED:
        return HOST_CANCELLED;
    case ERROR_FAILED:
    case ERROR_MISSING:
    case ERROR_MEMORY:
        return HOST_FAILED;
    }
    return HOST_FAILED;
}

static void action_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct action_job *self = (struct action_job *)job;
    struct error scratch = {0};
    const struct error *error = lv_job_error(host, job, late, &scratch);
    struct lv_vm *vm = lv_vm_find(host, &job->uuid);
    if (vm && error->kind == ERROR_NONE && self->action == ACTION_PERIOD)
        vm->facts_due_ms = 0;
    if (vm && error->kind == ERROR_NONE && self->action == ACTION_WEIGHT)
        vm->limits_due = true;
    if (vm && error->kind == ERROR_NONE && self->action == ACTION_DIRTY)
        vm->dirty_due = true;
    if (vm && error->kind != ERROR_NONE && self->action == ACTION_PERIOD && !self->tell)
        vm->period_asked = error->kind == ERROR_REFUSED; // else it is asked again in the next round
    if (!self->tell)
        return;
    struct error told = *error;
    if (told.kind != ERROR_NONE && !late)
        error_context(&told, "%s", job->what);
    self->tell(self->user, outcome_of(&told), &told);
}

// Without a call, told in the loop's next turn like everything else.
static void refused_done(struct lv_host *host, struct lv_job *job, bool late)
{
    (void)late; // the worker writes nothing, so the error may be read at any time
    struct action_job *self = (struct action_job *)job;
    struct lv_vm *vm = lv_vm_find(host, &job->uuid);
    if (vm && self->action == ACTION_PERIOD && !self->tell)
        vm->period_asked = false; // no call was made: it is asked again in the next round
    if (self->tell)
        self->tell(self->user, HOST_REFUSED, &job->error);
}

// Why no call may be made about a VM now; 0 when it may.
static int check_vm(struct lv_host *host, const struct lv_vm *vm, struct error *err)
{
    if (!host->connection)
        return error_set(err, ERROR_LOST, "libvirt is away");
    if (!vm)
        return error_set(err, ERROR_MISSING, "no such VM runs here");
    if (vm->stopped)
        return error_set(err, ERROR_REFUSED, "its QEMU process is stopped by a signal");
    if (vm->abandoned > 0)
        return error_set(err, ERROR_REFUSED, "an earlier call on it has not come back");
    return lv_jobs_full(host, err) ? -1 : 0;
}

static void start_action(struct lv_host *host, enum action action, const char *what,
                         const struct host_uuid *uuid, uint64_t value, host_done_fn tell, void *user)
{
    struct action_job *self = calloc(1, sizeof *self);
    if (!self)
        abort(); // a callback is promised; without memory for 1 KiB nothing can be kept
    self->job = (struct lv_job){.work = action_work, .done = action_done, .what = what, .uuid = *uuid};
    self->action = action;
    self->value = value;
    self->tell = tell;
    self->user = user;
    struct lv_vm *vm = lv_vm_find(host, uuid);
    if (check_vm(host, vm, &self->job.error) < 0) {
        error_context(&self->job.error, "%s", what);
        self->job.work = NULL;
        self->job.done = refused_done;
        lv_job_start(host, &self->job, 0);
        return;
    }
    lv_job_use(host, &self->job, vm->domain);
    lv_job_start(host, &self->job, host->settings.call_deadline_ms);
}

void lv_set_balloon(struct host *host, const struct host_uuid *uuid, uint64_t current_kib, host_done_fn done,
                    void *user)
{
    start_action(lv_of(host), ACTION_BALLOON, "set the balloon", uuid, current_kib, done, user);
}

void lv_set_stats_period(struct host *host, const struct host_uuid *uuid, unsigned period_s,
                         host_done_fn done, void *user)
{
    start_action(lv_of(host), ACTION_PERIOD, "set the period of balloon statistics", uuid, period_s, done,
                 user);
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

void lv_set_cpu_weight(struct host *host, const struct host_uuid *uuid, double weight, host_done_fn done,
                       void *user)
{
    bool v2 = lv_of(host)->tree.version == 2;
    double value = v2 ? clamp(weight * WEIGHT_DEFAULT, WEIGHT_MIN, WEIGHT_MAX)
                      : clamp(weight * SHARES_DEFAULT, SHARES_MIN, SHARES_MAX);
    start_action(lv_of(host), ACTION_WEIGHT, "set the CPU weight", uuid, (uint64_t)llround(value), done,
                 user);
}

void lv_measure_dirty(struct host *handle, const struct host_uuid *uuid, host_done_fn done, void *user)
{
    struct lv_host *host = lv_of(handle);
    host->dirty_until_ms = lv_now_ms(host) + DIRTY_READ_MS;
    start_action(host, ACTION_DIRTY, "measure the dirty rate", uuid, 0, done, user);
}

void lv_abort_job(struct lv_host *host, const struct host_uuid *uuid, host_done_fn done, void *user)
{
    start_action(host, ACTION_ABORT, "abort the migration", uuid, 0, done, user);
}
