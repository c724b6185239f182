#include "decide/plan_state.h"

#include <stdlib.h>

#define NONE SNAPSHOT_NONE

// Adds up host h anew. O(its VMs).
void plan_state_sum(struct plan_state *state, uint32_t h)
{
    struct plan_host *host = &state->host[h];
    if (host->up) {
        state->cpu_sum -= host->cpu_load;
        state->mem_sum -= host->mem_load;
    }
    host->cpu = host->cpu_want = host->mem_used = host->mem_want = host->mem_bound = host->mem_max = 0;
    host->own_loss = host->cpu_var = host->mem_var = host->weight = 0;
    host->n_vms = 0;
    host->level = (struct level){0};
    double *slots = state->n_slots ? &state->host_series[(size_t)h * state->n_slots] : NULL;
    for (uint32_t i = 0; i < state->n_slots; i++)
        slots[i] = 0;
    for (uint32_t v = host->head; v != NONE; v = state->vm[v].next) {
        const struct plan_vm *vm = &state->vm[v];
        host->cpu += vm->cpu;
        host->cpu_want += vm->cpu_want;
        host->mem_used += vm->mem_used;
        host->mem_want += vm->mem_want;
        host->mem_bound += vm->mem_bound;
        host->mem_max += vm->mem_max;
        host->own_loss += vm->own_loss;
        host->cpu_var += vm->cpu_var;
        host->mem_var += vm->mem_var;
        host->weight += vm->weight;
        host->level.mean += vm->level.mean;
        host->level.var += vm->level.var;
        host->level.third += vm->level.third;
        host->n_vms++;
        for (uint32_t i = 0; i < state->n_slots; i++)
            slots[i] += (double)state->series[(size_t)v * state->n_slots + i];
    }
    host->cpu_load = host->cpu / host->cpu_cap;
    host->mem_load = host->mem_used / host->mem_phys;
    if (host->up) {
        state->cpu_sum += host->cpu_load;
        state->mem_sum += host->mem_load;
    }
    bool tracked = host->counts && state->track_loss;
    host->loss_now = tracked ? plan_loss_now(state, h, NONE, NONE) : 0;
    host->loss = tracked && state->n_slots ? plan_host_loss(state, h, NONE, NONE) : host->loss_now;
    host->version++;
}

static void unlink_vm(struct plan_state *state, uint32_t v)
{
    struct plan_vm *vm = &state->vm[v];
    if (vm->previous != NONE)
        state->vm[vm->previous].next = vm->next;
    else
        state->host[vm->host].head = vm->next;
    if (vm->next != NONE)
        state->vm[vm->next].previous = vm->previous;
}

static void link_vm(struct plan_state *state, uint32_t v, uint32_t h)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t previous = NONE, next = state->host[h].head;
    while (next != NONE && next < v) {
        previous = next;
        next = state->vm[next].next;
    }
    vm->previous = previous;
    vm->next = next;
    if (previous != NONE)
        state->vm[previous].next = v;
    else
        state->host[h].head = v;
    if (next != NONE)
        state->vm[next].previous = v;
    vm->host = h;
    state->where[v] = h;
}

static void add_lightly(struct plan_state *state, uint32_t h, const struct plan_vm *vm, double sign)
{
    struct plan_host *host = &state->host[h];
    host->cpu += sign * vm->cpu;
    host->mem_used += sign * vm->mem_used;
    host->mem_bound += sign * vm->mem_bound;
    host->mem_max += sign * vm->mem_max;
    double cpu = host->cpu / host->cpu_cap, mem = host->mem_used / host->mem_phys;
    if (host->up) {
        state->cpu_sum += cpu - host->cpu_load;
        state->mem_sum += mem - host->mem_load;
    }
    host->cpu_load = cpu;
    host->mem_load = mem;
}

static void move_lightly(struct plan_state *state, uint32_t v, uint32_t to)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t from = vm->host;
    state->n_displaced += (from == vm->home) - (to == vm->home);
    vm->host = state->where[v] = to;
    if (vm->ruled)
        rules_moved(state->rules, v, from);
    add_lightly(state, from, vm, -1);
    add_lightly(state, to, vm, 1);
}

void plan_state_move(struct plan_state *state, uint32_t v, uint32_t to)
{
    struct plan_vm *vm = &state->vm[v];
    uint32_t from = vm->host;
    if (from == to)
        return;
    if (state->light) {
        move_lightly(state, v, to);
        return;
    }
    state->n_displaced += (from == vm->home) - (to == vm->home);
    unlink_vm(state, v);
    link_vm(state, v, to);
    rules_moved(state->rules, v, from);
    plan_state_sum(state, from);
    plan_state_sum(state, to);
}

void plan_state_put(struct plan_state *state, uint32_t v, uint32_t to)
{
    uint32_t from = state->vm[v].host;
    if (from == to)
        return;
    unlink_vm(state, v);
    link_vm(state, v, to);
    rules_moved(state->rules, v, from);
    state->host[from].version++;
    state->host[to].version++;
}

void plan_state_wake(struct plan_state *state, uint32_t h, bool up)
{
    struct plan_host *host = &state->host[h];
    if (host->up == up)
        return;
    double sign = up ? 1 : -1;
    host->up = up;
    state->n_up += up ? 1 : -1u;
    state->cpu_sum += sign * host->cpu_load;
    state->mem_sum += sign * host->mem_load;
    host->version++;
}

void plan_state_begin_light(struct plan_state *state)
{
    state->light = true;
}

void plan_state_end_light(struct plan_state *state)
{
    state->light = false;
    for (uint32_t h = 0; h < state->n_hosts; h++)
        plan_state_sum(state, h);
}
