// How good the forecasts are, on real traces.
//
//     predict          pinball loss and coverage of the stated quantiles, against the last value and mean + z sigma
//     predict --fit    makes src/decide/history_forecast_table.h on standard output
//
// The tables are fitted on PlanetLab 20110303 and the Bitbrains VMs of even number; what is printed is for PlanetLab
// 20110309 and 20110325 and the Bitbrains VMs of odd number, which the fit has not seen.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "decide/history.h"
#include "decide/loss.h"
#include "predict/fit.h"
#include "predict/traces.h"

#define WARM 12 // slots before the first forecast
#define GROUP 24

// One series of parts of its maximum.
struct series {
    const float *value;
    uint32_t n;
    double scale; // value x scale is a part of most = 1
};

enum rival { RIVAL_BALLAST, RIVAL_LAST, RIVAL_SIGMA, RIVAL_HOUR, RIVALS };
static const char *const rival_name[] = {"ballast", "last value", "mean + z sd", "last hour"};
static const double normal_z[HISTORY_QUANTILES] = {-1.6449, -0.6745, 0, 0.6745, 1.2816, 1.6449, 2.3263};

struct tally {
    double pinball[RIVALS][HISTORY_QUANTILES], covered[RIVALS][HISTORY_QUANTILES];
    double n;
};

static double pinball(double y, double q, double p)
{
    return y >= q ? p * (y - q) : (1 - p) * (q - y);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void rivals(const double last[WARM], double most, double q[RIVALS][HISTORY_QUANTILES])
{
    double sorted[WARM], mean = 0, var = 0;
    memcpy(sorted, last, sizeof sorted);
    qsort(sorted, WARM, sizeof *sorted, by_value);
    for (int k = 0; k < WARM; k++)
        mean += last[k] / WARM;
    for (int k = 0; k < WARM; k++)
        var += (last[k] - mean) * (last[k] - mean) / WARM;
    for (int i = 0; i < HISTORY_QUANTILES; i++) {
        double at = history_probability[i] * (WARM - 1);
        int k = (int)fmin(at, WARM - 2);
        q[RIVAL_LAST][i] = last[WARM - 1];
        q[RIVAL_SIGMA][i] = fmin(fmax(mean + normal_z[i] * sqrt(var), 0), most);
        q[RIVAL_HOUR][i] = sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]);
    }
}

// Walks along a series of slot values and judges the forecasts of `ahead` slots after the next.
static void judge(const double *value, uint32_t n, double most, uint32_t ahead, enum history_resource r,
                  struct tally *t)
{
    struct history h = {0};
    for (uint32_t k = 0; k + 1 + ahead < n; k++) {
        history_add(&h, (struct wall){(int64_t)(k + 1) * 300000}, 300, r == HISTORY_CPU ? value[k] : 0,
                    r == HISTORY_MEM ? value[k] : 0);
        if (k + 1 < WARM)
            continue;
        double q[RIVALS][HISTORY_QUANTILES], y = value[k + 1 + ahead];
        struct history_forecast f;
        history_forecast(&h, r, ahead * 300.0, most, &history_prior_default, &f);
        rivals(&value[k + 1 - WARM], most, q);
        memcpy(q[RIVAL_BALLAST], f.quantile, sizeof f.quantile);
        for (int a = 0; a < RIVALS; a++)
            for (int i = 0; i < HISTORY_QUANTILES; i++) {
                t->pinball[a][i] += pinball(y, q[a][i], history_probability[i]) / most;
                t->covered[a][i] += y <= q[a][i] + 1e-9 * most;
            }
        t->n++;
    }
}

static void print(const char *what, const struct tally *t)
{
    if (t->n == 0)
        return;
    printf("\n%s (%.0f forecasts)\n  %-12s pinball loss, 1e-4 of the most:   sum   | share of values at or "
           "below the "
           "quantile stated as\n  %-12s",
           what, t->n, "", "");
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        printf(" %6.2f", history_probability[i]);
    printf("        |");
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        printf(" %6.2f", history_probability[i]);
    printf("\n");
    for (int a = 0; a < RIVALS; a++) {
        double sum = 0;
        printf("  %-12s", rival_name[a]);
        for (int i = 0; i < HISTORY_QUANTILES; i++) {
            printf(" %6.1f", 1e4 * t->pinball[a][i] / t->n);
            sum += 1e4 * t->pinball[a][i] / t->n;
        }
        printf(" %7.1f|", sum);
        for (int i = 0; i < HISTORY_QUANTILES; i++)
            printf(" %6.3f", t->covered[a][i] / t->n);
        printf("\n");
    }
}

// Values of VM v in parts of what it may have; returns their number.
static uint32_t values_of(const struct trace *trace, uint32_t v, enum history_resource r, double *value)
{
    uint32_t n = trace->last[v] - trace->first[v] + 1;
    double scale = r == HISTORY_CPU ? 0.01 : trace->mem_mib[v] > 0 ? 1 / trace->mem_mib[v] : 0;
    const float *from = (r == HISTORY_CPU ? trace->cpu_pct : trace->mem_used_mib) + trace->sample_start[v];
    for (uint32_t k = 0; k < n; k++)
        value[k] = from[k] * scale;
    return n;
}

static bool chosen(const struct trace *trace, uint32_t v, int odd)
{
    return odd < 0 || (int)(strtol(trace->name[v], NULL, 10) % 2) == odd;
}

static void judge_vms(const char *what, const struct trace *trace, enum history_resource r, int odd,
                      uint32_t ahead)
{
    struct tally t = {0};
    double *value = malloc(sizeof *value * trace->n_slots);
    for (uint32_t v = 0; v < trace->n_vms; v++)
        if (chosen(trace, v, odd))
            judge(value, values_of(trace, v, r, value), 1, ahead, r, &t);
    print(what, &t);
    free(value);
}

// Random groups of VMs that live all the time, as a host has them: forecast of the sum, and how often the sum exceeds
// what moments say.
static void judge_sums(const char *what, const struct trace *trace, enum history_resource r, uint32_t ahead,
                       struct tally *moments)
{
    struct tally t = {0};
    struct random random = random_seed(1);
    double *sum = calloc(trace->n_slots, sizeof *sum),
           *value = calloc((size_t)trace->n_slots * GROUP, sizeof *value);
    for (int group = 0; group < 40; group++) {
        memset(sum, 0, sizeof *sum * trace->n_slots);
        for (int i = 0; i < GROUP;) {
            uint32_t v = (uint32_t)random_below(&random, trace->n_vms);
            if (trace->first[v] != 0 || trace->last[v] != trace->n_slots - 1)
                continue;
            values_of(trace, v, r, value + (size_t)i * trace->n_slots);
            for (uint32_t k = 0; k < trace->n_slots; k++)
                sum[k] += value[(size_t)i * trace->n_slots + k];
            i++;
        }
        judge(sum, trace->n_slots, GROUP, ahead, r, &t);
        // Moments: the VMs' own forecasts summed, as a snapshot has them.
        struct history *h = calloc(GROUP, sizeof *h);
        for (uint32_t k = 0; k + 1 + ahead < trace->n_slots; k++) {
            struct loss_sum s = {0};
            for (int i = 0; i < GROUP; i++) {
                double x = value[(size_t)i * trace->n_slots + k];
                history_add(&h[i], (struct wall){(int64_t)(k + 1) * 300000}, 300, r == HISTORY_CPU ? x : 0,
                            r == HISTORY_MEM ? x : 0);
                if (k + 1 < WARM || k % 4 != 0)
                    continue;
                struct history_forecast f;
                history_forecast(&h[i], r, ahead * 300.0, 1, &history_prior_default, &f);
                struct loss_vm vm = {.weight = 1};
                vm.claim[r] = (struct loss_claim){.demand = f.mean, .sd = f.sd, .most = 1};
                loss_sum_add(&s, &vm);
            }
            if (k + 1 < WARM || k % 4 != 0)
                continue;
            for (int i = 0; i < HISTORY_QUANTILES; i++) {
                // Quantile of the host's distribution: where the probability of excess is 1 - p, by bisection.
                double low = 0, high = GROUP, p, x;
                for (int b = 0; b < 40; b++) {
                    double middle = (low + high) / 2;
                    loss_excess(s.demand[r], loss_sum_sd(&s, (enum loss_resource)r), 10 * GROUP, middle, &p,
                                &x);
                    if (p > 1 - history_probability[i])
                        low = middle;
                    else
                        high = middle;
                }
                moments->covered[0][i] += sum[k + 1 + ahead] <= low;
                moments->pinball[0][i] += pinball(sum[k + 1 + ahead], low, history_probability[i]) / GROUP;
            }
            moments->n++;
        }
        free(h);
    }
    print(what, &t);
    printf("  %-12s", "moments, t3");
    double total = 0;
    for (int i = 0; i < HISTORY_QUANTILES; i++) {
        printf(" %6.1f", 1e4 * moments->pinball[0][i] / moments->n);
        total += 1e4 * moments->pinball[0][i] / moments->n;
    }
    printf(" %7.1f|", total);
    for (int i = 0; i < HISTORY_QUANTILES; i++)
        printf(" %6.3f", moments->covered[0][i] / moments->n);
    printf("\n");
    free(sum);
    free(value);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--fit") == 0)
        return fit_tables();
    if (argc != 1) {
        fprintf(stderr, "usage: predict [--fit]\n");
        return 2;
    }
    struct trace *bitbrains = bench_trace("bitbrains-rnd-2013-7.vms.csv");
    static const char *const day[] = {"planetlab-20110309", "planetlab-20110325"};
    for (int d = 0; d < 2; d++) {
        struct trace *t = bench_trace(day[d]);
        if (!t)
            continue;
        char what[128];
        for (uint32_t ahead = 0; ahead <= 5; ahead += 5) {
            snprintf(what, sizeof what, "%s, VMs, CPU, %u min ahead", day[d], ahead * 5);
            judge_vms(what, t, HISTORY_CPU, -1, ahead);
        }
        struct tally m = {0};
        snprintf(what, sizeof what, "%s, sums of %d VMs, CPU, next 5 min", day[d], GROUP);
        judge_sums(what, t, HISTORY_CPU, 0, &m);
        trace_free(t);
    }
    if (bitbrains) {
        struct tally m = {0}, n = {0};
        judge_vms("Bitbrains, odd VMs, CPU, next 5 min", bitbrains, HISTORY_CPU, 1, 0);
        judge_vms("Bitbrains, odd VMs, CPU, 25 min ahead", bitbrains, HISTORY_CPU, 1, 5);
        judge_vms("Bitbrains, odd VMs, memory, next 5 min", bitbrains, HISTORY_MEM, 1, 0);
        judge_sums("Bitbrains, sums of 24 VMs, CPU, next 5 min", bitbrains, HISTORY_CPU, 0, &m);
        judge_sums("Bitbrains, sums of 24 VMs, memory, next 5 min", bitbrains, HISTORY_MEM, 0, &n);
        trace_free(bitbrains);
    }
    return 0;
}
