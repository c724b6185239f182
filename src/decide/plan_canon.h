// A snapshot in the bytewise order of names.
#ifndef BALLAST_DECIDE_PLAN_CANON_H
#define BALLAST_DECIDE_PLAN_CANON_H

#include "base/arena.h"
#include "model/snapshot.h"

// Calls DO(field) for every column of a VM but its host and the hosts that it cannot run on.
#define PLAN_CANON_VM_COLUMNS(DO)                                                                            \
    DO(name)                                                                                                 \
    PLAN_CANON_VM_FIGURES(DO)

#define PLAN_CANON_VM_FIGURES(DO)                                                                            \
    DO(vcpus)                                                                                                \
    DO(mem_mib)                                                                                              \
    DO(cpu_demand_cores)                                                                                     \
    DO(mem_used_mib)                                                                                         \
    DO(mem_current_mib)                                                                                      \
    DO(mem_actual_mib)                                                                                       \
    DO(mem_overhead_mib)                                                                                     \
    DO(cpu_sd_cores)                                                                                         \
    DO(mem_sd_mib)                                                                                           \
    DO(shares)                                                                                               \
    DO(cpu_shares)                                                                                           \
    DO(mem_shares)                                                                                           \
    DO(cpu_reservation_cores)                                                                                \
    DO(cpu_limit_cores)                                                                                      \
    DO(mem_reservation_mib)                                                                                  \
    DO(mem_limit_mib)                                                                                        \
    DO(dirty_mib_s)                                                                                          \
    DO(migrations_1h)                                                                                        \
    DO(movable)                                                                                              \
    DO(local_disk_mib)

// The figures of a host.
#define PLAN_CANON_HOST_FIGURES(DO)                                                                          \
    DO(state)                                                                                                \
    DO(zone)                                                                                                 \
    DO(cpu_cores)                                                                                            \
    DO(mem_mib)                                                                                              \
    DO(mem_reserved_mib)                                                                                     \
    DO(net_mib_s)                                                                                            \
    DO(threads_per_core)                                                                                     \
    DO(core_speed)

// Returns the snapshot itself when it is in order, else a reordered copy of its figures in arena (strings are
// borrowed). ret_vm and ret_host give the number in the original of each VM and host. O(n log n), O(n)
// when in order.
const struct snapshot *plan_canon(const struct snapshot *snapshot, struct arena *arena, uint32_t **ret_vm,
                                  uint32_t **ret_host);

// Always the copy, which may be written.
struct snapshot *plan_canon_copy(const struct snapshot *snapshot, struct arena *arena, uint32_t **ret_vm,
                                 uint32_t **ret_host);

// ret[order[i]] = i for a permutation of n numbers, allocated in arena.
uint32_t *plan_canon_inverse(uint32_t n, const uint32_t *order, struct arena *arena);

#endif
