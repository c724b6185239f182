// ballast vms: the VMs of the live cluster with their four memories.
#include <string.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/score_print.h"
#include "command/verbs.h"
#include "store/setting_keys.h"

struct vms_options {
    const char *store, *host;
    bool json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct vms_options),
    OPTION_TEXT(struct vms_options, host, "host", "HOST", NULL, "only the VMs of this host"),
    OPTION_FLAG(struct vms_options, json, "json", "print one JSON object (ballast-vms-1)"),
};

static bool wanted(const struct vms_options *options, const struct store_vm *vm)
{
    return !options->host || strcmp(options->host, vm->host) == 0;
}

static int print_json(const struct store_cluster *c, const struct vms_options *options, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-vms-1");
    json_key_array(w, "vms");
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        if (wanted(options, &c->vms[v]))
            live_json_vm(w, &c->vms[v]);
    json_array_end(w);
    return json_print_end(w, err);
}

static void print_row(struct table *t, const struct store_vm *v, const char *name)
{
    enum style state_style;
    const char *state = live_vm_state(v, &state_style);
    table_cell(t, STYLE_BOLD, "%s", name);
    table_cell(t, STYLE_PLAIN, "%s", v->host);
    table_cell(t, state_style, "%s", state);
    table_cell(t, STYLE_PLAIN, "%s", store_mode_name(v->mode));
    table_cell(t, STYLE_PLAIN, "%u", v->shares);
    table_cell(t, STYLE_PLAIN, "%u", v->vcpus);
    table_cell(t, STYLE_PLAIN, "%.2f", v->cpu_demand_cores);
    table_cell(t, live_satisfaction_style(v->s_cpu), "%.0f", 100 * v->s_cpu);
    table_cell(t, STYLE_PLAIN, "%.0f", v->mem_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", v->mem_current_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", v->mem_used_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", v->mem_actual_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", v->mem_entitlement_mib);
    table_cell(t, live_satisfaction_style(v->s_mem), "%.0f", 100 * v->s_mem);
    table_cell(t, STYLE_DIM, "%s", v->why ? v->why : v->balloon_why ? v->balloon_why : "");
}

static int print_table(const struct store_cluster *c, const struct vms_options *options)
{
    struct table *t = table_new(
        "VM|HOST|STATE|MODE|>SHARES|>VCPUS|>WANTED|>CPU %|>MAX|>CURRENT|>USED|>ACTUAL|>ENTITLED|>MEM %|WHY");
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        if (wanted(options, &c->vms[v]))
            print_row(t, &c->vms[v], c->snapshot->vms.name[v]);
    table_print_take(t, stdout);
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct vms_options *options = values;
    const struct store_host *host = NULL;
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    if (live_read(options->store, &cluster, err) < 0 ||
        (options->host && live_find_host(cluster, options->host, &host, err) < 0))
        return -1;
    return options->json ? print_json(cluster, options, err) : print_table(cluster, options);
}

const struct verb verb_vms = {
    .name = "vms",
    .words = "",
    .summary = "the VMs: their four memories, demand, entitlement, satisfaction",
    .more = "Memory in MiB: MAX what the VM may have at most, CURRENT what its balloon leaves it, USED what "
            "the guest\n"
            "needs, ACTUAL what backs it on the host. CPU % and MEM %: satisfaction. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct vms_options),
    .run = run,
};
