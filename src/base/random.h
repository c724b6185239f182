// A small seeded generator of random numbers (splitmix64), the same on every machine and compiler.
// For tie breaking, simulation and tests; not for secrets.
#ifndef BALLAST_BASE_RANDOM_H
#define BALLAST_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

// Equal seeds give equal sequences.
static inline struct random random_seed(uint64_t seed)
{
    return (struct random){seed};
}

// 64 uniform bits. Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
static inline uint64_t random_bits(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Uniform in [0, 1).
static inline double random_unit(struct random *r)
{
    return (double)(random_bits(r) >> 11) * 0x1.0p-53;
}

// Uniform in [0, n), n >= 1.
static inline uint64_t random_below(struct random *r, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_bits(r) * n) >> 64);
}

#endif
