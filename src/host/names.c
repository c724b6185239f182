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

// The word for a number; otherwise for one that is none of them.
static const char *word(const char *const *words, size_t n, unsigned number, const char *otherwise)
{
    return number < n && words[number] ? words[number] : otherwise;
}

#define WORD(words, number, otherwise)                                                                       \
    word(words, sizeof(words) / sizeof *(words), (unsigned)(number), otherwise)

const char *host_owner_name(enum host_owner owner)
{
    static const char *const words[] = {
        [HOST_OWNER_NONE] = "",
        [HOST_OWNER_NOVA] = "nova",
        [HOST_OWNER_OVIRT] = "ovirt",
        [HOST_OWNER_OPENNEBULA] = "opennebula",
        [HOST_OWNER_KUBEVIRT] = "kubevirt",
        [HOST_OWNER_PACEMAKER] = "pacemaker",
    };
    return WORD(words, owner, "");
}

const char *host_unballoonable_text(enum host_unballoonable reason)
{
    static const char *const words[] = {
        [HOST_BALLOONABLE] = "",
        [HOST_UNBALLOONABLE_NOT_READ] = "its definition has not been read yet",
        [HOST_UNBALLOONABLE_STATE] = "it is not running",
        [HOST_UNBALLOONABLE_STOPPED] = "its QEMU process is stopped by a signal",
        [HOST_UNBALLOONABLE_HANGING] = "its QEMU does not answer",
        [HOST_UNBALLOONABLE_NO_DEVICE] = "it has no virtio balloon",
        [HOST_UNBALLOONABLE_VFIO] = "an assigned device (VFIO) pins its memory",
        [HOST_UNBALLOONABLE_HUGEPAGES] = "its memory is made of huge pages",
        [HOST_UNBALLOONABLE_LOCKED] = "its memory is locked",
        [HOST_UNBALLOONABLE_NO_DRIVER] = "its guest has no balloon driver that answers",
        [HOST_UNBALLOONABLE_OLD_DRIVER] = "its guest's balloon driver does not tell `usable`",
    };
    return WORD(words, reason, "");
}

const char *host_vm_state_name(enum host_vm_state state)
{
    static const char *const words[] = {
        [HOST_VM_UNKNOWN] = "unknown",
        [HOST_VM_RUNNING] = "running",
        [HOST_VM_PAUSED] = "paused",
        [HOST_VM_INCOMING] = "incoming",
        [HOST_VM_SHUTTING_DOWN] = "shutting down",
        [HOST_VM_OFF] = "off",
        [HOST_VM_CRASHED] = "crashed",
    };
    return WORD(words, state, "unknown");
}

const char *host_outcome_name(enum host_outcome outcome)
{
    static const char *const words[] = {
        [HOST_DONE] = "done",           [HOST_REFUSED] = "refused",         [HOST_FAILED] = "failed",
        [HOST_CANCELLED] = "cancelled", [HOST_UNKNOWN_OUTCOME] = "unknown",
    };
    return WORD(words, outcome, "unknown");
}

const char *host_event_name(enum host_event_kind kind)
{
    static const char *const words[] = {
        [HOST_EVENT_CONNECTED] = "connected",
        [HOST_EVENT_LOST] = "lost",
        [HOST_EVENT_STARTED] = "started",
        [HOST_EVENT_STOPPED] = "stopped",
        [HOST_EVENT_PAUSED] = "paused",
        [HOST_EVENT_RESUMED] = "resumed",
        [HOST_EVENT_MIGRATED_AWAY] = "migrated away",
        [HOST_EVENT_CHANGED] = "changed",
        [HOST_EVENT_BALLOON] = "balloon",
        [HOST_EVENT_MIGRATION_ROUND] = "migration round",
        [HOST_EVENT_MIGRATION_PROGRESS] = "migration progress",
        [HOST_EVENT_PRESSURE] = "pressure",
        [HOST_EVENT_JOB_COMPLETED] = "job completed",
    };
    return WORD(words, kind, "unknown");
}
