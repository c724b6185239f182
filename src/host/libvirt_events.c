// What libvirt tells by itself: its event loop, the callbacks (in that loop's thread) that write messages,
// and what the messages mean (in the loop's thread).
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "host/libvirt_internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int start_result = -1;

static void *event_thread(void *opaque)
{
    (void)opaque;
    for (;;)
        virEventRunDefaultImpl();
    return NULL;
}

// libvirt writes errors to standard error unless told otherwise; ours are returned.
static void ignore_error(void *opaque, virErrorPtr error)
{
    (void)opaque;
    (void)error;
}

static void start_once(void)
{
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
        return;
    virSetErrorFunc(NULL, ignore_error);
    pthread_t thread;
    if (pthread_create(&thread, NULL, event_thread, NULL) != 0)
        return;
    pthread_detach(thread);
    start_result = 0;
}

int lv_events_start(struct error *err)
{
    pthread_once(&once, start_once);
    return start_result < 0 ? error_set(err, ERROR_FAILED, "start libvirt's event loop: no thread") : 0;
}

static struct lv_message *message_new(struct lv_connection *connection, virDomainPtr domain,
                                      enum lv_message_kind kind)
{
    struct lv_message *message = calloc(1, sizeof *message);
    if (!message)
        return NULL; // the next listing finds out what it would have said
    message->kind = kind;
    message->generation = connection->generation;
    virDomainGetUUID(domain, message->uuid.byte);
    const char *name = virDomainGetName(domain);
    snprintf(message->name, sizeof message->name, "%s", name ? name : "");
    return message;
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *opaque)
{
    (void)conn;
    struct lv_connection *connection = opaque;
    struct lv_message *message = message_new(connection, domain, LV_MESSAGE_LIFECYCLE);
    if (!message)
        return 0;
    message->event = event;
    message->detail = detail;
    if (event == VIR_DOMAIN_EVENT_STARTED && virDomainRef(domain) == 0)
        message->domain = domain;
    lv_mailbox_put(connection->mailbox, message);
    return 0;
}

static void on_balloon(virConnectPtr conn, virDomainPtr domain, unsigned long long actual_kib, void *opaque)
{
    (void)conn;
    struct lv_connection *connection = opaque;
    struct lv_message *message = message_new(connection, domain, LV_MESSAGE_BALLOON);
    if (!message)
        return;
    message->value = actual_kib;
    lv_mailbox_put(connection->mailbox, message);
}

static void on_round(virConnectPtr conn, virDomainPtr domain, int iteration, void *opaque)
{
    (void)conn;
    struct lv_connection *connection = opaque;
    struct lv_message *message = message_new(connection, domain, LV_MESSAGE_ROUND);
    if (!message)
        return;
    message->value = iteration > 0 ? (uint64_t)iteration : 0;
    lv_mailbox_put(connection->mailbox, message);
}

static void on_job_completed(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr params,
                             int n_params, void *opaque)
{
    (void)conn;
    struct lv_connection *connection = opaque;
    struct lv_message *message = message_new(connection, domain, LV_MESSAGE_JOB_COMPLETED);
    if (!message)
        return;
    lv_progress_read(params, n_params, &message->progress);
    lv_mailbox_put(connection->mailbox, message);
}

static void put_changed(virDomainPtr domain, void *opaque)
{
    struct lv_connection *connection = opaque;
    struct lv_message *message = message_new(connection, domain, LV_MESSAGE_CHANGED);
    if (message)
        lv_mailbox_put(connection->mailbox, message);
}

static void on_metadata(virConnectPtr conn, virDomainPtr domain, int type, const char *uri, void *opaque)
{
    (void)conn;
    (void)type;
    (void)uri;
    put_changed(domain, opaque);
}

static void on_device(virConnectPtr conn, virDomainPtr domain, const char *alias, void *opaque)
{
    (void)conn;
    (void)alias;
    put_changed(domain, opaque);
}

int lv_events_register(struct lv_connection *connection)
{
    const struct {
        int id;
        virConnectDomainEventGenericCallback callback;
        bool needed; // the rest are conveniences that a driver may lack
    } wanted[] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), true},
        {VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon), false},
        {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_round), false},
        {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job_completed), false},
        {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata), false},
        {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device), false},
        {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device), false},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        int id = virConnectDomainEventRegisterAny(connection->conn, NULL, wanted[i].id, wanted[i].callback,
                                                  connection, NULL);
        if (id < 0 && wanted[i].needed)
            return -1;
        if (id >= 0)
            connection->callback[connection->n_callbacks++] = id;
    }
    return 0;
}
