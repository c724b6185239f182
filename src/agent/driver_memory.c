// The memory manager's part of a round: input, step, balloons, and saying what happened.
#include <string.h>

#include "agent/driver_state.h"
#include "base/log.h"

// What the manager decided for each VM, kept for the rows and for `explain`.
static void keep_views(struct driver *d)
{
    const struct memory_output *out = &d->memory_out;
    for (size_t i = 0; i < out->n_views; i++) {
        struct guest *g = d->memory_feed.guest[i];
        g->view = out->views[i];
        g->has_view = true;
        memory_reason_text(&g->view.reason, g->why, sizeof g->why);
    }
}

// While auto is refused, or not judged yet, and memory is not short, balloons are only given, not taken.
static bool holds_back(const struct driver *d)
{
    return (d->auto_refused || !d->fence_judged) && d->memory_out.state < MEMORY_HARD;
}

static void carry_out(struct driver *d, const struct memory_action *action, bool held_back)
{
    struct guest *g = d->memory_feed.guest[action->vm];
    enum agent_mode mode = g->terms.mode;
    if (mode == AGENT_MODE_AUTO && action->to_kib < action->from_kib && held_back)
        mode = AGENT_MODE_OBSERVE;
    bool acted = actuator_of(mode)->balloon(d, g, action->to_kib);
    char reason[256];
    memory_reason_text(&action->reason, reason, sizeof reason);
    const char *verdict = action->to_kib < action->from_kib ? "balloon-down" : "balloon-up";
    bool news = journal_decision(&d->journal, d->now, STORE_LOOP_MEMORY, g->uuid_text, g->name, verdict,
                                 acted, NULL, "%s", reason);
    if (news)
        log_info("VM %s: %s%s", g->name, acted ? "" : "would set currentmem: ", reason);
    else
        log_debug("VM %s: %s", g->name, reason);
}

static enum store_severity severity_of(enum memory_event_kind kind)
{
    switch (kind) {
    case MEMORY_EVENT_STATE:
    case MEMORY_EVENT_RECOVERED:
        return STORE_INFO;
    case MEMORY_EVENT_STALE:
    case MEMORY_EVENT_STUCK:
    case MEMORY_EVENT_UNBALLOONABLE:
    case MEMORY_EVENT_DISTRESS:
    case MEMORY_EVENT_UNMET:
        return STORE_WARNING;
    case MEMORY_EVENT_NOT_HELD:
        return STORE_ERROR;
    }
    return STORE_WARNING;
}

static void describe_event(const struct driver *d, const struct memory_event *e, char *text, size_t size)
{
    unsigned long long mib = e->figure / 1024;
    switch (e->kind) {
    case MEMORY_EVENT_STATE:
        snprintf(text, size, "host memory is %s: %llu of %llu MiB available",
                 memory_state_name((enum memory_host_state)e->figure),
                 (unsigned long long)d->sample->memory.available_kib / 1024,
                 (unsigned long long)d->sample->memory.total_kib / 1024);
        return;
    case MEMORY_EVENT_STALE:
        snprintf(text, size,
                 "its balloon statistics stay away; its memory is left as it is until they return");
        return;
    case MEMORY_EVENT_STUCK:
        snprintf(text, size, "its balloon does not move towards %llu MiB; nobody waits for it", mib);
        return;
    case MEMORY_EVENT_RECOVERED:
        snprintf(text, size, "its balloon answers again");
        return;
    case MEMORY_EVENT_UNBALLOONABLE:
        snprintf(text, size, "cannot be ballooned: %s",
                 memory_obstacle_text((enum memory_obstacle)e->figure));
        return;
    case MEMORY_EVENT_DISTRESS:
        snprintf(text, size, "is short of memory: it swaps or is about to");
        return;
    case MEMORY_EVENT_UNMET:
        snprintf(text, size, "needs %llu MiB more than this host can give", mib);
        return;
    case MEMORY_EVENT_NOT_HELD:
        snprintf(text, size,
                 "guests may grow by %llu MiB more than the host has, with every balloon at its floor; move "
                 "or stop a "
                 "VM, or add swap",
                 mib);
        return;
    }
    text[0] = '\0';
}

static void tell(struct driver *d, const struct memory_event *e)
{
    const struct guest *g = e->vm == SIZE_MAX ? NULL : d->memory_feed.guest[e->vm];
    char text[256], kind[32];
    // A balloon that was not asked to move cannot be stuck.
    bool only_said = g && (g->terms.mode != AGENT_MODE_AUTO || d->auto_refused);
    if (only_said && (e->kind == MEMORY_EVENT_STUCK || e->kind == MEMORY_EVENT_RECOVERED))
        return;
    describe_event(d, e, text, sizeof text);
    snprintf(kind, sizeof kind, "memory-%s", memory_event_name(e->kind));
    enum store_severity severity = severity_of(e->kind);
    journal_event(&d->journal, severity, kind, g ? g->uuid_text : NULL, g ? g->name : NULL, "%s", text);
    enum log_level level = severity == STORE_INFO ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    if (g)
        log_message(level, "VM %s: %s", g->name, text);
    else
        log_message(level, "%s", text);
}

// Whether `auto` can be promised here: see DRIVER_FENCE_SETTLE_MS.
static void watch_fence(struct driver *d)
{
    if (d->mode != AGENT_MODE_AUTO) {
        d->auto_refused = d->fence_judged = d->fence_missing = false;
        return;
    }
    bool missing = d->memory_out.refuse_auto;
    if (missing != d->fence_missing) {
        d->fence_missing = missing;
        d->fence_at = d->now;
    }
    bool first = !d->fence_judged;
    d->fence_judged = true;
    if (missing == d->auto_refused || (!first && d->now.ms - d->fence_at.ms < DRIVER_FENCE_SETTLE_MS))
        return;
    d->auto_refused = missing;
    char text[256];
    if (missing)
        snprintf(
            text, sizeof text,
            "mode auto is refused for balloons: guests may grow by %llu MiB more than the host has, with "
            "every balloon at its floor; no balloon is lowered unless memory is hard or low",
            (unsigned long long)d->memory_out.missing_kib / 1024);
    else
        snprintf(text, sizeof text, "mode auto holds for balloons: what guests may grow by fits");
    journal_event(&d->journal, missing ? STORE_ERROR : STORE_INFO, missing ? "auto-refused" : "auto-resumed",
                  NULL, NULL, "%s", text);
    log_message(missing ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "%s", text);
}

void driver_memory(struct driver *d)
{
    if (!d->settings->memory_enabled) {
        d->memory_stepped = false;
        return;
    }
    // What is decided is taken for ordered by the manager: so nothing is decided that could not be done for
    // other reasons than the mode.
    if (!d->sample->connected)
        return;
    memory_feed_fill(&d->memory_feed, d->sample, &d->guests, d->mover);
    bool held_back = holds_back(d);
    for (size_t i = 0; held_back && i < d->memory_feed.input.n_vms; i++)
        d->memory_feed.vm[i].advise_only = true;       // so that what is not done is not waited for
    d->memory_feed.input.advise_only = !d->mode_known; // only to learn how short memory is
    memory_manager_step(d->memory, &d->memory_feed.input, d->now, &d->memory_out);
    d->memory_stepped = true;
    if (d->mode_known)
        watch_fence(d);
    for (size_t i = 0; d->mode_known && i < d->memory_out.n_actions; i++)
        carry_out(d, &d->memory_out.actions[i], held_back);
    keep_views(d);
    for (size_t i = 0; i < d->memory_out.n_events; i++)
        tell(d, &d->memory_out.events[i]);
    // A shortage seen by the cheap figures alone: ask the guests at once instead of at their turn.
    bool stale = d->now.ms - d->balloon_at.ms > 300;
    if (d->memory_out.state != MEMORY_HIGH && !(d->sample->groups & HOST_GROUP_BALLOON) && stale)
        driver_sample_now(d, HOST_GROUP_BALLOON);
}

void driver_weights(struct driver *d)
{
    if (!d->settings->set_weights || !d->sample->connected || !d->mode_known)
        return;
    for (size_t i = 0; i < d->guests.n; i++) {
        struct guest *g = d->guests.at[i];
        if (!g->present || g->terms.excluded || g->vm->state != HOST_VM_RUNNING || g->vm->cpu_weight <= 0 ||
            g->vm->process_stopped || g->vm->hanging)
            continue;
        double wanted = g->terms.cpu_shares / (double)TERMS_DEFAULT_SHARES;
        double off = g->vm->cpu_weight / wanted;
        bool repeated = g->weight_asked == wanted && d->now.ms - g->weight_at.ms < DRIVER_WEIGHT_REPEAT_MS;
        if ((off > 0.97 && off < 1.03) || repeated)
            continue;
        bool acted = actuator_of(g->terms.mode)->weight(d, g, wanted);
        g->weight_asked = wanted;
        g->weight_at = d->now;
        if (acted)
            log_info("VM %s: CPU weight %.3g -> %.3g by its shares", g->name, g->vm->cpu_weight, wanted);
    }
}
