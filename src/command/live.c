#include "command/live.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/options.h"
#include "agent/settings.h"
#include "decide/rules.h"

int live_location(const char *given, char *buffer, size_t size, const char **ret_location, struct error *err)
{
    const char *variable = getenv("BALLAST_STORE");
    if (given || (variable && *variable)) {
        *ret_location = given ? given : variable;
        return 0;
    }
    struct settings *settings = malloc(sizeof *settings);
    if (!settings)
        return error_set(err, ERROR_MEMORY, "no memory");
    struct error mine = {0};
    int rc = settings_read(BALLASTD_DEFAULT_CONFIG, settings, NULL, NULL, &mine);
    if (rc == 0)
        snprintf(buffer, size, "%s", settings->store);
    else
        snprintf(buffer, size, "%s", STORE_DEFAULT_PATH);
    free(settings);
    if (rc < 0 && mine.kind != ERROR_MISSING) {
        if (err)
            *err = mine;
        return error_context(err, "find the store (name it with --store)");
    }
    *ret_location = buffer;
    return 0;
}

int live_open(const char *given, bool write, struct store **ret_store, struct error *err)
{
    char buffer[512];
    const char *location = NULL;
    if (live_location(given, buffer, sizeof buffer, &location, err) < 0)
        return -1;
    struct store_options options = {.must_exist = true, .read_only = !write, .timeout_ms = 5000};
    return store_open(location, &options, ret_store, err);
}

int live_read(const char *given, struct store_cluster **ret_cluster, struct error *err)
{
    CLEANUP(store_close) struct store *store = NULL;
    if (live_open(given, false, &store, err) < 0)
        return -1;
    return store_read_cluster(store, NULL, ret_cluster, err);
}

// Rules that contradict each other are an input error in a file; of a live cluster the later ones are preferences.
static void relax_rules(struct store_cluster *cluster)
{
    uint32_t *relaxed = arena_new_array(cluster->arena, uint32_t, cluster->snapshot->n_rules);
    uint32_t n = rules_relax(cluster->snapshot, cluster->arena, relaxed);
    for (uint32_t i = 0; i < n; i++)
        fprintf(stderr, "ballast: warning: %s contradicts an earlier rule and was a strict one until now\n",
                rules_describe(cluster->snapshot, relaxed[i], cluster->arena));
}

int live_with_snapshot(const char *given,
                       int (*use)(const void *values, const struct snapshot *snapshot, struct error *err),
                       const void *values, struct error *err)
{
    CLEANUP(store_cluster_free) struct store_cluster *cluster = NULL;
    if (live_read(given, &cluster, err) < 0)
        return -1;
    const struct snapshot *snapshot = cluster->snapshot;
    if (snapshot->hosts.n == 0)
        return error_set(err, ERROR_FAILED,
                         "no host has joined the cluster yet: start ballastd on its hosts");
    if (snapshot_check(snapshot, err) < 0)
        return error_context(err, "the cluster as reported");
    relax_rules(cluster);
    // what is on its way, excluded or managed by others is not movable in this snapshot already
    return use(values, snapshot, err);
}

int live_find_vm(const struct store_cluster *cluster, const char *word, const struct store_vm **ret_vm,
                 struct error *err)
{
    const struct store_vm *found = NULL;
    size_t n = 0, length = strlen(word);
    for (uint32_t v = 0; v < cluster->snapshot->vms.n; v++) {
        const struct store_vm *vm = &cluster->vms[v];
        if (strcmp(vm->uuid, word) == 0) {
            *ret_vm = vm;
            return 0;
        }
        if (strcmp(vm->name, word) == 0 || strcmp(cluster->snapshot->vms.name[v], word) == 0) {
            found = vm;
            n++;
        }
    }
    for (uint32_t v = 0; n == 0 && length >= 4 && v < cluster->snapshot->vms.n; v++)
        if (strncmp(cluster->vms[v].uuid, word, length) == 0) {
            if (found && found != &cluster->vms[v])
                return error_set(err, ERROR_INPUT, "\"%s\" begins several UUIDs; give more of it", word);
            found = &cluster->vms[v];
        }
    if (n > 1)
        return error_set(err, ERROR_INPUT,
                         "%zu VMs are called \"%s\"; name it by its UUID (`ballast vms --json`)", n, word);
    if (!found)
        return error_set(err, ERROR_INPUT, "no host has reported a VM \"%s\"; `ballast vms` lists them",
                         word);
    *ret_vm = found;
    return 0;
}

int live_find_host(const struct store_cluster *cluster, const char *word, const struct store_host **ret_host,
                   struct error *err)
{
    for (uint32_t h = 0; h < cluster->snapshot->hosts.n; h++)
        if (strcmp(cluster->hosts[h].name, word) == 0) {
            *ret_host = &cluster->hosts[h];
            return 0;
        }
    return error_set(err, ERROR_INPUT, "there is no host \"%s\"; `ballast hosts` lists them", word);
}

const char *live_age(int64_t age_ms, char buffer[static 16])
{
    int64_t s = age_ms / 1000;
    if (age_ms < 0)
        snprintf(buffer, 16, "-");
    else if (s < 120)
        snprintf(buffer, 16, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(buffer, 16, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        snprintf(buffer, 16, "%" PRId64 " h", s / 3600);
    else
        snprintf(buffer, 16, "%" PRId64 " d", s / 86400);
    return buffer;
}

const char *live_host_state(const struct store_host *host, enum style *ret_style)
{
    enum style style = STYLE_WARN;
    const char *text = "?";
    if (host->state == HOST_STANDBY) {
        text = "standby";
        style = STYLE_DIM;
    } else if (!host->alive) {
        text = host->heartbeat_age_ms < STORE_DOWN_AFTER_MS ? "stopped" : "silent";
        style = STYLE_BAD;
    } else if (host->state == HOST_MAINTENANCE) {
        text = "maintenance";
    } else if (host->state == HOST_DOWN) {
        text = "down";
        style = STYLE_BAD;
    } else if (host->closed) {
        text = "closed";
    } else {
        text = "up";
        style = STYLE_GOOD;
    }
    if (ret_style)
        *ret_style = style;
    return text;
}

const char *live_vm_state(const struct store_vm *vm, enum style *ret_style)
{
    enum style style = STYLE_PLAIN;
    const char *text = "?";
    if (vm->migration_id) {
        text = "moving";
        style = STYLE_BOLD;
    } else if (vm->state == STORE_VM_PAUSED || vm->state == STORE_VM_OTHER) {
        text = vm->state == STORE_VM_PAUSED ? "paused" : "stopped";
        style = STYLE_WARN;
    } else if (vm->state == STORE_VM_INCOMING) {
        text = "arriving";
    } else if (vm->excluded) {
        text = "excluded";
        style = STYLE_DIM;
    } else {
        text = "running";
    }
    if (ret_style)
        *ret_style = style;
    return text;
}

const char *live_memory_state(int state, enum style *ret_style)
{
    static const char *const names[] = {"high", "soft", "hard", "low"};
    static const enum style styles[] = {STYLE_PLAIN, STYLE_WARN, STYLE_BAD, STYLE_BAD};
    bool known = state >= 0 && state < 4;
    if (ret_style)
        *ret_style = known ? styles[state] : STYLE_PLAIN;
    return known ? names[state] : "?";
}

enum style live_satisfaction_style(double s)
{
    return s < 0.7 ? STYLE_BAD : s < 0.95 ? STYLE_WARN : STYLE_PLAIN;
}

void live_score(const struct store_cluster *cluster, struct score *ret)
{
    struct arena *arena = cluster->snapshot->arena;
    uint32_t n = cluster->snapshot->vms.n;
    double *satisfaction = arena_new_array(arena, double, n);
    for (uint32_t v = 0; v < n; v++)
        satisfaction[v] = cluster->vms[v].s_cpu * cluster->vms[v].s_mem;
    score_measured(cluster->snapshot, arena, satisfaction, ret);
}
