/* memory: what is remembered of many in a fixed room.
 *
 * Entries lie in sets of some, found by a keyed hash: nobody who does not know the key can choose
 * whose place is taken. In a full set the one goes that was silent longest.
 *
 *   memory ──▶ set ──▶ [entry][entry][entry][entry]      hash % sets; a lock for several sets
 *
 * Any thread; no system call and no allocation but in memory_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_MEMORY_H
#define BANMAIL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* How each entry begins; who uses it sets both when it makes an entry its own. */
struct memory_entry {
    uint64_t key;      /* 0: free */
    int64_t latest_ms; /* when it was last heard of: the smallest goes first */
};

struct memory;

/* `size` is of an entry, with its struct memory_entry in front. `seed` NULL: a random one. Returns
 * NULL when out of memory or randomness. Free with memory_free; NULL is fine. */
struct memory *memory_new(size_t sets, unsigned ways, size_t size, const uint64_t seed[2]);
void memory_free(struct memory *memory);

/* A key of these words and of `last`, by SipHash-1-3; never 0. */
uint64_t memory_key(const struct memory *memory, const uint64_t *words, size_t count,
                    uint64_t last);
const uint64_t *memory_seed(const struct memory *memory); /* for other hashes; two words */

/* Locks the set of a key that is not 0, and gives the entry of this key; where there is none, the
 * free or oldest one of its set, which has another key and may be overwritten. The entry is the
 * caller's until memory_unlock. */
void *memory_lock(struct memory *memory, uint64_t key);
void memory_unlock(struct memory *memory, uint64_t key);

/* Calls `each` for all entries that are not free, each of them locked meanwhile; stops when it
 * returns other than 0. Returns what it returned last; 0 when there are none. */
int memory_each(struct memory *memory, int (*each)(void *entry, void *context), void *context);

#endif
