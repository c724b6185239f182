// Division of a capacity that does not suffice: water-filling with reservations, limits and shares.
//
// Each claimant wants min(demand, limit). It gets at least min(reservation, what it wants) and at most what
// it wants; beyond that, what is there is divided so that grants are in proportion to shares: there is one
// level L with  grant = clamp(L x shares, lower, upper)  for all, and the grants add up to
// min(capacity, sum of upper). Exact up to rounding: L is found by sorting the 2n points at which the
// piecewise linear sum changes its slope. The max-min fairness of Bertsekas and Gallager, "Data Networks",
// 6.5.2, with weights; ESX divides memory by the same rule (Waldspurger, OSDI 2002).
#ifndef BALLAST_DECIDE_ENTITLEMENT_H
#define BALLAST_DECIDE_ENTITLEMENT_H

#include <stddef.h>

// One claimant; one unit (cores or MiB) throughout a call. All figures finite.
struct entitlement_claim {
    double demand;      // >= 0
    double reservation; // >= 0
    double limit;       // >= 0
    double shares;      // > 0
};

struct entitlement_point; // scratch, see entitlement_scratch_bytes

// Bytes of scratch memory for n claims.
size_t entitlement_scratch_bytes(size_t n);

// Writes grant[i] for each of n claims and returns their sum, which is at most capacity and never leaves
// capacity unused while somebody wants more. When even the reservations exceed capacity they are scaled
// down by one factor: a promise that cannot be kept is broken for all alike. capacity < 0 counts as 0.
// scratch: entitlement_scratch_bytes(n) bytes, aligned as malloc does; no allocation. O(n log n).
double entitlement_divide(double capacity, size_t n, const struct entitlement_claim *claim, double *ret_grant,
                          void *scratch);

#endif
