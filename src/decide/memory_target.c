#include "decide/memory_target.h"

#include <math.h>

struct memory_division memory_divide(double capacity_kib, double room_kib, size_t n,
                                     const struct memory_claim *claim, struct entitlement_claim *buffer,
                                     void *scratch, double *ret_entitlement, double *ret_room)
{
    struct memory_division d = {0};
    double growth_sum = 0;
    for (size_t i = 0; i < n; i++) {
        d.need_sum += fmin(claim[i].need, claim[i].limit);
        growth_sum += fmin(claim[i].need + claim[i].growth, claim[i].limit);
        buffer[i] = (struct entitlement_claim){
            .demand = claim[i].need,
            .reservation = claim[i].reservation,
            .limit = claim[i].limit,
            .shares = claim[i].shares,
        };
    }
    entitlement_divide(capacity_kib, n, buffer, ret_entitlement, scratch);
    d.overload = d.need_sum > capacity_kib;
    if (d.overload) {
        for (size_t i = 0; i < n; i++)
            ret_room[i] = ret_entitlement[i];
        return d;
    }
    // Growth under way is covered by what really is there, or by the room where that is larger.
    double room = fmax(capacity_kib, room_kib);
    bool growth_fits = growth_sum <= room;
    for (size_t i = 0; i < n; i++) {
        double grown = fmin(claim[i].need + claim[i].growth, claim[i].limit);
        buffer[i].reservation = growth_fits ? grown : claim[i].need;
        buffer[i].demand = growth_fits ? claim[i].limit : grown;
    }
    entitlement_divide(room, n, buffer, ret_room, scratch);
    return d;
}
