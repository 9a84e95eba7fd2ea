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

/* The record is loaded, and its bucket locked. */
static bool
withdraw(struct table *table, struct record *record, const struct table_counted *counted,
         int64_t now_ms)
{
    bool lifted = false;

    take_stamps(record, (uint32_t)((uint64_t)counted->stamp_ms / 1000), counted->attempts);
    if ((counted->banning >> record->key.jail & 1) && record->ban != 0) {
        lifted = table_lift_ban(table, record->ban - 1, &record->key, BAN_WITHDRAWN, now_ms);
        record->ban = 0;
        record->bans -= record->bans > 0;
    }
    return lifted;
}

static bool
withdraw_in(struct table *table, unsigned jail_index, bool is_single,
            const struct table_counted *counted, int64_t now_ms)
{
    struct record_key key;
    struct record record;
    struct jail jail;
    bool lifted = false;
    uint32_t bucket;
    unsigned way;

    if (!table_read_jail(table, jail_index, &jail))
        return false;
    if (is_single) {
        jail.v4_bits = 32;
        jail.v6_bits = 128;
    }
    key = table_key_of(jail_index, &jail, &counted->client, counted->scope);
    bucket = table_record_bucket(table, &key);
    pthread_mutex_lock(table_stripe(table, bucket));
    way = table_find_record(table, &key, &record);
    if (way < BUCKET_WAYS) {
        uint8_t *left = &table->record_buckets[bucket].left[way];

        lifted = withdraw(table, &record, counted, now_ms);
        words_replace(table->records[(size_t)bucket * BUCKET_WAYS + way].word, RECORD_WORDS,
                      &record);
        if (lifted || *left != 0) /* 0: has another ban */
            *left = (uint8_t)(record.head.own < jail_stamps(&jail)
                                  ? jail_stamps(&jail) - record.head.own
                                  : 1);
    }
    pthread_mutex_unlock(table_stripe(table, bucket));
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
