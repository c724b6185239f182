// The cluster's shared memory: what every agent tells the others and what they agree on.
//
// Operations, not SQL: a caller joins, reports, claims, leases; how that is kept is the back-end's matter
// (store/backend.h: SQLite in one file, shared by all agents of one machine; others beside it).
//
// Threads: a handle may be used by any thread; calls on one handle wait for each other, so a worker that
// must not wait opens a handle of its own. A handle does not survive fork().
//
// Deadline: every call ends within store_options.timeout_ms, waiting for other handles and processes
// included. ERROR_TIMEOUT: nothing was written (the transaction was rolled back). ERROR_LOST: the store is
// gone or unusable (corrupt, read-only, vanished); the text names it, the cause and the cure. After
// ERROR_LOST open it anew and join again.
//
// Time: all times and expiries are by the store's clock, which never goes back and is the same for all who
// share the store. What a reader gets is an age (ms before now) or a wall time made from it.
//
// Text in rows that a caller writes is borrowed for the call; in results it lives as long as the result.
#ifndef BALLAST_STORE_STORE_H
#define BALLAST_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/timepoint.h"
#include "model/snapshot.h"
#include "store/rows.h"

#define STORE_DEFAULT_PATH "/var/lib/ballast/ballast.db"
#define STORE_TIMEOUT_MS                                                                                     \
    2000 // default deadline: far above a busy store's wait, below a sampling round's patience
#define STORE_DOWN_AFTER_MS                                                                                  \
    30000 // a host silent for so long is no destination and counts as down: six calm heartbeats
#define STORE_HISTORY_BYTES 4096 // longest summary of a VM's history; opaque here (decide/history.h makes it)
#define STORE_TEXT_BYTES 1024    // longest text of an event or reason; longer ones are cut
#define STORE_DETAIL_BYTES 8192  // longest detail of a decision; longer ones are cut

struct store;

struct store_options {
    int64_t timeout_ms; // 0: STORE_TIMEOUT_MS
    bool read_only;     // for commands that only look: never creates, never migrates the schema
    bool must_exist;    // do not create what is not there (commands); agents create
    // A clock for tests (milliseconds); NULL: the machine's.
    int64_t (*clock_ms)(void *data);
    void *clock_data;
};

// Opens the store at location: a path, or "sqlite:PATH". options may be NULL. Creates the file and its
// schema when absent (unless told not to), brings an older schema up to date, and refuses a newer one that
// does not promise to be readable. A file that is corrupt or no store is ERROR_LOST and left as it is.
int store_open(const char *location, const struct store_options *options, struct store **ret_store,
               struct error *err);

// Takes NULL, returns NULL.
struct store *store_close(struct store *store);

// The location as it was opened, for messages.
const char *store_location(const struct store *store);

// ---- joining and reporting -------------------------------------------------------------------------------

// A host enters (or comes back) with all it has, in one transaction: its row and its VMs; rows of VMs that
// it had before and has no more are removed.
int store_join(struct store *store, const struct store_host *host, const struct store_vm *vms, size_t n_vms,
               struct error *err);

struct store_report {
    const char *host;
    const struct store_host *row; // NULL: unchanged
    const struct store_vm *vms;   // those that changed
    size_t n_vms;
    const char *const *gone; // UUIDs of VMs that this host has no more
    size_t n_gone;
};

// A batch of changed rows in one transaction; also counts as a heartbeat. A VM's row belongs to one host:
// when another host has it, the update is skipped unless `appeared` is set (so that a late report of the
// source does not undo the arrival at the destination); `gone` removes only rows that this host has.
// ERROR_MISSING: the host never joined (or was removed): join.
int store_report(struct store *store, const struct store_report *report, struct error *err);

struct store_epoch {
    uint64_t timeline; // of the store: changes when its contents may have gone back (restored, failed over)
    uint64_t counter;  // of the lease: grows with every new holder
};

// What a heartbeat brings back, so that a calm agent needs no other call.
struct store_pulse {
    uint64_t settings_generation; // changes when any setting changed: read them
    uint64_t timeline;            // changed: join again
    uint32_t orders;              // migrations in state ordered that this host is to carry out
    bool planning;                // the long-term balancer is planning: immediate ones hold back
};

// "I am alive." Also lets expired claims become unknown and drops old rows, a bounded number a call.
int store_heartbeat(struct store *store, const char *host, struct store_pulse *ret_pulse, struct error *err);

// The agent stops: the host is no destination until it joins again; its rows stay.
int store_leave(struct store *store, const char *host, struct error *err);

// An operator's word that the host is gone for good: its rows and VMs are removed, its open migrations end
// as failed. ERROR_MISSING: no such host.
int store_remove_host(struct store *store, const char *host, struct error *err);

// ---- migrations ------------------------------------------------------------------------------------------

// proposed -> ordered -> claimed -> running -> done | refused | failed | cancelled
//                          \___________\-----> unknown (claim expired) -> any of these once it is known
// Claimed, running and unknown are open: they keep their reservation and count in the budgets.
enum store_migration_state {
    STORE_MIGRATION_PROPOSED, // mode recommend: waits for approval
    STORE_MIGRATION_ORDERED, // approved, or of the long-term balancer: waits for the source's agent to claim it
    STORE_MIGRATION_CLAIMED,
    STORE_MIGRATION_RUNNING,
    STORE_MIGRATION_DONE,
    STORE_MIGRATION_REFUSED, // libvirt or the destination's hook said no
    STORE_MIGRATION_FAILED,
    STORE_MIGRATION_CANCELLED, // aborted, withdrawn, or nobody approved it in time
    STORE_MIGRATION_UNKNOWN,
};

const char *store_migration_state_name(enum store_migration_state state);

static inline bool store_migration_is_open(enum store_migration_state state)
{
    return state == STORE_MIGRATION_CLAIMED || state == STORE_MIGRATION_RUNNING ||
           state == STORE_MIGRATION_UNKNOWN;
}

enum store_origin {
    STORE_ORIGIN_IMMEDIATE,
    STORE_ORIGIN_LONGTERM,
    STORE_ORIGIN_OPERATOR,
};

// A move as it is wanted: what a claim, an order and a proposal have in common.
struct store_move {
    const char *vm_uuid;
    const char *from, *to;
    enum store_origin origin;
    double mem_needed_mib; // on the destination: usedmem x (1 + growth) + overhead, at least the reservation
    double cpu_needed_cores; // on the destination: demand x (1 + growth)
    // Load on the destination that the decision accepts, this VM included; 0: its cpu_cores. Above
    // cpu_cores where the whole cluster is overloaded and this host still the better place.
    double cpu_ceiling_cores;
    double benefit_lost_vm_s, cost_lost_vm_s;
    double duration_s; // expected
    const char *reason;
};

// What the claimant's configuration allows. A cluster setting of the same meaning (`ballast set`) overrides
// it, so that one word holds for all; 0: the setting's own default.
struct store_limits {
    uint32_t out_per_host, in_per_host, per_cluster, per_hour;
    double growth; // what each VM on the destination may grow by, a fraction
};

struct store_claim {
    struct store_move move;   // ignored when order is given
    uint64_t order;           // 0, or the id of an ordered (approved) migration to turn into a claim
    struct store_epoch epoch; // of the lease under which it was planned; counter 0: none needed
    int64_t lifetime_ms;      // until it must have been renewed; 0: 30 s
    struct store_limits limits;
    int64_t cooldown_ms; // the VM must have been left alone for so long (what its cost says); 0: none
};

enum store_refusal {
    STORE_GRANTED,
    STORE_REFUSED_VM_MISSING,   // not on that source (any more)
    STORE_REFUSED_VM_MIGRATING, // has an open migration
    STORE_REFUSED_VM_COOLING,   // moved too recently
    STORE_REFUSED_VM_EXCLUDED,  // excluded, immovable, owned, or not running
    STORE_REFUSED_SOURCE,       // not joined or silent
    STORE_REFUSED_DESTINATION,  // not joined, silent, closed, in maintenance
    STORE_REFUSED_INCOMPATIBLE, // the destination does not provide what the VM needs
    STORE_REFUSED_MEMORY,       // no room with all in flight
    STORE_REFUSED_CPU,
    STORE_REFUSED_BUDGET,  // per host in or out, per cluster, per hour
    STORE_REFUSED_MODE,    // observe, or recommend without approval
    STORE_REFUSED_EPOCH,   // the lease has a new holder or the store another timeline
    STORE_REFUSED_ORDER,   // the order is not there or no longer waits
    STORE_REFUSED_BREAKER, // too many failures of late (setting breaker_failures)
    STORE_REFUSED_RULE,    // a strict rule would be broken
};

const char *store_refusal_name(enum store_refusal refusal);

struct store_claim_result {
    enum store_refusal refusal; // STORE_GRANTED or why not
    uint64_t id;                // of the migration when granted
    char why[256];              // with figures, for a person; empty when granted
};

// All the checks of the above and the migration's row, in one transaction: two claims, by whichever
// threads, processes or hosts, never overfill a destination or a budget. Returns 0 also when refused.
int store_claim(struct store *store, const struct store_claim *claim, struct store_claim_result *ret_result,
                struct error *err);

// claimed -> running. ERROR_REFUSED: the claim is not there or has ended.
int store_advance(struct store *store, uint64_t id, struct error *err);

struct store_progress {
    double transferred_mib, remaining_mib;
    double rate_mib_s, dirty_mib_s;
};

// Keeps a claim alive for lifetime_ms more (0: 30 s); progress may be NULL. Only its source's agent calls it, so a
// claim that expired meanwhile is known again. ERROR_REFUSED: it has ended otherwise; abort the migration.
int store_renew(struct store *store, uint64_t id, int64_t lifetime_ms, const struct store_progress *progress,
                struct error *err);

struct store_outcome {
    enum store_migration_state state;                // done, refused, failed, cancelled or unknown
    const char *text;                                // NULL or why
    double duration_s, downtime_ms, transferred_mib; // 0: not known
};

// Ends a claim, an order or a proposal, and frees what it reserved (not when unknown). Done: the VM's row
// belongs to the destination from now on, and its decaying count grows. Idempotent: finishing with the same
// state again is no error. ERROR_REFUSED: it has ended with another state.
int store_finish(struct store *store, uint64_t id, const struct store_outcome *outcome, struct error *err);

// Writes a proposal (mode recommend) or an order of the long-term balancer, waiting at most lifetime_ms.
// after: 0, or a migration that must be done first. An open proposal for the same VM is replaced.
// epoch: as in a claim; ERROR_REFUSED when it is no longer in force.
int store_propose(struct store *store, const struct store_move *move, enum store_migration_state state,
                  uint64_t after, int64_t lifetime_ms, const struct store_epoch *epoch, uint64_t *ret_id,
                  struct error *err);

// proposed -> ordered, by an operator. ERROR_MISSING: no such migration; ERROR_REFUSED: it waits no longer.
int store_approve(struct store *store, uint64_t id, const char *who, struct error *err);

struct store_migration {
    uint64_t id;
    enum store_migration_state state;
    struct store_move move; // as wanted
    const char *vm_name;
    const char *text;        // NULL or what was said when it ended
    const char *approved_by; // NULL or who
    uint64_t after;          // must be done first; 0: none
    struct wall created_at;
    int64_t created_age_ms;
    int64_t started_age_ms; // since running; -1: not yet
    int64_t ended_age_ms;   // -1: not yet
    int64_t expires_in_ms;  // negative: expired; meaningless once ended
    struct store_progress progress;
    double duration_s, downtime_ms, transferred_mib; // measured; 0: not known
};

struct store_migrations {
    struct arena *arena;
    struct store_migration *at; // newest first
    size_t n;
};

struct store_migration_filter {
    const char *host;    // source or destination; NULL: any
    const char *from;    // source; NULL: any
    const char *vm_uuid; // NULL: any
    bool waiting;        // proposed and ordered, unless expired
    bool open;           // claimed, running, unknown
    bool ended;          // the rest; none of the three set: all
    uint32_t limit;      // 0: 1000
};

int store_read_migrations(struct store *store, const struct store_migration_filter *filter,
                          struct store_migrations **ret_migrations, struct error *err);
struct store_migrations *store_migrations_free(struct store_migrations *migrations);

// ---- the cluster -----------------------------------------------------------------------------------------

struct store_read {
    const char *vms_of;    // NULL: all VMs; a host: only its VMs (all hosts are read); "": none
    bool history;          // with the VMs' history summaries
    int64_t down_after_ms; // 0: STORE_DOWN_AFTER_MS
};

// One consistent view. hosts[i], vms[i] are in the order of snapshot->hosts, ->vms (by name, then UUID).
// A host that is not alive is HOST_DOWN in the snapshot. The snapshot's names are unique: of VMs with one name
// the later ones (by UUID) are called NAME~UUID there.
struct store_cluster {
    struct arena *arena;
    struct snapshot *snapshot;
    struct store_host *hosts;
    struct store_vm *vms;
    struct store_migration *migrations; // open and waiting ones, oldest first
    size_t n_migrations;
    uint64_t settings_generation;
    uint64_t timeline;
    enum store_mode mode; // the cluster's setting: nothing above it is done anywhere
    bool planning;        // see store_pulse
};

int store_read_cluster(struct store *store, const struct store_read *what, struct store_cluster **ret_cluster,
                       struct error *err);
struct store_cluster *store_cluster_free(struct store_cluster *cluster);

// ---- leases ----------------------------------------------------------------------------------------------

#define STORE_LEASE_LONGTERM "longterm" // the long-term balancer's

struct store_lease {
    bool mine;                // the caller holds it
    struct store_epoch epoch; // valid when mine
    char holder[256];         // who holds it; empty: nobody
    int64_t remaining_ms;     // by the store's clock, at the time of the call
};

// Takes the lease when it is free or expired (a new epoch) or renews it when holder has it already (same
// epoch). planning: see store_pulse; it is believed for at most 60 s. Returns 0 also when another holds it.
int store_lease_take(struct store *store, const char *name, const char *holder, int64_t lifetime_ms,
                     bool planning, struct store_lease *ret_lease, struct error *err);

// Gives it back; no error when it is not held.
int store_lease_release(struct store *store, const char *name, const char *holder, struct error *err);

// ---- decisions and events --------------------------------------------------------------------------------

enum store_loop {
    STORE_LOOP_MEMORY,
    STORE_LOOP_IMMEDIATE,
    STORE_LOOP_LONGTERM,
    STORE_LOOP_OPERATOR,
};

const char *store_loop_name(enum store_loop loop);

// What a loop decided for one VM (or a host) and why; also why nothing was done.
struct store_decision {
    enum store_loop loop;
    const char *host;
    const char *vm_uuid; // NULL: concerns the host
    const char *vm_name; // NULL with vm_uuid NULL
    const char *verdict; // short and stable: "balloon", "move", "stay", "no-destination", ...
    const char *reason;  // for a person, with figures
    const char *detail;  // NULL or candidates and figures, one a line
    bool acted;          // it was done (auto), not only said
    // written by the store
    uint64_t id;
    int64_t first_age_ms, last_age_ms;
    uint32_t times; // the same verdict of the same loop for the same VM in a row is one row, counted
};

struct store_decisions {
    struct arena *arena;
    struct store_decision *at; // newest first
    size_t n;
};

// Appends n decisions in one transaction. One that repeats the last verdict of that loop for that VM and host
// renews its row (reason and detail are the newest), so that a loop may append every round.
int store_append_decisions(struct store *store, const struct store_decision *decisions, size_t n,
                           struct error *err);

struct store_decision_filter {
    const char *host, *vm_uuid; // NULL: any
    bool of_host;               // only those that concern a host as a whole (no VM)
    uint64_t after_id;          // only later ones
    uint32_t limit;             // 0: 100
};

int store_read_decisions(struct store *store, const struct store_decision_filter *filter,
                         struct store_decisions **ret_decisions, struct error *err);
struct store_decisions *store_decisions_free(struct store_decisions *decisions);

enum store_severity {
    STORE_INFO,
    STORE_WARNING,
    STORE_ERROR,
};

// Something that happened.
struct store_event {
    enum store_severity severity;
    const char *kind;    // short and stable: "host-joined", "migration-done", "balloon-stuck", ...
    const char *host;    // NULL: the cluster
    const char *vm_uuid; // NULL: none
    const char *vm_name;
    const char *text;
    // written by the store
    uint64_t id;
    struct wall at;
    int64_t age_ms;
};

struct store_events {
    struct arena *arena;
    struct store_event *at; // oldest first
    size_t n;
};

int store_append_event(struct store *store, const struct store_event *event, struct error *err);

struct store_event_filter {
    const char *host, *vm_uuid; // NULL: any
    enum store_severity least;
    uint64_t after_id; // only later ones
    uint32_t limit;    // the newest so many; 0: 100
};

// The store itself appends events for joins, leaves, claims, outcomes and settings.
int store_read_events(struct store *store, const struct store_event_filter *filter,
                      struct store_events **ret_events, struct error *err);
struct store_events *store_events_free(struct store_events *events);

// ---- settings --------------------------------------------------------------------------------------------

enum store_scope {
    STORE_SCOPE_CLUSTER, // object ""
    STORE_SCOPE_HOST,    // object: host's name
    STORE_SCOPE_VM,      // object: the VM's UUID
};

struct store_setting {
    enum store_scope scope;
    const char *object;
    const char *key;
    const char *value;
    int64_t age_ms; // written by the store
};

struct store_settings {
    struct arena *arena;
    struct store_setting *at; // by scope, object, key
    size_t n;
    uint64_t generation;
};

// value NULL removes it. Keys and values are checked against store/setting_keys.h: ERROR_INPUT names the
// key, what was given, and what is possible.
int store_set(struct store *store, enum store_scope scope, const char *object, const char *key,
              const char *value, struct error *err);

// host NULL: all; else the cluster's, that host's, and those of the VMs on it.
int store_read_settings(struct store *store, const char *host, struct store_settings **ret_settings,
                        struct error *err);
struct store_settings *store_settings_free(struct store_settings *settings);

#endif
