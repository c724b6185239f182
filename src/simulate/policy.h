// A policy: what is done to the world while its trace runs. ballast's own loops and the yardsticks are behind
// this one interface.
#ifndef BALLAST_SIMULATE_POLICY_H
#define BALLAST_SIMULATE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "simulate/scenario.h"
#include "simulate/world.h"

struct policy_class {
    const char *name;
    const char *summary; // one line for the help

    // Makes the policy's state. world and scenario are borrowed for its life.
    int (*start)(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                 struct error *err);

    // Acts at the world's present; returns when it wants to be called again (virtual ms, later than now), or
    // INT64_MAX. It is called at 0 first, and again whenever the world reached that time.
    int64_t (*step)(void *state);

    // A migration of its ended. May be NULL.
    void (*migration_ended)(void *state, const struct world_migration_end *end);

    void (*stop)(void *state); // takes NULL

    bool has_memory_manager; // else the hosts' own runs beside it, where the scenario has ballooning
};

extern const struct policy_class policy_none;
extern const struct policy_class policy_ballast;
extern const struct policy_class policy_ballast_immediate;
extern const struct policy_class policy_ballast_longterm;
extern const struct policy_class policy_memory; // the hosts' memory managers alone; not to be chosen by name
extern const struct policy_class policy_drs;
extern const struct policy_class policy_sandpiper;
extern const struct policy_class policy_lr_mmt;

// The class of that name, or NULL. policy_by_index goes through all of them.
const struct policy_class *policy_by_name(const char *name);
const struct policy_class *policy_by_index(size_t i);

#endif
