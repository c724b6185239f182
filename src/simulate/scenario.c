#include "simulate/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define SCENARIO_FILE_MAX_BYTES ((size_t)1 << 20)

// Beloglazov and Buyya, "Optimal online deterministic algorithms and adaptive heuristics for energy and
// performance efficient dynamic consolidation of virtual machines in cloud data centers", CCPE 24(13), 2012.
static const struct scenario planetlab = {
    .name = "planetlab",
    .slot_s = TRACE_SLOT_S,
    .history = true,
    .bars = true,
    .report_part = 1,
    .unit_core_mhz = 2500, // the largest VM type is one core
    .n_host_types = 2,
    .host_type =
        {
            {"g4", 400, 2, 1860, 4096, 0, 62.5, &power_ml110_g4},
            {"g5", 400, 2, 2660, 4096, 0, 62.5, &power_ml110_g5},
        },
    .n_vm_types = 4,
    .vm_type = {{1, 2500, 870}, {1, 2000, 1740}, {1, 1000, 1740}, {1, 500, 613}},
    .placement = PLACEMENT_POWER,
    .divide_by_demand = true,
    .migration_slow_down = 0.1,
    .migration_destination_load = 0.1,
    .hosts_follow_use = true,
    .consolidate = true,
    .sample_s = 300,
    .longterm_s = 300,
};

static const struct scenario bitbrains = {
    .name = "bitbrains",
    .slot_s = TRACE_SLOT_S,
    .history = true,
    .bars = true,
    .report_part = 1,
    .unit_core_mhz = 2600,
    .n_host_types = 1,
    .host_type = {{"host", 0, 16, 2600, 131072, 0, 1000, &power_generic}},
    .overcommit = 1.0,
    .n_vm_types = 1,
    .vm_type = {{1, 2600, 4096}},
    .placement = PLACEMENT_ROOM,
    .memory_constrains = true,
    .vm_overhead_mib = 64,
    .guest_kernel_mib = 96,
    .cache_mib_s = 0.25,
    .swap_blind = true,
    .dirty_mib_s_busy = 20,
    .precopy = true,
    .migration_slow_down = 0.1,
    .migration_cpu_cores = 0.5,
    .standby_w = 5,
    .wake_s = 60,
    .sleep_s = 10,
    .ballooning = true,
    .sample_s = 10,
    .longterm_s = 300,
};

static bool builtin(const char *name, struct scenario *ret)
{
    if (strcmp(name, "planetlab") == 0) {
        *ret = planetlab;
        return true;
    }
    if (strcmp(name, "bitbrains") == 0) {
        *ret = bitbrains;
        return true;
    }
    static const char *const percent[] = {"80", "100", "130", "160"};
    for (size_t i = 0; i < sizeof(percent) / sizeof(*percent); i++)
        if (strncmp(name, "bitbrains-", 10) == 0 && strcmp(name + 10, percent[i]) == 0) {
            *ret = bitbrains;
            ret->overcommit = atoi(percent[i]) / 100.0;
            snprintf(ret->name, sizeof(ret->name), "%s", name);
            return true;
        }
    return false;
}

int scenario_load(const char *name, struct scenario *ret, struct error *err)
{
    if (builtin(name, ret))
        return 0;
    CLEANUP(free) char *text = NULL;
    size_t size;
    if (file_read(name, SCENARIO_FILE_MAX_BYTES, &text, &size, err) < 0) {
        if (err && err->kind == ERROR_MISSING)
            return error_set(err, ERROR_INPUT,
                             "scenario \"%s\": neither a built-in one (planetlab, bitbrains, bitbrains-80, "
                             "bitbrains-100, bitbrains-130, bitbrains-160) nor a file",
                             name);
        return -1;
    }
    return scenario_parse(name, text, ret, err);
}

const char *scenario_default_name(const struct trace *trace)
{
    return trace->has_memory ? "bitbrains" : "planetlab";
}
