#include "balance_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/entitlement.h"

#define NONE UINT32_MAX
#define SLOW_DOWN MIGRATION_SLOW_DOWN

struct world *world_new(uint32_t n_hosts, double cores, double step_s, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    w->arena = arena_new(0);
    w->step_s = step_s;
    w->n_hosts = n_hosts;
    w->act = true;
    for (uint32_t h = 0; h < n_hosts; h++) {
        struct world_host *host = &w->host[h];
        snprintf(host->name, sizeof host->name, "h%02u", h);
        host->cores = cores;
        host->mem_mib = 262144;
        host->net_mib_s = 1000;
        host->moving = NONE;
        host->loop = immediate_new(w->arena, WORLD_MOST_VMS, WORLD_MOST_HOSTS, seed + h);
    }
    return w;
}

struct world *world_free(struct world *w)
{
    if (w)
        arena_free(w->arena);
    free(w);
    return NULL;
}

uint32_t world_add_vm(struct world *w, uint32_t host, uint32_t vcpus, double mem_mib)
{
    struct world_vm *vm = &w->vm[w->n_vms];
    memset(vm, 0, sizeof *vm);
    snprintf(vm->name, sizeof vm->name, "v%02u", w->n_vms);
    vm->vcpus = vcpus;
    vm->mem_mib = mem_mib;
    vm->dirty_mib_s = 10;
    vm->host = host;
    vm->moving_until_s = -1;
    return w->n_vms++;
}

static void divide(struct world *w, uint32_t h)
{
    struct entitlement_claim claim[WORLD_MOST_VMS];
    double grant[WORLD_MOST_VMS];
    uint32_t who[WORLD_MOST_VMS], n = 0;
    char scratch[64 * WORLD_MOST_VMS] __attribute__((aligned(16)));
    for (uint32_t v = 0; v < w->n_vms; v++)
        if (w->vm[v].host == h) {
            claim[n] = (struct entitlement_claim){w->vm[v].demand, 0, w->vm[v].vcpus, 1000};
            who[n++] = v;
        }
    entitlement_divide(w->host[h].cores, n, claim, grant, scratch);
    for (uint32_t i = 0; i < n; i++) {
        struct world_vm *vm = &w->vm[who[i]];
        vm->delivered = grant[i];
        double s = loss_cpu_satisfaction(vm->demand - grant[i], vm->demand, LOSS_IDLE_PART * vm->vcpus);
        w->lost_to_contention_vm_s += (1 - s) * w->step_s;
        if (vm->moving_until_s >= 0)
            w->lost_to_migration_vm_s += SLOW_DOWN * w->step_s;
    }
}

static void arrive(struct world *w, uint32_t v)
{
    struct world_vm *vm = &w->vm[v];
    struct world_host *from = &w->host[vm->host];
    uint32_t keep = vm->n_left < PUSH_LEFT ? vm->n_left : PUSH_LEFT - 1;
    for (uint32_t i = 0; i < vm->n_left; i++)
        if (vm->left[i].host == vm->moving_to && w->now_s - vm->left_at_s[i] < 3600)
            w->returns_1h++;
    for (uint32_t i = keep; i > 0; i--) {
        vm->left[i] = vm->left[i - 1];
        vm->left_at_s[i] = vm->left_at_s[i - 1];
    }
    vm->left[0] = (struct push_left){vm->host, 0};
    vm->left_at_s[0] = w->now_s;
    vm->n_left = keep + 1;
    vm->migrations_1h += 1;
    vm->moved_at_s[vm->moves++ % 64] = w->now_s;
    if (w->n_moves < WORLD_MOST_MOVES)
        w->move[w->n_moves++] = (struct world_move){w->now_s, v, vm->host, vm->moving_to};
    immediate_report(from->loop, v, IMMEDIATE_DONE, from->out.duration_s,
                     (struct mono){llround(w->now_s * 1000)});
    from->moving = NONE;
    vm->host = vm->moving_to;
    vm->moving_until_s = -1;
    w->lost_to_migration_vm_s += 0.1; // downtime
}

static double moves_within(const struct world_vm *vm, double now_s, double seconds)
{
    double n = 0;
    for (uint32_t i = vm->moves > 64 ? vm->moves - 64 : 0; i < vm->moves; i++)
        n += vm->moved_at_s[i % 64] > now_s - seconds;
    return n;
}

static struct immediate_vm view(const struct world *w, uint32_t v)
{
    const struct world_vm *vm = &w->vm[v];
    struct immediate_vm i = {
        .id = v,
        .name = vm->name,
        .vcpus = vm->vcpus,
        .cpu_demand_cores = vm->demand,
        .cpu_delivered_cores = vm->delivered,
        .cpu_limit_cores = vm->vcpus,
        .cpu_shares = 1000,
        .mem_used_mib = vm->mem_mib,
        .mem_resident_mib = vm->mem_mib,
        .mem_limit_mib = vm->mem_mib,
        .mem_shares = 1000,
        .shares = 1000,
        .dirty_mib_s = vm->dirty_mib_s,
        .migrations_1h = vm->migrations_1h,
        .migrations_24h = moves_within(vm, w->now_s, 86400),
        .movable = !vm->pinned && vm->moving_until_s < 0,
        .n_left = vm->n_left,
        .history = &vm->history,
    };
    for (uint32_t k = 0; k < vm->n_left; k++)
        i.left[k] = (struct push_left){vm->left[k].host, w->now_s - vm->left_at_s[k]};
    return i;
}

static void step_host(struct world *w, uint32_t h, const struct immediate_host *row)
{
    struct immediate_vm vm[WORLD_MOST_VMS];
    struct immediate_host other[WORLD_MOST_HOSTS];
    struct world_host *host = &w->host[h];
    struct immediate_input in = {
        .cpu_cores = host->cores,
        .mem_mib = host->mem_mib,
        .bandwidth_mib_s = host->net_mib_s,
        .mean_shares = 1000,
        .vm = vm,
        .host = other,
        .move_running = host->moving != NONE,
    };
    for (uint32_t v = 0; v < w->n_vms; v++)
        if (w->vm[v].host == h)
            vm[in.n_vms++] = view(w, v);
    for (uint32_t k = 0; k < w->n_hosts; k++)
        if (k != h)
            other[in.n_hosts++] = row[k];
    for (uint32_t v = 0; v < w->n_vms; v++) // claims are known at once
        if (w->vm[v].moving_until_s >= 0)
            for (size_t k = 0; k < in.n_hosts; k++)
                if (other[k].id == w->vm[v].moving_to) {
                    other[k].coming_cpu_cores += w->vm[v].demand;
                    other[k].coming_mem_mib += w->vm[v].mem_mib;
                }
    immediate_step(host->loop, &in, (struct mono){llround(w->now_s * 1000)}, &host->out);
    if (host->out.verdict == IMMEDIATE_MOVE && w->act) {
        struct world_vm *moved = &w->vm[host->out.vm];
        host->moving = (uint32_t)host->out.vm;
        moved->moving_to = (uint32_t)host->out.host;
        moved->moving_until_s = w->now_s + host->out.duration_s;
    }
}

void world_run(struct world *w, double seconds)
{
    double end = w->now_s + seconds;
    while (w->now_s < end - 1e-9) {
        struct immediate_host row[WORLD_MOST_HOSTS];
        for (uint32_t h = 0; h < w->n_hosts; h++) { // as they were before this step
            const struct history *of[WORLD_MOST_VMS];
            size_t n = 0;
            row[h] = (struct immediate_host){.id = h,
                                             .name = w->host[h].name,
                                             .open = true,
                                             .cpu_cores = w->host[h].cores,
                                             .mem_mib = w->host[h].mem_mib,
                                             .bandwidth_mib_s = w->host[h].net_mib_s,
                                             .series = &w->host[h].series};
            for (uint32_t v = 0; v < w->n_vms; v++)
                if (w->vm[v].host == h) {
                    struct immediate_vm vm = view(w, v);
                    struct loss_vm loss = immediate_loss_vm(&vm, 1000, 0);
                    loss_sum_add(&row[h].sum, &loss);
                    of[n++] = &w->vm[v].history;
                }
            if (w->now_s >= w->host[h].reported_s + HISTORY_SLOT_S || n != w->host[h].reported_vms) {
                history_sum(n, of, NULL, NULL, &w->host[h].series);
                w->host[h].reported_s = w->now_s;
                w->host[h].reported_vms = (uint32_t)n;
            }
        }
        for (uint32_t v = 0; v < w->n_vms; v++)
            w->vm[v].demand = fmin(w->demand(w->context, v, w->now_s, w->step_s), w->vm[v].vcpus);
        for (uint32_t h = 0; h < w->n_hosts; h++)
            divide(w, h);
        w->now_s += w->step_s;
        for (uint32_t v = 0; v < w->n_vms; v++) {
            struct world_vm *vm = &w->vm[v];
            vm->migrations_1h = migration_count_decay(vm->migrations_1h, w->step_s);
            history_add(&vm->history, (struct wall){llround(w->now_s * 1000)}, w->step_s, vm->demand,
                        vm->mem_mib);
            if (vm->moving_until_s >= 0 && w->now_s >= vm->moving_until_s)
                arrive(w, v);
        }
        for (uint32_t h = 0; h < w->n_hosts; h++)
            step_host(w, h, row);
    }
}

uint32_t world_moves_per_vm_and_day(const struct world *w)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < w->n_moves; i++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k <= i; k++)
            n += w->move[k].vm == w->move[i].vm && w->move[k].at_s > w->move[i].at_s - 86400;
        most = n > most ? n : most;
    }
    return most;
}
