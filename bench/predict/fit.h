// Fits the tables of the forecast by quantile regression; prints them as the header that the forecast includes.
#ifndef BALLAST_BENCH_PREDICT_FIT_H
#define BALLAST_BENCH_PREDICT_FIT_H

int fit_tables(void);

#endif
