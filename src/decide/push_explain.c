// A push decision in words.
#include <stdio.h>

#include "decide/push.h"

char *push_explain(const struct push_decision *d, char *text, size_t size)
{
    const struct push_candidate *c = &d->chosen;
    switch (d->verdict) {
    case PUSH_MOVE:
        snprintf(text, size,
                 "move %s to %s: spares %.1f lost VM-seconds for %.1f (%.1f s, %.2f s down); %.0f %% of the "
                 "destination stay free",
                 c->vm_name, c->host_name, c->benefit_lost_vm_s, c->cost.lost_vm_s,
                 c->cost.estimate.duration_s, c->cost.estimate.downtime_s, 100 * c->room);
        break;
    case PUSH_NO_LOSS:
        snprintf(text, size, "every VM has what it wants");
        break;
    case PUSH_NOTHING_MOVABLE:
        snprintf(text, size, "%.2f VM-seconds are lost per second, but no VM here may be moved",
                 d->loss_per_s);
        break;
    case PUSH_NO_DESTINATION:
        snprintf(
            text, size,
            "%.2f VM-seconds are lost per second, but no host can take a VM: of %u pairs %u have no room and "
            "%u are not allowed",
            d->loss_per_s, d->n_considered, d->n_no_room, d->n_forbidden);
        break;
    case PUSH_NO_RELIEF:
        snprintf(text, size,
                 "%.2f VM-seconds are lost per second, and no single move relieves that noticeably",
                 d->loss_per_s);
        break;
    case PUSH_NOT_WORTH:
        snprintf(text, size, "the best move, %s to %s, would spare %.1f lost VM-seconds and cost %.1f",
                 c->vm_name, c->host_name, c->benefit_lost_vm_s, c->cost.lost_vm_s);
        break;
    case PUSH_WAIT:
        snprintf(
            text, size,
            "waiting is cheaper still: moving %s to %s spares %.1f lost VM-seconds and costs %.1f; worth it "
            "if this lasts another %.0f s",
            c->vm_name, c->host_name, c->benefit_lost_vm_s, c->cost.lost_vm_s, d->wait_s);
        break;
    }
    return text;
}
