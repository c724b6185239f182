// Shared by history.c and history_forecast.c.
#ifndef BALLAST_DECIDE_HISTORY_INTERNAL_H
#define BALLAST_DECIDE_HISTORY_INTERNAL_H

#include "decide/history.h"

#define FINE_PER_COARSE (HISTORY_SERIES_S / HISTORY_SLOT_S)

// slot modulo places, never negative.
uint32_t history_place(int64_t slot, uint32_t places);

// Mean and maximum of a fine slot, the unfinished one included; false when the ring does not hold it.
bool history_fine_slot(const struct history *h, int r, int64_t slot, float *ret_mean, float *ret_max);

// Number of the slot after the newest that holds anything.
int64_t history_fine_end(const struct history *h);

// Features of the forecast's tables for one quantile, from twelve windows, newest first; as parts of most. What the
// tables are fitted with, so that fitting and forecasting cannot differ.
void history_features(const double window[HISTORY_SERIES], double most, int quantile, double *ret_features);

#endif
