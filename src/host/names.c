#include "host/host.h"

#include <stdio.h>
#include <string.h>

char *host_uuid_format(const struct host_uuid *uuid, char text[static HOST_UUID_TEXT_SIZE])
{
    char *p = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += snprintf(p, 3, "%02x", uuid->byte[i]);
    }
    return text;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int host_uuid_parse(const char *text, struct host_uuid *ret_uuid)
{
    struct host_uuid uuid;
    for (int i = 0; i < 16; i++) {
        if (*text == '-' && i > 0)
            text++;
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return -1;
        uuid.byte[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text)
        return -1;
    *ret_uuid = uuid;
    return 0;
}

int host_uuid_compare(const struct host_uuid *a, const struct host_uuid *b)
{
    return memcmp(a->byte, b->byte, sizeof a->byte);
}

const char *host_owner_name(enum host_owner owner)
{
    switch (owner) {
    case HOST_OWNER_NONE:
        return "";
    case HOST_OWNER_NOVA:
        return "nova";
    case HOST_OWNER_OVIRT:
        return "ovirt";
    case HOST_OWNER_OPENNEBULA:
        return "opennebula";
    case HOST_OWNER_KUBEVIRT:
        return "kubevirt";
    case HOST_OWNER_PACEMAKER:
        return "pacemaker";
    }
    return "";
}

const char *host_unballoonable_text(enum host_unballoonable reason)
{
    switch (reason) {
    case HOST_BALLOONABLE:
        return "";
    case HOST_UNBALLOONABLE_NOT_READ:
        return "its definition has not been read yet";
    case HOST_UNBALLOONABLE_STATE:
        return "it is not running";
    case HOST_UNBALLOONABLE_STOPPED:
        return "its QEMU process is stopped by a signal";
    case HOST_UNBALLOONABLE_HANGING:
        return "its QEMU does not answer";
    case HOST_UNBALLOONABLE_NO_DEVICE:
        return "it has no virtio balloon";
    case HOST_UNBALLOONABLE_VFIO:
        return "an assigned device (VFIO) pins its memory";
    case HOST_UNBALLOONABLE_HUGEPAGES:
        return "its memory is made of huge pages";
    case HOST_UNBALLOONABLE_LOCKED:
        return "its memory is locked";
    case HOST_UNBALLOONABLE_NO_DRIVER:
        return "its guest has no balloon driver that answers";
    case HOST_UNBALLOONABLE_OLD_DRIVER:
        return "its guest's balloon driver does not tell `usable`";
    }
    return "";
}

const char *host_vm_state_name(enum host_vm_state state)
{
    switch (state) {
    case HOST_VM_UNKNOWN:
        return "unknown";
    case HOST_VM_RUNNING:
        return "running";
    case HOST_VM_PAUSED:
        return "paused";
    case HOST_VM_INCOMING:
        return "incoming";
    case HOST_VM_SHUTTING_DOWN:
        return "shutting down";
    case HOST_VM_OFF:
        return "off";
    case HOST_VM_CRASHED:
        return "crashed";
    }
    return "unknown";
}

const char *host_outcome_name(enum host_outcome outcome)
{
    switch (outcome) {
    case HOST_DONE:
        return "done";
    case HOST_REFUSED:
        return "refused";
    case HOST_FAILED:
        return "failed";
    case HOST_CANCELLED:
        return "cancelled";
    case HOST_UNKNOWN_OUTCOME:
        return "unknown";
    }
    return "unknown";
}

const char *host_event_name(enum host_event_kind kind)
{
    switch (kind) {
    case HOST_EVENT_CONNECTED:
        return "connected";
    case HOST_EVENT_LOST:
        return "lost";
    case HOST_EVENT_STARTED:
        return "started";
    case HOST_EVENT_STOPPED:
        return "stopped";
    case HOST_EVENT_PAUSED:
        return "paused";
    case HOST_EVENT_RESUMED:
        return "resumed";
    case HOST_EVENT_MIGRATED_AWAY:
        return "migrated away";
    case HOST_EVENT_CHANGED:
        return "changed";
    case HOST_EVENT_BALLOON:
        return "balloon";
    case HOST_EVENT_MIGRATION_ROUND:
        return "migration round";
    case HOST_EVENT_MIGRATION_PROGRESS:
        return "migration progress";
    case HOST_EVENT_PRESSURE:
        return "pressure";
    case HOST_EVENT_JOB_COMPLETED:
        return "job completed";
    }
    return "unknown";
}

const struct host_vm *host_sample_find(const struct host_sample *sample, const struct host_uuid *uuid)
{
    size_t low = 0, high = sample->n_vms;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = host_uuid_compare(&sample->vms[middle].uuid, uuid);
        if (order == 0)
            return &sample->vms[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
