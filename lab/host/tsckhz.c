/*
 * Print the frequency of this machine's time stamp counter in kHz.
 *
 * An emulated guest reads the machine's counter. Guests that boot on a busy machine measure it wrong by factors and
 * then have wrong clocks, so the lab measures it once and tells them.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(void)
{
    /* the shortest of three clock readings around the counter is the least disturbed one */
    double best = 0;
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t start_ns = now_ns(), start = __rdtsc(), end_ns, end, before;
        do {
            before = now_ns();
            end = __rdtsc();
            end_ns = now_ns();
        } while (end_ns - start_ns < 50000000u);
        if (end_ns - before < best_width) {
            best_width = end_ns - before;
            best = (double)(end - start) * 1e6 / (double)(end_ns - start_ns);
        }
    }
    printf("%.0f\n", best);
    return 0;
}
