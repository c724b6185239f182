// Why a balloon is moved or left alone, as data and as text.
#ifndef BALLAST_DECIDE_MEMORY_REASON_H
#define BALLAST_DECIDE_MEMORY_REASON_H

#include <stddef.h>
#include <stdint.h>

enum memory_reason_kind {
    MEMORY_REASON_NONE = 0,
    // moves; figures: [0] from, [1] to in KiB, [2] as said
    MEMORY_REASON_FENCE,       // down: growth for which there is no memory [2: room left to grow]
    MEMORY_REASON_IDLE,        // down: the guest does not use it and the host is short [2: idle]
    MEMORY_REASON_ENTITLEMENT, // down: others are entitled to it [2: entitlement]
    MEMORY_REASON_DISTRESS,    // up: the guest swaps or is about to [2: entitlement]
    MEMORY_REASON_DIVISION,    // up: its part of what is there [2: entitlement]
    MEMORY_REASON_RELEASE,     // up: the host has enough
    // no move; figures: [0] what it has, [1] what it would get, [2] as said
    MEMORY_REASON_SATISFIED,     // has what it is to have
    MEMORY_REASON_DEAD_BAND,     // too small a difference to move
    MEMORY_REASON_MOVING,        // on its way
    MEMORY_REASON_AWAITING,      // will be given when others have freed it
    MEMORY_REASON_FLOOR,         // cannot be lowered below what the guest needs [2: floor]
    MEMORY_REASON_STALE,         // statistics too old [2: age in ms]
    MEMORY_REASON_STUCK,         // balloon does not move [2: since, ms]
    MEMORY_REASON_CALL_PENDING,  // an earlier request has not come back
    MEMORY_REASON_NOT_RUNNING,   // paused, stopped, shutting down
    MEMORY_REASON_MIGRATING,     // left alone while it moves
    MEMORY_REASON_EXCLUDED,      // the administrator excluded it
    MEMORY_REASON_UNBALLOONABLE, // cannot be ballooned; enum memory_obstacle says why
};

struct memory_reason {
    enum memory_reason_kind kind;
    uint64_t figure[3];
};

// One line without a newline, cut to size: "255 MiB -> 180 MiB: not used by the guest (75 MiB idle)". Returns text.
char *memory_reason_text(const struct memory_reason *reason, char *text, size_t size);

#endif
