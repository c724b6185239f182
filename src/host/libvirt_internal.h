// Inside of the libvirt back-end. Theory of operation:
//
// Three kinds of threads. The loop's thread owns struct lv_host and all below it. Workers of libuv's pool run
// jobs: a job carries copies and references of what it needs, and never looks at the host. libvirt's own event
// loop runs in a thread of its own, for the whole process; what it tells, and what migration threads tell, is
// put into a mailbox and the loop woken.
//
// A job past its deadline is abandoned: its owner is told so at once, the job's result is dropped when it
// comes. libvirtd serves five calls of a connection at a time, so an abandoned one costs a fifth of it, and
// it may be the whole connection that is stuck: a new one is opened, and the old one used until that answers.
//
// What a QEMU that does not answer does to libvirtd (9.0, tried): the first call that needs its monitor waits
// for it without end and holds the domain's job; every later one that needs the job waits 30 s and fails.
// Bulk statistics visit domain after domain, so one stuck QEMU holds up all behind it, unless the call says
// NOWAIT and the job is held already. So: a QEMU stopped by a signal is seen in /proc before the call and left
// out; for any other kind of hanging the first bulk call is lost to the deadline, and the next, with NOWAIT,
// passes by it. Definitions, states and metadata come without the job.
#ifndef BALLAST_HOST_LIBVIRT_INTERNAL_H
#define BALLAST_HOST_LIBVIRT_INTERNAL_H

#include <uv.h>

#include <libvirt/libvirt.h>

#include "base/arena.h"
#include "base/vector.h"
#include "host/capacity.h"
#include "host/host.h"
#include "host/libvirt_job.h"
#include "host/libvirt_mailbox.h"
#include "host/pressure.h"
#include "host/process.h"

// One connection with what is registered on it. Freed by lv_connection_discard, in a thread of its own: saying
// good-bye is a call as well.
struct lv_connection {
    virConnectPtr conn;
    unsigned generation; // messages of older ones are dropped
    int callback[8];     // domain event callbacks
    size_t n_callbacks;
    struct lv_mailbox *mailbox;
    // A call on it is past its deadline: rounds and polls ask nothing more of it, the next connection is sought. (Of several calls
    // that wait on one connection the client library of libvirt 9.0 was seen to crash when they are answered at once.)
    bool suspect;
};

struct lv_vm {
    struct host_uuid uuid;
    char name[HOST_NAME_SIZE];
    virDomainPtr domain; // on the current connection; NULL while there is none
    bool listed;         // seen by the listing under way
    enum host_vm_state state;
    uint64_t maxmem_kib, current_kib;
    struct host_balloon balloon;
    enum host_balloon_driver driver;
    unsigned missed_polls; // consecutive polls in which libvirt passed by it
    bool dirty_due;        // its dirty rate is being measured
    uint64_t dirty_kib_s;
    struct mono dirty_at; // .ms 0: never
    uint64_t libvirt_rss_kib;
    struct host_vcpu *vcpu; // from libvirt, where the process is not visible
    uint32_t n_vcpus;
    struct host_facts facts;
    uint32_t facts_generation;
    int64_t facts_due_ms;    // read the definition at the loop's time
    bool facts_asked;        // a job is under way
    struct process *process; // its figures are read only between the jobs that write them
    bool stopped;            // as the last round found it
    int64_t process_due_ms;  // look for the process (again)
    bool learned;
    uint64_t own_kib; // QEMU's own anonymous memory
    int64_t learn_due_ms;
    bool limits_due; // read the control group's limits in the next round
    uint64_t emulator_ns;
    unsigned abandoned; // calls on it that have not come back
    bool migrating;
    bool period_asked;
};

DEFINE_VECTOR(lv_table, struct lv_vm *);

struct lv_migration; // libvirt_migrate.c

struct lv_round {
    bool active;
    unsigned groups;
    host_sample_fn done;
    void *user;
    struct mono started;
    unsigned brought; // groups that were really read
    char trouble[160];
    struct host_memory memory;
    struct host_cpu cpu;
};

struct lv_host {
    struct host host;
    uv_loop_t *loop;
    host_event_fn on_event;
    void *user;
    struct host_settings settings; // texts are own copies
    char uri[256], proc_root[128], cgroup_root[128], run_dir[256], capacity_group[CGROUP_PATH_SIZE];
    struct lv_mailbox *mailbox;
    uv_async_t wake;     // the mailbox has something
    uv_timer_t retry;    // the next attempt to connect
    uv_timer_t progress; // asks running migrations, once a second
    struct pressure_watch pressure;
    unsigned handles_open; // of these
    bool closing;
    void (*closed)(void *user);
    void *closed_user;

    struct lv_connection *connection; // NULL: none
    unsigned generation;
    bool connecting; // a job is under way
    unsigned backoff_ms;
    int64_t lost_at_ms;
    bool listed; // the table was filled from this connection

    struct lv_job *jobs; // told or not, whose work has not ended
    unsigned abandoned;
    int64_t answered_at_ms; // when a call last came back
    unsigned bulk_deadline_ms;
    int64_t dirty_until_ms; // until then rounds ask for dirty rates

    struct cgroup_tree tree;
    struct lv_table vms; // by UUID, ascending
    struct lv_round round;
    struct arena *arena; // of the sample delivered last
    struct host_sample sample;
    bool learning; // a job is under way
    struct lv_migration *migrations;
};

static inline struct lv_host *lv_of(struct host *host)
{
    return (struct lv_host *)host;
}

static inline int64_t lv_now_ms(const struct lv_host *host)
{
    return (int64_t)uv_now(host->loop);
}

// libvirt_connection.c
void lv_connect(struct lv_host *host);                          // now, unless an attempt is under way
void lv_connection_lost(struct lv_host *host, const char *why); // it is known to be dead
void lv_connection_suspect(struct lv_host *host);               // a call did not come back
void lv_connection_discard(struct lv_connection *connection);   // from any thread; takes NULL

// libvirt_events.c
int lv_events_start(struct error *err);                   // libvirt's event loop, once a process
int lv_events_register(struct lv_connection *connection); // in a worker

// libvirt_lifecycle.c
void lv_events_handle(struct lv_host *host, struct lv_message *message);

// libvirt_vms.c
struct lv_vm *lv_vm_find(struct lv_host *host, const struct host_uuid *uuid);
struct lv_vm *lv_vm_add(struct lv_host *host, const struct host_uuid *uuid, const char *name);
void lv_vm_remove(struct lv_host *host, const struct host_uuid *uuid);
void lv_vms_forget_domains(struct lv_host *host); // the connection goes
void lv_vms_free(struct lv_host *host);
enum host_vm_state lv_state(int state, int reason);

// libvirt_list.c: which domains there are, and their definitions
void lv_list(struct lv_host *host);          // calls lv_round_listed
void lv_facts_refresh(struct lv_host *host); // whatever is due, in the background

// libvirt_proc.c: the part of a round that needs no libvirt, and what is learned between rounds
void lv_proc(struct lv_host *host);  // calls lv_round_proc_read
void lv_learn(struct lv_host *host); // one VM that is due, in the background

// libvirt_stats.c
void lv_bulk(struct lv_host *host); // calls lv_round_bulk_read
bool lv_vm_hangs(const struct lv_vm *vm);

// libvirt_round.c
int lv_sample(struct host *host, unsigned groups, host_sample_fn done, void *user, struct error *err);
void lv_round_listed(struct lv_host *host, const struct error *error);
void lv_round_proc_read(struct lv_host *host, const struct error *error);
void lv_round_bulk_read(struct lv_host *host, const struct error *error);
void lv_round_stop(struct lv_host *host); // at close

// libvirt_sample.c
void lv_sample_build(struct lv_host *host);

// libvirt_action.c
void lv_set_balloon(struct host *host, const struct host_uuid *uuid, uint64_t current_kib, host_done_fn done,
                    void *user);
void lv_set_stats_period(struct host *host, const struct host_uuid *uuid, unsigned period_s,
                         host_done_fn done, void *user);
void lv_set_cpu_weight(struct host *host, const struct host_uuid *uuid, double weight, host_done_fn done,
                       void *user);
void lv_measure_dirty(struct host *host, const struct host_uuid *uuid, host_done_fn done, void *user);

// libvirt_presence.c
void lv_presence(struct host *host, const char *uri, const struct host_uuid *uuid, host_presence_fn done,
                 void *user);

void lv_abort_job(struct lv_host *host, const struct host_uuid *uuid, host_done_fn done, void *user);

// libvirt_migrate.c
void lv_migrate(struct host *host, const struct host_migration_request *request, host_migrated_fn done,
                void *user);
void lv_abort_migration(struct host *host, const struct host_uuid *uuid, host_done_fn done, void *user);
void lv_migration_message(struct lv_host *host, struct lv_message *message);
void lv_migrations_poll(struct lv_host *host);
void lv_migrations_stop(struct lv_host *host); // at close: they go on without us

void lv_migration_final(struct lv_host *host, const struct lv_message *completed);

// libvirt_progress.c
void lv_progress_unknown(struct host_progress *ret);
void lv_progress_read(virTypedParameterPtr params, int n_params, struct host_progress *ret);

#endif
