#include "decide/demand.h"

#include <assert.h>
#include <math.h>

static double clamp(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

struct tally {
    double wanted_s; // demand x interval
    double run_s, given_s, wait_s, throttled_s;
};

static void count(struct tally *t, double interval_s, struct demand_vcpu v)
{
    double run = clamp(v.run_s, 0, interval_s);
    double throttled = clamp(v.throttled_s, 0, interval_s - run);
    double wait = clamp(v.wait_s - throttled, 0, interval_s - run - throttled);
    double sleep = interval_s - run - wait - throttled;
    // Who never got a turn and never slept wants all of it.
    double part = run + sleep > 0 ? run / (run + sleep) : 1;
    t->wanted_s += run + wait * part;
    t->run_s += run;
    t->given_s += run + sleep;
    t->wait_s += wait;
    t->throttled_s += throttled;
}

static struct demand finish(const struct tally *t, double interval_s, double most_cores, double headroom)
{
    double given = fmin(t->given_s, most_cores * interval_s);
    double busy = given > 0 ? fmin(t->run_s / given, 1) : t->wait_s > 0;
    double part = clamp((busy - DEMAND_BUSY_FROM) / (DEMAND_BUSY_TO - DEMAND_BUSY_FROM), 0, 1);
    double wanted = t->wanted_s / interval_s * (1 + headroom * part);
    double demand = fmin(wanted, most_cores);
    return (struct demand){
        .demand_cores = demand,
        .delivered_cores = t->wanted_s > 0 ? demand * t->run_s / t->wanted_s : 0,
        .run_cores = t->run_s / interval_s,
        .waited_cores = t->wait_s / interval_s,
        .throttled_cores = t->throttled_s / interval_s,
    };
}

struct demand demand_measure(double interval_s, size_t n_vcpus, const struct demand_vcpu *vcpu,
                             double limit_cores, double headroom)
{
    assert(interval_s > 0 && n_vcpus > 0 && headroom >= 0);
    struct tally t = {0};
    for (size_t i = 0; i < n_vcpus; i++)
        count(&t, interval_s, vcpu[i]);
    return finish(&t, interval_s, fmin((double)n_vcpus, limit_cores), headroom);
}

// Work done by busy threads: one a core as long as there are cores, then the rest at the gain of sharing.
static double work_of_threads(double busy, double cores, double threads_per_core)
{
    if (busy <= cores || threads_per_core <= 1)
        return fmin(busy, cores);
    double shared = fmin((busy - cores) / (cores * (threads_per_core - 1)), 1);
    return cores * (1 + DEMAND_SMT_GAIN * shared);
}

double demand_host_capacity_cores(double cpu_cores, double threads_per_core, double core_speed)
{
    return work_of_threads(cpu_cores * threads_per_core, cpu_cores, threads_per_core) * core_speed;
}

double demand_from_threads(double thread_cores, double busy_thread_cores, double cpu_cores,
                           double threads_per_core)
{
    double busy = fmax(thread_cores, busy_thread_cores);
    if (busy <= 0)
        return 0;
    return thread_cores * work_of_threads(busy, cpu_cores, threads_per_core) / busy;
}
