// From rows to columns: names become numbers, absent keys their defaults, and what only the whole input
// tells (duplicates, unknown hosts, bounds between keys) is checked here with its place.
#include "model/snapshot_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/name_index.h"

struct conversion {
    struct snapshot_rows *rows;
    struct snapshot *snapshot;
    struct name_index hosts, vms, zones;
    struct error *err;
};

static bool given(const struct row *row, uint32_t field)
{
    return row->given & (UINT32_C(1) << field);
}

static int add_name(struct conversion *c, struct name_index *index, const char *list, const char *name,
                    uint32_t i)
{
    if (!text_valid_name(name))
        return error_set(c->err, ERROR_INPUT,
                         "/%s/%u/name: must be 1 to %d bytes of UTF-8 without control characters", list, i,
                         SNAPSHOT_NAME_BYTES);
    uint32_t before = name_index_add(index, name, i);
    if (before != i)
        return error_set(c->err, ERROR_INPUT,
                         "/%s/%u/name: \"%s\" is the name of /%s/%u already; give each its own", list, i,
                         name, list, before);
    return 0;
}

static int convert_host_state(struct conversion *c, uint32_t h, const char *text)
{
    static const char *const names[] = {[HOST_UP] = "up",
                                        [HOST_MAINTENANCE] = "maintenance",
                                        [HOST_STANDBY] = "standby",
                                        [HOST_DOWN] = "down"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            c->snapshot->hosts.state[h] = (enum host_state)i;
            return 0;
        }
    return error_set(c->err, ERROR_INPUT, "/hosts/%u/state: must be up, maintenance, standby or down", h);
}

static int convert_zone(struct conversion *c, uint32_t h, const char *name)
{
    struct snapshot *s = c->snapshot;
    if (!text_valid_name(name))
        return error_set(c->err, ERROR_INPUT,
                         "/hosts/%u/zone: must be 1 to %d bytes of UTF-8 without control characters", h,
                         SNAPSHOT_NAME_BYTES);
    uint32_t zone = name_index_add(&c->zones, name, s->n_zones);
    if (zone == s->n_zones)
        s->zone_name[s->n_zones++] = arena_strdup(s->arena, name);
    s->hosts.zone[h] = zone;
    return 0;
}

static void fill_columns(void *table, const struct field_table *fields, uint32_t first, const struct row *row,
                         uint32_t i)
{
    for (uint32_t f = first; f < fields->n; f++)
        (*(double **)((char *)table + fields->field[f].column))[i] = row->number[f];
}

static int convert_hosts(struct conversion *c)
{
    struct snapshot *s = c->snapshot;
    const struct rows *rows = &c->rows->list[ROW_HOST];
    s->n_zones = 0;
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        const struct row *row = &rows->at[h];
        if (add_name(c, &c->hosts, "hosts", row->text[HOST_NAME], h) < 0)
            return -1;
        s->hosts.name[h] = arena_strdup(s->arena, row->text[HOST_NAME]);
        if (given(row, HOST_STATE) && convert_host_state(c, h, row->text[HOST_STATE]) < 0)
            return -1;
        if (given(row, HOST_ZONE) && convert_zone(c, h, row->text[HOST_ZONE]) < 0)
            return -1;
        fill_columns(&s->hosts, &snapshot_host_fields, HOST_FIRST_FIGURE, row, h);
        if (s->hosts.mem_reserved_mib[h] > s->hosts.mem_mib[h])
            return error_set(c->err, ERROR_INPUT, "/hosts/%u/mem_reserved_mib: must be at most mem_mib (%g)",
                             h, s->hosts.mem_mib[h]);
    }
    for (uint32_t h = 0; h < s->hosts.n; h++) // a host without a zone is one of its own
        if (!given(&rows->at[h], HOST_ZONE)) {
            s->zone_name[s->n_zones] = s->hosts.name[h];
            s->hosts.zone[h] = s->n_zones++;
        }
    return 0;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return (p > q) - (p < q);
}

// Where a list of names stands in the input, for the errors.
struct place {
    const char *list;
    uint32_t row;
    const char *key;
};

// Looks the names of a span up and writes their numbers, ascending.
static int resolve(struct conversion *c, struct name_index *index, const char *kind, struct name_span span,
                   struct place place, uint32_t *ret_number)
{
    for (uint32_t i = 0; i < span.n; i++) {
        const char *name = c->rows->names.at[span.start + i];
        ret_number[i] = name_index_find(index, name);
        if (ret_number[i] == NAME_INDEX_NONE)
            return error_set(c->err, ERROR_INPUT,
                             "/%s/%u/%s/%u: there is no %s named \"%s\"; correct the name or add it",
                             place.list, place.row, place.key, i, kind, name);
    }
    qsort(ret_number, span.n, sizeof *ret_number, compare_u32);
    for (uint32_t i = 1; i < span.n; i++)
        if (ret_number[i] == ret_number[i - 1])
            return error_set(c->err, ERROR_INPUT, "/%s/%u/%s: a name stands there twice; leave one out",
                             place.list, place.row, place.key);
    return 0;
}

static void warn_cut(struct conversion *c, uint32_t v, const char *key, double value, const char *bound_key,
                     double bound)
{
    char text[256 + SNAPSHOT_NAME_BYTES];
    if (!c->rows->warn)
        return;
    snprintf(text, sizeof text, "/vms/%u/%s: %g is above %s and was cut to %g", v, key, value, bound_key,
             bound);
    c->rows->warn(c->rows->warn_context, text);
}

static int refuse_above(struct conversion *c, uint32_t v, const char *key, double value,
                        const char *bound_key, double bound)
{
    if (value <= bound)
        return 0;
    return error_set(c->err, ERROR_INPUT, "/vms/%u/%s: %g is above %s (%g); lower it or raise that", v, key,
                     value, bound_key, bound);
}

static void cut(struct conversion *c, uint32_t v, const char *key, double *figure, const char *bound_key,
                double bound)
{
    if (*figure <= bound)
        return;
    warn_cut(c, v, key, *figure, bound_key, bound);
    *figure = bound;
}

static int convert_vm_figures(struct conversion *c, const struct row *row, uint32_t v)
{
    struct snapshot_vms *vms = &c->snapshot->vms;
    vms->vcpus[v] = (uint32_t)row->number[VM_VCPUS];
    vms->movable[v] = row->number[VM_MOVABLE] != 0;
    vms->shares[v] = (uint32_t)row->number[VM_SHARES];
    vms->cpu_shares[v] = given(row, VM_CPU_SHARES) ? (uint32_t)row->number[VM_CPU_SHARES] : vms->shares[v];
    vms->mem_shares[v] = given(row, VM_MEM_SHARES) ? (uint32_t)row->number[VM_MEM_SHARES] : vms->shares[v];
    fill_columns(vms, &snapshot_vm_fields, VM_FIRST_FIGURE, row, v);

    double vcpus = vms->vcpus[v], mem_mib = vms->mem_mib[v];
    if (isnan(vms->cpu_limit_cores[v]))
        vms->cpu_limit_cores[v] = vcpus;
    if (isnan(vms->mem_limit_mib[v]))
        vms->mem_limit_mib[v] = mem_mib;
    if (isnan(vms->mem_current_mib[v]))
        vms->mem_current_mib[v] = mem_mib;
    cut(c, v, "cpu_demand_cores", &vms->cpu_demand_cores[v], "vcpus", vcpus);
    cut(c, v, "mem_used_mib", &vms->mem_used_mib[v], "mem_mib", mem_mib);
    cut(c, v, "cpu_limit_cores", &vms->cpu_limit_cores[v], "vcpus", vcpus);
    cut(c, v, "mem_limit_mib", &vms->mem_limit_mib[v], "mem_mib", mem_mib);
    if (isnan(vms->mem_actual_mib[v]))
        vms->mem_actual_mib[v] = vms->mem_used_mib[v];
    if (refuse_above(c, v, "mem_current_mib", vms->mem_current_mib[v], "mem_mib", mem_mib) < 0 ||
        refuse_above(c, v, "cpu_reservation_cores", vms->cpu_reservation_cores[v], "cpu_limit_cores",
                     vms->cpu_limit_cores[v]) < 0)
        return -1;
    return refuse_above(c, v, "mem_reservation_mib", vms->mem_reservation_mib[v], "mem_limit_mib",
                        vms->mem_limit_mib[v]);
}

static int convert_vms(struct conversion *c)
{
    struct snapshot *s = c->snapshot;
    const struct rows *rows = &c->rows->list[ROW_VM];
    size_t excluded = 1;
    for (size_t v = 0; v < rows->n; v++)
        excluded += rows->at[v].names[VM_CANNOT_RUN_ON].n;
    s->vms.cannot_run_on.item = arena_new_array(s->arena, uint32_t, excluded);
    uint32_t used = 0;
    for (uint32_t v = 0; v < s->vms.n; v++) {
        const struct row *row = &rows->at[v];
        if (add_name(c, &c->vms, "vms", row->text[VM_NAME], v) < 0)
            return -1;
        s->vms.name[v] = arena_strdup(s->arena, row->text[VM_NAME]);
        s->vms.host[v] = name_index_find(&c->hosts, row->text[VM_HOST]);
        if (s->vms.host[v] == NAME_INDEX_NONE)
            return error_set(c->err, ERROR_INPUT,
                             "/vms/%u/host: there is no host named \"%s\"; correct the name or add it", v,
                             row->text[VM_HOST]);
        if (s->hosts.state[s->vms.host[v]] == HOST_STANDBY)
            return error_set(
                c->err, ERROR_INPUT,
                "/vms/%u/host: host \"%s\" is on standby and cannot run a VM; give it another state", v,
                row->text[VM_HOST]);
        if (convert_vm_figures(c, row, v) < 0)
            return -1;
        s->vms.cannot_run_on.start[v] = used;
        struct name_span span = row->names[VM_CANNOT_RUN_ON];
        if (resolve(c, &c->hosts, "host", span, (struct place){"vms", v, "cannot_run_on"},
                    s->vms.cannot_run_on.item + used) < 0)
            return -1;
        used += span.n;
    }
    s->vms.cannot_run_on.start[s->vms.n] = used;
    return 0;
}

static int convert_rule(struct conversion *c, const struct row *row, uint32_t r)
{
    static const char *const types[] = {
        [RULE_APART] = "apart", [RULE_TOGETHER] = "together", [RULE_ON] = "on", [RULE_OFF] = "off"};
    struct snapshot *s = c->snapshot;
    struct rule *rule = &s->rules[r];
    unsigned type = 0;
    while (type < 4 && strcmp(row->text[RULE_TYPE], types[type]) != 0)
        type++;
    if (type == 4)
        return error_set(c->err, ERROR_INPUT, "/rules/%u/type: must be apart, together, on or off", r);
    rule->type = (enum rule_type)type;
    rule->strict = row->number[RULE_STRICT] != 0;
    const char *scope = given(row, RULE_SCOPE) ? row->text[RULE_SCOPE] : "host";
    rule->by_zone = strcmp(scope, "zone") == 0;
    if (!rule->by_zone && strcmp(scope, "host") != 0)
        return error_set(c->err, ERROR_INPUT, "/rules/%u/scope: must be host or zone", r);
    struct name_span vms = row->names[RULE_VMS], hosts = row->names[RULE_HOSTS];
    bool needs_hosts = rule->type == RULE_ON || rule->type == RULE_OFF;
    if (vms.n == 0)
        return error_set(c->err, ERROR_INPUT, "/rules/%u/vms: must name at least one VM", r);
    if (needs_hosts && hosts.n == 0)
        return error_set(c->err, ERROR_INPUT, "/rules/%u/hosts: a rule of type \"%s\" must name hosts", r,
                         types[type]);
    if (!needs_hosts && hosts.n > 0)
        return error_set(c->err, ERROR_INPUT, "/rules/%u/hosts: a rule of type \"%s\" takes no hosts", r,
                         types[type]);
    rule->n_vms = vms.n;
    rule->vms = arena_new_array(s->arena, uint32_t, vms.n);
    rule->n_hosts = hosts.n;
    rule->hosts = arena_new_array(s->arena, uint32_t, hosts.n);
    if (resolve(c, &c->vms, "VM", vms, (struct place){"rules", r, "vms"}, rule->vms) < 0)
        return -1;
    return resolve(c, &c->hosts, "host", hosts, (struct place){"rules", r, "hosts"}, rule->hosts);
}

static int convert_all(struct conversion *c)
{
    if (convert_hosts(c) < 0 || convert_vms(c) < 0)
        return -1;
    for (uint32_t r = 0; r < c->snapshot->n_rules; r++)
        if (convert_rule(c, &c->rows->list[ROW_RULE].at[r], r) < 0)
            return -1;
    c->snapshot->taken_at = c->rows->taken_at;
    c->snapshot->has_taken_at = c->rows->has_taken_at;
    return 0;
}

int snapshot_rows_convert(struct snapshot_rows *rows, struct snapshot **ret_snapshot, struct error *err)
{
    uint32_t n_hosts = (uint32_t)rows->list[ROW_HOST].n, n_vms = (uint32_t)rows->list[ROW_VM].n;
    if (n_hosts == 0)
        return error_set(err, ERROR_INPUT, "/hosts: there must be at least one host");
    struct conversion c = {.rows = rows, .err = err};
    int failed = -1;
    c.snapshot = snapshot_new(n_hosts, n_vms, (uint32_t)rows->list[ROW_RULE].n);
    if (!c.snapshot || name_index_init(&c.hosts, n_hosts) < 0 || name_index_init(&c.vms, n_vms) < 0 ||
        name_index_init(&c.zones, n_hosts) < 0)
        error_set(err, ERROR_MEMORY, "no memory for %u hosts and %u VMs", n_hosts, n_vms);
    else
        failed = convert_all(&c);
    name_index_free(&c.hosts);
    name_index_free(&c.vms);
    name_index_free(&c.zones);
    if (failed) {
        snapshot_free(c.snapshot);
        return -1;
    }
    *ret_snapshot = c.snapshot;
    return 0;
}
