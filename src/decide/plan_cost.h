// What a migration of a snapshot's VM costs, for planning.
#ifndef BALLAST_DECIDE_PLAN_COST_H
#define BALLAST_DECIDE_PLAN_COST_H

#include "decide/migration_cost.h"
#include "model/snapshot.h"

// Cost of moving VM v over a link of that bandwidth; weight is shares / mean shares.
struct migration_cost plan_cost(const struct snapshot *snapshot, uint32_t v, double weight,
                                double bandwidth_mib_s);

// Bandwidth between two hosts: the smaller of both.
double plan_bandwidth_mib_s(const struct snapshot *snapshot, uint32_t from, uint32_t to);

#endif
