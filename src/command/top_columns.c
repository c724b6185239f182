#include "command/top_columns.h"

#include <stdio.h>

#include "command/live.h"
#include "store/setting_keys.h"

// All have the type of top_column.special, whether they write the text, choose the style, or both.
// NOLINTBEGIN(readability-non-const-parameter)
static void host_state(const void *row, char *text, size_t size, enum style *style)
{
    snprintf(text, size, "%s", live_host_state(row, style));
}

static void host_memory(const void *row, char *text, size_t size, enum style *style)
{
    snprintf(text, size, "%s", live_memory_state(((const struct store_host *)row)->memory_state, style));
}

static void host_mode(const void *row, char *text, size_t size, enum style *style)
{
    (void)style;
    snprintf(text, size, "%s", store_mode_name(((const struct store_host *)row)->mode));
}

static void host_way(const void *row, char *text, size_t size, enum style *style)
{
    const struct store_host *h = row;
    snprintf(text, size, "%u/%u", h->migrations_in, h->migrations_out);
    *style = h->migrations_in || h->migrations_out ? STYLE_BOLD : STYLE_DIM;
}

static void host_seen(const void *row, char *text, size_t size, enum style *style)
{
    const struct store_host *h = row;
    char age[16];
    snprintf(text, size, "%s", live_age(h->heartbeat_age_ms, age));
    *style = h->alive ? STYLE_DIM : STYLE_BAD;
}

static void host_demand(const void *row, char *text, size_t size, enum style *style)
{
    (void)text;
    (void)size;
    const struct store_host *h = row;
    *style = h->cpu_demand_cores > h->cpu_cores ? STYLE_WARN : STYLE_PLAIN;
}

static void host_unmet(const void *row, char *text, size_t size, enum style *style)
{
    (void)text;
    (void)size;
    *style = ((const struct store_host *)row)->mem_unmet_mib > 0.5 ? STYLE_BAD : STYLE_DIM;
}

static void vm_state(const void *row, char *text, size_t size, enum style *style)
{
    snprintf(text, size, "%s", live_vm_state(row, style));
}

static void vm_s_cpu(const void *row, char *text, size_t size, enum style *style)
{
    (void)text;
    (void)size;
    *style = live_satisfaction_style(((const struct store_vm *)row)->s_cpu);
}

static void vm_s_mem(const void *row, char *text, size_t size, enum style *style)
{
    (void)text;
    (void)size;
    *style = live_satisfaction_style(((const struct store_vm *)row)->s_mem);
}

static void vm_why(const void *row, char *text, size_t size, enum style *style)
{
    const struct store_vm *v = row;
    snprintf(text, size, "%s", v->why ? v->why : v->balloon_why ? v->balloon_why : "");
    *style = STYLE_DIM;
}

// NOLINTEND(readability-non-const-parameter)

#define HOST(field) offsetof(struct store_host, field)
#define VM(field) offsetof(struct store_vm, field)

static const struct top_column hosts[] = {
    {"HOST", 14, false, TOP_TEXT, HOST(name), 1, 0, NULL},
    {"STATE", 11, false, TOP_SPECIAL, 0, 1, 0, host_state},
    {"MODE", 9, false, TOP_SPECIAL, 0, 1, 0, host_mode},
    {"VMS", 4, true, TOP_COUNT, HOST(n_vms), 1, 0, NULL},
    {"CORES", 6, true, TOP_NUMBER, HOST(cpu_cores), 1, 1, NULL},
    {"WANTED", 7, true, TOP_NUMBER, HOST(cpu_demand_cores), 1, 2, host_demand},
    {"UNMET", 6, true, TOP_NUMBER, HOST(cpu_unmet_cores), 1, 2, NULL},
    {"MiB", 8, true, TOP_NUMBER, HOST(mem_mib), 1, 0, NULL},
    {"CURRENT", 8, true, TOP_NUMBER, HOST(mem_current_mib), 1, 0, NULL},
    {"USED", 8, true, TOP_NUMBER, HOST(mem_used_mib), 1, 0, NULL},
    {"AVAIL", 8, true, TOP_NUMBER, HOST(mem_available_mib), 1, 0, NULL},
    {"UNMET", 6, true, TOP_NUMBER, HOST(mem_unmet_mib), 1, 0, host_unmet},
    {"MEMORY", 6, false, TOP_SPECIAL, 0, 1, 0, host_memory},
    {"IN/OUT", 6, true, TOP_SPECIAL, 0, 1, 0, host_way},
    {"SEEN", 6, true, TOP_SPECIAL, 0, 1, 0, host_seen},
    {"", 0, false, TOP_TEXT, HOST(closed_why), 1, 0, NULL},
};

static const struct top_column vms[] = {
    {"VM", 16, false, TOP_TEXT, VM(name), 1, 0, NULL},
    {"HOST", 10, false, TOP_TEXT, VM(host), 1, 0, NULL},
    {"STATE", 8, false, TOP_SPECIAL, 0, 1, 0, vm_state},
    {"SHARES", 6, true, TOP_COUNT, VM(shares), 1, 0, NULL},
    {"CPUS", 4, true, TOP_COUNT, VM(vcpus), 1, 0, NULL},
    {"WANTED", 6, true, TOP_NUMBER, VM(cpu_demand_cores), 1, 2, NULL},
    {"ENTIT", 6, true, TOP_NUMBER, VM(cpu_entitlement_cores), 1, 2, NULL},
    {"CPU%", 4, true, TOP_NUMBER, VM(s_cpu), 100, 0, vm_s_cpu},
    {"MAX", 7, true, TOP_NUMBER, VM(mem_mib), 1, 0, NULL},
    {"CURRENT", 7, true, TOP_NUMBER, VM(mem_current_mib), 1, 0, NULL},
    {"USED", 7, true, TOP_NUMBER, VM(mem_used_mib), 1, 0, NULL},
    {"ACTUAL", 7, true, TOP_NUMBER, VM(mem_actual_mib), 1, 0, NULL},
    {"ENTIT", 7, true, TOP_NUMBER, VM(mem_entitlement_mib), 1, 0, NULL},
    {"MEM%", 4, true, TOP_NUMBER, VM(s_mem), 100, 0, vm_s_mem},
    {"WHY", 0, false, TOP_SPECIAL, 0, 1, 0, vm_why},
};

struct top_list top_hosts(void)
{
    return (struct top_list){.columns = hosts,
                             .n_columns = sizeof hosts / sizeof *hosts,
                             .row_size = sizeof(struct store_host),
                             .key_offset = HOST(name),
                             .name_offset = HOST(name)};
}

struct top_list top_vms(void)
{
    return (struct top_list){.columns = vms,
                             .n_columns = sizeof vms / sizeof *vms,
                             .row_size = sizeof(struct store_vm),
                             .key_offset = VM(uuid),
                             .name_offset = VM(name)};
}
