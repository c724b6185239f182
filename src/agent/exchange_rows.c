#include "agent/exchange_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decide/entitlement.h"
#include "decide/loss.h"

int exchange_rows_init(struct exchange_rows *r)
{
    memset(r, 0, sizeof *r);
    r->chosen = calloc(GUESTS_MAX, sizeof *r->chosen);
    r->figures = calloc(GUESTS_MAX, sizeof *r->figures);
    r->with_history = calloc(GUESTS_MAX, sizeof *r->with_history);
    r->gone = calloc(GUESTS_MAX, sizeof *r->gone);
    r->gone_text = calloc(GUESTS_MAX, sizeof *r->gone_text);
    r->present = calloc(GUESTS_MAX, sizeof *r->present);
    r->report = calloc(GUESTS_MAX, sizeof *r->report);
    r->index = calloc(GUESTS_MAX, sizeof *r->index);
    r->drift = calloc(GUESTS_MAX, sizeof *r->drift);
    r->cpu_claim = calloc(GUESTS_MAX, sizeof *r->cpu_claim);
    r->cpu_grant_cores = calloc(GUESTS_MAX, sizeof *r->cpu_grant_cores);
    r->scratch = malloc(entitlement_scratch_bytes(GUESTS_MAX));
    if (r->chosen && r->figures && r->with_history && r->gone && r->gone_text && r->present && r->report &&
        r->index && r->drift && r->cpu_claim && r->cpu_grant_cores && r->scratch)
        return 0;
    exchange_rows_clear(r);
    return -1;
}

void exchange_rows_clear(struct exchange_rows *r)
{
    free(r->chosen);
    free(r->figures);
    free(r->with_history);
    free(r->gone);
    free(r->gone_text);
    free(r->present);
    free(r->report);
    free(r->index);
    free(r->drift);
    free(r->cpu_claim);
    free(r->cpu_grant_cores);
    free(r->scratch);
    memset(r, 0, sizeof *r);
}

static double mib(uint64_t kib)
{
    return host_known(kib) ? (double)kib / 1024.0 : 0;
}

static double unmet_cores(const struct guest *g)
{
    return fmax(0, g->demand.demand_cores - g->demand.delivered_cores);
}

// What the guest needs; where it tells nothing, what it has.
static double used_mib(const struct guest *g)
{
    return mib(g->has_view ? g->view.usedmem_kib : guest_current_kib(g));
}

static enum store_vm_state state_of(const struct host_vm *vm)
{
    switch (vm->state) {
    case HOST_VM_RUNNING:
        return STORE_VM_RUNNING;
    case HOST_VM_PAUSED:
        return STORE_VM_PAUSED;
    case HOST_VM_INCOMING:
        return STORE_VM_INCOMING;
    case HOST_VM_UNKNOWN:
    case HOST_VM_SHUTTING_DOWN:
    case HOST_VM_OFF:
    case HOST_VM_CRASHED:
        break;
    }
    return STORE_VM_OTHER;
}

static struct report_figures figures_of(const struct guest *g, struct mono now)
{
    const struct terms *t = &g->terms;
    // Whatever others must know at once when it differs, mixed into one number.
    uint64_t sum = (uint64_t)state_of(g->vm) + 8 * (uint64_t)t->mode + 64 * (uint64_t)t->excluded +
                   128 * (uint64_t)(guest_immovable_why(g) != NULL) + 256 * (uint64_t)g->has_view;
    // What a migration costs depends on the dirty rate's magnitude, not on its last digit.
    sum = sum * 31 + (uint64_t)(64 + ilogb(fmax(guest_dirty_mib_s(g, now), 0.01)));
    sum = sum * 31 + t->shares;
    sum = sum * 31 + t->cpu_shares;
    sum = sum * 31 + t->mem_shares;
    sum = sum * 31 + (uint64_t)t->mem_reservation_mib;
    sum = sum * 31 + (uint64_t)t->mem_limit_mib;
    sum = sum * 31 + (uint64_t)(t->cpu_reservation_cores * 100);
    sum = sum * 31 + (uint64_t)(t->cpu_limit_cores * 100);
    sum = sum * 31 + guests_hash(t->rules, strlen(t->rules)) + 7 * guests_hash(t->needs, strlen(t->needs));
    sum = sum * 31 + (g->has_view ? (uint64_t)g->view.condition * 2 + g->view.distress : 0);
    return (struct report_figures){.cpu_demand_cores = g->demand.demand_cores,
                                   .mem_used_mib = used_mib(g),
                                   .mem_current_mib = mib(guest_current_kib(g)),
                                   .mem_actual_mib = mib(g->vm->actual_kib),
                                   .cpu_unmet_cores = unmet_cores(g),
                                   .mem_unmet_mib = g->has_view ? mib(g->view.unmet_kib) : 0,
                                   .flags = (uint32_t)(sum ^ sum >> 32)};
}

static void add_figures(struct report_figures *to, const struct report_figures *f)
{
    to->cpu_demand_cores += f->cpu_demand_cores;
    to->mem_used_mib += f->mem_used_mib;
    to->mem_current_mib += f->mem_current_mib;
    to->mem_actual_mib += f->mem_actual_mib;
    to->cpu_unmet_cores += f->cpu_unmet_cores;
    to->mem_unmet_mib += f->mem_unmet_mib;
}

// Divides the host's CPU among those present.
static void entitle(struct exchange_rows *r, size_t n, const struct host_cpu *cpu)
{
    for (size_t i = 0; i < n; i++) {
        const struct terms *t = &r->present[i]->terms;
        r->cpu_claim[i] = (struct entitlement_claim){.demand = r->present[i]->demand.demand_cores,
                                                     .reservation = t->cpu_reservation_cores,
                                                     .limit = t->cpu_limit_cores,
                                                     .shares = fmax(1, t->cpu_shares)};
    }
    double capacity_cores = demand_host_capacity_cores(cpu->capacity_cores, cpu->threads_per_core, 1);
    entitlement_divide(capacity_cores, n, r->cpu_claim, r->cpu_grant_cores, r->scratch);
    for (size_t i = 0; i < n; i++)
        r->present[i]->cpu_entitlement_cores = r->cpu_grant_cores[i];
}

void exchange_rows_choose(struct exchange_rows *r, struct guests *guests, const struct exchange_host *host,
                          bool all, struct mono now)
{
    size_t n = 0;
    r->n = r->n_gone = 0;
    r->capacity_cores = fmax(0.01, host->sample->cpu.capacity_cores);
    r->capacity_mib = fmax(1, mib(host->sample->memory.total_kib));
    memset(&r->host, 0, sizeof r->host);
    for (size_t i = 0; i < guests->n; i++) {
        struct guest *g = guests->at[i];
        if (!g->present) {
            // On joining the store drops what is not in the list.
            if (g->report.known && !all) {
                memcpy(r->gone_text[r->n_gone], g->uuid_text, sizeof g->uuid_text);
                r->gone[r->n_gone] = r->gone_text[r->n_gone];
                r->n_gone++;
            }
            g->report.known = false;
            continue;
        }
        g->report.now = figures_of(g, now);
        add_figures(&r->host, &g->report.now);
        r->present[n] = g;
        r->report[n++] = g->report;
    }
    r->host.flags = (uint32_t)host->mode + 4 * (uint32_t)host->closed + 8 * (uint32_t)n +
                    ((uint32_t)host->maintenance << 28) +
                    (host->memory ? (uint32_t)host->memory->state << 24 : 0);
    entitle(r, n, &host->sample->cpu);
    struct report_thresholds thresholds = report_thresholds_default();
    size_t chosen = 0;
    if (!all)
        chosen = report_select(&thresholds, r->report, n, r->capacity_cores, r->capacity_mib, now, r->index,
                               r->drift);
    for (size_t i = 0, next = 0; i < n; i++) {
        bool selected = next < chosen && r->index[next] == i;
        next += selected;
        if (!all && !selected && !r->present[i]->appeared)
            continue;
        r->chosen[r->n] = r->present[i];
        r->figures[r->n++] = r->report[i].now;
    }
}

bool exchange_rows_host_changed(const struct exchange_rows *r, const struct report_figures *reported)
{
    struct report_thresholds thresholds = report_thresholds_default();
    return report_host_changed(&thresholds, &r->host, reported, r->capacity_cores, r->capacity_mib);
}

static enum store_mode store_mode_of(enum agent_mode mode)
{
    switch (mode) {
    case AGENT_MODE_OBSERVE:
        return STORE_MODE_OBSERVE;
    case AGENT_MODE_RECOMMEND:
        return STORE_MODE_RECOMMEND;
    case AGENT_MODE_AUTO:
        return STORE_MODE_AUTO;
    }
    return STORE_MODE_OBSERVE;
}

void exchange_rows_write_host(struct exchange_rows *r, const struct settings *s, const char *host_name,
                              const char *address, const struct guests *guests,
                              const struct exchange_host *host, struct arena *arena,
                              struct store_host *ret_row)
{
    const struct host_sample *sample = host->sample;
    const struct host_memory *m = &sample->memory;
    double overhead_mib = 0;
    uint32_t n = 0;
    for (size_t i = 0; i < guests->n; i++)
        if (guests->at[i]->present) {
            overhead_mib += mib(guests->at[i]->vm->overhead_kib);
            n++;
        }
    *ret_row = (struct store_host){
        .name = arena_strdup(arena, host_name),
        .address = arena_strdup(arena, address),
        .migration_uri = *s->data_uri ? arena_strdup(arena, s->data_uri) : NULL,
        .zone = *s->zone ? arena_strdup(arena, s->zone) : NULL,
        .provides = *s->provides ? arena_strdup(arena, s->provides) : NULL,
        .agent_version = BALLAST_VERSION,
        .state = host->maintenance ? HOST_MAINTENANCE : HOST_UP,
        .mode = store_mode_of(host->mode),
        .closed = host->closed,
        .closed_why = host->closed_why ? arena_strdup(arena, host->closed_why) : NULL,
        .cpu_cores = r->capacity_cores,
        .mem_mib = r->capacity_mib,
        .mem_reserved_mib = fmin((double)s->mem_reserved_mib, r->capacity_mib / 2),
        .net_mib_s = (double)s->net_mib_s,
        .threads_per_core = sample->cpu.threads_per_core > 0 ? sample->cpu.threads_per_core : 1,
        .core_speed = s->core_speed,
        .cpu_used_cores = host->cpu_used_cores,
        .cpu_demand_cores = r->host.cpu_demand_cores,
        .cpu_unmet_cores = r->host.cpu_unmet_cores,
        .mem_used_mib = r->host.mem_used_mib + overhead_mib,
        .mem_current_mib = r->host.mem_current_mib + overhead_mib,
        .mem_unmet_mib = r->host.mem_unmet_mib,
        .mem_available_mib = mib(m->available_kib),
        .swap_used_mib = mib(m->swap_total_kib - m->swap_free_kib),
        .psi_cpu_permille = m->cpu_psi.known ? m->cpu_psi.some_avg10_pct * 10 : -1,
        .psi_memory_permille = m->memory_psi.known ? m->memory_psi.some_avg10_pct * 10 : -1,
        .memory_state = host->memory ? (int)host->memory->state : 0,
        .n_vms = n,
    };
}

static void write_history(const struct guest *g, struct arena *arena, struct store_vm *row)
{
    struct history_summary *summary = arena_new_object(arena, struct history_summary);
    double most[HISTORY_RESOURCES] = {
        [HISTORY_CPU] = g->terms.cpu_limit_cores, [HISTORY_MEM] = g->terms.mem_limit_mib};
    history_summarize(&g->history, most, &history_prior_default, summary);
    row->history = summary;
    row->history_bytes = sizeof *summary;
    row->cpu_sd_cores = summary->sd[HISTORY_CPU];
    row->mem_sd_mib = summary->sd[HISTORY_MEM];
}

static void write_vm(const struct guest *g, const struct report_figures *f, struct arena *arena,
                     struct mono now, struct store_vm *row)
{
    const struct host_vm *vm = g->vm;
    const struct terms *t = &g->terms;
    const struct memory_vm_view *view = g->has_view ? &g->view : NULL;
    const char *immovable = guest_immovable_why(g);
    double idle_floor = LOSS_IDLE_PART * vm->n_vcpus;
    double missing = view && view->demand_kib > 0 ? (double)view->unmet_kib / (double)view->demand_kib : 0;
    *row = (struct store_vm){
        .uuid = arena_strdup(arena, g->uuid_text),
        .name = arena_strdup(arena, g->name),
        .state = state_of(vm),
        .mode = store_mode_of(t->mode),
        .excluded = t->excluded,
        .movable = immovable == NULL,
        .movable_why = immovable,
        .balloon_why =
            vm->unballoonable != HOST_BALLOONABLE ? host_unballoonable_text(vm->unballoonable) : NULL,
        .owner = vm->facts->owner != HOST_OWNER_NONE ? host_owner_name(vm->facts->owner) : NULL,
        .needs = *t->needs ? arena_strdup(arena, t->needs) : NULL,
        .rules = *t->rules ? arena_strdup(arena, t->rules) : NULL,
        .vcpus = vm->n_vcpus > 0 ? vm->n_vcpus : 1,
        .mem_mib = mib(guest_maxmem_kib(g)),
        .mem_current_mib = f->mem_current_mib,
        .mem_used_mib = f->mem_used_mib,
        .mem_actual_mib = f->mem_actual_mib,
        .mem_overhead_mib = mib(vm->overhead_kib),
        .cpu_demand_cores = f->cpu_demand_cores,
        .cpu_used_cores = g->demand.delivered_cores,
        .cpu_entitlement_cores = g->cpu_entitlement_cores,
        .mem_entitlement_mib = view ? mib(view->entitlement_kib) : mib(guest_current_kib(g)),
        .cpu_unmet_cores = f->cpu_unmet_cores,
        .mem_unmet_mib = f->mem_unmet_mib,
        .s_cpu = loss_cpu_satisfaction(f->cpu_unmet_cores, f->cpu_demand_cores, idle_floor),
        .s_mem = loss_memory_satisfaction(missing),
        .shares = t->shares,
        .cpu_shares = t->cpu_shares,
        .mem_shares = t->mem_shares,
        .cpu_reservation_cores = t->cpu_reservation_cores,
        .cpu_limit_cores = t->cpu_limit_cores,
        .mem_reservation_mib = t->mem_reservation_mib,
        .mem_limit_mib = t->mem_limit_mib,
        .dirty_mib_s = guest_dirty_mib_s(g, now),
        .local_disk_mib = mib(vm->facts->local_disk_kib),
        .swap_in_mib_s = g->swap_in_mib_s,
        .mem_target_mib = view ? mib(view->target_kib) : 0,
        .why = *g->why ? arena_strdup(arena, g->why) : NULL,
        .appeared = g->appeared,
    };
}

struct store_vm *exchange_rows_write_vms(struct exchange_rows *r, const struct guests *guests,
                                         struct arena *arena, struct mono now)
{
    (void)guests;
    struct store_vm *rows = arena_new_array(arena, struct store_vm, r->n);
    for (size_t i = 0; i < r->n; i++) {
        const struct guest *g = r->chosen[i];
        write_vm(g, &r->figures[i], arena, now, &rows[i]);
        r->with_history[i] = !g->history_sent || now.ms - g->history_sent_at.ms >= EXCHANGE_HISTORY_MS;
        if (r->with_history[i])
            write_history(g, arena, &rows[i]);
    }
    return rows;
}

void exchange_rows_arrived(struct exchange_rows *r, struct mono now)
{
    for (size_t i = 0; i < r->n; i++) {
        struct guest *g = r->chosen[i];
        g->report.reported = r->figures[i];
        g->report.reported_at = now;
        g->report.known = g->present;
        g->appeared = false;
        if (r->with_history[i]) {
            g->history_sent = true;
            g->history_sent_at = now;
        }
    }
}
