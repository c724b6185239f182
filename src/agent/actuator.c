// The hands of the driver. observe has none, recommend can only write proposals, auto acts.
#include <math.h>
#include <stdlib.h>

#include "agent/driver_state.h"
#include "base/log.h"

// ---- observe ------------------------------------------------------------------------------------------

static bool leave_balloon(struct driver *d, struct guest *g, uint64_t to_kib)
{
    (void)d;
    (void)g;
    (void)to_kib;
    return false;
}

static bool leave_weight(struct driver *d, struct guest *g, double weight)
{
    (void)d;
    (void)g;
    (void)weight;
    return false;
}

static bool leave_vm(struct driver *d, const struct move_request *request, bool *ret_running)
{
    (void)d;
    (void)request;
    *ret_running = false;
    return false;
}

// ---- recommend ----------------------------------------------------------------------------------------

static bool propose(struct driver *d, const struct move_request *request, bool *ret_running)
{
    mover_propose(d->mover, request);
    *ret_running = false;
    return true;
}

// ---- auto ---------------------------------------------------------------------------------------------

struct call {
    struct driver *driver;
    struct host_uuid uuid;
};

static struct guest *called_guest(struct call *call)
{
    struct guest *g = guests_find(&call->driver->guests, &call->uuid);
    return g;
}

// Whether the VM was no longer here when the call arrived: moved by somebody else, or ended. No fault of anybody's.
static bool has_left(const struct guest *g, const char *what, const struct error *error)
{
    if (error->kind != ERROR_MISSING)
        return false;
    log_info("VM %s: %s is not set: the VM has left this host or ended meanwhile", g->name, what);
    return true;
}

static void balloon_answered(void *user, enum host_outcome outcome, const struct error *error)
{
    struct call *call = user;
    struct driver *d = call->driver;
    struct guest *g = called_guest(call);
    free(call);
    if (!g)
        return;
    g->balloon_pending = false;
    if (outcome == HOST_DONE || d->closing || has_left(g, "its balloon", error))
        return;
    if (journal_decision(&d->journal, d->now, STORE_LOOP_MEMORY, g->uuid_text, g->name, "balloon-refused",
                         false, NULL, "%s: %s", host_outcome_name(outcome), error->text))
        log_warning("VM %s: set balloon: %s: %s", g->name, host_outcome_name(outcome), error->text);
}

static bool set_balloon(struct driver *d, struct guest *g, uint64_t to_kib)
{
    struct call *call = malloc(sizeof *call); // 24 bytes from the reserve that protect_self keeps
    if (!call)
        return false;
    *call = (struct call){d, g->uuid};
    g->balloon_pending = true;
    g->balloon_asked_kib = to_kib;
    d->host->ops->set_balloon(d->host, &g->uuid, to_kib, balloon_answered, call);
    return true;
}

static void weight_answered(void *user, enum host_outcome outcome, const struct error *error)
{
    struct call *call = user;
    struct driver *d = call->driver;
    struct guest *g = called_guest(call);
    free(call);
    if (outcome != HOST_DONE && g && !d->closing && !has_left(g, "its CPU weight", error))
        log_warning("VM %s: set CPU weight: %s: %s", g->name, host_outcome_name(outcome), error->text);
}

static bool set_weight(struct driver *d, struct guest *g, double weight)
{
    struct call *call = malloc(sizeof *call);
    if (!call)
        return false;
    *call = (struct call){d, g->uuid};
    d->host->ops->set_cpu_weight(d->host, &g->uuid, weight, weight_answered, call);
    return true;
}

static bool move(struct driver *d, const struct move_request *request, bool *ret_running)
{
    struct error err = {0};
    *ret_running = mover_start(d->mover, request, d->now, &err) == 0;
    if (!*ret_running)
        log_warning("VM %s: move to %s: %s", request->vm_name, request->to, err.text);
    return *ret_running;
}

const struct actuator *actuator_of(enum agent_mode mode)
{
    static const struct actuator observe = {leave_balloon, leave_weight, leave_vm};
    static const struct actuator recommend = {leave_balloon, leave_weight, propose};
    static const struct actuator automatic = {set_balloon, set_weight, move};
    switch (mode) {
    case AGENT_MODE_AUTO:
        return &automatic;
    case AGENT_MODE_RECOMMEND:
        return &recommend;
    case AGENT_MODE_OBSERVE:
        break;
    }
    return &observe;
}
