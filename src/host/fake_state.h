// Inside of the fake host, shared by fake.c (the interface), fake_answer.c (the answers on their way) and
// fake_script.c (what tests command).
#ifndef BALLAST_HOST_FAKE_STATE_H
#define BALLAST_HOST_FAKE_STATE_H

#include <uv.h>

#include "base/vector.h"
#include "host/fake.h"

struct fake_rule {
    struct host_fake_rule rule; // name and text point to the copies below
    char name[HOST_NAME_SIZE];
    char text[128];
    bool any_name;
    unsigned left; // calls it still decides; only counts when rule.times > 0
};

struct fake_remote {
    char uri[128];
    struct host_uuid uuid;
    struct host_presence presence;
};

DEFINE_VECTOR(fake_vms, struct host_fake_vm *);
DEFINE_VECTOR(fake_rules, struct fake_rule);
DEFINE_VECTOR(fake_records, struct host_fake_record);
DEFINE_VECTOR(fake_remotes, struct fake_remote);
DEFINE_VECTOR(fake_sampled, struct host_vm);

struct fake;

// An answer that is on its way: one uv timer that fires in the loop's next turn, or later.
struct fake_pending {
    uv_timer_t timer;
    struct fake *fake;
    struct fake_pending *next, *previous;
    enum host_fake_call call; // HOST_FAKE_ANY: an event, or the end of close
    struct host_uuid uuid;
    unsigned groups;
    uint64_t value;
    double weight;
    bool carry_out;    // the order is obeyed when the timer fires
    bool overdue;      // the answer is that there is none: counts as abandoned
    bool is_migration; // this is the VM's running migration
    bool is_close;     // the last of all
    enum host_outcome outcome;
    struct error error;
    struct host_event event;
    struct host_presence presence;
    union {
        host_sample_fn sample;
        host_done_fn action;
        host_migrated_fn migrated;
        host_presence_fn presence;
        void (*closed)(void *user);
    } done;
    void *user;
};

struct fake {
    struct host host;
    uv_loop_t *loop;
    host_event_fn on_event;
    void *user;
    unsigned call_deadline_ms, max_abandoned, migration_ms;
    unsigned abandoned;
    bool connected, sampling, closing;
    int64_t lost_at_ms;
    struct host_memory memory;
    struct host_cpu cpu;
    struct fake_vms vms; // by UUID, ascending
    struct fake_rules rules;
    struct fake_records records;
    struct fake_remotes remotes;
    struct fake_pending *pending;
    struct host_sample sample;
    struct fake_sampled sampled;
    unsigned handles; // timers not yet closed
    void (*closed)(void *user);
    void *closed_user;
};

static inline struct fake *fake_of(struct host *host)
{
    return (struct fake *)host;
}

// NULL when it is not there.
struct host_fake_vm *fake_vm_by_uuid(struct fake *fake, const struct host_uuid *uuid);

// Moves a balloon towards its target as far as time allows, and tells the event.
void fake_advance_balloon(struct fake *fake, struct host_fake_vm *vm);

// Takes a VM out, with an event of that kind.
void fake_take_out(struct fake *fake, const struct host_uuid *uuid, enum host_event_kind kind,
                   const char *detail);

// An answer after delay_ms, to be filled by the caller before the loop turns.
struct fake_pending *fake_answer_later(struct fake *fake, enum host_fake_call call, uint64_t delay_ms);

// Lets an answer come in the loop's next turn.
void fake_answer_now(struct fake_pending *pending);

// Turns an answer into a no.
void fake_refuse(struct fake_pending *pending, enum host_outcome outcome, enum error_kind kind,
                 const char *text);

// The loop's time.
struct mono fake_now(const struct fake *fake);

// The rule that decides a call on a VM ("": none), used up by one; NULL: obey.
const struct fake_rule *fake_match(struct fake *fake, enum host_fake_call call, const char *name);

#endif
