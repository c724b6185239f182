#include "command/live_json.h"

#include "base/clock.h"
#include "command/live.h"
#include "store/setting_keys.h"

static void age(struct json_writer *w, const char *key, int64_t age_ms)
{
    json_key(w, key);
    if (age_ms < 0)
        json_string(w, NULL);
    else
        json_number(w, (double)age_ms / 1000);
}

// -1 stands for "not known" in these figures.
static void known(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    if (value < 0)
        json_string(w, NULL);
    else
        json_number(w, value);
}

void live_json_host(struct json_writer *w, const struct store_host *h)
{
    json_object_begin(w);
    json_key_string(w, "name", h->name);
    json_key_string(w, "state", live_host_state(h, NULL));
    json_key_bool(w, "alive", h->alive);
    json_key_string(w, "mode", store_mode_name(h->mode));
    json_key_bool(w, "closed", h->closed);
    json_key_string(w, "closed_why", h->closed_why);
    json_key_string(w, "zone", h->zone);
    json_key_string(w, "provides", h->provides);
    json_key_string(w, "address", h->address);
    json_key_string(w, "agent_version", h->agent_version);
    json_key_integer(w, "vms", h->n_vms);
    json_key_number(w, "cpu_cores", h->cpu_cores);
    json_key_number(w, "cpu_used_cores", h->cpu_used_cores);
    json_key_number(w, "cpu_demand_cores", h->cpu_demand_cores);
    json_key_number(w, "cpu_unmet_cores", h->cpu_unmet_cores);
    json_key_number(w, "mem_mib", h->mem_mib);
    json_key_number(w, "mem_reserved_mib", h->mem_reserved_mib);
    json_key_number(w, "mem_used_mib", h->mem_used_mib);
    json_key_number(w, "mem_current_mib", h->mem_current_mib);
    json_key_number(w, "mem_unmet_mib", h->mem_unmet_mib);
    json_key_number(w, "mem_available_mib", h->mem_available_mib);
    json_key_number(w, "swap_used_mib", h->swap_used_mib);
    json_key_string(w, "memory_state", live_memory_state(h->memory_state, NULL));
    known(w, "psi_cpu_permille", h->psi_cpu_permille);
    known(w, "psi_memory_permille", h->psi_memory_permille);
    json_key_integer(w, "migrations_in", h->migrations_in);
    json_key_integer(w, "migrations_out", h->migrations_out);
    json_key_number(w, "in_flight_mem_mib", h->in_flight_mem_mib);
    age(w, "report_age_s", h->report_age_ms);
    age(w, "heartbeat_age_s", h->heartbeat_age_ms);
    json_object_end(w);
}

void live_json_vm(struct json_writer *w, const struct store_vm *v)
{
    json_object_begin(w);
    json_key_string(w, "uuid", v->uuid);
    json_key_string(w, "name", v->name);
    json_key_string(w, "host", v->host);
    json_key_string(w, "state", live_vm_state(v, NULL));
    json_key_string(w, "mode", store_mode_name(v->mode));
    json_key_bool(w, "excluded", v->excluded);
    json_key_bool(w, "movable", v->movable);
    json_key_string(w, "movable_why", v->movable_why);
    json_key_string(w, "balloon_why", v->balloon_why);
    json_key_string(w, "owner", v->owner);
    json_key_integer(w, "vcpus", v->vcpus);
    json_key_number(w, "mem_mib", v->mem_mib);
    json_key_number(w, "mem_current_mib", v->mem_current_mib);
    json_key_number(w, "mem_used_mib", v->mem_used_mib);
    json_key_number(w, "mem_actual_mib", v->mem_actual_mib);
    json_key_number(w, "mem_overhead_mib", v->mem_overhead_mib);
    json_key_number(w, "mem_target_mib", v->mem_target_mib);
    json_key_number(w, "mem_entitlement_mib", v->mem_entitlement_mib);
    json_key_number(w, "mem_unmet_mib", v->mem_unmet_mib);
    json_key_number(w, "cpu_demand_cores", v->cpu_demand_cores);
    json_key_number(w, "cpu_used_cores", v->cpu_used_cores);
    json_key_number(w, "cpu_entitlement_cores", v->cpu_entitlement_cores);
    json_key_number(w, "cpu_unmet_cores", v->cpu_unmet_cores);
    json_key_number(w, "s_cpu", v->s_cpu);
    json_key_number(w, "s_mem", v->s_mem);
    json_key_number(w, "satisfaction", v->s_cpu * v->s_mem);
    json_key_integer(w, "shares", v->shares);
    json_key_integer(w, "cpu_shares", v->cpu_shares);
    json_key_integer(w, "mem_shares", v->mem_shares);
    json_key_number(w, "cpu_reservation_cores", v->cpu_reservation_cores);
    json_key_number(w, "cpu_limit_cores", v->cpu_limit_cores);
    json_key_number(w, "mem_reservation_mib", v->mem_reservation_mib);
    json_key_number(w, "mem_limit_mib", v->mem_limit_mib);
    json_key_number(w, "dirty_mib_s", v->dirty_mib_s);
    known(w, "swap_in_mib_s", v->swap_in_mib_s);
    json_key_number(w, "migrations_1h", v->migrations_1h);
    json_key_integer(w, "migrations_24h", (int64_t)v->migrations_24h);
    json_key_string(w, "last_from", v->last_from);
    age(w, "last_moved_age_s", v->last_moved_age_ms);
    json_key_integer(w, "migration", (int64_t)v->migration_id);
    json_key_string(w, "why", v->why);
    age(w, "report_age_s", v->report_age_ms);
    json_object_end(w);
}

void live_json_migration(struct json_writer *w, const struct store_migration *m)
{
    static const char *const origins[] = {"immediate", "longterm", "operator"};
    char utc[32];
    json_object_begin(w);
    json_key_integer(w, "id", (int64_t)m->id);
    json_key_string(w, "state", store_migration_state_name(m->state));
    json_key_string(w, "vm", m->vm_name);
    json_key_string(w, "uuid", m->move.vm_uuid);
    json_key_string(w, "from", m->move.from);
    json_key_string(w, "to", m->move.to);
    json_key_string(w, "origin", (unsigned)m->move.origin < 3 ? origins[m->move.origin] : "?");
    json_key_number(w, "benefit_lost_vm_s", m->move.benefit_lost_vm_s);
    json_key_number(w, "cost_lost_vm_s", m->move.cost_lost_vm_s);
    json_key_number(w, "expected_s", m->move.duration_s);
    json_key_string(w, "reason", m->move.reason);
    json_key_string(w, "text", m->text);
    json_key_string(w, "approved_by", m->approved_by);
    json_key_integer(w, "after", (int64_t)m->after);
    json_key_string(w, "created_at", clock_format_utc(m->created_at, utc));
    age(w, "started_age_s", m->started_age_ms);
    age(w, "ended_age_s", m->ended_age_ms);
    json_key_number(w, "transferred_mib", m->progress.transferred_mib);
    json_key_number(w, "remaining_mib", m->progress.remaining_mib);
    json_key_number(w, "rate_mib_s", m->progress.rate_mib_s);
    json_key_number(w, "duration_s", m->duration_s);
    json_key_number(w, "downtime_ms", m->downtime_ms);
    json_object_end(w);
}

void live_json_decision(struct json_writer *w, const struct store_decision *d)
{
    json_object_begin(w);
    json_key_string(w, "loop", store_loop_name(d->loop));
    json_key_string(w, "host", d->host);
    json_key_string(w, "uuid", d->vm_uuid);
    json_key_string(w, "vm", d->vm_name);
    json_key_string(w, "verdict", d->verdict);
    json_key_bool(w, "acted", d->acted);
    json_key_string(w, "reason", d->reason);
    json_key_string(w, "detail", d->detail);
    json_key_integer(w, "times", d->times);
    age(w, "first_age_s", d->first_age_ms);
    age(w, "last_age_s", d->last_age_ms);
    json_object_end(w);
}

void live_json_event(struct json_writer *w, const struct store_event *e)
{
    static const char *const severities[] = {"info", "warning", "error"};
    char utc[32];
    json_object_begin(w);
    json_key_integer(w, "id", (int64_t)e->id);
    json_key_string(w, "at", clock_format_utc(e->at, utc));
    json_key_string(w, "severity", (unsigned)e->severity < 3 ? severities[e->severity] : "?");
    json_key_string(w, "kind", e->kind);
    json_key_string(w, "host", e->host);
    json_key_string(w, "uuid", e->vm_uuid);
    json_key_string(w, "vm", e->vm_name);
    json_key_string(w, "text", e->text);
    json_object_end(w);
}

void live_json_setting(struct json_writer *w, const struct store_setting *s)
{
    static const char *const scopes[] = {"cluster", "host", "vm"};
    json_object_begin(w);
    json_key_string(w, "scope", (unsigned)s->scope < 3 ? scopes[s->scope] : "?");
    json_key_string(w, "object", s->object);
    json_key_string(w, "key", s->key);
    json_key_string(w, "value", s->value);
    age(w, "age_s", s->age_ms);
    json_object_end(w);
}
