/* drift: by how much a sender's clock is behind ours: the smallest of received - sent.
 *
 * No message arrives before it is sent, so received - sent is the difference of the two clocks and
 * the way, and the smallest of many is the difference and hardly any way. It is taken over the
 * present window of five minutes and the one before, so that clocks may change: where either is set
 * so that the difference shrinks, the next message tells; where it grows, the second window from
 * there. A window that lies in the future, or is long gone, says that our own clock was set.
 *
 * Differences of up to 30 s are the way, or too small to matter to a ban: they are not corrected.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_DRIFT_H
#define BANMAIL_DRIFT_H

#include <stdint.h>

#define DRIFT_WINDOW_MS    INT64_C(300000)
#define DRIFT_TOLERATED_MS INT64_C(30000)

struct drift {
    int64_t from_ms;  /* the beginning of the present window, by our clock */
    int64_t least[2]; /* of the present window and the one before; INT64_MAX: nothing came */
};

static inline void
drift_begin(struct drift *drift)
{
    *drift = (struct drift){.least = {INT64_MAX, INT64_MAX}};
}

/* A message that was sent at sent_ms by its clock came at received_ms by ours. */
static inline void
drift_note(struct drift *drift, int64_t sent_ms, int64_t received_ms)
{
    const int64_t age_ms = received_ms - drift->from_ms;

    if (age_ms < 0 || age_ms >= 2 * DRIFT_WINDOW_MS)
        drift->least[0] = drift->least[1] = INT64_MAX;
    if (age_ms < 0 || age_ms >= DRIFT_WINDOW_MS) {
        drift->least[1] = drift->least[0];
        drift->least[0] = INT64_MAX;
        drift->from_ms = received_ms;
    }
    if (received_ms - sent_ms < drift->least[0])
        drift->least[0] = received_ms - sent_ms;
}

/* The smallest; 0 before any has come. */
static inline int64_t
drift_behind(const struct drift *drift)
{
    const int64_t least = drift->least[0] < drift->least[1] ? drift->least[0] : drift->least[1];

    return least == INT64_MAX ? 0 : least;
}

/* What is to be added to the sender's times to have ours. */
static inline int64_t
drift_correction(const struct drift *drift)
{
    const int64_t behind_ms = drift_behind(drift);

    return behind_ms > DRIFT_TOLERATED_MS || behind_ms < -DRIFT_TOLERATED_MS ? behind_ms : 0;
}

#endif
