// Consolidation by levels: as few hosts as the expected cost of overloads allows.
#ifndef BALLAST_DECIDE_PACK_LEVEL_H
#define BALLAST_DECIDE_PACK_LEVEL_H

#include "decide/plan_search.h"

// What an overload costs before the move that ends it is over: a move's worth, as if the host's CPU were gone for so
// long, and the excess until then.
#define PACK_MOVE_S 3.0
#define PACK_RELIEF_S 17.0
// An overload is counted once per slot of this length, and a change of the risk is taken to last for so many.
#define PACK_SLOT_S 300.0
#define PACK_HORIZON_SLOTS 12.0
// Expected cost per slot of all hosts in use, as seconds of their CPU: above the first another host is opened, and one is
// emptied if that ends below the second. Far apart, since each emptying takes a host's worth of moves.
#define PACK_OPEN_S 0.35
#define PACK_DRAINED_S 0.17
// Where the figures are so old that they say less than half of now (`blind`), an excess lasts long and costs much more:
// the bounds are wider by this factor, else hosts would be opened for what moves prevent.
#define PACK_BLIND_WIDER 2.4
// and hosts are emptied by bounds that are wider by this part of it only: what turns out wrong is noticed late.
#define PACK_BLIND_DRAIN 0.6
// Blind, hosts above so many times the bound are relieved of risk by moves that pay by that alone. (Where an overload
// can be seen and ended, waiting for it is cheaper than preventing it.)
#define PACK_PREVENT 1.35
// The first packing fills hosts to mean + so many standard deviations.
#define PACK_SIGMAS 1.5
// What a VM loses itself weighs more than what its move costs others: moves are what guests notice.
#define PACK_OWN_LOSS 5.0
// Part of its work that a VM under migration loses.
#define PACK_SLOW_DOWN 0.1
// Each move that a VM has had makes the next dearer, by so many seconds of what it may use.
#define PACK_MOVED_S 0.8
// Correlation of a demand with itself falls by e in so many seconds: what an old figure still says of now.
#define PACK_PERSISTENCE_S 120.0
// Most moves from one host in a plan.
#define PACK_RELIEF_MOVES 3
// Hosts that are tried for emptying, those with the fewest VMs first: that takes the fewest moves.
#define PACK_DRAIN_TRIES 3
// An emptied host's VMs fill no other beyond this part with what they want now.
#define PACK_DRAIN_FILL 0.97

// Relieves overloads, opens or empties a host, or packs anew, as the settings say, noting the steps. emptied and woken
// (n_hosts entries) are set for hosts concerned. Returns how many were emptied. O(VMs of overloaded hosts x hosts).
uint32_t pack_level_run(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                        bool *emptied, bool *woken);

#endif
