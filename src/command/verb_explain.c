// ballast explain VM: what one VM has, needs and is entitled to; what was decided about it lately and why; what
// was considered; why nothing was done.
#include <string.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/live_table.h"
#include "command/score_print.h"
#include "command/verbs.h"
#include "store/setting_keys.h"

struct explain_options {
    const char *store;
    int64_t limit;
    bool json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct explain_options),
    OPTION_INTEGER(struct explain_options, limit, "limit", "N", 1, 1000, 8,
                   "the newest so many decisions and events"),
    OPTION_FLAG(struct explain_options, json, "json", "print one JSON object (ballast-explain-1)"),
};

struct story {
    struct store_cluster *cluster;
    const struct store_vm *vm;
    const struct store_host *host;
    struct store_decisions *of_vm;
    struct store_decisions *of_host; // the host's own among them: vm_uuid NULL
    struct store_migrations *migrations;
    struct store_events *events;
    struct store_settings *settings;
};

static void cleanup_story(struct story *s)
{
    store_settings_free(s->settings);
    store_events_free(s->events);
    store_migrations_free(s->migrations);
    store_decisions_free(s->of_host);
    store_decisions_free(s->of_vm);
    store_cluster_free(s->cluster);
}

static int story_read(struct store *store, const char *word, uint32_t limit, struct story *s,
                      struct error *err)
{
    if (store_read_cluster(store, NULL, &s->cluster, err) < 0 ||
        live_find_vm(s->cluster, word, &s->vm, err) < 0 ||
        live_find_host(s->cluster, s->vm->host, &s->host, err) < 0)
        return -1;
    const char *uuid = s->vm->uuid;
    struct store_decision_filter of_vm = {.vm_uuid = uuid, .limit = limit};
    struct store_decision_filter of_host = {.host = s->vm->host, .of_host = true, .limit = limit};
    struct store_migration_filter moves = {.vm_uuid = uuid, .limit = limit};
    struct store_event_filter events = {.vm_uuid = uuid, .limit = limit};
    if (store_read_decisions(store, &of_vm, &s->of_vm, err) < 0 ||
        store_read_decisions(store, &of_host, &s->of_host, err) < 0 ||
        store_read_migrations(store, &moves, &s->migrations, err) < 0 ||
        store_read_events(store, &events, &s->events, err) < 0)
        return -1;
    return store_read_settings(store, s->vm->host, &s->settings, err);
}

// Settings that touch this VM: the cluster's mode, its host's, its own.
static bool concerns(const struct story *s, const struct store_setting *setting)
{
    switch (setting->scope) {
    case STORE_SCOPE_CLUSTER:
        return strcmp(setting->key, "mode") == 0;
    case STORE_SCOPE_HOST:
        return true;
    case STORE_SCOPE_VM:
        return strcmp(setting->object, s->vm->uuid) == 0;
    }
    return false;
}

// Why nothing can be done, from the rows themselves.
static void print_obstacles(const struct story *s)
{
    const struct store_vm *v = s->vm;
    const char *marks[] = {style_begin(stdout, STYLE_WARN), style_end(stdout)};
    if (!s->host->alive)
        printf("  %sIts host \"%s\" is silent: nobody manages it, the figures are old.%s\n", marks[0],
               v->host, marks[1]);
    if (v->excluded)
        printf("  %sIt is excluded: never touched.%s\n", marks[0], marks[1]);
    if (v->mode != STORE_MODE_AUTO || s->host->mode != STORE_MODE_AUTO || s->cluster->mode != STORE_MODE_AUTO)
        printf("  %sMode: cluster %s, host %s, VM %s; the least holds.%s\n", marks[0],
               store_mode_name(s->cluster->mode), store_mode_name(s->host->mode), store_mode_name(v->mode),
               marks[1]);
    if (v->owner)
        printf("  %sManaged by %s: moved only through that.%s\n", marks[0], v->owner, marks[1]);
    if (v->balloon_why)
        printf("  %sCannot be ballooned: %s.%s\n", marks[0], v->balloon_why, marks[1]);
    if (!v->movable)
        printf("  %sCannot be moved: %s.%s\n", marks[0], v->movable_why ? v->movable_why : "no reason given",
               marks[1]);
}

static void print_figures(const struct story *s)
{
    const struct store_vm *v = s->vm;
    char age[16], moved[16];
    printf("%s%s%s  %s  on %s, %s, reported %s ago\n", style_begin(stdout, STYLE_BOLD), v->name,
           style_end(stdout), v->uuid, v->host, live_vm_state(v, NULL), live_age(v->report_age_ms, age));
    printf("  Has       %.0f MiB (currentmem) of at most %.0f (maxmem); %.0f back it on the host "
           "(actualmem); %u vCPUs\n",
           v->mem_current_mib, v->mem_mib, v->mem_actual_mib, v->vcpus);
    printf("  Needs     %.0f MiB (usedmem), %.2f cores; it uses %.2f cores\n", v->mem_used_mib,
           v->cpu_demand_cores, v->cpu_used_cores);
    printf("  Entitled  %.0f MiB, %.2f cores; shares %u (CPU %u, memory %u)", v->mem_entitlement_mib,
           v->cpu_entitlement_cores, v->shares, v->cpu_shares, v->mem_shares);
    if (v->mem_reservation_mib > 0 || v->cpu_reservation_cores > 0)
        printf(", reserved %.0f MiB, %.2f cores", v->mem_reservation_mib, v->cpu_reservation_cores);
    printf("\n  Lacks     %.0f MiB, %.2f cores: satisfied to %s%.0f %%%s (CPU %.0f %%, memory %.0f %%)\n",
           v->mem_unmet_mib, v->cpu_unmet_cores,
           style_begin(stdout, live_satisfaction_style(v->s_cpu * v->s_mem)), 100 * v->s_cpu * v->s_mem,
           style_end(stdout), 100 * v->s_cpu, 100 * v->s_mem);
    if (v->mem_target_mib > 0 &&
        (v->mem_target_mib > v->mem_current_mib + 0.5 || v->mem_target_mib < v->mem_current_mib - 0.5))
        printf("  Target    its balloon is driven to %.0f MiB\n", v->mem_target_mib);
    if (v->rules)
        printf("  Rules     %s\n", v->rules);
    if (v->needs)
        printf("  Must have %s (of its host)\n", v->needs);
    if (v->why)
        printf("  Now       %s\n", v->why);
    if (v->last_moved_age_ms >= 0)
        printf("  Moves     %.2f within about an hour (decaying); the last ended %s ago%s%s\n",
               v->migrations_1h, live_age(v->last_moved_age_ms, moved), v->last_from ? ", from " : "",
               v->last_from ? v->last_from : "");
    printf("  Host      memory %s, %.0f MiB available, %.0f not met; %.2f of %.1f cores wanted\n",
           live_memory_state(s->host->memory_state, NULL), s->host->mem_available_mib, s->host->mem_unmet_mib,
           s->host->cpu_demand_cores, s->host->cpu_cores);
}

static int print_text(const struct story *s)
{
    print_figures(s);
    print_obstacles(s);
    for (size_t i = 0; i < s->settings->n; i++)
        if (concerns(s, &s->settings->at[i]))
            printf("  Set       %s %s%s%s\n", s->settings->at[i].key, s->settings->at[i].value,
                   s->settings->at[i].scope == STORE_SCOPE_VM ? "" : ", for ",
                   s->settings->at[i].scope == STORE_SCOPE_CLUSTER ? "the cluster"
                   : s->settings->at[i].scope == STORE_SCOPE_HOST  ? "its host"
                                                                   : "");
    printf("\nDecided about it\n");
    if (!s->of_vm->n)
        printf("  nothing yet\n");
    live_list_decisions(s->of_vm->at, s->of_vm->n, true, NULL);
    printf("\nDecided on its host, and what was considered with this VM\n");
    if (!s->of_host->n)
        printf("  nothing yet: no contention was seen\n");
    live_list_decisions(s->of_host->at, s->of_host->n, true, s->vm->name);
    if (s->migrations->n) {
        printf("\nMigrations\n");
        live_table_migrations(s->migrations->at, s->migrations->n);
    }
    if (s->events->n) {
        printf("\nEvents\n");
        live_table_events(s->events->at, s->events->n);
    }
    return EXIT_DONE;
}

static int print_json(const struct story *s, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-explain-1");
    json_key_string(w, "cluster_mode", store_mode_name(s->cluster->mode));
    json_key(w, "vm");
    live_json_vm(w, s->vm);
    json_key(w, "host");
    live_json_host(w, s->host);
    json_key_array(w, "settings");
    for (size_t i = 0; i < s->settings->n; i++)
        if (concerns(s, &s->settings->at[i]))
            live_json_setting(w, &s->settings->at[i]);
    json_array_end(w);
    json_key_array(w, "decisions");
    for (size_t i = 0; i < s->of_vm->n; i++)
        live_json_decision(w, &s->of_vm->at[i]);
    json_array_end(w);
    json_key_array(w, "host_decisions");
    for (size_t i = 0; i < s->of_host->n; i++)
        live_json_decision(w, &s->of_host->at[i]);
    json_array_end(w);
    json_key_array(w, "migrations");
    for (size_t i = 0; i < s->migrations->n; i++)
        live_json_migration(w, &s->migrations->at[i]);
    json_array_end(w);
    json_key_array(w, "events");
    for (size_t i = 0; i < s->events->n; i++)
        live_json_event(w, &s->events->at[i]);
    json_array_end(w);
    return json_print_end(w, err);
}

static int run(const void *values, char **words, struct error *err)
{
    const struct explain_options *options = values;
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(story) struct story story = {0};
    if (live_open(options->store, false, &store, err) < 0 ||
        story_read(store, words[0], (uint32_t)options->limit, &story, err) < 0)
        return -1;
    return options->json ? print_json(&story, err) : print_text(&story);
}

const struct verb verb_explain = {
    .name = "explain",
    .words = "VM",
    .least_words = 1,
    .most_words = 1,
    .summary = "what a VM has, needs and is entitled to; what was decided and why",
    .more = "VM is a name, a UUID or its beginning. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct explain_options),
    .run = run,
};
