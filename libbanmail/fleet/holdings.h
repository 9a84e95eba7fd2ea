/* holdings: what a host knows of other servers' bans, in a room of fixed size.
 *
 * One holding for each (origin, source, ports, scope): a ban that is in force here, one that is
 * known and must not be, or one that was lifted, of which a tombstone stays so that a late message
 * does not bring it back. Pardons are holdings as well.
 *
 * A holding stays in its place until it is removed. One thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_HOLDINGS_H
#define BANMAIL_HOLDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"

enum holding_state {
    HOLDING_NONE,
    HOLDING_APPLIED,  /* in force here */
    HOLDING_WITHHELD, /* its origin has it, this host does not: limits, a pardon; or it is one */
    HOLDING_LIFTED,   /* a tombstone */
};

struct holding {
    uint8_t address[16];
    uint64_t table;   /* that sent it; 0: not known, from before a restart */
    uint64_t change;  /* its own, or of the page that lifted it */
    int64_t since_ms; /* by the origin's clock, as is */
    int64_t until_ms;
    int64_t end_ms; /* as it was applied, by our clock */
    uint32_t next;  /* in its chain, or of the free ones */
    uint32_t seen;  /* the serial of the latest message that told of it */
    uint8_t prefix;
    uint8_t origin;
    uint8_t ports;   /* its number in lists.h; 0: none, it is a pardon */
    uint8_t is_host; /* of this host alone, else of the fleet */
    uint8_t state;   /* enum holding_state */
};

_Static_assert(sizeof(struct holding) == 72, "what a ban of another server costs in memory");

struct holdings;

/* Room for `capacity` holdings; `seed` is random. Returns NULL when out of memory. Free with
 * holdings_free; NULL is fine. */
struct holdings *holdings_new(uint32_t capacity, uint64_t seed);
void holdings_free(struct holdings *holdings);

/* The holding with the address, prefix, origin, ports and is_host of `key`, or NULL. */
struct holding *holdings_find(const struct holdings *holdings, const struct holding *key);

/* Adds a copy of one that is not there. Returns it, or NULL when there is no room. */
struct holding *holdings_add(struct holdings *holdings, const struct holding *holding);

void holdings_remove(struct holdings *holdings, struct holding *holding);

/* Places are numbered from 0, below the capacity; NULL: it is free. */
uint32_t holdings_capacity(const struct holdings *holdings);
struct holding *holdings_at(const struct holdings *holdings, uint32_t index);

struct source holding_source(const struct holding *holding);

#endif
