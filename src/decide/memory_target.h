// The division of a host's memory among the VMs that take part: what each is entitled to, and how large its
// balloon may leave it.
//
// Four claims, each served before the next, by water-filling (entitlement.h) with shares where not all fit:
//   need    what a guest uses now, or would if it had not been squeezed
//   keep    what it keeps free besides; scaled down for all alike where not all fit
//   growth  what it will have taken in a few seconds at the rate at which it grows now
//   room    anything up to maxmem: memory that somebody might want
// While all needs fit nobody's need is touched for anybody's growth, and nobody's growth for anybody's room.
// Where needs do not fit they are divided by shares, with reservations as lower bounds. The result is
// continuous in all figures, so small changes of what is measured are small changes of targets.
#ifndef BALLAST_DECIDE_MEMORY_TARGET_H
#define BALLAST_DECIDE_MEMORY_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "decide/entitlement.h"

// KiB throughout. 0 <= need <= limit, 0 <= keep, growth, shares > 0.
struct memory_claim {
    double need;
    double keep;        // beyond need
    double growth;      // beyond both
    double limit;       // maxmem, or the administrator's limit
    double reservation; // of need
    double shares;
};

struct memory_division {
    double need_sum;
    bool overload; // needs do not fit
};

// Divides. capacity_kib is what needs may add up to (RAM); room_kib what balloons may leave all together,
// where it is larger (growth counted more than once, swap). Writes for each of n claims:
//   ret_entitlement  min(need, its part), and of keep what fits: sums to at most capacity
//   ret_room         >= entitlement: sums to at most max(capacity, room) while needs fit
// buffer: n claims; scratch: entitlement_scratch_bytes(n). O(n log n), no allocation.
struct memory_division memory_divide(double capacity_kib, double room_kib, size_t n,
                                     const struct memory_claim *claim, struct entitlement_claim *buffer,
                                     void *scratch, double *ret_entitlement, double *ret_room);

#endif
