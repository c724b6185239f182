// A round: list the domains when that is due, read /proc, ask libvirt for what only it has, deliver. A step
// that fails leaves its figures as they were and says so in `trouble`; the round goes on.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/libvirt_internal.h"

static void note_trouble(struct lv_host *host, const struct error *error)
{
    if (!host->round.trouble[0])
        snprintf(host->round.trouble, sizeof host->round.trouble, "%.150s", error->text);
}

static void switch_on_statistics(struct lv_host *host)
{
    for (size_t i = 0; i < host->vms.n && host->settings.stats_period_s > 0; i++) {
        struct lv_vm *vm = host->vms.at[i];
        bool off = vm->facts.known && vm->facts.balloon_model == HOST_BALLOON_MODEL_VIRTIO &&
                   vm->facts.stats_period_s == 0;
        if (!off || vm->period_asked || vm->facts.wishes.exclude || vm->stopped ||
            vm->state != HOST_VM_RUNNING)
            continue;
        vm->period_asked = true;
        lv_set_stats_period(&host->host, &vm->uuid, host->settings.stats_period_s, NULL, NULL);
    }
}

static void deliver(struct lv_host *host)
{
    struct lv_round *round = &host->round;
    lv_sample_build(host);
    host_sample_fn done = round->done;
    void *user = round->user;
    round->active = false;
    struct error none = {0};
    done(user, &host->sample, &none);
    if (host->closing)
        return;
    // in the background, so that the round does not wait
    if (host->connection && !host->connection->suspect) {
        switch_on_statistics(host);
        lv_facts_refresh(host);
    }
    lv_learn(host);
}

int lv_sample(struct host *handle, unsigned groups, host_sample_fn done, void *user, struct error *err)
{
    struct lv_host *host = lv_of(handle);
    if (host->round.active)
        return error_set(err, ERROR_REFUSED, "a round is under way");
    host->round.active = true;
    host->round.groups = groups;
    host->round.brought = 0;
    host->round.done = done;
    host->round.user = user;
    host->round.started = clock_mono();
    host->round.trouble[0] = '\0';
    if (host->connection && !host->connection->suspect && (!host->listed || (groups & HOST_GROUP_DOMAINS)))
        lv_list(host);
    else
        lv_proc(host);
    return 0;
}

void lv_round_listed(struct lv_host *host, const struct error *error)
{
    if (error->kind == ERROR_NONE)
        host->round.brought |= HOST_GROUP_DOMAINS;
    else
        note_trouble(host, error);
    lv_proc(host);
}

static bool needs_bulk(const struct lv_host *host)
{
    if (host->round.groups & (HOST_GROUP_BALLOON | HOST_GROUP_DOMAINS))
        return true;
    for (size_t i = 0; i < host->vms.n; i++)
        if (!host->vms.at[i]->process && (host->round.groups & HOST_GROUP_CPU))
            return true;
    return false;
}

void lv_round_proc_read(struct lv_host *host, const struct error *error)
{
    if (error->kind == ERROR_NONE)
        host->round.brought |= host->round.groups & (HOST_GROUP_CPU | HOST_GROUP_MEMORY);
    else
        note_trouble(host, error);
    if (host->connection && !host->connection->suspect && needs_bulk(host)) {
        lv_bulk(host);
        return;
    }
    if (host->connection && !lv_answers(host) && !host->round.trouble[0])
        snprintf(host->round.trouble, sizeof host->round.trouble, "its calls do not come back");
    if (!host->connection)
        snprintf(host->round.trouble, sizeof host->round.trouble, "libvirt is away");
    deliver(host);
}

void lv_round_bulk_read(struct lv_host *host, const struct error *error)
{
    if (error->kind != ERROR_NONE)
        note_trouble(host, error);
    deliver(host);
}

void lv_round_stop(struct lv_host *host)
{
    if (!host->round.active)
        return;
    host->round.active = false;
    struct error err;
    error_set(&err, ERROR_STOPPED, "the host is being closed");
    host->round.done(host->round.user, NULL, &err);
}
