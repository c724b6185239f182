// The immediate balancer of a simulated host: its own VMs as measured, the others as they were reported.
#include <math.h>
#include <string.h>

#include "simulate/ballast.h"

// ballastd's default: the age that the row of a living host can have. The clock jumps over heartbeats that tell nothing, so
// every row is taken to be as old as that; its figures may be older, by what report.h allows.
#define HEARTBEAT_S 10.0

uint32_t ballast_moves_24h(const struct ballast *b, uint32_t v)
{
    const struct ballast_vm *vm = &b->vm[v];
    uint32_t n = vm->n_moves < 8 ? vm->n_moves : 8, count = 0;
    if (!b->scenario->bars)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        count += b->now_ms - vm->move_ms[i] < 86400000;
    return count;
}

static struct immediate_vm own_vm(const struct ballast *b, uint32_t v)
{
    const struct view *view = b->view;
    const struct ballast_vm *vm = &b->vm[v];
    struct immediate_vm in = {
        .id = v,
        .name = view->vm_name[v],
        .vcpus = view->vm_vcpus[v],
        .cpu_demand_cores = view->cpu_demand[v],
        .cpu_delivered_cores = view->cpu_delivered[v],
        .cpu_limit_cores = view->vm_cores[v],
        .cpu_shares = view->vm_shares[v],
        .mem_used_mib = view->mem_used_mib[v],
        .mem_missing_mib = fmax(vm->unmet_mib, view->guest_swap_mib[v]),
        .mem_overhead_mib = view->vm_overhead_mib[v],
        .mem_resident_mib = view->mem_actual_mib[v] + view->vm_overhead_mib[v],
        .mem_limit_mib = view->vm_mem_mib[v],
        .mem_shares = view->vm_shares[v],
        .shares = view->vm_shares[v],
        .dirty_mib_s = view->dirty_mib_s[v],
        .migrations_1h = ballast_count(b, v),
        .migrations_24h = ballast_moves_24h(b, v),
        .movable = view->vm_to[v] == VIEW_NONE && ballast_moves_24h(b, v) < LONGTERM_MOVES_A_DAY,
        .distress = vm->distress,
        .history = b->scenario->history ? &vm->history : NULL,
    };
    uint32_t n = vm->n_left < PUSH_LEFT ? vm->n_left : PUSH_LEFT;
    for (uint32_t i = 0; i < n && b->scenario->bars; i++)
        in.left[in.n_left++] =
            (struct push_left){vm->left[i].host, (double)(b->now_ms - vm->left[i].at_ms) / 1000};
    return in;
}

static void host_series(struct ballast *b, uint32_t h)
{
    struct ballast_host *host = &b->host[h];
    const struct view_list *list = &b->view->host_vms[h];
    if (b->now_ms - host->series_ms < HISTORY_SERIES_S * 1000)
        return;
    memset(&host->series, 0, sizeof(host->series));
    for (uint32_t i = 0; i < list->n; i++) {
        const struct history_series *series = &b->vm[list->vm[i]].series;
        if (i == 0)
            host->series = *series;
        else
            history_series_add(&host->series, series, 1);
    }
    host->series_ms = b->now_ms;
}

// Host g as its rows say.
static struct immediate_host other_host(struct ballast *b, uint32_t g)
{
    const struct view *view = b->view;
    const struct view_list *list = &view->host_vms[g];
    struct immediate_host row = {
        .id = g,
        .name = view->host_name[g],
        .age_s = HEARTBEAT_S,
        .open = view->host_power[g] == HOST_ON && (list->n > 0 || !b->scenario->hosts_follow_use),
        .cpu_cores = view->host_cores[g],
        .mem_mib = view->host_mem_mib[g],
        .bandwidth_mib_s = view->host_net_mib_s[g],
        .series = b->scenario->history ? &b->host[g].series : NULL,
    };
    if (!row.open)
        return row;
    host_series(b, g);
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t v = list->vm[i];
        const struct report_figures *r = &b->report[v].reported;
        struct immediate_vm vm = {
            .vcpus = view->vm_vcpus[v],
            .cpu_demand_cores = r->cpu_demand_cores,
            .cpu_limit_cores = view->vm_cores[v],
            .cpu_shares = view->vm_shares[v],
            .mem_used_mib = b->scenario->memory_constrains ? r->mem_used_mib : 0,
            .mem_overhead_mib = view->vm_overhead_mib[v],
            .mem_limit_mib = view->vm_mem_mib[v],
            .mem_shares = view->vm_shares[v],
            .shares = view->vm_shares[v],
        };
        struct loss_vm loss = immediate_loss_vm(&vm, 1000, 0);
        loss_sum_add(&row.sum, &loss);
    }
    // Claims are in the store: all know at once what is on its way.
    for (uint32_t v = 0; v < view->n_vms && view->host_in[g] > 0; v++)
        if (view->vm_to[v] == g) {
            row.coming_cpu_cores += b->report[v].reported.cpu_demand_cores;
            if (b->scenario->memory_constrains)
                row.coming_mem_mib += b->report[v].reported.mem_used_mib + view->vm_overhead_mib[v];
        }
    return row;
}

// Whether an order of the long-term balancer that has not begun yet names host h.
static bool is_ordered(const struct ballast *b, uint32_t h)
{
    for (size_t i = 0; i < b->orders.n; i++)
        if (b->orders.at[i].to == h || b->view->vm_host[b->orders.at[i].vm] == h)
            return true;
    return false;
}

void ballast_immediate_step(struct ballast *b, uint32_t h)
{
    const struct view *view = b->view;
    const struct view_list *list = &view->host_vms[h];
    struct ballast_host *host = &b->host[h];
    double age_s = b->scenario->information == INFORMATION_LATE ? TRACE_SLOT_S : 0;
    if (age_s > IMMEDIATE_OWN_AGE_MOST_S)
        return; // nothing is ever decided on figures so old, so the loop need not be asked
    if (!host->immediate)
        host->immediate = immediate_new(b->arena, view->n_vms < 512 ? view->n_vms : 512, view->n_hosts,
                                        b->seed * 1000003 + h);
    struct immediate_input in = {
        .cpu_cores = view->host_cores[h],
        .mem_mib = b->scenario->memory_constrains ? view->host_mem_mib[h] : 1e9,
        .bandwidth_mib_s = view->host_net_mib_s[h],
        .mean_shares = 1000,
        .n_vms = list->n,
        .vm = b->immediate_vm,
        .host = b->immediate_host,
        // Claims: a contention that a move on its way here or away makes, or is about to end, is left alone.
        .move_running = host->busy || view->host_out[h] > 0 || view->host_in[h] > 0 || is_ordered(b, h),
        .planned_ago_s = b->planned ? (double)(b->now_ms - b->planned_ms) / 1000 : 0,
        .age_s = age_s,
    };
    for (uint32_t i = 0; i < list->n; i++)
        b->immediate_vm[i] = own_vm(b, list->vm[i]);
    for (uint32_t g = 0; g < view->n_hosts; g++)
        if (g != h)
            b->immediate_host[in.n_hosts++] = other_host(b, g);
    struct immediate_output out;
    immediate_step(host->immediate, &in, ballast_mono(b), &out);
    host->immediate_ms = b->now_ms;
    if (out.wake_long_term)
        b->destination_wanted = true;
    if (out.verdict != IMMEDIATE_MOVE)
        return;
    uint32_t v = (uint32_t)out.vm, to = (uint32_t)out.host;
    if (world_migrate(b->world, v, to)) {
        host->busy = true;
        ballast_note_move(b, v, h);
    } else {
        immediate_report(host->immediate, v, IMMEDIATE_REFUSED, 0, ballast_mono(b));
    }
}
