// What VMs asked for over time: CPU and, where the trace has it, memory, in slots of 300 s.
//
// Structure of arrays by VM; the samples of VM v are the slots first[v] .. last[v], one after another from
// sample_start[v]. Before its first slot and after its last one a VM does not exist. Values hold for their
// whole slot. Two file forms are read (docs/simulation.md): wide (PlanetLab) and long (Bitbrains).
//
// The parsers work on memory buffers of any content: every row and number is checked, sizes are bounded, and
// an error names file, line and the cure. trace_load (trace_file.h) is the layer that reads files.
#ifndef BALLAST_SIMULATE_TRACE_H
#define BALLAST_SIMULATE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TRACE_SLOT_S 300 // what one sample stands for in every form that is read

// Bounds on input. A month of 300 s slots is 8,928; ten thousand VMs of it are 90 million samples.
#define TRACE_MAX_VMS 200000u
#define TRACE_MAX_SLOTS 1000000u              // nine years
#define TRACE_MAX_SAMPLES ((size_t)100000000) // 4 bytes each for CPU and for memory

struct trace {
    uint32_t n_vms;
    uint32_t n_slots;  // slots in which a VM exists: 0 .. n_slots - 1
    bool has_capacity; // vcpus, cap_mhz and mem_mib are known (long form); else 1, 0 and 0
    bool has_memory;   // mem_used_mib is there

    char **name;
    uint32_t *vcpus; // >= 1
    double *cap_mhz; // all vCPUs together; 0 unknown
    double *mem_mib; // configured memory; 0 unknown
    uint32_t *first; // first slot, <= last
    uint32_t *last;  // last slot
    size_t *sample_start;

    size_t n_samples;
    float *cpu_pct;      // 0 .. 100 percent of the VM's capacity
    float *mem_used_mib; // 0 .. mem_mib; NULL when not has_memory
};

// A buffer with its name for messages.
struct trace_text {
    const char *file; // shown in errors
    const char *text; // need not be terminated
    size_t size;
};

enum trace_form {
    TRACE_FORM_UNKNOWN,
    TRACE_FORM_WIDE,
    TRACE_FORM_LONG_VMS,
    TRACE_FORM_LONG_USAGE,
};

// What the header line says the text is.
enum trace_form trace_form_of(const char *text, size_t size);

// Parses the wide form: header `vm,name,s0,s1,...`, a row a VM, percent of its capacity. max_samples bounds
// memory (TRACE_MAX_SAMPLES, or less for a fuzzer). O(size).
int trace_parse_wide(struct trace_text wide, size_t max_samples, struct trace **ret_trace, struct error *err);

// Parses the long form: `vm,vcpus,cap_mhz,mem_mb,first,last` and `vm,interval,cpu_pct,mem_mb`. A value holds
// until the VM's next row; cpu_pct above 100 is cut; rows of one VM ascend by interval, in any mixture with
// those of others. O(size + samples).
int trace_parse_long(struct trace_text vms, struct trace_text usage, size_t max_samples,
                     struct trace **ret_trace, struct error *err);

// Several traces side by side, all from slot 0; VMs in the order given. Names that would be the same in two
// traces get the trace's number in front (2:NAME). Either all have capacity and memory, or none. The sources
// stay as they are.
int trace_unite(const struct trace *const *traces, size_t n, struct trace **ret_trace, struct error *err);

// Takes NULL, returns NULL.
struct trace *trace_free(struct trace *trace);

// Whether VM v exists in slot t, and its sample there.
static inline bool trace_exists(const struct trace *trace, uint32_t v, uint32_t t)
{
    return t >= trace->first[v] && t <= trace->last[v];
}

static inline size_t trace_sample(const struct trace *trace, uint32_t v, uint32_t t)
{
    return trace->sample_start[v] + (t - trace->first[v]);
}

// For those who make traces (parsers, generator): room for n_vms VMs, all existing in slots 0 to 0 and without
// samples yet; then, with first and last set, trace_allocate_samples gives zeroed samples and sets n_slots.
struct trace *trace_new(uint32_t n_vms);
int trace_allocate_samples(struct trace *trace, bool with_memory, size_t max_samples, struct error *err);

#endif
