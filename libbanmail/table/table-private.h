/* table-private: what the table's own files share in memory of the writing process.
 *
 * Nothing here is stored: indexes, locks and queues are made anew from the cells at each attach,
 * so a crash cannot leave them wrong.
 *
 * Locks: `stripes` guard the records and the attempts of a bucket, `bans.lock` all bans,
 * `jails_lock` the jails and the texts. A thread may take bans.lock while it holds a stripe, never
 * the other way round, and makes no system call while it holds any.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_PRIVATE_H
#define BANMAIL_TABLE_PRIVATE_H

#include <pthread.h>

#include "line/stamp.h"
#include "table/table-layout.h"

#define TABLE_STRIPES 1024

/* Beside each bucket of records: all that a lookup and an eviction need, in two cache lines. */
struct record_bucket {
    uint16_t tags[BUCKET_WAYS];     /* of the hash; 0: free */
    uint32_t newest_s[BUCKET_WAYS]; /* the latest failure */
    uint8_t jails[BUCKET_WAYS];
    uint8_t left[BUCKET_WAYS]; /* failures that make the next ban; 0: has one */
};

_Static_assert(sizeof(struct record_bucket) == 128, "two cache lines");

struct attempt_bucket {
    uint16_t tags[BUCKET_WAYS];
    uint16_t next; /* the way that is given up when all are taken: the oldest */
};

/* What is left of clients whose record had to go: enough to know that they have failed before. A
 * crowd that fills the table consists of clients that fail once; without this nobody would be
 * counted twice while it lasts. Four for each record, in a ring for each bucket. */
#define BUCKET_GHOSTS 63

struct ghosts {
    uint32_t next;
    uint32_t used;
    uint32_t fingerprints[BUCKET_GHOSTS];
    uint32_t stamps_s[BUCKET_GHOSTS];
};

_Static_assert(sizeof(struct ghosts) == 512, "eight cache lines");

/* Where a hash leads. */
struct place {
    uint32_t bucket;
    uint32_t fingerprint; /* in the bucket */
    uint16_t tag;
};

/* Which keys the records may have: what has to be looked up to find all of an address. */
struct key_kinds {
    _Atomic uint64_t jails;          /* as bits */
    _Atomic uint64_t prefixes[2][3]; /* likewise; of IPv6, and of IPv4 */
    atomic_bool has_scopes;          /* others than 0 */
};

struct stripe {
    _Alignas(64) pthread_mutex_t lock;
};

#define INEFFECTIVE 16 /* bans that have no effect, found since somebody asked */

enum ban_list { LIST_PENDING, LIST_UNRECORDED, LIST_UNTOLD, LIST_UNSENT, LIST_OVER, BAN_LISTS };

struct ban_link {
    uint32_t before;
    uint32_t after;
};

/* Beside each ban. */
struct ban_slot {
    uint64_t version; /* of its latest change that the kernel has to see */
    int64_t until_ms;
    uint32_t chained; /* the next one in its chain */
    uint32_t heap_at;
    struct ban_link links[BAN_LISTS];
};

struct bans {
    pthread_mutex_t lock;
    struct ban_slot *slots; /* max_bans, and one more: the lists' ends */
    uint32_t *chains;       /* by hash of the source: its first slot */
    uint32_t chain_mask;
    int32_t *shares; /* likewise, by hash of the large network it is in: how many it may make yet */
    uint32_t free;   /* the first free slot */
    uint32_t *heap;  /* live ones that end some day, the next to end first */
    uint32_t heap_count;
    uint64_t version;
    uint64_t last_id;  /* given to a ban; stored as well */
    int64_t latest_ms; /* the newest time that table_expire was told; stored as well */
    uint64_t seen_id;  /* last_id at that time */
    _Atomic size_t pending;
    bool are_told; /* LIST_UNTOLD is kept, */
    bool are_sent; /* and LIST_UNSENT */
    _Atomic size_t untold, unsent;
    _Atomic uint64_t never_told; /* bans that had to make room before somebody was told of them */
    unsigned most_a_minute;      /* bans that jails may make; 0: no limit */
    unsigned in_minute;
    int64_t minute;
    _Atomic uint64_t after;      /* failures for which packets passed in spite of a ban */
    uint32_t found[INEFFECTIVE]; /* the slots of those that nobody has been told of */
    unsigned found_count;
};

/* Beside the ring of evidence: the lines of a network, from the newest to the oldest. */
struct line_chains {
    _Atomic uint64_t *heads;  /* by hash of the network: its newest line; 0: none */
    _Atomic uint64_t *before; /* by place: the line before it in its chain */
    uint64_t factor;
    unsigned shift;
    _Atomic unsigned v4_bits, v6_bits; /* of a network: the widest that a jail bans */
};

struct table {
    int file;
    bool is_writer;
    size_t size;
    struct table_header *header;
    struct cell *jails;
    struct record_cell *records;
    struct cell *attempts;
    struct cell *ban_cells;
    struct witness_cell *witnesses;
    uint32_t witness_count;
    struct line_bucket *line_buckets;
    _Atomic uint64_t *jail_lines; /* [TABLE_JAILS_MAX] */
    uint32_t line_bucket_count;
    unsigned layout; /* 4; 3: only to be taken over */
    unsigned life;   /* the writer's: how often the table was opened, modulo LINE_LIVES */
    uint32_t capacity;
    uint32_t max_bans;
    uint32_t record_bucket_count;
    uint32_t attempt_bucket_count;
    struct siphash_state hash; /* of the seed */
    /* the writer's only: */
    struct record_bucket *record_buckets;
    struct ghosts *ghosts;
    struct attempt_bucket *attempt_buckets;
    struct key_kinds kinds;
    struct stripe *stripes;
    pthread_mutex_t jails_lock;
    _Atomic int64_t findtime_s[TABLE_JAILS_MAX];
    _Atomic uint8_t same_ports[TABLE_JAILS_MAX]; /* the first jail that closes the same */
    _Atomic uint32_t jails_known;                /* how often that has changed */
    bool shares_v4_set, shares_v6_set;           /* the enforcer's */
    atomic_bool rebuild;
    atomic_bool has_other_ports; /* than the enforcer has asked for */
    struct line_chains chains;
    struct bans bans;
};

static inline struct place
table_place(const struct table *table, const uint8_t address[16], uint64_t more, uint32_t buckets)
{
    uint64_t hash = siphash_address(table->hash, address, more);
    uint16_t tag = (uint16_t)hash;

    return (struct place){(uint32_t)((hash >> 32) * buckets >> 32), (uint32_t)hash, tag ? tag : 1};
}

/* Which ways have this tag, as bits. Eight are compared at once: every lookup does it. */
static inline uint32_t
table_match_tags(const uint16_t tags[BUCKET_WAYS], uint16_t tag)
{
    typedef uint16_t lanes __attribute__((vector_size(16)));
    static const lanes bits = {1, 2, 4, 8, 16, 32, 64, 128};
    lanes low, high;
    uint64_t words[2];

    memcpy(&low, tags, sizeof low);
    memcpy(&high, tags + 8, sizeof high);
    low = ((lanes)(low == tag) & bits) | ((lanes)(high == tag) & bits << 8);
    memcpy(words, &low, sizeof words);
    words[0] |= words[1];
    words[0] |= words[0] >> 32;
    return (uint16_t)(words[0] | words[0] >> 16);
}

static inline pthread_mutex_t *
table_stripe(const struct table *table, uint32_t bucket)
{
    return &table->stripes[bucket % TABLE_STRIPES].lock;
}

static inline struct table_tally *
table_tally(struct table *table, uint32_t bucket)
{
    return &table->header->tallies[bucket % TABLE_TALLIES];
}

static inline void
table_add(_Atomic uint64_t *counter, uint64_t number)
{
    atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static inline bool
table_is_masked(const uint8_t address[16], uint8_t prefix)
{
    struct source source = {.prefix = prefix};

    memcpy(source.address, address, 16);
    return prefix <= SOURCE_HOST_PREFIX && source_is_masked(&source);
}

static inline bool
table_overlaps(const struct source *a, const uint8_t address[16], uint8_t prefix)
{
    struct source b = {.prefix = prefix};

    memcpy(b.address, address, 16);
    return source_contains(a, &b) || source_contains(&b, a);
}

/* ---- table-file.c: the file, its lock and its mapping ---- */

struct table_shape {
    uint32_t capacity;
    uint32_t max_bans;
};

/* The shape that is asked for, rounded to what buckets hold. */
struct table_shape table_file_shape(const struct table_options *options);

/* Opens, locks and maps what is at options->path. Returns 0; -ENOENT; -EBUSY; -EPROTO when it is no
 * table (then *file is open and locked, if it is a file, and `why` says why); another negative
 * errno. */
int table_file_open(const struct table_options *options, struct table *table, int *file,
                    const char **why);

/* Makes, locks and maps an empty table under a temporary name; a smaller one where there is no
 * room. `like` (may be NULL) gives the identity of the table that it is to replace. */
int table_file_create(const struct table_options *options, struct table_shape shape,
                      const struct table *like, struct table *table);

/* Gives it its name; `replace` allows for one that is there. */
int table_file_publish(const struct table_options *options, bool replace);

/* Removes what table_file_create made, before it has its name. */
void table_file_discard(const struct table_options *options);

/* Moves a damaged file aside. */
int table_file_set_aside(const struct table_options *options, const char *why);

int table_file_open_reader(const char *path, struct table *table);
bool table_file_has_writer(const struct table *table);
void table_file_close(struct table *table);

/* ---- attach: builds what is private from the cells; drops and counts what is not whole.
 * `jails_used` gets a bit for each jail that is referred to. ---- */

void table_attach_jails(struct table *table);
int table_attach_records(struct table *table, uint64_t *jails_used, size_t *dropped);
int table_attach_attempts(struct table *table);
int table_attach_bans(struct table *table, uint64_t *jails_used, size_t *dropped);
bool table_has_jail(const struct table *table, unsigned index);

/* Drops the jails that nothing refers to: the directory is for those in use. */
void table_keep_jails(struct table *table, uint64_t used);

/* Frees the places of the ring that a killed writer left half written. */
int table_attach_evidence(struct table *table);

/* Chains the lines of networks of these lengths, if no shorter ones have been asked for, so that
 * the lines of such a network's ban are found without a search through the ring. */
void table_chain_networks(struct table *table, unsigned v4_bits, unsigned v6_bits);

/* Frees the cells of gateways that are not whole. */
void table_attach_gateways(struct table *table);

/* ---- for a change of shape: puts what another file held into this one ---- */

void table_adopt_jails(struct table *table, const struct table *old);
/* Whether a record that is whole can be one, too. */
bool table_is_record(const struct table *table, const struct record *record);
void table_adopt_record(struct table *table, const struct record *record, int64_t now_ms);
uint32_t table_adopt_ban(struct table *table, const struct ban_cell *ban); /* its new slot + 1 */

void table_adopt_evidence(struct table *table, const struct table *old);
void table_adopt_lines(struct table *table, const struct table *old);
void table_adopt_health(struct table *table, const struct table *old);
void table_adopt_gateways(struct table *table, const struct table *old);

/* ---- pause ---- */

/* 0: it is not paused. */
static inline int64_t
table_paused_until(const struct table *table)
{
    uint64_t until_ms;

    return table_guarded_get(&table->header->paused_until_ms, &until_ms) ? (int64_t)until_ms : 0;
}

/* As table_expire, but for the pause. */
unsigned table_expire_bans(struct table *table, int64_t now_ms, int64_t *next_ms);

/* ---- between records and bans ---- */

enum ban_outcome { BAN_MADE, BAN_PROLONGED, BAN_AS_IT_WAS, BAN_NO_ROOM, BAN_HELD_BACK };

/* Wants a ban as table_ban does; the slot of the ban goes to *slot. */
enum ban_outcome table_want_ban(struct table *table, const struct ban *ban, int64_t now_ms,
                                uint32_t *slot);

/* The slot of the live ban of just this client, plus 1; 0 when it has none. */
uint32_t table_find_ban(struct table *table, const struct record_key *key, int64_t now_ms);

/* Whether the slot holds a ban of just this client, live at now_ms. Takes no lock. */
bool table_ban_is_live(const struct table *table, uint32_t slot, const struct record_key *key,
                       int64_t now_ms);

static inline bool
table_is_ban_of(const struct ban_cell *cell, const struct record_key *key)
{
    return memcmp(cell->address, key->address, sizeof cell->address) == 0 &&
           cell->prefix == key->prefix && cell->jail == key->jail && cell->scope == key->scope &&
           cell->origin == 0;
}

/* `attempts` failures have come of a client whose latest ban is in this slot, with a packet that
 * passed at failure->passed_ms (not 0): table-effect.c says what that means. */
void table_note_passed(struct table *table, uint32_t slot, const struct record_key *key,
                       const struct table_failure *failure, unsigned attempts, int64_t stamp_ms);

/* One of the clients for which a network was banned, since `since_ms`, has turned out to be none. A
 * ban that is left with fewer than `least` of them is withdrawn. Returns whether it is. */
bool table_lessen_ban(struct table *table, const struct record_key *network, int64_t since_ms,
                      unsigned least, int64_t now_ms);

/* Lifts the ban in the slot, if it is one of just this client and live. Returns whether it did. */
bool table_lift_ban(struct table *table, uint32_t slot, const struct record_key *key,
                    enum ban_end end, int64_t now_ms);

/* Lifts the ban in the slot, if it is live, overlaps with `source`, and is the jail's
 * (TABLE_JAILS_MAX: any). Returns whether it did. */
bool table_lift_overlapping(struct table *table, uint32_t slot, const struct source *source,
                            unsigned jail, uint32_t lifted_by, int64_t now_ms);

/* The key of a client's counter. */
static inline struct record_key
table_key_of(unsigned jail_index, const struct jail *jail, const struct source *client,
             uint16_t scope)
{
    struct source source = source_mask(client, jail->v4_bits, jail->v6_bits);
    struct record_key key = {
        .prefix = source.prefix,
        .jail = (uint8_t)jail_index,
        .scope = scope,
    };

    memcpy(key.address, source.address, sizeof key.address);
    return key;
}

/* The bucket of a client, and, under the lock of that, the way of its record, loaded; or
 * BUCKET_WAYS. */
uint32_t table_record_bucket(const struct table *table, const struct record_key *key);
unsigned table_find_record(const struct table *table, const struct record_key *key,
                           struct record *record);

/* Forgets the failures of each client that overlaps with `source`. */
void table_reset_records(struct table *table, const struct source *source);

#endif
