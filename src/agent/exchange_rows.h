// Which rows go to the store with the next exchange, and what stands in them.
#ifndef BALLAST_AGENT_EXCHANGE_ROWS_H
#define BALLAST_AGENT_EXCHANGE_ROWS_H

#include "agent/exchange.h"
#include "base/arena.h"

struct exchange_rows {
    size_t n; // VMs chosen
    struct guest **chosen;
    struct report_figures *figures; // of the chosen, as they are sent
    bool *with_history;
    size_t n_gone;
    char **gone; // UUIDs, borrowed from gone_text
    char (*gone_text)[HOST_UUID_TEXT_SIZE];
    struct report_figures host; // sums, as they are sent
    double capacity_cores, capacity_mib;
    // scratch
    struct guest **present;
    struct report_vm *report;
    uint32_t *index;
    double *drift;
    struct entitlement_claim *cpu_claim;
    double *cpu_grant_cores;
    void *scratch; // of entitlement_divide
};

// Room for GUESTS_MAX VMs. -1 when out of memory.
int exchange_rows_init(struct exchange_rows *rows);
void exchange_rows_clear(struct exchange_rows *rows);

// Chooses: all on joining, else those that decide/report.h says, and those that came or went.
void exchange_rows_choose(struct exchange_rows *rows, struct guests *guests, const struct exchange_host *host,
                          bool all, struct mono now);

bool exchange_rows_host_changed(const struct exchange_rows *rows, const struct report_figures *reported);

// Texts are copied to the arena: the row is read by another thread.
void exchange_rows_write_host(struct exchange_rows *rows, const struct settings *settings,
                              const char *host_name, const char *address, const struct guests *guests,
                              const struct exchange_host *host, struct arena *arena,
                              struct store_host *ret_row);
struct store_vm *exchange_rows_write_vms(struct exchange_rows *rows, const struct guests *guests,
                                         struct arena *arena, struct mono now);

// The store has them: remembers what was sent.
void exchange_rows_arrived(struct exchange_rows *rows, struct mono now);

#endif
