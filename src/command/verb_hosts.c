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
    struct json_writer *w = json_print_begin("ballast-hosts-1");
    json_key_array(w, "hosts");
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++)
        live_json_host(w, &c->hosts[h]);
    json_array_end(w);
    return json_print_end(w, err);
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

static int print_table(const struct store_cluster *c)
{
    struct table *t = table_new("HOST|STATE|MODE|>VMS|>CORES|>WANTED|>UNMET|>MiB|>CURRENT|>USED|>AVAILABLE|>"
                                "UNMET|MEMORY|>IN/OUT|>SEEN|");
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++)
        print_row(t, &c->hosts[h]);
    table_print_take(t, stdout);
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct hosts_options *options = values;
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    if (live_read(options->store, &cluster, err) < 0)
        return -1;
    return options->json ? print_json(cluster, err) : print_table(cluster);
}

const struct verb verb_hosts = {
    .name = "hosts",
    .words = "",
    .summary = "the hosts: what they have, what is wanted of them",
    .more = "CURRENT is what the balloons leave the VMs, USED what the VMs need; MEMORY is the state of the "
            "host's\n"
            "free memory: high (enough), soft, hard, low. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct hosts_options),
    .run = run,
};
