// Scenario files: INI on top of a built-in scenario. docs/simulation.md describes every key; the tables below are
// what is read.
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/scenario.h"

enum kind { KIND_NUMBER, KIND_BOOL };

struct setting {
    const char *section, *key;
    enum kind kind;
    size_t offset; // in struct scenario, or in a type
    double least, most;
};

#define OF(member) offsetof(struct scenario, member)
static const struct setting settings[] = {
    {"world", "slot_s", KIND_NUMBER, OF(slot_s), 0.1, 86400},
    {"world", "unit_core_mhz", KIND_NUMBER, OF(unit_core_mhz), 1, 1e6},
    {"world", "overcommit", KIND_NUMBER, OF(overcommit), 0.01, 100},
    {"world", "divide_by_demand", KIND_BOOL, OF(divide_by_demand), 0, 0},
    {"world", "memory_constrains", KIND_BOOL, OF(memory_constrains), 0, 0},
    {"world", "vm_overhead_mib", KIND_NUMBER, OF(vm_overhead_mib), 0, 1e6},
    {"world", "guest_kernel_mib", KIND_NUMBER, OF(guest_kernel_mib), 0, 1e6},
    {"world", "cache_mib_s", KIND_NUMBER, OF(cache_mib_s), 0, 1e6},
    {"world", "swap_blind", KIND_BOOL, OF(swap_blind), 0, 0},
    {"world", "dirty_mib_s_busy", KIND_NUMBER, OF(dirty_mib_s_busy), 0, 1e6},
    {"migration", "precopy", KIND_BOOL, OF(precopy), 0, 0},
    {"migration", "slow_down", KIND_NUMBER, OF(migration_slow_down), 0, 1},
    {"migration", "destination_load", KIND_NUMBER, OF(migration_destination_load), 0, 1},
    {"migration", "cpu_cores", KIND_NUMBER, OF(migration_cpu_cores), 0, 1000},
    {"power", "hosts_follow_use", KIND_BOOL, OF(hosts_follow_use), 0, 0},
    {"power", "standby_w", KIND_NUMBER, OF(standby_w), 0, 1e5},
    {"power", "wake_s", KIND_NUMBER, OF(wake_s), 0, 86400},
    {"power", "sleep_s", KIND_NUMBER, OF(sleep_s), 0, 86400},
    {"faults", "migration_failure", KIND_NUMBER, OF(migration_failure), 0, 1},
    {"faults", "crash_per_day", KIND_NUMBER, OF(crash_per_day), 0, 1000},
    {"faults", "repair_s", KIND_NUMBER, OF(repair_s), 0, 1e7},
    {"policy", "consolidate", KIND_BOOL, OF(consolidate), 0, 0},
    {"policy", "packed_start", KIND_BOOL, OF(packed_start), 0, 0},
    {"policy", "ballooning", KIND_BOOL, OF(ballooning), 0, 0},
    {"policy", "history", KIND_BOOL, OF(history), 0, 0},
    {"policy", "bars", KIND_BOOL, OF(bars), 0, 0},
    {"policy", "report_part", KIND_NUMBER, OF(report_part), 0, 100},
    {"policy", "sample_s", KIND_NUMBER, OF(sample_s), 1, 3600},
    {"policy", "longterm_s", KIND_NUMBER, OF(longterm_s), 1, 86400},
};
#undef OF

#define OF(member) offsetof(struct scenario_host_type, member)
static const struct setting host_settings[] = {
    {"host", "cores", KIND_NUMBER, OF(cores), 0.01, 1e5},
    {"host", "core_mhz", KIND_NUMBER, OF(core_mhz), 1, 1e6},
    {"host", "mem_mib", KIND_NUMBER, OF(mem_mib), 1, 1e9},
    {"host", "mem_reserved_mib", KIND_NUMBER, OF(mem_reserved_mib), 0, 1e9},
    {"host", "net_mib_s", KIND_NUMBER, OF(net_mib_s), 0.01, 1e6},
};
#undef OF

#define OF(member) offsetof(struct scenario_vm_type, member)
static const struct setting vm_settings[] = {
    {"vm", "core_mhz", KIND_NUMBER, OF(core_mhz), 1, 1e6},
    {"vm", "mem_mib", KIND_NUMBER, OF(mem_mib), 1, 1e9},
};
#undef OF

struct reader {
    struct scenario scenario;
    bool has_base, has_overcommit;
    bool seen[sizeof(settings) / sizeof(*settings)];
    uint32_t n_hosts, n_vms; // types that the file has given
    char host_section[40], vm_section[40];
    struct error error; // the first one
};

// Keeps the first error; its line is what ini_parse_string returns.
static int fail(struct reader *r, const char *text, const char *what)
{
    if (r->error.kind == ERROR_NONE)
        error_set(&r->error, ERROR_INPUT, "%s%s%s", text, what ? ": " : "", what ? what : "");
    return 0;
}

static int set(struct reader *r, const struct setting *s, void *to, const char *value)
{
    char text[160];
    if (s->kind == KIND_BOOL) {
        bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        bool no = strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
        if (!yes && !no)
            return fail(r, s->key, "must be yes or no");
        *(bool *)(void *)((char *)to + s->offset) = yes;
        return 1;
    }
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    if (end == value || *end || errno || !isfinite(number) || number < s->least || number > s->most) {
        snprintf(text, sizeof(text), "must be a number from %g to %g", s->least, s->most);
        return fail(r, s->key, text);
    }
    *(double *)(void *)((char *)to + s->offset) = number;
    return 1;
}

static int set_count(struct reader *r, const char *key, const char *value, uint32_t least, uint32_t *ret)
{
    char *end;
    char text[160];
    unsigned long n = strtoul(value, &end, 10);
    if (end == value || *end || n < least || n > 100000 || strchr(value, '-')) {
        snprintf(text, sizeof(text), "must be a whole number from %u to 100000", least);
        return fail(r, key, text);
    }
    *ret = (uint32_t)n;
    return 1;
}

static int host_key(struct reader *r, const char *section, const char *key, const char *value)
{
    struct scenario *s = &r->scenario;
    if (r->n_hosts == 0 || strcmp(section, r->host_section) != 0) { // a new type, like the one before it
        if (r->n_hosts == SCENARIO_TYPES)
            return fail(r, "too many [host] sections", NULL);
        struct scenario_host_type like = r->n_hosts ? s->host_type[r->n_hosts - 1] : s->host_type[0];
        s->host_type[r->n_hosts++] = like;
        s->n_host_types = r->n_hosts;
        snprintf(r->host_section, sizeof(r->host_section), "%s", section);
        snprintf(s->host_type[r->n_hosts - 1].name, sizeof(s->host_type[0].name), "%.31s",
                 section[4] ? section + 5 : "host");
    }
    struct scenario_host_type *type = &s->host_type[r->n_hosts - 1];
    if (strcmp(key, "count") == 0)
        return set_count(r, key, value, 0, &type->count);
    if (strcmp(key, "power") == 0) {
        type->power = power_curve_by_name(value);
        return type->power ? 1 : fail(r, key, "must be ml110-g4, ml110-g5 or generic");
    }
    for (size_t i = 0; i < sizeof(host_settings) / sizeof(*host_settings); i++)
        if (strcmp(key, host_settings[i].key) == 0)
            return set(r, &host_settings[i], type, value);
    return fail(r, key, "no such key in [host]: docs/simulation.md has all");
}

static int vm_key(struct reader *r, const char *section, const char *key, const char *value)
{
    struct scenario *s = &r->scenario;
    if (r->n_vms == 0 || strcmp(section, r->vm_section) != 0) {
        if (r->n_vms == SCENARIO_TYPES)
            return fail(r, "too many [vm] sections", NULL);
        struct scenario_vm_type like = r->n_vms ? s->vm_type[r->n_vms - 1] : s->vm_type[0];
        s->vm_type[r->n_vms++] = like;
        s->n_vm_types = r->n_vms;
        snprintf(r->vm_section, sizeof(r->vm_section), "%s", section);
    }
    struct scenario_vm_type *type = &s->vm_type[r->n_vms - 1];
    if (strcmp(key, "vcpus") == 0)
        return set_count(r, key, value, 1, &type->vcpus);
    for (size_t i = 0; i < sizeof(vm_settings) / sizeof(*vm_settings); i++)
        if (strcmp(key, vm_settings[i].key) == 0)
            return set(r, &vm_settings[i], type, value);
    return fail(r, key, "no such key in [vm]: docs/simulation.md has all");
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;
    struct scenario *s = &r->scenario;
    if (!key || !value)
        return fail(r, "a key and a value are needed", NULL);
    if (strcmp(section, "scenario") == 0 && strcmp(key, "base") == 0) {
        struct error error = {0};
        if (r->has_base)
            return fail(r, "base", "must come first, and once");
        if ((strcmp(value, "planetlab") != 0 && strncmp(value, "bitbrains", 9) != 0) ||
            scenario_load(value, s, &error) < 0)
            return fail(r, "base", "must be planetlab or bitbrains");
        r->has_base = true;
        return 1;
    }
    if (!r->has_base)
        return fail(r, "[scenario] with base = planetlab or bitbrains must come first", NULL);
    if (strcmp(section, "scenario") == 0 && strcmp(key, "name") == 0) {
        if (strlen(value) >= sizeof(s->name))
            return fail(r, "name", "is too long");
        snprintf(s->name, sizeof(s->name), "%s", value);
        return 1;
    }
    if (strcmp(section, "host") == 0 || strncmp(section, "host ", 5) == 0)
        return host_key(r, section, key, value);
    if (strcmp(section, "vm") == 0 || strncmp(section, "vm ", 3) == 0)
        return vm_key(r, section, key, value);
    if (strcmp(section, "world") == 0 && strcmp(key, "placement") == 0) {
        if (strcmp(value, "power") != 0 && strcmp(value, "room") != 0)
            return fail(r, key, "must be power or room");
        s->placement = *value == 'p' ? PLACEMENT_POWER : PLACEMENT_ROOM;
        return 1;
    }
    if (strcmp(section, "policy") == 0 && strcmp(key, "penalty") == 0) {
        static const char *const shape[] = {"quadratic", "linear", "exponential", "none"};
        for (size_t i = 0; i < sizeof(shape) / sizeof(*shape); i++)
            if (strcmp(value, shape[i]) == 0) {
                s->penalty = (enum scenario_penalty)i;
                return 1;
            }
        return fail(r, key, "must be quadratic, linear, exponential or none");
    }
    if (strcmp(section, "policy") == 0 && strcmp(key, "information") == 0) {
        if (strcmp(value, "same-slot") != 0 && strcmp(value, "late") != 0)
            return fail(r, key, "must be same-slot or late");
        s->information = *value == 's' ? INFORMATION_SAME_SLOT : INFORMATION_LATE;
        return 1;
    }
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
        if (strcmp(section, settings[i].section) == 0 && strcmp(key, settings[i].key) == 0) {
            if (r->seen[i])
                return fail(r, key, "given twice: leave one out");
            r->seen[i] = true;
            r->has_overcommit =
                r->has_overcommit || settings[i].offset == offsetof(struct scenario, overcommit);
            return set(r, &settings[i], s, value);
        }
    char text[200];
    snprintf(text, sizeof(text), "[%.60s] %.60s: no such key: docs/simulation.md has all", section, key);
    return fail(r, text, NULL);
}

int scenario_parse(const char *file, const char *text, struct scenario *ret, struct error *err)
{
    struct reader r = {0};
    int line = ini_parse_string(text, on_key, &r);
    if (r.error.kind != ERROR_NONE)
        return error_set(err, r.error.kind, "%s:%d: %s", file, line, r.error.text);
    if (line != 0)
        return error_set(err, ERROR_INPUT, "%s:%d: not INI: [section] and key = value lines are needed", file,
                         line);
    if (!r.has_base)
        return error_set(err, ERROR_INPUT, "%s: [scenario] with base = planetlab or bitbrains is needed",
                         file);
    struct scenario *s = &r.scenario;
    for (uint32_t i = 0; i < s->n_host_types; i++)
        if (s->host_type[i].mem_reserved_mib >= s->host_type[i].mem_mib)
            return error_set(err, ERROR_INPUT, "%s: host %s: mem_reserved_mib must be below mem_mib", file,
                             s->host_type[i].name);
    bool open_number = false;
    for (uint32_t i = 0; i < s->n_host_types; i++) {
        if (s->host_type[i].count == 0 && !(s->overcommit > 0))
            return error_set(err, ERROR_INPUT, "%s: host %s: count = 0 needs [world] overcommit", file,
                             s->host_type[i].name);
        open_number = open_number || s->host_type[i].count == 0;
    }
    if (r.has_overcommit && !open_number)
        return error_set(
            err, ERROR_INPUT,
            "%s: [world] overcommit: has no effect where the number of hosts is fixed: leave it out, "
            "or give a [host] section count = 0, so that it decides how many there are",
            file);
    *ret = *s;
    return 0;
}
