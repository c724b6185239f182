// The exchange with the store: one job of the teller that carries everything one way and brings everything
// back, so that a calm agent costs the store one short transaction per heartbeat.
//
//     there: the host's row and the VMs that changed (all of them on joining), VMs that are gone, decisions
//            and events, the heartbeat
//     back:  the pulse (planning, orders), the settings when they changed, the cluster when it is asked for
//
// One exchange is under way at a time; what changes meanwhile goes with the next.
#ifndef BALLAST_AGENT_EXCHANGE_H
#define BALLAST_AGENT_EXCHANGE_H

#include <stdbool.h>

#include "agent/guests.h"
#include "agent/journal.h"
#include "agent/settings.h"
#include "agent/teller.h"
#include "decide/report.h"

// A VM's history summary travels this often: its series has slots of five minutes.
#define EXCHANGE_HISTORY_MS 300000

struct exchange;

// What is known of the cluster; valid until the next exchange ends.
struct exchange_news {
    const struct store_cluster *cluster;   // NULL: not asked for, or never read
    struct mono cluster_at;                // when it was read
    const struct store_settings *settings; // NULL: never read
    struct store_pulse pulse;
    bool failed;      // the last exchange, with a definite error: the store does not serve
    bool new_cluster; // in the exchange that just ended
    bool new_settings;
};

// Called on the loop's thread when an exchange has ended and the store has answered.
typedef void exchange_news_fn(void *user, const struct exchange_news *news);

struct exchange *exchange_new(struct teller *teller, const struct settings *settings, const char *host_name,
                              exchange_news_fn *on_news, void *user, struct error *err);

// After the teller was closed. Takes NULL, returns NULL.
struct exchange *exchange_free(struct exchange *exchange);

// What the host says of itself beyond what the sample and the guests tell.
struct exchange_host {
    const struct host_sample *sample;
    const struct memory_output *memory; // NULL: not managed
    enum agent_mode mode;
    bool maintenance;
    bool closed;
    const char *closed_why;
    double cpu_used_cores;
};

// Starts an exchange when one is due: rows changed, notes are waiting, the heartbeat, or want_cluster.
// Cheap otherwise. full: the cluster with all VMs and their histories instead of the hosts and own VMs.
// Returns whether one was started.
bool exchange_tick(struct exchange *exchange, struct guests *guests, struct journal *journal,
                   const struct exchange_host *host, bool want_cluster, bool full, struct mono now);

// The latest news; fields are NULL before the first.
const struct exchange_news *exchange_latest(const struct exchange *exchange);

// Whether the store knows this host.
bool exchange_joined(const struct exchange *exchange);

// Says that the host leaves, as the last job.
void exchange_leave(struct exchange *exchange);

#endif
