// The fake host: the interface over a handful of structs.
#include "host/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/fake_state.h"

#define DEFAULT_DEADLINE_MS 5000
#define DEFAULT_MAX_ABANDONED 6
#define DEFAULT_MIGRATION_MS 100
#define NEVER_MS (INT64_C(1000) * 86400 * 365)

// Books a call, applies the rule for it and gives the answer that will come, for the caller to complete.
static struct fake_pending *begin(struct fake *fake, enum host_fake_call call, const struct host_uuid *uuid,
                                  uint64_t obeyed_after_ms, struct host_fake_record **ret_record)
{
    struct host_fake_vm *vm = uuid ? fake_vm_by_uuid(fake, uuid) : NULL;
    struct host_fake_record record = {.call = call, .at = fake_now(fake)};
    if (vm)
        snprintf(record.name, sizeof record.name, "%s", vm->vm.name);
    if (fake_records_push(&fake->records, record) < 0)
        abort();
    *ret_record = &fake->records.at[fake->records.n - 1];

    const struct fake_rule *rule = fake_match(fake, call, record.name);
    enum host_fake_behaviour behaviour = rule ? rule->rule.behaviour : HOST_FAKE_OBEY;
    const char *text = rule && rule->text[0] ? rule->text : NULL;
    bool hangs = behaviour == HOST_FAKE_HANG || behaviour == HOST_FAKE_HANG_BUT_DO;
    bool blocked = vm && vm->vm.hanging && call != HOST_FAKE_PRESENCE;
    bool full = fake->abandoned >= fake->max_abandoned;
    uint64_t delay_ms = (rule ? rule->rule.delay_ms : 0) + obeyed_after_ms;
    if (hangs)
        delay_ms = call != HOST_FAKE_MIGRATE ? fake->call_deadline_ms
                   : rule->rule.delay_ms     ? rule->rule.delay_ms
                                             : NEVER_MS;
    bool needs_vm = call != HOST_FAKE_SAMPLE && call != HOST_FAKE_PRESENCE;
    bool lost = needs_vm && !fake->connected;
    bool missing = needs_vm && !vm;
    if (lost || missing || blocked || (full && needs_vm))
        delay_ms = 0;
    struct fake_pending *pending = fake_answer_later(fake, call, delay_ms);
    if (uuid)
        pending->uuid = *uuid;
    pending->outcome = HOST_DONE;
    pending->carry_out = true;
    if (lost)
        fake_refuse(pending, HOST_REFUSED, ERROR_LOST, "libvirt is away");
    else if (missing)
        fake_refuse(pending, HOST_REFUSED, ERROR_MISSING, "no such VM");
    else if (blocked)
        fake_refuse(pending, HOST_REFUSED, ERROR_REFUSED, "an earlier call on this VM has not come back");
    else if (full && needs_vm)
        fake_refuse(pending, HOST_REFUSED, ERROR_REFUSED, "too many calls have not come back");
    else if (behaviour == HOST_FAKE_REFUSE)
        fake_refuse(pending, HOST_REFUSED, ERROR_REFUSED, text ? text : "refused");
    else if (behaviour == HOST_FAKE_FAIL)
        fake_refuse(pending, HOST_FAILED, ERROR_FAILED, text ? text : "failed");
    else if (behaviour == HOST_FAKE_LIE)
        pending->carry_out = false;
    else if (hangs) {
        fake_refuse(pending, HOST_UNKNOWN_OUTCOME, ERROR_TIMEOUT,
                    text ? text : "no answer within the deadline");
        pending->carry_out = behaviour == HOST_FAKE_HANG_BUT_DO;
        pending->overdue = true;
    } else if (behaviour == HOST_FAKE_VANISH) {
        if (vm)
            fake_take_out(fake, uuid, HOST_EVENT_STOPPED, "destroyed");
        fake_refuse(pending, HOST_FAILED, ERROR_MISSING, text ? text : "domain not found");
    }
    return pending;
}

// The same for an order that is answered by an outcome.
static struct fake_pending *begin_order(struct host *host, enum host_fake_call call,
                                        const struct host_uuid *uuid, host_done_fn done, void *user,
                                        struct host_fake_record **ret_record)
{
    struct fake_pending *pending = begin(fake_of(host), call, uuid, 0, ret_record);
    pending->done.action = done;
    pending->user = user;
    return pending;
}

static struct host *fake_open(struct uv_loop_s *loop, const struct host_settings *settings,
                              host_event_fn on_event, void *user, struct error *err)
{
    struct fake *fake = calloc(1, sizeof *fake);
    if (!fake) {
        error_set(err, ERROR_MEMORY, "no memory for a host");
        return NULL;
    }
    fake->host.ops = &host_fake;
    fake->loop = loop;
    fake->on_event = on_event;
    fake->user = user;
    bool deadline = settings && settings->call_deadline_ms;
    fake->call_deadline_ms = deadline ? settings->call_deadline_ms : DEFAULT_DEADLINE_MS;
    bool bound = settings && settings->max_abandoned;
    fake->max_abandoned = bound ? settings->max_abandoned : DEFAULT_MAX_ABANDONED;
    fake->migration_ms = DEFAULT_MIGRATION_MS;
    fake->connected = true;
    uint64_t total_kib = 2048 * 1024;
    fake->memory = (struct host_memory){.total_kib = total_kib,
                                        .available_kib = total_kib,
                                        .free_kib = total_kib,
                                        .memory_psi = {.known = true}};
    fake->cpu = (struct host_cpu){.capacity_cores = 2, .threads = 2, .threads_per_core = 1};
    host_fake_emit(&fake->host, &(struct host_event){.kind = HOST_EVENT_CONNECTED});
    return &fake->host;
}

static void fake_close(struct host *host, void (*done)(void *user), void *user)
{
    struct fake *fake = fake_of(host);
    fake->closed = done;
    fake->closed_user = user;
    // the list is newest first: tell the oldest first by restarting the timers from its end
    struct fake_pending *oldest = fake->pending;
    while (oldest && oldest->next)
        oldest = oldest->next;
    for (struct fake_pending *p = oldest; p; p = p->previous) {
        fake_refuse(p, p->call == HOST_FAKE_MIGRATE ? HOST_UNKNOWN_OUTCOME : HOST_CANCELLED, ERROR_STOPPED,
                    "the host is being closed");
        p->overdue = false;
        fake_answer_now(p);
    }
    fake_answer_later(fake, HOST_FAKE_ANY, 0)->is_close = true;
}

static int fake_sample_round(struct host *host, unsigned groups, host_sample_fn done, void *user,
                             struct error *err)
{
    struct fake *fake = fake_of(host);
    if (fake->sampling)
        return error_set(err, ERROR_REFUSED, "a round is under way");
    struct host_fake_record *record;
    struct fake_pending *pending = begin(fake, HOST_FAKE_SAMPLE, NULL, 0, &record);
    record->groups = pending->groups = groups;
    pending->done.sample = done;
    pending->user = user;
    fake->sampling = true;
    return 0;
}

static void fake_set_balloon(struct host *host, const struct host_uuid *uuid, uint64_t current_kib,
                             host_done_fn done, void *user)
{
    struct host_fake_record *record;
    begin_order(host, HOST_FAKE_SET_BALLOON, uuid, done, user, &record)->value = current_kib;
    record->value = current_kib;
}

static void fake_set_stats_period(struct host *host, const struct host_uuid *uuid, unsigned period_s,
                                  host_done_fn done, void *user)
{
    struct host_fake_record *record;
    begin_order(host, HOST_FAKE_SET_STATS_PERIOD, uuid, done, user, &record)->value = period_s;
    record->value = period_s;
}

static void fake_measure_dirty(struct host *host, const struct host_uuid *uuid, host_done_fn done, void *user)
{
    struct host_fake_record *record;
    begin_order(host, HOST_FAKE_MEASURE_DIRTY, uuid, done, user, &record);
}

static void fake_set_cpu_weight(struct host *host, const struct host_uuid *uuid, double weight,
                                host_done_fn done, void *user)
{
    struct host_fake_record *record;
    begin_order(host, HOST_FAKE_SET_CPU_WEIGHT, uuid, done, user, &record)->weight = weight;
    record->weight = weight;
}

static void fake_migrate(struct host *host, const struct host_migration_request *request,
                         host_migrated_fn done, void *user)
{
    struct fake *fake = fake_of(host);
    struct host_fake_vm *vm = fake_vm_by_uuid(fake, &request->uuid);
    bool already = vm && vm->vm.migrating;
    struct host_fake_record *record;
    struct fake_pending *pending =
        begin(fake, HOST_FAKE_MIGRATE, &request->uuid, already ? 0 : fake->migration_ms, &record);
    snprintf(record->uri, sizeof record->uri, "%s", request->destination_uri);
    pending->done.migrated = done;
    pending->user = user;
    if (already) {
        fake_refuse(pending, HOST_REFUSED, ERROR_REFUSED, "a migration of this VM is under way");
        fake_answer_now(pending);
        return;
    }
    vm = fake_vm_by_uuid(fake, &request->uuid);
    if (vm && (pending->outcome == HOST_DONE || pending->outcome == HOST_UNKNOWN_OUTCOME))
        vm->vm.migrating = pending->is_migration = true;
}

static void fake_abort_migration(struct host *host, const struct host_uuid *uuid, host_done_fn done,
                                 void *user)
{
    struct fake *fake = fake_of(host);
    struct host_fake_record *record;
    struct fake_pending *pending = begin_order(host, HOST_FAKE_ABORT_MIGRATION, uuid, done, user, &record);
    if (pending->outcome != HOST_DONE || !pending->carry_out)
        return;
    struct host_fake_vm *vm = fake_vm_by_uuid(fake, uuid);
    for (struct fake_pending *p = fake->pending; p && vm && vm->vm.migrating; p = p->next) {
        if (p->call != HOST_FAKE_MIGRATE || host_uuid_compare(&p->uuid, uuid) != 0)
            continue;
        fake_refuse(p, HOST_CANCELLED, ERROR_STOPPED, "migration aborted");
        p->overdue = false;
        fake_answer_now(p);
        return;
    }
    fake_refuse(pending, HOST_REFUSED, ERROR_MISSING, "no migration of this VM is under way");
}

static void fake_presence(struct host *host, const char *uri, const struct host_uuid *uuid,
                          host_presence_fn done, void *user)
{
    struct fake *fake = fake_of(host);
    struct host_fake_record *record;
    struct fake_pending *pending = begin(fake, HOST_FAKE_PRESENCE, uuid, 0, &record);
    snprintf(record->uri, sizeof record->uri, "%s", uri ? uri : "");
    pending->done.presence = done;
    pending->user = user;
    const struct host_fake_vm *vm = fake_vm_by_uuid(fake, uuid);
    if (!uri && vm) {
        bool running = vm->vm.state == HOST_VM_RUNNING;
        pending->presence.state = vm->vm.migrating ? HOST_PRESENCE_OUTGOING
                                  : running        ? HOST_PRESENCE_RUNNING
                                                   : HOST_PRESENCE_PAUSED;
        pending->presence.defined = vm->facts.persistent;
    }
    for (size_t i = 0; uri && i < fake->remotes.n; i++) {
        const struct fake_remote *remote = &fake->remotes.at[i];
        if (strcmp(remote->uri, uri) == 0 && host_uuid_compare(&remote->uuid, uuid) == 0)
            pending->presence = remote->presence;
    }
}

const struct host_ops host_fake = {
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .sample = fake_sample_round,
    .set_balloon = fake_set_balloon,
    .set_stats_period = fake_set_stats_period,
    .set_cpu_weight = fake_set_cpu_weight,
    .measure_dirty = fake_measure_dirty,
    .migrate = fake_migrate,
    .abort_migration = fake_abort_migration,
    .presence = fake_presence,
};
