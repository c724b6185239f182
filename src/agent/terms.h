// The terms under which a VM is served: shares, reservation, limit, mode, exclusion.
//
// Each comes from the first that says something: the domain's metadata (the owner's word travels with the
// VM), `ballast set` (the store), the default. A mode only ever narrows: the least of the agent's, the
// cluster's, the host's and the VM's holds. An exclusion by either source holds.
#ifndef BALLAST_AGENT_TERMS_H
#define BALLAST_AGENT_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/settings.h"
#include "host/facts.h"
#include "store/store.h"

// Shares per vCPU and per GiB of a VM that nobody gave any.
#define TERMS_DEFAULT_SHARES 1000

struct terms {
    uint32_t shares;     // weight of its satisfaction
    uint32_t cpu_shares; // shares x vCPUs unless given
    uint32_t mem_shares; // shares x GiB of maxmem unless given, at least 1
    double cpu_reservation_cores;
    double cpu_limit_cores; // at most the vCPUs
    double mem_reservation_mib;
    double mem_limit_mib; // at most maxmem
    enum agent_mode mode;
    bool excluded;
    char rules[RULE_TEXT_BYTES];
    bool rules_unreadable; // then it is not moved
    char needs[RULE_TEXT_BYTES];
};

// The mode for the whole host: the least of the agent's own, the cluster's and this host's settings in the
// store (rows may be NULL: nothing is known of the store).
// Whether the store says that the host is in maintenance. rows may be NULL.
bool terms_maintenance(const char *host, const struct store_settings *rows);

enum agent_mode terms_host_mode(enum agent_mode own, const char *host, const struct store_settings *rows);

// Terms of one VM with at most vcpus cores and maxmem_mib memory; rows may be NULL. O(rows).
void terms_resolve(const struct host_wishes *wishes, const char *uuid_text, const struct store_settings *rows,
                   enum agent_mode host_mode, uint32_t vcpus, double maxmem_mib, struct terms *ret_terms);

#endif
