#include "decide/history.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "decide/history_internal.h"

#define SLOT_MS ((int64_t)HISTORY_SLOT_S * 1000)
#define FINE_PER_DAY_SLOT 30
#define DAY_MEMORY 2 // a new day replaces about a part of 1 / DAY_MEMORY of what the days before said
// Wall clocks may be set back. By less than this the samples are left out, by more the ring starts anew.
#define SET_BACK_MS 120000

_Static_assert(FINE_PER_DAY_SLOT *HISTORY_SLOT_S *HISTORY_DAY_SLOTS == 86400, "a day");

static int64_t slot_at(int64_t ms)
{
    return ms >= 0 ? ms / SLOT_MS : -((-ms + SLOT_MS - 1) / SLOT_MS);
}

uint32_t history_place(int64_t slot, uint32_t places)
{
    int64_t at = slot % (int64_t)places;
    return (uint32_t)(at < 0 ? at + places : at);
}

void history_reset(struct history *h)
{
    memset(h, 0, sizeof *h);
}

// The time of day's memory: a running mean on the first day, a decaying one later.
static void remember_day(struct history *h, const float mean[HISTORY_RESOURCES])
{
    int64_t quarter = h->slot >= 0 ? h->slot / FINE_PER_DAY_SLOT : 0;
    uint32_t at = history_place(quarter, HISTORY_DAY_SLOTS), into = history_place(h->slot, FINE_PER_DAY_SLOT);
    if ((into == 0 || h->day_n[at] == 0) && h->day_n[at] < UINT8_MAX)
        h->day_n[at]++;
    float part = h->day_n[at] > 1 ? 1.0f / (FINE_PER_DAY_SLOT * DAY_MEMORY) : 1.0f / (float)(into + 1);
    for (int r = 0; r < HISTORY_RESOURCES; r++)
        h->day[r][at] += part * (mean[r] - h->day[r][at]);
}

static void close_slot(struct history *h)
{
    uint32_t at = history_place(h->slot, HISTORY_SLOTS);
    float mean[HISTORY_RESOURCES];
    for (int r = 0; r < HISTORY_RESOURCES; r++) {
        mean[r] = h->sum[r] / h->filled_s;
        h->mean[r][at] = mean[r];
        h->max[r][at] = h->top[r];
        h->sum[r] = h->top[r] = 0;
    }
    remember_day(h, mean);
    level_add(&h->level, mean[HISTORY_CPU], HISTORY_SLOT_S);
    h->filled_s = 0;
    h->slot++;
    if (h->n < HISTORY_SLOTS)
        h->n++;
}

static void fill(struct history *h, int64_t to_ms, const float value[HISTORY_RESOURCES])
{
    while (h->end_ms < to_ms) {
        int64_t slot_end = (h->slot + 1) * SLOT_MS;
        int64_t until = slot_end < to_ms ? slot_end : to_ms;
        float seconds = (float)(until - h->end_ms) / 1000.0f;
        for (int r = 0; r < HISTORY_RESOURCES; r++) {
            h->sum[r] += value[r] * seconds;
            h->top[r] = fmaxf(h->top[r], value[r]);
        }
        h->filled_s += seconds;
        h->end_ms = until;
        if (until == slot_end)
            close_slot(h);
    }
}

void history_add(struct history *h, struct wall end, double duration_s, double cpu_cores, double mem_mib)
{
    assert(duration_s > 0 && cpu_cores >= 0 && mem_mib >= 0);
    int64_t ring_ms = HISTORY_SLOTS * SLOT_MS;
    int64_t begin_ms = end.ms - (int64_t)fmin(llround(duration_s * 1000), (double)ring_ms);
    bool empty = h->n == 0 && h->filled_s == 0;
    if (!empty && end.ms < h->end_ms - SET_BACK_MS) {
        history_reset(h);
        empty = true;
    }
    if (!empty && end.ms <= h->end_ms)
        return;
    if (!empty && begin_ms - h->end_ms > ring_ms) {
        h->n = 0; // the days stay
        h->filled_s = 0;
        memset(h->sum, 0, sizeof h->sum);
        memset(h->top, 0, sizeof h->top);
        empty = true;
    }
    float value[HISTORY_RESOURCES] = {(float)cpu_cores, (float)mem_mib};
    if (empty) {
        h->end_ms = begin_ms;
        h->slot = slot_at(begin_ms);
    } else if (begin_ms > h->end_ms) {
        fill(h, begin_ms, h->last);
    }
    fill(h, end.ms, value);
    memcpy(h->last, value, sizeof value);
}

double history_covered_s(const struct history *h)
{
    return h->n * (double)HISTORY_SLOT_S + (h->n < HISTORY_SLOTS ? h->filled_s : 0);
}

bool history_fine_slot(const struct history *h, int r, int64_t slot, float *ret_mean, float *ret_max)
{
    if (slot == h->slot && h->filled_s > 0) {
        *ret_mean = h->sum[r] / h->filled_s;
        *ret_max = h->top[r];
        return true;
    }
    if (slot >= h->slot || slot < h->slot - (int64_t)h->n)
        return false;
    *ret_mean = h->mean[r][history_place(slot, HISTORY_SLOTS)];
    *ret_max = h->max[r][history_place(slot, HISTORY_SLOTS)];
    return true;
}

int64_t history_fine_end(const struct history *h)
{
    return h->slot + (h->filled_s > 0);
}

static int64_t coarse_of(int64_t fine)
{
    return fine >= 0 ? fine / FINE_PER_COARSE : -((-fine + FINE_PER_COARSE - 1) / FINE_PER_COARSE);
}

void history_to_series(const struct history *h, struct history_series *ret)
{
    history_sum(1, &h, NULL, NULL, ret);
}

static double mean_of(const struct history *h, int r)
{
    double sum = 0, n = h->n;
    for (uint32_t i = 0; i < h->n; i++)
        sum += h->mean[r][history_place(h->slot - 1 - i, HISTORY_SLOTS)];
    if (h->filled_s > 0) {
        sum += h->sum[r] / h->filled_s;
        n++;
    }
    return n > 0 ? sum / n : 0;
}

// Sums of one resource by fine slot from first to end.
struct fine_sums {
    double mean[HISTORY_SLOTS];
};

static void add_fine(struct fine_sums *sums, const struct history *h, int r, int64_t first, int64_t end)
{
    double otherwise = mean_of(h, r);
    int64_t begin = h->slot - (int64_t)h->n;
    uint32_t at = history_place(first, HISTORY_SLOTS);
    for (int64_t slot = first; slot < end; slot++) {
        bool there = slot >= begin && slot < h->slot;
        sums->mean[slot - first] += there ? h->mean[r][at] : otherwise;
        at = at + 1 < HISTORY_SLOTS ? at + 1 : 0;
    }
    float mean, max;
    if (h->slot >= first && h->slot < end && history_fine_slot(h, r, h->slot, &mean, &max))
        sums->mean[h->slot - first] += mean - otherwise;
}

void history_sum(size_t n, const struct history *const *vm, const double *guess_cores,
                 const double *guess_mib, struct history_series *ret)
{
    int64_t first = INT64_MAX, end = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        if (vm[i] == NULL || history_covered_s(vm[i]) <= 0)
            continue;
        int64_t begin = vm[i]->slot - (int64_t)vm[i]->n;
        first = first < begin ? first : begin;
        end = end > history_fine_end(vm[i]) ? end : history_fine_end(vm[i]);
    }
    memset(ret, 0, sizeof *ret);
    if (first >= end)
        return;
    int64_t coarse_end = coarse_of(end - 1) + 1, coarse_first = coarse_of(first);
    if (coarse_end - coarse_first > HISTORY_SERIES) {
        coarse_first = coarse_end - HISTORY_SERIES;
        first = coarse_first * FINE_PER_COARSE;
    }
    ret->end = coarse_end;
    ret->n = (uint32_t)(coarse_end - coarse_first);
    for (int r = 0; r < HISTORY_RESOURCES; r++) {
        const double *guess = r == HISTORY_CPU ? guess_cores : guess_mib;
        struct fine_sums sums = {0};
        double constant = 0;
        for (size_t i = 0; i < n; i++) {
            if (vm[i] && history_covered_s(vm[i]) > 0)
                add_fine(&sums, vm[i], r, first, end);
            else if (guess)
                constant += guess[i];
        }
        double total[HISTORY_SERIES] = {0};
        uint32_t slots[HISTORY_SERIES] = {0};
        for (int64_t slot = first; slot < end; slot++) {
            uint32_t at = (uint32_t)(HISTORY_SERIES - (coarse_end - coarse_of(slot)));
            total[at] += sums.mean[slot - first] + constant;
            slots[at]++;
            ret->max[r][at] = fmaxf(ret->max[r][at], (float)(sums.mean[slot - first] + constant));
        }
        for (uint32_t at = HISTORY_SERIES - ret->n; at < HISTORY_SERIES; at++)
            ret->mean[r][at] = (float)(total[at] / slots[at]);
    }
    if (n == 1 && vm[0])
        for (int r = 0; r < HISTORY_RESOURCES; r++)
            for (int64_t slot = first; slot < end; slot++) {
                float mean, max;
                uint32_t at = (uint32_t)(HISTORY_SERIES - (coarse_end - coarse_of(slot)));
                if (history_fine_slot(vm[0], r, slot, &mean, &max))
                    ret->max[r][at] = fmaxf(ret->max[r][at], max);
            }
}

void history_series_add(struct history_series *to, const struct history_series *from, double sign)
{
    if (from->n == 0)
        return;
    if (to->n == 0) {
        to->end = from->end;
        to->n = from->n;
    }
    for (int r = 0; r < HISTORY_RESOURCES; r++) {
        double mean = 0;
        for (uint32_t i = HISTORY_SERIES - from->n; i < HISTORY_SERIES; i++)
            mean += from->mean[r][i] / from->n;
        for (uint32_t i = HISTORY_SERIES - to->n; i < HISTORY_SERIES; i++) {
            int64_t slot = to->end - HISTORY_SERIES + i, at = HISTORY_SERIES - (from->end - slot);
            bool there = at < HISTORY_SERIES && at >= HISTORY_SERIES - (int64_t)from->n;
            double value = there ? from->mean[r][at] : mean;
            double above = to->max[r][i] - to->mean[r][i], more = there ? from->max[r][at] - value : 0;
            double square = fmax(0, above * above + sign * more * more);
            to->mean[r][i] = (float)fmax(0, to->mean[r][i] + sign * value);
            to->max[r][i] = to->mean[r][i] + (float)sqrt(square);
        }
    }
}
