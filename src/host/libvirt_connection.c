// The one connection: opened in the pool, watched by keepalive, sought again when lost, replaced when a call
// on it did not come back.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "host/libvirt_internal.h"

// A connection is dead when libvirtd has not answered three probes, 5 s apart. A libvirtd that was killed is
// noticed at once, by its socket.
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_COUNT 3

#define BACKOFF_START_MS 100

struct connect_job {
    struct lv_job job;
    char uri[256];
    unsigned generation;
    struct lv_connection *connection; // the result
};

static void on_closed_by_peer(virConnectPtr conn, int reason, void *opaque)
{
    (void)conn;
    struct lv_connection *connection = opaque; // alive until this callback has been taken off
    struct lv_message *message = calloc(1, sizeof *message);
    if (!message)
        return;
    message->kind = LV_MESSAGE_CLOSED;
    message->generation = connection->generation;
    message->detail = reason;
    lv_mailbox_put(connection->mailbox, message);
}

static void free_connection(struct lv_connection *connection)
{
    if (connection->conn) {
        virConnectUnregisterCloseCallback(connection->conn, on_closed_by_peer);
        for (size_t i = 0; i < connection->n_callbacks; i++)
            virConnectDomainEventDeregisterAny(connection->conn, connection->callback[i]);
        virConnectClose(connection->conn);
    }
    lv_mailbox_release(connection->mailbox);
    free(connection);
}

static void *discard_thread(void *opaque)
{
    free_connection(opaque);
    return NULL;
}

void lv_connection_discard(struct lv_connection *connection)
{
    if (!connection)
        return;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // without a thread it is leaked: better than to block the loop
    (void)pthread_create(&thread, &attributes, discard_thread, connection);
    pthread_attr_destroy(&attributes);
}

static void connect_work(struct lv_job *job)
{
    struct connect_job *self = (struct connect_job *)job;
    struct lv_connection *connection = self->connection;
    connection->conn = virConnectOpen(self->uri);
    if (!connection->conn) {
        lv_error(&job->error, NULL);
        job->error.kind = ERROR_LOST;
        error_context(&job->error, "connect to %s", self->uri);
        return;
    }
    // drivers without a transport (test:///) have no keepalive: not an error
    virConnectSetKeepAlive(connection->conn, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
    virConnectRegisterCloseCallback(connection->conn, on_closed_by_peer, connection, NULL);
    if (lv_events_register(connection) < 0) {
        lv_error(&job->error, connection->conn);
        error_context(&job->error, "register for events of %s", self->uri);
    }
}

static void connect_free(struct lv_job *job)
{
    struct connect_job *self = (struct connect_job *)job;
    lv_connection_discard(self->connection); // a late one, or one that failed half-way
    free(self);
}

static void retry_later(struct lv_host *host);

// What is asked of libvirt from now on goes over the new connection; calls under way on the old one keep it.
static void take_over(struct lv_host *host, struct lv_connection *connection)
{
    struct lv_connection *old = host->connection;
    lv_vms_forget_domains(host);
    host->connection = connection;
    host->listed = false;
    host->backoff_ms = BACKOFF_START_MS;
    lv_connection_discard(old);
    if (old)
        return; // replaced: nobody outside needs to know
    struct host_event event = {.kind = HOST_EVENT_CONNECTED};
    snprintf(event.detail, sizeof event.detail, "%.90s", host->uri);
    host->on_event(host->user, &event);
}

static void connect_done(struct lv_host *host, struct lv_job *job, bool late)
{
    struct connect_job *self = (struct connect_job *)job;
    host->connecting = false;
    if (host->closing)
        return;
    if (late || job->error.kind != ERROR_NONE) {
        retry_later(host);
        return;
    }
    struct lv_connection *connection = self->connection;
    self->connection = NULL;
    take_over(host, connection);
}

void lv_connect(struct lv_host *host)
{
    if (host->connecting || host->closing)
        return;
    struct error err = {0};
    if (lv_jobs_full(host, &err)) {
        retry_later(host);
        return;
    }
    struct connect_job *self = calloc(1, sizeof *self);
    struct lv_connection *connection = calloc(1, sizeof *connection);
    if (!self || !connection) {
        free(self);
        free(connection);
        retry_later(host);
        return;
    }
    connection->generation = ++host->generation;
    connection->mailbox = lv_mailbox_hold(host->mailbox);
    self->connection = connection;
    memcpy(self->uri, host->uri, sizeof self->uri);
    self->job = (struct lv_job){
        .work = connect_work, .done = connect_done, .free = connect_free, .what = "connect to libvirt"};
    host->connecting = true;
    uv_timer_stop(&host->retry);
    lv_job_start(host, &self->job, host->settings.open_deadline_ms);
}

static void on_retry(uv_timer_t *timer)
{
    lv_connect(timer->data);
}

static void retry_later(struct lv_host *host)
{
    uv_timer_start(&host->retry, on_retry, host->backoff_ms, 0);
    host->backoff_ms *= 2;
    if (host->backoff_ms > host->settings.reconnect_max_ms)
        host->backoff_ms = host->settings.reconnect_max_ms;
}

void lv_connection_lost(struct lv_host *host, const char *why)
{
    struct lv_connection *old = host->connection;
    if (!old)
        return;
    lv_vms_forget_domains(host);
    host->connection = NULL;
    host->listed = false;
    host->lost_at_ms = lv_now_ms(host);
    host->backoff_ms = BACKOFF_START_MS;
    lv_connection_discard(old);
    struct host_event event = {.kind = HOST_EVENT_LOST};
    snprintf(event.detail, sizeof event.detail, "%.95s", why);
    host->on_event(host->user, &event);
    if (!host->connecting)
        retry_later(host);
}

void lv_connection_suspect(struct lv_host *host)
{
    if (!host->connection)
        return;
    host->connection->suspect = true;
    lv_connect(host);
}
