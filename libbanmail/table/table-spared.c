/* table-spared: who is not banned, although he has failed often enough. Whom a ban was held back
 * from is not stored: a ban that was made uses up the failures that led to it, so who has enough of
 * them all the same was spared. Whom a jail would have banned that only observes, is.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-health.h"

#include "table/table-private.h"

static bool
is_banned(const struct table *table, const struct record *record, int64_t now_ms)
{
    return record->ban != 0 && record->ban <= table->max_bans &&
           table_ban_is_live(table, record->ban - 1, &record->key, now_ms);
}

/* And not of a network, of which the jail counts the clients that it has banned. */
static bool
is_of_client(const struct record *record, const struct jail *jail)
{
    struct source source = {.prefix = record->key.prefix};

    memcpy(source.address, record->key.address, sizeof source.address);
    return source.prefix == SOURCE_HOST_PREFIX ||
           source.prefix ==
               (source_is_v4(&source) ? SOURCE_V4_OFFSET + jail->v4_bits : jail->v6_bits);
}

static bool
read_record(const struct table *table, uint32_t index, struct record *record, struct jail *jail)
{
    return words_read(table->records[index].word, RECORD_WORDS, record) && record->head.used &&
           record->head.own <= JAIL_STAMPS_MAX && words_are_whole(record, RECORD_WORDS) &&
           table_read_jail(table, record->key.jail, jail) && jail->classes != 0;
}

bool
table_read_observed(const struct table *table, uint32_t index, struct ban *ban)
{
    const struct observed *observed;
    struct record record;
    struct jail jail;

    if (!read_record(table, index, &record, &jail) || !jail.is_observing ||
        record.observed.since_s == 0)
        return false;
    observed = &record.observed;
    *ban = (struct ban){
        .source.prefix = record.key.prefix,
        .jail = record.key.jail,
        .scope = record.key.scope,
        .failures = observed->failures,
        .origin = BAN_BY_JAIL,
        .class = (enum offence_class)observed->class,
        .first_ms = observed->first_s * INT64_C(1000),
        .since_ms = observed->since_s * INT64_C(1000),
        .until_ms =
            observed->until_s == UINT32_MAX ? TABLE_FOREVER_MS : observed->until_s * INT64_C(1000),
    };
    memcpy(ban->source.address, record.key.address, sizeof ban->source.address);
    return observed->class < OFFENCE_CLASSES;
}

bool
table_read_spared(const struct table *table, uint32_t index, int64_t now_ms, struct ban *ban)
{
    struct record record;
    struct jail jail;
    unsigned within = 0;
    int64_t latest_s;

    if (!read_record(table, index, &record, &jail) || record.head.own == 0 ||
        !is_of_client(&record, &jail) || record.head.own < jail_stamps(&jail) ||
        !jail_decide(&jail, record.stamps, record.head.own, &within) ||
        is_banned(table, &record, now_ms))
        return false;
    latest_s = record.stamps[record.head.own - 1];
    if (jail.bantime_s != JAIL_FOREVER &&
        latest_s + jail_bantime(&jail, record.bans, 0) <= now_ms / 1000)
        return false; /* its next failure would begin anew */
    *ban = (struct ban){
        .source.prefix = record.key.prefix,
        .jail = record.key.jail,
        .scope = record.key.scope,
        .failures = (uint16_t)jail_failures(&jail, within, record.repeat),
        .origin = BAN_BY_JAIL,
        .first_ms = (int64_t)record.stamps[0] * 1000,
        .since_ms = latest_s * 1000,
        .until_ms = TABLE_FOREVER_MS,
    };
    memcpy(ban->source.address, record.key.address, sizeof ban->source.address);
    return true;
}
