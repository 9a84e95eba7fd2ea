/* table-cell: one cell of the table's file, and how it is written and read. Only the table's own
 * files include this.
 *
 * A cell is some 64-bit words, of which all begin with the same one:
 *
 *      0        4       6      7      8                          128 or 192
 *      ┌────────┬───────┬──────┬──────┬───────────────────────────────────┐
 *      │sequence│ check │ used │ own  │ the other words, by section       │
 *      └────────┴───────┴──────┴──────┴───────────────────────────────────┘
 *
 * `sequence` is odd while the cell is being written, `check` is a checksum of all else, `used` is
 * 0 in a free cell. One writing process, under locks of its own; readers in any process copy the
 * words and try again when the sequence has changed (a seqlock). A writer that was killed leaves
 * an odd sequence, or a check that does not fit: that one cell is dropped at the next attach.
 *
 * How many words a cell has, `words`, is a constant where these functions are called, so that they
 * are made for it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_CELL_H
#define BANMAIL_TABLE_CELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words shared between processes need no lock");

#define CELL_WORDS     16
#define CELL_SIZE      (CELL_WORDS * 8)
#define CELL_WORDS_MAX 24
#define CELL_ALL       0xfffffeU /* all words but the first */
#define CELL_TRIES     1000      /* copies that a reader tries before it gives up on a busy cell */

typedef _Atomic uint64_t cell_word;

struct cell {
    cell_word word[CELL_WORDS];
};

_Static_assert(sizeof(struct cell) == CELL_SIZE, "a cell is 128 bytes");

struct cell_head {
    uint32_t sequence;
    uint16_t check;
    uint8_t used;
    uint8_t own;
};

/* What a word adds to its cell's checksum, by exclusive or: turned by its index, so that no two
 * words can change places. A change of one word needs no other to bring the sum up to date. */
static inline uint64_t
cell_turn(unsigned index, uint64_t word)
{
    unsigned bits = index * 5 % 64;

    return word << bits | word >> (-bits % 64);
}

/* Each flipped bit flips one of these 16. */
static inline uint16_t
cell_fold(uint64_t sum)
{
    sum ^= sum >> 32;
    return (uint16_t)(sum ^ sum >> 16);
}

/* What the first word adds to it: all but sequence and check themselves. */
static inline uint64_t
cell_turn_head(uint64_t word)
{
    const struct cell_head summed = {.used = 0xff, .own = 0xff};
    uint64_t mask;

    memcpy(&mask, &summed, sizeof mask);
    return word & mask;
}

static inline uint16_t
words_check(const uint64_t *word, unsigned words)
{
    uint64_t sum = cell_turn_head(word[0]);

    for (unsigned i = 1; i < words; i++)
        sum ^= cell_turn(i, word[i]);
    return cell_fold(sum);
}

/* For who holds the cell's lock, and so need not fear a writer. `value` is a struct of the section
 * that the cell is in. */
static inline void
words_load(const cell_word *cell, unsigned words, void *value)
{
    memcpy(value, (const void *)cell, words * sizeof *cell);
}

static inline struct cell_head
words_load_head(const cell_word *cell)
{
    uint64_t word = atomic_load_explicit(cell, memory_order_relaxed);
    struct cell_head head;

    memcpy(&head, &word, sizeof head);
    return head;
}

static inline void
words_store_head(cell_word *cell, struct cell_head head, memory_order order)
{
    uint64_t word;

    memcpy(&word, &head, sizeof word);
    atomic_store_explicit(cell, word, order);
}

/* For who holds the cell's lock; the cell is whole. Writes the first word, whose sequence and check
 * are made here, and those of `changes`; release on each orders it behind the odd sequence, for the
 * price of a plain store on x86. A change in the first word alone is one store, and cannot be
 * torn. */
static inline void
words_store(cell_word *cell, const void *value, uint32_t changes)
{
    struct cell_head before = words_load_head(cell), after;
    uint64_t word, sum;

    memcpy(&after, value, sizeof after);
    memcpy(&word, value, sizeof word);
    sum = cell_turn_head(word ^ atomic_load_explicit(cell, memory_order_relaxed));
    before.sequence++;
    if (changes != 0)
        words_store_head(cell, before, memory_order_relaxed);
    for (; changes != 0; changes &= changes - 1) {
        unsigned i = (unsigned)__builtin_ctz(changes);

        memcpy(&word, (const char *)value + i * sizeof word, sizeof word);
        sum ^= cell_turn(i, word ^ atomic_load_explicit(&cell[i], memory_order_relaxed));
        atomic_store_explicit(&cell[i], word, memory_order_release);
    }
    after.sequence = before.sequence + 1;
    after.check = before.check ^ cell_fold(sum);
    words_store_head(cell, after, memory_order_release);
}

/* The same for all words that differ from those of `value`, which are found on the way. */
static inline void
words_replace(cell_word *cell, unsigned words, const void *value)
{
    struct cell_head before = words_load_head(cell), after;
    uint64_t word, sum, change;

    memcpy(&after, value, sizeof after);
    memcpy(&word, value, sizeof word);
    sum = cell_turn_head(word ^ atomic_load_explicit(cell, memory_order_relaxed));
    before.sequence++;
    after.sequence = before.sequence + 1;
#pragma GCC unroll 24
    for (unsigned i = 1; i < words; i++) {
        memcpy(&word, (const char *)value + i * sizeof word, sizeof word);
        change = word ^ atomic_load_explicit(&cell[i], memory_order_relaxed);
        if (change == 0)
            continue;
        words_store_head(cell, before, memory_order_relaxed);
        sum ^= cell_turn(i, change);
        atomic_store_explicit(&cell[i], word, memory_order_release);
    }
    after.check = before.check ^ cell_fold(sum);
    words_store_head(cell, after, memory_order_release);
}

/* Makes a cell whole, and free, whatever was in it. Only while attaching. */
static inline void
words_clear(cell_word *cell, unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        atomic_store_explicit(&cell[i], 0, memory_order_relaxed);
}

/* Without a lock, from any process. Returns false when the cell was being written every time. */
static inline bool
words_read(const cell_word *cell, unsigned words, void *value)
{
    uint64_t word[CELL_WORDS_MAX];
    struct cell_head head;

    for (unsigned tries = 0; tries < CELL_TRIES; tries++) {
        for (unsigned i = 0; i < words; i++)
            word[i] = atomic_load_explicit(&cell[i], memory_order_acquire);
        memcpy(&head, word, sizeof head);
        if (head.sequence % 2 == 0 &&
            atomic_load_explicit(&cell[0], memory_order_relaxed) == word[0]) {
            memcpy(value, word, words * sizeof *word);
            return true;
        }
    }
    return false;
}

/* Whether what a killed writer or a damaged file left here is whole. */
static inline bool
words_are_whole(const void *value, unsigned words)
{
    uint64_t word[CELL_WORDS_MAX];
    struct cell_head head;

    memcpy(word, value, words * sizeof *word);
    memcpy(&head, value, sizeof head);
    return head.sequence % 2 == 0 && head.check == words_check(word, words);
}

/* ---- the same for cells of sixteen words ---- */

static inline void
cell_load(const struct cell *cell, void *value)
{
    words_load(cell->word, CELL_WORDS, value);
}

static inline void
cell_store(struct cell *cell, const void *value, uint32_t changes)
{
    words_store(cell->word, value, changes);
}

static inline void
cell_replace(struct cell *cell, const void *value)
{
    words_replace(cell->word, CELL_WORDS, value);
}

static inline void
cell_clear(struct cell *cell)
{
    words_clear(cell->word, CELL_WORDS);
}

static inline bool
cell_read(const struct cell *cell, void *value)
{
    return words_read(cell->word, CELL_WORDS, value);
}

static inline bool
cell_is_whole(const void *value)
{
    return words_are_whole(value, CELL_WORDS);
}

#endif
