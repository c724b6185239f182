// The world under the policies: hosts divide CPU and memory among VMs that follow a trace, with a virtual clock.
//
// Between events (slots, migrations that end, hosts that wake) everything is constant, so time is not stepped
// through but jumped over: each host's rates (loss, power, unmet work, ...) are integrated whenever one of them
// is to change. Policies act between two calls of world_advance, by the orders below.
#ifndef BALLAST_SIMULATE_WORLD_H
#define BALLAST_SIMULATE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "simulate/scenario.h"
#include "simulate/trace.h"
#include "simulate/view.h"

struct world;

// What has come together since the beginning. CPU in units x s.
struct world_totals {
    double exist_w_s; // sum of weight x time of the VMs
    double lost_vm_s; // sum of weight x (1 - satisfaction)
    double lost_to_contention_vm_s;
    double lost_to_migration_vm_s;
    double energy_j;
    double demanded, delivered;     // CPU work
    double not_delivered_migrating; // of VMs under migration
    double active_s, violated_s;    // hosts: time with load; of that, with less given than asked
    double on_s;                    // hosts: time switched on
    double mem_short_mib_s;         // memory that VMs used and did not have
    double balloon_moved_mib, guest_swapped_mib;
    uint64_t migrations, failed_migrations, returns_1h, shutdowns, crashes;
    uint32_t migrations_per_vm_max;
    uint64_t rows_sampled, rows_reported; // VMs measured by their hosts; of these, told to the others
};

// Rates at this moment.
struct world_rates {
    double lost_vm_s_per_s, exist_w, power_w, demand, delivered;
    double mem_used_mib, balloon_mib, swap_mib;
    uint32_t hosts_on, migrations_running, vms;
};

// What became of a migration, for the policy that ordered it.
struct world_migration_end {
    uint32_t vm, from, to;
    bool done; // else it failed and the VM is where it was
    double duration_s, downtime_s;
};

// scenario and trace are borrowed. The world ends with its slot number slots. VMs that cannot be on any host are left out; see world_left_out.
// Begins with slot 0 not begun: the first world_advance to 0 begins it.
int world_new(const struct scenario *scenario, const struct trace *trace, uint32_t slots, uint64_t seed,
              struct world **ret_world, struct error *err);
struct world *world_free(struct world *world);

const struct view *world_view(const struct world *world);

// Names of VMs of the trace that are larger than every host: "a, b". Empty string when none.
const char *world_left_out(const struct world *world);

// Runs until the virtual clock is at until_ms, or earlier where something happened that policies should see
// at once: a migration ended, a host came up or crashed. Returns the time reached.
int64_t world_advance(struct world *world, int64_t until_ms);

// The migrations that ended in the last world_advance.
uint32_t world_migrations_ended(const struct world *world, const struct world_migration_end **ret_ended);

// Orders. False when refused: no such VM now, it migrates already, the destination is not on or is its own host,
// or (where memory counts) could not hold it.
bool world_migrate(struct world *world, uint32_t vm, uint32_t to);
bool world_wake(struct world *world, uint32_t host);
bool world_sleep(struct world *world, uint32_t host);
bool world_set_balloon(struct world *world, uint32_t vm, double mib);

// Counts what a policy had its hosts measure and tell.
void world_note_rows(struct world *world, uint64_t sampled, uint64_t reported);

struct world_totals world_totals(struct world *world); // brings all sums to the present first
struct world_rates world_rates(const struct world *world);

// Weighted loss and weighted life of each VM so far; n_vms entries each.
void world_vm_losses(struct world *world, const double **ret_lost_vm_s, const double **ret_exist_w_s);

#endif
