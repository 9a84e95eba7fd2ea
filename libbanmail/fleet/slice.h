/* slice: how the bans of one table are dealt out to its pages, and how two servers find out whether
 * they know the same ones.
 *
 * Each ban has a place in a space of 64 bits, by a hash of what it is (source, ports, scope), which
 * every server computes alike. Of 2^n pages a page holds those whose first n bits are its number.
 * The seed is the number of the origin's table, random and known to the fleet alone, so that nobody
 * outside can choose addresses that crowd one page. The digest of a set is the sum of what its bans
 * hash to with their change: the order does not matter, and one more or less shows.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SLICE_H
#define BANMAIL_SLICE_H

#include <endian.h>
#include <string.h>

#include "base/hash.h"
#include "base/ports.h"
#include "base/source.h"

struct slice_key { /* of one layout on every machine */
    uint8_t address[16];
    uint64_t prefix, ports, scope; /* little endian; ports and scope hashed */
};

_Static_assert(sizeof(struct slice_key) == 40, "no padding is hashed");

/* The ports of a ban, none for a pardon; and its scope. Pure. */
static inline uint64_t
slice_ports(const struct ports *ports)
{
    char text[PORTS_TEXT_SIZE];

    ports_print(ports, ",", text);
    return hash_text(text, strlen(text));
}

static inline uint64_t
slice_scope(const char *scope)
{
    return hash_text(scope, strlen(scope));
}

/* The place of a ban among those of this table. Pure. */
static inline uint64_t
slice_place(uint64_t table, const struct source *source, uint64_t ports, uint64_t scope)
{
    struct slice_key key = {
        .prefix = htole64(source->prefix), .ports = htole64(ports), .scope = htole64(scope)};

    memcpy(key.address, source->address, sizeof key.address);
    return hash_bytes(table, &key, sizeof key);
}

/* Whether the page, of `pages`, a power of two, holds this place. Pure. */
static inline bool
slice_holds(uint32_t page, uint32_t pages, uint64_t place)
{
    return pages == 1 || place >> (64 - (unsigned)__builtin_ctz(pages)) == page;
}

/* What a ban at this place adds to the digest. Pure. */
static inline uint64_t
slice_digest(uint64_t place, uint64_t change)
{
    const uint64_t bytes = htole64(change);

    return hash_bytes(place, &bytes, sizeof bytes);
}

#endif
