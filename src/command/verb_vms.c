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
    struct json_writer *w = json_writer_new(true);
    if (!w)
        return exit_status_of((error_set(err, ERROR_MEMORY, "no memory"), err));
    json_object_begin(w);
    json_key_string(w, "format", "ballast-vms-1");
    json_key(w, "vms");
    json_array_begin(w);
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        if (wanted(options, &c->vms[v]))
            live_json_vm(w, &c->vms[v]);
    json_array_end(w);
    json_object_end(w);
    return json_print_take(w, err);
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

static void print_table(const struct store_cluster *c, const struct vms_options *options)
{
    struct table *t = table_new();
    table_column(t, "VM", ALIGN_LEFT);
    table_column(t, "HOST", ALIGN_LEFT);
    table_column(t, "STATE", ALIGN_LEFT);
    table_column(t, "MODE", ALIGN_LEFT);
    table_column(t, "SHARES", ALIGN_RIGHT);
    table_column(t, "VCPUS", ALIGN_RIGHT);
    table_column(t, "WANTED", ALIGN_RIGHT);
    table_column(t, "CPU %", ALIGN_RIGHT);
    table_column(t, "MAX", ALIGN_RIGHT);
    table_column(t, "CURRENT", ALIGN_RIGHT);
    table_column(t, "USED", ALIGN_RIGHT);
    table_column(t, "ACTUAL", ALIGN_RIGHT);
    table_column(t, "ENTITLED", ALIGN_RIGHT);
    table_column(t, "MEM %", ALIGN_RIGHT);
    table_column(t, "WHY", ALIGN_LEFT);
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        if (wanted(options, &c->vms[v]))
            print_row(t, &c->vms[v], c->snapshot->vms.name[v]);
    table_print(t, stdout);
    table_free(t);
}

static int run(const void *values, char **words, int n_words, struct error *err)
{
    (void)words;
    (void)n_words;
    const struct vms_options *options = values;
    const struct store_host *host = NULL;
    struct store_cluster *cluster = NULL;
    int status = EXIT_DONE;
    if (live_read(options->store, &cluster, err) < 0)
        return exit_status_of(err);
    if (options->host && live_find_host(cluster, options->host, &host, err) < 0)
        status = exit_status_of(err);
    else if (options->json)
        status = print_json(cluster, options, err);
    else
        print_table(cluster, options);
    store_cluster_free(cluster);
    return status;
}

const struct verb verb_vms = {
    .name = "vms",
    .words = "",
    .summary = "the VMs: their four memories, demand, entitlement, satisfaction",
    .more = "Memory in MiB: MAX what the VM may have at most, CURRENT what its balloon leaves it, USED what "
            "the guest\n"
            "needs, ACTUAL what backs it on the host. CPU % and MEM %: satisfaction. " LIVE_STORE_TEXT,
    .options = rows,
    .n_options = sizeof rows / sizeof *rows,
    .values_size = sizeof(struct vms_options),
    .run = run,
};
