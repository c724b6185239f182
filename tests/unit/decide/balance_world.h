// A small world of hosts and VMs under the immediate balancer, on virtual time: for tests and benchmarks of it.
//
// CPU is divided by water-filling, memory is there; a migration takes what migration_cost.h says and 10 % of the VM's
// work meanwhile. Hosts see each other as they were one step ago.
#ifndef BALLAST_TESTS_BALANCE_WORLD_H
#define BALLAST_TESTS_BALANCE_WORLD_H

#include "decide/immediate.h"

#define WORLD_MOST_VMS 64
#define WORLD_MOST_HOSTS 16
#define WORLD_MOST_MOVES 4096

struct world_vm {
    char name[16];
    uint32_t vcpus;
    double mem_mib;
    double dirty_mib_s;
    uint32_t host;
    bool pinned;
    // kept by the world
    double migrations_1h;
    struct push_left left[PUSH_LEFT];
    double left_at_s[PUSH_LEFT];
    uint32_t n_left;
    uint32_t moves; // in all
    double moved_at_s[64];
    double moving_until_s; // < 0: not moving
    uint32_t moving_to;
    double moving_lost_vm_s; // of its own work
    double demand, delivered, lost_vm_s;
    struct history history;
};

struct world_host {
    char name[16];
    double cores, mem_mib, net_mib_s;
    struct immediate *loop;
    struct immediate_output out;
    uint32_t moving;              // VM that moves from here, UINT32_MAX: none
    struct history_series series; // as reported: once a history slot, or when VMs come and go
    double reported_s;
    uint32_t reported_vms;
};

struct world_move {
    double at_s;
    uint32_t vm, from, to;
};

struct world {
    struct arena *arena;
    double step_s;
    double now_s;
    uint32_t n_hosts, n_vms;
    struct world_host host[WORLD_MOST_HOSTS];
    struct world_vm vm[WORLD_MOST_VMS];
    uint32_t n_moves;
    struct world_move move[WORLD_MOST_MOVES];
    uint32_t returns_1h;
    double lost_to_contention_vm_s, lost_to_migration_vm_s;
    bool act; // false: nobody moves anything
    // Mean demand in cores of VM v over the step that begins at t.
    double (*demand)(void *context, uint32_t v, double t_s, double step_s);
    void *context;
};

// n hosts of so many cores; VMs are added by world_add_vm.
struct world *world_new(uint32_t n_hosts, double cores, double step_s, uint64_t seed);
struct world *world_free(struct world *world);
uint32_t world_add_vm(struct world *world, uint32_t host, uint32_t vcpus, double mem_mib);

// Runs for so many seconds more.
void world_run(struct world *world, double seconds);

// Most migrations that any VM had within any 24 hours.
uint32_t world_moves_per_vm_and_day(const struct world *world);

#endif
