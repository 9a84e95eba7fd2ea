/* table-records: the counters; an exact window for each client, in memory that does not grow.
 *
 * The table is set-associative: a keyed hash leads to one bucket of 16 records, whose tags lie
 * together in one private cache line. So a lookup touches the tags, one record, and nothing else,
 * however many clients there are; and a full bucket decides by itself whom to forget.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "table/table-private.h"
#include "table/table-window.h"

static inline struct place
place_of(const struct table *table, const struct record_key *key)
{
    uint64_t more =
        (uint64_t)20 << 56 | (uint64_t)key->scope << 16 | (uint64_t)key->jail << 8 | key->prefix;

    return table_place(table, key->address, more, table->record_bucket_count);
}

static cell_word *
cell_of(const struct table *table, uint32_t bucket, unsigned way)
{
    return table->records[(size_t)bucket * BUCKET_WAYS + way].word;
}

/* The way that holds the key, its record loaded; or BUCKET_WAYS. */
static inline unsigned
find_way(const struct table *table, struct place place, const struct record_key *key,
         struct record *record)
{
    const struct record_bucket *bucket = &table->record_buckets[place.bucket];

    for (uint32_t ways = table_match_tags(bucket->tags, place.tag); ways; ways &= ways - 1) {
        unsigned way = (unsigned)__builtin_ctz(ways);

        words_load(cell_of(table, place.bucket, way), RECORD_WORDS, record);
        if (memcmp(&record->key, key, sizeof *key) == 0)
            return way;
    }
    return BUCKET_WAYS;
}

uint32_t
table_record_bucket(const struct table *table, const struct record_key *key)
{
    return place_of(table, key).bucket;
}

unsigned
table_find_record(const struct table *table, const struct record_key *key, struct record *record)
{
    return find_way(table, place_of(table, key), key, record);
}

/* The record of this key, without its lock. Any process. */
static bool
read_record(const struct table *table, const struct record_key *key, struct record *record)
{
    const uint32_t bucket = place_of(table, key).bucket;

    for (unsigned way = 0; way < BUCKET_WAYS; way++) {
        if (words_read(cell_of(table, bucket, way), RECORD_WORDS, record) &&
            words_are_whole(record, RECORD_WORDS) && record->head.used == 1 &&
            record->head.own <= JAIL_STAMPS_MAX && memcmp(&record->key, key, sizeof *key) == 0)
            return true;
    }
    return false;
}

/* ---- the kinds of keys ---- */

static void
note_bit(_Atomic uint64_t *words, unsigned bit)
{
    if (!(atomic_load_explicit(&words[bit / 64], memory_order_relaxed) >> bit % 64 & 1))
        atomic_fetch_or_explicit(&words[bit / 64], UINT64_C(1) << bit % 64, memory_order_relaxed);
}

static bool
has_bit(const _Atomic uint64_t *words, unsigned bit)
{
    return atomic_load_explicit(&words[bit / 64], memory_order_relaxed) >> bit % 64 & 1;
}

static struct source
source_of(const struct record_key *key)
{
    struct source source = {.prefix = key->prefix};

    memcpy(source.address, key->address, sizeof source.address);
    return source;
}

/* Before a record of the key is there. */
static void
note_kind(struct table *table, const struct record_key *key)
{
    struct source source = source_of(key);

    note_bit(&table->kinds.jails, key->jail);
    note_bit(table->kinds.prefixes[source_is_v4(&source)], key->prefix);
    if (key->scope != 0)
        atomic_store_explicit(&table->kinds.has_scopes, true, memory_order_relaxed);
}

/* ---- the records of logins ----
 *
 * Who has logged in from a client stands in a record as well, of a jail that counts nothing: users
 * and stamps are those of the logins, one entry for each user. */

#define LOGINS_JAIL TABLE_JAIL_MANUAL

/* As if so many failures were missing: that of one user is given up more gladly than anybody's
 * failures, that of several is kept like a client who is about to be banned. */
static uint8_t
left_of_users(unsigned users)
{
    return (uint8_t)(users < 5 ? JAIL_STAMPS_MAX - 3 * users : 1);
}

/* ---- eviction ---- */

/* How gladly a record is given up: expired before all others, then those farthest from their
 * threshold, of those the oldest; one whose client is banned comes last. */
static uint64_t
rank_of(const struct table *table, uint32_t bucket_index, unsigned way, int64_t now_ms)
{
    const struct record_bucket *bucket = &table->record_buckets[bucket_index];
    int64_t now_s = now_ms / 1000;
    int64_t age_s = now_s - bucket->newest_s[way];
    int64_t findtime_s =
        bucket->jails[way] == LOGINS_JAIL
            ? TABLE_USERS_S
            : atomic_load_explicit(&table->findtime_s[bucket->jails[way]], memory_order_relaxed);
    unsigned left = bucket->left[way];
    struct record record;

    if (left == 0) {
        words_load(cell_of(table, bucket_index, way), RECORD_WORDS, &record);
        if (!table_ban_is_live(table, record.ban - 1, &record.key, now_ms))
            left = JAIL_STAMPS_MAX;
    }
    /* What lies in the future was counted by a clock that was wrong. */
    if (left > 0 && (age_s > findtime_s || age_s < -STAMP_LIVE_MS / 1000))
        return UINT64_MAX;
    return (uint64_t)left << 32 | (uint64_t)(age_s > 0 ? age_s : 0);
}

/* A ghost of the record remains: that it has failed, and when it did last. */
static void
give_up(struct table *table, uint32_t bucket_index, unsigned way)
{
    struct ghosts *ghosts = &table->ghosts[bucket_index];
    struct record record;

    words_load(cell_of(table, bucket_index, way), RECORD_WORDS, &record);
    if (record.key.jail == LOGINS_JAIL)
        return;
    table_add(&table_tally(table, bucket_index)->evicted, 1);
    if (record.head.own == 0)
        return;
    ghosts->fingerprints[ghosts->next] = place_of(table, &record.key).fingerprint;
    ghosts->stamps_s[ghosts->next] = window_newest(&record);
    ghosts->next = (ghosts->next + 1) % BUCKET_GHOSTS;
    if (ghosts->used < BUCKET_GHOSTS)
        ghosts->used++;
}

/* The stamp that a client without a record left, or 0. It is given once. */
static uint32_t
take_ghost(struct table *table, struct place place)
{
    struct ghosts *ghosts = &table->ghosts[place.bucket];
    uint32_t stamp_s;

    for (uint32_t i = 0; i < ghosts->used; i++) {
        if (ghosts->fingerprints[i] != place.fingerprint)
            continue;
        stamp_s = ghosts->stamps_s[i];
        ghosts->stamps_s[i] = 0;
        if (stamp_s != 0)
            return stamp_s;
    }
    return 0;
}

/* The way for a new record; what is there is given up. */
static unsigned
choose_way(struct table *table, uint32_t bucket_index, int64_t now_ms)
{
    const struct record_bucket *bucket = &table->record_buckets[bucket_index];
    uint32_t free_ways = table_match_tags(bucket->tags, 0);
    uint64_t rank, best_rank = 0;
    unsigned best = 0;

    if (free_ways != 0)
        return (unsigned)__builtin_ctz(free_ways);
    for (unsigned way = 0; way < BUCKET_WAYS; way++) {
        rank = rank_of(table, bucket_index, way, now_ms);
        if (rank == UINT64_MAX)
            return way;
        if (rank > best_rank) {
            best_rank = rank;
            best = way;
        }
    }
    give_up(table, bucket_index, best);
    return best;
}

/* ---- counting ---- */

/* One call of table_count. */
struct counting {
    struct table *table;
    const struct jail *jail;
    const struct table_failure *failure;
    int64_t now_ms;
    int64_t stamp_ms;
    uint32_t stamp_s;
    uint32_t ghost_s; /* of a new record */
    struct record_key key;
    struct place place;
    struct record record; /* being changed; stored at the end */
    uint32_t changed;     /* its words, those that may be */
    unsigned left;        /* failures to the threshold; 0: banned */
    bool must_ask;        /* whether it is a gateway, before it is judged */
    bool has_asked;
    bool is_gateway;
    bool has_noted; /* note_passed */
};

static void
clear_window(struct counting *counting)
{
    window_cut(&counting->record, 0);
    counting->changed = CELL_ALL;
}

/* Stamps ahead of a clock that was set back would stand in the way of all new ones. */
static void
drop_future(struct counting *counting)
{
    struct record *record = &counting->record;
    unsigned count = record->head.own;

    while (count > 0 &&
           record->stamps[count - 1] * INT64_C(1000) > counting->now_ms + STAMP_LIVE_MS)
        count--;
    window_cut(record, count);
    counting->changed = CELL_ALL;
}

/* The first window that holds enough failures; jail_decide has said that there is one. */
static unsigned
deciding_window(const struct jail *jail, const struct record *record)
{
    const unsigned last = jail_stamps(jail) - 1;
    unsigned first = 0;

    while (record->stamps[first + last] - (int64_t)record->stamps[first] > jail->findtime_s)
        first++;
    return first;
}

/* The bans of the client in another jail, in a record that other threads may be writing. */
static unsigned
bans_in(const struct table *table, unsigned jail_index, const struct table_failure *failure,
        uint16_t scope)
{
    struct record_key key;
    struct record record;
    struct jail jail;

    if (!table_read_jail(table, jail_index, &jail))
        return 0;
    key = table_key_of(jail_index, &jail, &failure->client,
                       jail.is_per_host ? scope : TABLE_SCOPE_FLEET);
    return read_record(table, &key, &record) ? record.bans : 0;
}

/* Only when there is a ban to be made, and without their locks: one is held already. */
static __attribute__((noinline)) unsigned
bans_elsewhere(const struct counting *counting)
{
    unsigned bans = 0;

    for (unsigned jail = 0; jail < TABLE_JAILS_MAX; jail++)
        if (jail != counting->key.jail && has_bit(&counting->table->kinds.jails, jail))
            bans += bans_in(counting->table, jail, counting->failure, counting->key.scope);
    return bans;
}

/* How many bans of the client are over: one that is only prolonged is no further one. */
static unsigned
bans_before(const struct counting *counting)
{
    const struct record *record = &counting->record;
    unsigned bans = record->bans;

    if (bans > 0 && record->ban != 0 &&
        table_ban_is_live(counting->table, record->ban - 1, &record->key, counting->now_ms))
        bans--;
    return counting->jail->growth.over_all_jails ? bans + bans_elsewhere(counting) : bans;
}

/* What nobody can tell who does not have the table's seed. */
static uint64_t
chance_of(const struct counting *counting)
{
    return siphash_address(counting->table->hash, counting->key.address,
                           (uint64_t)19 << 56 ^ (uint64_t)counting->stamp_ms);
}

/* The ban that the stamps deserve. It begins with the failure that completes the window, whichever
 * line came last, and for a live line not before now. */
static struct ban
deserved_ban(const struct counting *counting)
{
    const struct record *record = &counting->record;
    const struct jail *jail = counting->jail;
    int64_t now_ms = counting->now_ms;
    unsigned first = deciding_window(jail, record);
    unsigned last = first + jail_stamps(jail) - 1;
    struct ban ban = {
        .source.prefix = record->key.prefix,
        .jail = record->key.jail,
        .scope = record->key.scope,
        .origin = BAN_BY_JAIL,
        .class = counting->failure->class,
        .first_ms = (int64_t)record->stamps[first] * 1000,
        .since_ms = counting->stamp_ms,
    };

    memcpy(ban.source.address, record->key.address, sizeof ban.source.address);
    if (counting->stamp_s < record->stamps[last])
        ban.since_ms = (int64_t)record->stamps[last] * 1000;
    if (ban.since_ms >= now_ms - STAMP_LIVE_MS && ban.since_ms < now_ms)
        ban.since_ms = now_ms;
    while (last + 1 < record->head.own &&
           (int64_t)record->stamps[last + 1] - record->stamps[first] <= jail->findtime_s)
        last++;
    ban.failures = (uint16_t)(jail_failures(jail, last - first + 1, record->repeat) +
                              record->spared * jail->maxretry);
    if (record->spared > 0)
        ban.first_ms = record->spared_s * INT64_C(1000);
    const int64_t bantime_s = jail_bantime(jail, bans_before(counting), chance_of(counting));
    ban.until_ms = TABLE_FOREVER_MS;
    if (bantime_s < (TABLE_FOREVER_MS - ban.since_ms) / 1000)
        ban.until_ms = ban.since_ms + bantime_s * 1000;
    return ban;
}

static uint32_t
seconds_of(int64_t time_ms)
{
    return time_ms / 1000 < UINT32_MAX ? (uint32_t)(time_ms / 1000) : UINT32_MAX;
}

/* Of a ban that would still be in force, this one is the prolongation. */
static void
observe(struct counting *counting, const struct ban *ban)
{
    struct observed *const observed = &counting->record.observed;
    const bool is_new = observed->since_s == 0 || observed->until_s <= seconds_of(ban->since_ms);

    if (is_new)
        *observed = (struct observed){
            .first_s = seconds_of(ban->first_ms),
            .since_s = seconds_of(ban->since_ms),
            .failures = ban->failures,
            .class = (uint8_t)ban->class,
        };
    if (is_new || observed->until_s < seconds_of(ban->until_ms))
        observed->until_s = seconds_of(ban->until_ms);
}

/* The failures are used up, and there is no ban. */
static enum table_verdict
make_none(struct counting *counting, const struct ban *ban)
{
    clear_window(counting);
    counting->left = jail_stamps(counting->jail);
    if (ban->until_ms <= counting->now_ms)
        return TABLE_LATE;
    if (counting->is_gateway)
        return TABLE_SPARED;
    observe(counting, ban);
    return TABLE_OBSERVED;
}

/* The threshold is reached. As in fail2ban the failures are used up by the ban they made, also
 * when it would be over by now, or when there is one that they only prolong. */
static enum table_verdict
make_ban(struct counting *counting)
{
    static const enum table_verdict verdicts[] = {
        [BAN_MADE] = TABLE_BANNED,         [BAN_PROLONGED] = TABLE_PROLONGED,
        [BAN_AS_IT_WAS] = TABLE_KNOWN,     [BAN_NO_ROOM] = TABLE_FULL,
        [BAN_HELD_BACK] = TABLE_HELD_BACK,
    };
    struct ban ban = deserved_ban(counting);
    enum ban_outcome outcome;
    uint32_t slot;

    if (ban.until_ms <= counting->now_ms || counting->is_gateway || counting->failure->is_observed)
        return make_none(counting, &ban);
    outcome = table_want_ban(counting->table, &ban, counting->now_ms, &slot);
    counting->left = 1;
    if (outcome != BAN_NO_ROOM && outcome != BAN_HELD_BACK) {
        clear_window(counting);
        counting->record.spared = 0;
        counting->record.ban = slot + 1;
        counting->left = 0;
    }
    if (outcome == BAN_MADE && counting->record.bans < UINT16_MAX)
        counting->record.bans++;
    return verdicts[outcome];
}

/* The latest ban may be in force, and its client got through. Apart, as not to cost where none is.
 */
static __attribute__((noinline)) void
note_passed(struct counting *counting, unsigned attempts)
{
    if (counting->record.ban != 0 && counting->failure->passed_ms != 0 && !counting->has_noted)
        table_note_passed(counting->table, counting->record.ban - 1, &counting->key,
                          counting->failure, attempts, counting->stamp_ms);
    counting->has_noted = true;
}

enum guess { GUESS_NEW, GUESS_SAME_USER, GUESS_SAME_SECRET };

/* Whether the window has this guess already: the same user, and not another secret. */
static enum guess
find_guess(const struct record *record, const struct jail *jail, struct window_entry entry)
{
    if (entry.user == 0)
        return GUESS_NEW;
    for (unsigned at = record->head.own; at-- > 0;) {
        if (entry.stamp_s > record->stamps[at] + jail->findtime_s)
            return GUESS_NEW;
        if (record->users[at] == entry.user &&
            (entry.secret == 0 || record->secrets[at] == entry.secret))
            return entry.secret == 0 ? GUESS_SAME_USER : GUESS_SAME_SECRET;
    }
    return GUESS_NEW;
}

/* A phone with an old password repeats one guess all day. Where the log tells that it is the same,
 * it counts once. Else it may as well be somebody who guesses at one mailbox: of repeats one in
 * jail->repeats counts. */
static unsigned
without_repeats(struct counting *counting, struct window_entry entry, unsigned attempts)
{
    struct record *record = &counting->record;
    const unsigned of = counting->jail->repeats;
    const enum guess guess = find_guess(record, counting->jail, entry);
    unsigned repeats;

    if (guess == GUESS_SAME_SECRET)
        return 0;
    repeats = attempts - (attempts > 0 && guess == GUESS_NEW);
    attempts -= repeats;
    if (of == JAIL_REPEATS_NONE)
        return attempts;
    repeats += record->repeat;
    record->repeat = (uint8_t)(repeats % of);
    counting->changed = CELL_ALL;
    return attempts + repeats / of;
}

/* Where a stamp stands for several failures: each of them, in the order in which they come, is one
 * more of the newest stamp, or begins the next. See jail_step. */
static __attribute__((noinline)) void
insert_by_steps(struct counting *counting, struct window_entry entry, unsigned attempts)
{
    struct record *record = &counting->record;
    const unsigned step = jail_step(counting->jail);

    for (unsigned i = 0; i < attempts; i++) {
        if (record->head.own > 0 && record->repeat < step &&
            entry.stamp_s <= window_newest(record) + counting->jail->findtime_s) {
            record->repeat++;
            continue;
        }
        record->repeat = 1;
        window_insert(record, entry, &counting->changed);
    }
    counting->changed = CELL_ALL;
}

/* Whether the failure that came, which may have no stamp, completes so many stamps. */
static __attribute__((noinline)) bool
completes_steps(const struct counting *counting)
{
    const struct record *record = &counting->record;
    const struct jail *jail = counting->jail;
    const unsigned stamps = jail_stamps(jail), own = record->head.own;

    return own >= stamps && jail_failures(jail, stamps, record->repeat) >= jail->maxretry &&
           counting->stamp_s <= record->stamps[own - stamps] + jail->findtime_s;
}

/* Adds the failures to the record. Returns how many they are. */
static unsigned
insert(struct counting *counting, unsigned attempts)
{
    struct record *record = &counting->record;
    const struct window_entry entry = {counting->stamp_s, window_hash(counting->failure->user_hash),
                                       window_hash(counting->failure->secret_hash)};

    if (window_newest(record) > counting->stamp_s)
        drop_future(counting);
    if (counting->jail->maxretry > JAIL_STAMPS_MAX) {
        insert_by_steps(counting, entry, attempts);
        return attempts;
    }
    if (counting->jail->repeats > 1)
        attempts = without_repeats(counting, entry, attempts);
    for (unsigned i = 0; i < attempts && i < JAIL_STAMPS_MAX; i++)
        window_insert(record, entry, &counting->changed);
    return attempts;
}

/* Whether there are enough of them. *left: how many are missing, as far as can be told. */
static bool
decide(struct counting *counting)
{
    const struct jail *jail = counting->jail;
    const struct record *record = &counting->record;
    const unsigned enough = jail_stamps(jail);
    unsigned within = record->head.own;

    if (within < enough) {
        counting->left = enough - within;
        return false;
    }
    if (jail_decide(jail, record->stamps, record->head.own, &within) &&
        (jail->maxretry <= JAIL_STAMPS_MAX || completes_steps(counting)))
        return true;
    counting->left = within < enough ? enough - within : 1;
    return false;
}

static bool
is_of_lately(const struct counting *counting, uint32_t merit_s)
{
    return merit_s != 0 && counting->stamp_s <= merit_s + INT64_C(1) * JAIL_LATELY_S;
}

/* How many times as many failures as others this client may have. */
static unsigned
worth(const struct counting *counting)
{
    const struct jail_kindness *const kindness = &counting->jail->kindness;
    const struct record *record = &counting->record;
    unsigned times = 1;

    if (is_of_lately(counting, record->login_s))
        times = kindness->login_allowance;
    if (kindness->mail_allowance > times && is_of_lately(counting, record->mail_s))
        times = kindness->mail_allowance;
    return counting->stamp_ms < table_learns_until(counting->table) ? 2 * times : times;
}

/* How many times the failures of a ban are kept together. Where guesses are told apart, those that
 * were forgotten would be new when they are repeated: five phones with old passwords would be ten.
 */
static unsigned
kept_together(const struct jail *jail, unsigned times)
{
    const unsigned room = jail->repeats > 1 ? JAIL_STAMPS_MAX / jail_stamps(jail) : 1;

    return times < room ? times : room;
}

/* Whether so many times the failures of a ban lie within one findtime. */
static bool
decide_together(struct counting *counting, unsigned together)
{
    const struct record *record = &counting->record;
    struct jail jail;
    unsigned within;

    if (together == 1)
        return true;
    jail = *counting->jail;
    jail.maxretry *= together;
    if (jail_decide(&jail, record->stamps, record->head.own, &within))
        return true;
    counting->left = within < jail.maxretry ? jail.maxretry - within : 1;
    return false;
}

/* There are enough failures for a ban. A client that is worth more needs them several times within
 * one findtime. Of what there is no room for they are used up, and how often is counted, from the
 * first of them on. So such a client is banned for no fewer failures than it is worth, and for
 * twice as many at most where it goes on at the same rate. */
static __attribute__((noinline)) bool
is_allowed(struct counting *counting)
{
    struct record *record = &counting->record;
    const unsigned times = worth(counting);
    unsigned together;

    if (times <= 1 || (record->ban != 0 && table_ban_is_live(counting->table, record->ban - 1,
                                                             &record->key, counting->now_ms)))
        return false;
    if (record->spared == 0 || counting->stamp_s > record->spared_s + counting->jail->findtime_s) {
        record->spared = 0;
        record->spared_s = record->stamps[deciding_window(counting->jail, record)];
    }
    if (record->spared >= times)
        return false;
    together = kept_together(counting->jail, times - record->spared);
    if (!decide_together(counting, together))
        return true;
    if (record->spared + together >= times)
        return false;
    record->spared = (uint8_t)(record->spared + together);
    clear_window(counting);
    counting->left = jail_stamps(counting->jail);
    return true;
}

/* Adds the failures to the record and says what follows. */
static enum table_verdict
judge(struct counting *counting, unsigned attempts)
{
    struct record *record = &counting->record;

    attempts = insert(counting, attempts);
    if (decide(counting)) {
        if (counting->failure->is_network)
            return TABLE_SPARED;
        note_passed(counting, attempts);
        if (is_allowed(counting))
            return TABLE_ALLOWED;
        counting->must_ask = counting->failure->is_gateway != NULL && !counting->has_asked;
        return counting->must_ask ? TABLE_COUNTED : make_ban(counting);
    }
    if (counting->failure->is_network)
        return TABLE_COUNTED;
    if (record->ban == 0)
        return TABLE_COUNTED;
    note_passed(counting, attempts);
    if (table_ban_is_live(counting->table, record->ban - 1, &record->key, counting->now_ms)) {
        counting->left = 0;
        return TABLE_KNOWN;
    }
    record->ban = 0;
    counting->changed = CELL_ALL;
    return TABLE_COUNTED;
}

/* One ahead of the clock is not to be believed; none is before 1970, where 0 means no stamp. */
static int64_t
believable_stamp(int64_t stamp_ms, int64_t now_ms)
{
    if (stamp_ms > now_ms + STAMP_LIVE_MS)
        return now_ms;
    return stamp_ms > 1000 ? stamp_ms : 1000;
}

/* In which nothing has come but what the ghost tells. */
static void
make_new(struct counting *counting)
{
    counting->record = (struct record){.head.used = 1, .key = counting->key};
    counting->changed = CELL_ALL;
    counting->left = jail_stamps(counting->jail);
    if (counting->ghost_s != 0)
        window_insert(&counting->record, (struct window_entry){.stamp_s = counting->ghost_s},
                      &counting->changed);
}

/* A record for a client that has none. Returns its way. */
static unsigned
begin_record(struct counting *counting)
{
    struct table *table = counting->table;
    struct record_bucket *bucket = &table->record_buckets[counting->place.bucket];
    unsigned way;

    counting->ghost_s = take_ghost(table, counting->place);
    way = choose_way(table, counting->place.bucket, counting->now_ms);
    note_kind(table, &counting->key);
    make_new(counting);
    bucket->tags[way] = counting->place.tag;
    bucket->jails[way] = counting->key.jail;
    bucket->newest_s[way] = 0;
    return way;
}

static void
store(const struct counting *counting, struct record_bucket *bucket, unsigned way)
{
    words_store(cell_of(counting->table, counting->place.bucket, way), &counting->record,
                counting->changed);
    bucket->left[way] = (uint8_t)counting->left;
    if (bucket->newest_s[way] < counting->stamp_s ||
        bucket->newest_s[way] * INT64_C(1000) > counting->now_ms)
        bucket->newest_s[way] = counting->stamp_s;
}

/* Where it must be asked first, all is left as it was; but a new record is there. */
static enum table_verdict
count_under_lock(struct counting *counting, unsigned attempts)
{
    struct table *const table = counting->table;
    struct record_bucket *const bucket = &table->record_buckets[counting->place.bucket];
    pthread_mutex_t *const lock = table_stripe(table, counting->place.bucket);
    enum table_verdict verdict;
    unsigned way;
    bool is_new;

    counting->changed = 0;
    pthread_mutex_lock(lock);
    way = find_way(table, counting->place, &counting->key, &counting->record);
    is_new = way == BUCKET_WAYS;
    if (is_new)
        way = begin_record(counting);
    verdict = judge(counting, attempts);
    if (counting->must_ask && is_new)
        make_new(counting);
    if (!counting->must_ask || is_new)
        store(counting, bucket, way);
    pthread_mutex_unlock(lock);
    return verdict;
}

/* Without the lock: what tells it has locks as well. Whether it had to be. */
static inline bool
ask(struct counting *counting)
{
    if (!counting->must_ask)
        return false;
    counting->is_gateway = counting->failure->is_gateway(counting->failure->asked);
    counting->has_asked = true;
    counting->must_ask = false;
    return true;
}

enum table_verdict
table_count(struct table *table, unsigned jail_index, const struct jail *jail,
            const struct table_failure *failure, unsigned attempts, int64_t now_ms)
{
    struct counting counting;
    enum table_verdict verdict;

    counting.table = table;
    counting.jail = jail;
    counting.failure = failure;
    counting.now_ms = now_ms;
    counting.stamp_ms = believable_stamp(failure->stamp_ms, now_ms);
    counting.stamp_s = (uint32_t)((uint64_t)counting.stamp_ms / 1000);
    counting.key = table_key_of(jail_index, jail, &failure->client, failure->scope);
    counting.place = place_of(table, &counting.key);
    counting.must_ask = counting.has_asked = counting.is_gateway = counting.has_noted = false;

    do
        verdict = count_under_lock(&counting, attempts);
    while (ask(&counting));
    if (verdict == TABLE_FULL)
        table_add(&table_tally(table, counting.place.bucket)->refused, 1);
    return verdict;
}

/* ---- logins, and reading one counter ---- */

void
table_learn_until(struct table *table, int64_t until_ms)
{
    atomic_store(&table->header->learn_until_ms, until_ms);
}

int64_t
table_learns_until(const struct table *table)
{
    return atomic_load_explicit(&table->header->learn_until_ms, memory_order_relaxed);
}

/* A free way, or that of a record which is expired, or of the logins of one user alone, of these
 * the oldest; else BUCKET_WAYS. */
static unsigned
find_room(struct table *table, uint32_t bucket_index, int64_t now_ms)
{
    const struct record_bucket *bucket = &table->record_buckets[bucket_index];
    const uint32_t free_ways = table_match_tags(bucket->tags, 0);
    uint64_t rank, best_rank = 0;
    unsigned best = BUCKET_WAYS;

    if (free_ways != 0)
        return (unsigned)__builtin_ctz(free_ways);
    for (unsigned way = 0; way < BUCKET_WAYS; way++) {
        rank = rank_of(table, bucket_index, way, now_ms);
        if (rank == UINT64_MAX)
            return way;
        if (bucket->jails[way] == LOGINS_JAIL && bucket->left[way] == left_of_users(1) &&
            rank >= best_rank) {
            best_rank = rank;
            best = way;
        }
    }
    return best;
}

/* A record without failures, where there is room: whoever fails takes its place. */
static unsigned
begin_quiet_record(struct table *table, struct place place, const struct record_key *key,
                   struct record *record, int64_t now_ms)
{
    struct record_bucket *bucket = &table->record_buckets[place.bucket];
    const unsigned way = find_room(table, place.bucket, now_ms);

    if (way == BUCKET_WAYS)
        return way;
    note_kind(table, key);
    *record = (struct record){.head.used = 1, .key = *key};
    bucket->tags[way] = place.tag;
    bucket->jails[way] = key->jail;
    bucket->newest_s[way] = 0;
    bucket->left[way] = JAIL_STAMPS_MAX;
    return way;
}

#define FORGIVEN_AHEAD_S 60 /* lines of one moment come in any order */

/* The user who has logged in knew his password then: he had mistyped it, or another device of his
 * has an old one. What has failed since a login that is told of later, as old logs do, stays. */
static void
forgive(struct record *record, const struct table_merit *merit)
{
    const uint16_t user = window_hash(merit->user_hash), nobody = window_hash(TABLE_NOBODY);
    const int64_t until_s = merit->stamp_ms / 1000 + FORGIVEN_AHEAD_S;
    unsigned kept = 0;

    for (unsigned at = 0; at < record->head.own; at++)
        if (((user == 0 || record->users[at] != user) && record->users[at] != nobody) ||
            record->stamps[at] > until_s)
            window_put(record, kept++, window_get(record, at));
    window_cut(record, kept);
}

static bool
is_worth_a_record(const struct jail *jail, const struct table_merit *merit)
{
    return (merit->is_login ? jail->kindness.login_allowance : jail->kindness.mail_allowance) > 1;
}

static void
add_merit(struct record *record, const struct jail *jail, const struct table_merit *merit)
{
    const uint32_t stamp_s = (uint32_t)((uint64_t)merit->stamp_ms / 1000);
    uint32_t *const last_s = merit->is_login ? &record->login_s : &record->mail_s;

    if (stamp_s > *last_s)
        *last_s = stamp_s;
    if (merit->is_login && jail->kindness.login_forgives && jail_step(jail) == 1)
        forgive(record, merit);
}

void
table_note_merit(struct table *table, unsigned jail_index, const struct jail *jail,
                 const struct source *source, const struct table_merit *merit, int64_t now_ms)
{
    struct record_key key = {
        .prefix = source->prefix, .jail = (uint8_t)jail_index, .scope = merit->scope};
    struct place place;
    struct record record;
    unsigned way, own;

    memcpy(key.address, source->address, sizeof key.address);
    place = place_of(table, &key);
    pthread_mutex_lock(table_stripe(table, place.bucket));
    way = find_way(table, place, &key, &record);
    if (way == BUCKET_WAYS && is_worth_a_record(jail, merit))
        way = begin_quiet_record(table, place, &key, &record, now_ms);
    if (way < BUCKET_WAYS) {
        uint8_t *const left = &table->record_buckets[place.bucket].left[way];

        own = record.head.own;
        add_merit(&record, jail, merit);
        words_replace(cell_of(table, place.bucket, way), RECORD_WORDS, &record);
        if (*left != 0)
            *left = (uint8_t)(*left + own - record.head.own);
    }
    pthread_mutex_unlock(table_stripe(table, place.bucket));
}

void
table_note_bans(struct table *table, unsigned jail_index, const struct source *source,
                uint16_t scope, unsigned bans, int64_t now_ms)
{
    struct record_key key = {.prefix = source->prefix, .jail = (uint8_t)jail_index, .scope = scope};
    struct place place;
    struct record record;
    unsigned way;

    memcpy(key.address, source->address, sizeof key.address);
    place = place_of(table, &key);
    pthread_mutex_lock(table_stripe(table, place.bucket));
    way = find_way(table, place, &key, &record);
    if (way == BUCKET_WAYS)
        way = begin_quiet_record(table, place, &key, &record, now_ms);
    if (way < BUCKET_WAYS && bans > record.bans) {
        record.bans = (uint16_t)(bans < UINT16_MAX ? bans : UINT16_MAX);
        record.ban = table_find_ban(table, &key, now_ms); /* its latest counts among them */
        table->record_buckets[place.bucket].left[way] = record.ban != 0 ? 0 : JAIL_STAMPS_MAX;
        words_replace(cell_of(table, place.bucket, way), RECORD_WORDS, &record);
    }
    pthread_mutex_unlock(table_stripe(table, place.bucket));
}

/* Moves the user's entry behind the others, or adds one. */
static void
renew_user(struct record *record, struct window_entry entry)
{
    unsigned kept = 0;

    for (unsigned at = 0; at < record->head.own; at++) {
        if (record->users[at] == entry.user && record->stamps[at] >= entry.stamp_s)
            return;
        if (record->users[at] == entry.user)
            continue;
        window_put(record, kept++, window_get(record, at));
    }
    window_cut(record, kept);
    window_insert(record, entry, &(uint32_t){0});
}

void
table_note_user(struct table *table, const struct source *source, uint64_t user_hash,
                int64_t stamp_ms, int64_t now_ms)
{
    const struct window_entry entry = {(uint32_t)((uint64_t)stamp_ms / 1000),
                                       window_hash(user_hash), 0};
    struct record_key key = {.prefix = source->prefix, .jail = LOGINS_JAIL};
    struct place place;
    struct record record;
    unsigned way;

    memcpy(key.address, source->address, sizeof key.address);
    place = place_of(table, &key);
    pthread_mutex_lock(table_stripe(table, place.bucket));
    way = find_way(table, place, &key, &record);
    if (way == BUCKET_WAYS)
        way = begin_quiet_record(table, place, &key, &record, now_ms);
    if (way < BUCKET_WAYS) {
        struct record_bucket *const bucket = &table->record_buckets[place.bucket];

        renew_user(&record, entry);
        words_replace(cell_of(table, place.bucket, way), RECORD_WORDS, &record);
        bucket->newest_s[way] = window_newest(&record);
        bucket->left[way] = left_of_users(record.head.own);
    }
    pthread_mutex_unlock(table_stripe(table, place.bucket));
}

unsigned
table_count_users(struct table *table, const struct source *source, int64_t now_ms)
{
    struct record_key key = {.prefix = source->prefix, .jail = LOGINS_JAIL};
    struct place place;
    struct record record;
    unsigned users = 0;

    memcpy(key.address, source->address, sizeof key.address);
    place = place_of(table, &key);
    pthread_mutex_lock(table_stripe(table, place.bucket));
    if (find_way(table, place, &key, &record) < BUCKET_WAYS)
        while (users < record.head.own &&
               record.stamps[record.head.own - 1 - users] > now_ms / 1000 - TABLE_USERS_S)
            users++;
    pthread_mutex_unlock(table_stripe(table, place.bucket));
    return users;
}

static unsigned
count_users(const struct record *record)
{
    unsigned users = 0;

    for (unsigned i = 0; i < record->head.own; i++) {
        unsigned first = 0;

        while (record->users[first] != record->users[i])
            first++;
        users += record->users[i] != 0 && first == i;
    }
    return users;
}

bool
table_read_counter(const struct table *table, unsigned jail_index, const struct source *source,
                   uint16_t scope, struct table_counter *counter)
{
    struct record_key key = {.prefix = source->prefix, .jail = (uint8_t)jail_index, .scope = scope};
    struct record record;
    struct jail jail;
    unsigned within;

    memcpy(key.address, source->address, sizeof key.address);
    if (!table_read_jail(table, jail_index, &jail) || !read_record(table, &key, &record))
        return false;
    jail_decide(&jail, record.stamps, record.head.own, &within);
    *counter = (struct table_counter){
        .failures = jail_failures(&jail, record.head.own, record.repeat),
        .within = jail_failures(&jail, within, record.repeat),
        .users = count_users(&record),
        .bans = record.bans,
        .newest_s = window_newest(&record),
        .observed_s = jail.is_observing ? record.observed.since_s : 0,
        .login_s = record.login_s,
    };
    return true;
}

/* ---- reset, reading, attach ---- */

static bool
is_of(const struct record *record, const struct source *source)
{
    return record->head.used && record->key.jail != LOGINS_JAIL &&
           table_overlaps(source, record->key.address, record->key.prefix);
}

/* All of them, as they do not tell whose they are. */
static void
forget_ghosts(struct table *table)
{
    for (uint32_t bucket = 0; bucket < table->record_bucket_count; bucket++) {
        pthread_mutex_lock(table_stripe(table, bucket));
        table->ghosts[bucket].used = table->ghosts[bucket].next = 0;
        pthread_mutex_unlock(table_stripe(table, bucket));
    }
}

/* The lock of its bucket is held. */
static void
forget_record(struct table *table, uint32_t bucket, unsigned way)
{
    static const struct record nobody;

    words_replace(cell_of(table, bucket, way), RECORD_WORDS, &nobody);
    table->record_buckets[bucket].tags[way] = 0;
}

/* The record of this key, and its ghost. */
static void
forget_key(struct table *table, const struct record_key *key)
{
    struct place place = place_of(table, key);
    struct record record;
    unsigned way;

    pthread_mutex_lock(table_stripe(table, place.bucket));
    way = find_way(table, place, key, &record);
    if (way < BUCKET_WAYS)
        forget_record(table, place.bucket, way);
    while (take_ghost(table, place) != 0)
        continue;
    pthread_mutex_unlock(table_stripe(table, place.bucket));
}

/* Whether a record may be within `source` without being the whole of it, or of a host. */
static bool
may_be_divided(const struct table *table, const struct source *source)
{
    static const struct source all_v4 = {{[10] = 0xff, [11] = 0xff}, SOURCE_V4_OFFSET};
    const _Atomic uint64_t *prefixes = table->kinds.prefixes[source_is_v4(source)];

    for (unsigned prefix = source->prefix + 1U; prefix <= SOURCE_HOST_PREFIX; prefix++) {
        if (has_bit(prefixes, prefix))
            return true;
    }
    return source_contains(source, &all_v4) ||
           atomic_load_explicit(&table->kinds.has_scopes, memory_order_relaxed);
}

/* Each key that a record may have of which `source` is a part, or all. */
static void
forget_keys(struct table *table, const struct source *source)
{
    const _Atomic uint64_t *prefixes = table->kinds.prefixes[source_is_v4(source)];

    for (unsigned prefix = 0; prefix <= source->prefix; prefix++) {
        struct record_key key = {.prefix = (uint8_t)prefix};
        struct source network = *source;

        if (!has_bit(prefixes, prefix))
            continue;
        network = source_mask(source, prefix - SOURCE_V4_OFFSET, prefix);
        memcpy(key.address, network.address, sizeof key.address);
        for (key.jail = LOGINS_JAIL + 1; key.jail < TABLE_JAILS_MAX; key.jail++) {
            if (has_bit(&table->kinds.jails, key.jail))
                forget_key(table, &key);
        }
    }
}

static void
forget_by_scan(struct table *table, const struct source *source)
{
    struct record record;

    forget_ghosts(table);
    for (uint32_t i = 0; i < table->capacity; i++) {
        cell_word *const cell = table->records[i].word;
        uint32_t bucket = i / BUCKET_WAYS;

        /* A look without the lock: what is written at this very moment counts as later. */
        words_load(cell, RECORD_WORDS, &record);
        if (!is_of(&record, source))
            continue;
        pthread_mutex_lock(table_stripe(table, bucket));
        words_load(cell, RECORD_WORDS, &record);
        if (is_of(&record, source))
            forget_record(table, bucket, i % BUCKET_WAYS);
        pthread_mutex_unlock(table_stripe(table, bucket));
    }
}

/* A scan of 1,000,000 records takes some 40 ms, and the enforcer may have to forget many addresses:
 * one is looked up. */
void
table_reset_records(struct table *table, const struct source *source)
{
    if (may_be_divided(table, source))
        forget_by_scan(table, source);
    else
        forget_keys(table, source);
}

static bool
is_of_logins(const struct record_cell *cell)
{
    const size_t at = offsetof(struct record, key) + offsetof(struct record_key, jail);
    const uint64_t word = atomic_load_explicit(&cell->word[at / 8], memory_order_relaxed);
    uint8_t bytes[8];

    memcpy(bytes, &word, sizeof bytes);
    return bytes[at % 8] == LOGINS_JAIL;
}

size_t
table_tracked(const struct table *table)
{
    size_t tracked = 0;

    for (uint32_t i = 0; i < table->capacity; i++) {
        const struct cell_head head = words_load_head(table->records[i].word);

        tracked += head.used && head.own > 0 && !is_of_logins(&table->records[i]);
    }
    return tracked;
}

bool
table_is_record(const struct table *table, const struct record *record)
{
    unsigned count = record->head.own;

    if (record->head.used != 1 || count > JAIL_STAMPS_MAX ||
        !table_is_masked(record->key.address, record->key.prefix) ||
        !table_has_jail(table, record->key.jail) || record->ban > table->max_bans)
        return false;
    for (unsigned i = 1; i < JAIL_STAMPS_MAX; i++) {
        if (i < count ? record->stamps[i] < record->stamps[i - 1] : record->stamps[i] != 0)
            return false;
    }
    return true;
}

/* Without knowing the jail's threshold: what is stored goes as far as it counts. */
static void
enter_way(struct table *table, struct place place, unsigned way, const struct record *record)
{
    struct record_bucket *bucket = &table->record_buckets[place.bucket];
    unsigned count = record->head.own;
    struct jail jail;
    unsigned within;

    note_kind(table, &record->key);
    bucket->tags[way] = place.tag;
    bucket->jails[way] = record->key.jail;
    bucket->newest_s[way] = window_newest(record);
    bucket->left[way] = JAIL_STAMPS_MAX;
    if (record->key.jail == LOGINS_JAIL)
        bucket->left[way] = left_of_users(count);
    else if (record->ban != 0)
        bucket->left[way] = 0;
    else if (count > 0 && table_read_jail(table, record->key.jail, &jail)) {
        jail_decide(&jail, record->stamps, count, &within);
        bucket->left[way] =
            (uint8_t)(within < jail_stamps(&jail) ? jail_stamps(&jail) - within : 1);
    }
}

/* Written, so that it is there: an attack must not make the process grow. */
static void *
zeros(size_t size)
{
    void *memory = aligned_alloc(64, size);

    return memory ? memset(memory, 0, size) : NULL;
}

int
table_attach_records(struct table *table, uint64_t *jails_used, size_t *dropped)
{
    struct record record, twin;
    struct place place;

    table->record_buckets = zeros(table->record_bucket_count * sizeof(struct record_bucket));
    table->ghosts = zeros(table->record_bucket_count * sizeof(struct ghosts));
    if (!table->record_buckets || !table->ghosts)
        return -ENOMEM;
    for (uint32_t i = 0; i < table->capacity; i++) {
        words_load(table->records[i].word, RECORD_WORDS, &record);
        const bool is_whole = words_are_whole(&record, RECORD_WORDS);
        if (!record.head.used && is_whole)
            continue;
        place = place_of(table, &record.key);
        if (!is_whole || !table_is_record(table, &record) || place.bucket != i / BUCKET_WAYS ||
            find_way(table, place, &record.key, &twin) != BUCKET_WAYS) {
            words_clear(table->records[i].word, RECORD_WORDS);
            ++*dropped;
            continue;
        }
        enter_way(table, place, i % BUCKET_WAYS, &record);
        *jails_used |= UINT64_C(1) << record.key.jail;
    }
    return 0;
}

void
table_adopt_record(struct table *table, const struct record *record, int64_t now_ms)
{
    const struct place place = place_of(table, &record->key);
    const bool is_quiet = record->head.own == 0 || record->key.jail == LOGINS_JAIL;
    const unsigned way =
        is_quiet ? find_room(table, place.bucket, now_ms) : choose_way(table, place.bucket, now_ms);

    if (way == BUCKET_WAYS)
        return;
    words_replace(cell_of(table, place.bucket, way), RECORD_WORDS, record);
    enter_way(table, place, way, record);
}
