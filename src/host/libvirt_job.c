#include "host/libvirt_job.h"

#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "host/libvirt_internal.h"

static const struct host_uuid no_vm;

// A libvirtd that is alive and answers nobody (stopped, or all its workers wait): a call is past its deadline, no other
// connection is to be had, and none came back for so long. One VM whose QEMU hangs is not that.
#define HANGS_AFTER_MS 10000

static enum error_kind kind_of(const virError *e)
{
    // one row a code of libvirt that means something special here; the rest are plain failures
    static const struct {
        int code;
        enum error_kind kind;
    } kinds[] = {
        {VIR_ERR_NO_DOMAIN, ERROR_MISSING},
        {VIR_ERR_NO_DOMAIN_METADATA, ERROR_MISSING},
        {VIR_ERR_OPERATION_TIMEOUT, ERROR_REFUSED}, // another call holds the domain: not done
        {VIR_ERR_OPERATION_INVALID, ERROR_REFUSED},
        {VIR_ERR_OPERATION_DENIED, ERROR_REFUSED},
        {VIR_ERR_OPERATION_UNSUPPORTED, ERROR_REFUSED},
        {VIR_ERR_CONFIG_UNSUPPORTED, ERROR_REFUSED},
        {VIR_ERR_ARGUMENT_UNSUPPORTED, ERROR_REFUSED},
        {VIR_ERR_INVALID_ARG, ERROR_REFUSED},
        {VIR_ERR_ACCESS_DENIED, ERROR_REFUSED},
        {VIR_ERR_RESOURCE_BUSY, ERROR_REFUSED},
        {VIR_ERR_MIGRATE_UNSAFE, ERROR_REFUSED},
        {VIR_ERR_OPERATION_ABORTED, ERROR_STOPPED},
        {VIR_ERR_NO_CONNECT, ERROR_LOST},
        {VIR_ERR_INVALID_CONN, ERROR_LOST},
        {VIR_ERR_AUTH_FAILED, ERROR_REFUSED},
        {VIR_ERR_NO_MEMORY, ERROR_MEMORY},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].code == e->code)
            return kinds[i].kind;
    return ERROR_FAILED;
}

int lv_error(struct error *err, virConnectPtr conn)
{
    const virError *e = virGetLastError();
    enum error_kind kind = e ? kind_of(e) : ERROR_FAILED;
    // an error of the RPC layer may also be libvirtd's own, about another host: only a dead connection of ours
    // means that no answer was read and what happened is not known
    bool rpc = e && (e->domain == VIR_FROM_RPC || e->domain == VIR_FROM_REMOTE);
    error_set(err, kind, "%s", e && e->message ? e->message : "libvirt gives no reason");
    if (conn ? virConnectIsAlive(conn) != 1 : rpc) // which clears libvirt's last error
        err->kind = ERROR_LOST;
    return -1;
}

bool lv_answers(const struct lv_host *host)
{
    return host->connection &&
           (!host->connection->suspect || lv_now_ms(host) - host->answered_at_ms < HANGS_AFTER_MS);
}

bool lv_jobs_full(const struct lv_host *host, struct error *err)
{
    if (host->abandoned < host->settings.max_abandoned)
        return false;
    error_set(err, ERROR_REFUSED, "%u calls to libvirt have not come back; no more are made until one does",
              host->abandoned);
    return true;
}

const struct error *lv_job_error(const struct lv_host *host, const struct lv_job *job, bool late,
                                 struct error *scratch)
{
    if (!late)
        return &job->error;
    if (host->closing)
        error_set(scratch, ERROR_STOPPED, "%s: the host is being closed", job->what);
    else
        error_set(scratch, ERROR_TIMEOUT, "%s: no answer within %u ms", job->what, job->deadline_ms);
    return scratch;
}

static void unlink_job(struct lv_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else if (job->host)
        job->host->jobs = job->next;
    if (job->next)
        job->next->previous = job->previous;
    job->next = job->previous = NULL;
}

// Both the worker and the timer must be through before the memory may go.
static void free_when_through(struct lv_job *job)
{
    if (!job->worked || !job->timer_closed)
        return;
    if (job->free)
        job->free(job);
    else
        free(job);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct lv_job *job = handle->data;
    job->timer_closed = true;
    free_when_through(job);
}

static void mark_abandoned(struct lv_job *job, int step)
{
    struct lv_host *host = job->host;
    host->abandoned += (unsigned)step;
    bool about_vm = host_uuid_compare(&job->uuid, &no_vm) != 0;
    struct lv_vm *vm = about_vm ? lv_vm_find(host, &job->uuid) : NULL;
    if (vm && (step > 0 || vm->abandoned > 0))
        vm->abandoned += (unsigned)step;
}

static void on_deadline(uv_timer_t *timer)
{
    struct lv_job *job = timer->data;
    struct lv_host *host = job->host;
    job->told = true;
    mark_abandoned(job, 1);
    job->done(host, job, true);
    if (job->uses_libvirt)
        lv_connection_suspect(host);
}

static void work(uv_work_t *request)
{
    struct lv_job *job = request->data;
    virResetLastError();
    if (job->work)
        job->work(job);
    if (job->domain)
        virDomainFree(job->domain);
    if (job->conn)
        virConnectClose(job->conn); // the last reference may be this one: then it is a call
    job->domain = NULL;
    job->conn = NULL;
}

static void after_work(uv_work_t *request, int status)
{
    (void)status; // nothing is ever cancelled
    struct lv_job *job = request->data;
    struct lv_host *host = job->host;
    unlink_job(job);
    job->worked = true;
    if (host && job->told)
        mark_abandoned(job, -1);
    if (host && job->uses_libvirt && job->error.kind != ERROR_LOST)
        host->answered_at_ms = lv_now_ms(host);
    if (host && !job->told) {
        job->told = true;
        bool lost = job->uses_libvirt && job->error.kind == ERROR_LOST;
        job->done(host, job, false);
        if (lost && host->connection && virConnectIsAlive(host->connection->conn) != 1)
            lv_connection_lost(host, job->error.text);
    }
    job->host = NULL;
    if (!uv_is_closing((uv_handle_t *)&job->timer))
        uv_close((uv_handle_t *)&job->timer, on_timer_closed);
    free_when_through(job);
}

void lv_job_use(struct lv_host *host, struct lv_job *job, virDomainPtr domain)
{
    job->uses_libvirt = true;
    job->conn = host->connection->conn;
    virConnectRef(job->conn);
    if (domain && virDomainRef(domain) == 0)
        job->domain = domain;
}

void lv_job_start(struct lv_host *host, struct lv_job *job, unsigned deadline_ms)
{
    job->host = host;
    job->deadline_ms = deadline_ms;
    job->request.data = job;
    job->timer.data = job;
    job->next = host->jobs;
    if (host->jobs)
        host->jobs->previous = job;
    host->jobs = job;
    uv_timer_init(host->loop, &job->timer);
    if (deadline_ms > 0)
        uv_timer_start(&job->timer, on_deadline, deadline_ms, 0);
    uv_queue_work(host->loop, &job->request, work, after_work);
}

void lv_jobs_orphan(struct lv_host *host)
{
    while (host->jobs) {
        struct lv_job *job = host->jobs;
        unlink_job(job);
        uv_timer_stop(&job->timer);
        uv_close((uv_handle_t *)&job->timer, on_timer_closed);
        if (!job->told) {
            job->told = true;
            job->done(host, job, true);
        }
        job->host = NULL;
    }
}
