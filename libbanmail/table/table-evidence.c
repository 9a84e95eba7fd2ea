/* table-evidence: a ring of 512 byte places, each with a sequence of its own.
 *
 * A place is taken by making its sequence odd, which one thread alone can do; so there is no lock
 * that a killed or cancelled worker could leave behind. One that stays odd after a crash is freed
 * by the next attach.
 *
 * So that the lines of a ban are found without a search through the whole ring, private memory of
 * the writing process links the lines of a network: a head by hash, and beside each place the
 * number of the line before it in the same chain. Networks that share a hash share a chain: what is
 * found is compared anyway.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-evidence.h"

#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "table/table-layout3.h"
#include "table/table-private.h"

/* How many bits of an address the lines of a chain share, unless a jail bans wider networks. */
#define CHAIN_V4_BITS       32
#define CHAIN_V6_BITS       64
#define CHAIN_V4_BITS_LEAST 16
#define CHAIN_V6_BITS_LEAST 32
#define HEAD_WORDS          (offsetof(struct witness, host) / 8) /* of a place, before its texts */

_Static_assert(HEAD_WORDS * 8 == offsetof(struct witness, host), "whole words");

/* Bytes of the attacker: never longer than their field, with a NUL whatever a file says, and
 * nothing of what stood behind it. */
static void
copy_text(char *to, const char *from, size_t size)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    memset(to + length, 0, size - length);
}

/* A place as its fields, and as the words of which it is made. */
union witness_words {
    struct witness witness;
    uint64_t word[WITNESS_WORDS];
};

/* The texts stand in a line of evidence as they stand in its place. */
#define TEXTS_SIZE (sizeof(struct witness) - offsetof(struct witness, host))
_Static_assert(sizeof(struct evidence) - offsetof(struct evidence, host) == TEXTS_SIZE &&
                   offsetof(struct evidence, service) - offsetof(struct evidence, host) ==
                       offsetof(struct witness, service) - offsetof(struct witness, host) &&
                   offsetof(struct evidence, user) - offsetof(struct evidence, host) ==
                       offsetof(struct witness, user) - offsetof(struct witness, host) &&
                   offsetof(struct evidence, line) - offsetof(struct evidence, host) ==
                       offsetof(struct witness, line) - offsetof(struct witness, host),
               "the same texts");

/* All but the texts. */
static void
fill_head(union witness_words *place, const struct evidence *evidence, uint64_t number)
{
    struct witness *witness = &place->witness;

    memset(place, 0, HEAD_WORDS * sizeof *place->word);
    witness->number = number;
    witness->stamp_ms = evidence->stamp_ms;
    witness->class = (uint8_t)evidence->class;
    witness->jails = evidence->jails;
    witness->attempts = evidence->attempts;
    witness->scope = evidence->scope;
    memcpy(witness->address, evidence->client.address, sizeof witness->address);
}

/* Two sums, of every other word: a multiplication need not wait for that of the word before. */
struct sums {
    uint64_t even, odd;
};

static const struct sums no_words = {GUARD_FACTOR, GUARD_FACTOR};

/* The words `at` and the one behind it. Not the jails: they are added to later, and no harm comes
 * of a wrong one. */
static inline struct sums
add_words(struct sums sums, unsigned at, uint64_t even, uint64_t odd)
{
    _Static_assert(WITNESS_JAILS % 2 == 0, "an even word");
    if (at == WITNESS_JAILS)
        even = 0;
    return (struct sums){(sums.even ^ even) * GUARD_FACTOR, (sums.odd ^ odd) * GUARD_FACTOR};
}

static inline uint64_t
check_from(struct sums sums)
{
    return sums.even ^ (sums.odd << 32 | sums.odd >> 32);
}

static uint64_t
check_of(const uint64_t word[WITNESS_WORDS])
{
    struct sums sums = no_words;

    for (unsigned i = 2; i < WITNESS_WORDS; i += 2)
        sums = add_words(sums, i, word[i], word[i + 1]);
    return check_from(sums);
}

/* ---- writing ---- */

/* Returns false when somebody else is writing there. */
static bool
take_place(struct witness_cell *cell, uint64_t *sequence)
{
    *sequence = atomic_load_explicit(&cell->word[0], memory_order_relaxed);
    return *sequence % 2 == 0 &&
           atomic_compare_exchange_strong_explicit(&cell->word[0], sequence, *sequence + 1,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void
put_words(struct witness_cell *cell, unsigned at, const void *from, struct sums *sums)
{
    uint64_t words[2];

    memcpy(words, from, sizeof words);
    *sums = add_words(*sums, at, words[0], words[1]);
    atomic_store_explicit(&cell->word[at], words[0], memory_order_release);
    atomic_store_explicit(&cell->word[at + 1], words[1], memory_order_release);
}

/* The head from the place, the texts from wherever they are: they are not copied twice. */
static void
fill_place(struct witness_cell *cell, uint64_t sequence, const union witness_words *place,
           const char *texts)
{
    struct sums sums = no_words;

    for (unsigned i = 2; i < HEAD_WORDS; i += 2)
        put_words(cell, i, &place->word[i], &sums);
#pragma GCC unroll 7
    for (unsigned i = HEAD_WORDS; i < WITNESS_WORDS; i += 2, texts += 2 * sizeof *place->word)
        put_words(cell, i, texts, &sums);
    atomic_store_explicit(&cell->word[1], check_from(sums), memory_order_release);
    atomic_store_explicit(&cell->word[0], sequence + 2, memory_order_release);
}

/* Returns false when it found no place. */
static bool
put(struct table *table, const union witness_words *place, const char *texts)
{
    uint64_t sequence, number = place->witness.number;
    struct witness_cell *cell = &table->witnesses[number % table->witness_count];

    if (!take_place(cell, &sequence))
        return false;
    fill_place(cell, sequence, place, texts);
    return true;
}

/* ---- chains ---- */

/* The head of the chain of a client's network: by multiplication with a secret odd number. That
 * costs a tenth of SipHash, and who does not know it finds networks that meet no better. */
static _Atomic uint64_t *
head_of(const struct table *table, const uint8_t address[16])
{
    uint64_t words[2], network;

    memcpy(words, address, sizeof words);
    network = be64toh(words[0]) >> (64 - atomic_load(&table->chains.v6_bits));
    if (words[0] == 0)
        network = be64toh(words[1]) << 32 >> (64 - atomic_load(&table->chains.v4_bits));
    return &table->chains.heads[network * table->chains.factor >> table->chains.shift];
}

static _Atomic uint64_t *
link_of(const struct table *table, uint64_t number)
{
    return &table->chains.before[number % table->witness_count];
}

/* Enters a line that is in its place. A chain descends, so a line that another thread with a later
 * number has overtaken goes behind that; nothing is ever taken out. Where the ring goes round once
 * while a thread stands in here, a link on its way may be another line's by then: if that does not
 * descend, the line gives up, else it may come into the wrong chain, or the later line of the same
 * place loses those before it. */
static void
enter_chain(struct table *table, const uint8_t address[16], uint64_t number)
{
    _Atomic uint64_t *link = head_of(table, address);
    uint64_t newer = UINT64_MAX, older = atomic_load_explicit(link, memory_order_acquire);

    while (older < newer) {
        if (older > number) {
            newer = older;
            link = link_of(table, newer);
            older = atomic_load_explicit(link, memory_order_acquire);
            continue;
        }
        atomic_store_explicit(link_of(table, number), older, memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(link, &older, number, memory_order_release,
                                                  memory_order_acquire))
            return;
    }
}

uint64_t
table_add_evidence(struct table *table, const struct evidence *evidence)
{
    uint64_t number =
        atomic_fetch_add_explicit(&table->header->last_evidence, 1, memory_order_relaxed) + 1;
    union witness_words place;

    fill_head(&place, evidence, number);
    if (put(table, &place, evidence->host))
        enter_chain(table, evidence->client.address, number);
    return number;
}

/* ---- reading ---- */

static bool
read_place(const struct witness_cell *cell, unsigned layout, union witness_words *place)
{
    uint64_t *word = place->word;

    for (unsigned tries = 0; tries < CELL_TRIES; tries++) {
        for (unsigned i = 0; i < WITNESS_WORDS; i++)
            word[i] = atomic_load_explicit(&cell->word[i], memory_order_acquire);
        if (word[0] % 2 == 0 &&
            atomic_load_explicit(&cell->word[0], memory_order_relaxed) == word[0])
            return word[1] == (layout == 3 ? layout3_check(word) : check_of(word));
    }
    return false;
}

uint64_t
table_last_evidence(const struct table *table)
{
    return atomic_load(&table->header->last_evidence);
}

uint64_t
table_evidence_room(const struct table *table)
{
    return table->witness_count;
}

/* All but the texts. Returns false when it is not the line of this number. */
static bool
read_head(const struct witness *witness, uint64_t number, struct evidence *evidence)
{
    if (witness->number != number || number == 0 || witness->class >= OFFENCE_CLASSES)
        return false;
    evidence->number = witness->number;
    evidence->class = (enum offence_class)witness->class;
    evidence->jails = witness->jails;
    evidence->attempts = witness->attempts;
    evidence->scope = witness->scope;
    evidence->stamp_ms = witness->stamp_ms;
    evidence->client.prefix = SOURCE_HOST_PREFIX;
    memcpy(evidence->client.address, witness->address, sizeof witness->address);
    return true;
}

bool
table_read_evidence(const struct table *table, uint64_t number, struct evidence *evidence)
{
    const struct witness *witness;
    union witness_words place;

    if (!read_place(&table->witnesses[number % table->witness_count], table->layout, &place) ||
        !read_head(&place.witness, number, evidence))
        return false;
    witness = &place.witness;
    copy_text(evidence->host, witness->host, sizeof witness->host);
    copy_text(evidence->service, witness->service, sizeof witness->service);
    copy_text(evidence->user, witness->user, sizeof witness->user);
    copy_text(evidence->line, witness->line, sizeof witness->line);
    return true;
}

/* A ban on one host has its reasons in lines of that host alone. */
static bool
is_of_scope(const struct evidence *evidence, const struct ban *ban)
{
    return ban->scope == TABLE_SCOPE_FLEET || evidence->scope == 0 || evidence->scope == ban->scope;
}

bool
table_is_evidence_of(const struct evidence *evidence, const struct ban *ban)
{
    return (evidence->jails >> ban->jail & 1) && ban->origin == BAN_BY_JAIL &&
           evidence->stamp_ms >= ban->first_ms / 1000 * 1000 &&
           (ban->end == BAN_RUNNING || evidence->stamp_ms <= ban->ended_ms) &&
           is_of_scope(evidence, ban) && source_contains(&ban->source, &evidence->client);
}

void
table_share_evidence(struct table *table, uint64_t number, uint64_t jails)
{
    struct witness_cell *const cell = &table->witnesses[number % table->witness_count];
    bool is_there = number != 0, is_taken = false;
    uint64_t sequence;

    /* Somebody else may be sharing it at this moment: that takes no time, but where his thread has
     * lost its core. */
    for (unsigned tries = 0; is_there && !is_taken && tries < 16 * CELL_TRIES; tries++) {
        if (tries >= CELL_TRIES)
            sched_yield();
        is_there =
            atomic_load_explicit(&cell->word[WITNESS_NUMBER], memory_order_relaxed) == number;
        is_taken = is_there && take_place(cell, &sequence);
    }
    if (!is_taken)
        return;
    if (atomic_load_explicit(&cell->word[WITNESS_NUMBER], memory_order_relaxed) == number)
        atomic_fetch_or_explicit(&cell->word[WITNESS_JAILS], jails, memory_order_relaxed);
    atomic_store_explicit(&cell->word[0], sequence + 2, memory_order_release);
}

/* A glance at what stands before the texts, torn or not: most lines are of somebody else. */
static bool
looks_like_one_of(const struct table *table, uint64_t number, const struct ban *ban)
{
    const struct witness_cell *cell = &table->witnesses[number % table->witness_count];
    struct evidence evidence;
    union witness_words place;

    for (unsigned i = 0; i < HEAD_WORDS; i++)
        place.word[i] = atomic_load_explicit(&cell->word[i], memory_order_relaxed);
    return read_head(&place.witness, number, &evidence) && table_is_evidence_of(&evidence, ban);
}

static bool
read_one_of(const struct table *table, uint64_t number, const struct ban *ban,
            struct evidence *evidence)
{
    return looks_like_one_of(table, number, ban) && table_read_evidence(table, number, evidence) &&
           table_is_evidence_of(evidence, ban);
}

/* Whether all lines of a source are in one chain. (::/64 has all of IPv4 in it.) */
static bool
has_one_chain(const struct table *table, const struct source *source)
{
    static const uint8_t zeros[8];

    if (source_is_v4(source))
        return source_bits(source) >= atomic_load(&table->chains.v4_bits);
    return source_bits(source) >= atomic_load(&table->chains.v6_bits) &&
           memcmp(source->address, zeros, sizeof zeros) != 0;
}

/* A chain is entered after its line has got its number: so the last number is read after it. */
static uint64_t
newest_of(const struct table *table, const struct ban *ban, bool chained, uint64_t *last)
{
    uint64_t number = 0;

    if (chained)
        number = atomic_load_explicit(head_of(table, ban->source.address), memory_order_acquire);
    *last = table_last_evidence(table);
    return chained ? number : *last;
}

size_t
table_find_evidence(const struct table *table, const struct ban *ban, struct evidence *lines,
                    size_t most)
{
    bool chained = table->chains.heads && has_one_chain(table, &ban->source);
    uint64_t last, older, number = newest_of(table, ban, chained, &last);
    size_t found = 0;

    for (; number > 0 && last - number < table->witness_count && found < most; number = older) {
        found += read_one_of(table, number, ban, &lines[found]);
        older = number - 1;
        if (chained)
            older = atomic_load_explicit(link_of(table, number), memory_order_acquire);
        if (older >= number) /* its place, and so its link, is another line's by now */
            break;
    }
    return found;
}

/* ---- erasing ---- */

unsigned
table_forget_evidence(struct table *table, const struct source *source, const char *user)
{
    static const union witness_words nothing;
    struct evidence evidence;
    unsigned erased = 0;
    uint64_t sequence, last = table_last_evidence(table);

    for (uint64_t number = last; number > 0 && last - number < table->witness_count; number--) {
        struct witness_cell *cell = &table->witnesses[number % table->witness_count];

        if (!table_read_evidence(table, number, &evidence) ||
            !((source && source_contains(source, &evidence.client)) ||
              (user && strcmp(user, evidence.user) == 0)) ||
            !take_place(cell, &sequence))
            continue;
        fill_place(cell, sequence, &nothing, nothing.witness.host);
        erased++;
    }
    return erased;
}

/* ---- attach, and a change of shape ---- */

/* From the oldest line to the newest: each comes to the head of its chain. */
static void
enter_all(struct table *table)
{
    uint64_t last = table_last_evidence(table), room = table->witness_count;
    struct evidence evidence;

    for (uint64_t number = last < room ? 1 : last - room + 1; number - 1 < last; number++)
        if (table_read_evidence(table, number, &evidence))
            enter_chain(table, evidence.client.address, number);
}

static int
make_chains(struct table *table)
{
    struct line_chains *chains = &table->chains;
    size_t heads = 64;

    while (heads < table->witness_count / 2)
        heads *= 2;
    chains->shift = 64 - (unsigned)__builtin_ctzll(heads);
    chains->factor = table->hash.v0 | 1;
    chains->v4_bits = CHAIN_V4_BITS;
    chains->v6_bits = CHAIN_V6_BITS;
    chains->heads = calloc(heads, sizeof *chains->heads);
    chains->before = calloc(table->witness_count, sizeof *chains->before);
    return chains->heads && chains->before ? 0 : -ENOMEM;
}

void
table_chain_networks(struct table *table, unsigned v4_bits, unsigned v6_bits)
{
    struct line_chains *const chains = &table->chains;
    const bool wider_v4 = v4_bits >= CHAIN_V4_BITS_LEAST && v4_bits < chains->v4_bits;
    const bool wider_v6 = v6_bits >= CHAIN_V6_BITS_LEAST && v6_bits < chains->v6_bits;

    if (!wider_v4 && !wider_v6)
        return;
    if (wider_v4)
        atomic_store(&chains->v4_bits, v4_bits);
    if (wider_v6)
        atomic_store(&chains->v6_bits, v6_bits);
    for (size_t i = 0; i >> (64 - chains->shift) == 0; i++)
        atomic_store_explicit(&chains->heads[i], 0, memory_order_relaxed);
    enter_all(table);
}

int
table_attach_evidence(struct table *table)
{
    union witness_words place;
    int error = make_chains(table);

    if (error)
        return error;
    for (uint32_t i = 0; i < table->witness_count; i++) {
        struct witness_cell *cell = &table->witnesses[i];

        if (read_place(cell, table->layout, &place))
            continue;
        for (unsigned word = 0; word < WITNESS_WORDS; word++)
            atomic_store_explicit(&cell->word[word], 0, memory_order_relaxed);
    }
    enter_all(table);
    return 0;
}

void
table_adopt_evidence(struct table *table, const struct table *old)
{
    uint64_t last = atomic_load(&old->header->last_evidence);
    union witness_words place;

    atomic_store(&table->header->last_evidence, last);
    for (uint32_t i = 0; i < old->witness_count; i++) {
        if (!read_place(&old->witnesses[i], old->layout, &place) || place.witness.number == 0 ||
            last - place.witness.number >= table->witness_count)
            continue;
        if (old->layout == 3)
            place.witness = layout3_witness(&place.witness);
        put(table, &place, place.witness.host);
    }
    enter_all(table);
}
