// A made-up cluster in a store, for the benchmark and for looking at screens without hosts.
#ifndef BALLAST_BENCH_STORE_CLUSTER_H
#define BALLAST_BENCH_STORE_CLUSTER_H

#include "base/random.h"
#include "store/store.h"

#define CLUSTER_VMS_PER_HOST 32

struct made_host {
    struct store_host row;
    struct store_vm vms[CLUSTER_VMS_PER_HOST];
    uint32_t n_vms;
    char name[16];
    char vm_names[CLUSTER_VMS_PER_HOST][32], uuids[CLUSTER_VMS_PER_HOST][40];
    double level_cores[CLUSTER_VMS_PER_HOST], level_mib[CLUSTER_VMS_PER_HOST];
};

// Host number `index` with n_vms VMs (at most CLUSTER_VMS_PER_HOST).
void made_host_init(struct made_host *host, unsigned index, uint32_t n_vms, struct random *random);

// A step of one second or so: demands wander, sometimes jump; the rows follow.
void made_host_step(struct made_host *host, struct random *random);

#endif
