#include "simulate/policy.h"

#include <string.h>

static int start_none(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                      struct error *err)
{
    (void)world;
    (void)scenario;
    (void)seed;
    (void)err;
    *ret_state = NULL;
    return 0;
}

static int64_t step_none(void *state)
{
    (void)state;
    return INT64_MAX;
}

static void stop_none(void *state)
{
    (void)state;
}

const struct policy_class policy_none = {
    .name = "none",
    .summary = "VMs stay where they were first placed",
    .start = start_none,
    .step = step_none,
    .stop = stop_none,
};

static const struct policy_class *const all[] = {
    &policy_ballast, // one a line
    &policy_ballast_immediate, &policy_ballast_longterm, &policy_none, &policy_drs,
    &policy_sandpiper,         &policy_lr_mmt,
};

const struct policy_class *policy_by_index(size_t i)
{
    return i < sizeof(all) / sizeof(*all) ? all[i] : NULL;
}

const struct policy_class *policy_by_name(const char *name)
{
    for (size_t i = 0; policy_by_index(i); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
