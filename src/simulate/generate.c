#include "simulate/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

const char *const generate_class_name[GENERATE_CLASSES] = {"steady", "daily", "bursty", "batch", "idle"};

// Parts of all VMs, cumulative.
static const double class_part[GENERATE_CLASSES] = {0.09, 0.20, 0.29, 0.42, 1.0};

#define SLOTS_A_DAY 288
#define CROWDS_A_DAY 1.5 // flash crowds
#define CROWD_PART 0.1   // of the VMs that take part in one
#define CROWD_SLOTS 9    // mean length
#define MEMORY_STEP 0.06 // part of what a VM may use by which its memory moves in a slot

struct crowd {
    uint32_t first, last;
    uint64_t key; // chooses who takes part
};

// A standard normal value, from sums of uniform ones: the same on every C library, unlike log and cos.
static double normal(struct random *r)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_unit(r);
    return sum;
}

// At least 1, heavy-tailed: 1 / sqrt(u) is a Pareto of exponent 2; cut at most.
static double pareto(struct random *r, double most)
{
    double value = 1 / sqrt(1 - random_unit(r));
    return value < most ? value : most;
}

static uint32_t geometric(struct random *r, double mean)
{
    uint32_t n = 1;
    while (n < 1000 && random_unit(r) > 1 / mean)
        n++;
    return n;
}

// From 0 at night to 1 in the afternoon, a parabola over the working day; the weekend has a third of it.
static double working_day(uint32_t slot, double shift_slots)
{
    double at = fmod((double)slot + shift_slots, SLOTS_A_DAY) / SLOTS_A_DAY; // part of the day
    uint32_t day = slot / SLOTS_A_DAY % 7;
    if (at < 0.29 || at > 0.88)
        return 0;
    double x = (at - 0.585) / 0.295;
    return (1 - x * x) * (day >= 5 ? 0.33 : 1);
}

struct vm_state {
    enum generate_class class;
    double base_pct, swing_pct, noise_pct, shift_slots;
    double nightly_pct;  // what backups and updates add for a quarter of an hour after midnight
    double level;        // slow walk around 1
    uint32_t burst_left; // slots
    double burst_pct;
    double mean_gap, mean_burst;
    double mem_base, mem_swing, mem; // parts of the configured memory
};

static struct vm_state new_vm(struct random *r)
{
    struct vm_state vm = {.level = 1};
    double kind = random_unit(r);
    while (kind >= class_part[vm.class])
        vm.class ++;
    vm.shift_slots = 24 * random_unit(r) - 12;
    vm.noise_pct = 0.2 + 0.5 * random_unit(r);
    vm.nightly_pct = 1 + 4 * random_unit(r);
    switch (vm.class) {
    case GENERATE_STEADY:
        vm.base_pct = 4 * pareto(r, 9);
        vm.noise_pct = 0.10 * vm.base_pct;
        vm.mean_gap = 100;
        vm.mean_burst = 2;
        break;
    case GENERATE_DAILY:
        vm.base_pct = 1 + 2 * random_unit(r);
        vm.swing_pct = 12 * pareto(r, 5);
        vm.noise_pct = 0.12 * vm.swing_pct;
        vm.mean_gap = 200;
        vm.mean_burst = 3;
        break;
    case GENERATE_BURSTY:
        vm.base_pct = 1 + 3 * random_unit(r);
        vm.mean_gap = 15 + 60 * random_unit(r);
        vm.mean_burst = 1 + 5 * random_unit(r);
        break;
    case GENERATE_BATCH:
        vm.base_pct = 1;
        vm.mean_gap = 40 + 140 * random_unit(r);
        vm.mean_burst = 5 + 55 * random_unit(r);
        break;
    case GENERATE_IDLE:
    case GENERATE_CLASSES:
        vm.base_pct = fmax(1.9 * random_unit(r) - 0.25, 0.02);
        vm.nightly_pct *= 0.5;
        vm.noise_pct = 0.1 * vm.base_pct;
        vm.mean_gap = 250;
        vm.mean_burst = 1 + 0.7 * random_unit(r);
        break;
    }
    double p = pareto(r, 4.8);
    vm.mem_base = 0.003 + 0.014 * p * p;
    vm.mem_swing = vm.mem_base * (0.5 + 4 * random_unit(r));
    vm.mem = vm.mem_base;
    return vm;
}

static double burst_height(const struct vm_state *vm, struct random *r)
{
    switch (vm->class) {
    case GENERATE_BATCH:
        return 86 + 14 * random_unit(r);
    case GENERATE_BURSTY:
        return 16 * pareto(r, 6);
    case GENERATE_STEADY:
    case GENERATE_DAILY:
    case GENERATE_IDLE:
    case GENERATE_CLASSES:
        break;
    }
    return 6 * pareto(r, 14);
}

static bool in_crowd(const struct crowd *crowds, uint32_t n, uint32_t slot, uint32_t vm)
{
    for (uint32_t i = 0; i < n; i++)
        if (slot >= crowds[i].first && slot <= crowds[i].last) {
            struct random pick = random_seed(crowds[i].key + vm * UINT64_C(0x9e3779b9));
            if (random_unit(&pick) < CROWD_PART)
                return true;
        }
    return false;
}

static double next_cpu(struct vm_state *vm, struct random *r, uint32_t slot, bool crowd)
{
    vm->level += 0.02 * normal(r) - 0.01 * (vm->level - 1);
    vm->level = fmin(fmax(vm->level, 0.3), 2.5);
    if (vm->burst_left == 0 && random_unit(r) < 1 / vm->mean_gap) {
        vm->burst_left = geometric(r, vm->mean_burst);
        vm->burst_pct = burst_height(vm, r);
    }
    double pct = (vm->base_pct + vm->swing_pct * working_day(slot, vm->shift_slots)) * vm->level +
                 vm->noise_pct * normal(r);
    if (vm->burst_left > 0) {
        pct += vm->burst_pct;
        vm->burst_left--;
    }
    if (slot % SLOTS_A_DAY >= 24 && slot % SLOTS_A_DAY < 27)
        pct += vm->nightly_pct;
    if (crowd && vm->class != GENERATE_IDLE)
        pct = 2 * pct + 15;
    return fmin(fmax(pct, 0), 100);
}

// Memory in use goes where the work goes, quickly up and slowly down.
static double next_mem(struct vm_state *vm, struct random *r, double cpu_pct)
{
    double aim = vm->mem_base + vm->mem_swing * fmin(cpu_pct / 30, 1);
    double step = aim > vm->mem ? 0.5 : MEMORY_STEP;
    vm->mem += step * (aim - vm->mem) + 0.14 * vm->mem_base * normal(r);
    vm->mem = fmin(fmax(vm->mem, 0.01), 1);
    return vm->mem;
}

// What a VM is configured with: few large ones, most small.
static void configure(struct trace *trace, uint32_t v, struct random *r)
{
    static const uint32_t vcpus[] = {1, 1, 1, 1, 2, 2, 4, 4, 8};
    static const double gib_per_vcpu[] = {1, 2, 2, 4, 4, 8};
    trace->vcpus[v] = vcpus[random_below(r, sizeof(vcpus) / sizeof(*vcpus))];
    trace->cap_mhz[v] = trace->vcpus[v] * 2600.0;
    trace->mem_mib[v] =
        trace->vcpus[v] * 1024 * gib_per_vcpu[random_below(r, sizeof(gib_per_vcpu) / sizeof(*gib_per_vcpu))];
}

// Nine VMs of ten live all the time; the rest come or go.
static void live(struct trace *trace, uint32_t v, uint32_t n_slots, struct random *r)
{
    trace->first[v] = 0;
    trace->last[v] = n_slots - 1;
    double chance = random_unit(r);
    uint32_t when = (uint32_t)random_below(r, n_slots);
    if (chance < 0.05)
        trace->first[v] = when;
    else if (chance < 0.1)
        trace->last[v] = when;
}

static void fill(struct trace *trace, uint32_t v, struct vm_state *vm, struct random *r,
                 const struct crowd *crowds, uint32_t n_crowds)
{
    for (uint32_t t = trace->first[v]; t <= trace->last[v]; t++) {
        size_t i = trace_sample(trace, v, t);
        double cpu = next_cpu(vm, r, t, in_crowd(crowds, n_crowds, t, v));
        // One decimal and whole MiB, as real sets have them: so that files can leave out what repeats.
        trace->cpu_pct[i] = (float)(floor(cpu * 10 + 0.5) / 10);
        trace->mem_used_mib[i] = (float)floor(next_mem(vm, r, cpu) * trace->mem_mib[v] + 0.5);
    }
}

static int make_crowds(uint32_t n_slots, struct random *r, struct crowd **ret_crowds, uint32_t *ret_n,
                       struct error *err)
{
    uint32_t n = (uint32_t)(CROWDS_A_DAY * n_slots / SLOTS_A_DAY + random_unit(r));
    struct crowd *crowds = calloc(n + 1, sizeof(*crowds));
    if (!crowds)
        return error_set(err, ERROR_MEMORY, "no memory for a trace");
    for (uint32_t i = 0; i < n; i++) {
        crowds[i].first = (uint32_t)random_below(r, n_slots);
        crowds[i].last = crowds[i].first + geometric(r, CROWD_SLOTS);
        crowds[i].key = random_bits(r);
    }
    *ret_crowds = crowds;
    *ret_n = n;
    return 0;
}

int generate_trace(uint32_t n_vms, uint32_t n_slots, uint64_t seed, struct trace **ret_trace,
                   struct error *err)
{
    struct random r = random_seed(seed);
    struct crowd *crowds = NULL;
    uint32_t n_crowds = 0;
    struct trace *trace = trace_new(n_vms);
    struct vm_state *vm = calloc(n_vms ? n_vms : 1, sizeof(*vm));
    int result = 0;
    if (!trace || !vm)
        result = error_set(err, ERROR_MEMORY, "no memory for a trace");
    if (result == 0)
        result = make_crowds(n_slots, &r, &crowds, &n_crowds, err);
    for (uint32_t v = 0; v < n_vms && result == 0; v++) {
        vm[v] = new_vm(&r);
        configure(trace, v, &r);
        live(trace, v, n_slots, &r);
        if (asprintf(&trace->name[v], "%s-%u", generate_class_name[vm[v].class], v) < 0) {
            trace->name[v] = NULL;
            result = error_set(err, ERROR_MEMORY, "no memory for a trace");
        }
    }
    if (result == 0)
        result = trace_allocate_samples(trace, true, TRACE_MAX_SAMPLES, err);
    for (uint32_t v = 0; v < n_vms && result == 0; v++) {
        struct random own = random_seed(random_bits(&r));
        fill(trace, v, &vm[v], &own, crowds, n_crowds);
    }
    free(crowds);
    free(vm);
    if (result < 0) {
        trace_free(trace);
        return -1;
    }
    trace->has_capacity = true;
    *ret_trace = trace;
    return 0;
}

static void write_usage(FILE *file, const struct trace *trace)
{
    fputs("vm,interval,cpu_pct,mem_mb\n", file);
    for (uint32_t v = 0; v < trace->n_vms; v++)
        for (uint32_t t = trace->first[v]; t <= trace->last[v]; t++) {
            size_t i = trace_sample(trace, v, t);
            bool repeats = t > trace->first[v] && trace->cpu_pct[i] == trace->cpu_pct[i - 1] &&
                           trace->mem_used_mib[i] == trace->mem_used_mib[i - 1];
            if (!repeats)
                fprintf(file, "%s,%u,%.1f,%.0f\n", trace->name[v], t, (double)trace->cpu_pct[i],
                        (double)trace->mem_used_mib[i]);
        }
}

int generate_write(const struct trace *trace, char **ret_vms, size_t *ret_vms_size, char **ret_usage,
                   size_t *ret_usage_size, struct error *err)
{
    char *vms = NULL, *usage = NULL;
    size_t vms_size = 0, usage_size = 0;
    FILE *file = open_memstream(&vms, &vms_size);
    bool failed = !file;
    if (file) {
        fputs("vm,vcpus,cap_mhz,mem_mb,first,last\n", file);
        for (uint32_t v = 0; v < trace->n_vms; v++)
            fprintf(file, "%s,%u,%.0f,%.0f,%u,%u\n", trace->name[v], trace->vcpus[v], trace->cap_mhz[v],
                    trace->mem_mib[v], trace->first[v], trace->last[v]);
        failed = fclose(file) != 0;
    }
    file = failed ? NULL : open_memstream(&usage, &usage_size);
    failed = failed || !file;
    if (file) {
        write_usage(file, trace);
        failed = fclose(file) != 0;
    }
    if (failed) {
        free(vms);
        free(usage);
        return error_set(err, ERROR_MEMORY, "no memory to write a trace");
    }
    *ret_vms = vms;
    *ret_vms_size = vms_size;
    *ret_usage = usage;
    *ret_usage_size = usage_size;
    return 0;
}
