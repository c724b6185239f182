// Messages from libvirt's event thread and from migration threads to the loop.
#ifndef BALLAST_HOST_LIBVIRT_MAILBOX_H
#define BALLAST_HOST_LIBVIRT_MAILBOX_H

#include <uv.h>

#include <libvirt/libvirt.h>

#include "host/host.h"

enum lv_message_kind {
    LV_MESSAGE_CLOSED, // the connection of that generation is gone
    LV_MESSAGE_LIFECYCLE,
    LV_MESSAGE_BALLOON,
    LV_MESSAGE_ROUND,
    LV_MESSAGE_JOB_COMPLETED,
    LV_MESSAGE_CHANGED,
    LV_MESSAGE_MIGRATED, // a migration thread has ended
};

struct lv_message {
    struct lv_message *next;
    enum lv_message_kind kind;
    unsigned generation;
    struct host_uuid uuid;
    char name[HOST_NAME_SIZE];
    virDomainPtr domain; // a reference, for a domain that has started; else NULL
    int event, detail;   // of a lifecycle event
    uint64_t value;
    struct host_progress progress;
    enum host_outcome outcome; // MIGRATED
    struct error error;        // MIGRATED
    void *migration;           // MIGRATED: which
};

struct lv_mailbox;

// Wakes the loop by wake whenever something is put in. One reference, the caller's.
struct lv_mailbox *lv_mailbox_new(uv_async_t *wake);

struct lv_mailbox *lv_mailbox_hold(struct lv_mailbox *mailbox);
void lv_mailbox_release(struct lv_mailbox *mailbox);

// Puts a message in, from any thread; takes it. After lv_mailbox_close it is thrown away.
void lv_mailbox_put(struct lv_mailbox *mailbox, struct lv_message *message);

// Takes all messages out, oldest first.
struct lv_message *lv_mailbox_take(struct lv_mailbox *mailbox);

// The loop's end: nobody is woken any more.
void lv_mailbox_close(struct lv_mailbox *mailbox);

void lv_message_free(struct lv_message *message);

#endif
