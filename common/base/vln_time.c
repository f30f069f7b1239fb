#include "vln_time.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
vln_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t
vln_mono_ms(void)
{
    return vln_mono_us() / 1000;
}

int64_t
vln_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

char *
vln_time_format(int64_t wall_us, char *out)
{
    int64_t us = wall_us % 1000000;
    time_t seconds = (time_t)((wall_us - us) / 1000000);
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    struct tm parts = {0};
    gmtime_r(&seconds, &parts);
    size_t len = strftime(out, VLN_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + len, VLN_TIME_TEXT - len, ".%03dZ", (int)(us / 1000));
    return out;
}

void
vln_sleep_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}
