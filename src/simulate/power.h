// Electric power of a host by its CPU load.
#ifndef BALLAST_SIMULATE_POWER_H
#define BALLAST_SIMULATE_POWER_H

#define POWER_POINTS 11 // at 0, 10, ... 100 % of load, as SPECpower_ssj2008 reports them

struct power_curve {
    const char *name;
    double watts[POWER_POINTS];
};

// SPECpower_ssj2008 results of the two servers of Beloglazov and Buyya 2012 (HP ProLiant ML110 G4, Xeon 3040,
// and G5, Xeon 3075).
extern const struct power_curve power_ml110_g4;
extern const struct power_curve power_ml110_g5;

// A two-socket server of the years of the Bitbrains trace in round figures: half of its peak when idle.
extern const struct power_curve power_generic;

// The curve of that name, or NULL.
const struct power_curve *power_curve_by_name(const char *name);

// Watts at load 0 .. 1 (cut to that), linear between the points.
double power_watts(const struct power_curve *curve, double load);

#endif
