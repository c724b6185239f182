#include "decide/push.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "decide/rules.h"

// What is computed once per destination.
struct destination {
    struct loss_sum sum; // with what is on its way there
    double rate;         // its loss without the VM
    double series_rate;  // the same over the last hour
    double per_core;     // loss per core taken from it
};

struct work {
    const struct loss_vm **loss;
    struct destination *destination;
    void *rest; // for loss_host_rate
};

static size_t round_up(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

size_t push_scratch_bytes(size_t n_vms, size_t n_hosts)
{
    return round_up(n_vms * sizeof(void *)) + round_up(n_hosts * sizeof(struct destination)) +
           loss_scratch_bytes(n_vms);
}

static struct work lay_out(void *scratch, size_t n_vms, size_t n_hosts)
{
    char *at = scratch;
    struct work w;
    w.loss = (void *)at;
    at += round_up(n_vms * sizeof(void *));
    w.destination = (void *)at;
    at += round_up(n_hosts * sizeof(struct destination));
    w.rest = at;
    return w;
}

// This host as it is and without one of its VMs.
struct source {
    double rate;
    struct loss_sum sum;
    double series_rate; // over the last hour
    double per_core;
};

#define CORE_STEP 0.5 // for the slope of the loss over capacity

static double slope_per_core(double rate, double rate_with_less)
{
    return fmax(0, rate_with_less - rate) / CORE_STEP;
}

static struct loss_capacity less_cpu(struct loss_capacity c)
{
    c.of[LOSS_CPU] = fmax(c.of[LOSS_CPU] - CORE_STEP, 0);
    return c;
}

// Points w->loss at all VMs but one (SIZE_MAX: at all); returns their number.
static size_t choose(const struct push_input *in, struct work *w, size_t without)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n_vms; i++) {
        if (i == without)
            continue;
        w->loss[n++] = &in->vm[i].loss;
    }
    return n;
}

static struct source measure_source(const struct push_input *in, struct work *w)
{
    struct source s;
    struct loss_capacity less = less_cpu(in->capacity);
    size_t n = choose(in, w, SIZE_MAX);
    s.rate = loss_host_rate(&in->capacity, n, w->loss, NULL, w->rest);
    s.sum = (struct loss_sum){0};
    for (size_t i = 0; i < n; i++)
        loss_sum_add(&s.sum, w->loss[i]);
    s.series_rate = loss_sum_rate_series(&s.sum, &in->capacity, in->series);
    s.per_core = slope_per_core(s.rate, loss_host_rate(&less, n, w->loss, NULL, w->rest));
    return s;
}

static void measure_destination(const struct push_host *host, struct destination *d)
{
    struct loss_capacity less = less_cpu(host->capacity);
    d->sum = host->sum;
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        d->sum.demand[r] += host->coming[r];
        d->sum.most[r] += host->coming[r];
    }
    d->rate = loss_sum_rate(&d->sum, &host->capacity);
    d->series_rate = loss_sum_rate_series(&d->sum, &host->capacity, host->series);
    d->per_core = slope_per_core(d->rate, loss_sum_rate(&d->sum, &less));
}

// Least free part of the destination once the VM, grown, is there; negative: no room.
static double room_after(const struct push_input *in, const struct push_vm *vm, const struct push_host *host,
                         const struct destination *d)
{
    double cpu = d->sum.demand[LOSS_CPU] + vm->loss.claim[LOSS_CPU].demand * (1 + in->growth);
    double mem = (d->sum.demand[LOSS_MEM] + vm->loss.claim[LOSS_MEM].demand) * (1 + in->growth);
    return fmin(1 - cpu / host->capacity.of[LOSS_CPU], 1 - mem / host->capacity.of[LOSS_MEM]);
}

// What is asked for where no allowed host has room for the VM, grown: memory all the same, and CPU that is not all wanted
// already. What the VM and its new neighbours would lose there is in the relief.
static bool can_squeeze_in(const struct push_input *in, const struct push_vm *vm,
                           const struct push_host *host, const struct destination *d)
{
    double mem = (d->sum.demand[LOSS_MEM] + vm->loss.claim[LOSS_MEM].demand) * (1 + in->growth);
    return mem <= host->capacity.of[LOSS_MEM] && d->sum.demand[LOSS_CPU] < host->capacity.of[LOSS_CPU];
}

static double left_ago_s(const struct push_vm *vm, uint64_t host)
{
    double ago = -1;
    for (uint32_t i = 0; i < vm->n_left; i++)
        if (vm->left[i].host == host && (ago < 0 || vm->left[i].ago_s < ago))
            ago = vm->left[i].ago_s;
    return ago;
}

static double net(const struct push_candidate *c)
{
    return c->benefit_lost_vm_s - c->cost.lost_vm_s;
}

// Total order: more net benefit first, then names bytewise.
static bool before(const struct push_candidate *a, const struct push_candidate *b)
{
    if (net(a) != net(b))
        return net(a) > net(b);
    int order = strcmp(a->vm_name, b->vm_name);
    if (order == 0)
        order = strcmp(a->host_name, b->host_name);
    return order != 0 ? order < 0 : a->vm != b->vm ? a->vm < b->vm : a->host < b->host;
}

static bool would_enter(const struct push_decision *d, const struct push_candidate *c)
{
    return d->n_candidates < PUSH_CANDIDATES || before(c, &d->candidate[PUSH_CANDIDATES - 1]);
}

static void enter(struct push_decision *d, const struct push_candidate *c)
{
    uint32_t at = d->n_candidates < PUSH_CANDIDATES ? d->n_candidates++ : PUSH_CANDIDATES - 1;
    for (; at > 0 && before(c, &d->candidate[at - 1]); at--)
        d->candidate[at] = d->candidate[at - 1];
    d->candidate[at] = *c;
}

// The time that the present loss has effectively lasted; at least what distress lasts.
static double horizon_s(const struct push_input *in)
{
    double horizon = in->loss_per_s > 0 ? fmin(in->lasted_s, in->accrued_lost_vm_s / in->loss_per_s) : 0;
    if (in->critical)
        horizon = fmax(horizon, PUSH_CRITICAL_S);
    return fmin(horizon, PUSH_HORIZON_MOST_S);
}

// Loss over the last hour of a host with the VM added (sign 1) or taken away (-1).
static double series_rate_changed(const struct loss_sum *sum, const struct history_series *series,
                                  const struct loss_capacity *capacity, const struct push_vm *vm, int sign)
{
    struct loss_sum changed = *sum;
    struct history_series changed_series = *series;
    if (sign > 0)
        loss_sum_add(&changed, &vm->loss);
    else
        loss_sum_remove(&changed, &vm->loss);
    history_series_add(&changed_series, vm->series, sign);
    return loss_sum_rate_series(&changed, capacity, &changed_series);
}

static bool known(const struct history_series *series)
{
    return series && series->n > 0;
}

// What the last hour says that the VM's being there costs more than its being here.
static double aftermath(const struct push_input *in, const struct source *source,
                        const struct destination *to, uint32_t v, uint32_t h)
{
    const struct push_vm *vm = &in->vm[v];
    const struct push_host *host = &in->host[h];
    if (!known(vm->series) || !known(host->series) || !known(in->series))
        return 0;
    double here = source->series_rate - series_rate_changed(&source->sum, in->series, &in->capacity, vm, -1);
    double there = series_rate_changed(&to->sum, host->series, &host->capacity, vm, 1) - to->series_rate;
    return fmin(0, here - there);
}

static enum push_verdict judge(const struct push_candidate *c, double rate)
{
    if (c->relief_per_s <= 0 || c->relief_per_s < PUSH_RELIEF_LEAST * rate)
        return PUSH_NO_RELIEF;
    if (net(c) > 0)
        return PUSH_MOVE;
    // Worth it once the contention has lasted long enough?
    bool ever = c->relief_per_s * (PUSH_HORIZON_MOST_S - c->cost.estimate.duration_s) > c->cost.lost_vm_s;
    return ever ? PUSH_WAIT : PUSH_NOT_WORTH;
}

static void consider(const struct push_input *in, struct work *w, const struct source *source, uint32_t v,
                     uint32_t h, double relief_here, double rate, double room, struct push_decision *d)
{
    const struct push_vm *vm = &in->vm[v];
    const struct push_host *host = &in->host[h];
    const struct destination *to = &w->destination[h];
    struct loss_sum sum = to->sum;
    struct migration_subject subject = vm->migration;
    struct migration_link link = {
        .bandwidth_mib_s = fmin(in->bandwidth_mib_s, host->bandwidth_mib_s),
        .source_loss_per_core_s = source->per_core,
        .destination_loss_per_core_s = to->per_core,
    };
    loss_sum_add(&sum, &vm->loss);
    subject.left_destination_s = left_ago_s(vm, host->id);
    double horizon = horizon_s(in);
    struct push_candidate c = {
        .vm = v,
        .host = h,
        .vm_name = vm->name,
        .host_name = host->name,
        .relief_per_s = relief_here - (loss_sum_rate(&sum, &host->capacity) - to->rate),
        .cost = migration_cost(&subject, &link, in->calibration),
        .room = room,
        .broken_preferences = vm->broken_preferences ? vm->broken_preferences[h] : 0,
    };
    double counted = horizon - c.cost.estimate.duration_s;
    c.benefit_lost_vm_s = c.relief_per_s * fmax(counted, 0);
    if (c.relief_per_s > 0 && would_enter(d, &c)) {
        c.aftermath_per_s = aftermath(in, source, to, v, h);
        c.aftermath_per_s -= RULES_PREFERENCE_LOSS * c.broken_preferences;
        c.benefit_lost_vm_s += c.aftermath_per_s * (PUSH_HORIZON_MOST_S - horizon);
    }
    c.verdict = judge(&c, rate);
    if (would_enter(d, &c))
        enter(d, &c);
}

static bool is_allowed(const struct push_vm *vm, const struct push_host *host, uint32_t h)
{
    return host->open && host->bandwidth_mib_s > 0 && (!vm->may_run_on || vm->may_run_on[h]);
}

// Whether an allowed host that the VM did not leave lately has room for it.
static bool has_room_somewhere(const struct push_input *in, const struct work *w, const struct push_vm *vm)
{
    for (uint32_t h = 0; h < in->n_hosts; h++) {
        const struct push_host *host = &in->host[h];
        double ago_s = left_ago_s(vm, host->id);
        bool returns = ago_s >= 0 && ago_s < MIGRATION_RETURN_S;
        if (is_allowed(vm, host, h) && !returns && room_after(in, vm, host, &w->destination[h]) >= 0)
            return true;
    }
    return false;
}

// Considers all moves of the VMs that are satisfied, or of those that are not. Returns whether any was movable.
static bool consider_all(const struct push_input *in, struct work *w, const struct source *source,
                         bool satisfied, double rate, struct push_decision *d)
{
    bool any = false;
    for (uint32_t v = 0; v < in->n_vms; v++) {
        const struct push_vm *vm = &in->vm[v];
        if (!vm->movable || (vm->satisfaction >= PUSH_SATISFIED) != satisfied)
            continue;
        any = true;
        size_t n = choose(in, w, v);
        double without = loss_host_rate(&in->capacity, n, w->loss, NULL, w->rest);
        // Elsewhere the VM itself would not lose what it loses here, whatever the model says of the cause.
        double relief = fmax(source->rate - without, vm->loss.weight * (1 - vm->satisfaction));
        bool squeeze = !has_room_somewhere(in, w, vm);
        for (uint32_t h = 0; h < in->n_hosts; h++) {
            const struct push_host *host = &in->host[h];
            d->n_considered++;
            if (!is_allowed(vm, host, h)) {
                d->n_forbidden++;
                continue;
            }
            const struct destination *to = &w->destination[h];
            double room = room_after(in, vm, host, to);
            if (room >= 0 || (squeeze && can_squeeze_in(in, vm, host, to)))
                consider(in, w, source, v, h, relief, rate, room, d);
            else
                d->n_no_room++;
        }
    }
    return any;
}

static enum push_verdict best_verdict(const struct push_decision *d, bool movable)
{
    if (!movable)
        return PUSH_NOTHING_MOVABLE;
    static const enum push_verdict order[] = {PUSH_MOVE, PUSH_WAIT, PUSH_NOT_WORTH, PUSH_NO_RELIEF};
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++)
        for (uint32_t i = 0; i < d->n_candidates; i++)
            if (d->candidate[i].verdict == order[k])
                return order[k];
    return PUSH_NO_DESTINATION;
}

// Of the best VM's destinations that are nearly as good: fewest preferences broken, then most room, between equals a
// random one.
static struct push_candidate choose_destination(const struct push_decision *d, struct random *r)
{
    uint32_t first = 0, equal[PUSH_CANDIDATES] = {0}, n = 0;
    while (first + 1 < d->n_candidates && d->candidate[first].verdict != d->verdict)
        first++;
    const struct push_candidate *best = &d->candidate[first];
    double least = net(best) - PUSH_NEAR_BEST * fabs(net(best)), room = 0;
    int broken = best->broken_preferences;
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = first; i < d->n_candidates; i++) {
            const struct push_candidate *c = &d->candidate[i];
            if (c->vm != best->vm || c->verdict != d->verdict || net(c) < least)
                continue;
            if (pass == 0)
                broken = c->broken_preferences < broken ? c->broken_preferences : broken;
            else if (c->broken_preferences != broken)
                continue;
            else if (pass == 1)
                room = fmax(room, c->room);
            else if (c->room >= room - PUSH_EQUAL_ROOM)
                equal[n++] = i;
        }
    // By name, so that the draw does not depend on what happened to be best by a hair.
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = i; k > 0; k--) {
            uint32_t a = equal[k - 1], b = equal[k];
            if (strcmp(d->candidate[a].host_name, d->candidate[b].host_name) <= 0)
                break;
            equal[k - 1] = b;
            equal[k] = a;
        }
    // Where all are squeezed in there is no room to compare.
    return d->candidate[n == 0 ? first : equal[n > 1 ? random_below(r, n) : 0]];
}

// How much longer the contention has to last until the move pays.
static double wait_s(const struct push_input *in, const struct push_candidate *c)
{
    double horizon = horizon_s(in);
    double price = c->cost.lost_vm_s - c->aftermath_per_s * (PUSH_HORIZON_MOST_S - horizon);
    return fmax(0, c->cost.estimate.duration_s + price / c->relief_per_s - horizon);
}

void push_decide(const struct push_input *in, struct random *r, void *scratch, struct push_decision *ret)
{
    struct work w = lay_out(scratch, in->n_vms, in->n_hosts);
    struct push_decision d = {.verdict = PUSH_NO_LOSS};
    struct source source = measure_source(in, &w);
    double rate = fmax(source.rate, in->loss_per_s);
    d.loss_per_s = rate;
    if (rate > 0) {
        for (size_t h = 0; h < in->n_hosts; h++)
            if (in->host[h].open)
                measure_destination(&in->host[h], &w.destination[h]);
        bool movable = consider_all(in, &w, &source, false, rate, &d);
        d.verdict = best_verdict(&d, movable);
        if (d.verdict != PUSH_MOVE && d.verdict != PUSH_WAIT) {
            movable |= consider_all(in, &w, &source, true, rate, &d);
            d.verdict = best_verdict(&d, movable);
        }
    }
    if (d.verdict == PUSH_MOVE || d.verdict == PUSH_WAIT || d.verdict == PUSH_NOT_WORTH)
        d.chosen = choose_destination(&d, r);
    if (d.verdict == PUSH_WAIT)
        d.wait_s = wait_s(in, &d.chosen);
    *ret = d;
}

const char *push_verdict_name(enum push_verdict verdict)
{
    static const char *const name[] = {
        [PUSH_MOVE] = "move",
        [PUSH_NO_LOSS] = "no-loss",
        [PUSH_NOTHING_MOVABLE] = "nothing-movable",
        [PUSH_NO_DESTINATION] = "no-destination",
        [PUSH_NO_RELIEF] = "no-relief",
        [PUSH_NOT_WORTH] = "not-worth",
        [PUSH_WAIT] = "wait",
    };
    return name[verdict];
}
