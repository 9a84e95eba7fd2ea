/* fellows: see fellows.h.
 *
 * They stand in the order of their addresses.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/fellows.h"

#include <stdlib.h>
#include <string.h>

#include "fleet/limits.h"

struct fellow {
    struct source address;
    uint32_t origin; /* that told it first */
    int64_t told_ms;
};

struct fellows {
    unsigned count;
    struct fellow at[FELLOWS_MAX];
};

struct fellows *
fellows_new(void)
{
    return calloc(1, sizeof(struct fellows));
}

void
fellows_free(struct fellows *fellows)
{
    free(fellows);
}

/* The first that is not before it. */
static unsigned
place_of(const struct fellows *fellows, const struct source *address)
{
    unsigned low = 0, high = fellows->count;

    while (low < high) {
        const unsigned middle = (low + high) / 2;

        if (source_compare(&fellows->at[middle].address, address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
has_room(const struct fellows *fellows, uint32_t origin)
{
    unsigned of_origin = 0;

    for (unsigned i = 0; i < fellows->count; i++)
        of_origin += fellows->at[i].origin == origin;
    return fellows->count < FELLOWS_MAX && of_origin < FELLOWS_MAX / 2;
}

/* Returns whether it is new. */
static bool
take(struct fellows *fellows, uint32_t origin, const struct source *address, int64_t now_ms)
{
    const unsigned place = place_of(fellows, address);
    struct fellow *const fellow = &fellows->at[place];

    if (place < fellows->count && source_compare(&fellow->address, address) == 0) {
        fellow->told_ms = now_ms;
        return false;
    }
    if (!has_room(fellows, origin))
        return false;
    memmove(fellow + 1, fellow, (fellows->count++ - place) * sizeof *fellow);
    *fellow = (struct fellow){*address, origin, now_ms};
    return true;
}

bool
fellows_take(struct fellows *fellows, uint32_t origin, const struct source *addresses,
             unsigned count, int64_t now_ms)
{
    bool has_new = false;

    for (unsigned i = 0; i < count; i++)
        if (!limits_is_private(&addresses[i]))
            has_new |= take(fellows, origin, &addresses[i], now_ms);
    return has_new;
}

static void
drop_old(struct fellows *fellows, int64_t now_ms)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < fellows->count; i++)
        if (now_ms - fellows->at[i].told_ms < FELLOWS_TOLD_MS)
            fellows->at[kept++] = fellows->at[i];
    fellows->count = kept;
}

unsigned
fellows_addresses(struct fellows *fellows, int64_t now_ms, struct source *addresses, unsigned most)
{
    unsigned count = 0;

    drop_old(fellows, now_ms);
    for (; count < fellows->count && count < most; count++)
        addresses[count] = fellows->at[count].address;
    return count;
}
