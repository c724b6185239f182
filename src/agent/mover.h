// Carrying out migrations: claim, migrate, renew, finish; and finding out what became of those whose end
// nobody saw.
//
//     claiming -> migrating -> finishing -> (slot free)
//        |            |  outcome unknown
//        |            v
//        |         asking libvirt here and there, until the answer is certain
//        v
//     refused: the slot is free at once
//
// The store's row is the truth that survives us: a claim of this host that the store has open and no slot
// knows (ballastd was killed) is taken up by mover_recover and asked about like any unknown one. A finish
// that the store did not take is tried again until it does. Everything runs on the loop's thread.
#ifndef BALLAST_AGENT_MOVER_H
#define BALLAST_AGENT_MOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/settings.h"
#include "agent/teller.h"
#include "base/timepoint.h"
#include "host/host.h"
#include "store/store.h"

// Migrations of this host at a time, recovered ones included. The store's budgets are far below.
#define MOVER_SLOTS 16

// Between two questions about a migration whose end is not known, and between two tries to finish.
#define MOVER_ASK_MS 2000

// So often a destination may fail to answer while the VM runs here and no job is under way, before that is
// taken for the answer: a migration that has no job on its source is over.
#define MOVER_ASK_TRIES 3

struct mover;

// A move as it is to be done. Texts are copied.
struct move_request {
    struct host_uuid uuid;
    const char *vm_name;
    const char *to;              // host
    const char *destination_uri; // of its libvirt
    const char *data_uri;        // NULL: libvirt chooses
    uint64_t order;              // approved migration to carry out, or 0
    enum store_origin origin;
    struct store_epoch epoch; // of the lease that planned it; counter 0: none
    double mem_needed_mib, cpu_needed_cores, cpu_ceiling_cores;
    double growth; // that this host's settings want, a fraction; 0: the store's default
    double benefit_lost_vm_s, cost_lost_vm_s, duration_s;
    int64_t cooldown_ms;
    const char *reason;
};

// How a move ended, told once on the loop's thread; borrowed.
struct move_end {
    struct host_uuid uuid;
    const char *vm_name, *to;
    uint64_t id;                                     // of the store's row; 0: never claimed
    enum store_refusal refusal;                      // other than granted: the claim was refused
    enum store_migration_state outcome;              // done, refused, failed, cancelled
    const char *text;                                // why, "" when there is nothing to say
    double duration_s, downtime_ms, transferred_mib; // 0: not known
};

typedef void move_ended_fn(void *user, const struct move_end *end);

// settings: read at each use, so that a reload takes effect. All pointers must outlive the mover.
struct mover *mover_new(struct host *host, struct teller *teller, const struct settings *settings,
                        const char *host_name, move_ended_fn *ended, void *user, struct error *err);

// Only when the host and the teller have been closed and so no callback is outstanding. Takes NULL.
struct mover *mover_free(struct mover *mover);

// Starts with the claim. ERROR_REFUSED: no free slot, or that VM has one already.
int mover_start(struct mover *mover, const struct move_request *request, struct mono now, struct error *err);

// Writes a proposal that an operator may approve.
void mover_propose(struct mover *mover, const struct move_request *request);

// From now on nothing is asked or started: ballastd ends. Migrations go on; their claims are found again.
void mover_stop(struct mover *mover);

// Renews claims, asks and finishes what is due. Cheap when nothing is under way.
void mover_tick(struct mover *mover, struct mono now);

// Progress of a migration of ours.
void mover_event(struct mover *mover, const struct host_event *event);

// Takes up the migrations in rows that are open, start here and are in no slot.
void mover_recover(struct mover *mover, const struct store_cluster *cluster, struct mono now);

// Whether that VM is in a slot, and how many slots are taken.
bool mover_has(const struct mover *mover, const struct host_uuid *uuid);
size_t mover_count(const struct mover *mover);

#endif
