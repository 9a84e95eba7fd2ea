/* worlds: so many fleets in which everything goes wrong (world.h). Each is decided by its number,
 * the seed: `worlds SEED` runs that one again and says what it was like; `worlds FIRST COUNT` runs
 * so many, `worlds FIRST COUNT first` no more than it takes to find one that goes wrong; without
 * arguments some, as a test.
 *
 * Fails when, after quiet, a server does not have in force exactly what it ought to have, when one
 * is told to do what its limits forbid, or when a report does not tell a host that misses something
 * from one that does not.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define SEEDS 30

static bool
run(uint64_t seed)
{
    struct world *const world = world_run(seed);
    const bool is_right = world->why[0] == '\0';

    if (!is_right)
        printf("# seed %" PRIu64 ": %s\n", seed, world->why);
    world_free(world);
    return is_right;
}

static void
describe(uint64_t seed)
{
    struct world *const world = world_run(seed);
    const struct traits *const traits = &world->traits;

    printf("# seed %" PRIu64 ": %u centres, %u %% lost, %u %% repeated, up to %d s late, "
           "%u restarts and %u clocks set in 10,000 steps%s%s, at most %u bans of others\n",
           seed, traits->centres, traits->loss, traits->repeat, (int)(traits->delay_ms / 1000),
           traits->restarts, traits->clock_sets, traits->wrong_clocks ? ", wrong clocks" : "",
           traits->mad ? ", a centre goes mad" : "", traits->most_bans);
    for (unsigned i = 0; i < world->server_count; i++) {
        struct merge_counts counts;

        merge_read_counts(world->servers[i].merge, &counts);
        printf("# %s has %u bans of others in force; since its start %" PRIu64 " messages, %" PRIu64
               " of a retired table; %" PRIu64 " bans withheld, %" PRIu64 " too many, %" PRIu64
               " tombstones given up\n",
               world->servers[i].name, world->servers[i].applied_count, counts.taken,
               counts.retired, counts.withheld, counts.limited, counts.given_up);
    }
    world_free(world);
}

int
main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : argc > 1 ? 1 : SEEDS;
    uint64_t wrong = 0;

    setlinebuf(stdout); /* whoever ends it sees what it has found */
    if (argc == 2)
        describe(first);
    for (uint64_t seed = first; seed < first + count && (wrong == 0 || argc < 4); seed++)
        wrong += !run(seed);
    printf("%sok 1 - in %" PRIu64 " fleets that lose, repeat and forget every server ends with "
           "the bans it ought to have\n1..1\n",
           wrong == 0 ? "" : "not ", count);
    return wrong != 0;
}
