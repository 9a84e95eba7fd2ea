/* table-withdraw: takes back failures that have counted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-private.h"
#include "table/table-window.h"

/* Takes up to `attempts` stamps of this second out of the record. Returns how many. Where a stamp
 * stands for several failures (jail_step) it goes with all of them, and one that has none changes
 * nothing: on the whole as many as are taken back. */
static unsigned
take_stamps(struct record *record, uint32_t stamp_s, unsigned attempts)
{
    unsigned kept = 0, taken = 0, count = record->head.own;

    for (unsigned i = 0; i < count; i++) {
        if (record->stamps[i] == stamp_s && taken < attempts) {
            taken++;
            continue;
        }
        window_put(record, kept++, window_get(record, i));
    }
    window_cut(record, kept);
    return taken;
}

/* A client of which the ban was taken back counts among its neighbours no more. Neither in the
 * network's record, where it stands in the place of a user, nor in the ban that they have brought
 * upon the network. */
static bool
withdraw_neighbour(struct table *table, const struct jail *jail, const struct ban *banned,
                   int64_t now_ms)
{
    const struct jail networks = jail_of_networks(jail);
    const uint16_t client = window_hash(jail_neighbour(&banned->source));
    struct record_key key;
    struct record record;
    uint32_t bucket;
    unsigned way, kept = 0;
    bool lifted;

    key = table_key_of(banned->jail, &networks, &banned->source, banned->scope);
    lifted = table_lessen_ban(table, &key, banned->since_ms, jail->neighbours, now_ms);
    bucket = table_record_bucket(table, &key);
    pthread_mutex_lock(table_stripe(table, bucket));
    way = table_find_record(table, &key, &record);
    for (unsigned i = 0; way < BUCKET_WAYS && i < record.head.own; i++)
        if (record.users[i] != client)
            window_put(&record, kept++, window_get(&record, i));
    if (way < BUCKET_WAYS) {
        window_cut(&record, kept);
        if (lifted)
            record.ban = 0;
        words_replace(table->records[(size_t)bucket * BUCKET_WAYS + way].word, RECORD_WORDS,
                      &record);
    }
    pthread_mutex_unlock(table_stripe(table, bucket));
    return lifted;
}

/* The record is loaded, and its bucket locked. The ban that is lifted goes to *banned. */
static bool
withdraw(struct table *table, struct record *record, const struct table_counted *counted,
         struct ban *banned, int64_t now_ms)
{
    const uint32_t stamp_s = (uint32_t)((uint64_t)counted->stamp_ms / 1000);
    bool lifted = false;

    take_stamps(record, stamp_s, counted->attempts);
    if ((counted->observed >> record->key.jail & 1) && record->observed.since_s >= stamp_s)
        record->observed = (struct observed){.since_s = 0};
    if ((counted->banning >> record->key.jail & 1) && record->ban != 0) {
        lifted = table_read_ban(table, record->ban - 1, banned) &&
                 table_lift_ban(table, record->ban - 1, &record->key, BAN_WITHDRAWN, now_ms);
        record->ban = 0;
        record->bans -= record->bans > 0;
    }
    return lifted;
}

static unsigned
withdraw_in(struct table *table, unsigned jail_index, bool is_single,
            const struct table_counted *counted, int64_t now_ms)
{
    struct record_key key;
    struct record record;
    struct jail jail;
    struct ban banned;
    bool lifted = false;
    uint32_t bucket;
    unsigned way;

    if (!table_read_jail(table, jail_index, &jail))
        return false;
    if (is_single) {
        jail.v4_bits = 32;
        jail.v6_bits = 128;
    }
    key = table_key_of(jail_index, &jail, &counted->client,
                       jail.is_per_host ? counted->scope : TABLE_SCOPE_FLEET);
    bucket = table_record_bucket(table, &key);
    pthread_mutex_lock(table_stripe(table, bucket));
    way = table_find_record(table, &key, &record);
    if (way < BUCKET_WAYS) {
        uint8_t *left = &table->record_buckets[bucket].left[way];

        lifted = withdraw(table, &record, counted, &banned, now_ms);
        words_replace(table->records[(size_t)bucket * BUCKET_WAYS + way].word, RECORD_WORDS,
                      &record);
        if (lifted || *left != 0) /* 0: has another ban */
            *left = (uint8_t)(record.head.own < jail_stamps(&jail)
                                  ? jail_stamps(&jail) - record.head.own
                                  : 1);
    }
    pthread_mutex_unlock(table_stripe(table, bucket));
    if (lifted && jail.neighbours > 0)
        return 1 + withdraw_neighbour(table, &jail, &banned, now_ms);
    return lifted;
}

unsigned
table_withdraw(struct table *table, const struct table_counted *counted, int64_t now_ms)
{
    unsigned lifted = 0;

    for (uint64_t jails = counted->jails; jails != 0; jails &= jails - 1) {
        const unsigned jail_index = (unsigned)__builtin_ctzll(jails);

        lifted += withdraw_in(table, jail_index, false, counted, now_ms);
        if (counted->singles >> jail_index & 1)
            lifted += withdraw_in(table, jail_index, true, counted, now_ms);
    }
    if (!counted->is_known)
        table_add(&table->header->withdrawn, counted->attempts);
    return lifted;
}

/* ---- how a ban ends, in words ---- */

static const char *const end_names[] = {
    [BAN_RUNNING] = "running",
    [BAN_EXPIRED] = "expired",
    [BAN_LIFTED_BY_HAND] = "lifted",
    [BAN_WITHDRAWN] = "withdrawn",
};

const char *
table_end_name(enum ban_end end)
{
    return (unsigned)end <= BAN_WITHDRAWN ? end_names[end] : end_names[BAN_RUNNING];
}

enum ban_end
table_end_parse(const char *name)
{
    for (unsigned end = BAN_EXPIRED; end <= BAN_WITHDRAWN; end++)
        if (strcmp(name, end_names[end]) == 0)
            return (enum ban_end)end;
    return BAN_RUNNING;
}
