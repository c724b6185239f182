// ballast status: is all well, and what is going on.
#include <string.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/live_table.h"
#include "command/score_print.h"
#include "command/verbs.h"
#include "store/setting_keys.h"

struct status_options {
    const char *store;
    bool json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct status_options),
    OPTION_FLAG(struct status_options, json, "json", "print one JSON object (ballast-status-1)"),
};

struct summary {
    uint32_t alive, short_of_memory, short_of_cpu;
    double cores, demand_cores, unmet_cores;
    double mem_mib, used_mib, current_mib, maximum_mib, unmet_mib;
    struct score score;
};

static void summarize(const struct store_cluster *c, struct summary *s)
{
    memset(s, 0, sizeof *s);
    s->score.score = 1;
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++) {
        const struct store_host *host = &c->hosts[h];
        if (!host->alive)
            continue;
        s->alive++;
        s->cores += host->cpu_cores;
        s->mem_mib += host->mem_mib - host->mem_reserved_mib;
        s->demand_cores += host->cpu_demand_cores;
        s->unmet_cores += host->cpu_unmet_cores;
        s->used_mib += host->mem_used_mib;
        s->current_mib += host->mem_current_mib;
        s->unmet_mib += host->mem_unmet_mib;
        s->short_of_memory += host->memory_state > 0;
        s->short_of_cpu += host->cpu_demand_cores > host->cpu_cores;
    }
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        s->maximum_mib += c->vms[v].mem_mib + c->vms[v].mem_overhead_mib;
    if (c->snapshot->hosts.n)
        live_score(c, &s->score);
}

static int print_json(const struct store_cluster *c, const struct summary *s, const char *location,
                      const struct store_events *events, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-status-1");
    json_key_string(w, "store", location);
    json_key_string(w, "mode", store_mode_name(c->mode));
    json_key_bool(w, "planning", c->planning);
    json_key_integer(w, "hosts", c->snapshot->hosts.n);
    json_key_integer(w, "hosts_alive", s->alive);
    json_key_integer(w, "hosts_short_of_memory", s->short_of_memory);
    json_key_integer(w, "hosts_short_of_cpu", s->short_of_cpu);
    json_key_integer(w, "vms", c->snapshot->vms.n);
    json_key_number(w, "cpu_cores", s->cores);
    json_key_number(w, "cpu_demand_cores", s->demand_cores);
    json_key_number(w, "cpu_unmet_cores", s->unmet_cores);
    json_key_number(w, "mem_mib", s->mem_mib);
    json_key_number(w, "mem_used_mib", s->used_mib);
    json_key_number(w, "mem_current_mib", s->current_mib);
    json_key_number(w, "mem_maximum_mib", s->maximum_mib);
    json_key_number(w, "mem_unmet_mib", s->unmet_mib);
    json_key_object(w, "score");
    score_put_keys(w, &s->score);
    json_object_end(w);
    json_key_array(w, "migrations");
    for (size_t i = 0; i < c->n_migrations; i++)
        live_json_migration(w, &c->migrations[i]);
    json_array_end(w);
    json_key_array(w, "warnings");
    for (size_t i = 0; i < events->n; i++)
        live_json_event(w, &events->at[i]);
    json_array_end(w);
    return json_print_end(w, err);
}

// The mode that holds on each host: the least of the cluster's and its own.
static void print_modes(const struct store_cluster *c)
{
    unsigned n[3] = {0};
    for (uint32_t h = 0; h < c->snapshot->hosts.n; h++) {
        unsigned own = c->hosts[h].mode, cluster = c->mode;
        unsigned mode = own < cluster ? own : cluster;
        if (mode < 3)
            n[mode]++;
    }
    printf("Mode     ");
    for (unsigned mode = 0, said = 0; mode < 3; mode++)
        if (n[mode])
            printf("%s%s on %u host%s", said++ ? ", " : "", store_mode_name(mode), n[mode],
                   n[mode] == 1 ? "" : "s");
    printf("%s\n", c->mode < STORE_MODE_AUTO ? " (held down for the whole cluster: `ballast resume`)" : "");
}

static int print_text(const struct store_cluster *c, const struct summary *s, const char *location,
                      const struct store_events *events)
{
    uint32_t n = c->snapshot->hosts.n;
    enum style hosts = s->alive < n ? STYLE_BAD : STYLE_GOOD;
    printf("Store    %s%s\n", location, c->planning ? " (the long-term balancer is planning)" : "");
    print_modes(c);
    printf("Hosts    %s%u of %u alive%s", style_begin(stdout, hosts), s->alive, n, style_end(stdout));
    if (s->short_of_memory)
        printf(", %s%u short of memory%s", style_begin(stdout, STYLE_WARN), s->short_of_memory,
               style_end(stdout));
    if (s->short_of_cpu)
        printf(", %s%u short of CPU%s", style_begin(stdout, STYLE_WARN), s->short_of_cpu, style_end(stdout));
    printf("\nVMs      %u\n", c->snapshot->vms.n);
    printf("CPU      %.1f of %.1f cores wanted, %.2f not met\n", s->demand_cores, s->cores, s->unmet_cores);
    printf(
        "Memory   %.0f of %.0f MiB used; balloons leave %.0f, VMs may have %.0f (%.2f x); %.0f MiB not met\n",
        s->used_mib, s->mem_mib, s->current_mib, s->maximum_mib,
        s->mem_mib > 0 ? s->maximum_mib / s->mem_mib : 0, s->unmet_mib);
    printf("Score    %s%.4f%s, lowest satisfaction %.2f, 1st percentile %.2f, %.3f VM-seconds lost per "
           "second, as measured\n",
           style_begin(stdout, live_satisfaction_style(s->score.score)), s->score.score, style_end(stdout),
           s->score.s_min, s->score.s_p1, s->score.lost_vm_s_per_s);
    if (c->n_migrations) {
        printf("\n");
        live_table_migrations(c->migrations, c->n_migrations);
    }
    if (events->n) {
        printf("\nWarnings of the last hour\n");
        live_table_events(events->at, events->n);
    }
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    (void)words;
    const struct status_options *options = values;
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    CLEANUP(store_events_free) struct store_events *events = NULL;
    struct store_event_filter filter = {.least = STORE_WARNING, .limit = 10};
    if (live_open(options->store, false, &store, err) < 0 ||
        store_read_cluster(store, NULL, &cluster, err) < 0 ||
        store_read_events(store, &filter, &events, err) < 0)
        return -1;
    while (events->n > 0 && events->at->age_ms > 3600000) { // oldest first
        events->at++;
        events->n--;
    }
    struct summary summary;
    summarize(cluster, &summary);
    return options->json ? print_json(cluster, &summary, store_location(store), events, err)
                         : print_text(cluster, &summary, store_location(store), events);
}

const struct verb verb_status = {
    .name = "status",
    .words = "",
    .summary = "whether all is well, and what is moving",
    .more = LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct status_options),
    .run = run,
};
