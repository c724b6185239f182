#include "simulate/trace_names.h"

#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 255 // as in a snapshot

char *trace_name_copy(const struct csv *csv, const char *name, size_t length, struct error *err)
{
    if (length == 0 || length > NAME_BYTES) {
        csv_fill_error(csv, err, "the VM's name has %zu bytes: 1 to %d are allowed", length, NAME_BYTES);
        return NULL;
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 32 || name[i] == 127) {
            csv_fill_error(csv, err, "the VM's name has a control character: remove it");
            return NULL;
        }
    char *copy = strndup(name, length);
    if (!copy)
        error_fill(err, ERROR_MEMORY, "%s: no memory", csv->file);
    return copy;
}

static int by_name(const void *a, const void *b, void *names)
{
    char *const *name = names;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    int order = strcmp(name[i], name[j]);
    return order ? order : (i > j) - (i < j);
}

int trace_names_index(const struct trace *trace, struct trace_names *ret_names, struct error *err)
{
    uint32_t *sorted = calloc(trace->n_vms ? trace->n_vms : 1, sizeof(*sorted));
    if (!sorted)
        return error_set(err, ERROR_MEMORY, "no memory for %u VMs", trace->n_vms);
    for (uint32_t v = 0; v < trace->n_vms; v++)
        sorted[v] = v;
    qsort_r(sorted, trace->n_vms, sizeof(*sorted), by_name, trace->name);
    *ret_names = (struct trace_names){trace->n_vms, trace->name, sorted};
    return 0;
}

void trace_names_free(struct trace_names *names)
{
    free(names->sorted);
    names->sorted = NULL;
}

int trace_names_check_unique(const char *file, const struct trace *trace, struct error *err)
{
    struct trace_names names;
    if (trace_names_index(trace, &names, err) < 0)
        return -1;
    int result = 0;
    for (uint32_t i = 1; i < names.n && result == 0; i++)
        if (strcmp(trace->name[names.sorted[i - 1]], trace->name[names.sorted[i]]) == 0)
            result = error_set(err, ERROR_INPUT,
                               "%s: rows %u and %u are both named \"%s\": every VM needs its own name", file,
                               names.sorted[i - 1] + 1, names.sorted[i] + 1, trace->name[names.sorted[i]]);
    trace_names_free(&names);
    return result;
}

uint32_t trace_names_find(const struct trace_names *names, const char *name, size_t length)
{
    uint32_t low = 0, high = names->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *other = names->name[names->sorted[middle]];
        size_t other_length = strlen(other);
        size_t common = length < other_length ? length : other_length;
        int order = memcmp(name, other, common);
        if (order == 0)
            order = (length > other_length) - (length < other_length);
        if (order == 0)
            return names->sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return UINT32_MAX;
}
