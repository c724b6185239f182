// Inside the driver: its state, shared by its files.
#ifndef BALLAST_AGENT_DRIVER_STATE_H
#define BALLAST_AGENT_DRIVER_STATE_H

#include <uv.h>

#include "agent/balance_feed.h"
#include "agent/driver.h"
#include "agent/exchange.h"
#include "agent/guests.h"
#include "agent/journal.h"
#include "agent/memory_feed.h"
#include "agent/mover.h"
#include "agent/teller.h"
#include "decide/immediate.h"
#include "decide/memory_manager.h"

// In maintenance: until the next look when a move was not made, or could not be and no row has changed since.
#define DRIVER_EMPTYING_MS 10000

struct driver {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_async_t store_answered;
    struct settings *settings;
    char host_name[256];
    struct host *host;
    struct teller *teller;
    struct exchange *exchange;
    struct mover *mover;
    struct guests guests;
    struct journal journal;

    // sampling
    bool sampling;
    uint64_t rounds; // worked off since the start
    bool again;      // a sample is wanted as soon as the running one is done
    unsigned again_groups;
    struct mono balloon_at; // last sample with balloon statistics
    struct mono domains_at; // last one that listed the domains
    bool first_sample_seen;
    bool connected, told_lost;
    struct mono started_at;
    struct mono now; // of the latest sample or tick
    const struct host_sample *sample;

    // memory
    struct memory_feed memory_feed;
    struct memory_manager *memory;
    struct memory_output memory_out;
    bool memory_stepped;
    bool fence_judged;    // since auto is wanted here
    bool fence_missing;   // the manager's latest word: the fence cannot be held
    struct mono fence_at; // since when
    bool auto_refused;    // balloons are not lowered, only said, while memory is not short

    // CPU of the host
    struct mono busy_at;
    uint64_t busy_ns;
    double used_cores;
    double other_cores; // used beside the VMs, smoothed
    bool cpu_is_new;

    // balance
    struct balance_feed balance_feed;
    struct arena *arena;
    struct immediate *immediate;
    struct immediate_output immediate_out;
    enum immediate_verdict last_verdict;
    bool want_cluster;                 // the balancer has use for fresh rows
    bool want_full;                    // ... of all VMs
    bool asked_full;                   // the exchange under way asks for all VMs
    uint64_t ordered_vm;               // the order that runs, 0: none
    struct migration_estimate ordered; // as modelled without what was learned
    struct migration_calibration learned;

    // maintenance
    struct mono emptied_at;     // when a VM was last sent away or none could be
    struct mono emptying_until; // no look before then ...
    bool emptying_in_vain;      // ... unless the last was in vain and rows have changed since
    uint64_t emptying_rows;

    enum agent_mode mode; // in force on this host
    bool maintenance;     // by the store's settings: takes no VM and is emptied
    uint32_t told_overflow;
    bool mode_known; // the store's settings have been read, or waited for in vain

    // closing
    bool closing;
    unsigned handles_open;
    void (*closed)(void *user);
    void *closed_user;
};

// The hands: one per mode, chosen per VM by the least of the modes that apply to it. What is not done is
// left undone here and nowhere else.
struct actuator {
    // Each returns whether it was done (ordered), not only said.
    bool (*balloon)(struct driver *driver, struct guest *guest, uint64_t to_kib);
    bool (*weight)(struct driver *driver, struct guest *guest, double weight);
    // done: started or proposed. *ret_running: mover will tell its end.
    bool (*move)(struct driver *driver, const struct move_request *request, bool *ret_running);
};

const struct actuator *actuator_of(enum agent_mode mode);

// Steps of the loops on a sample that was just taken over.
void driver_memory(struct driver *driver);
void driver_balance(struct driver *driver);
void driver_maintenance(struct driver *driver); // instead of driver_balance while in maintenance

// Asks the VM's actuator for a move to the host of the row `to`. The caller writes benefit, cost, duration and reason into
// the request; the rest, what the store reserves there included, is filled in. Whether it was acted on, running: carried
// out now, not only proposed.
bool driver_ask_move(struct driver *driver, struct guest *guest, const struct store_host *to,
                     struct move_request *request, bool *ret_running);
void driver_weights(struct driver *driver);

// The store has new rows: orders to carry out, claims to take up.
void driver_cluster(struct driver *driver, const struct exchange_news *news);

// A migration of ours has ended.
void driver_move_ended(void *user, const struct move_end *end);

// Callbacks of the loop, the host, the exchange and the teller.
void driver_on_timer(uv_timer_t *timer);
void driver_on_event(void *user, const struct host_event *event);
void driver_on_news(void *user, const struct exchange_news *news);
void driver_on_store_answered(uv_async_t *async);
void driver_wake(void *context); // on the teller's thread

// Asks for a sample at once, with groups besides the usual ones.
void driver_sample_now(struct driver *driver, unsigned groups);

#endif
