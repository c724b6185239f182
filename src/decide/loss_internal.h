// Shared by loss.c and loss_host.c.
#ifndef BALLAST_DECIDE_LOSS_INTERNAL_H
#define BALLAST_DECIDE_LOSS_INTERNAL_H

#include "decide/loss.h"

// Satisfaction of a VM with that much unmet of its demand.
double loss_satisfaction(enum loss_resource r, double unmet, double demand, double floor);

// P(min(D, most) > capacity) and E[max(min(D, most) - capacity, 0)].
void loss_excess_raw(double mean, double sd, double most, double capacity, double *ret_probability,
                     double *ret_expected);

// Excess given that there is one; probability 0 when it is negligible.
void loss_excess_given(double probability, double expected, double capacity, double *ret_probability,
                       double *ret_excess);

#endif
