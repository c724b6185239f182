// What a virtualization host tells and does, whatever the hypervisor: one const table of functions per
// back-end, chosen at start. Back-ends: libvirt (host_libvirt) and one for tests (host_fake).
//
// Everything is asynchronous. A function here returns at once; what it asked for is told by a callback on
// the event loop's thread, exactly once, and never from within the asking function. Nothing blocks the
// loop: back-ends work on libuv's thread pool, each call with a deadline (settings). A call past its
// deadline is abandoned: the callback is told HOST_UNKNOWN_OUTCOME (of a question: ERROR_TIMEOUT), the
// result is thrown away when it comes, the connection replaced. At most settings.max_abandoned calls may be
// outstanding in that way; then everything is refused at once until one has come back. A program should
// give libuv's pool HOST_POOL_THREADS threads (UV_THREADPOOL_SIZE, set before the loop's first work).
//
// A VM whose QEMU hangs or is stopped is left out: calls on it are refused, others do not wait for it.
#ifndef BALLAST_HOST_HOST_H
#define BALLAST_HOST_HOST_H

#include "base/error.h"
#include "host/sample.h"

struct uv_loop_s;
struct host;

// max_abandoned of the default settings, and as many again that work.
#define HOST_POOL_THREADS 12

// What a round is asked for. Groups that need no libvirt (CPU, MEMORY) are cheap: some 50 us a VM.
enum host_group {
    HOST_GROUP_MEMORY = 1 << 0,  // the host's memory and pressure, QEMU's resident sets
    HOST_GROUP_CPU = 1 << 1,     // the host's CPU, vCPU run time and delay, throttling, weights
    HOST_GROUP_BALLOON = 1 << 2, // balloon statistics: one bulk call, some ms of libvirtd a VM
    HOST_GROUP_DOMAINS = 1 << 3, // list the domains anew instead of relying on events
};

#define HOST_GROUP_ALL (HOST_GROUP_MEMORY | HOST_GROUP_CPU | HOST_GROUP_BALLOON | HOST_GROUP_DOMAINS)

// How an action ended. UNKNOWN is never guessed away: ask presence.
enum host_outcome {
    HOST_DONE = 0,
    HOST_REFUSED,         // understood, and not done: nothing has changed
    HOST_FAILED,          // tried, did not work, nothing has changed
    HOST_CANCELLED,       // ended early because we asked
    HOST_UNKNOWN_OUTCOME, // no answer; it may have happened or may happen yet
};

struct host_settings {
    const char *uri;         // "qemu:///system" when NULL
    const char *proc_root;   // "/proc" when NULL; other roots serve tests
    const char *cgroup_root; // "/sys/fs/cgroup" when NULL
    const char *run_dir;     // "/run/libvirt/qemu" when NULL: libvirt's PID files
    const char
        *capacity_cgroup;      // group that limits the host, relative to the controllers' roots; NULL: found
    uint64_t fixed_memory_kib; // capacity by configuration; 0: measured
    double fixed_cpu_cores;    // 0: measured
    unsigned call_deadline_ms; // 0: 5000. A healthy libvirtd answers in milliseconds; its own patience
                               // with a locked domain is 30 s, which nobody here can wait for
    unsigned open_deadline_ms; // 0: 5000
    unsigned max_abandoned;    // 0: 6
    unsigned stats_period_s;   // balloon statistics are switched on with this period where off; 0: never
    unsigned reconnect_max_ms; // 0: 1000. Back-off starts at 100 ms and doubles up to this
    unsigned facts_refresh_s;  // 0: 300. A definition is read anew after this time even without an event
    unsigned learn_interval_s; // 0: 600. QEMU's own memory is measured anew after this time
};

enum host_event_kind {
    HOST_EVENT_CONNECTED = 0, // libvirt answers (again); ask for DOMAINS
    HOST_EVENT_LOST,          // the connection is gone; it is being sought
    HOST_EVENT_STARTED,       // a VM runs here now (also resumed after an incoming migration)
    HOST_EVENT_STOPPED,       // a VM is gone; detail says how
    HOST_EVENT_PAUSED,
    HOST_EVENT_RESUMED,
    HOST_EVENT_MIGRATED_AWAY,      // it runs on another host now
    HOST_EVENT_CHANGED,            // its definition or metadata changed
    HOST_EVENT_BALLOON,            // current_kib moved; value_kib is the new one
    HOST_EVENT_MIGRATION_ROUND,    // value is the number of the pre-copy round
    HOST_EVENT_MIGRATION_PROGRESS, // progress is filled; about once a second
    HOST_EVENT_JOB_COMPLETED,      // of a VM of ours; progress holds the final figures
    HOST_EVENT_PRESSURE,           // tasks stall for want of memory: take a sample at once
};

// A live migration as libvirt tells it. HOST_UNKNOWN where it does not.
struct host_progress {
    uint64_t elapsed_ms;
    uint64_t total_kib, processed_kib, remaining_kib; // memory
    uint64_t bandwidth_kib_s;
    uint64_t dirty_rate_kib_s;
    uint64_t round; // pre-copy iteration
    uint64_t expected_downtime_ms, downtime_ms;
};

struct host_event {
    enum host_event_kind kind;
    struct host_uuid uuid; // all zero for CONNECTED, LOST and PRESSURE
    char name[HOST_NAME_SIZE];
    uint64_t value;
    struct host_progress progress;
    char detail[96]; // for a person: "shut down by the guest"; "" when there is nothing to say
};

typedef void (*host_event_fn)(void *user, const struct host_event *event);

// sample: NULL when error is set. It belongs to the host and is valid until the next sample is delivered or
// the host is closed. A host that has lost libvirt still delivers: connected is false, /proc figures are new.
typedef void (*host_sample_fn)(void *user, const struct host_sample *sample, const struct error *error);

// error is empty when outcome is HOST_DONE; borrowed.
typedef void (*host_done_fn)(void *user, enum host_outcome outcome, const struct error *error);

// What is true about a VM on a host.
enum host_presence_state {
    HOST_PRESENCE_ABSENT = 0, // the host knows it is not there, or only as a definition that is off
    HOST_PRESENCE_RUNNING,
    HOST_PRESENCE_PAUSED,   // here, not running
    HOST_PRESENCE_INCOMING, // a migration to that host is under way
    HOST_PRESENCE_OUTGOING, // a migration from that host is under way
};

struct host_presence {
    enum host_presence_state state;
    bool defined;   // a persistent definition exists there
    char claim[64]; // claim in its metadata, "" none
};

typedef void (*host_presence_fn)(void *user, const struct host_presence *presence, const struct error *error);

struct host_migration_request {
    struct host_uuid uuid;
    const char *destination_uri; // as the source's libvirtd sees it: "qemu+tls://h2/system"
    const char *data_uri;        // where the memory goes: "tcp://10.0.0.2"; NULL: libvirt chooses
    const char *claim; // written to the domain's metadata before it starts, removed after its end; NULL: none
    uint64_t bandwidth_mib_s; // cap; 0: libvirt's default
    uint64_t max_downtime_ms; // 0: QEMU's default (300)
    unsigned timeout_s;       // aborted when not done by then; 0: never
    bool auto_converge;       // slow the guest down when rounds do not shrink
    bool tunnelled;           // through libvirtd's connection instead of an own socket
    bool compressed;
    unsigned parallel; // number of connections; 0 or 1: one
};

// Figures of a migration that has ended; HOST_UNKNOWN where not told.
typedef void (*host_migrated_fn)(void *user, enum host_outcome outcome, const struct host_progress *final,
                                 const struct error *error);

struct host_ops {
    const char *name; // "libvirt"

    // Starts connecting and returns; HOST_EVENT_CONNECTED tells when there is somebody. on_event is called
    // on the loop for as long as the host is open. settings are copied. NULL on a wrong setting.
    struct host *(*open)(struct uv_loop_s *loop, const struct host_settings *settings, host_event_fn on_event,
                         void *user, struct error *err);

    // Every outstanding callback is told ERROR_STOPPED (HOST_CANCELLED, a migration HOST_UNKNOWN_OUTCOME:
    // it goes on without us), then done is called and the host is gone. done may be NULL.
    void (*close)(struct host *host, void (*done)(void *user), void *user);

    // One round of figures; one at a time (ERROR_REFUSED while another is under way). -1: not started.
    int (*sample)(struct host *host, unsigned groups, host_sample_fn done, void *user, struct error *err);

    // Asks the balloon for a size; HOST_DONE means that QEMU took the order, not that the guest obeyed.
    void (*set_balloon)(struct host *host, const struct host_uuid *uuid, uint64_t current_kib,
                        host_done_fn done, void *user);

    // Period of the balloon's statistics; 0 switches them off.
    void (*set_stats_period)(struct host *host, const struct host_uuid *uuid, unsigned period_s,
                             host_done_fn done, void *user);

    // CPU weight relative to the kernel's default of 1.0; cut to what the kernel takes (0.01 to 100).
    void (*set_cpu_weight)(struct host *host, const struct host_uuid *uuid, double weight, host_done_fn done,
                           void *user);

    // Measures for about a second how much memory the VM rewrites; samples then tell dirty_kib_s. QEMU hashes a
    // sample of the pages twice (by default 512 a GiB), so it is asked for where a move is being considered.
    void (*measure_dirty)(struct host *host, const struct host_uuid *uuid, host_done_fn done, void *user);

    // Live, peer to peer, in a thread of its own. Progress comes as events. HOST_REFUSED: it was never
    // started (unknown VM, already migrating); HOST_FAILED: the VM still runs here; HOST_UNKNOWN_OUTCOME:
    // the connection broke on the way.
    void (*migrate)(struct host *host, const struct host_migration_request *request, host_migrated_fn done,
                    void *user);

    // Aborts a migration; the migration's own callback then tells HOST_CANCELLED (or HOST_DONE: too late).
    void (*abort_migration)(struct host *host, const struct host_uuid *uuid, host_done_fn done, void *user);

    // What is true about a VM here (uri NULL) or on another host (its libvirt URI, on a connection of its
    // own with its own deadline).
    void (*presence)(struct host *host, const char *uri, const struct host_uuid *uuid, host_presence_fn done,
                     void *user);
};

// What every back-end's object begins with.
struct host {
    const struct host_ops *ops;
};

extern const struct host_ops host_libvirt; // host/libvirt.c

// "done", "refused", "failed", "cancelled", "unknown".
const char *host_outcome_name(enum host_outcome outcome);

// "connected", "balloon", ...
const char *host_event_name(enum host_event_kind kind);

#endif
