// Live migration, peer to peer: a thread and a connection of its own for each, so that minutes of waiting
// starve nobody. libvirtd on the source does the work and goes on with it when this connection, or this
// process, ends: then the outcome is unknown, and presence on both hosts tells.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "host/libvirt_internal.h"

#define PROGRESS_INTERVAL_MS 1000

#define CLAIM_KEY "ballast-claim"

// Made by the loop; the thread reads the request and writes only the message that it puts into the mailbox.
struct lv_migration {
    struct lv_migration *next;
    struct host_uuid uuid;
    host_migrated_fn tell;
    void *user;
    int64_t started_ms;
    unsigned timeout_s;
    bool abort_asked, timed_out, polling;
    struct host_progress last;
};

struct migration_thread {
    struct lv_migration *migration; // a token: never looked into by the thread
    struct lv_mailbox *mailbox;
    char uri[256];
    struct host_migration_request request; // texts are the copies below
    char destination_uri[256], data_uri[256], claim[64];
};

static int write_claim(virDomainPtr domain, const char *claim)
{
    char xml[128];
    snprintf(xml, sizeof xml, "<claim id='%s'/>", claim);
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, claim[0] ? xml : NULL, CLAIM_KEY,
                                HOST_CLAIM_URI, VIR_DOMAIN_AFFECT_LIVE);
}

static int add_parameters(const struct migration_thread *thread, virTypedParameterPtr *params, int *n)
{
    int max = 0;
    const struct host_migration_request *request = &thread->request;
    if (thread->data_uri[0] &&
        virTypedParamsAddString(params, n, &max, VIR_MIGRATE_PARAM_URI, thread->data_uri) < 0)
        return -1;
    if (request->bandwidth_mib_s > 0 &&
        virTypedParamsAddULLong(params, n, &max, VIR_MIGRATE_PARAM_BANDWIDTH, request->bandwidth_mib_s) < 0)
        return -1;
    if (request->parallel > 1 && virTypedParamsAddInt(params, n, &max, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS,
                                                      (int)request->parallel) < 0)
        return -1;
    return 0;
}

static unsigned migration_flags(const struct host_migration_request *request, bool persistent)
{
    unsigned flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;
    if (persistent) // as it was here, so it shall be there
        flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
    if (request->tunnelled)
        flags |= VIR_MIGRATE_TUNNELLED;
    if (request->auto_converge)
        flags |= VIR_MIGRATE_AUTO_CONVERGE;
    if (request->compressed)
        flags |= VIR_MIGRATE_COMPRESSED;
    if (request->parallel > 1)
        flags |= VIR_MIGRATE_PARALLEL;
    return flags;
}

// After a failure: does the VM run here as before?
static bool still_here(virDomainPtr domain)
{
    int state = 0, reason = 0;
    if (virDomainGetState(domain, &state, &reason, 0) < 0)
        return false;
    return state == VIR_DOMAIN_RUNNING || (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_USER);
}

static void run(const struct migration_thread *thread, virConnectPtr conn, virDomainPtr domain,
                struct lv_message *message)
{
    message->outcome = HOST_REFUSED;
    if (thread->claim[0] && write_claim(domain, thread->claim) < 0) {
        lv_error(&message->error, conn);
        error_context(&message->error, "write the claim into the metadata");
        return;
    }
    // unknown to older QEMUs: then their default holds
    if (thread->request.max_downtime_ms > 0)
        virDomainMigrateSetMaxDowntime(domain, thread->request.max_downtime_ms, 0);
    virTypedParameterPtr params = NULL;
    int n = 0;
    int result = add_parameters(thread, &params, &n);
    if (result == 0)
        result =
            virDomainMigrateToURI3(domain, thread->destination_uri, params, (unsigned)n,
                                   migration_flags(&thread->request, virDomainIsPersistent(domain) == 1));
    if (result == 0)
        message->outcome = HOST_DONE;
    else
        lv_error(&message->error, conn);
    virTypedParamsFree(params, n);
    if (result == 0)
        return;
    message->outcome = message->error.kind == ERROR_STOPPED ? HOST_CANCELLED : HOST_FAILED;
    if (message->error.kind == ERROR_LOST || !still_here(domain)) {
        message->outcome = HOST_UNKNOWN_OUTCOME;
        return;
    }
    if (thread->claim[0])
        write_claim(domain, "");
}

// It travelled with the definition, and its migration is over. Whether that works changes nothing: the store says
// which claims live.
static void clear_claim_there(const struct migration_thread *thread)
{
    virConnectPtr conn = virConnectOpen(thread->destination_uri);
    if (!conn)
        return;
    virConnectSetKeepAlive(conn, 5, 3);
    virDomainPtr domain = virDomainLookupByUUID(conn, thread->request.uuid.byte);
    if (domain) {
        write_claim(domain, "");
        virDomainFree(domain);
    }
    virConnectClose(conn);
}

static void *migration_main(void *opaque)
{
    struct migration_thread *thread = opaque;
    struct lv_message *message = calloc(1, sizeof *message);
    if (!message)
        abort(); // the answer is promised
    message->kind = LV_MESSAGE_MIGRATED;
    message->migration = thread->migration;
    message->outcome = HOST_REFUSED;
    virConnectPtr conn = virConnectOpen(thread->uri);
    virDomainPtr domain = NULL;
    if (conn)
        virConnectSetKeepAlive(conn, 5, 3);
    if (conn)
        domain = virDomainLookupByUUID(conn, thread->request.uuid.byte);
    if (domain)
        run(thread, conn, domain, message);
    else
        lv_error(&message->error, conn);
    if (domain)
        virDomainFree(domain);
    if (conn)
        virConnectClose(conn);
    bool arrived = message->outcome == HOST_DONE;
    lv_mailbox_put(thread->mailbox, message);
    lv_mailbox_release(thread->mailbox);
    if (arrived && thread->claim[0])
        clear_claim_there(thread);
    free(thread);
    return NULL;
}

static struct lv_migration *find_migration(struct lv_host *host, const struct host_uuid *uuid)
{
    for (struct lv_migration *m = host->migrations; m; m = m->next)
        if (host_uuid_compare(&m->uuid, uuid) == 0)
            return m;
    return NULL;
}

static void on_progress_timer(uv_timer_t *timer)
{
    lv_migrations_poll(timer->data);
}

// An answer without a thread, through the mailbox like every other.
static void answer_refused(struct lv_host *host, struct lv_migration *migration, const struct error *error)
{
    struct lv_message *message = calloc(1, sizeof *message);
    if (!message)
        abort(); // the answer is promised
    message->kind = LV_MESSAGE_MIGRATED;
    message->migration = migration;
    message->outcome = HOST_REFUSED;
    message->error = *error;
    lv_mailbox_put(host->mailbox, message);
}

static int start_thread(struct lv_host *host, struct lv_migration *migration,
                        const struct host_migration_request *request)
{
    struct migration_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return -1;
    thread->migration = migration;
    thread->mailbox = lv_mailbox_hold(host->mailbox);
    memcpy(thread->uri, host->uri, sizeof thread->uri);
    thread->request = *request;
    thread->request.destination_uri = thread->request.data_uri = thread->request.claim = NULL;
    snprintf(thread->destination_uri, sizeof thread->destination_uri, "%s", request->destination_uri);
    snprintf(thread->data_uri, sizeof thread->data_uri, "%s", request->data_uri ? request->data_uri : "");
    snprintf(thread->claim, sizeof thread->claim, "%s", request->claim ? request->claim : "");
    pthread_t id;
    if (pthread_create(&id, NULL, migration_main, thread) != 0) {
        lv_mailbox_release(thread->mailbox);
        free(thread);
        return -1;
    }
    pthread_detach(id);
    return 0;
}

static int check_request(struct lv_host *host, const struct host_migration_request *request,
                         struct error *err)
{
    const struct lv_vm *vm = lv_vm_find(host, &request->uuid);
    if (!host->connection)
        return error_set(err, ERROR_LOST, "libvirt is away");
    if (!vm)
        return error_set(err, ERROR_MISSING, "no such VM runs here");
    if (vm->migrating)
        return error_set(err, ERROR_REFUSED, "a migration of it is under way");
    if (vm->stopped)
        return error_set(err, ERROR_REFUSED, "its QEMU process is stopped by a signal");
    if (vm->abandoned > 0)
        return error_set(err, ERROR_REFUSED, "an earlier call on it has not come back");
    if (!request->destination_uri || !request->destination_uri[0])
        return error_set(err, ERROR_INPUT, "no destination");
    if (request->claim && strpbrk(request->claim, "<>&'\""))
        return error_set(err, ERROR_INPUT, "the claim has characters that do not belong into XML");
    return 0;
}

void lv_migrate(struct host *handle, const struct host_migration_request *request, host_migrated_fn done,
                void *user)
{
    struct lv_host *host = lv_of(handle);
    struct lv_migration *migration = calloc(1, sizeof *migration);
    if (!migration)
        abort(); // the answer is promised
    migration->tell = done;
    migration->user = user;
    migration->started_ms = lv_now_ms(host);
    migration->timeout_s = request->timeout_s;
    lv_progress_unknown(&migration->last);
    struct error err = {0};
    bool fits = check_request(host, request, &err) == 0;
    if (fits) // a refused one has no VM: the running migration's must not be found by it
        migration->uuid = request->uuid;
    migration->next = host->migrations;
    host->migrations = migration;
    if (fits && start_thread(host, migration, request) < 0) {
        error_set(&err, ERROR_MEMORY, "no thread for it");
        fits = false;
    }
    if (!fits) {
        migration->uuid = (struct host_uuid){{0}};
        error_context(&err, "migrate");
        answer_refused(host, migration, &err);
        return;
    }
    lv_vm_find(host, &request->uuid)->migrating = true;
    if (!uv_is_active((uv_handle_t *)&host->progress))
        uv_timer_start(&host->progress, on_progress_timer, PROGRESS_INTERVAL_MS, PROGRESS_INTERVAL_MS);
}

void lv_abort_migration(struct host *handle, const struct host_uuid *uuid, host_done_fn done, void *user)
{
    struct lv_host *host = lv_of(handle);
    struct lv_migration *migration = find_migration(host, uuid);
    if (migration)
        migration->abort_asked = true;
    lv_abort_job(host, uuid, done, user); // libvirt refuses when nothing is under way
}

void lv_migration_message(struct lv_host *host, struct lv_message *message)
{
    struct lv_migration *migration = message->migration;
    struct lv_migration **link = &host->migrations;
    while (*link && *link != migration)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = migration->next;
    struct lv_vm *vm = lv_vm_find(host, &migration->uuid);
    if (vm)
        vm->migrating = false;
    if (!host->migrations)
        uv_timer_stop(&host->progress);
    struct error error = message->error;
    if (message->outcome == HOST_CANCELLED && migration->timed_out)
        error_set(&error, ERROR_TIMEOUT, "not done within %u s", migration->timeout_s);
    if (message->outcome != HOST_DONE && message->outcome != HOST_REFUSED)
        error_context(&error, "migrate");
    migration->last.elapsed_ms = (uint64_t)(lv_now_ms(host) - migration->started_ms);
    migration->tell(migration->user, message->outcome, &migration->last, &error);
    free(migration);
}

void lv_migrations_stop(struct lv_host *host)
{
    struct error err;
    error_set(&err, ERROR_STOPPED, "the host is being closed; the migration goes on");
    while (host->migrations) {
        struct lv_migration *migration = host->migrations;
        host->migrations = migration->next;
        migration->tell(migration->user, HOST_UNKNOWN_OUTCOME, &migration->last, &err);
        free(migration);
    }
}

void lv_migration_final(struct lv_host *host, const struct lv_message *completed)
{
    struct lv_migration *migration = find_migration(host, &completed->uuid);
    if (migration)
        migration->last = completed->progress;
}

// --- progress: asked once a second while there is a migration --------------------------------------------

struct progress_job {
    struct lv_job job;
    char name[HOST_NAME_SIZE];
    struct host_progress progress;
};

static void progress_work(struct lv_job *job)
{
    struct progress_job *self = (struct progress_job *)job;
    int type = 0, n = 0;
    virTypedParameterPtr params = NULL;
    if (virDomainGetJobStats(job->domain, &type, &params, &n, 0) < 0)
        lv_error(&job->error, job->conn);
    else if (type == VIR_DOMAIN_JOB_NONE)
        error_set(&job->error, ERROR_MISSING, "no migration is under way");
    lv_progress_read(params, n, &self->progress);
    virTypedParamsFree(params, n);
}

static void progress_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct progress_job *self = (struct progress_job *)job;
    struct lv_migration *migration = find_migration(host, &job->uuid);
    if (migration)
        migration->polling = false;
    if (late || !migration || job->error.kind != ERROR_NONE)
        return;
    migration->last = self->progress;
    struct host_event event = {
        .kind = HOST_EVENT_MIGRATION_PROGRESS, .uuid = job->uuid, .progress = self->progress};
    memcpy(event.name, self->name, sizeof event.name);
    host->on_event(host->user, &event);
}

static void ask_progress(struct lv_host *host, struct lv_migration *migration)
{
    struct lv_vm *vm = lv_vm_find(host, &migration->uuid);
    if (migration->polling || !vm || !vm->domain || !host->connection || host->connection->suspect ||
        vm->stopped || vm->abandoned > 0 || lv_jobs_full(host, NULL))
        return;
    struct progress_job *self = calloc(1, sizeof *self);
    if (!self)
        return;
    self->job = (struct lv_job){.work = progress_work,
                                .done = progress_done,
                                .what = "ask for the migration's progress",
                                .uuid = vm->uuid};
    memcpy(self->name, vm->name, sizeof self->name);
    lv_job_use(host, &self->job, vm->domain);
    migration->polling = true;
    lv_job_start(host, &self->job, host->settings.call_deadline_ms);
}

void lv_migrations_poll(struct lv_host *host)
{
    for (struct lv_migration *m = host->migrations; m; m = m->next) {
        int64_t lasted_ms = lv_now_ms(host) - m->started_ms;
        if (m->timeout_s > 0 && !m->timed_out && lasted_ms >= (int64_t)m->timeout_s * 1000) {
            m->timed_out = m->abort_asked = true;
            lv_abort_job(host, &m->uuid, NULL, NULL);
        }
        ask_progress(host, m);
    }
}
