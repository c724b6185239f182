#include "simulate/power.h"

#include <stddef.h>
#include <string.h>

const struct power_curve power_ml110_g4 = {"ml110-g4",
                                           {86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117}};
const struct power_curve power_ml110_g5 = {"ml110-g5",
                                           {93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135}};
const struct power_curve power_generic = {"generic", {150, 170, 190, 207, 223, 238, 252, 265, 278, 290, 300}};

const struct power_curve *power_curve_by_name(const char *name)
{
    static const struct power_curve *const all[] = {&power_ml110_g4, &power_ml110_g5, &power_generic};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

double power_watts(const struct power_curve *curve, double load)
{
    if (!(load > 0))
        return curve->watts[0];
    if (load >= 1)
        return curve->watts[POWER_POINTS - 1];
    double at = load * (POWER_POINTS - 1);
    int i = (int)at;
    return curve->watts[i] + (curve->watts[i + 1] - curve->watts[i]) * (at - i);
}
