// From the last hour to a distribution of what comes.
//
// Theory. What is forecast is the mean demand over 300 s. Its quantiles are linear functions of a few features of the
// last hour cut in twelve windows of 300 s: last window, decaying mean, mean, standard deviation, extremes, mean and
// last change, and two empirical quantiles (windows weighted by age, and alike). The coefficients are a quantile
// regression (Koenker and Bassett, Econometrica 1978) over public traces of VMs, scaled to parts of what the VM may
// have at most (bench/predict --fit makes the tables, and prints their loss and coverage on days that they were not
// fitted on). There is one table for the next window and one for half an hour ahead; between them coefficients are
// interpolated. That is better calibrated in the tails than mean and z sigma, and knows that a VM which has just been
// quiet for an hour may still wake up.
//
// Where the hour shows a repeating signature (as CloudScale does, Shen et al., SoCC 2011: here the autocorrelation of
// the fine slots) the median is what the same phase showed in the periods before, and the spread shrinks by how well
// the periods agree. A short history is completed by the prior of all VMs.
#include <math.h>
#include <string.h>

#include "decide/history.h"
#include "decide/history_forecast_table.h"
#include "decide/history_internal.h"

const double history_probability[HISTORY_QUANTILES] = {0.05, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99};

// Probability mass that each quantile stands for, for moments of the distribution.
static const double mass[HISTORY_QUANTILES] = {0.15, 0.225, 0.25, 0.20, 0.10, 0.045, 0.03};

#define WINDOWS HISTORY_SERIES
#define DECAY 0.35        // of the decaying mean, per window
#define AGE_WEIGHT 0.85   // of the weighted empirical quantile, per window
#define FAR_S 1500.0      // horizon of the second table: window number 6 from now
#define PERIOD_LEAST 4    // fine slots: 2 minutes
#define PERIOD_AGREES 0.6 // autocorrelation from which a period is one
#define PERIOD_DIPS 0.2   // it has to have been below this before: else it is only slow
#define TREND_T 3.0       // t-value from which a trend is one

struct windows {
    uint32_t n;         // that the history has
    double at[WINDOWS]; // newest first; beyond n: mean of those there are
};

static void cut_windows(const struct history *h, int r, struct windows *w)
{
    int64_t end = history_fine_end(h);
    double total = 0;
    w->n = 0;
    for (int k = 0; k < WINDOWS; k++) {
        double sum = 0;
        int n = 0;
        float mean, max;
        for (int64_t slot = end - (int64_t)FINE_PER_COARSE * (k + 1);
             slot < end - (int64_t)FINE_PER_COARSE * k; slot++)
            if (history_fine_slot(h, r, slot, &mean, &max)) {
                sum += mean;
                n++;
            }
        if (n == 0)
            break;
        w->at[w->n++] = sum / n;
        total += sum / n;
    }
    for (uint32_t k = w->n; k < WINDOWS; k++)
        w->at[k] = w->n > 0 ? total / w->n : 0;
}

// Features that do not depend on the quantile; the last two are filled by quantile_features.
static void features(const struct windows *w, double scale, double f[FORECAST_FEATURES])
{
    double sum = 0, squares = 0, high = 0, low = INFINITY, decaying = w->at[WINDOWS - 1], change = 0;
    for (int k = WINDOWS - 1; k >= 0; k--) {
        double x = w->at[k];
        sum += x;
        squares += x * x;
        high = fmax(high, x);
        low = fmin(low, x);
        decaying += DECAY * (x - decaying);
        if (k > 0)
            change += fabs(w->at[k - 1] - x);
    }
    double mean = sum / WINDOWS;
    f[0] = 1;
    f[1] = w->at[0] / scale;
    f[2] = decaying / scale;
    f[3] = mean / scale;
    f[4] = sqrt(fmax(0, squares / WINDOWS - mean * mean)) / scale;
    f[5] = high / scale;
    f[6] = low / scale;
    f[7] = change / (WINDOWS - 1) / scale;
    f[8] = fabs(w->at[0] - w->at[1]) / scale;
}

struct aged {
    double value, weight;
};

static void sort_windows(const struct windows *w, struct aged sorted[WINDOWS])
{
    double weight = 1;
    for (int k = 0; k < WINDOWS; k++, weight *= AGE_WEIGHT) {
        int at = k;
        for (; at > 0 && sorted[at - 1].value > w->at[k]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = (struct aged){w->at[k], weight};
    }
}

static void quantile_features(const struct aged sorted[WINDOWS], double p, double scale,
                              double f[FORECAST_FEATURES])
{
    double total = 0, sum = 0, position = p * (WINDOWS - 1);
    int at = 0, below = (int)position;
    for (int k = 0; k < WINDOWS; k++)
        total += sorted[k].weight;
    for (; at < WINDOWS - 1; at++) {
        sum += sorted[at].weight / total;
        if (sum >= p)
            break;
    }
    if (below > WINDOWS - 2)
        below = WINDOWS - 2;
    f[9] = sorted[at].value / scale;
    f[10] =
        (sorted[below].value + (position - below) * (sorted[below + 1].value - sorted[below].value)) / scale;
}

void history_features(const double window[HISTORY_SERIES], double most, int quantile, double *ret_features)
{
    struct windows w = {.n = WINDOWS};
    struct aged sorted[WINDOWS] = {0};
    memcpy(w.at, window, sizeof w.at);
    features(&w, most, ret_features);
    sort_windows(&w, sorted);
    quantile_features(sorted, history_probability[quantile], most, ret_features);
}

// Quantiles from the tables, in the VM's unit.
static void regress(const struct windows *w, double horizon_s, double most, double q[HISTORY_QUANTILES])
{
    double f[FORECAST_FEATURES], far = fmin(fmax(horizon_s, 0) / FAR_S, 1);
    struct aged sorted[WINDOWS] = {0};
    features(w, most, f);
    sort_windows(w, sorted);
    for (int i = 0; i < HISTORY_QUANTILES; i++) {
        quantile_features(sorted, history_probability[i], most, f);
        double sum = 0;
        for (int k = 0; k < FORECAST_FEATURES; k++)
            sum += f[k] * (forecast_near[i][k] + far * (forecast_far[i][k] - forecast_near[i][k]));
        q[i] = sum * most;
    }
}

// The shortest lag at which the fine slots repeat, with its autocorrelation; 0: none.
static int find_period(const struct history *h, int r, double *ret_agreement)
{
    double x[HISTORY_SLOTS], mean = 0, var = 0;
    int n = (int)h->n;
    for (int k = 0; k < n; k++) {
        x[k] = h->mean[r][history_place(h->slot - n + k, HISTORY_SLOTS)];
        mean += x[k] / n;
    }
    for (int k = 0; k < n; k++) {
        x[k] -= mean;
        var += x[k] * x[k];
    }
    if (n < 4 * PERIOD_LEAST || var <= 1e-9 * n * mean * mean)
        return 0;
    double before = 1, here = 1;
    bool dipped = false;
    for (int lag = 1; lag <= n / 2; lag++) {
        double sum = 0;
        for (int k = lag; k < n; k++)
            sum += x[k] * x[k - lag];
        double next = sum / var * n / (n - lag);
        dipped = dipped || next < PERIOD_DIPS;
        // A peak at lag - 1?
        if (dipped && lag - 1 >= PERIOD_LEAST && here >= PERIOD_AGREES && here >= before && here > next) {
            *ret_agreement = fmin(here, 1);
            return lag - 1;
        }
        before = here;
        here = next;
    }
    return 0;
}

// Mean over the window that begins horizon_s from now, of the same phase in the periods that the ring holds.
static bool same_phase(const struct history *h, int r, double horizon_s, int period, double *ret_mean)
{
    int64_t begin = history_fine_end(h) + (int64_t)llround(horizon_s / HISTORY_SLOT_S);
    double sum = 0;
    int n = 0;
    for (int64_t slot = begin; slot < begin + FINE_PER_COARSE; slot++) {
        float mean, max;
        int64_t back = slot;
        while (back >= history_fine_end(h))
            back -= period;
        for (; history_fine_slot(h, r, back, &mean, &max); back -= period) {
            sum += mean;
            n++;
        }
    }
    *ret_mean = n > 0 ? sum / n : 0;
    return n > 0;
}

static double trend_per_h(const struct windows *w)
{
    double n = w->n, mean = 0, middle = (n - 1) / 2, xy = 0, xx = 0, residual = 0;
    if (w->n < 4)
        return 0;
    for (uint32_t k = 0; k < w->n; k++)
        mean += w->at[k] / n;
    for (uint32_t k = 0; k < w->n; k++) {
        double x = middle - k; // newest has the largest x
        xy += x * (w->at[k] - mean);
        xx += x * x;
    }
    double slope = xy / xx;
    for (uint32_t k = 0; k < w->n; k++) {
        double e = w->at[k] - mean - slope * (middle - k);
        residual += e * e;
    }
    double error = sqrt(residual / (n - 2) / xx);
    return fabs(slope) > TREND_T * error ? slope * 3600 / HISTORY_SERIES_S : 0;
}

static void finish(struct history_forecast *f, double most)
{
    double before = 0;
    f->mean = f->sd = 0;
    for (int i = 0; i < HISTORY_QUANTILES; i++) {
        before = f->quantile[i] = fmax(before, fmin(fmax(f->quantile[i], 0), most));
        f->mean += mass[i] * f->quantile[i];
    }
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        f->sd += mass[i] * (f->quantile[i] - f->mean) * (f->quantile[i] - f->mean);
    f->sd = sqrt(f->sd);
}

void history_forecast(const struct history *h, enum history_resource resource, double horizon_s, double most,
                      const struct history_prior *prior, struct history_forecast *ret)
{
    struct history_forecast f = {0};
    struct windows w;
    double prior_q[HISTORY_QUANTILES];
    cut_windows(h, resource, &w);
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        prior_q[i] = prior->quantile[resource][i] * most;
    if (w.n == 0) {
        memcpy(f.quantile, prior_q, sizeof prior_q);
        finish(&f, most);
        *ret = f;
        return;
    }
    regress(&w, horizon_s, most, f.quantile);
    double agreement = 0, phase;
    int period = find_period(h, resource, &agreement);
    if (period > 0 && same_phase(h, resource, horizon_s, period, &phase)) {
        double spread = sqrt(1 - agreement * agreement), median = f.quantile[2];
        for (int i = 0; i < HISTORY_QUANTILES; i++)
            f.quantile[i] = phase + spread * (f.quantile[i] - median);
        f.period_s = period * (double)HISTORY_SLOT_S;
    }
    double covered = history_covered_s(h), own = covered / (covered + prior->weight_s);
    if (w.n < WINDOWS)
        for (int i = 0; i < HISTORY_QUANTILES; i++)
            f.quantile[i] = own * f.quantile[i] + (1 - own) * prior_q[i];
    f.trend_per_h = trend_per_h(&w);
    finish(&f, most);
    *ret = f;
}

void history_summarize(const struct history *h, const double most[HISTORY_RESOURCES],
                       const struct history_prior *prior, struct history_summary *ret)
{
    struct history_summary s = {.covered_s = (float)history_covered_s(h), .level = h->level};
    history_to_series(h, &s.series);
    for (int r = 0; r < HISTORY_RESOURCES; r++) {
        struct history_forecast f;
        history_forecast(h, r, 0, most[r], prior, &f);
        s.mean[r] = (float)f.mean;
        s.sd[r] = (float)f.sd;
        s.p90[r] = (float)f.quantile[4];
        s.p99[r] = (float)f.quantile[6];
        s.trend_per_h[r] = (float)f.trend_per_h;
        s.period_s[r] = (float)f.period_s;
    }
    *ret = s;
}

// Marginal distribution of what the tables were fitted on: CPU of PlanetLab 20110303 and of the Bitbrains VMs of even
// number, with equal weight; memory of the latter, by measured use over configured memory. weight_s is a choice, not
// fitted.
const struct history_prior history_prior_default = {
    .mean = {0.090, 0.109},
    .quantile = {{0, 0.005, 0.02, 0.08, 0.28, 0.44, 0.967}, {0, 0.014, 0.044, 0.125, 0.384, 0.45, 0.544}},
    .weight_s = 120,
};
