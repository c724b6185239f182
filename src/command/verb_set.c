// ballast set: settings of VMs, hosts and the cluster. The agents take them over with their next heartbeat.
#include <string.h>

#include "base/cleanup.h"
#include "command/live.h"
#include "command/live_json.h"
#include "command/score_print.h"
#include "command/verbs.h"
#include "store/setting_keys.h"

struct set_options {
    const char *store, *host;
    bool cluster, unset, json;
};

static const struct option_row rows[] = {
    LIVE_OPTION(struct set_options),
    OPTION_FLAG(struct set_options, cluster, "cluster", "a setting of the cluster: no VM is named"),
    OPTION_TEXT(struct set_options, host, "host", "HOST", NULL, "a setting of this host: no VM is named"),
    OPTION_FLAG(struct set_options, unset, "unset", "forget it: no VALUE is named"),
    OPTION_FLAG(struct set_options, json, "json", "print one JSON object (ballast-settings-1)"),
};

static const char *name_of(const struct store_cluster *c, const char *uuid)
{
    for (uint32_t v = 0; v < c->snapshot->vms.n; v++)
        if (strcmp(c->vms[v].uuid, uuid) == 0)
            return c->vms[v].name;
    return uuid;
}

static int print_keys_json(const struct store_settings *settings, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-settings-1");
    json_key_array(w, "settings");
    for (size_t i = 0; i < settings->n; i++)
        live_json_setting(w, &settings->at[i]);
    json_array_end(w);
    return json_print_end(w, err);
}

static int print_keys(const struct store_cluster *c, const struct store_settings *settings)
{
    static const char *const scopes[] = {"cluster", "host", "VM"};
    struct table *t = table_new("OF|NAME|SETTING|VALUE|>SINCE");
    for (size_t i = 0; i < settings->n; i++) {
        const struct store_setting *s = &settings->at[i];
        char age[16];
        table_cell(t, STYLE_PLAIN, "%s", (unsigned)s->scope < 3 ? scopes[s->scope] : "?");
        table_cell(t, STYLE_BOLD, "%s", s->scope == STORE_SCOPE_VM ? name_of(c, s->object) : s->object);
        table_cell(t, STYLE_PLAIN, "%s", s->key);
        table_cell(t, STYLE_PLAIN, "%s", s->value);
        table_cell(t, STYLE_DIM, "%s", live_age(s->age_ms, age));
    }
    table_print_take(t, stdout);
    printf("\nWhat can be set\n");
    t = table_new("SETTING|OF|UNSET|WHAT IT DOES");
    for (size_t i = 0; i < n_store_keys; i++) {
        const struct store_key *k = &store_keys[i];
        table_cell(t, STYLE_BOLD, "%s", k->name);
        table_cell(t, STYLE_PLAIN, "%s%s%s", k->scopes & 1u << STORE_SCOPE_CLUSTER ? "cluster " : "",
                   k->scopes & 1u << STORE_SCOPE_HOST ? "host " : "",
                   k->scopes & 1u << STORE_SCOPE_VM ? "VM" : "");
        table_cell(t, STYLE_PLAIN, "%s", k->unset);
        table_cell(t, STYLE_DIM, "%s", k->help);
    }
    table_print_take(t, stdout);
    return EXIT_DONE;
}

static int list(const struct set_options *options, struct error *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    CLEANUP(store_settings_free) struct store_settings *settings = NULL;
    if (live_open(options->store, false, &store, err) < 0 ||
        store_read_cluster(store, NULL, &cluster, err) < 0 ||
        store_read_settings(store, NULL, &settings, err) < 0)
        return -1;
    return options->json ? print_keys_json(settings, err) : print_keys(cluster, settings);
}

// A setting of a host that never joined is most likely a slip of the pen.
static int check_host(struct store *store, const char *name, struct error *err)
{
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    const struct store_host *host;
    int rc = store_read_cluster(store, &(struct store_read){.vms_of = ""}, &cluster, err);
    return rc < 0 ? rc : live_find_host(cluster, name, &host, err);
}

static int change(struct store *store, const struct set_options *o, char **words, struct error *err)
{
    if (o->cluster || o->host) {
        const char *value = o->unset ? NULL : words[1];
        if (o->host && !o->unset && check_host(store, o->host, err) < 0)
            return -1;
        return store_set(store, o->cluster ? STORE_SCOPE_CLUSTER : STORE_SCOPE_HOST,
                         o->cluster ? "" : o->host, words[0], value, err);
    }
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    const struct store_vm *vm = NULL;
    if (store_read_cluster(store, NULL, &cluster, err) < 0 || live_find_vm(cluster, words[0], &vm, err) < 0)
        return -1;
    return store_set(store, STORE_SCOPE_VM, vm->uuid, words[1], o->unset ? NULL : words[2], err);
}

static int run(const void *values, char **words, struct error *err)
{
    const struct set_options *o = values;
    int n_words = 0;
    while (words[n_words])
        n_words++;
    if (n_words == 0 && !o->unset)
        return list(o, err);
    int wanted = (o->cluster || o->host ? 1 : 2) + (o->unset ? 0 : 1);
    if (o->cluster && o->host)
        return error_set(err, ERROR_INPUT, "--cluster and --host exclude each other");
    if (n_words != wanted)
        return error_set(err, ERROR_INPUT, "%d words are given, it takes %s%s", n_words,
                         o->cluster || o->host ? "KEY" : "VM KEY", o->unset ? "" : " VALUE");
    CLEANUP(store_close) struct store *store = NULL;
    if (live_open(o->store, true, &store, err) < 0 || change(store, o, words, err) < 0)
        return -1;
    if (o->json)
        printf("{\"format\": \"ballast-set-1\", \"done\": true}\n");
    return EXIT_DONE;
}

const struct verb verb_set = {
    .name = "set",
    .words = "[[VM] KEY [VALUE]]",
    .most_words = 3,
    .summary = "change a setting of a VM, a host or the cluster; without words: list them",
    .more = "Writes to the store; the agents take it over within seconds. What a VM's libvirt metadata says\n"
            "comes before what is set here. " LIVE_STORE_TEXT,
    VERB_OPTIONS(rows, struct set_options),
    .run = run,
};
