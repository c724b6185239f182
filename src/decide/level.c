#include "decide/level.h"

#include <math.h>

void level_add(struct level *level, double value, double duration_s)
{
    if (level->covered_s <= 0)
        level->mean = value;
    // A plain mean over what was seen at first, a decaying one later.
    double part = fmax(-expm1(-duration_s / LEVEL_MEMORY_S), duration_s / (level->covered_s + duration_s));
    double off = value - level->mean;
    level->mean += part * off;
    level->var += part * (off * off - level->var);
    level->third += part * (off * off * off - level->third);
    level->covered_s += duration_s;
}

static double between(double a, double b, double part)
{
    return a + part * (b - a);
}

struct level level_expected(const struct level *level, double most)
{
    double own = level->covered_s / (level->covered_s + LEVEL_PRIOR_S);
    double sd = LEVEL_PRIOR_SD_PART * most + LEVEL_PRIOR_SD_TRUST * level->mean;
    double mean = LEVEL_PRIOR_PART * most + LEVEL_PRIOR_TRUST * level->mean;
    double expected = between(mean, level->mean, own);
    double part = LEVEL_DRIFT_PART * most, trust = LEVEL_DRIFT_TRUST * expected;
    return (struct level){
        .mean = expected,
        .var = between(sd * sd, level->var, own) + part * part + trust * trust,
        .third = between(sd * sd * sd, level->third, own),
        .covered_s = level->covered_s,
    };
}

struct level_risk level_risk(const struct level *sum, double capacity)
{
    if (sum->var <= 1e-12 * capacity * capacity) {
        double over = sum->mean - capacity;
        return (struct level_risk){over > 0 ? 1 : 0, fmax(over, 0)};
    }
    double sd = sqrt(sum->var), z = (capacity - sum->mean) / sd;
    double skewness = fmin(fmax(sum->third / (sd * sd * sd), LEVEL_SKEWNESS_LEAST), LEVEL_SKEWNESS_MOST);
    double tail = 0.5 * erfc(z * 0.70710678118654752440), density = 0.39894228040143267794 * exp(-z * z / 2);
    double p = tail, x = density - z * tail;
    if (z > 0) {
        p += skewness * density * (z * z - 1) / 6;
        x += skewness * density * z / 6;
    }
    return (struct level_risk){fmin(fmax(p, 0), 1), sd * fmax(x, 0)};
}
