#include "simulate/trace_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "simulate/unpack.h"

static int read_unpacked(const char *path, char **ret_text, size_t *ret_size, struct error *err)
{
    CLEANUP(free) char *data = NULL;
    size_t size;
    if (file_read_input(path, TRACE_FILE_MAX_BYTES, &data, &size, err) < 0)
        return -1;
    return unpack(path, data, size, TRACE_FILE_MAX_BYTES, ret_text, ret_size, err);
}

// The path of the partner: ".vms.csv" in path replaced by ".usage.csv" or the other way round, in the
// packing that exists.
static int find_partner(const char *path, const char *ours, const char *theirs, char **ret_partner,
                        struct error *err)
{
    static const char *const packings[] = {"", ".xz", ".gz"};
    const char *at = NULL;
    for (const char *p = strstr(path, ours); p; p = strstr(p + 1, ours))
        at = p;
    if (!at || strchr(at, '/'))
        return error_set(err, ERROR_INPUT, "%s: the file name must contain %s, so that its partner is found",
                         path, ours);
    for (size_t i = 0; i < sizeof(packings) / sizeof(*packings); i++) {
        char *partner;
        if (asprintf(&partner, "%.*s%s%s", (int)(at - path), path, theirs, packings[i]) < 0)
            return error_set(err, ERROR_MEMORY, "%s: no memory", path);
        if (access(partner, F_OK) == 0) {
            *ret_partner = partner;
            return 0;
        }
        free(partner);
    }
    return error_set(err, ERROR_INPUT, "%s: its partner %.*s%s (or .xz, .gz) is not there: put it beside",
                     path, (int)(at - path), path, theirs);
}

int trace_load(const char *path, struct trace **ret_trace, struct error *err)
{
    CLEANUP(free) char *text = NULL;
    CLEANUP(free) char *partner = NULL;
    CLEANUP(free) char *partner_text = NULL;
    size_t size, partner_size;
    if (read_unpacked(path, &text, &size, err) < 0)
        return -1;
    struct trace_text own = {path, text, size};
    enum trace_form form = trace_form_of(text, size);
    if (form == TRACE_FORM_WIDE)
        return trace_parse_wide(own, TRACE_MAX_SAMPLES, ret_trace, err);
    if (form == TRACE_FORM_UNKNOWN)
        return error_set(err, ERROR_INPUT,
                         "%s:1: %s: the header must be vm,name,s0,s1,... (wide), "
                         "vm,vcpus,cap_mhz,mem_mb,first,last or vm,interval,cpu_pct,mem_mb (long)",
                         path, size ? "is no trace" : "is empty");
    bool is_vms = form == TRACE_FORM_LONG_VMS;
    if (find_partner(path, is_vms ? ".vms.csv" : ".usage.csv", is_vms ? ".usage.csv" : ".vms.csv", &partner,
                     err) < 0 ||
        read_unpacked(partner, &partner_text, &partner_size, err) < 0)
        return -1;
    struct trace_text other = {partner, partner_text, partner_size};
    return trace_parse_long(is_vms ? own : other, is_vms ? other : own, TRACE_MAX_SAMPLES, ret_trace, err);
}

int trace_load_all(const char *const *paths, size_t n, struct trace **ret_trace, struct error *err)
{
    if (n == 1)
        return trace_load(paths[0], ret_trace, err);
    struct trace **traces = calloc(n ? n : 1, sizeof(*traces));
    if (!traces)
        return error_set(err, ERROR_MEMORY, "no memory for %zu traces", n);
    int result = 0;
    for (size_t k = 0; k < n && result == 0; k++)
        result = trace_load(paths[k], &traces[k], err);
    if (result == 0)
        result = trace_unite((const struct trace *const *)traces, n, ret_trace, err);
    for (size_t k = 0; k < n; k++)
        trace_free(traces[k]);
    free(traces);
    return result;
}
