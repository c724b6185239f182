// From the guests and what the store says of the cluster to the immediate balancer's input.
#ifndef BALLAST_AGENT_BALANCE_FEED_H
#define BALLAST_AGENT_BALANCE_FEED_H

#include "agent/cluster_view.h"
#include "agent/exchange.h"
#include "agent/guests.h"
#include "agent/mover.h"
#include "decide/immediate.h"

// Other hosts that one host chooses among; a cell of the cluster is smaller.
#define BALANCE_HOSTS_MAX 256

// In clusters of up to so many VMs all of them are read with every exchange; in larger ones only while this
// host has something to gain from it.
#define BALANCE_READ_ALWAYS_VMS 500

struct balance_feed {
    struct immediate_vm *vm; // GUESTS_MAX
    struct guest **guest;
    struct immediate_host *host; // BALANCE_HOSTS_MAX
    struct history_series *series;
    double (*unwatched)[HISTORY_RESOURCES];   // demand of each host's VMs that have no history
    const struct store_host **row;            // of each host; valid until the next exchange ends
    uint32_t *view_host;                      // of each host: its number in the view
    uint8_t (*may_run_on)[BALANCE_HOSTS_MAX]; // of each VM that has rules or needs
    int8_t (*broken_preferences)[BALANCE_HOSTS_MAX];
    struct cluster_view view;
    struct immediate_input input;
    double mean_shares;
    bool knows_hosts;   // the rows of the others' VMs were there
    uint32_t n_cluster; // VMs of the cluster, as the hosts' rows say
};

// -1 when out of memory.
int balance_feed_init(struct balance_feed *feed);
void balance_feed_clear(struct balance_feed *feed);

// New rows: builds the other hosts, and takes over what the store knows of own VMs' past. O(VMs read).
void balance_feed_cluster(struct balance_feed *feed, const struct store_cluster *cluster, bool full,
                          const char *host_name, enum agent_mode mode, struct guests *guests,
                          struct mono now);

// Fills feed->input from the sample and the guests. other_cores: CPU that the host itself uses beside its
// VMs, which is no capacity for them. No allocation.
void balance_feed_fill(struct balance_feed *feed, const struct host_sample *sample,
                       const struct guests *guests, const struct settings *settings,
                       const struct exchange_news *news, const struct mover *mover, double other_cores,
                       struct mono now);

#endif
