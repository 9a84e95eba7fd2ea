/* table-layout: what stands in the table's file. Only the table's own files include this.
 *
 *      0 ┌──────────────────────────────────────────────────────────────┐
 *        │ header: fixed part with checksum, counters, texts, directory │ 4,096 bytes
 *   4096 ├──────────────────────────────────────────────────────────────┤
 *        │ jails      64 cells, and the same again                      │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ records    capacity cells of 192 bytes, in buckets of 16     │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ attempts   capacity / 8 cells, in buckets of 16              │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ bans       max_bans cells                                    │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ evidence   capacity / 16 places of 512 bytes                 │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ lines      capacity / 2 places of 16 bytes, in buckets of 8  │
 *        ├──────────────────────────────────────────────────────────────┤
 *        │ jail lines 64 counters                                       │
 *        └──────────────────────────────────────────────────────────────┘
 *
 * The last 1,024 bytes of the header's page are eight cells of gateways.
 *
 * The header's directory gives offset and length of each section and has room for more.
 *
 * A cell is sixteen 64-bit words (a record's twenty-four): table-cell.h.
 * (Jails are there twice, because all records of a jail would be worthless without it.)
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_LAYOUT_H
#define BANMAIL_TABLE_LAYOUT_H

#include <stddef.h>

#include "line/evidence.h"
#include "rules/jail.h"
#include "base/siphash.h"
#include "base/source.h"
#include "table/table.h"
#include "table/table-cell.h"
#include "table/table-gateway.h"
#include "table/table-health.h"

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
    struct ports ports;    /* count 0: the mail ports */
    int64_t bantime_max_s; /* growth.max_s */
    uint8_t repeats;       /* 0, as layout 3 has it, means 1 */
    uint8_t flags;         /* JAIL_CELL_… */
    uint8_t
        neighbours_time[2];  /* 14 bits of a number, 2 of its unit, see table-jails.c; 0: a day */
    float factor;            /* growth.factor; 0: 1 */
    uint32_t random_s;       /* growth.random_s */
    uint8_t login_allowance; /* kindness.login_allowance; 0: 1 */
    uint8_t mail_allowance;  /* kindness.mail_allowance; 0: 1 */
    uint8_t services;        /* 0: all */
    uint8_t neighbours;      /* 0: none */
};

#define JAIL_CELL_GROWS    1
#define JAIL_CELL_OVER_ALL 2
#define JAIL_CELL_FORGIVES 4
#define JAIL_CELL_SKIPS    8
#define JAIL_CELL_OBSERVES 16
#define JAIL_CELL_PER_HOST 32
#define JAIL_CELL_DROPS    64 /* has that verdict of its own */
#define JAIL_CELL_REJECTS  128

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

/* The latest ban that a jail would have made of a client, did it not only observe. */
struct observed {
    uint32_t first_s; /* the oldest failure */
    uint32_t since_s; /* 0: none */
    uint32_t until_s; /* UINT32_MAX: for ever */
    uint16_t failures;
    uint8_t class;
    uint8_t zero;
};

_Static_assert(sizeof(struct observed) == 16, "layout");

/* One client's counter in one jail.
 *
 *      0      8     28    32      36     38       39       40     44      48         64
 *      ┌──────┬─────┬─────┬───────┬──────┬────────┬────────┬──────┬───────┬──────────┐
 *      │ head │ key │ ban │ login │ bans │ repeat │ spared │ mail │ since │ observed │
 *      └──────┴─────┴─────┴───────┴──────┴────────┴────────┴──────┴───────┴──────────┘
 *      64         96           128         192
 *      ┌──────────┬────────────┬───────────┐
 *      │ 16 users │ 16 secrets │ 16 stamps │
 *      └──────────┴────────────┴───────────┘
 *
 * User, secret and stamp of one failure have the same index; the stamps ascend. In a record of the
 * jail TABLE_JAIL_MANUAL they are those of logins. */
#define RECORD_WORDS 24
#define RECORD_SIZE  (RECORD_WORDS * 8)

struct record {
    struct cell_head head; /* own: how many stamps */
    struct record_key key;
    uint32_t ban;     /* the slot of its latest ban + 1; 0: none */
    uint32_t login_s; /* when a user last logged in from there; 0: never, as far as known */
    uint16_t bans;    /* how often it was banned before */
    uint8_t repeat; /* repeated guesses since the last one that counted, see jail.repeats; or, where
                       jail_step is more than 1, the failures that have come with the newest
                       stamp */
    uint8_t spared; /* how often it had enough failures for a ban, but was worth more, */
    uint32_t mail_s;          /* when mail was last taken from there; 0: never, as far as known */
    uint32_t spared_s;        /* since then */
    struct observed observed; /* zeros in a file of an earlier version: not banned */
    uint16_t users[JAIL_STAMPS_MAX]; /* hashes; 0: the line named none */
    uint16_t secrets[JAIL_STAMPS_MAX];
    uint32_t stamps[JAIL_STAMPS_MAX]; /* of the newest failures, in seconds */
};

struct record_cell {
    cell_word word[RECORD_WORDS];
};

_Static_assert(sizeof(struct record) == RECORD_SIZE && RECORD_WORDS <= CELL_WORDS_MAX &&
                   sizeof(struct record_cell) == RECORD_SIZE,
               "layout");
_Static_assert(offsetof(struct record, key) == 8 && offsetof(struct record, ban) == 28 &&
                   offsetof(struct record, login_s) == 32 && offsetof(struct record, bans) == 36 &&
                   offsetof(struct record, repeat) == 38 && offsetof(struct record, mail_s) == 40 &&
                   offsetof(struct record, observed) == 48 &&
                   offsetof(struct record, users) == 64 && offsetof(struct record, secrets) == 96 &&
                   offsetof(struct record, stamps) == 128,
               "layout");

#define ATTEMPT_KINDS 8

struct attempt_kind {
    uint16_t kind;
    uint16_t lines; /* attempts told by lines of this kind; 0: free */
};

/* What lines have told within some seconds about one client and user at one service, or (with user
 * 0, `is_sum` set) about that client at that service with any user or none.
 *
 *      0      8         24     32       40        48           56        64          80      112
 *      ┌──────┬─────────┬──────┬────────┬─────────┬────────────┬─────────┬───────────┬───────┐
 *      │ head │ address │ user │ unused │ session │service,host│ numbers │first, last│ kinds │ 0
 *      └──────┴─────────┴──────┴────────┴─────────┴────────────┴─────────┴───────────┴───────┘
 */
struct attempt {
    struct cell_head head; /* own: the family of classes */
    uint8_t address[16];
    uint64_t user_hash;
    uint64_t unused;       /* earlier versions have written a hash here */
    uint64_t session_hash; /* of the latest line */
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
 *      │ lifter │ after│ enforced │ first after │ last after │ … origin    │ c │
 *      └────────┴──────┴──────────┴─────────────┴────────────┴─────────────┴───┘
 *
 * c: change. */
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
    /* Until it is lifted: 1 + user id of who made it by hand; 0: not known. The ledger keeps both;
     * lifted within the quarter of a second before it is recorded, a ban has lost who made it. */
    uint32_t lifted_by;
    uint32_t after; /* failures for which packets passed in spite of it */
    int64_t enforced_ms;
    int64_t after_first_ms;
    int64_t after_last_ms;
    uint16_t after_seconds;
    uint8_t after_services;
    uint8_t untold;  /* BAN_…_UNTOLD, BAN_CHANGE_UNSENT: what nobody has been told of */
    uint32_t origin; /* 0: this table; part of what makes it another ban than a like one */
    uint64_t change; /* the number of its latest change in the table of its origin */
};

_Static_assert(sizeof(struct ban_cell) == CELL_SIZE, "layout");
_Static_assert(offsetof(struct ban_cell, table_id) == 32 &&
                   offsetof(struct ban_cell, ended_ms) == 72 &&
                   offsetof(struct ban_cell, enforced_ms) == 88 &&
                   offsetof(struct ban_cell, after_seconds) == 112 &&
                   offsetof(struct ban_cell, origin) == 116 &&
                   offsetof(struct ban_cell, change) == 120,
               "layout");

/* One line of evidence. It has a sequence as cells have, and a checksum of its own: it is longer.
 *
 *      0      8       16       24      32        48      56        64     112       144    240 512
 *      ┌──────┬───────┬────────┬───────┬─────────┬───────┬─────────┬──────┬─────────┬──────┬──────┐
 *      │ seq. │ check │ number │ stamp │ address │ jails │ numbers │ host │ service │ user │ line │
 *      └──────┴───────┴────────┴───────┴─────────┴───────┴─────────┴──────┴─────────┴──────┴──────┘
 */
#define WITNESS_SIZE  512
#define WITNESS_WORDS (WITNESS_SIZE / 8)

struct witness {
    uint64_t sequence;
    uint64_t check;
    uint64_t number; /* 0: free */
    int64_t stamp_ms;
    uint8_t address[16];
    uint64_t jails; /* that counted it, as bits */
    uint8_t class;
    uint8_t attempts;
    uint16_t scope; /* 0: not known, as in a file of an earlier version */
    uint8_t zero[4];
    char host[EVIDENCE_HOST_SIZE];
    char service[EVIDENCE_SERVICE_SIZE];
    char user[EVIDENCE_USER_SIZE];
    char line[EVIDENCE_LINE_SIZE];
};

/* Words of a witness. */
#define WITNESS_NUMBER 2
#define WITNESS_JAILS  6

struct witness_cell {
    _Atomic uint64_t word[WITNESS_WORDS];
};

_Static_assert(sizeof(struct witness) == WITNESS_SIZE, "layout");
_Static_assert(sizeof(struct witness_cell) == WITNESS_SIZE, "layout");
_Static_assert(offsetof(struct witness, jails) == 48 && offsetof(struct witness, host) == 64 &&
                   offsetof(struct witness, user) == 144 && offsetof(struct witness, line) == 240,
               "layout");

/* That a line has come: table-lines.c. Two words, each written for itself.
 *
 *      0             8                 13.2   14.4    15.2     16
 *      ┌─────────────┬─────────────────┬──────┬───────┬────────┐
 *      │ fingerprint │ received        │ life │ count │ before │   the second word in bits:
 *      └─────────────┴─────────────────┴──────┴───────┴────────┘   42, 10, 6 and 6
 */
#define LINE_LIVES     1024
#define LINE_COUNT_MAX 63

struct known_line {
    uint64_t fingerprint;      /* 0: free */
    uint64_t received_ms : 42; /* when the first of those came that are one burst; until 2109 */
    uint64_t life : 10;        /* the table's, when it last came */
    uint64_t count : 6;        /* equal lines that were taken for so many */
    uint64_t before : 6; /* of them, those of earlier lives that have not come again in this one */
};

#define LINE_WAYS 8

struct line_bucket {
    cell_word word[2 * LINE_WAYS];
};

_Static_assert(sizeof(struct known_line) == 16 && sizeof(struct line_bucket) == 16 * LINE_WAYS,
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
    SECTION_LINES,
    SECTION_JAIL_LINES,
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
    _Atomic uint64_t lives;    /* how often it was opened for writing */
    _Atomic uint64_t repeated; /* lines that had come before */
    _Alignas(64) struct table_tally tallies[TABLE_TALLIES];
    /* Zero in a file of an earlier version. */
    _Atomic int64_t id_logged_s;   /* when Dovecot last logged what a client says of itself */
    _Atomic uint64_t untrusted;    /* lines of users who may not write them */
    _Atomic int64_t untrusted_s;   /* the latest of them, */
    _Atomic int64_t untrusted_uid; /* and whose it was */
    _Atomic int64_t learn_until_ms;
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
        4, /* the version: raise it when a field changes its meaning but not its place */
        sizeof(struct table_header),
        offsetof(struct table_header, last_id),
        offsetof(struct table_header, tallies),
        CELL_SIZE,
        RECORD_SIZE,
        OFFENCE_SERVER_FAULT + 1, /* the classes behind it came later, and changed no number */
        TABLE_JAILS_MAX,
        JAIL_STAMPS_MAX,
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
