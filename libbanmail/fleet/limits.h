/* limits: what a host takes from a centre at most, should that have gone wrong.
 *
 * What concerns a single ban is refused as long as it is so. What concerns how many, or how fast,
 * is treated as if the message had been lost: a page brings it again.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_LIMITS_H
#define BANMAIL_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/allow.h"

struct limits {
    unsigned v4_bits, v6_bits; /* the widest prefix that may be banned */
    int64_t longest_ms;        /* a ban ends so long after it began at the latest */
    uint32_t bans_a_minute;
    uint32_t most_bans;          /* of all origins together */
    const struct allow *members; /* addresses that are never banned; NULL: none */
    const struct allow *allowed;
};

/* /24 and /48; a week; 20,000 a minute; half of `capacity`. */
void limits_set_default(struct limits *limits, uint32_t capacity);

/* Whether the address means another machine in every network, or on every link (RFC 1918, 3927,
 * 4193, 4291, 6598); of a network: whether one in it does. Pure. */
bool limits_is_private(const struct source *source);

/* Whether the limits let anybody else ban this source here: not wider than may be, no private
 * address or link-local one, nobody's who is never to be banned. Pure. */
bool limits_allow(const struct limits *limits, const struct source *source);

/* So many in so long a time; all zero to begin with. */
struct budget {
    int64_t from_ms;
    uint32_t spent;
};

/* Whether there is one left in this span, which it takes: of `most` in span_ms. A clock that was
 * set back begins a new one. */
bool budget_take(struct budget *budget, uint32_t most, int64_t span_ms, int64_t now_ms);

#endif
