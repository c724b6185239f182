// Yardstick sandpiper: Wood, Shenoy, Venkataramani, Yousif, "Black-box and Gray-box Strategies for Virtual Machine
// Migration", NSDI 2007. A host is a hotspot when a resource was above its threshold in k of the last n samples and
// is predicted (AR(1)) to be above it next. Hotspots are taken by decreasing volume 1 / ((1 - cpu)(1 - mem)); of each the
// VM with the largest volume-to-size ratio goes to the host with the least volume that stays below the threshold with
// it, until the host is below the threshold. The paper's swaps (two VMs exchanged where no single move fits) are tried
// after that: the VM in question against VMs of the least loaded hosts. Hosts that are off stay off.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/policy.h"

#define THRESHOLD 0.75 // of CPU and of memory, as in the paper's experiments
#define SAMPLES 5      // n
#define ABOVE 3        // k
#define FULL 0.99      // a load at which the volume is cut off
#define HISTORY 12     // samples for the AR(1) prediction

struct sandpiper {
    struct world *world;
    const struct view *view;
    int64_t period_ms;
    bool use_memory;
    float (*cpu_history)[HISTORY], (*mem_history)[HISTORY]; // of each host, loads, newest first
    uint32_t *n_history;
    double *cpu, *mem; // of each host, with what this round has decided
    bool *moved;       // in this round
};

static void stop(void *state)
{
    struct sandpiper *p = state;
    if (!p)
        return;
    free(p->cpu_history);
    free(p->mem_history);
    free(p->n_history);
    free(p->cpu);
    free(p->mem);
    free(p->moved);
    free(p);
}

static int start(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                 struct error *err)
{
    (void)seed;
    struct sandpiper *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, ERROR_MEMORY, "no memory for sandpiper");
    p->world = world;
    p->view = world_view(world);
    p->period_ms = (int64_t)(fmin(scenario->longterm_s, TRACE_SLOT_S) * 1000);
    p->use_memory = scenario->memory_constrains;
    uint32_t n = p->view->n_hosts;
    p->cpu_history = calloc(n, sizeof(*p->cpu_history));
    p->mem_history = calloc(n, sizeof(*p->mem_history));
    p->n_history = calloc(n, sizeof(*p->n_history));
    p->cpu = calloc(n, sizeof(*p->cpu));
    p->mem = calloc(n, sizeof(*p->mem));
    p->moved = calloc(p->view->n_vms, sizeof(*p->moved));
    if (!p->cpu_history || !p->mem_history || !p->n_history || !p->cpu || !p->mem || !p->moved) {
        stop(p);
        return error_set(err, ERROR_MEMORY, "no memory for sandpiper");
    }
    *ret_state = p;
    return 0;
}

static double mem_of(const struct sandpiper *p, uint32_t v)
{
    return p->use_memory ? p->view->mem_used_mib[v] + p->view->vm_overhead_mib[v] : 0;
}

static double cpu_load(const struct sandpiper *p, uint32_t h, double more)
{
    return (p->cpu[h] + more) / p->view->host_cores[h];
}

static double mem_load(const struct sandpiper *p, uint32_t h, double more)
{
    return (p->mem[h] + more) / p->view->host_mem_mib[h];
}

static double volume(double cpu, double mem)
{
    return 1 / ((1 - fmin(cpu, FULL)) * (1 - fmin(mem, FULL)));
}

// Next value by an autoregression of order 1 around the mean.
static double predict(const float *history, uint32_t n)
{
    double mean = 0, lagged = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        mean += (double)history[i] / n;
    for (uint32_t i = 0; i + 1 < n; i++)
        lagged += ((double)history[i] - mean) * ((double)history[i + 1] - mean);
    for (uint32_t i = 0; i < n; i++)
        squares += ((double)history[i] - mean) * ((double)history[i] - mean);
    double phi = squares > 0 ? lagged / squares : 0;
    return mean + phi * ((double)history[0] - mean);
}

static bool is_above(const float *history, uint32_t n)
{
    uint32_t above = 0;
    for (uint32_t i = 0; i < n && i < SAMPLES; i++)
        above += (double)history[i] > THRESHOLD;
    return above >= ABOVE && predict(history, n) > THRESHOLD;
}

static void push_sample(float *history, double value)
{
    memmove(history + 1, history, (HISTORY - 1) * sizeof(*history));
    history[0] = (float)value;
}

static void sample(struct sandpiper *p)
{
    const struct view *view = p->view;
    memset(p->moved, 0, view->n_vms * sizeof(*p->moved));
    for (uint32_t h = 0; h < view->n_hosts; h++)
        p->cpu[h] = p->mem[h] = 0;
    for (uint32_t v = 0; v < view->n_vms; v++) {
        uint32_t h = view->vm_to[v] != VIEW_NONE ? view->vm_to[v] : view->vm_host[v];
        if (h == VIEW_NONE || !view->known[v])
            continue;
        p->cpu[h] += view->cpu_demand[v];
        p->mem[h] += mem_of(p, v);
    }
    for (uint32_t h = 0; h < view->n_hosts; h++) {
        if (view->host_vms[h].n == 0) {
            p->n_history[h] = 0;
            continue;
        }
        push_sample(p->cpu_history[h], cpu_load(p, h, 0));
        push_sample(p->mem_history[h], mem_load(p, h, 0));
        p->n_history[h] += p->n_history[h] < HISTORY;
    }
}

static bool is_hot(const struct sandpiper *p, uint32_t h)
{
    return cpu_load(p, h, 0) > THRESHOLD || mem_load(p, h, 0) > THRESHOLD;
}

static bool fits(const struct sandpiper *p, uint32_t h, double cpu, double mem)
{
    return cpu_load(p, h, cpu) <= THRESHOLD && mem_load(p, h, mem) <= THRESHOLD;
}

static bool move(struct sandpiper *p, uint32_t v, uint32_t from, uint32_t to)
{
    if (!world_migrate(p->world, v, to))
        return false;
    p->moved[v] = true;
    p->cpu[from] -= p->view->cpu_demand[v];
    p->mem[from] -= mem_of(p, v);
    p->cpu[to] += p->view->cpu_demand[v];
    p->mem[to] += mem_of(p, v);
    return true;
}

// The host with the least volume that can take so much more; VIEW_NONE: none.
static uint32_t coldest(const struct sandpiper *p, uint32_t but, double cpu, double mem)
{
    uint32_t best = VIEW_NONE;
    double best_volume = INFINITY;
    for (uint32_t h = 0; h < p->view->n_hosts; h++) {
        if (h == but || p->view->host_power[h] != HOST_ON || p->view->host_vms[h].n == 0 ||
            !fits(p, h, cpu, mem))
            continue;
        double v = volume(cpu_load(p, h, 0), mem_load(p, h, 0));
        if (v < best_volume) {
            best = h;
            best_volume = v;
        }
    }
    return best;
}

// The VM of host h with the largest volume to size that has not been tried; VIEW_NONE: none.
static uint32_t next_vm(const struct sandpiper *p, uint32_t h, double below)
{
    const struct view *view = p->view;
    uint32_t best = VIEW_NONE;
    double best_ratio = -1;
    for (uint32_t i = 0; i < view->host_vms[h].n; i++) {
        uint32_t v = view->host_vms[h].vm[i];
        double size = p->use_memory ? view->mem_actual_mib[v] : view->vm_mem_mib[v];
        double ratio =
            volume(view->cpu_demand[v] / view->host_cores[h], mem_of(p, v) / view->host_mem_mib[h]) /
            fmax(size, 1);
        if (ratio < below && ratio > best_ratio && !p->moved[v] && view->vm_to[v] == VIEW_NONE) {
            best = v;
            best_ratio = ratio;
        }
    }
    return best;
}

static double ratio_of(const struct sandpiper *p, uint32_t h, uint32_t v)
{
    const struct view *view = p->view;
    double size = p->use_memory ? view->mem_actual_mib[v] : view->vm_mem_mib[v];
    return volume(view->cpu_demand[v] / view->host_cores[h], mem_of(p, v) / view->host_mem_mib[h]) /
           fmax(size, 1);
}

// Exchanges v on host h for a smaller VM of another host so that both are below the threshold.
static bool swap(struct sandpiper *p, uint32_t v, uint32_t h)
{
    const struct view *view = p->view;
    double cpu = view->cpu_demand[v], mem = mem_of(p, v);
    for (uint32_t g = 0; g < view->n_hosts; g++) {
        if (g == h || view->host_power[g] != HOST_ON || is_hot(p, g))
            continue;
        for (uint32_t i = 0; i < view->host_vms[g].n; i++) {
            uint32_t other = view->host_vms[g].vm[i];
            double less_cpu = view->cpu_demand[other], less_mem = mem_of(p, other);
            if (p->moved[other] || view->vm_to[other] != VIEW_NONE || less_cpu >= cpu ||
                !fits(p, g, cpu - less_cpu, mem - less_mem) || !fits(p, h, less_cpu - cpu, less_mem - mem))
                continue;
            return move(p, other, g, h) && move(p, v, h, g);
        }
    }
    return false;
}

static void relieve(struct sandpiper *p, uint32_t h)
{
    for (double below = INFINITY; is_hot(p, h);) {
        uint32_t v = next_vm(p, h, below);
        if (v == VIEW_NONE)
            break;
        below = ratio_of(p, h, v);
        uint32_t to = coldest(p, h, p->view->cpu_demand[v], mem_of(p, v));
        if (to != VIEW_NONE)
            move(p, v, h, to);
    }
    uint32_t v = is_hot(p, h) ? next_vm(p, h, INFINITY) : VIEW_NONE;
    if (v != VIEW_NONE)
        swap(p, v, h);
}

static int64_t step(void *state)
{
    struct sandpiper *p = state;
    const struct view *view = p->view;
    sample(p);
    for (double below = INFINITY;;) { // hotspots by decreasing volume; equal ones by number
        uint32_t hottest = VIEW_NONE;
        double most = -1;
        for (uint32_t h = 0; h < view->n_hosts; h++) {
            if (p->n_history[h] == 0 || !is_hot(p, h) ||
                (!is_above(p->cpu_history[h], p->n_history[h]) &&
                 !is_above(p->mem_history[h], p->n_history[h])))
                continue;
            double v = volume(p->cpu_history[h][0] < 1 ? (double)p->cpu_history[h][0] : 1,
                              p->mem_history[h][0] < 1 ? (double)p->mem_history[h][0] : 1) +
                       1e-9 * (view->n_hosts - h);
            if (v < below && v > most) {
                hottest = h;
                most = v;
            }
        }
        if (hottest == VIEW_NONE)
            break;
        below = most;
        relieve(p, hottest);
    }
    return view->now_ms + p->period_ms;
}

const struct policy_class policy_sandpiper = {
    .name = "sandpiper",
    .summary = "hotspots relieved by volume to size (NSDI 2007)",
    .start = start,
    .step = step,
    .stop = stop,
};
