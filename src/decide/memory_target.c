#include "decide/memory_target.h"

#include <math.h>

struct memory_division memory_divide(double capacity_kib, double room_kib, size_t n,
                                     const struct memory_claim *claim, struct entitlement_claim *buffer,
                                     void *scratch, double *ret_entitlement, double *ret_room)
{
    struct memory_division d = {0};
    double keep_sum = 0, growth_sum = 0;
    for (size_t i = 0; i < n; i++) {
        double need = fmin(claim[i].need, claim[i].limit);
        d.need_sum += need;
        keep_sum += fmin(claim[i].keep, claim[i].limit - need);
        buffer[i] = (struct entitlement_claim){
            .demand = claim[i].need,
            .reservation = claim[i].reservation,
            .limit = claim[i].limit,
            .shares = claim[i].shares,
        };
    }
    d.overload = d.need_sum > capacity_kib;
    if (d.overload) {
        entitlement_divide(capacity_kib, n, buffer, ret_entitlement, scratch);
        for (size_t i = 0; i < n; i++)
            ret_room[i] = ret_entitlement[i];
        return d;
    }
    double part = keep_sum > 0 ? fmin(1, (capacity_kib - d.need_sum) / keep_sum) : 0;
    for (size_t i = 0; i < n; i++) {
        double need = fmin(claim[i].need, claim[i].limit);
        ret_entitlement[i] = need + part * fmin(claim[i].keep, claim[i].limit - need);
        growth_sum += fmin(ret_entitlement[i] + claim[i].growth, claim[i].limit);
    }
    // Growth under way is covered by what really is there, or by the room where that is larger.
    double room = fmax(capacity_kib, room_kib);
    bool growth_fits = growth_sum <= room;
    for (size_t i = 0; i < n; i++) {
        double grown = fmin(ret_entitlement[i] + claim[i].growth, claim[i].limit);
        buffer[i].reservation = growth_fits ? grown : ret_entitlement[i];
        buffer[i].demand = growth_fits ? claim[i].limit : grown;
    }
    entitlement_divide(room, n, buffer, ret_room, scratch);
    return d;
}
