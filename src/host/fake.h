// A host made of memory, for tests: it obeys, and on command it vanishes, hangs, lies, refuses or is slow.
//
//     struct host *host = host_fake.open(loop, NULL, on_event, user, &err);
//     struct host_fake_vm *vm = host_fake_add_vm(host, "g1", 256 * 1024, 2);
//     vm->vm.balloon.usable_kib = 1000;                 // what the next sample tells
//     host_fake_add_rule(host, (struct host_fake_rule){.call = HOST_FAKE_SET_BALLOON, .name = "g1",
//                    .behaviour = HOST_FAKE_REFUSE, .times = 1, .text = "balloon stuck"});
//
// Time is the loop's: a slow answer comes by a uv timer, every other one in the loop's next turn.
#ifndef BALLAST_HOST_FAKE_H
#define BALLAST_HOST_FAKE_H

#include "host/host.h"

extern const struct host_ops host_fake;

enum host_fake_call {
    HOST_FAKE_ANY = 0,
    HOST_FAKE_SAMPLE,
    HOST_FAKE_SET_BALLOON,
    HOST_FAKE_SET_STATS_PERIOD,
    HOST_FAKE_SET_CPU_WEIGHT,
    HOST_FAKE_MEASURE_DIRTY,
    HOST_FAKE_MIGRATE,
    HOST_FAKE_ABORT_MIGRATION,
    HOST_FAKE_PRESENCE,
};

enum host_fake_behaviour {
    HOST_FAKE_OBEY = 0,    // with delay_ms: slowly
    HOST_FAKE_REFUSE,      // HOST_REFUSED, nothing changes
    HOST_FAKE_FAIL,        // HOST_FAILED, nothing changes
    HOST_FAKE_HANG,        // never answers until the deadline (settings), then HOST_UNKNOWN_OUTCOME; not done
    HOST_FAKE_HANG_BUT_DO, // as HANG, but what was asked has happened
    HOST_FAKE_LIE,         // HOST_DONE, and nothing changes
    HOST_FAKE_VANISH,      // the VM is gone before the call arrives: HOST_FAILED with ERROR_MISSING
};

// The first rule that fits a call decides; used up after `times` calls (0: for ever).
struct host_fake_rule {
    enum host_fake_call call;
    const char *name; // of the VM; NULL: any. Copied
    enum host_fake_behaviour behaviour;
    unsigned delay_ms; // of a migration that hangs: after this time its end counts as unknown; 0: never
    unsigned times;
    const char *text; // of the error; NULL: a plain one. Copied
};

// A VM of the fake: the test writes what samples shall tell. With balloon_rate_kib_s 0 an obeyed order
// moves current_kib at once; else it gets there at that pace.
struct host_fake_vm {
    struct host_vm vm;
    struct host_facts facts;
    struct host_vcpu vcpus[64];
    uint64_t balloon_target_kib;
    uint64_t balloon_rate_kib_s;
    uint64_t balloon_stuck_at_kib; // never goes below this; 0: no such
    unsigned stats_period_s;
    int64_t balloon_moved_at_ms; // the fake's own: the loop's time of the last move
    uint64_t dirty_kib_s;        // what measuring finds
    bool stats_stale;            // last_update stands still
    bool resident_follows;       // a shrinking balloon lowers actual_kib to at most current_kib at once
};

// A running VM with a balloon that answers; current = usable = maxmem. NULL when out of memory. The UUID is
// made from the name. The pointer is valid until the VM is removed.
struct host_fake_vm *host_fake_add_vm(struct host *host, const char *name, uint64_t maxmem_kib,
                                      unsigned vcpus);

// NULL when it is not there.
struct host_fake_vm *host_fake_find_vm(struct host *host, const char *name);

// The VM is gone; on_event is told in the loop's next turn.
void host_fake_remove_vm(struct host *host, const char *name);

// What samples tell of the host; the test writes it.
struct host_memory *host_fake_memory(struct host *host);
struct host_cpu *host_fake_cpu(struct host *host);

void host_fake_add_rule(struct host *host, struct host_fake_rule rule);

// libvirt goes away and comes back: events are told, samples say connected = false meanwhile, actions fail
// with ERROR_LOST.
void host_fake_set_connected(struct host *host, bool connected);

// Delivers an event in the loop's next turn.
void host_fake_emit(struct host *host, const struct host_event *event);

// How long an obeyed migration takes (default 100 ms).
void host_fake_set_migration_ms(struct host *host, unsigned duration_ms);

// What presence tells about a VM on another host.
void host_fake_set_presence(struct host *host, const char *uri, const struct host_uuid *uuid,
                            struct host_presence presence);

// The calls made so far, oldest first: what the test asserts on.
struct host_fake_record {
    enum host_fake_call call;
    char name[HOST_NAME_SIZE]; // of the VM, "" for SAMPLE
    struct mono at;            // the loop's clock
    unsigned groups;           // SAMPLE
    uint64_t value;            // SET_BALLOON: KiB, SET_STATS_PERIOD: s
    double weight;             // SET_CPU_WEIGHT
    char uri[128];             // MIGRATE: destination; PRESENCE: where
};

size_t host_fake_n_records(struct host *host);
const struct host_fake_record *host_fake_record_at(struct host *host, size_t index);

#endif
