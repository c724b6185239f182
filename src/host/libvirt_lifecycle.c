// What the messages in the mailbox mean for the table of VMs, and for who listens.
#include <stdio.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "host/libvirt_internal.h"

static void tell(struct lv_host *host, enum host_event_kind kind, const struct lv_message *message,
                 const char *detail)
{
    struct host_event event = {
        .kind = kind, .uuid = message->uuid, .value = message->value, .progress = message->progress};
    memcpy(event.name, message->name, sizeof event.name);
    snprintf(event.detail, sizeof event.detail, "%s", detail);
    host->on_event(host->user, &event);
}

static const char *stop_text(int detail)
{
    static const char *const texts[] = {
        [VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN] = "shut down",
        [VIR_DOMAIN_EVENT_STOPPED_DESTROYED] = "destroyed",
        [VIR_DOMAIN_EVENT_STOPPED_CRASHED] = "the guest crashed",
        [VIR_DOMAIN_EVENT_STOPPED_MIGRATED] = "migrated away",
        [VIR_DOMAIN_EVENT_STOPPED_SAVED] = "saved to a file",
        [VIR_DOMAIN_EVENT_STOPPED_FAILED] = "its QEMU ended unexpectedly",
        [VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT] = "reverted to a snapshot",
    };
    bool known = detail >= 0 && (size_t)detail < sizeof texts / sizeof texts[0];
    return known ? texts[detail] : "stopped";
}

static const char *pause_text(int detail)
{
    static const char *const texts[] = {
        [VIR_DOMAIN_EVENT_SUSPENDED_PAUSED] = "paused",
        [VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED] = "handed over to the migration's destination",
        [VIR_DOMAIN_EVENT_SUSPENDED_IOERROR] = "input/output error",
        [VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG] = "its watchdog fired",
        [VIR_DOMAIN_EVENT_SUSPENDED_RESTORED] = "restored as paused",
        [VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT] = "paused by a snapshot",
        [VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR] = "an operation failed",
        [VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY] = "migration switched to post-copy",
        [VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED] = "post-copy migration failed",
    };
    bool known = detail >= 0 && (size_t)detail < sizeof texts / sizeof texts[0];
    return known ? texts[detail] : "paused";
}

static void handle_started(struct lv_host *host, struct lv_message *message)
{
    struct lv_vm *vm = lv_vm_add(host, &message->uuid, message->name);
    if (!vm)
        return;
    if (!vm->domain) {
        vm->domain = message->domain;
        message->domain = NULL;
    }
    vm->facts_due_ms = 0;
    if (message->detail == VIR_DOMAIN_EVENT_STARTED_MIGRATED) {
        vm->state = HOST_VM_INCOMING; // it runs when RESUMED comes
        return;
    }
    vm->state = HOST_VM_RUNNING;
    tell(host, HOST_EVENT_STARTED, message, "");
}

static void handle_resumed(struct lv_host *host, struct lv_message *message)
{
    struct lv_vm *vm = lv_vm_find(host, &message->uuid);
    bool arrived = vm && vm->state == HOST_VM_INCOMING;
    if (vm)
        vm->state = HOST_VM_RUNNING;
    if (arrived)
        vm->facts_due_ms = 0; // the migration brought its metadata
    tell(host, arrived ? HOST_EVENT_STARTED : HOST_EVENT_RESUMED, message, arrived ? "migrated here" : "");
}

static void handle_lifecycle(struct lv_host *host, struct lv_message *message)
{
    struct lv_vm *vm;
    switch (message->event) {
    case VIR_DOMAIN_EVENT_STARTED:
        handle_started(host, message);
        break;
    case VIR_DOMAIN_EVENT_RESUMED:
        handle_resumed(host, message);
        break;
    case VIR_DOMAIN_EVENT_SUSPENDED:
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
        vm = lv_vm_find(host, &message->uuid);
        if (vm && vm->state == HOST_VM_INCOMING)
            break;
        if (vm)
            vm->state = HOST_VM_PAUSED;
        tell(host, HOST_EVENT_PAUSED, message,
             message->event == VIR_DOMAIN_EVENT_SUSPENDED ? pause_text(message->detail) : "asleep");
        break;
    case VIR_DOMAIN_EVENT_STOPPED:
        lv_vm_remove(host, &message->uuid);
        tell(host,
             message->detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED ? HOST_EVENT_MIGRATED_AWAY
                                                                  : HOST_EVENT_STOPPED,
             message, stop_text(message->detail));
        break;
    case VIR_DOMAIN_EVENT_SHUTDOWN:
        vm = lv_vm_find(host, &message->uuid);
        if (vm)
            vm->state = HOST_VM_SHUTTING_DOWN;
        break;
    case VIR_DOMAIN_EVENT_CRASHED:
        vm = lv_vm_find(host, &message->uuid);
        if (vm)
            vm->state = HOST_VM_CRASHED;
        tell(host, HOST_EVENT_PAUSED, message, "the guest crashed");
        break;
    case VIR_DOMAIN_EVENT_DEFINED:
    case VIR_DOMAIN_EVENT_UNDEFINED:
        vm = lv_vm_find(host, &message->uuid);
        if (vm)
            vm->facts_due_ms = 0; // persistent or not
        break;
    default:
        break;
    }
}

void lv_events_handle(struct lv_host *host, struct lv_message *message)
{
    if (message->kind == LV_MESSAGE_MIGRATED) {
        lv_migration_message(host, message);
        return;
    }
    if (!host->connection || message->generation != host->connection->generation)
        return; // of a connection that has been replaced: the new one's listing knows better
    struct lv_vm *vm = lv_vm_find(host, &message->uuid);
    switch (message->kind) {
    case LV_MESSAGE_CLOSED:
        lv_connection_lost(host, message->detail == VIR_CONNECT_CLOSE_REASON_KEEPALIVE
                                     ? "libvirt did not answer keepalive probes"
                                     : "libvirt closed the connection");
        break;
    case LV_MESSAGE_LIFECYCLE:
        handle_lifecycle(host, message);
        break;
    case LV_MESSAGE_BALLOON:
        if (vm)
            vm->current_kib = message->value;
        tell(host, HOST_EVENT_BALLOON, message, "");
        break;
    case LV_MESSAGE_ROUND:
        tell(host, HOST_EVENT_MIGRATION_ROUND, message, "");
        break;
    case LV_MESSAGE_JOB_COMPLETED:
        lv_migration_final(host, message);
        tell(host, HOST_EVENT_JOB_COMPLETED, message, "");
        break;
    case LV_MESSAGE_CHANGED:
        if (vm) {
            vm->facts_due_ms = 0;
            vm->process_due_ms = 0;
        }
        tell(host, HOST_EVENT_CHANGED, message, "");
        break;
    case LV_MESSAGE_MIGRATED:
        break;
    }
}
