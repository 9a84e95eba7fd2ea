/* table-layout3: what tables of version 0.1.0's first builds have otherwise, so that their bans,
 * counters and evidence come along. Only the table's own files include this.
 *
 * The header, jails, attempts and bans are as they are now: what has been added stands where layout
 * 3 has zeros. Records and lines of evidence differ; known lines were not kept.
 *
 *      0      8                  28     32                 64                         128
 *      ┌──────┬──────────────────┬──────┬──────────────────┬────────────────────────────┐
 *      │ head │ key              │ ban  │ 16 short hashes  │ 16 stamps                  │  record
 *      └──────┴──────────────────┴──────┴──────────────────┴────────────────────────────┘
 *      0          8       16       24      32        48        56     104       136    232    512
 *      ┌──────────┬───────┬────────┬───────┬─────────┬─────────┬──────┬─────────┬──────┬──────┐
 *      │ sequence │ check │ number │ stamp │ address │ numbers │ host │ service │ user │ line │
 *      └──────────┴───────┴────────┴───────┴─────────┴─────────┴──────┴─────────┴──────┴──────┘
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_LAYOUT3_H
#define BANMAIL_TABLE_LAYOUT3_H

#include "table/table-layout.h"

#define LAYOUT3_ID          UINT64_C(0xe3e715cdcd819126) /* on machines with the low byte first */
#define LAYOUT3_SECTIONS    5                            /* up to SECTION_EVIDENCE */
#define LAYOUT3_RECORD_SIZE CELL_SIZE

struct layout3_record {
    struct cell_head head;
    struct record_key key;
    uint32_t ban;
    uint16_t attempted[JAIL_STAMPS_MAX];
    uint32_t stamps[JAIL_STAMPS_MAX];
};

_Static_assert(sizeof(struct layout3_record) == LAYOUT3_RECORD_SIZE, "layout");

struct layout3_witness {
    uint64_t sequence;
    uint64_t check;
    uint64_t number;
    int64_t stamp_ms;
    uint8_t address[16];
    uint8_t class;
    uint8_t jail;
    uint8_t attempts;
    uint8_t zero[5];
    char host[48];
    char service[32];
    char user[96];
    char line[280];
};

_Static_assert(sizeof(struct layout3_witness) == WITNESS_SIZE, "layout");

/* The record at `cell` as it is written now, without its hashes: they are of user and secret
 * together. One that is not whole, or free, is one with head.used 0. */
static inline struct record
layout3_record(const struct cell *cell)
{
    struct layout3_record old;
    struct record record = {0};

    cell_load(cell, &old);
    if (!cell_is_whole(&old) || !old.head.used)
        return record;
    record.head.used = old.head.used;
    record.head.own = old.head.own;
    record.key = old.key;
    record.ban = old.ban;
    memcpy(record.stamps, old.stamps, sizeof record.stamps);
    return record;
}

/* The checksum of the words behind the first two. */
static inline uint64_t
layout3_check(const uint64_t word[WITNESS_WORDS])
{
    uint64_t sum = GUARD_FACTOR;

    for (unsigned i = 2; i < WITNESS_WORDS; i++)
        sum = (sum ^ word[i]) * GUARD_FACTOR;
    return sum;
}

/* Whether there is a record at `cell` that cannot be taken over. */
static inline bool
layout3_is_damaged(const struct cell *cell)
{
    struct layout3_record old;

    cell_load(cell, &old);
    return !cell_is_whole(&old);
}

/* A line of evidence, read as it is in a table of layout 3, as it is written now. */
static inline struct witness
layout3_witness(const struct witness *read)
{
    struct layout3_witness old;
    struct witness witness;

    memcpy(&old, read, sizeof old);
    witness = (struct witness){
        .number = old.number,
        .stamp_ms = old.stamp_ms,
        .jails = UINT64_C(1) << old.jail % TABLE_JAILS_MAX,
        .class = old.class,
        .attempts = old.attempts,
    };
    memcpy(witness.address, old.address, sizeof witness.address);
    memcpy(witness.host, old.host, sizeof witness.host);
    memcpy(witness.service, old.service, sizeof witness.service);
    memcpy(witness.user, old.user, sizeof witness.user);
    memcpy(witness.line, old.line, sizeof witness.line - 1);
    return witness;
}

#endif
