// Which hosts stay on is decided first, so that no VM moves twice: hosts are ordered by what they are worth keeping
// (large ones carry more per idle watt; then those that hold most already, since what stays need not move), and the
// first of them that together have the capacity are the survivors. The others are emptied from the back of the order:
// the VMs of a host, largest first, each to the survivor that it fills best (best fit decreasing), and if one does not
// fit anywhere all go back and the host becomes a survivor. A VM fits where memory bound and rules allow it, what is
// demanded now stays under the fill limit, and the expected loss stays within what is tolerated.
#include "decide/pack.h"

#include <math.h>
#include <stdlib.h>

#define NONE SNAPSHOT_NONE

struct worth {
    double capacity, held;
    uint32_t host;
};

static int by_worth(const void *a, const void *b)
{
    const struct worth *x = a, *y = b;
    if (x->capacity != y->capacity)
        return x->capacity > y->capacity ? -1 : 1;
    if (x->held != y->held)
        return x->held > y->held ? -1 : 1;
    return (x->host > y->host) - (x->host < y->host);
}

// The larger of the demand now and the mean of the series.
static double usual(const struct plan_state *state, uint32_t v)
{
    double mean = 0;
    for (uint32_t i = 0; i < state->n_slots; i++)
        mean += (double)state->series[(size_t)v * state->n_slots + i];
    return state->n_slots ? fmax(state->vm[v].cpu_want, mean / state->n_slots) : state->vm[v].cpu_want;
}

// The same of host h's sum: VMs are not all at their largest at once.
static double usual_sum(const struct plan_state *state, uint32_t h)
{
    double mean = 0;
    for (uint32_t i = 0; i < state->n_slots; i++)
        mean += state->host_series[(size_t)h * state->n_slots + i];
    return state->n_slots ? fmax(state->host[h].cpu_want, mean / state->n_slots) : state->host[h].cpu_want;
}

static bool takes(struct plan_state *state, uint32_t v, uint32_t h, double *ret_left)
{
    const struct plan_host *host = &state->host[h];
    bool fits_now;
    if (!plan_fits(state, v, h))
        return false;
    state->evaluations++;
    double cpu = host->cpu_want + state->vm[v].cpu_want;
    double sd = sqrt(host->cpu_var + state->vm[v].cpu_var);
    if (cpu + sd > state->settings.pack_cpu_fill * host->cpu_cap)
        return false;
    if (plan_expected_part(state, h, v, &fits_now) > state->settings.pack_expected_loss || !fits_now)
        return false;
    double cpu_left = 1 - cpu / host->cpu_cap,
           mem_left = 1 - (host->mem_want + state->vm[v].mem_want) / host->mem_cap;
    *ret_left = fmin(cpu_left, mem_left);
    return true;
}

struct sized {
    double size;
    uint32_t vm;
};

static int by_size(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->vm > y->vm) - (x->vm < y->vm);
}

static bool empty_host(struct plan_state *state, uint32_t h, const bool *survivor, struct sized *scratch,
                       struct plan_steps *steps)
{
    uint32_t n = 0, start = steps->n;
    for (uint32_t v = state->host[h].head; v != NONE; v = state->vm[v].next) {
        if (state->vm[v].fixed || (state->settings.keep && state->settings.keep[state->input_vm[v]]))
            return false;
        scratch[n++] = (struct sized){usual(state, v), v};
    }
    if (steps->n + n > steps->capacity)
        return false;
    qsort(scratch, n, sizeof *scratch, by_size);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t best = NONE;
        double best_left = 0, left;
        for (uint32_t to = 0; to < state->n_hosts; to++) {
            if (!survivor[to] || to == h || !takes(state, scratch[i].vm, to, &left))
                continue;
            if (best != NONE && left >= best_left)
                continue;
            best = to;
            best_left = left;
        }
        if (best == NONE) {
            while (steps->n > start) {
                struct plan_step *step = &steps->at[--steps->n];
                plan_state_move(state, step->vm, step->from);
            }
            return false;
        }
        steps->at[steps->n++] = (struct plan_step){scratch[i].vm, h, best};
        plan_state_move(state, scratch[i].vm, best);
    }
    return true;
}

uint32_t pack_run(struct plan_state *state, struct plan_search *search, struct plan_steps *steps,
                  bool *emptied)
{
    struct worth *order = arena_new_array(state->arena, struct worth, state->n_hosts);
    bool *survivor = arena_new_array(state->arena, bool, state->n_hosts);
    struct sized *scratch = arena_new_array(state->arena, struct sized, state->n_vms);
    uint32_t n = 0, n_emptied = 0;
    double cpu = 0, mem = 0;
    for (uint32_t h = 0; h < state->n_hosts; h++) {
        const struct plan_host *host = &state->host[h];
        if (!host->up || host->head == NONE)
            continue;
        order[n++] = (struct worth){host->cpu_cap, host->cpu_want, h};
        cpu += usual_sum(state, h);
        mem += host->mem_bound;
    }
    qsort(order, n, sizeof *order, by_worth);
    uint32_t i = 0;
    for (; i < n && (cpu > 0 || mem > 0); i++) {
        survivor[order[i].host] = true;
        cpu -= state->settings.pack_cpu_fill * state->host[order[i].host].cpu_cap;
        mem -= state->host[order[i].host].mem_cap;
    }
    for (uint32_t k = n; k-- > i && steps->n < steps->capacity && !plan_is_over(state);) {
        uint32_t h = order[k].host;
        if (state->settings.most_emptied && n_emptied >= state->settings.most_emptied)
            break;
        if (empty_host(state, h, survivor, scratch, steps)) {
            emptied[h] = true;
            n_emptied++;
        } else {
            survivor[h] = true;
        }
    }
    plan_search_resort(search);
    return n_emptied;
}
