#include "decide/loss.h"

#include <assert.h>
#include <math.h>

#include "decide/loss_internal.h"

// An expected excess below this part of the capacity is nothing: no VM would notice, and hosts that are far from
// full need no division.
#define NEGLIGIBLE 1e-7

// Standard deviation within a slot as part of the distance from its mean to its maximum.
#define SPREAD_OF_RANGE 0.5

// The memory curve f: satisfaction of a guest that misses this part of the memory it needs. Measured by
// bench/shortage.py (docs/evaluation.md, "A guest that has less memory than it needs"): the mean over guests with
// uniform and skewed access and with swap in zram and on disk. 0 is a guest with room on top; with exactly usedmem it
// begins to swap, as its kernel keeps some memory free. Nothing was measured beyond 30 %.
static const struct memory_point {
    double missing_part, satisfaction;
} memory_curve[] = {
    {0.00, 1.00}, {0.02, 0.75}, {0.05, 0.71}, {0.10, 0.66}, {0.15, 0.57},
    {0.20, 0.50}, {0.25, 0.45}, {0.30, 0.36}, {1.00, 0.00},
};
#define MEMORY_POINTS (sizeof memory_curve / sizeof memory_curve[0])

double loss_weight(double shares, double mean_shares, double starved_s)
{
    return shares / mean_shares * fmin(1 + fmax(starved_s, 0) / LOSS_STARVED_DOUBLES_S, LOSS_STARVED_MOST);
}

double loss_starved_s(double starved_s, double s, double dt_s)
{
    double most = (LOSS_STARVED_MOST - 1) * LOSS_STARVED_DOUBLES_S;
    return s < LOSS_STARVED_BELOW ? fmin(starved_s + dt_s, most) : fmax(starved_s - 2 * dt_s, 0);
}

double loss_memory_satisfaction(double missing_part)
{
    if (missing_part <= 0)
        return 1;
    for (size_t i = 1; i < MEMORY_POINTS; i++) {
        const struct memory_point *a = &memory_curve[i - 1], *b = &memory_curve[i];
        if (missing_part < b->missing_part)
            return a->satisfaction + (b->satisfaction - a->satisfaction) * (missing_part - a->missing_part) /
                                         (b->missing_part - a->missing_part);
    }
    return 0;
}

double loss_cpu_satisfaction(double unmet_cores, double demand_cores, double idle_floor_cores)
{
    double base = fmax(demand_cores, idle_floor_cores);
    return base > 0 ? fmax(0, 1 - fmax(unmet_cores, 0) / base) : 1;
}

double loss_satisfaction(enum loss_resource r, double unmet, double demand, double floor)
{
    if (r == LOSS_CPU)
        return loss_cpu_satisfaction(unmet, demand, floor);
    return demand > 0 ? loss_memory_satisfaction(unmet / demand) : 1;
}

static void sum_change(struct loss_sum *sum, const struct loss_vm *vm, double sign)
{
    sum->weight += sign * vm->weight;
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        const struct loss_claim *c = &vm->claim[r];
        sum->demand[r] += sign * c->demand;
        sum->most[r] += sign * c->most;
        sum->var[r] += sign * c->sd * c->sd;
        sum->sd[r] += sign * c->sd;
        sum->square[r] += sign * (c->demand * c->demand + c->sd * c->sd);
    }
    const struct loss_claim *cpu = &vm->claim[LOSS_CPU];
    double square = cpu->demand * cpu->demand + cpu->sd * cpu->sd;
    if (square > 0)
        sum->cut += sign * vm->weight * square / fmax(sqrt(square), cpu->floor);
}

void loss_sum_add(struct loss_sum *sum, const struct loss_vm *vm)
{
    sum_change(sum, vm, 1);
    sum->n++;
}

void loss_sum_remove(struct loss_sum *sum, const struct loss_vm *vm)
{
    assert(sum->n > 0);
    if (--sum->n == 0)
        *sum = (struct loss_sum){0}; // no residue of rounding
    else
        sum_change(sum, vm, -1);
}

double loss_sum_sd(const struct loss_sum *sum, enum loss_resource r)
{
    double var = (1 - LOSS_CORRELATION) * sum->var[r] + LOSS_CORRELATION * sum->sd[r] * sum->sd[r];
    return var > 0 ? sqrt(var) : 0;
}

// Student's t with 3 degrees of freedom scaled to variance 1 has P(X > z) = 1/2 - (z / (1 + z^2) + atan z) / pi and,
// by integrating that, E[max(X - z, 0)] = (1 - z acot z) / pi. For large z the differences are expanded.
#define SERIES_FROM 1e3

static double acot(double z)
{
    return atan2(1, z);
}

static double tail_probability(double z)
{
    if (z > SERIES_FROM)
        return 2 / (3 * M_PI * z * z * z);
    return fmax(0, (acot(z) - z / (1 + z * z)) / M_PI);
}

static double tail_excess(double z)
{
    if (z > SERIES_FROM)
        return 1 / (3 * M_PI * z * z);
    return fmax(0, (1 - z * acot(z)) / M_PI);
}

void loss_excess_raw(double mean, double sd, double most, double capacity, double *ret_probability,
                     double *ret_expected)
{
    mean = fmin(mean, most);
    *ret_probability = *ret_expected = 0;
    if (most <= capacity)
        return;
    if (sd <= 0) {
        *ret_probability = mean > capacity;
        *ret_expected = fmax(mean - capacity, 0);
        return;
    }
    double z = (capacity - mean) / sd;
    *ret_probability = tail_probability(z);
    *ret_expected = fmax(0, sd * (tail_excess(z) - tail_excess((most - mean) / sd)));
}

void loss_excess_given(double probability, double expected, double capacity, double *ret_probability,
                       double *ret_excess)
{
    bool some = probability > 0 && expected > NEGLIGIBLE * capacity;
    *ret_probability = some ? probability : 0;
    *ret_excess = some ? expected / probability : 0;
}

void loss_excess(double mean, double sd, double most, double capacity, double *ret_probability,
                 double *ret_excess)
{
    double probability, expected;
    loss_excess_raw(mean, sd, most, capacity, &probability, &expected);
    loss_excess_given(probability, expected, capacity, ret_probability, ret_excess);
}

// Part of all weight that is lost when resource r is short by excess with the given probability. Water-filling leaves the
// small their demand and cuts the large: memory is taken to be shared in proportion, a cut in CPU by the mean square of
// demand, so that a core that is missing costs a host of one large VM and forty idle ones no more than the large one.
static double shared_loss(const struct loss_sum *sum, enum loss_resource r, double probability, double excess,
                          double capacity)
{
    if (probability <= 0)
        return 0;
    double demand = capacity + excess;
    if (r == LOSS_CPU && sum->square[r] > 0 && sum->cut > 0 && sum->weight > 0) {
        double grown =
            fmax(1, demand / sum->demand[r]); // all demands alike, where the sum is above what is expected
        return probability * fmin(1, excess * sum->cut / (sum->square[r] * grown * sum->weight));
    }
    return probability * (1 - loss_satisfaction(r, excess, demand, 0));
}

double loss_sum_rate(const struct loss_sum *sum, const struct loss_capacity *capacity)
{
    double kept = 1;
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        double p, x;
        loss_excess(sum->demand[r], loss_sum_sd(sum, r), sum->most[r], capacity->of[r], &p, &x);
        kept *= 1 - shared_loss(sum, r, p, x, capacity->of[r]);
    }
    return sum->weight * (1 - kept);
}

double loss_sum_rate_series(const struct loss_sum *sum, const struct loss_capacity *capacity,
                            const struct history_series *series)
{
    if (series == NULL || series->n == 0)
        return loss_sum_rate(sum, capacity);
    double kept = 1;
    for (int r = 0; r < LOSS_RESOURCES; r++) {
        double sd = loss_sum_sd(sum, r), probability = 0, expected = 0, p, x;
        for (uint32_t i = HISTORY_SERIES - series->n; i < HISTORY_SERIES; i++) {
            double within = SPREAD_OF_RANGE * (series->max[r][i] - series->mean[r][i]);
            loss_excess_raw(series->mean[r][i], fmax(sd, within), sum->most[r], capacity->of[r], &p, &x);
            probability += p / series->n;
            expected += x / series->n;
        }
        loss_excess_given(probability, expected, capacity->of[r], &p, &x);
        kept *= 1 - p * (1 - loss_satisfaction(r, x, capacity->of[r] + x, 0));
    }
    return sum->weight * (1 - kept);
}
