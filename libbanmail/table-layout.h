/* table-layout: what stands in the table's file, and how a word of it is read and written. Only
 * the table's own files include this.
 *
 *      0 ┌──────────────────────────────────────────────────────────────┐
 *        │ header: fixed part with checksum, counters, texts, directory │ 4,096 bytes
 *   4096 ├──────────────────────────────────────────────────────────────┤
 *        │ jails      64 cells, and the same again                      │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ records    capacity cells, in buckets of 16                  │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ attempts   capacity / 8 cells, in buckets of 16              │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ bans       max_bans cells                                    │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ evidence   capacity / 16 places of 512 bytes                 │
 *        └──────────────────────────────────────────────────────────────┘
 *
 * The last 1,024 bytes of the header's page are eight cells of gateways.
 *
 * The header's directory gives offset and length of each section and has room for more.
 *
 * Every cell is 128 bytes, sixteen 64-bit words, and begins with the same word:
 *
 *      0        4       6      7      8                                 128
 *      ┌────────┬───────┬──────┬──────┬───────────────────────────────────┐
 *      │sequence│ check │ used │ own  │ fifteen words, by section         │
 *      └────────┴───────┴──────┴──────┴───────────────────────────────────┘
 *
 * `sequence` is odd while the cell is being written, `check` is a checksum of all else, `used` is
 * 0 in a free cell. One writing process, under locks of its own; readers in any process copy the
 * words and try again when the sequence has changed (a seqlock). A writer that was killed leaves
 * an odd sequence, or a check that does not fit: that one cell is dropped at the next attach.
 * (Jails are there twice, because all records of a jail would be worthless without it.)
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_LAYOUT_H
#define BANMAIL_TABLE_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "evidence.h"
#include "jail.h"
#include "siphash.h"
#include "source.h"
#include "table.h"
#include "table-gateway.h"
#include "table-health.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "words shared between processes need no lock");

/* ---- cells ---- */

#define CELL_WORDS 16
#define CELL_SIZE  (CELL_WORDS * 8)
#define CELL_ALL   0xfffeU /* all words but the first */
#define CELL_TRIES 1000    /* copies that a reader tries before it gives up on a busy cell */

struct cell {
    _Atomic uint64_t word[CELL_WORDS];
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
cell_check(const uint64_t word[CELL_WORDS])
{
    uint64_t sum = cell_turn_head(word[0]);

    for (unsigned i = 1; i < CELL_WORDS; i++)
        sum ^= cell_turn(i, word[i]);
    return cell_fold(sum);
}

/* For who holds the cell's lock, and so need not fear a writer. `value` is one of the structs
 * below. */
static inline void
cell_load(const struct cell *cell, void *value)
{
    memcpy(value, (const void *)cell, CELL_SIZE);
}

static inline struct cell_head
cell_load_head(const struct cell *cell)
{
    uint64_t word = atomic_load_explicit(&cell->word[0], memory_order_relaxed);
    struct cell_head head;

    memcpy(&head, &word, sizeof head);
    return head;
}

static inline void
cell_store_head(struct cell *cell, struct cell_head head, memory_order order)
{
    uint64_t word;

    memcpy(&word, &head, sizeof word);
    atomic_store_explicit(&cell->word[0], word, order);
}

/* Which words but the first differ from those of `value`, as bits. */
static inline uint32_t
cell_changes(const struct cell *cell, const void *value)
{
    uint64_t old[CELL_WORDS], new[CELL_WORDS];
    uint32_t changes = 0;

    cell_load(cell, old);
    memcpy(new, value, sizeof new);
    for (unsigned i = 1; i < CELL_WORDS; i++)
        changes |= (uint32_t)(old[i] != new[i]) << i;
    return changes;
}

/* For who holds the cell's lock; the cell is whole. Writes the first word, whose sequence and check
 * are made here, and those of `changes`; release on each orders it behind the odd sequence, for the
 * price of a plain store on x86. A change in the first word alone is one store, and cannot be
 * torn. */
static inline void
cell_store(struct cell *cell, const void *value, uint32_t changes)
{
    struct cell_head before = cell_load_head(cell), after;
    uint64_t word, sum;

    memcpy(&after, value, sizeof after);
    memcpy(&word, value, sizeof word);
    sum = cell_turn_head(word ^ atomic_load_explicit(&cell->word[0], memory_order_relaxed));
    before.sequence++;
    if (changes != 0)
        cell_store_head(cell, before, memory_order_relaxed);
    for (; changes != 0; changes &= changes - 1) {
        unsigned i = (unsigned)__builtin_ctz(changes);

        memcpy(&word, (const char *)value + i * sizeof word, sizeof word);
        sum ^= cell_turn(i, word ^ atomic_load_explicit(&cell->word[i], memory_order_relaxed));
        atomic_store_explicit(&cell->word[i], word, memory_order_release);
    }
    after.sequence = before.sequence + 1;
    after.check = before.check ^ cell_fold(sum);
    cell_store_head(cell, after, memory_order_release);
}

static inline void
cell_replace(struct cell *cell, const void *value)
{
    cell_store(cell, value, cell_changes(cell, value));
}

/* Makes a cell whole, and free, whatever was in it. Only while attaching. */
static inline void
cell_clear(struct cell *cell)
{
    for (unsigned i = 0; i < CELL_WORDS; i++)
        atomic_store_explicit(&cell->word[i], 0, memory_order_relaxed);
}

/* Without a lock, from any process. Returns false when the cell was being written every time. */
static inline bool
cell_read(const struct cell *cell, void *value)
{
    uint64_t word[CELL_WORDS];
    struct cell_head head;

    for (unsigned tries = 0; tries < CELL_TRIES; tries++) {
        for (unsigned i = 0; i < CELL_WORDS; i++)
            word[i] = atomic_load_explicit(&cell->word[i], memory_order_acquire);
        memcpy(&head, word, sizeof head);
        if (head.sequence % 2 == 0 &&
            atomic_load_explicit(&cell->word[0], memory_order_relaxed) == word[0]) {
            memcpy(value, word, CELL_SIZE);
            return true;
        }
    }
    return false;
}

/* Whether what a killed writer or a damaged file left here is whole. */
static inline bool
cell_is_whole(const void *value)
{
    uint64_t word[CELL_WORDS];
    struct cell_head head;

    memcpy(word, value, CELL_SIZE);
    memcpy(&head, value, sizeof head);
    return head.sequence % 2 == 0 && head.check == cell_check(word);
}

/* ---- what is in the cells ---- */

struct jail_cell {
    struct cell_head head; /* own: 0 */
    char name[JAIL_NAME_SIZE];
    uint64_t classes;
    int64_t findtime_s;
    int64_t bantime_s;
    uint32_t maxretry;
    uint8_t v4_bits;
    uint8_t v6_bits;
    struct ports ports; /* count 0: the mail ports */
    uint8_t zero[24];
};

_Static_assert(sizeof(struct jail_cell) == CELL_SIZE && _Alignof(struct jail_cell) == 8 &&
                   sizeof(struct ports) == 34,
               "layout");

/* Whose failures, in which jail, counted for which hosts. */
struct record_key {
    uint8_t address[16];
    uint8_t prefix;
    uint8_t jail;
    uint16_t scope; /* 0: the whole fleet */
};

_Static_assert(sizeof(struct record_key) == 20, "no padding: keys are hashed and compared whole");

/* One client's counter.
 *
 *      0      8                  28     32                 64                         128
 *      ┌──────┬──────────────────┬──────┬──────────────────┬────────────────────────────┐
 *      │ head │ key              │ ban  │ 16 short hashes  │ 16 stamps                  │
 *      └──────┴──────────────────┴──────┴──────────────────┴────────────────────────────┘
 */
struct record {
    struct cell_head head; /* own: how many stamps */
    struct record_key key;
    uint32_t ban;                          /* the slot of its latest ban + 1; 0: none */
    uint16_t attempted[JAIL_MAXRETRY_MAX]; /* of (user, secret), beside the stamps; 0: none */
    uint32_t stamps[JAIL_MAXRETRY_MAX];    /* the newest failures, in seconds, ascending */
};

_Static_assert(sizeof(struct record) == CELL_SIZE, "layout");
_Static_assert(offsetof(struct record, key) == 8 && offsetof(struct record, ban) == 28 &&
                   offsetof(struct record, attempted) == 32 &&
                   offsetof(struct record, stamps) == 64,
               "layout");

/* The words of the cell in which the stamp `at` and its hash lie. */
#define RECORD_WORDS_OF(at) (UINT32_C(1) << (8 + (at) / 2) | UINT32_C(1) << (4 + (at) / 4))

#define ATTEMPT_KINDS       8

struct attempt_kind {
    uint16_t kind;
    uint16_t lines; /* attempts told by lines of this kind; 0: free */
};

/* What lines have told within some seconds about one client and user at one service, or (with user
 * 0, `is_sum` set) about that client at that service with any user or none.
 *
 *      0      8         24     32       40        48           56        64          80      112
 *      ┌──────┬─────────┬──────┬────────┬─────────┬────────────┬─────────┬───────────┬───────┐
 *      │ head │ address │ user │ secret │ session │service,host│ numbers │first, last│ kinds │ 0
 *      └──────┴─────────┴──────┴────────┴─────────┴────────────┴─────────┴───────────┴───────┘
 */
struct attempt {
    struct cell_head head; /* own: the family of classes */
    uint8_t address[16];
    uint64_t user_hash;
    uint64_t secret_hash;  /* of the latest line */
    uint64_t session_hash; /* likewise */
    uint32_t service_hash;
    uint32_t host_hash; /* of the host that logged it; 0: not told */
    uint16_t scope;
    uint8_t is_sum;
    uint8_t zero;
    uint16_t counted; /* attempts that these lines have added to the counters */
    uint16_t by_user; /* in a sum: what the entries of its users have added together */
    int64_t first_ms;
    int64_t last_ms;
    struct attempt_kind kinds[ATTEMPT_KINDS];
    uint64_t zeros[2];
};

_Static_assert(sizeof(struct attempt) == CELL_SIZE, "layout");
_Static_assert(offsetof(struct attempt, service_hash) == 48 &&
                   offsetof(struct attempt, first_ms) == 64 &&
                   offsetof(struct attempt, kinds) == 80,
               "layout");

/* One ban; state and `recorded` stand in the first word, so that they change in one store.
 *
 *      0      8         24     32         40   48      56      64      72      80
 *      ┌──────┬─────────┬──────┬──────────┬────┬───────┬───────┬───────┬───────┐
 *      │ head │ address │ kind │ table_id │ id │ first │ since │ until │ ended │
 *      └──────┴─────────┴──────┴──────────┴────┴───────┴───────┴───────┴───────┘
 *      80       84     88         96            104          112           120 128
 *      ┌────────┬──────┬──────────┬─────────────┬────────────┬─────────────┬───┐
 *      │ lifter │ after│ enforced │ first after │ last after │ seconds … 0 │ 0 │
 *      └────────┴──────┴──────────┴─────────────┴────────────┴─────────────┴───┘
 */
struct ban_cell {
    struct cell_head head; /* used: enum ban_state; own: whether the ledger has it as it is */
    uint8_t address[16];
    uint8_t prefix;
    uint8_t jail;
    uint16_t scope;
    uint16_t failures;
    uint8_t class;
    uint8_t origin_and_end; /* enum ban_origin * 16 + enum ban_end */
    uint64_t table_id;
    uint64_t id;
    int64_t first_ms;
    int64_t since_ms;
    int64_t until_ms;
    int64_t ended_ms;
    uint32_t lifted_by;
    uint32_t after; /* failures for which packets passed in spite of it */
    int64_t enforced_ms;
    int64_t after_first_ms;
    int64_t after_last_ms;
    uint16_t after_seconds;
    uint8_t after_services;
    uint8_t zero[5];
    uint64_t zeros[1]; /* room for where its evidence begins */
};

_Static_assert(sizeof(struct ban_cell) == CELL_SIZE, "layout");
_Static_assert(offsetof(struct ban_cell, table_id) == 32 &&
                   offsetof(struct ban_cell, ended_ms) == 72 &&
                   offsetof(struct ban_cell, enforced_ms) == 88 &&
                   offsetof(struct ban_cell, after_seconds) == 112,
               "layout");

/* One line of evidence. It has a sequence as cells have, and a checksum of its own: it is longer.
 *
 *      0          8       16       24      32        48        56     104       136    232    512
 *      ┌──────────┬───────┬────────┬───────┬─────────┬─────────┬──────┬─────────┬──────┬──────┐
 *      │ sequence │ check │ number │ stamp │ address │ numbers │ host │ service │ user │ line │
 *      └──────────┴───────┴────────┴───────┴─────────┴─────────┴──────┴─────────┴──────┴──────┘
 */
#define WITNESS_SIZE  512
#define WITNESS_WORDS (WITNESS_SIZE / 8)

struct witness {
    uint64_t sequence;
    uint64_t check;
    uint64_t number; /* 0: free */
    int64_t stamp_ms;
    uint8_t address[16];
    uint8_t class;
    uint8_t jail;
    uint8_t attempts;
    uint8_t zero[5];
    char host[EVIDENCE_HOST_SIZE];
    char service[EVIDENCE_SERVICE_SIZE];
    char user[EVIDENCE_USER_SIZE];
    char line[EVIDENCE_LINE_SIZE];
};

struct witness_cell {
    _Atomic uint64_t word[WITNESS_WORDS];
};

_Static_assert(sizeof(struct witness) == WITNESS_SIZE, "layout");
_Static_assert(sizeof(struct witness_cell) == WITNESS_SIZE, "layout");
_Static_assert(offsetof(struct witness, host) == 56 && offsetof(struct witness, user) == 136 &&
                   offsetof(struct witness, line) == 232,
               "layout");

/* ---- the header ---- */

#define TABLE_MAGIC       "ombantbl"
#define TABLE_HEADER_SIZE 4096
#define TABLE_TALLIES     16 /* counters are spread over as many cache lines */
#define BUCKET_WAYS       16

enum section_kind {
    SECTION_JAILS,
    SECTION_RECORDS,
    SECTION_ATTEMPTS,
    SECTION_BANS,
    SECTION_EVIDENCE,
    SECTIONS_NOW,
    SECTIONS_MAX = 16,
};

struct section {
    uint64_t offset;
    uint64_t length;
};

/* Written once, before the file gets its name. */
struct table_fixed {
    char magic[8];
    uint64_t layout; /* table_layout_id() */
    uint64_t size;   /* of the whole file */
    struct section sections[SECTIONS_MAX];
    uint64_t seed[2];
    uint64_t table_id;
    int64_t created_ms;
    uint32_t capacity;
    uint32_t max_bans;
    uint64_t check; /* of all before */
};

_Static_assert(sizeof(struct table_fixed) == 24 + 16 * SECTIONS_MAX + 48, "no padding");

struct table_tally {
    _Atomic uint64_t counted;
    _Atomic uint64_t duplicates;
    _Atomic uint64_t evicted;
    _Atomic uint64_t refused;
    _Atomic uint64_t messages; /* that came to the action */
    _Atomic uint64_t matched;
    _Atomic uint64_t unmatched; /* that look like a login, but no rule knows them */
    uint64_t zeros[1];
};

#define TEXT_WORDS (1 + (16 + 2 * TABLE_PATH_SIZE) / 8)

struct table_text {
    uint64_t sequence; /* as a cell's */
    char version[16];
    char ledger_path[TABLE_PATH_SIZE];
    char trouble[TABLE_PATH_SIZE];
};

_Static_assert(sizeof(struct table_text) == TEXT_WORDS * 8, "layout");

/* A number that would do harm if it were damaged. Zero with a check of zero is a good zero. */
struct table_guarded {
    _Atomic uint64_t value;
    _Atomic uint64_t check;
};

/* How the tallies stood at a time, one for each minute of the last quarter of an hour. */
#define TABLE_SAMPLES 16

struct table_sample {
    _Atomic int64_t at_s;
    _Atomic uint64_t messages;
    _Atomic uint64_t matched;
    _Atomic uint64_t unmatched;
};

/* The password database of a host is out of order; used: 1 while it is. */
struct outage_cell {
    struct cell_head head;
    int64_t since_ms;
    int64_t until_ms;
    uint32_t places;
    uint32_t zero;
    char host[TABLE_HOST_SIZE];
};

_Static_assert(sizeof(struct outage_cell) == CELL_SIZE, "layout");

struct table_header {
    struct table_fixed fixed;
    _Atomic uint64_t generation;
    _Atomic uint64_t bans;
    _Atomic uint64_t unbans;
    _Atomic int64_t opened_ms;
    _Atomic int64_t writer;         /* process id */
    _Atomic uint64_t withdrawn;     /* failures */
    struct table_guarded last_id;   /* that was given to a ban */
    struct table_guarded latest_ms; /* the newest time that table_expire was told */
    _Atomic uint64_t text[TEXT_WORDS];
    _Atomic uint64_t last_evidence;       /* number of the newest line in the ring */
    _Atomic int64_t last_message_s;       /* when a message last came to the action */
    _Atomic uint64_t held_back;           /* bans, by the limit on bans a minute */
    _Atomic int64_t held_back_s;          /* the latest of them */
    struct table_guarded paused_until_ms; /* 0: not paused */
    _Atomic int64_t ledger_error;         /* negative errno while it cannot be written */
    _Atomic uint64_t lost[TABLE_LOSSES];  /* messages, before they came to the action */
    _Atomic int64_t lost_s;               /* the latest of them */
    struct cell outage;                   /* an outage_cell */
    struct table_sample samples[TABLE_SAMPLES];
    _Alignas(64) struct table_tally tallies[TABLE_TALLIES];
};

/* A client that was not banned because others come through it. In the header's page, but behind the
 * header: in a file of an earlier version these bytes are zero, and so the cells free.
 *
 *      0      8         24     32       36  40      48     56  128
 *      ┌──────┬─────────┬──────┬────────┬───┬───────┬──────┬───┐
 *      │ head │ address │ kind │ spared │ 0 │ first │ last │ 0 │
 *      └──────┴─────────┴──────┴────────┴───┴───────┴──────┴───┘
 */
struct gateway_cell {
    struct cell_head head; /* used: 1; own: whether it has been told */
    uint8_t address[16];
    uint8_t prefix;
    uint8_t jail;
    uint8_t users; /* that logged in through it; 0: it is of a network of this machine */
    uint8_t zero[5];
    uint32_t spared; /* bans */
    uint32_t zero2;
    int64_t first_ms;
    int64_t last_ms;
    uint64_t zeros[9];
};

_Static_assert(sizeof(struct gateway_cell) == CELL_SIZE, "layout");
_Static_assert(offsetof(struct gateway_cell, spared) == 32 &&
                   offsetof(struct gateway_cell, last_ms) == 48,
               "layout");

#define TABLE_GATEWAYS_OFFSET (TABLE_HEADER_SIZE - TABLE_GATEWAYS * CELL_SIZE)

_Static_assert(sizeof(struct table_header) <= TABLE_GATEWAYS_OFFSET, "the header fits its page");

#define GUARD_FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* One thread at a time writes, under a lock of its own. */
static inline void
table_guarded_set(struct table_guarded *guarded, uint64_t value)
{
    atomic_store_explicit(&guarded->value, value, memory_order_relaxed);
    atomic_store_explicit(&guarded->check, value * GUARD_FACTOR, memory_order_relaxed);
}

static inline bool
table_guarded_get(const struct table_guarded *guarded, uint64_t *value)
{
    *value = atomic_load_explicit(&guarded->value, memory_order_relaxed);
    return atomic_load_explicit(&guarded->check, memory_order_relaxed) == *value * GUARD_FACTOR;
}

/* Changes with every size and with the version, and differs between byte orders. */
static inline uint64_t
table_layout_id(void)
{
    static const uint64_t key[2] = {1, 2};
    const uint64_t facts[] = {
        3, /* the version: raise it when a field changes its meaning but not its place */
        sizeof(struct table_header),
        offsetof(struct table_header, last_id),
        offsetof(struct table_header, tallies),
        CELL_SIZE,
        OFFENCE_CLASSES,
        TABLE_JAILS_MAX,
        JAIL_MAXRETRY_MAX,
        BUCKET_WAYS,
        WITNESS_SIZE,
    };

    return siphash(key, facts, sizeof facts / sizeof *facts, 0, 2, 4);
}

static inline uint64_t
table_fixed_check(const struct table_fixed *fixed)
{
    static const uint64_t key[2] = {3, 4};
    uint64_t words[(sizeof *fixed - sizeof fixed->check) / 8];

    memcpy(words, fixed, sizeof words);
    return siphash(key, words, sizeof words / sizeof *words, 0, 2, 4);
}

#endif
