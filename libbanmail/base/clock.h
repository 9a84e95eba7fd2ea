/* clock: the two clocks, in milliseconds. What is given its time does not include this.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_CLOCK_H
#define BANMAIL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t
clock_read_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since 1970; somebody may set it. Any thread. */
static inline int64_t
clock_wall_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

/* Since the machine's start; nobody sets it. Any thread. */
static inline int64_t
clock_steady_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

#endif
