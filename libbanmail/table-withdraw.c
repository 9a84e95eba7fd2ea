/* table-withdraw: takes back failures that have counted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table-private.h"

/* Takes up to `attempts` stamps of this second out of the record. Returns how many. */
static unsigned
take_stamps(struct record *record, uint32_t stamp_s, unsigned attempts)
{
    unsigned kept = 0, taken = 0, count = record->head.own;

    for (unsigned i = 0; i < count; i++) {
        if (record->stamps[i] == stamp_s && taken < attempts) {
            taken++;
            continue;
        }
        record->stamps[kept] = record->stamps[i];
        record->attempted[kept++] = record->attempted[i];
    }
    for (unsigned i = kept; i < count; i++) {
        record->stamps[i] = 0;
        record->attempted[i] = 0;
    }
    record->head.own = (uint8_t)kept;
    return taken;
}

static struct record_key
key_of(const struct table_counted *counted)
{
    struct record_key key = {
        .prefix = counted->source.prefix, .jail = counted->jail, .scope = counted->scope};

    memcpy(key.address, counted->source.address, sizeof key.address);
    return key;
}

/* The record is loaded, and its bucket locked. */
static bool
withdraw(struct table *table, struct record *record, const struct table_counted *counted,
         int64_t now_ms)
{
    bool lifted = false;

    take_stamps(record, (uint32_t)((uint64_t)counted->stamp_ms / 1000), counted->attempts);
    table_add(&table->header->withdrawn, counted->attempts);
    if (counted->made_ban && record->ban != 0) {
        lifted = table_lift_ban(table, record->ban - 1, &record->key, BAN_WITHDRAWN, now_ms);
        record->ban = 0;
    }
    return lifted;
}

bool
table_withdraw(struct table *table, const struct table_counted *counted, int64_t now_ms)
{
    const struct record_key key = key_of(counted);
    const uint32_t bucket = table_record_bucket(table, &key);
    struct record record;
    struct jail jail;
    bool lifted = false;
    unsigned way;

    if (!table_read_jail(table, counted->jail, &jail))
        return false;
    pthread_mutex_lock(table_stripe(table, bucket));
    way = table_find_record(table, &key, &record);
    if (way < BUCKET_WAYS) {
        uint8_t *left = &table->record_buckets[bucket].left[way];

        lifted = withdraw(table, &record, counted, now_ms);
        cell_replace(&table->records[(size_t)bucket * BUCKET_WAYS + way], &record);
        if (lifted || *left != 0) /* 0: has another ban */
            *left =
                (uint8_t)(record.head.own < jail.maxretry ? jail.maxretry - record.head.own : 1);
    }
    pthread_mutex_unlock(table_stripe(table, bucket));
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
