// Yardstick drs: Gulati, Holler, Ji, Shanmuganathan, Waldspurger, Zhu, "VMware Distributed Resource Management: Design,
// Implementation, and Lessons Learned", VMware Technical Journal 1(1), 2012. Every period the cluster's imbalance, the
// standard deviation of the hosts' normalised entitlements (sum of the VMs' entitlements / capacity), is compared with a
// target. Above it, hill-climbing: of all single moves the one that lowers the imbalance most, again and again, as long
// as it passes two filters: it must lower the imbalance by a minimum (min-goodness), and what it delivers must be
// worth what the migration costs (cost-benefit, over the time that demands are taken to be stable).
//
// Entitlements are the cluster's, where the cluster as a whole has enough they are the demands; CPU and memory
// count alike, as the larger of the two loads of a host. Without power management: hosts that are off stay off, and
// no host is emptied.
#include <math.h>
#include <stdlib.h>

#include "simulate/policy.h"

#define TARGET 0.10        // imbalance that is left alone: the default migration threshold
#define MIN_GOODNESS 0.002 // least improvement of the imbalance that a move must bring
#define MOST_MOVES 40      // in one round, as DRS limits its invocation
#define STABLE_S 300.0     // demands are taken to last until the next round
#define SLOW_DOWN 0.1      // part of a VM's work lost while it is copied
#define HEADROOM 1.0       // a destination may be filled up

struct drs {
    struct world *world;
    const struct view *view;
    int64_t period_ms;
    bool use_memory;
    double *cpu, *mem; // of each host, with what this round has decided
    uint32_t *host;    // of each VM
};

static void stop(void *state)
{
    struct drs *p = state;
    if (!p)
        return;
    free(p->cpu);
    free(p->mem);
    free(p->host);
    free(p);
}

static int start(struct world *world, const struct scenario *scenario, uint64_t seed, void **ret_state,
                 struct error *err)
{
    (void)seed;
    struct drs *p = calloc(1, sizeof(*p));
    if (!p)
        return error_set(err, ERROR_MEMORY, "no memory for drs");
    p->world = world;
    p->view = world_view(world);
    p->period_ms = (int64_t)(scenario->longterm_s * 1000);
    p->use_memory = scenario->memory_constrains;
    p->cpu = calloc(p->view->n_hosts, sizeof(*p->cpu));
    p->mem = calloc(p->view->n_hosts, sizeof(*p->mem));
    p->host = calloc(p->view->n_vms, sizeof(*p->host));
    if (!p->cpu || !p->mem || !p->host) {
        stop(p);
        return error_set(err, ERROR_MEMORY, "no memory for drs");
    }
    *ret_state = p;
    return 0;
}

static bool counts(const struct drs *p, uint32_t h)
{
    return p->view->host_power[h] == HOST_ON && p->view->host_vms[h].n > 0;
}

static double mem_of(const struct drs *p, uint32_t v)
{
    return p->use_memory ? p->view->mem_used_mib[v] + p->view->vm_overhead_mib[v] : 0;
}

static double load_at(const struct drs *p, uint32_t h, double cpu, double mem)
{
    return fmax((p->cpu[h] + cpu) / p->view->host_cores[h], (p->mem[h] + mem) / p->view->host_mem_mib[h]);
}

struct spread {
    double n, sum, squares;
};

static double imbalance(struct spread s)
{
    double mean = s.sum / s.n;
    return sqrt(fmax(0, s.squares / s.n - mean * mean));
}

static struct spread spread_of(const struct drs *p)
{
    struct spread s = {0};
    for (uint32_t h = 0; h < p->view->n_hosts; h++)
        if (counts(p, h)) {
            double load = load_at(p, h, 0, 0);
            s.n++;
            s.sum += load;
            s.squares += load * load;
        }
    return s;
}

static struct spread replaced(struct spread s, double old_load, double new_load)
{
    s.sum += new_load - old_load;
    s.squares += new_load * new_load - old_load * old_load;
    return s;
}

struct move {
    uint32_t vm, to;
    double goodness;
};

// What a move delivers beyond what it costs, in units x s over the stable time.
static double net_benefit(const struct drs *p, uint32_t v, uint32_t to)
{
    const struct view *view = p->view;
    uint32_t from = p->host[v];
    double demand = view->cpu_demand[v];
    double short_before = fmax(0, p->cpu[from] - view->host_cores[from]);
    double short_after = fmax(0, p->cpu[from] - demand - view->host_cores[from]) +
                         fmax(0, p->cpu[to] + demand - view->host_cores[to]);
    double copy_s =
        (p->use_memory ? view->mem_actual_mib[v] : view->vm_mem_mib[v]) / view->host_net_mib_s[to];
    double relieved = short_before - short_after;
    if (p->use_memory) { // memory that is short counts as the VM's work lost in proportion
        double over = fmax(0, p->mem[from] - view->host_mem_mib[from]);
        relieved += fmin(1, over / fmax(mem_of(p, v), 1)) * demand;
    }
    return relieved * (STABLE_S - copy_s) - SLOW_DOWN * demand * copy_s;
}

static struct move best_move(const struct drs *p, struct spread now)
{
    const struct view *view = p->view;
    struct move best = {VIEW_NONE, VIEW_NONE, MIN_GOODNESS};
    double mean = now.sum / now.n, before = imbalance(now);
    for (uint32_t v = 0; v < view->n_vms; v++) {
        uint32_t from = p->host[v];
        if (from == VIEW_NONE || view->vm_to[v] != VIEW_NONE || load_at(p, from, 0, 0) <= mean)
            continue;
        double cpu = view->cpu_demand[v], mem = mem_of(p, v);
        struct spread without = replaced(now, load_at(p, from, 0, 0), load_at(p, from, -cpu, -mem));
        for (uint32_t to = 0; to < view->n_hosts; to++) {
            if (to == from || !counts(p, to) || load_at(p, to, 0, 0) >= mean)
                continue;
            double after = load_at(p, to, cpu, mem);
            if (after > HEADROOM)
                continue;
            double goodness = before - imbalance(replaced(without, load_at(p, to, 0, 0), after));
            if (goodness > best.goodness && net_benefit(p, v, to) > 0)
                best = (struct move){v, to, goodness};
        }
    }
    return best;
}

static int64_t step(void *state)
{
    struct drs *p = state;
    const struct view *view = p->view;
    for (uint32_t h = 0; h < view->n_hosts; h++)
        p->cpu[h] = p->mem[h] = 0;
    for (uint32_t v = 0; v < view->n_vms; v++) {
        uint32_t h = view->vm_to[v] != VIEW_NONE ? view->vm_to[v] : view->vm_host[v];
        p->host[v] = view->known[v] ? h : VIEW_NONE;
        if (p->host[v] == VIEW_NONE)
            continue;
        p->cpu[h] += view->cpu_demand[v];
        p->mem[h] += mem_of(p, v);
    }
    for (int i = 0; i < MOST_MOVES; i++) {
        struct spread now = spread_of(p);
        if (now.n < 2 || imbalance(now) <= TARGET)
            break;
        struct move m = best_move(p, now);
        if (m.vm == VIEW_NONE || !world_migrate(p->world, m.vm, m.to))
            break;
        uint32_t from = p->host[m.vm];
        p->cpu[from] -= view->cpu_demand[m.vm];
        p->mem[from] -= mem_of(p, m.vm);
        p->cpu[m.to] += view->cpu_demand[m.vm];
        p->mem[m.to] += mem_of(p, m.vm);
        p->host[m.vm] = VIEW_NONE; // once a round
    }
    return view->now_ms + p->period_ms;
}

const struct policy_class policy_drs = {
    .name = "drs",
    .summary = "imbalance-driven hill-climbing with cost-benefit (VMware Technical Journal 2012)",
    .start = start,
    .step = step,
    .stop = stop,
};
