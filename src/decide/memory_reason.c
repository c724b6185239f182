#include "decide/memory_reason.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

// How the third figure is put into words; figures are KiB and shown as MiB.
enum third {
    THIRD_NONE,
    THIRD_MIB,
    THIRD_SECONDS, // given in ms
};

static const struct kind {
    bool move;
    enum third third;
    const char *before, *after; // what stands around the third figure
} kinds[] = {
    [MEMORY_REASON_NONE] = {false, THIRD_NONE, "nothing decided yet", ""},
    [MEMORY_REASON_FENCE] = {true, THIRD_MIB, "the host could not back what it may grow to (",
                             " left to grow into)"},
    [MEMORY_REASON_IDLE] = {true, THIRD_MIB, "the host is short and the guest does not use it (", " idle)"},
    [MEMORY_REASON_ENTITLEMENT] = {true, THIRD_MIB, "more is wanted than there is; its part is ", ""},
    [MEMORY_REASON_DISTRESS] = {true, THIRD_MIB, "the guest is short of memory; its part is ", ""},
    [MEMORY_REASON_DIVISION] = {true, THIRD_MIB, "its part of what is there is ", ""},
    [MEMORY_REASON_RELEASE] = {true, THIRD_NONE, "the host has enough", ""},
    [MEMORY_REASON_SATISFIED] = {false, THIRD_NONE, "has what it is to have", ""},
    [MEMORY_REASON_DEAD_BAND] = {false, THIRD_NONE, "too small a difference to move", ""},
    [MEMORY_REASON_MOVING] = {false, THIRD_NONE, "on its way", ""},
    [MEMORY_REASON_AWAITING] = {false, THIRD_NONE, "gets more when others have freed it", ""},
    [MEMORY_REASON_FLOOR] = {false, THIRD_MIB, "not lowered: it needs ", ""},
    [MEMORY_REASON_STALE] = {false, THIRD_SECONDS, "its statistics are ", " old"},
    [MEMORY_REASON_STUCK] = {false, THIRD_SECONDS, "its balloon has not moved for ", ""},
    [MEMORY_REASON_CALL_PENDING] = {false, THIRD_NONE, "an earlier request is not answered yet", ""},
    [MEMORY_REASON_NOT_RUNNING] = {false, THIRD_NONE, "it is not running", ""},
    [MEMORY_REASON_MIGRATING] = {false, THIRD_NONE, "it is migrating", ""},
    [MEMORY_REASON_EXCLUDED] = {false, THIRD_NONE, "it is excluded", ""},
    [MEMORY_REASON_UNBALLOONABLE] = {false, THIRD_NONE, "it cannot be ballooned", ""},
};

#define N_KINDS (sizeof kinds / sizeof *kinds)

static const struct kind *kind_of(enum memory_reason_kind kind)
{
    return &kinds[(size_t)kind < N_KINDS ? (size_t)kind : 0];
}

char *memory_reason_text(const struct memory_reason *reason, char *text, size_t size)
{
    const struct kind *k = kind_of(reason->kind);
    char third[32] = "";
    if (k->third == THIRD_MIB)
        snprintf(third, sizeof third, "%" PRIu64 " MiB", reason->figure[2] / 1024);
    else if (k->third == THIRD_SECONDS)
        snprintf(third, sizeof third, "%" PRIu64 " s", reason->figure[2] / 1000);
    char to[40] = "";
    if (k->move)
        snprintf(to, sizeof to, " -> %" PRIu64 " MiB", reason->figure[1] / 1024);
    snprintf(text, size, "%" PRIu64 " MiB%s: %s%s%s", reason->figure[0] / 1024, to, k->before, third,
             k->after);
    return text;
}
