// Yardstick lr-mmt: Beloglazov and Buyya, "Optimal online deterministic algorithms and adaptive heuristics for
// energy and performance efficient dynamic consolidation of virtual machines in cloud data centers", CCPE 24(13),
// 2012: hosts that will be overloaded by local regression (safety 1.2), the VMs that migrate fastest leave them
// (minimum migration time), and go to where power grows least (power-aware best fit, decreasing). Then the least
// loaded hosts are emptied, if all their VMs find a place on others that are on.
//
// Where the paper leaves details open the choice is the one that its authors' simulator makes, so that its figures
// are a check on ours: the regression is over the last 10 samples with equal weights, 70 % of a host is the limit
// while there are fewer; the power that a host is said to draw before a VM comes is that of what really runs there,
// not of what this round has put there already; a host that is off starts at its idle power for nothing.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "simulate/policy.h"

#define HISTORY 30 // samples kept of each VM
#define WINDOW 10  // samples the regression looks at
#define SAFETY 1.2
#define FALLBACK 0.7
#define MIGRATION_SLOTS 1 // the longest migration takes less than a slot

struct lr_mmt {
    struct world *world;
    const struct view *view;
    int64_t period_ms;
    float (*history)[HISTORY]; // of each VM, newest first, units
    uint32_t *n_history;
    // where VMs are in the round's thoughts
    uint32_t *host;        // of VM
    struct view_list *vms; // of host
    double *load;          // of host: demand of the VMs that are there in reality
    double *thought;       // of host: with what this round has put there or taken away
    bool *overloaded, *closed, *tried;
    uint32_t *leaving; // VMs
    uint32_t *to;      // of leaving
};

static void stop(void *state)
{
    struct lr_mmt *p = state;
    if (!p)
        return;
    if (p->vms)
        for (uint32_t h = 0; h < p->view->n_hosts; h++)
            free(p->vms[h].vm);
    free(p->history);
    free(p->n_history);
    free(p->host);
    free(p->vms);
    free(p->load);
    free(p->thought);
    free(p->overloaded);
    free(p->closed);
    free(p->tried);
    free(p->leaving);
    free(p->to);
    free(p);
}

static int start(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                 struct error *err)
{
    (void)seed;
    struct lr_mmt *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, ERROR_MEMORY, "no memory for lr-mmt");
    p->world = world;
    p->view = world_view(world);
    p->period_ms = (int64_t)(scenario->longterm_s * 1000);
    size_t vms = p->view->n_vms, hosts = p->view->n_hosts;
    p->history = calloc(vms, sizeof(*p->history));
    p->n_history = calloc(vms, sizeof(*p->n_history));
    p->host = calloc(vms, sizeof(*p->host));
    p->vms = calloc(hosts, sizeof(*p->vms));
    p->load = calloc(hosts, sizeof(*p->load));
    p->thought = calloc(hosts, sizeof(*p->thought));
    p->overloaded = calloc(hosts, sizeof(*p->overloaded));
    p->closed = calloc(hosts, sizeof(*p->closed));
    p->tried = calloc(hosts, sizeof(*p->tried));
    p->leaving = calloc(vms, sizeof(*p->leaving));
    p->to = calloc(vms, sizeof(*p->to));
    if (!p->history || !p->n_history || !p->host || !p->vms || !p->load || !p->thought || !p->overloaded ||
        !p->closed || !p->tried || !p->leaving || !p->to) {
        stop(p);
        return error_set(err, ERROR_MEMORY, "no memory for lr-mmt");
    }
    *ret_state = p;
    return 0;
}

static void think_put(struct lr_mmt *p, uint32_t v, uint32_t h)
{
    struct view_list *list = &p->vms[h];
    if (list->n == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
        uint32_t *vm = realloc(list->vm, capacity * sizeof(*vm));
        if (!vm)
            abort(); // as an arena does: a few bytes a VM
        list->vm = vm;
        list->capacity = capacity;
    }
    list->vm[list->n++] = v;
    p->thought[h] += p->view->cpu_demand[v];
}

static void think_take(struct lr_mmt *p, uint32_t v, uint32_t h)
{
    struct view_list *list = &p->vms[h];
    uint32_t i = 0;
    while (list->vm[i] != v)
        i++;
    memmove(list->vm + i, list->vm + i + 1, (list->n - i - 1) * sizeof(*list->vm));
    list->n--;
    p->thought[h] -= p->view->cpu_demand[v];
}

// Predicted load of host h, as part of its cores, from the sum of its VMs' histories; the fallback's verdict when
// there are too few samples.
static bool is_overloaded(const struct lr_mmt *p, uint32_t h)
{
    double sum[HISTORY] = {0};
    const struct view_list *list = &p->vms[h];
    for (uint32_t i = 0; i < list->n; i++) {
        uint32_t v = list->vm[i];
        for (uint32_t k = 0; k < p->n_history[v]; k++)
            sum[k] += (double)p->history[v][k];
    }
    uint32_t n = HISTORY;
    while (n > 0 && sum[n - 1] == 0)
        n--;
    double cores = p->view->host_cores[h];
    if (n < WINDOW)
        return p->thought[h] > FALLBACK * cores;
    double mean_x = (WINDOW + 1) / 2.0, mean_y = 0, sxy = 0, sxx = 0;
    for (uint32_t k = 0; k < WINDOW; k++)
        mean_y += sum[k] / WINDOW;
    for (uint32_t k = 0; k < WINDOW; k++) {
        double x = WINDOW - k - mean_x; // newest first
        sxy += x * (sum[k] - mean_y);
        sxx += x * x;
    }
    double predicted = mean_y + sxy / sxx * (WINDOW + MIGRATION_SLOTS - mean_x);
    return SAFETY * predicted >= cores;
}

// Power-aware best fit among hosts that are not closed; VIEW_NONE: nowhere.
static uint32_t find_host(struct lr_mmt *p, uint32_t v)
{
    const struct view *view = p->view;
    uint32_t best = VIEW_NONE;
    double best_watts = INFINITY, demand = view->cpu_demand[v];
    for (uint32_t h = 0; h < view->n_hosts; h++) {
        double cores = view->host_cores[h];
        if (p->closed[h] || view->host_power[h] != HOST_ON || h == p->host[v] ||
            demand > view->host_core_cores[h] * view->vm_vcpus[v] || p->thought[h] + demand > cores)
            continue;
        double watts = power_watts(view->host_curve[h], (p->thought[h] + demand) / cores) -
                       power_watts(view->host_curve[h], p->load[h] / cores);
        if (watts >= best_watts)
            continue;
        if (p->thought[h] > 0) {
            think_put(p, v, h);
            bool too_much = is_overloaded(p, h);
            think_take(p, v, h);
            if (too_much)
                continue;
        }
        best = h;
        best_watts = watts;
    }
    return best;
}

static int by_demand(const void *a, const void *b, void *view_pointer)
{
    const struct view *view = view_pointer;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    if (view->cpu_demand[i] != view->cpu_demand[j])
        return view->cpu_demand[i] > view->cpu_demand[j] ? -1 : 1;
    return (i > j) - (i < j);
}

// Finds places for the n VMs in p->leaving, largest first. all: give up when one finds none. Returns how many were
// placed; p->leaving and p->to are those.
static uint32_t place(struct lr_mmt *p, uint32_t n, bool all)
{
    qsort_r(p->leaving, n, sizeof(*p->leaving), by_demand, (void *)(uintptr_t)p->view);
    uint32_t placed = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = p->leaving[i], h = find_host(p, v);
        if (h == VIEW_NONE && all) {
            while (placed > 0) {
                placed--;
                think_take(p, p->leaving[placed], p->to[placed]);
            }
            return 0;
        }
        if (h == VIEW_NONE)
            continue;
        think_put(p, v, h);
        p->leaving[placed] = v;
        p->to[placed++] = h;
    }
    return placed;
}

// Orders what the thoughts have come to.
static void order(struct lr_mmt *p)
{
    for (uint32_t h = 0; h < p->view->n_hosts; h++)
        for (uint32_t i = 0; i < p->vms[h].n; i++)
            if (p->host[p->vms[h].vm[i]] != h)
                world_migrate(p->world, p->vms[h].vm[i], h);
}

static void sample(struct lr_mmt *p)
{
    const struct view *view = p->view;
    for (uint32_t h = 0; h < view->n_hosts; h++) {
        p->vms[h].n = 0;
        p->load[h] = p->thought[h] = 0;
    }
    for (uint32_t h = 0; h < view->n_hosts; h++)
        for (uint32_t i = 0; i < view->host_vms[h].n; i++) {
            uint32_t v = view->host_vms[h].vm[i];
            p->host[v] = h;
            think_put(p, v, h);
        }
    memcpy(p->load, p->thought, view->n_hosts * sizeof(*p->load));
    for (uint32_t v = 0; v < view->n_vms; v++) {
        if (view->vm_host[v] == VIEW_NONE) {
            p->n_history[v] = 0;
            continue;
        }
        memmove(&p->history[v][1], &p->history[v][0], (HISTORY - 1) * sizeof(float));
        p->history[v][0] = (float)view->cpu_demand[v];
        p->n_history[v] += p->n_history[v] < HISTORY;
    }
}

static void relieve(struct lr_mmt *p)
{
    const struct view *view = p->view;
    uint32_t n = 0;
    for (uint32_t h = 0; h < view->n_hosts; h++)
        p->overloaded[h] = p->vms[h].n > 0 && is_overloaded(p, h);
    for (uint32_t h = 0; h < view->n_hosts; h++) {
        if (!p->overloaded[h])
            continue;
        do {
            uint32_t smallest = VIEW_NONE;
            for (uint32_t i = 0; i < p->vms[h].n; i++) {
                uint32_t v = p->vms[h].vm[i];
                if (view->vm_to[v] == VIEW_NONE &&
                    (smallest == VIEW_NONE || view->vm_mem_mib[v] < view->vm_mem_mib[smallest]))
                    smallest = v;
            }
            if (smallest == VIEW_NONE)
                break;
            think_take(p, smallest, h);
            p->leaving[n++] = smallest;
        } while (is_overloaded(p, h));
    }
    memcpy(p->closed, p->overloaded, view->n_hosts * sizeof(*p->closed));
    place(p, n, false);
}

static void consolidate(struct lr_mmt *p)
{
    const struct view *view = p->view;
    for (uint32_t h = 0; h < view->n_hosts; h++)
        p->tried[h] = p->closed[h] = p->overloaded[h] || p->load[h] <= 0;
    for (;;) {
        uint32_t least = VIEW_NONE, n = 0;
        double least_load = 1;
        for (uint32_t h = 0; h < view->n_hosts; h++)
            if (!p->tried[h] && p->load[h] / view->host_cores[h] < least_load) {
                least = h;
                least_load = p->load[h] / view->host_cores[h];
            }
        if (least == VIEW_NONE)
            return;
        p->tried[least] = p->closed[least] = true;
        for (uint32_t i = 0; i < p->vms[least].n; i++)
            if (view->vm_to[p->vms[least].vm[i]] == VIEW_NONE)
                p->leaving[n++] = p->vms[least].vm[i];
        n = place(p, n, true);
        for (uint32_t i = 0; i < n; i++) {
            p->tried[p->to[i]] = true;
            think_take(p, p->leaving[i], least);
        }
    }
}

static int64_t step(void *state)
{
    struct lr_mmt *p = state;
    sample(p);
    relieve(p);
    consolidate(p);
    order(p);
    return p->view->now_ms + p->period_ms;
}

const struct policy_class policy_lr_mmt = {
    .name = "lr-mmt",
    .summary = "local regression, minimum migration time, power-aware best fit (Beloglazov and Buyya 2012)",
    .start = start,
    .step = step,
    .stop = stop,
};
