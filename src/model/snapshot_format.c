// Writing a snapshot: the tables of the format give the keys, and what holds its default is left out.
#include "model/snapshot_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/json_writer.h"
#include "model/snapshot_rows.h"

static double column_value(const void *table, const struct field *field, uint32_t i)
{
    return (*(double *const *)((const char *)table + field->column))[i];
}

static void put_figures(struct json_writer *w, const void *table, const struct field_table *fields,
                        uint32_t first, uint32_t i)
{
    for (uint32_t f = first; f < fields->n; f++) {
        const struct field *field = &fields->field[f];
        double value = column_value(table, field, i);
        if (field->required || isnan(field->fallback) || value != field->fallback)
            json_key_exact(w, field->key, value);
    }
}

static void put_hosts(struct json_writer *w, const struct snapshot *s)
{
    static const char *const states[] = {[HOST_UP] = "up",
                                         [HOST_MAINTENANCE] = "maintenance",
                                         [HOST_STANDBY] = "standby",
                                         [HOST_DOWN] = "down"};
    json_key_array(w, "hosts");
    for (uint32_t h = 0; h < s->hosts.n; h++) {
        json_object_begin(w);
        json_key_string(w, "name", s->hosts.name[h]);
        if (s->hosts.state[h] != HOST_UP)
            json_key_string(w, "state", states[s->hosts.state[h]]);
        const char *zone = s->zone_name[s->hosts.zone[h]];
        if (zone && strcmp(zone, s->hosts.name[h]) != 0)
            json_key_string(w, "zone", zone);
        put_figures(w, &s->hosts, &snapshot_host_fields, HOST_FIRST_FIGURE, h);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_names(struct json_writer *w, const char *key, const char *const *name, const uint32_t *item,
                      uint32_t n)
{
    if (n == 0)
        return;
    json_key_array(w, key);
    for (uint32_t i = 0; i < n; i++)
        json_string(w, name[item[i]]);
    json_array_end(w);
}

static void put_vms(struct json_writer *w, const struct snapshot *s)
{
    const struct snapshot_vms *vms = &s->vms;
    json_key_array(w, "vms");
    for (uint32_t v = 0; v < vms->n; v++) {
        json_object_begin(w);
        json_key_string(w, "name", vms->name[v]);
        json_key_string(w, "host", s->hosts.name[vms->host[v]]);
        json_key_integer(w, "vcpus", vms->vcpus[v]);
        if (vms->shares[v] != SNAPSHOT_SHARES)
            json_key_integer(w, "shares", vms->shares[v]);
        if (vms->cpu_shares[v] != vms->shares[v])
            json_key_integer(w, "cpu_shares", vms->cpu_shares[v]);
        if (vms->mem_shares[v] != vms->shares[v])
            json_key_integer(w, "mem_shares", vms->mem_shares[v]);
        put_figures(w, vms, &snapshot_vm_fields, VM_FIRST_FIGURE, v);
        if (!vms->movable[v])
            json_key_bool(w, "movable", false);
        uint32_t start = vms->cannot_run_on.start[v];
        put_names(w, "cannot_run_on", s->hosts.name, vms->cannot_run_on.item + start,
                  vms->cannot_run_on.start[v + 1] - start);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_rules(struct json_writer *w, const struct snapshot *s)
{
    static const char *const types[] = {
        [RULE_APART] = "apart", [RULE_TOGETHER] = "together", [RULE_ON] = "on", [RULE_OFF] = "off"};
    if (s->n_rules == 0)
        return;
    json_key_array(w, "rules");
    for (uint32_t r = 0; r < s->n_rules; r++) {
        const struct rule *rule = &s->rules[r];
        json_object_begin(w);
        json_key_string(w, "type", types[rule->type]);
        put_names(w, "vms", s->vms.name, rule->vms, rule->n_vms);
        put_names(w, "hosts", s->hosts.name, rule->hosts, rule->n_hosts);
        if (rule->by_zone)
            json_key_string(w, "scope", "zone");
        if (!rule->strict)
            json_key_bool(w, "strict", false);
        json_object_end(w);
    }
    json_array_end(w);
}

int snapshot_json_format(const struct snapshot *s, char **ret_text, size_t *ret_size, struct error *err)
{
    struct json_writer *w = json_writer_new(false);
    if (!w)
        return error_set(err, ERROR_MEMORY, "no memory to write a snapshot");
    json_object_begin(w);
    json_key_string(w, "format", SNAPSHOT_JSON_FORMAT);
    if (s->has_taken_at) {
        char stamp[32];
        json_key_string(w, "taken_at", clock_format_utc(s->taken_at, stamp));
    }
    put_hosts(w, s);
    put_vms(w, s);
    put_rules(w, s);
    json_object_end(w);
    size_t size;
    const char *text = json_writer_text(w, &size, err);
    char *copy = text ? malloc(size + 1) : NULL;
    if (copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
        *ret_text = copy;
        *ret_size = size;
    } else if (text) {
        error_set(err, ERROR_MEMORY, "no memory to write a snapshot");
    }
    json_writer_free(w);
    return copy ? 0 : -1;
}
