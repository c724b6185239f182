// The question what is true about a VM, here or on another host: what is asked after an unknown outcome.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "base/cleanup.h"
#include "host/libvirt_internal.h"
#include "host/metadata.h"

struct presence_job {
    struct lv_job job;
    char uri[256]; // "": the host's own connection
    struct host_presence presence;
    host_presence_fn tell;
    void *user;
};

// A job of the kind that a migration is, going out or coming in; -1 none, or the VM's job could not be asked.
static int migration_operation(virDomainPtr domain)
{
    int type = 0, n = 0, operation = -1;
    virTypedParameterPtr params = NULL;
    if (virDomainGetJobStats(domain, &type, &params, &n, 0) == 0 && type != VIR_DOMAIN_JOB_NONE)
        virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
    virTypedParamsFree(params, n);
    return operation;
}

// The domain was there a moment ago; a call that fails for another reason than that it has gone says nothing.
static enum host_presence_state state_of(virDomainPtr domain, struct error *err)
{
    int state = 0, reason = 0;
    if (virDomainGetState(domain, &state, &reason, 0) < 0) {
        lv_error(err, virDomainGetConnect(domain));
        if (err->kind == ERROR_MISSING)
            error_clear(err);
        return HOST_PRESENCE_ABSENT;
    }
    if (state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED)
        return HOST_PRESENCE_ABSENT;
    int operation = migration_operation(domain);
    if (operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
        return HOST_PRESENCE_OUTGOING;
    if (operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN)
        return HOST_PRESENCE_INCOMING;
    return state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED ? HOST_PRESENCE_RUNNING
                                                                      : HOST_PRESENCE_PAUSED;
}

static void read_claim(virDomainPtr domain, char claim[static 64])
{
    struct host_facts facts;
    char *xml = virDomainGetXMLDesc(domain, 0);
    if (xml && facts_parse(xml, strlen(xml), NULL, &facts, NULL) == 0)
        memcpy(claim, facts.claim, sizeof facts.claim);
    free(xml);
}

static void presence_work(struct lv_job *job)
{
    struct presence_job *self = (struct presence_job *)job;
    virConnectPtr conn = job->conn;
    if (self->uri[0]) {
        job->conn = conn = virConnectOpen(self->uri);
        if (!conn) {
            lv_error(&job->error, NULL);
            job->error.kind = ERROR_LOST;
            error_context(&job->error, "connect to %s", self->uri);
            return;
        }
    }
    virDomainPtr domain = virDomainLookupByUUID(conn, job->uuid.byte);
    if (!domain) {
        lv_error(&job->error, conn);
        if (job->error.kind == ERROR_MISSING) {
            error_clear(&job->error);
            self->presence = (struct host_presence){.state = HOST_PRESENCE_ABSENT};
        }
        return;
    }
    self->presence.state = state_of(domain, &job->error);
    self->presence.defined = virDomainIsPersistent(domain) == 1;
    read_claim(domain, self->presence.claim);
    virDomainFree(domain);
}

static void presence_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct presence_job *self = (struct presence_job *)job;
    struct error scratch = {0};
    struct error told = *lv_job_error(host, job, late, &scratch);
    if (told.kind != ERROR_NONE && !late)
        error_context(&told, "%s", job->what);
    self->tell(self->user, told.kind == ERROR_NONE ? &self->presence : NULL, &told);
}

void lv_presence(struct host *handle, const char *uri, const struct host_uuid *uuid, host_presence_fn done,
                 void *user)
{
    struct lv_host *host = lv_of(handle);
    struct presence_job *self = calloc(1, sizeof *self);
    if (!self)
        abort(); // a callback is promised; without memory for 1 KiB nothing can be kept
    self->job = (struct lv_job){
        .work = presence_work, .done = presence_done, .what = "ask where the VM is", .uuid = *uuid};
    self->tell = done;
    self->user = user;
    snprintf(self->uri, sizeof self->uri, "%s", uri ? uri : "");
    if (!uri && !host->connection)
        error_set(&self->job.error, ERROR_LOST, "libvirt is away");
    else
        lv_jobs_full(host, &self->job.error);
    if (self->job.error.kind != ERROR_NONE) {
        self->job.work = NULL;
        lv_job_start(host, &self->job, 0);
        return;
    }
    if (!uri)
        lv_job_use(host, &self->job, NULL);
    lv_job_start(host, &self->job, uri ? host->settings.open_deadline_ms : host->settings.call_deadline_ms);
}
