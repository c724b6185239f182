// Rent or buy: what the immediate balancer loses in all, against a prophet who knows the whole future.
//
// Adversarial: one contention of a length that the adversary chooses, with another host idle. The worst length is the
// one that ends just after the move. Real: hosts of 8 VMs with demands from a trace, and a large empty host to move to;
// the prophet's best moves are found exactly, by dynamic programming over all sets of VMs that have left. He needs no
// time to move. A migration is priced the same for all: what migration_cost.h says, the price of risk included.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/decide/balance_world.h"
#include "base/random.h"
#include "decide/entitlement.h"
#include "predict/traces.h"

#define VMS 8
#define SETS (1u << VMS)
#define HOSTS 60
#define CALM_S 600.0 // before the contention

static double price_of(double mem_mib)
{
    struct migration_subject vm = {
        .resident_mib = mem_mib, .dirty_mib_s = 10, .weight = 1, .left_destination_s = -1};
    struct migration_link link = {.bandwidth_mib_s = 1000};
    return migration_cost(&vm, &link, NULL).lost_vm_s;
}

// ---- adversarial

struct contention {
    double length_s;
    double busy;
};

static double contend(void *context, uint32_t v, double t, double step)
{
    const struct contention *c = context;
    (void)v;
    double part = fmax(0, fmin(t + step, CALM_S + c->length_s) - fmax(t, CALM_S)) / step;
    return 0.05 + part * (c->busy - 0.05);
}

// Loss of the policy with a contention of that length: two VMs, together busy cores too many for their host.
static double policy_loss(struct contention c, double mem_mib, bool act, uint32_t *ret_moves)
{
    struct world *w = world_new(2, 1, 1, 5);
    w->host[1].cores = 8;
    w->host[0].mem_mib = w->host[1].mem_mib = 4e6; // memory is no concern here
    w->act = act;
    w->demand = contend;
    w->context = &c;
    world_add_vm(w, 0, 1, mem_mib);
    world_add_vm(w, 0, 1, mem_mib);
    world_run(w, CALM_S + c.length_s + 120);
    double lost = w->lost_to_contention_vm_s + w->n_moves * price_of(mem_mib);
    *ret_moves = w->n_moves;
    world_free(w);
    return lost;
}

static void adversarial(void)
{
    static const double mem[] = {256, 4096, 32768, 262144}, busy[] = {0.55, 0.75, 1.0};
    printf("One contention of the worst length, two VMs on one core, another host idle\n"
           "  memory MiB  demand each  price VM-s   worst length s   policy lost   prophet   ratio\n");
    for (size_t m = 0; m < 4; m++)
        for (size_t b = 0; b < 3; b++) {
            double worst = 0, at = 0, lost_at = 0, best_at = 0;
            double duration = mem[m] / 1000 + MIGRATION_SETUP_S;
            for (double length = 1; length <= 7200; length = ceil(length * 1.15)) {
                struct contention c = {length, busy[b]};
                uint32_t moves;
                double lost = policy_loss(c, mem[m], true, &moves);
                double never = policy_loss(c, mem[m], false, &moves);
                // The prophet moves at the beginning, and loses while he moves, or never.
                double prophet = fmin(never, price_of(mem[m]) + never * fmin(1, duration / length));
                double ratio = prophet > 0 ? lost / prophet : 1;
                if (ratio > worst) {
                    worst = ratio;
                    at = length;
                    lost_at = lost;
                    best_at = prophet;
                }
            }
            printf("  %10.0f  %11.2f  %10.1f  %15.0f  %12.1f  %8.1f  %6.2f\n", mem[m], busy[b],
                   price_of(mem[m]), at, lost_at, best_at, worst);
        }
}

// ---- real traces

struct replay {
    const struct trace *trace;
    uint32_t vm[VMS];
    uint32_t n_slots;
};

static double replayed(void *context, uint32_t v, double t, double step)
{
    const struct replay *r = context;
    (void)step;
    uint32_t slot = (uint32_t)(t / TRACE_SLOT_S), x = r->vm[v];
    return r->trace->cpu_pct[trace_sample(r->trace, x, r->trace->first[x] + slot)] / 100;
}

// Lost VM-seconds per second on the host while the VMs of the set have left.
static double loss_without(const struct replay *r, double cores, uint32_t slot, uint32_t gone)
{
    struct entitlement_claim claim[VMS];
    double grant[VMS], lost = 0, sum = 0;
    char scratch[64 * VMS] __attribute__((aligned(16)));
    size_t n = 0;
    for (uint32_t v = 0; v < VMS; v++)
        if (!(gone >> v & 1)) {
            double demand = replayed((void *)r, v, slot * (double)TRACE_SLOT_S, 1);
            claim[n++] = (struct entitlement_claim){demand, 0, 1, 1000};
            sum += demand;
        }
    if (sum <= cores)
        return 0;
    entitlement_divide(cores, n, claim, grant, scratch);
    for (size_t i = 0; i < n; i++)
        lost += 1 - loss_cpu_satisfaction(claim[i].demand - grant[i], claim[i].demand, LOSS_IDLE_PART);
    return lost;
}

// Exact: least loss from a slot on when the VMs of the set have left by then.
static double prophet_loss(const struct replay *r, double cores, double price)
{
    static double ahead[SETS], now[SETS];
    memset(ahead, 0, sizeof ahead);
    for (uint32_t slot = r->n_slots; slot-- > 0;) {
        for (uint32_t gone = SETS; gone-- > 0;) {
            now[gone] = TRACE_SLOT_S * loss_without(r, cores, slot, gone) + ahead[gone];
            for (uint32_t v = 0; v < VMS; v++)
                if (!(gone >> v & 1))
                    now[gone] = fmin(now[gone], price + now[gone | 1u << v]);
        }
        memcpy(ahead, now, sizeof ahead);
    }
    return ahead[0];
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Cores that suffice in that part of the slots.
static double cores_for(const struct replay *r, double part)
{
    double *sum = calloc(r->n_slots, sizeof *sum);
    for (uint32_t slot = 0; slot < r->n_slots; slot++)
        for (uint32_t v = 0; v < VMS; v++)
            sum[slot] += replayed((void *)r, v, slot * (double)TRACE_SLOT_S, 1);
    qsort(sum, r->n_slots, sizeof *sum, by_value);
    double cores = sum[(size_t)(part * (r->n_slots - 1))];
    free(sum);
    return fmax(cores, 0.1);
}

static void real(const char *name, const struct trace *trace, double part, double mem_mib)
{
    struct random random = random_seed(2);
    double policy = 0, prophet = 0, never = 0, moves = 0, price = price_of(mem_mib);
    for (int host = 0; host < HOSTS; host++) {
        struct replay r = {.trace = trace, .n_slots = 288};
        for (uint32_t i = 0; i < VMS;) {
            uint32_t v = (uint32_t)random_below(&random, trace->n_vms);
            if (trace->last[v] - trace->first[v] + 1 >= r.n_slots)
                r.vm[i++] = v;
        }
        double cores = cores_for(&r, part);
        struct world *w = world_new(2, cores, 5, 5);
        w->host[1].cores = 64;
        w->host[0].mem_mib = w->host[1].mem_mib = 4e6;
        w->demand = replayed;
        w->context = &r;
        for (uint32_t v = 0; v < VMS; v++)
            world_add_vm(w, 0, 1, mem_mib);
        world_run(w, r.n_slots * (double)TRACE_SLOT_S);
        policy += w->lost_to_contention_vm_s + w->n_moves * price;
        moves += w->n_moves;
        for (uint32_t slot = 0; slot < r.n_slots; slot++)
            never += TRACE_SLOT_S * loss_without(&r, cores, slot, 0);
        prophet += prophet_loss(&r, cores, price);
        world_free(w);
    }
    printf("  %-20s %8.0f %10.0f %12.0f %12.0f %12.0f %8.0f   %6.2f\n", name, 100 * part, mem_mib, never,
           policy, prophet, moves, policy / prophet);
}

int main(void)
{
    adversarial();
    printf("\n%d hosts of %d VMs, a day each, one large empty host\n"
           "  trace                  fits %%  VM in MiB      do nothing       policy      prophet    moves   "
           "policy / prophet\n",
           HOSTS, VMS);
    static const char *const name[] = {"planetlab-20110303", "bitbrains-rnd-2013-7"};
    static const char *const file[] = {"planetlab-20110303", "bitbrains-rnd-2013-7.vms.csv"};
    for (int i = 0; i < 2; i++) {
        struct trace *t = bench_trace(file[i]);
        if (!t)
            continue;
        real(name[i], t, 0.99, 4096);
        real(name[i], t, 0.9, 4096);
        real(name[i], t, 0.9, 65536);
        real(name[i], t, 0.5, 4096);
        trace_free(t);
    }
    return 0;
}
