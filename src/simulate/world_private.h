// The world's inside, shared by world_*.c only.
#ifndef BALLAST_SIMULATE_WORLD_PRIVATE_H
#define BALLAST_SIMULATE_WORLD_PRIVATE_H

#include "base/arena.h"
#include "base/random.h"
#include "base/vector.h"
#include "decide/entitlement.h"
#include "simulate/world.h"

#define WORLD_LEFT 16 // hosts that a VM has left lately, for returns_1h

// Rates of a host that hold until something changes there.
struct host_rates {
    double exist_w, lost, lost_contention, lost_migration;
    double power_w;
    double demanded, delivered, not_delivered_migrating;
    double mem_short_mib;
    double mem_used_mib, balloon_mib, swap_mib;
    uint32_t vms;
    bool on, active, violated;
};

struct migration {
    uint32_t vm, from, to;
    int64_t started_ms;
    int64_t end_ms;     // at the present rate
    int64_t updated_ms; // left_mib is of this moment
    double left_mib;    // still to be sent
    double rate_mib_s;
    double setup_s; // before the first byte is sent
    double downtime_s;
    double slow_down;
    double fail_at_mib; // fails when so much is left; < 0: does not
};

DEFINE_VECTOR(migrations, struct migration);
DEFINE_VECTOR(migration_ends, struct world_migration_end);

struct left_host {
    uint32_t host;
    int64_t at_ms;
};

struct world {
    const struct scenario *scenario;
    const struct trace *trace;
    struct arena *arena; // owns all arrays below but the vectors and lists
    struct random random;
    struct view view; // what policies see; points into the arrays below
    int64_t now_ms;
    uint32_t n_slots;
    bool slot_begun; // slot 0 has begun
    const char *left_out;

    // hosts
    uint32_t n_hosts;
    const char **host_name;
    double *host_cores, *host_core_cores, *host_mem_mib, *host_net_mib_s;
    const struct power_curve **host_curve;
    enum host_power *host_power;
    uint32_t *host_in, *host_out;
    struct view_list *host_vms;
    int64_t *host_change_ms; // when waking, falling asleep or repair ends
    int64_t *host_crash_ms;  // next crash; INT64_MAX: never
    bool *host_dirty;        // rates are to be computed anew
    int64_t *host_since_ms;  // rates hold since
    struct host_rates *host_rates;

    // VMs
    uint32_t n_vms;
    uint32_t *vm_trace; // number in the trace
    const char **vm_name;
    uint32_t *vm_vcpus;
    double *vm_cores, *vm_mem_mib, *vm_overhead_mib, *vm_shares, *vm_weight;
    uint32_t *vm_host, *vm_to, *vm_moves;
    int64_t *vm_since_ms;
    bool *known;
    double *known_cpu, *known_mem;
    double *demand;   // units, now
    double *mem_used; // what the guest needs, now
    double *mem_current, *mem_actual, *guest_swap;
    double *dirty_mib_s;
    double *delivered;          // units, now
    double *s_mem;              // satisfaction with memory
    double *vm_lost, *vm_exist; // integrals
    double *vm_lost_rate;       // now
    struct left_host (*vm_left)[WORLD_LEFT];
    uint32_t *vm_n_left; // ever; the ring holds the last WORLD_LEFT

    struct migrations running;
    struct migration_ends ended;
    struct world_totals totals;

    struct entitlement_claim *claim; // scratch for as many VMs as there are
    double *grant;                   // CPU
    double *grant_mem;               // memory
    void *scratch;
};

// Brings host h's integrals to the present and computes its rates anew.
void world_refresh_host(struct world *world, uint32_t h);
void world_refresh_dirty(struct world *world);
void world_flush_host(struct world *world, uint32_t h); // integrals only

// Memory of host h's VMs: resident sets, swapping, s_mem. Returns what is short, in MiB, in ret of the rates.
void world_divide_memory(struct world *world, uint32_t h, struct host_rates *rates);

// A slot long every guest has read files and kept them.
void world_fill_caches(struct world *world);

// Puts a VM on a host, or takes it off, keeping the order of the others.
void world_attach(struct world *world, uint32_t v, uint32_t h);
void world_detach(struct world *world, uint32_t v);

// When host h crashes next after from_ms, drawn at random; INT64_MAX: never.
int64_t world_next_crash_ms(struct world *world, int64_t from_ms);

// Where a VM that arrives goes; VIEW_NONE: nowhere.
uint32_t world_place(const struct world *world, uint32_t v);

// Migrations: the running ones' next end; ends those due now; gives up those of VM v or of host h.
int64_t world_next_migration_ms(const struct world *world);
void world_end_migrations(struct world *world);
void world_cancel_migrations(struct world *world, uint32_t vm, uint32_t host);

#endif
