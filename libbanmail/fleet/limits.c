/* limits: see limits.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/limits.h"

#define WEEK_MS (INT64_C(7) * 24 * 3600 * 1000)

void
limits_set_default(struct limits *limits, uint32_t capacity)
{
    *limits = (struct limits){
        .v4_bits = 24,
        .v6_bits = 48,
        .longest_ms = WEEK_MS,
        .bans_a_minute = 20000,
        .most_bans = capacity / 2,
    };
}

/* What a centre has seen of them is not who has them here. */
bool
limits_is_private(const struct source *source)
{
    static const struct source ranges[] = {
        {{[10] = 0xff, [11] = 0xff, [12] = 10}, 104},
        {{[10] = 0xff, [11] = 0xff, [12] = 172, [13] = 16}, 108},
        {{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168}, 112},
        {{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254}, 112},
        {{[10] = 0xff, [11] = 0xff, [12] = 100, [13] = 64}, 106},
        {{0xfc}, 7},
        {{0xfe, 0x80}, 10},
    };

    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (source_contains(&ranges[i], source) || source_contains(source, &ranges[i]))
            return true;
    return false;
}

bool
limits_allow(const struct limits *limits, const struct source *source)
{
    const unsigned widest = source_is_v4(source) ? limits->v4_bits : limits->v6_bits;

    return source_bits(source) >= widest && source_is_client(source) &&
           !limits_is_private(source) &&
           (limits->members == NULL || !allow_overlaps(limits->members, source)) &&
           (limits->allowed == NULL || !allow_overlaps(limits->allowed, source));
}

bool
budget_take(struct budget *budget, uint32_t most, int64_t span_ms, int64_t now_ms)
{
    if (now_ms < budget->from_ms || now_ms - budget->from_ms >= span_ms)
        *budget = (struct budget){.from_ms = now_ms};
    if (budget->spent >= most)
        return false;
    budget->spent++;
    return true;
}
