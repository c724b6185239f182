#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct mono clock_mono(void)
{
    return (struct mono){read_ms(CLOCK_MONOTONIC)};
}

struct wall clock_wall(void)
{
    return (struct wall){read_ms(CLOCK_REALTIME)};
}

double clock_cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

char *clock_format_utc(struct wall time, char buffer[static 32])
{
    int64_t s = time.ms / 1000, ms = time.ms % 1000;
    if (ms < 0) {
        ms += 1000;
        s--;
    }
    time_t seconds = (time_t)s;
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || parts.tm_year > 8099 || parts.tm_year < -1900) {
        snprintf(buffer, 32, "invalid time");
        return buffer;
    }
    size_t used = strftime(buffer, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(buffer + used, 32 - used, ms ? ".%03dZ" : "Z", (int)ms);
    return buffer;
}
