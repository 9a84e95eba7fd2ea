/* hash: bytes that are to be told apart, by XXH3 (https://xxhash.com, a specified algorithm: the
 * same bytes and seed give the same hash in every version and on every machine).
 *
 * Where an attacker gains by two of his bytes having one hash the seed is a secret of the table's;
 * where nobody does it is 0. What decides in which bucket something lies is hashed by siphash.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_HASH_H
#define BANMAIL_HASH_H

#define XXH_INLINE_ALL
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

/* Of `length` bytes; what has been hashed before may be the seed of what follows. Pure. */
static inline uint64_t
hash_bytes(uint64_t seed, const void *bytes, size_t length)
{
    return XXH3_64bits_withSeed(bytes, length, seed);
}

/* Never 0, which says that there are no bytes. Pure. */
static inline uint64_t
hash_text(const void *bytes, size_t length)
{
    const uint64_t hash = length == 0 ? 0 : hash_bytes(0, bytes, length);

    return length != 0 && hash == 0 ? 1 : hash;
}

#endif
