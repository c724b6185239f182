// Quantile regression: coefficients that minimise the pinball loss, by Adam (Kingma and Ba, 2015) on random batches,
// averaged over the last quarter. The two traces have equal weight, whatever their lengths.
#include "predict/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "decide/history_forecast_table.h"
#include "decide/history_internal.h"
#include "predict/traces.h"

#define SAMPLES 400000
#define PASSES 24
#define BATCH 256
#define RATE 0.003

struct samples {
    size_t n;
    float (*feature)[HISTORY_QUANTILES][FORECAST_FEATURES];
    float *value;
};

static bool used(const struct trace *trace, uint32_t v)
{
    return !trace->has_memory || strtol(trace->name[v], NULL, 10) % 2 == 0;
}

// Draws about half of the samples from one trace, CPU as a part of the most.
static void draw(const struct trace *trace, uint32_t ahead, struct random *r, struct samples *s)
{
    double total = 0;
    for (uint32_t v = 0; v < trace->n_vms; v++)
        total += used(trace, v) ? trace->last[v] - trace->first[v] + 1 : 0;
    double part = fmin(1, 0.48 * SAMPLES / total);
    for (uint32_t v = 0; v < trace->n_vms; v++) {
        const float *x = trace->cpu_pct + trace->sample_start[v];
        uint32_t n = trace->last[v] - trace->first[v] + 1;
        if (!used(trace, v))
            continue;
        for (uint32_t k = HISTORY_SERIES - 1; k + 1 + ahead < n && s->n < SAMPLES; k++) {
            if (random_unit(r) >= part)
                continue;
            double window[HISTORY_SERIES], f[FORECAST_FEATURES];
            for (int i = 0; i < HISTORY_SERIES; i++)
                window[i] = x[k - (uint32_t)i] / 100;
            for (int q = 0; q < HISTORY_QUANTILES; q++) {
                history_features(window, 1, q, f);
                for (int i = 0; i < FORECAST_FEATURES; i++)
                    s->feature[s->n][q][i] = (float)f[i];
            }
            s->value[s->n++] = x[k + 1 + ahead] / 100;
        }
    }
}

static void regress(const struct samples *s, int q, struct random *r, double ret[FORECAST_FEATURES])
{
    double w[FORECAST_FEATURES] = {0}, m[FORECAST_FEATURES] = {0}, v[FORECAST_FEATURES] = {0};
    double average[FORECAST_FEATURES] = {0}, n_average = 0, p = history_probability[q];
    long step = 0;
    w[2] = 1;
    for (int pass = 0; pass < PASSES; pass++) {
        double rate = RATE * (1 - (double)pass / PASSES) + 1e-5;
        for (size_t b = 0; b < s->n / BATCH; b++) {
            double gradient[FORECAST_FEATURES] = {0};
            for (int k = 0; k < BATCH; k++) {
                size_t i = random_below(r, s->n);
                double y = 0;
                for (int j = 0; j < FORECAST_FEATURES; j++)
                    y += w[j] * s->feature[i][q][j];
                double e = s->value[i] - y, g = fabs(e) < 1e-9 ? 0 : e > 0 ? -p : 1 - p;
                for (int j = 0; j < FORECAST_FEATURES; j++)
                    gradient[j] += g * s->feature[i][q][j] / BATCH;
            }
            step++;
            for (int j = 0; j < FORECAST_FEATURES; j++) {
                m[j] += 0.1 * (gradient[j] - m[j]);
                v[j] += 0.001 * (gradient[j] * gradient[j] - v[j]);
                w[j] -= rate * m[j] / (1 - pow(0.9, (double)step)) /
                        (sqrt(v[j] / (1 - pow(0.999, (double)step))) + 1e-8);
                average[j] += pass >= PASSES * 3 / 4 ? w[j] : 0;
            }
            n_average += pass >= PASSES * 3 / 4;
        }
    }
    for (int j = 0; j < FORECAST_FEATURES; j++)
        ret[j] = average[j] / n_average;
}

static void print_table(const char *name, const char *comment, const struct trace *const *trace,
                        uint32_t ahead)
{
    struct random r = random_seed(1);
    struct samples s = {.feature = malloc(sizeof *s.feature * SAMPLES),
                        .value = malloc(sizeof *s.value * SAMPLES)};
    for (int i = 0; i < 2; i++)
        draw(trace[i], ahead, &r, &s);
    printf("\n// %s\nstatic const double %s[HISTORY_QUANTILES][FORECAST_FEATURES] = {\n", comment, name);
    for (int q = 0; q < HISTORY_QUANTILES; q++) {
        double w[FORECAST_FEATURES];
        regress(&s, q, &r, w);
        printf("    {");
        for (int j = 0; j < FORECAST_FEATURES; j++)
            printf("%s%.4f", j ? ", " : "", fabs(w[j]) < 5e-5 ? 0 : w[j]);
        printf("},\n");
    }
    printf("};\n");
    free(s.feature);
    free(s.value);
}

int fit_tables(void)
{
    struct trace *trace[] = {bench_trace("planetlab-20110303"), bench_trace("bitbrains-rnd-2013-7.vms.csv")};
    if (trace[0] && trace[1]) {
        const struct trace *const both[] = {trace[0], trace[1]};
        printf("// Made by `bench/predict --fit`; see history_forecast.c.\n"
               "#ifndef BALLAST_DECIDE_HISTORY_FORECAST_TABLE_H\n#define "
               "BALLAST_DECIDE_HISTORY_FORECAST_TABLE_H\n\n"
               "#include \"decide/history.h\"\n\n"
               "// one, last, decaying mean, mean, sd, highest, lowest, mean change, last change, aged "
               "quantile, "
               "quantile\n"
               "#define FORECAST_FEATURES %d\n",
               FORECAST_FEATURES);
        print_table("forecast_near", "For the next window.", both, 0);
        print_table("forecast_far", "For the window that begins 25 minutes from now.", both, 5);
        printf("\n#endif\n");
    }
    int failed = !trace[0] || !trace[1];
    trace_free(trace[0]);
    trace_free(trace[1]);
    return failed;
}
