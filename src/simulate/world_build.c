// Building a world: which VMs of the trace it has, how many hosts of which kind, and room for all that is kept of them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/world.h"
#include "simulate/world_private.h"

#define MOST_HOSTS 100000.0

static double type_mem_mib(const struct scenario_host_type *type)
{
    return type->mem_mib - type->mem_reserved_mib;
}

// What VM t of n in the trace is, in units of the scenario.
struct vm_figures {
    uint32_t vcpus;
    double cores, mem_mib;
};

static struct vm_figures vm_figures(const struct scenario *s, const struct trace *trace, uint32_t t)
{
    if (trace->has_capacity) {
        // A VM cannot use more than its vCPUs, whatever megahertz it is said to have.
        double cores = trace->cap_mhz[t] / s->unit_core_mhz;
        return (struct vm_figures){trace->vcpus[t], fmin(cores, trace->vcpus[t]), trace->mem_mib[t]};
    }
    uint32_t quarter = (trace->n_vms + s->n_vm_types - 1) / s->n_vm_types;
    const struct scenario_vm_type *type = &s->vm_type[t / quarter];
    return (struct vm_figures){type->vcpus, type->vcpus * type->core_mhz / s->unit_core_mhz, type->mem_mib};
}

static bool fits_some_host(const struct scenario *s, const struct vm_figures *f)
{
    for (uint32_t i = 0; i < s->n_host_types; i++) {
        const struct scenario_host_type *type = &s->host_type[i];
        if (f->mem_mib + s->vm_overhead_mib <= type_mem_mib(type) &&
            f->cores <= type->cores * type->core_mhz / s->unit_core_mhz)
            return true;
    }
    return false;
}

static void allocate_hosts(struct world *w, uint32_t n)
{
    w->n_hosts = n;
    w->host_name = arena_new_array(w->arena, const char *, n);
    w->host_cores = arena_new_array(w->arena, double, n);
    w->host_core_cores = arena_new_array(w->arena, double, n);
    w->host_mem_mib = arena_new_array(w->arena, double, n);
    w->host_net_mib_s = arena_new_array(w->arena, double, n);
    w->host_curve = arena_new_array(w->arena, const struct power_curve *, n);
    w->host_power = arena_new_array(w->arena, enum host_power, n);
    w->host_in = arena_new_array(w->arena, uint32_t, n);
    w->host_out = arena_new_array(w->arena, uint32_t, n);
    w->host_vms = arena_new_array(w->arena, struct view_list, n);
    w->host_change_ms = arena_new_array(w->arena, int64_t, n);
    w->host_crash_ms = arena_new_array(w->arena, int64_t, n);
    w->host_dirty = arena_new_array(w->arena, bool, n);
    w->host_since_ms = arena_new_array(w->arena, int64_t, n);
    w->host_rates = arena_new_array(w->arena, struct host_rates, n);
}

static void allocate_vms(struct world *w, uint32_t n)
{
    w->n_vms = n;
    w->vm_trace = arena_new_array(w->arena, uint32_t, n);
    w->vm_name = arena_new_array(w->arena, const char *, n);
    w->vm_vcpus = arena_new_array(w->arena, uint32_t, n);
    w->vm_cores = arena_new_array(w->arena, double, n);
    w->vm_mem_mib = arena_new_array(w->arena, double, n);
    w->vm_overhead_mib = arena_new_array(w->arena, double, n);
    w->vm_shares = arena_new_array(w->arena, double, n);
    w->vm_weight = arena_new_array(w->arena, double, n);
    w->vm_host = arena_new_array(w->arena, uint32_t, n);
    w->vm_to = arena_new_array(w->arena, uint32_t, n);
    w->vm_moves = arena_new_array(w->arena, uint32_t, n);
    w->vm_since_ms = arena_new_array(w->arena, int64_t, n);
    w->known = arena_new_array(w->arena, bool, n);
    w->known_cpu = arena_new_array(w->arena, double, n);
    w->known_mem = arena_new_array(w->arena, double, n);
    w->demand = arena_new_array(w->arena, double, n);
    w->mem_used = arena_new_array(w->arena, double, n);
    w->mem_current = arena_new_array(w->arena, double, n);
    w->mem_actual = arena_new_array(w->arena, double, n);
    w->guest_swap = arena_new_array(w->arena, double, n);
    w->dirty_mib_s = arena_new_array(w->arena, double, n);
    w->delivered = arena_new_array(w->arena, double, n);
    w->s_mem = arena_new_array(w->arena, double, n);
    w->vm_lost = arena_new_array(w->arena, double, n);
    w->vm_exist = arena_new_array(w->arena, double, n);
    w->vm_lost_rate = arena_new_array(w->arena, double, n);
    w->vm_left = (struct left_host(*)[WORLD_LEFT])arena_alloc(w->arena, n, sizeof(*w->vm_left));
    w->vm_n_left = arena_new_array(w->arena, uint32_t, n);
    w->claim = arena_new_array(w->arena, struct entitlement_claim, n);
    w->grant = arena_new_array(w->arena, double, n);
    w->grant_mem = arena_new_array(w->arena, double, n);
    w->scratch = arena_alloc(w->arena, 1, entitlement_scratch_bytes(n) + 1);
}

static void connect_view(struct world *w)
{
    w->view = (struct view){
        .unit_core_mhz = w->scenario->unit_core_mhz,
        .n_hosts = w->n_hosts,
        .host_name = w->host_name,
        .host_cores = w->host_cores,
        .host_core_cores = w->host_core_cores,
        .host_mem_mib = w->host_mem_mib,
        .host_net_mib_s = w->host_net_mib_s,
        .host_curve = w->host_curve,
        .host_power = w->host_power,
        .host_in = w->host_in,
        .host_out = w->host_out,
        .host_vms = w->host_vms,
        .n_vms = w->n_vms,
        .vm_name = w->vm_name,
        .vm_vcpus = w->vm_vcpus,
        .vm_cores = w->vm_cores,
        .vm_mem_mib = w->vm_mem_mib,
        .vm_overhead_mib = w->vm_overhead_mib,
        .vm_shares = w->vm_shares,
        .vm_host = w->vm_host,
        .vm_to = w->vm_to,
        .vm_since_ms = w->vm_since_ms,
        .vm_moves = w->vm_moves,
        .known = w->known,
        .cpu_demand = w->known_cpu,
        .mem_used_mib = w->known_mem,
        .mem_current_mib = w->mem_current,
        .mem_actual_mib = w->mem_actual,
        .guest_swap_mib = w->guest_swap,
        .cpu_delivered = w->delivered,
        .dirty_mib_s = w->dirty_mib_s,
    };
}

int64_t world_next_crash_ms(struct world *w, int64_t from_ms)
{
    double per_ms = w->scenario->crash_per_day / 86400000.0;
    if (per_ms <= 0)
        return INT64_MAX;
    return from_ms + (int64_t)(-log(1 - random_unit(&w->random)) / per_ms) + 1;
}

// The VMs of the trace that some host can hold; the names of the others to left_out.
static void build_vms(struct world *w)
{
    const struct scenario *s = w->scenario;
    const struct trace *trace = w->trace;
    const char *left_out = "";
    uint32_t n = 0;
    for (uint32_t t = 0; t < trace->n_vms; t++) {
        struct vm_figures f = vm_figures(s, trace, t);
        n += fits_some_host(s, &f);
    }
    allocate_vms(w, n);
    uint32_t v = 0;
    for (uint32_t t = 0; t < trace->n_vms; t++) {
        struct vm_figures f = vm_figures(s, trace, t);
        if (!fits_some_host(s, &f)) {
            left_out = arena_printf(w->arena, "%s%s%s", left_out, *left_out ? ", " : "", trace->name[t]);
            continue;
        }
        w->vm_trace[v] = t;
        w->vm_name[v] = trace->name[t];
        w->vm_vcpus[v] = f.vcpus;
        w->vm_cores[v] = f.cores;
        w->vm_mem_mib[v] = w->mem_current[v] = f.mem_mib;
        w->vm_overhead_mib[v] = s->vm_overhead_mib;
        w->vm_shares[v] = 1000;
        w->vm_weight[v] = 1;
        w->vm_host[v] = w->vm_to[v] = VIEW_NONE;
        v++;
    }
    w->left_out = left_out;
}

static int build_hosts(struct world *w, struct error *err)
{
    const struct scenario *s = w->scenario;
    double configured = 0, n = 0;
    for (uint32_t v = 0; v < w->n_vms; v++)
        configured += w->vm_mem_mib[v];
    double count[SCENARIO_TYPES] = {0};
    for (uint32_t i = 0; i < s->n_host_types; i++) {
        count[i] = s->host_type[i].count;
        if (s->host_type[i].count == 0)
            count[i] = fmax(1, ceil(configured / (type_mem_mib(&s->host_type[i]) * s->overcommit)));
        n += count[i];
    }
    if (n > MOST_HOSTS)
        return error_set(err, ERROR_INPUT, "scenario %s: %.0f hosts, at most %.0f are simulated", s->name, n,
                         MOST_HOSTS);
    allocate_hosts(w, (uint32_t)n);
    double used[SCENARIO_TYPES] = {0};
    uint32_t type = 0;
    for (uint32_t h = 0; h < w->n_hosts; h++) {
        while (used[type] >= count[type])
            type = (type + 1) % s->n_host_types;
        const struct scenario_host_type *t = &s->host_type[type];
        used[type]++;
        type = (type + 1) % s->n_host_types;
        w->host_name[h] = arena_printf(w->arena, "h%u", h);
        w->host_core_cores[h] = t->core_mhz / s->unit_core_mhz;
        w->host_cores[h] = t->cores * w->host_core_cores[h];
        w->host_mem_mib[h] = type_mem_mib(t);
        w->host_net_mib_s[h] = t->net_mib_s;
        w->host_curve[h] = t->power;
        w->host_power[h] = HOST_ON;
        w->host_change_ms[h] = INT64_MAX;
        w->host_crash_ms[h] = world_next_crash_ms(w, 0);
        w->host_dirty[h] = true;
    }
    return 0;
}

static int build(struct world *w, struct error *err)
{
    w->arena = arena_new(0);
    if (!w->arena)
        return error_set(err, ERROR_MEMORY, "no memory for a world");
    build_vms(w);
    if (w->n_vms == 0)
        return error_set(err, ERROR_INPUT,
                         "scenario %s: no VM of the trace fits on any host: larger hosts are needed",
                         w->scenario->name);
    if (build_hosts(w, err) < 0)
        return -1;
    connect_view(w);
    return 0;
}

int world_new(const struct scenario *scenario, const struct trace *trace, uint32_t slots, uint64_t seed,
              struct world **ret_world, struct error *err)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, ERROR_MEMORY, "no memory for a world");
    w->scenario = scenario;
    w->trace = trace;
    w->n_slots = slots;
    w->random = random_seed(seed);
    if (build(w, err) < 0) {
        world_free(w);
        return -1;
    }
    *ret_world = w;
    return 0;
}

struct world *world_free(struct world *w)
{
    if (!w)
        return NULL;
    migrations_free(&w->running);
    migration_ends_free(&w->ended);
    arena_free(w->arena);
    free(w);
    return NULL;
}
