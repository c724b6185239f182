// The cluster's rows as a snapshot for decisions on this host: what is on its way counts where it goes, hosts that take
// nothing just now are as in maintenance, and of this host's own VMs what was measured here counts, not what was reported.
#ifndef BALLAST_AGENT_CLUSTER_VIEW_H
#define BALLAST_AGENT_CLUSTER_VIEW_H

#include "agent/guests.h"
#include "base/arena.h"
#include "decide/rules.h"
#include "model/snapshot.h"
#include "store/store.h"

struct cluster_view {
    struct arena *arena;      // of the view; emptied with each reading
    struct snapshot snapshot; // columns shared with the reading but for the few that differ
    struct rules *rules;
    uint32_t own; // this host; SNAPSHOT_NONE: it has no row, or the reading was not of all VMs
};

// -1 when out of memory.
int cluster_view_init(struct cluster_view *view);
void cluster_view_clear(struct cluster_view *view);

// Takes over a reading; full: of all VMs. Valid until the next. mode: this host's; in auto a VM goes only to a host that acts
// too. Writes each own guest's number in it (guest->in_view). O(VMs).
void cluster_view_fill(struct cluster_view *view, const struct store_cluster *cluster, bool full,
                       const char *host_name, enum agent_mode mode, struct guests *guests);

#endif
