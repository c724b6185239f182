// ballast place: where new VMs should start.
#include "command/load.h"
#include "command/score_print.h"
#include "command/table.h"
#include "command/verbs.h"
#include "decide/place.h"
#include "decide/plan.h"

// Hosts that a person is told of why they are not chosen.
#define REJECTED_SHOWN 10

struct place_options {
    int64_t vcpus, shares, count;
    double mem_mib, cpu_demand_cores, mem_used_mib, mem_overcommit;
    bool apart, json;
};

#define O struct place_options
static const struct option_row rows[] = {
    OPTION_INTEGER_OR(O, vcpus, "vcpus", "N", 1, 65535, 0, "virtual CPUs of the new VM (required)"),
    OPTION_NUMBER_OR(O, mem_mib, "mem-mib", "N", 0.001, 1e12, 0, "memory of the new VM in MiB (required)"),
    OPTION_NUMBER_OR(O, cpu_demand_cores, "cpu-demand-cores", "X", 0, 65535, -1,
                     "CPU that it will want (default: its vCPUs)"),
    OPTION_NUMBER_OR(O, mem_used_mib, "mem-used-mib", "N", 0, 1e12, -1,
                     "memory that it will use (default: all)"),
    OPTION_INTEGER(O, shares, "shares", "N", 1, 1000000000, SNAPSHOT_SHARES, "its weight"),
    OPTION_INTEGER(O, count, "count", "K", 1, 1000000, 1, "place so many alike"),
    OPTION_FLAG(O, apart, "apart", "each on a host of its own"),
    OPTION_NUMBER_OR(
        O, mem_overcommit, "mem-overcommit", "RATIO", 0.01, 100, 0,
        "configured memory of a host's VMs stays within RATIO times the host's (default: no such bound)"),
    OPTION_FLAG(O, json, "json", "print one JSON object (ballast-place-1)"),
};
#undef O

static int request_of(const struct place_options *o, struct place_request *ret, struct error *err)
{
    if (o->vcpus == 0)
        return error_set(err, ERROR_INPUT, "--vcpus is missing and must be given");
    if (o->mem_mib == 0)
        return error_set(err, ERROR_INPUT, "--mem-mib is missing and must be given");
    if (o->cpu_demand_cores > (double)o->vcpus)
        return error_set(err, ERROR_INPUT, "--cpu-demand-cores: %g is above --vcpus", o->cpu_demand_cores);
    if (o->mem_used_mib > o->mem_mib)
        return error_set(err, ERROR_INPUT, "--mem-used-mib: %g is above --mem-mib", o->mem_used_mib);
    *ret = (struct place_request){
        .vcpus = (uint32_t)o->vcpus,
        .mem_mib = o->mem_mib,
        .cpu_demand_cores = o->cpu_demand_cores < 0 ? (double)o->vcpus : o->cpu_demand_cores,
        .mem_used_mib = o->mem_used_mib < 0 ? o->mem_mib : o->mem_used_mib,
        .shares = (uint32_t)o->shares,
        .count = (uint32_t)o->count,
        .apart = o->apart,
        .mem_overcommit = o->mem_overcommit,
        .mem_growth = PLAN_MEM_GROWTH,
    };
    return 0;
}

static int print_json(const struct snapshot *s, const struct place_result *result, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-place-1");
    json_key_array(w, "placements");
    for (uint32_t i = 0; i < result->n_choices; i++) {
        const struct place_choice *c = &result->choices[i];
        json_object_begin(w);
        json_key_string(w, "host", s->hosts.name[c->host]);
        json_key_number(w, "score", c->score);
        json_key_number(w, "added_lost_vm_s_per_s", c->loss_vm_s_per_s);
        json_key_number(w, "room_cores", c->room_cores);
        json_key_number(w, "room_mem_mib", c->room_mem_mib);
        json_key_string(w, "reason", c->reason);
        json_object_end(w);
    }
    json_array_end(w);
    json_key_array(w, "rejected");
    for (uint32_t i = 0; i < result->n_rejected; i++) {
        json_object_begin(w);
        json_key_string(w, "host", s->hosts.name[result->rejected[i].host]);
        json_key_string(w, "reason", result->rejected[i].reason);
        json_object_end(w);
    }
    json_array_end(w);
    json_key_integer(w, "unplaced", result->unplaced);
    return json_print_end(w, err);
}

static void print_table(const struct snapshot *s, const struct place_result *result)
{
    struct table *t =
        result->n_choices ? table_new(">#|HOST|>SCORE|>LOSS ADDED|>CORES LEFT|>MIB LEFT|REASON") : NULL;
    for (uint32_t i = 0; i < result->n_choices; i++) {
        const struct place_choice *c = &result->choices[i];
        table_cell(t, STYLE_DIM, "%u", i + 1);
        table_cell(t, STYLE_BOLD, "%s", s->hosts.name[c->host]);
        table_cell(t, STYLE_PLAIN, "%.4f", c->score);
        table_cell(t, STYLE_PLAIN, "%.3f", c->loss_vm_s_per_s);
        table_cell(t, STYLE_PLAIN, "%.1f", c->room_cores);
        table_cell(t, STYLE_PLAIN, "%.0f", c->room_mem_mib);
        table_cell(t, STYLE_PLAIN, "%s", c->reason);
    }
    if (t)
        table_print_take(t, stdout);
    for (uint32_t i = 0; i < result->n_rejected && i < REJECTED_SHOWN; i++)
        printf("Not %s: %s\n", s->hosts.name[result->rejected[i].host], result->rejected[i].reason);
    if (result->n_rejected > REJECTED_SHOWN)
        printf("Nor %u hosts more; --json tells of all.\n", result->n_rejected - REJECTED_SHOWN);
    if (result->unplaced)
        printf("%s%u could not be placed.%s\n", style_begin(stdout, STYLE_BAD), result->unplaced,
               style_end(stdout));
}

static int run(const void *values, char **words, struct error *err)
{
    const struct place_options *options = values;
    struct place_request request;
    struct snapshot *snapshot = NULL;
    if (request_of(options, &request, err) < 0 || load_snapshot(words[0], &snapshot, err) < 0)
        return -1;
    struct place_result result = {0};
    place_make(snapshot, &request, snapshot->arena, &result);
    int status = EXIT_DONE;
    if (options->json)
        status = print_json(snapshot, &result, err);
    else
        print_table(snapshot, &result);
    if (status == EXIT_DONE && result.unplaced)
        status = EXIT_FAILED;
    snapshot_free(snapshot);
    return status;
}

const struct verb verb_place = {
    .name = "place",
    .words = "SNAPSHOT",
    .least_words = 1,
    .most_words = 1,
    .summary = "where new VMs should start",
    .more = "SNAPSHOT is a ballast-snapshot-1 file, or - for standard input. Exit status: 0 all placed, 1 "
            "not all\n"
            "could be placed, 2 wrong usage or input.",
    VERB_OPTIONS(rows, struct place_options),
    .run = run,
};
