// The level that a VM's CPU demand keeps over hours, how it scatters around it, and what a host's sum risks.
//
// Theory. Demand of real VMs, seen in slots of minutes, is nearly white noise around a level that drifts over hours
// (PlanetLab: correlation of two slots of 300 s about 0.08). So what a VM will want is told by hours of its past, not by
// its last value. A level keeps decaying estimates of the mean, the variance and the third central moment with a time
// constant of LEVEL_MEMORY_S. All three add up over the VMs of a host. A fifth of the VMs has most of the variance and
// bursts are one-sided, hence the third moment: with g the skewness of the sum and z = (C - mean) / sd, Edgeworth's
// expansion of the first order gives
//     P(D > C)     = Q(z) + g phi(z) (z^2 - 1) / 6
//     E[(D - C)+]  = sd (phi(z) - z Q(z) + g phi(z) z / 6)
#ifndef BALLAST_DECIDE_LEVEL_H
#define BALLAST_DECIDE_LEVEL_H

// Two hours and a half: long against the noise, short against the day.
#define LEVEL_MEMORY_S 9000.0
// A VM is known by its first values only as much as by those of a prior this long.
#define LEVEL_PRIOR_S 900.0
// What a first value x says of a VM that may use c cores: mean LEVEL_PRIOR_PART c + LEVEL_PRIOR_TRUST x, standard
// deviation LEVEL_PRIOR_SD_PART c + LEVEL_PRIOR_SD_TRUST x, skewness 1. Regression over PlanetLab's days.
#define LEVEL_PRIOR_PART 0.033
#define LEVEL_PRIOR_TRUST 0.72
#define LEVEL_PRIOR_SD_PART 0.045
#define LEVEL_PRIOR_SD_TRUST 0.15
// Until it is acted on, a level drifts away from what it was estimated to be: standard deviation, in parts of what the
// VM may use, and of its level.
#define LEVEL_DRIFT_PART 0.04
#define LEVEL_DRIFT_TRUST 0.1
// The expansion holds for small skewness only.
#define LEVEL_SKEWNESS_MOST 2.0
#define LEVEL_SKEWNESS_LEAST (-0.5)

// Of a VM, or (added up) of a host. Cores, cores^2, cores^3. Zeroed: nothing known.
struct level {
    double mean, var, third;
    double covered_s; // of a VM: how long it has been watched
};

// Takes in that the VM wanted value cores during duration_s > 0 seconds.
void level_add(struct level *level, double value, double duration_s);

// What to expect of a VM with that level, which may use most cores: its own figures, the prior where they are few, and
// room for drift.
struct level level_expected(const struct level *level, double most);

// Probability that the sum exceeds capacity, and the expected excess in cores.
struct level_risk {
    double probability, excess_cores;
};
struct level_risk level_risk(const struct level *sum, double capacity_cores);

#endif
