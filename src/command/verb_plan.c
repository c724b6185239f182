// ballast plan: which VMs to move, in which order, and why. Touches nothing.
#include <string.h>

#include "base/clock.h"
#include "command/live.h"
#include "command/load.h"
#include "command/score_print.h"
#include "command/table.h"
#include "command/verbs.h"
#include "decide/plan.h"

// Other destinations that a program is told of each move; hosts that still lose, told with the reason: to a program and
// to a person.
#define CANDIDATES 3
#define UNMET 20
#define UNMET_SHOWN 5

struct plan_options {
    const char *goal, *balance, *measure;
    int64_t max_moves;
    double mem_overcommit, horizon_s, time_limit_ms;
    const char *store;
    bool live, json;
};

#define O struct plan_options
static const struct option_row rows[] = {
    OPTION_CHOICE(O, goal, "goal", "relieve|balance|pack", "relieve",
                  "relieve: only moves that prevent more loss than they cost; balance: also even out what is "
                  "satisfied already; pack: empty hosts"),
    OPTION_CHOICE(O, balance, "balance", "both|cpu|mem", "both", "what --goal balance evens out"),
    OPTION_CHOICE(O, measure, "measure", "sd|mad", "sd",
                  "how --goal balance measures: standard deviation, or mean absolute deviation from total "
                  "demand / total capacity"),
    OPTION_INTEGER_OR(O, max_moves, "max-moves", "N", 0, 4294967294, PLAN_UNLIMITED,
                      "at most so many moves, every hop counted (default: no limit)"),
    OPTION_NUMBER_OR(O, mem_overcommit, "mem-overcommit", "RATIO", 0.01, 100, 0,
                     "on a destination the configured memory of its VMs stays within RATIO times the host's "
                     "(default: no such bound)"),
    OPTION_NUMBER(O, horizon_s, "horizon-s", "SECONDS", 1, 86400, PLAN_HORIZON_S,
                  "how long the benefit of a move is counted"),
    OPTION_NUMBER_OR(O, time_limit_ms, "time-limit-ms", "MS", 1, 86400000, 0,
                     "stop searching after so long and print what was found (default: no limit)"),
    OPTION_FLAG(O, live, "live", "plan for the cluster of the configured store instead of a file"),
    LIVE_OPTION(O),
    OPTION_FLAG(O, json, "json", "print one JSON object (ballast-plan-1)"),
};
#undef O

static bool past_deadline(void *data)
{
    return clock_mono().ms >= ((const struct mono *)data)->ms;
}

static struct plan_settings settings_of(const struct plan_options *o)
{
    struct plan_settings s = plan_settings_default();
    s.goal = strcmp(o->goal, "balance") == 0 ? PLAN_BALANCE
             : strcmp(o->goal, "pack") == 0  ? PLAN_PACK
                                             : PLAN_RELIEVE;
    s.balance = strcmp(o->balance, "cpu") == 0   ? PLAN_BALANCE_CPU
                : strcmp(o->balance, "mem") == 0 ? PLAN_BALANCE_MEM
                                                 : PLAN_BALANCE_BOTH;
    s.measure = strcmp(o->measure, "mad") == 0 ? PLAN_MEASURE_MAD : PLAN_MEASURE_SD;
    s.max_moves = (uint32_t)o->max_moves;
    s.mem_overcommit = o->mem_overcommit;
    s.horizon_s = o->horizon_s;
    return s;
}

static void put_score(struct json_writer *w, const char *key, const struct score *score)
{
    json_key_object(w, key);
    score_put_keys(w, score);
    json_object_end(w);
}

static void put_candidates(struct json_writer *w, const struct snapshot *s, const struct plan_move *m)
{
    json_key_array(w, "candidates");
    for (uint32_t i = 0; i < m->n_candidates; i++) {
        const struct plan_candidate *c = &m->candidates[i];
        json_object_begin(w);
        json_key_string(w, "host", s->hosts.name[c->host]);
        json_key_bool(w, "possible", c->possible);
        json_key_number(w, "benefit_lost_vm_s", c->benefit_lost_vm_s);
        json_key_number(w, "cost_lost_vm_s", c->cost_lost_vm_s);
        json_key_string(w, "why_not", c->why_not);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_moves(struct json_writer *w, const struct snapshot *s, const struct plan *plan)
{
    json_key_array(w, "moves");
    for (uint32_t i = 0; i < plan->n_moves; i++) {
        const struct plan_move *m = &plan->moves[i];
        json_object_begin(w);
        json_key_string(w, "vm", s->vms.name[m->vm]);
        json_key_string(w, "from", s->hosts.name[m->from]);
        json_key_string(w, "to", s->hosts.name[m->to]);
        json_key_number(w, "benefit_lost_vm_s", m->benefit_lost_vm_s);
        json_key_number(w, "cost_lost_vm_s", m->cost_lost_vm_s);
        json_key_number(w, "duration_s", m->duration_s);
        json_key_number(w, "downtime_s", m->downtime_s);
        json_key_string(w, "reason", m->reason);
        put_candidates(w, s, m);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_host_actions(struct json_writer *w, const struct snapshot *s, const struct plan *plan)
{
    if (plan->n_host_actions == 0)
        return;
    json_key_array(w, "host_actions");
    for (uint32_t i = 0; i < plan->n_host_actions; i++) {
        json_object_begin(w);
        json_key_string(w, "host", s->hosts.name[plan->host_actions[i].host]);
        json_key_string(w, "action", plan->host_actions[i].wake ? "wake" : "sleep");
        json_key_integer(w, "after_move", plan->host_actions[i].after_move);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_stuck(struct json_writer *w, const struct snapshot *s, const struct plan *plan)
{
    if (plan->n_stuck == 0)
        return;
    json_key_array(w, "stuck");
    for (uint32_t i = 0; i < plan->n_stuck; i++) {
        json_object_begin(w);
        json_key_string(w, "vm", s->vms.name[plan->stuck[i].vm]);
        json_key_string(w, "host", s->hosts.name[plan->stuck[i].host]);
        json_key_string(w, "reason", plan->stuck[i].reason);
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_unmet(struct json_writer *w, const struct snapshot *s, const struct plan *plan)
{
    json_key_integer(w, "hosts_losing", plan->n_losing);
    json_key_array(w, "unmet");
    for (uint32_t i = 0; i < plan->n_unmet; i++) {
        const struct plan_unmet *u = &plan->unmet[i];
        json_object_begin(w);
        json_key_string(w, "host", s->hosts.name[u->host]);
        json_key_number(w, "lost_vm_s_per_s", u->lost_vm_s_per_s);
        json_key_string(w, "refusal", plan_refusal_name(u->refusal));
        json_key_integer(w, "moves_considered", u->n_moves);
        json_key_integer(w, "moves_impossible", u->n_impossible);
        if (u->vm != SNAPSHOT_NONE) {
            json_key(w, "best");
            json_object_begin(w);
            json_key_string(w, "vm", s->vms.name[u->vm]);
            json_key_string(w, "to", s->hosts.name[u->to]);
            json_key_number(w, "benefit_lost_vm_s", u->benefit_lost_vm_s);
            json_key_number(w, "cost_lost_vm_s", u->cost_lost_vm_s);
            json_object_end(w);
        }
        json_key_string(w, "reason", u->reason);
        json_object_end(w);
    }
    json_array_end(w);
}

static int print_json(const struct snapshot *s, const struct plan *plan, double elapsed_ms, struct error *err)
{
    struct json_writer *w = json_print_begin("ballast-plan-1");
    put_moves(w, s, plan);
    put_host_actions(w, s, plan);
    put_stuck(w, s, plan);
    put_unmet(w, s, plan);
    put_score(w, "before", &plan->before);
    put_score(w, "after", &plan->after);
    json_key_integer(w, "evaluations", (int64_t)plan->evaluations);
    json_key_bool(w, "stopped", plan->stopped);
    json_key_number(w, "elapsed_ms", elapsed_ms);
    return json_print_end(w, err);
}

static void print_moves(const struct snapshot *s, const struct plan *plan)
{
    struct table *t = table_new(">#|VM|FROM|TO|>BENEFIT|>COST|>TAKES|REASON");
    for (uint32_t i = 0; i < plan->n_moves; i++) {
        const struct plan_move *m = &plan->moves[i];
        table_cell(t, STYLE_DIM, "%u", i + 1);
        table_cell(t, STYLE_BOLD, "%s", s->vms.name[m->vm]);
        table_cell(t, STYLE_PLAIN, "%s", s->hosts.name[m->from]);
        table_cell(t, STYLE_PLAIN, "%s", s->hosts.name[m->to]);
        table_cell(t, STYLE_GOOD, "%.1f", m->benefit_lost_vm_s);
        table_cell(t, STYLE_PLAIN, "%.1f", m->cost_lost_vm_s);
        table_cell(t, STYLE_PLAIN, "%.1f s", m->duration_s);
        table_cell(t, STYLE_PLAIN, "%s", m->reason);
    }
    table_print_take(t, stdout);
    printf("\nBenefit and cost in lost VM-seconds: a VM of mean weight without what it asks for.\n");
}

static void print_table(const struct snapshot *s, const struct plan *plan, double elapsed_ms)
{
    if (plan->n_moves)
        print_moves(s, plan);
    else
        printf("Nothing to move%s\n",
               plan->n_losing || plan->n_stuck ? "." : ": every VM gets what it asks for.");
    for (uint32_t i = 0; i < plan->n_host_actions; i++)
        printf("After move %u: %s host %s.\n", plan->host_actions[i].after_move,
               plan->host_actions[i].wake ? "wake" : "put to sleep",
               s->hosts.name[plan->host_actions[i].host]);
    for (uint32_t i = 0; i < plan->n_stuck; i++)
        printf("%sStuck:%s %s on %s: %s\n", style_begin(stdout, STYLE_WARN), style_end(stdout),
               s->vms.name[plan->stuck[i].vm], s->hosts.name[plan->stuck[i].host], plan->stuck[i].reason);
    for (uint32_t i = 0; i < plan->n_unmet; i++)
        printf("%sStill short:%s %s loses %.3g VM-seconds a second: %s\n", style_begin(stdout, STYLE_WARN),
               style_end(stdout), s->hosts.name[plan->unmet[i].host], plan->unmet[i].lost_vm_s_per_s,
               plan->unmet[i].reason);
    if (plan->n_losing > plan->n_unmet)
        printf("%u hosts more are short; --json tells of up to %d.\n", plan->n_losing - plan->n_unmet, UNMET);
    putchar('\n');
    score_print_table(stdout, (const char *const[]){"before", "after"},
                      (const struct score[]){plan->before, plan->after}, 2);
    printf("\n%u moves from %u hosts and %u VMs in %.1f ms%s\n", plan->n_moves, s->hosts.n, s->vms.n,
           elapsed_ms, plan->stopped ? " (stopped at the limit: more may be possible)" : "");
}

static int plan_and_print(const void *values, const struct snapshot *snapshot, struct error *err)
{
    const struct plan_options *options = values;
    struct plan_settings settings = settings_of(options);
    settings.candidates = options->json ? CANDIDATES : 0;
    settings.unmet = options->json ? UNMET : UNMET_SHOWN;
    double started_ms = clock_cpu_ms();
    struct mono deadline = mono_after_ms(clock_mono(), (int64_t)options->time_limit_ms);
    if (options->time_limit_ms > 0) {
        settings.stop = past_deadline;
        settings.stop_data = &deadline;
    }
    struct plan plan = {0};
    plan_make(snapshot, &settings, snapshot->arena, &plan);
    double elapsed_ms = clock_cpu_ms() - started_ms;
    if (options->json)
        return print_json(snapshot, &plan, elapsed_ms, err);
    print_table(snapshot, &plan, elapsed_ms);
    return EXIT_DONE;
}

static int run(const void *values, char **words, struct error *err)
{
    const struct plan_options *options = values;
    if (options->live == (words[0] != NULL))
        return error_set(err, ERROR_INPUT,
                         options->live ? "--live takes no SNAPSHOT: give one of the two"
                                       : "give a SNAPSHOT, or --live for the configured store's cluster");
    if (options->live) // never in the thin program: it hands --live over
        return live_with_snapshot(options->store, plan_and_print, options, err);
    CLEANUP(snapshot_free) struct snapshot *snapshot = NULL;
    if (load_snapshot(words[0], &snapshot, err) < 0)
        return -1;
    return plan_and_print(options, snapshot, err);
}

const struct verb verb_plan = {
    .name = "plan",
    .words = "[SNAPSHOT]",
    .least_words = 0,
    .most_words = 1,
    .summary = "which VMs to move, in which order, and why (touches nothing)",
    .more = "Hosts in maintenance are emptied and broken strict rules mended first, whatever the goal.\n"
            "SNAPSHOT is a ballast-snapshot-1 file, or - for standard input. Exit status: 0 done, also when\n"
            "nothing is to be moved; 1 failed; 2 wrong usage or input.",
    VERB_OPTIONS(rows, struct plan_options),
    .run = run,
};
