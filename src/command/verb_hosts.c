// ballast hosts: the hosts of the live cluster.
#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/score_print.h"
#include "command/verbs.h"
#include "store/setting_keys.h"

struct hosts_options {
    const char *store;
    bool json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct hosts_options),
    OPTION_FLAG(struct hosts_options, json, "json", "print one JSON object (ballast-hosts-1)"),
};

static int print_json(const struct store_cluster *c, struct error *err)
{
    struct json_writer *w = json_writer_new(true);
    if (!w)
        return exit_status_of((error_set(err, ERROR_MEMORY, "no memory"), err));
    json_object_begin(w);
    json_key_string(w, "format", "ballast-hosts-1");
    json_key(w, "hosts");
    json_array_begin(w);
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++)
        live_json_host(w, &c->hosts[h]);
    json_array_end(w);
    json_object_end(w);
    return json_print_take(w, err);
}

static void print_row(struct table *t, const struct store_host *h)
{
    char age[16];
    enum style state_style, memory_style;
    const char *state = live_host_state(h, &state_style),
               *memory = live_memory_state(h->memory_state, &memory_style);
    table_cell(t, STYLE_BOLD, "%s", h->name);
    table_cell(t, state_style, "%s", state);
    table_cell(t, STYLE_PLAIN, "%s", store_mode_name(h->mode));
    table_cell(t, STYLE_PLAIN, "%u", h->n_vms);
    table_cell(t, STYLE_PLAIN, "%.1f", h->cpu_cores);
    table_cell(t, h->cpu_demand_cores > h->cpu_cores ? STYLE_WARN : STYLE_PLAIN, "%.2f", h->cpu_demand_cores);
    table_cell(t, h->cpu_unmet_cores > 0.05 ? STYLE_WARN : STYLE_DIM, "%.2f", h->cpu_unmet_cores);
    table_cell(t, STYLE_PLAIN, "%.0f", h->mem_mib - h->mem_reserved_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", h->mem_current_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", h->mem_used_mib);
    table_cell(t, STYLE_PLAIN, "%.0f", h->mem_available_mib);
    table_cell(t, h->mem_unmet_mib > 0.5 ? STYLE_BAD : STYLE_DIM, "%.0f", h->mem_unmet_mib);
    table_cell(t, memory_style, "%s", memory);
    table_cell(t, STYLE_PLAIN, "%u/%u", h->migrations_in, h->migrations_out);
    table_cell(t, STYLE_DIM, "%s", live_age(h->heartbeat_age_ms, age));
    table_cell(t, STYLE_WARN, "%s", h->closed && h->closed_why ? h->closed_why : "");
}

static void print_table(const struct store_cluster *c)
{
    struct table *t = table_new();
    table_column(t, "HOST", ALIGN_LEFT);
    table_column(t, "STATE", ALIGN_LEFT);
    table_column(t, "MODE", ALIGN_LEFT);
    table_column(t, "VMS", ALIGN_RIGHT);
    table_column(t, "CORES", ALIGN_RIGHT);
    table_column(t, "WANTED", ALIGN_RIGHT);
    table_column(t, "UNMET", ALIGN_RIGHT);
    table_column(t, "MiB", ALIGN_RIGHT);
    table_column(t, "CURRENT", ALIGN_RIGHT);
    table_column(t, "USED", ALIGN_RIGHT);
    table_column(t, "AVAILABLE", ALIGN_RIGHT);
    table_column(t, "UNMET", ALIGN_RIGHT);
    table_column(t, "MEMORY", ALIGN_LEFT);
    table_column(t, "IN/OUT", ALIGN_RIGHT);
    table_column(t, "SEEN", ALIGN_RIGHT);
    table_column(t, "", ALIGN_LEFT);
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++)
        print_row(t, &c->hosts[h]);
    table_print(t, stdout);
    table_free(t);
}

static int run(const void *values, char **words, int n_words, struct error *err)
{
    (void)words;
    (void)n_words;
    const struct hosts_options *options = values;
    struct store_cluster *cluster = NULL;
    if (live_read(options->store, &cluster, err) < 0)
        return exit_status_of(err);
    int status = EXIT_DONE;
    if (options->json)
        status = print_json(cluster, err);
    else
        print_table(cluster);
    store_cluster_free(cluster);
    return status;
}

const struct verb verb_hosts = {
    .name = "hosts",
    .words = "",
    .summary = "the hosts: what they have, what is wanted of them",
    .more = "CURRENT is what the balloons leave the VMs, USED what the VMs need; MEMORY is the state of the "
            "host's\n"
            "free memory: high (enough), soft, hard, low. " LIVE_STORE_TEXT,
    .options = rows,
    .n_options = sizeof rows / sizeof *rows,
    .values_size = sizeof(struct hosts_options),
    .run = run,
};
