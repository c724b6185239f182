#include "decide/immediate.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NEVER_MS INT64_MIN
#define FORECAST_HORIZON_S 60.0 // uncertainty of the demand is that of the next minutes

// What is remembered of a VM between steps.
struct memory {
    uint64_t id;
    bool used;
    uint64_t seen;            // number of the step
    double starved_s;         // weight growth
    double critical_s;        // how long below IMMEDIATE_CRITICAL
    double distress_s;        // how long in distress by the memory manager's word
    double loss_per_s;        // measured in this step, 0 when it counts as satisfied
    double accrued_lost_vm_s; // its part of the contention's account
    int64_t forecast_slot;    // history slot at which sd[] was computed
    double sd[LOSS_RESOURCES];
    struct history_series series;
};

struct immediate {
    size_t most_vms, most_hosts, n_places;
    struct memory *memory; // open addressing by id, at most half full
    struct memory **of_vm; // by index in the input
    struct push_vm *vm;
    struct push_host *host;
    const struct history **history;
    double *guess[LOSS_RESOURCES]; // demand of VMs without history
    struct history_series series;
    uint64_t series_stamp; // of what series was made from
    void *scratch;
    struct random random;
    uint64_t step;
    bool started;
    struct mono last;
    double accrued_lost_vm_s, lasted_s;
    double unbroken_s; // of the present contention
    bool calm;         // the last step was
    int64_t cool_until_ms, held_since_ms, signalled_ms;
    uint32_t failures; // in a row
};

struct immediate *immediate_new(struct arena *arena, size_t most_vms, size_t most_hosts, uint64_t seed)
{
    struct immediate *s = arena_new_object(arena, struct immediate);
    s->most_vms = most_vms;
    s->most_hosts = most_hosts;
    for (s->n_places = 8; s->n_places < 3 * most_vms;)
        s->n_places *= 2;
    s->memory = arena_new_array(arena, struct memory, s->n_places);
    s->of_vm = arena_new_array(arena, struct memory *, most_vms);
    s->vm = arena_new_array(arena, struct push_vm, most_vms);
    s->host = arena_new_array(arena, struct push_host, most_hosts);
    s->history = arena_new_array(arena, const struct history *, most_vms);
    for (int r = 0; r < LOSS_RESOURCES; r++)
        s->guess[r] = arena_new_array(arena, double, most_vms);
    s->scratch = arena_alloc(arena, push_scratch_bytes(most_vms, most_hosts), 1);
    s->random = random_seed(seed);
    s->calm = true;
    s->cool_until_ms = s->held_since_ms = s->signalled_ms = NEVER_MS;
    return s;
}

static size_t first_place(const struct immediate *s, uint64_t id)
{
    struct random r = random_seed(id);
    return random_bits(&r) & (s->n_places - 1);
}

static struct memory *find(const struct immediate *s, uint64_t id)
{
    for (size_t at = first_place(s, id);; at = (at + 1) & (s->n_places - 1))
        if (!s->memory[at].used || s->memory[at].id == id)
            return &s->memory[at];
}

// What a VM that is gone (stopped, moved, died) has put on the account goes with it: the contention of those who stay is
// as old as their part of it. Else a spike of new VMs would be taken for the end of a long contention of former ones.
static void settle(struct immediate *s, const struct memory *gone)
{
    if (gone->accrued_lost_vm_s <= 0)
        return;
    double left = fmax(0, s->accrued_lost_vm_s - gone->accrued_lost_vm_s);
    s->lasted_s *= left / s->accrued_lost_vm_s;
    s->accrued_lost_vm_s = left;
}

// Takes out who was not seen in this step. Removal in open addressing: move up what could no longer be found.
static void forget_gone(struct immediate *s)
{
    size_t mask = s->n_places - 1;
    for (size_t i = 0; i < s->n_places; i++) {
        while (s->memory[i].used && s->memory[i].seen != s->step) {
            size_t hole = i;
            settle(s, &s->memory[i]);
            for (size_t at = (hole + 1) & mask; s->memory[at].used; at = (at + 1) & mask)
                if (((at - first_place(s, s->memory[at].id)) & mask) >= ((at - hole) & mask)) {
                    s->memory[hole] = s->memory[at];
                    hole = at;
                }
            s->memory[hole].used = false;
        }
    }
}

double immediate_starved_s(const struct immediate *state, uint64_t vm)
{
    const struct memory *m = find(state, vm);
    return m->used ? m->starved_s : 0;
}

double immediate_satisfaction(const struct immediate_vm *vm)
{
    double unmet = vm->cpu_demand_cores - vm->cpu_delivered_cores;
    double cpu = loss_cpu_satisfaction(unmet, vm->cpu_demand_cores, LOSS_IDLE_PART * vm->vcpus);
    double needed = vm->mem_used_mib + vm->mem_overhead_mib;
    double mem = needed > 0 ? loss_memory_satisfaction(vm->mem_missing_mib / needed) : 1;
    return cpu * mem;
}

struct loss_vm immediate_loss_vm(const struct immediate_vm *vm, double mean_shares, double starved_s)
{
    double most_cores = fmin(vm->vcpus, vm->cpu_limit_cores);
    double needed = vm->mem_used_mib + vm->mem_overhead_mib;
    return (struct loss_vm){
        .weight = loss_weight(vm->shares, mean_shares, starved_s),
        .claim[LOSS_CPU] = {.demand = fmin(vm->cpu_demand_cores, most_cores),
                            .sd = vm->cpu_sd_cores,
                            .most = most_cores,
                            .reservation = vm->cpu_reservation_cores,
                            .shares = vm->cpu_shares,
                            .floor = LOSS_IDLE_PART * vm->vcpus},
        .claim[LOSS_MEM] = {.demand = needed,
                            .sd = vm->mem_sd_mib,
                            .most = fmax(needed, vm->mem_limit_mib + vm->mem_overhead_mib),
                            .reservation = vm->mem_reservation_mib + vm->mem_overhead_mib,
                            .shares = vm->mem_shares},
    };
}

// Refreshes series and uncertainty once a history slot.
static void refresh(struct memory *m, const struct immediate_vm *vm)
{
    const double most[HISTORY_RESOURCES] = {fmin(vm->vcpus, vm->cpu_limit_cores),
                                            vm->mem_limit_mib + vm->mem_overhead_mib};
    struct history_summary summary;
    if (m->forecast_slot == vm->history->slot && m->series.n > 0)
        return;
    history_summarize(vm->history, most, &history_prior_default, &summary);
    m->series = summary.series;
    m->forecast_slot = vm->history->slot;
    m->sd[LOSS_CPU] = summary.sd[HISTORY_CPU];
    m->sd[LOSS_MEM] = summary.sd[HISTORY_MEM];
}

// Memories and push's view of the own VMs; returns the loss measured now.
static double take_vms(struct immediate *s, const struct immediate_input *in, size_t n, double dt_s,
                       bool *ret_critical)
{
    double loss = 0;
    s->step++;
    *ret_critical = false;
    for (size_t i = 0; i < n; i++) {
        find(s, in->vm[i].id)->seen = s->step;
    }
    forget_gone(s);
    for (size_t i = 0; i < n; i++) {
        const struct immediate_vm *vm = &in->vm[i];
        struct memory *m = find(s, vm->id);
        if (!m->used)
            *m = (struct memory){.id = vm->id, .used = true};
        m->seen = s->step;
        s->of_vm[i] = m;
        double satisfaction = immediate_satisfaction(vm);
        m->starved_s = loss_starved_s(m->starved_s, satisfaction, dt_s);
        m->critical_s = satisfaction < IMMEDIATE_CRITICAL ? m->critical_s + dt_s : 0;
        m->distress_s = vm->distress && vm->mem_missing_mib > 0 ? m->distress_s + dt_s : 0;
        if (m->critical_s >= IMMEDIATE_CRITICAL_S || m->distress_s >= IMMEDIATE_DISTRESS_S)
            *ret_critical = true;

        struct push_vm *p = &s->vm[i];
        *p = (struct push_vm){
            .id = vm->id,
            .name = vm->name,
            .loss = immediate_loss_vm(vm, in->mean_shares, m->starved_s),
            .satisfaction = satisfaction,
            .n_left = vm->n_left,
            .movable = vm->movable,
            .may_run_on = vm->may_run_on,
            .broken_preferences = vm->broken_preferences,
        };
        p->migration = (struct migration_subject){
            .resident_mib = vm->mem_resident_mib,
            .dirty_mib_s = vm->dirty_mib_s,
            .local_disk_mib = vm->local_disk_mib,
            .weight = p->loss.weight,
            .migrations_1h = vm->migrations_1h,
            .migrations_24h = vm->migrations_24h,
        };
        memcpy(p->left, vm->left, sizeof p->left);
        m->loss_per_s = satisfaction < PUSH_SATISFIED ? p->loss.weight * (1 - satisfaction) : 0;
        loss += m->loss_per_s;
    }
    return loss;
}

// Histories cost more than the rest and are only wanted for a decision.
static void take_histories(struct immediate *s, const struct immediate_input *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct memory *m = s->of_vm[i];
        const struct immediate_vm *vm = &in->vm[i];
        if (vm->history == NULL || history_covered_s(vm->history) <= 0)
            continue;
        refresh(m, vm);
        s->vm[i].series = &m->series;
        if (vm->cpu_sd_cores <= 0)
            s->vm[i].loss.claim[LOSS_CPU].sd = m->sd[LOSS_CPU];
        if (vm->mem_sd_mib <= 0)
            s->vm[i].loss.claim[LOSS_MEM].sd = m->sd[LOSS_MEM];
    }
}

// The last hour of this host's sum; made anew when a history slot is over or VMs came or went.
static const struct history_series *take_sum(struct immediate *s, const struct immediate_input *in, size_t n)
{
    uint64_t stamp = n;
    for (size_t i = 0; i < n; i++) {
        struct random r = random_seed(in->vm[i].id);
        const struct history *h = in->vm[i].history;
        stamp += random_bits(&r) * (uint64_t)(h ? h->slot : 1); // the order of the VMs does not matter
        s->history[i] = h;
        s->guess[LOSS_CPU][i] = s->vm[i].loss.claim[LOSS_CPU].demand;
        s->guess[LOSS_MEM][i] = s->vm[i].loss.claim[LOSS_MEM].demand;
    }
    if (stamp != s->series_stamp)
        history_sum(n, s->history, s->guess[LOSS_CPU], s->guess[LOSS_MEM], &s->series);
    s->series_stamp = stamp;
    return &s->series;
}

static void take_hosts(struct immediate *s, const struct immediate_input *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct immediate_host *host = &in->host[i];
        s->host[i] = (struct push_host){
            .id = host->id,
            .name = host->name,
            .open = host->open && host->age_s <= IMMEDIATE_ROW_AGE_MOST_S,
            .capacity.of = {host->cpu_cores, host->mem_mib},
            .sum = host->sum,
            .coming = {host->coming_cpu_cores, host->coming_mem_mib},
            .series = host->series,
            .bandwidth_mib_s = host->bandwidth_mib_s,
        };
    }
}

// The contention's account, in all and by VM.
static void accrue(struct immediate *s, size_t n, double loss, double dt_s)
{
    if (loss >= IMMEDIATE_LOSS_LEAST) {
        // It began somewhere within the first interval: half of it; of a long interval nobody knows, so no more than
        // what is still a spike.
        double seen_s = s->calm ? fmin(dt_s, IMMEDIATE_SPIKE_S) : dt_s;
        s->accrued_lost_vm_s += loss * seen_s;
        for (size_t i = 0; i < n; i++)
            s->of_vm[i]->accrued_lost_vm_s += s->of_vm[i]->loss_per_s * seen_s;
        s->lasted_s += s->calm ? seen_s / 2 : seen_s;
        s->unbroken_s += seen_s;
        s->calm = false;
        return;
    }
    double kept = exp2(-dt_s / IMMEDIATE_MEMORY_S);
    s->accrued_lost_vm_s *= kept;
    for (size_t i = 0; i < n; i++)
        s->of_vm[i]->accrued_lost_vm_s *= kept;
    s->lasted_s *= kept;
    s->unbroken_s = 0;
    s->calm = true;
}

// A contention that is older than the last plan was looked at with all hosts in view, and what could be done about it was
// ordered. Single moves on top of that only spend the VMs' right to move, which the next plan needs.
static bool was_planned(const struct immediate *s, const struct immediate_input *in)
{
    return in->planned_ago_s > 0 && s->unbroken_s > in->planned_ago_s;
}

static bool held_back(struct immediate *s, const struct immediate_input *in, struct mono now)
{
    if (was_planned(s, in))
        return true;
    if (!in->long_term_planning) {
        s->held_since_ms = NEVER_MS;
        return false;
    }
    if (s->held_since_ms == NEVER_MS)
        s->held_since_ms = now.ms;
    return (double)(now.ms - s->held_since_ms) < IMMEDIATE_HOLD_BACK_MOST_S * 1000;
}

static enum immediate_verdict from_push(enum push_verdict v)
{
    switch (v) {
    case PUSH_MOVE:
        return IMMEDIATE_MOVE;
    case PUSH_NO_LOSS:
        return IMMEDIATE_CALM;
    case PUSH_NOTHING_MOVABLE:
        return IMMEDIATE_NOTHING_MOVABLE;
    case PUSH_NO_DESTINATION:
        return IMMEDIATE_NO_DESTINATION;
    case PUSH_NO_RELIEF:
    case PUSH_NOT_WORTH:
        return IMMEDIATE_NOT_WORTH;
    case PUSH_WAIT:
        return IMMEDIATE_WAIT;
    }
    return IMMEDIATE_CALM;
}

static void ask_push(struct immediate *s, const struct immediate_input *in, size_t n_vms, size_t n_hosts,
                     struct mono now, struct immediate_output *out)
{
    take_histories(s, in, n_vms);
    take_hosts(s, in, n_hosts);
    struct push_input push = {
        .capacity.of = {in->cpu_cores, in->mem_mib},
        .series = take_sum(s, in, n_vms),
        .n_vms = n_vms,
        .vm = s->vm,
        .n_hosts = n_hosts,
        .host = s->host,
        .accrued_lost_vm_s = s->accrued_lost_vm_s,
        .lasted_s = s->lasted_s,
        .loss_per_s = out->loss_per_s,
        .bandwidth_mib_s = in->bandwidth_mib_s,
        .growth = in->growth > 0 ? in->growth : PUSH_GROWTH,
        .critical = out->critical,
        .calibration = in->calibration,
    };
    push_decide(&push, &s->random, s->scratch, &out->decision);
    out->asked = true;
    out->verdict = from_push(out->decision.verdict);
    out->expected_loss_per_s = out->decision.loss_per_s;
    if (out->verdict == IMMEDIATE_MOVE) {
        const struct push_candidate *c = &out->decision.chosen;
        out->vm_index = c->vm;
        out->host_index = c->host;
        out->vm = in->vm[c->vm].id;
        out->host = in->host[c->host].id;
        out->benefit_lost_vm_s = c->benefit_lost_vm_s;
        out->cost_lost_vm_s = c->cost.lost_vm_s;
        out->duration_s = c->cost.estimate.duration_s;
        out->downtime_s = c->cost.estimate.downtime_s;
    }
    bool helpless = out->decision.verdict == PUSH_NO_DESTINATION || out->decision.verdict == PUSH_NO_RELIEF;
    if (helpless && (s->signalled_ms == NEVER_MS ||
                     (double)(now.ms - s->signalled_ms) >= IMMEDIATE_NO_DESTINATION_S * 1000)) {
        s->signalled_ms = now.ms;
        out->wake_long_term = true;
    }
}

void immediate_step(struct immediate *s, const struct immediate_input *in, struct mono now,
                    struct immediate_output *out)
{
    assert(!s->started || now.ms >= s->last.ms);
    assert(in->mean_shares > 0);
    size_t n_vms = in->n_vms < s->most_vms ? in->n_vms : s->most_vms;
    size_t n_hosts = in->n_hosts < s->most_hosts ? in->n_hosts : s->most_hosts;
    double dt_s = s->started ? mono_seconds_between(s->last, now) : 0;
    s->started = true;
    s->last = now;
    *out = (struct immediate_output){0};
    out->loss_per_s = take_vms(s, in, n_vms, dt_s, &out->critical);
    accrue(s, n_vms, out->loss_per_s, dt_s);
    out->accrued_lost_vm_s = s->accrued_lost_vm_s;
    out->lasted_s = s->lasted_s;

    bool held = held_back(s, in, now), cooling = now.ms < s->cool_until_ms;
    if (in->age_s > IMMEDIATE_OWN_AGE_MOST_S)
        out->verdict = IMMEDIATE_STALE;
    else if (out->loss_per_s < IMMEDIATE_LOSS_LEAST)
        out->verdict = IMMEDIATE_CALM;
    else if (in->move_running)
        out->verdict = IMMEDIATE_BUSY;
    else if (cooling && (s->failures > 0 || !out->critical))
        out->verdict = IMMEDIATE_COOLING;
    else if (held && !out->critical)
        out->verdict = IMMEDIATE_HELD_BACK;
    else if ((s->lasted_s < IMMEDIATE_SPIKE_S || s->unbroken_s < IMMEDIATE_FRESH_S) && !out->critical)
        out->verdict = IMMEDIATE_SPIKE;
    else
        ask_push(s, in, n_vms, n_hosts, now, out);
}

void immediate_report(struct immediate *s, uint64_t vm, enum immediate_outcome outcome, double duration_s,
                      struct mono now)
{
    (void)vm;
    double cool_s = fmax(IMMEDIATE_COOL_S, 2 * duration_s);
    switch (outcome) {
    case IMMEDIATE_DONE:
        s->failures = 0;
        s->accrued_lost_vm_s = s->lasted_s = 0; // another constellation, another contention
        for (size_t i = 0; i < s->n_places; i++)
            s->memory[i].accrued_lost_vm_s = 0;
        s->calm = true;
        break;
    case IMMEDIATE_REFUSED: // somebody else was faster: look again soon, but not all at the same moment
        cool_s = IMMEDIATE_COOL_S * (0.5 + random_unit(&s->random));
        break;
    case IMMEDIATE_FAILED:
        s->failures++;
        cool_s = fmin(cool_s * exp2(fmin(s->failures, 16)), IMMEDIATE_COOL_MOST_S);
        break;
    }
    s->cool_until_ms = now.ms + llround(cool_s * 1000);
}

const char *immediate_verdict_name(enum immediate_verdict verdict)
{
    static const char *const name[] = {
        [IMMEDIATE_MOVE] = "move",
        [IMMEDIATE_CALM] = "calm",
        [IMMEDIATE_SPIKE] = "spike",
        [IMMEDIATE_WAIT] = "wait",
        [IMMEDIATE_NOT_WORTH] = "not-worth",
        [IMMEDIATE_NO_DESTINATION] = "no-destination",
        [IMMEDIATE_NOTHING_MOVABLE] = "nothing-movable",
        [IMMEDIATE_BUSY] = "busy",
        [IMMEDIATE_COOLING] = "cooling",
        [IMMEDIATE_HELD_BACK] = "held-back",
        [IMMEDIATE_STALE] = "stale",
    };
    return name[verdict];
}

char *immediate_explain(const struct immediate_output *out, char *text, size_t size)
{
    switch (out->verdict) {
    case IMMEDIATE_CALM:
        snprintf(text, size, "every VM has what it wants");
        break;
    case IMMEDIATE_SPIKE:
        snprintf(text, size, "%.2f VM-seconds are lost per second, for %.0f s only: it may pass",
                 out->loss_per_s, out->lasted_s);
        break;
    case IMMEDIATE_BUSY:
        snprintf(text, size, "%.2f VM-seconds are lost per second; a move is under way", out->loss_per_s);
        break;
    case IMMEDIATE_COOLING:
        snprintf(text, size, "%.2f VM-seconds are lost per second; waiting to see what the last move did",
                 out->loss_per_s);
        break;
    case IMMEDIATE_HELD_BACK:
        snprintf(text, size, "%.2f VM-seconds are lost per second; the long-term balancer is planning",
                 out->loss_per_s);
        break;
    case IMMEDIATE_STALE:
        snprintf(text, size, "the figures are too old to tell whether anything is lost now");
        break;
    case IMMEDIATE_MOVE:
    case IMMEDIATE_WAIT:
    case IMMEDIATE_NOT_WORTH:
    case IMMEDIATE_NO_DESTINATION:
    case IMMEDIATE_NOTHING_MOVABLE:
        push_explain(&out->decision, text, size);
        break;
    }
    return text;
}
