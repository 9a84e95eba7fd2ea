/* table-evidence: a ring of 512 byte places, each with a sequence of its own.
 *
 * A place is taken by making its sequence odd, which one thread alone can do; so there is no lock
 * that a killed or cancelled worker could leave behind. One that stays odd after a crash is freed
 * by the next attach.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table-evidence.h"

#include "table-layout3.h"
#include "table-private.h"

/* Bytes of the attacker: never longer than their field, with a NUL whatever a file says, and
 * nothing of what stood behind it. */
static void
copy_text(char *to, const char *from, size_t size)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    memset(to + length, 0, size - length);
}

static struct witness
witness_from(const struct evidence *evidence, uint64_t number)
{
    struct witness witness = {
        .number = number,
        .stamp_ms = evidence->stamp_ms,
        .class = (uint8_t)evidence->class,
        .jails = evidence->jails,
        .attempts = evidence->attempts,
    };

    memcpy(witness.address, evidence->client.address, sizeof witness.address);
    copy_text(witness.host, evidence->host, sizeof witness.host);
    copy_text(witness.service, evidence->service, sizeof witness.service);
    copy_text(witness.user, evidence->user, sizeof witness.user);
    copy_text(witness.line, evidence->line, sizeof witness.line);
    return witness;
}

/* Not of the jails: they are added to, and no harm comes of a wrong one. */
static uint64_t
check_of(const uint64_t word[WITNESS_WORDS])
{
    uint64_t sum = GUARD_FACTOR;

    for (unsigned i = 2; i < WITNESS_WORDS; i++)
        if (i != WITNESS_JAILS)
            sum = (sum ^ word[i]) * GUARD_FACTOR;
    return sum;
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

static void
fill_place(struct witness_cell *cell, uint64_t sequence, const struct witness *witness)
{
    uint64_t word[WITNESS_WORDS];

    memcpy(word, witness, sizeof word);
    word[1] = check_of(word);
    for (unsigned i = 1; i < WITNESS_WORDS; i++)
        atomic_store_explicit(&cell->word[i], word[i], memory_order_release);
    atomic_store_explicit(&cell->word[0], sequence + 2, memory_order_release);
}

static void
put(struct table *table, const struct witness *witness)
{
    struct witness_cell *cell = &table->witnesses[witness->number % table->witness_count];
    uint64_t sequence;

    if (take_place(cell, &sequence))
        fill_place(cell, sequence, witness);
}

uint64_t
table_add_evidence(struct table *table, const struct evidence *evidence)
{
    uint64_t number =
        atomic_fetch_add_explicit(&table->header->last_evidence, 1, memory_order_relaxed) + 1;
    struct witness witness = witness_from(evidence, number);

    put(table, &witness);
    return number;
}

/* ---- reading ---- */

static bool
read_place(const struct witness_cell *cell, struct witness *witness)
{
    uint64_t word[WITNESS_WORDS];

    for (unsigned tries = 0; tries < CELL_TRIES; tries++) {
        for (unsigned i = 0; i < WITNESS_WORDS; i++)
            word[i] = atomic_load_explicit(&cell->word[i], memory_order_acquire);
        if (word[0] % 2 == 0 &&
            atomic_load_explicit(&cell->word[0], memory_order_relaxed) == word[0]) {
            memcpy(witness, word, sizeof *witness);
            return word[1] == check_of(word);
        }
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

bool
table_read_evidence(const struct table *table, uint64_t number, struct evidence *evidence)
{
    struct witness witness;

    if (!read_place(&table->witnesses[number % table->witness_count], &witness) ||
        witness.number != number || number == 0 || witness.class >= OFFENCE_CLASSES)
        return false;
    evidence->number = witness.number;
    evidence->class = (enum offence_class)witness.class;
    evidence->jails = witness.jails;
    evidence->attempts = witness.attempts;
    evidence->stamp_ms = witness.stamp_ms;
    evidence->client.prefix = SOURCE_HOST_PREFIX;
    memcpy(evidence->client.address, witness.address, sizeof witness.address);
    copy_text(evidence->host, witness.host, sizeof witness.host);
    copy_text(evidence->service, witness.service, sizeof witness.service);
    copy_text(evidence->user, witness.user, sizeof witness.user);
    copy_text(evidence->line, witness.line, sizeof witness.line);
    return true;
}

bool
table_is_evidence_of(const struct evidence *evidence, const struct ban *ban)
{
    return (evidence->jails >> ban->jail & 1) && ban->origin == BAN_BY_JAIL &&
           evidence->stamp_ms >= ban->first_ms / 1000 * 1000 &&
           (ban->end == BAN_RUNNING || evidence->stamp_ms <= ban->ended_ms) &&
           source_contains(&ban->source, &evidence->client);
}

void
table_share_evidence(struct table *table, uint64_t number, uint64_t jails)
{
    struct witness_cell *const cell = &table->witnesses[number % table->witness_count];
    uint64_t sequence;

    if (number == 0 ||
        atomic_load_explicit(&cell->word[WITNESS_NUMBER], memory_order_relaxed) != number ||
        !take_place(cell, &sequence))
        return;
    if (atomic_load_explicit(&cell->word[WITNESS_NUMBER], memory_order_relaxed) == number)
        atomic_fetch_or_explicit(&cell->word[WITNESS_JAILS], jails, memory_order_relaxed);
    atomic_store_explicit(&cell->word[0], sequence + 2, memory_order_release);
}

/* ---- erasing ---- */

unsigned
table_forget_evidence(struct table *table, const struct source *source, const char *user)
{
    static const struct witness nothing;
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
        fill_place(cell, sequence, &nothing);
        erased++;
    }
    return erased;
}

/* ---- attach, and a change of shape ---- */

void
table_attach_evidence(struct table *table)
{
    struct witness witness;

    for (uint32_t i = 0; i < table->witness_count; i++) {
        struct witness_cell *cell = &table->witnesses[i];

        if (read_place(cell, &witness))
            continue;
        for (unsigned word = 0; word < WITNESS_WORDS; word++)
            atomic_store_explicit(&cell->word[word], 0, memory_order_relaxed);
    }
}

void
table_adopt_evidence(struct table *table, const struct table *old)
{
    uint64_t last = atomic_load(&old->header->last_evidence);
    struct witness witness;

    atomic_store(&table->header->last_evidence, last);
    for (uint32_t i = 0; i < old->witness_count; i++) {
        if (!read_place(&old->witnesses[i], &witness) || witness.number == 0 ||
            last - witness.number >= table->witness_count)
            continue;
        if (old->layout == 3)
            witness = layout3_witness(&witness);
        put(table, &witness);
    }
}
