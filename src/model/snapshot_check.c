// The invariants of a snapshot: ranges of figures by the tables of the file form, and what binds one to another.
#include "model/snapshot.h"

#include <math.h>
#include <stddef.h>

#include "base/text.h"
#include "model/name_index.h"
#include "model/snapshot_fields.h"

#define CLEAN_INDEX __attribute__((cleanup(name_index_free)))

// One object under test, for the texts.
struct subject {
    const char *kind; // "host" or "vm"
    const char *name;
    struct error *err;
};

static int check_figures(const struct subject *who, const void *table, uint32_t row,
                         const struct field_table *fields)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        const struct field *field = &fields->field[i];
        if (field->column == FIELD_NO_COLUMN)
            continue;
        double value = (*(double *const *)((const char *)table + field->column))[row];
        if (!isfinite(value))
            return error_set(who->err, ERROR_INPUT, "%s \"%s\": %s must be a finite number", who->kind,
                             who->name, field->key);
        if (value < field->low || (field->low_excluded && value <= field->low))
            return error_set(who->err, ERROR_INPUT, "%s \"%s\": %s must be %s %g, not %g", who->kind,
                             who->name, field->key, field->low_excluded ? "above" : "at least", field->low,
                             value);
    }
    return 0;
}

static int check_at_most(const struct subject *who, const char *key, double value, const char *bound_key,
                         double bound)
{
    if (value <= bound)
        return 0;
    return error_set(who->err, ERROR_INPUT, "%s \"%s\": %s (%g) must be at most %s (%g)", who->kind,
                     who->name, key, value, bound_key, bound);
}

static int check_name(struct name_index *index, const char *kind, const char *name, uint32_t row,
                      struct error *err)
{
    if (!name || !text_valid_name(name))
        return error_set(err, ERROR_INPUT,
                         "%s %u: the name must be 1 to %d bytes of UTF-8 without control characters", kind,
                         row, SNAPSHOT_NAME_BYTES);
    if (name_index_add(index, name, row) != row)
        return error_set(err, ERROR_INPUT, "%s \"%s\": the name is there twice, each needs its own", kind,
                         name);
    return 0;
}

static int check_hosts(const struct snapshot *s, struct error *err)
{
    CLEAN_INDEX struct name_index index = {0};
    if (name_index_init(&index, s->hosts.n) < 0)
        return error_set(err, ERROR_MEMORY, "no memory to check %u hosts", s->hosts.n);
    if (s->hosts.n == 0)
        return error_set(err, ERROR_INPUT, "there must be at least one host");
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        if (check_name(&index, "host", s->hosts.name[h], h, err) < 0)
            return -1;
        struct subject who = {"host", s->hosts.name[h], err};
        if (check_figures(&who, &s->hosts, h, &snapshot_host_fields) < 0 ||
            check_at_most(&who, "mem_reserved_mib", s->hosts.mem_reserved_mib[h], "mem_mib",
                          s->hosts.mem_mib[h]) < 0)
            return -1;
        if (s->hosts.zone[h] >= s->n_zones)
            return error_set(err, ERROR_INPUT, "host \"%s\": unknown zone %u", who.name, s->hosts.zone[h]);
    }
    return 0;
}

static int check_vm(const struct snapshot *s, uint32_t v, struct error *err)
{
    const struct snapshot_vms *vms = &s->vms;
    struct subject who = {"vm", vms->name[v], err};
    if (vms->host[v] >= s->hosts.n)
        return error_set(err, ERROR_INPUT, "vm \"%s\": its host is unknown", who.name);
    if (s->hosts.state[vms->host[v]] == HOST_STANDBY)
        return error_set(err, ERROR_INPUT, "vm \"%s\": it cannot run on host \"%s\", which is on standby",
                         who.name, s->hosts.name[vms->host[v]]);
    if (vms->vcpus[v] < 1)
        return error_set(err, ERROR_INPUT, "vm \"%s\": vcpus must be at least 1", who.name);
    if (vms->shares[v] < 1 || vms->cpu_shares[v] < 1 || vms->mem_shares[v] < 1)
        return error_set(err, ERROR_INPUT, "vm \"%s\": shares must be at least 1", who.name);
    if (check_figures(&who, vms, v, &snapshot_vm_fields) < 0)
        return -1;
    double vcpus = vms->vcpus[v], mem_mib = vms->mem_mib[v];
    if (check_at_most(&who, "cpu_demand_cores", vms->cpu_demand_cores[v], "vcpus", vcpus) < 0 ||
        check_at_most(&who, "mem_used_mib", vms->mem_used_mib[v], "mem_mib", mem_mib) < 0 ||
        check_at_most(&who, "mem_current_mib", vms->mem_current_mib[v], "mem_mib", mem_mib) < 0 ||
        check_at_most(&who, "cpu_limit_cores", vms->cpu_limit_cores[v], "vcpus", vcpus) < 0 ||
        check_at_most(&who, "mem_limit_mib", vms->mem_limit_mib[v], "mem_mib", mem_mib) < 0 ||
        check_at_most(&who, "cpu_reservation_cores", vms->cpu_reservation_cores[v], "cpu_limit_cores",
                      vms->cpu_limit_cores[v]) < 0)
        return -1;
    return check_at_most(&who, "mem_reservation_mib", vms->mem_reservation_mib[v], "mem_limit_mib",
                         vms->mem_limit_mib[v]);
}

static bool ascending_below(const uint32_t *item, uint32_t n, uint32_t bound)
{
    for (uint32_t i = 0; i < n; i++)
        if (item[i] >= bound || (i > 0 && item[i] <= item[i - 1]))
            return false;
    return true;
}

static int check_vms(const struct snapshot *s, struct error *err)
{
    CLEAN_INDEX struct name_index index = {0};
    if (name_index_init(&index, s->vms.n) < 0)
        return error_set(err, ERROR_MEMORY, "no memory to check %u VMs", s->vms.n);
    const struct index_lists *lists = &s->vms.cannot_run_on;
    for (uint32_t v = 0; v < s->vms.n; v++) {
        if (check_name(&index, "vm", s->vms.name[v], v, err) < 0 || check_vm(s, v, err) < 0)
            return -1;
        if (!ascending_below(lists->item + lists->start[v], lists->start[v + 1] - lists->start[v],
                             s->hosts.n))
            return error_set(err, ERROR_INPUT, "vm \"%s\": cannot_run_on must list known hosts, each once",
                             s->vms.name[v]);
    }
    return 0;
}

static int check_rules(const struct snapshot *s, struct error *err)
{
    for (uint32_t r = 0; r < s->n_rules; r++) {
        const struct rule *rule = &s->rules[r];
        if (rule->n_vms == 0)
            return error_set(err, ERROR_INPUT, "rule %u: it names no VM", r);
        if (!ascending_below(rule->vms, rule->n_vms, s->vms.n) ||
            !ascending_below(rule->hosts, rule->n_hosts, s->hosts.n))
            return error_set(err, ERROR_INPUT, "rule %u: it must name known VMs and hosts, each once", r);
        bool needs_hosts = rule->type == RULE_ON || rule->type == RULE_OFF;
        if (needs_hosts != (rule->n_hosts > 0))
            return error_set(err, ERROR_INPUT,
                             "rule %u: \"on\" and \"off\" need hosts, \"apart\" and \"together\" none", r);
    }
    return 0;
}

int snapshot_check(const struct snapshot *s, struct error *err)
{
    if (check_hosts(s, err) < 0 || check_vms(s, err) < 0)
        return -1;
    return check_rules(s, err);
}
