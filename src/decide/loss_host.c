// Expected loss of a host VM by VM: theory in loss.h.
#include <assert.h>
#include <math.h>

#include "decide/entitlement.h"
#include "decide/loss.h"
#include "decide/loss_internal.h"

// Number i of the n slots that end at slot end; NULL when the series does not have it.
static const float *slot_of(const struct history_series *s, enum loss_resource r, int64_t slot)
{
    int64_t at = HISTORY_SERIES - (s->end - slot);
    return at < HISTORY_SERIES && at >= HISTORY_SERIES - (int64_t)s->n ? &s->mean[r][at] : NULL;
}

static double series_mean(const struct history_series *s, enum loss_resource r, double otherwise)
{
    if (s == NULL || s->n == 0)
        return otherwise;
    double sum = 0;
    for (uint32_t i = HISTORY_SERIES - s->n; i < HISTORY_SERIES; i++)
        sum += s->mean[r][i];
    return sum / s->n;
}

// Scratch of one evaluation: demand of each VM given the excess, what it gets, what it loses of each resource.
struct work {
    struct entitlement_claim *claim;
    double *grant;
    double *lost[LOSS_RESOURCES];
    void *rest;
};

static size_t round_up(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

size_t loss_scratch_bytes(size_t n)
{
    return round_up(n * sizeof(struct entitlement_claim)) + 3 * round_up(n * sizeof(double)) +
           round_up(entitlement_scratch_bytes(n));
}

static struct work lay_out(void *scratch, size_t n)
{
    char *at = scratch;
    struct work w;
    w.claim = (void *)at;
    at += round_up(n * sizeof *w.claim);
    w.grant = (void *)at;
    at += round_up(n * sizeof(double));
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        w.lost[r] = (void *)at;
        at += round_up(n * sizeof(double));
    }
    w.rest = at;
    return w;
}

// Raises (or lowers) the demands in w.claim to the given total without leaving 0 .. most: what is missing goes to
// each in proportion to the room it has left.
static void reach_total(struct work *w, size_t n, const struct loss_vm *const *vm, enum loss_resource r,
                        double total)
{
    double sum = 0, room = 0;
    for (size_t i = 0; i < n; i++) {
        double most = vm[i]->claim[r].most;
        w->claim[i].demand = fmax(0, fmin(w->claim[i].demand, most));
        sum += w->claim[i].demand;
        room += most - w->claim[i].demand;
    }
    if (sum < total && room > 0) {
        double part = fmin(1, (total - sum) / room);
        for (size_t i = 0; i < n; i++)
            w->claim[i].demand += part * (vm[i]->claim[r].most - w->claim[i].demand);
    } else if (sum > total && sum > 0) {
        for (size_t i = 0; i < n; i++)
            w->claim[i].demand *= total / sum;
    }
}

// Divides capacity among the demands in w.claim; fills w.lost[r].
static void lose(struct work *w, size_t n, const struct loss_vm *const *vm, enum loss_resource r,
                 double capacity, double probability)
{
    for (size_t i = 0; i < n; i++) {
        const struct loss_claim *c = &vm[i]->claim[r];
        w->claim[i].reservation = c->reservation;
        w->claim[i].limit = c->most;
        w->claim[i].shares = c->shares;
    }
    entitlement_divide(capacity, n, w->claim, w->grant, w->rest);
    for (size_t i = 0; i < n; i++) {
        double demand = w->claim[i].demand;
        double s = loss_satisfaction(r, demand - w->grant[i], demand, vm[i]->claim[r].floor);
        w->lost[r][i] = probability * (1 - s);
    }
}

static double total_loss(const struct work *w, size_t n, const struct loss_vm *const *vm,
                         const bool *short_of, double *each)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double kept = 1;
        for (int r = 0; r < LOSS_RESOURCES; r++)
            if (short_of[r])
                kept *= 1 - w->lost[r][i];
        double loss = vm[i]->weight * (1 - kept);
        if (each)
            each[i] = loss;
        sum += loss;
    }
    return sum;
}

double loss_host_rate(const struct loss_capacity *capacity, size_t n, const struct loss_vm *const *vm,
                      double *each, void *scratch)
{
    return loss_host_rate_series(capacity, n, vm, NULL, each, scratch);
}

// Demands of one resource over the common slots of all series.
struct scenario_set {
    uint32_t n;    // slots; 1 without series
    int64_t first; // number of the first slot
    double total[HISTORY_SERIES];
    double weight[HISTORY_SERIES]; // expected excess of each
};

// The newest series' slots.
static void choose_slots(size_t n, const struct history_series *const *series, struct scenario_set *set)
{
    int64_t end = 0, first = 0;
    bool any = false;
    for (size_t i = 0; series && i < n; i++) {
        if (series[i] == NULL || series[i]->n == 0)
            continue;
        int64_t begin = series[i]->end - series[i]->n;
        end = any && end > series[i]->end ? end : series[i]->end;
        first = any && first < begin ? first : begin;
        any = true;
    }
    if (any && end - first > HISTORY_SERIES)
        first = end - HISTORY_SERIES;
    set->n = any ? (uint32_t)(end - first) : 1;
    set->first = first;
}

static double demand_in(const struct loss_vm *vm, const struct history_series *series, enum loss_resource r,
                        int64_t slot)
{
    const float *value = series ? slot_of(series, r, slot) : NULL;
    double demand = value ? *value : series_mean(series, r, vm->claim[r].demand);
    return fmin(demand, vm->claim[r].most);
}

// What is expected of each VM given that the sum exceeds capacity (total is what the sum is then): its mean over the
// slots by their excess, and of the rest of the excess its part by covariance with the sum.
static void expect_given_excess(struct work *w, const struct scenario_set *set, size_t n,
                                const struct loss_vm *const *vm, const struct history_series *const *series,
                                enum loss_resource r, const struct loss_sum *sum, double total)
{
    double given = 0, expected = 0, sd = loss_sum_sd(sum, r);
    for (uint32_t k = 0; k < set->n; k++) {
        expected += set->weight[k];
        given += set->weight[k] * set->total[k];
    }
    given /= expected;
    for (size_t i = 0; i < n; i++) {
        double s = vm[i]->claim[r].sd, demand = 0;
        for (uint32_t k = 0; k < set->n; k++)
            demand += set->weight[k] * demand_in(vm[i], series ? series[i] : NULL, r, set->first + k);
        double covariance = (1 - LOSS_CORRELATION) * s * s + LOSS_CORRELATION * s * sum->sd[r];
        w->claim[i].demand = demand / expected + (sd > 0 ? (total - given) * covariance / (sd * sd) : 0);
    }
    reach_total(w, n, vm, r, total);
}

// Total demand of each slot with its expected excess; returns probability and mean excess over all of them.
static void weigh_slots(struct scenario_set *set, size_t n, const struct loss_vm *const *vm,
                        const struct history_series *const *series, enum loss_resource r,
                        const struct loss_sum *sum, double capacity, double *ret_probability,
                        double *ret_excess)
{
    double sd = loss_sum_sd(sum, r), probability = 0, expected = 0;
    for (uint32_t k = 0; k < set->n; k++) {
        double p;
        set->total[k] = 0;
        for (size_t i = 0; i < n; i++)
            set->total[k] += demand_in(vm[i], series ? series[i] : NULL, r, set->first + k);
        loss_excess_raw(set->total[k], sd, sum->most[r], capacity, &p, &set->weight[k]);
        probability += p / set->n;
        expected += set->weight[k] / set->n;
    }
    loss_excess_given(probability, expected, capacity, ret_probability, ret_excess);
}

double loss_host_rate_series(const struct loss_capacity *capacity, size_t n, const struct loss_vm *const *vm,
                             const struct history_series *const *series, double *each, void *scratch)
{
    struct work w = lay_out(scratch, n);
    struct scenario_set set;
    struct loss_sum sum = {0};
    bool short_of[LOSS_RESOURCES];
    choose_slots(n, series, &set);
    for (size_t i = 0; i < n; i++)
        loss_sum_add(&sum, vm[i]);
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        double probability, excess;
        weigh_slots(&set, n, vm, series, r, &sum, capacity->of[r], &probability, &excess);
        short_of[r] = probability > 0;
        if (!short_of[r])
            continue;
        expect_given_excess(&w, &set, n, vm, series, r, &sum, capacity->of[r] + excess);
        lose(&w, n, vm, r, capacity->of[r], probability);
    }
    return total_loss(&w, n, vm, short_of, each);
}
