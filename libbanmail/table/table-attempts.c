/* table-attempts: one attempt counts once, however many lines tell of it.
 *
 * A login process, Postfix and Dovecot's auth may each write a line for the same attempt, and one
 * line may come through two inputs. Lines of one kind are never of the same attempt, so the
 * attempts are at least the most that any one kind tells of; and what several kinds tell within
 * some seconds about one client, user and service is taken for the same. So each entry counts by
 * kind, and a line adds what it adds to the maximum.
 *
 * Some kinds of line name no user. Therefore each client has a second entry for each service, the
 * sum: it counts by kind the lines with any user or none, and beside them what the users' entries
 * have added. Its maximum is what counts. It is never less than the lines of one kind, nor than
 * the sum over the users.
 *
 * Forgetting an entry too early counts an attempt twice, no more; so each bucket simply gives up
 * its oldest entry.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "table/table-private.h"

#define WINDOW_MS    10000 /* lines farther apart are of different attempts */
#define FAMILY_AUTH  0     /* all classes that say how an authentication failed */
#define FAMILY_CLASS 1     /* and one family for each other class, from here */
#define MOST_LINES   (UINT16_MAX - OFFENCE_ATTEMPTS_MAX)

static const uint64_t auth_classes =
    OFFENCE_BIT(OFFENCE_AUTH_FAILED) | OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER) |
    OFFENCE_BIT(OFFENCE_AUTH_MECH_UNSUPPORTED) | OFFENCE_BIT(OFFENCE_AUTH_MALFORMED) |
    OFFENCE_BIT(OFFENCE_AUTH_PLAINTEXT_DISALLOWED) | OFFENCE_BIT(OFFENCE_AUTH_DISABLED) |
    OFFENCE_BIT(OFFENCE_AUTH_ABORTED);

static uint8_t family_of(enum offence_class class)
{
    if (auth_classes & OFFENCE_BIT(class))
        return FAMILY_AUTH;
    return (uint8_t)(FAMILY_CLASS + class);
}

/* All entries of a client at a service are in one bucket, so one lock serves both. */
static struct place
place_of(const struct table *table, const struct attempt *key)
{
    uint64_t more = (uint64_t)23 << 56 | (uint64_t)key->head.own << 48 |
                    (uint64_t)key->scope << 32 | key->service_hash;

    return table_place(table, key->address, more, table->attempt_bucket_count);
}

/* Within that bucket its entries differ by their users. */
static uint16_t
tag_of(struct place place, const struct attempt *key)
{
    const uint64_t user = key->is_sum ? ~key->user_hash : key->user_hash;
    const uint16_t tag = (uint16_t)(place.tag ^ (user ^ user >> 16 ^ user >> 32) * 0x9e37U);

    return tag == 0 ? 1 : tag;
}

static bool
is_same(const struct attempt *a, const struct attempt *b)
{
    return memcmp(a->address, b->address, sizeof a->address) == 0 && a->user_hash == b->user_hash &&
           a->service_hash == b->service_hash && a->scope == b->scope && a->is_sum == b->is_sum &&
           a->head.own == b->head.own;
}

static struct cell *
cell_of(const struct table *table, uint32_t bucket, unsigned way)
{
    return &table->attempts[(size_t)bucket * BUCKET_WAYS + way];
}

/* Whether a line of this stamp still tells of the attempts in the entry: it is near in time, or
 * of the same session, whose last line may come minutes later. */
static bool
joins(const struct attempt *entry, const struct table_failure *failure)
{
    if (entry->counted >= MOST_LINES || entry->by_user >= MOST_LINES)
        return false;
    if (failure->session_hash != 0 && failure->session_hash == entry->session_hash)
        return true;
    return failure->stamp_ms >= entry->first_ms - WINDOW_MS &&
           failure->stamp_ms <= entry->last_ms + WINDOW_MS;
}

/* The way that holds the entry for `key`, loaded; or BUCKET_WAYS. */
static unsigned
find_way(const struct table *table, struct place place, const struct attempt *key,
         struct attempt *entry)
{
    const struct attempt_bucket *bucket = &table->attempt_buckets[place.bucket];

    for (uint32_t ways = table_match_tags(bucket->tags, place.tag); ways; ways &= ways - 1) {
        unsigned way = (unsigned)__builtin_ctz(ways);

        cell_load(cell_of(table, place.bucket, way), entry);
        if (is_same(entry, key))
            return way;
    }
    return BUCKET_WAYS;
}

/* Loads the entry that the line belongs to, or begins one. Returns its way. */
static unsigned
find_entry(struct table *table, struct place place, const struct attempt *key,
           const struct table_failure *failure, struct attempt *entry)
{
    struct attempt_bucket *bucket = &table->attempt_buckets[place.bucket];
    unsigned way;

    place.tag = tag_of(place, key);
    way = find_way(table, place, key, entry);
    if (way < BUCKET_WAYS && joins(entry, failure))
        return way;
    if (way == BUCKET_WAYS) {
        way = bucket->next;
        bucket->next = (uint16_t)((way + 1) % BUCKET_WAYS);
        bucket->tags[way] = place.tag;
    }
    *entry = *key;
    entry->first_ms = entry->last_ms = failure->stamp_ms;
    return way;
}

/* Adds the line to those of its kind. Returns how many that kind has told of now. */
static unsigned
add_lines(struct attempt *entry, uint16_t kind, unsigned attempts)
{
    struct attempt_kind *found = NULL;

    for (unsigned i = 0; i < ATTEMPT_KINDS && !found; i++) {
        if (entry->kinds[i].lines == 0 || entry->kinds[i].kind == kind)
            found = &entry->kinds[i];
    }
    if (!found) /* a ninth kind: better counted twice than not at all */
        return entry->counted + attempts;
    found->kind = kind;
    found->lines = (uint16_t)(found->lines + attempts);
    return found->lines;
}

static unsigned
raise(struct attempt *entry, unsigned told)
{
    unsigned added = told > entry->counted ? told - entry->counted : 0;

    entry->counted = (uint16_t)(entry->counted + added);
    return added;
}

static void
remember(struct attempt *entry, const struct table_failure *failure)
{
    if (failure->stamp_ms < entry->first_ms)
        entry->first_ms = failure->stamp_ms;
    if (failure->stamp_ms > entry->last_ms)
        entry->last_ms = failure->stamp_ms;
    if (failure->session_hash != 0)
        entry->session_hash = failure->session_hash;
}

/* The lock of the bucket is held. */
static unsigned
count_once(struct table *table, struct place place, struct attempt *key,
           const struct table_failure *failure, unsigned attempts)
{
    struct attempt entry;
    unsigned way, told, by_user = 0, added;

    if (failure->user_hash != 0) {
        key->user_hash = failure->user_hash;
        way = find_entry(table, place, key, failure, &entry);
        /* A line of several attempts names the user of the last: the sum knows of the others. */
        by_user = raise(&entry, add_lines(&entry, failure->kind, 1));
        remember(&entry, failure);
        cell_replace(cell_of(table, place.bucket, way), &entry);
    }
    key->user_hash = 0;
    key->is_sum = 1;
    way = find_entry(table, place, key, failure, &entry);
    told = add_lines(&entry, failure->kind, attempts);
    entry.by_user = (uint16_t)(entry.by_user + by_user);
    added = raise(&entry, told > entry.by_user ? told : entry.by_user);
    remember(&entry, failure);
    cell_replace(cell_of(table, place.bucket, way), &entry);
    return added;
}

unsigned
table_attempts(struct table *table, const struct table_failure *failure)
{
    struct attempt key = {
        .head = {.used = 1, .own = family_of(failure->class)},
        .service_hash = failure->service_hash,
        .scope = failure->scope,
    };
    unsigned attempts =
        failure->attempts < OFFENCE_ATTEMPTS_MAX ? failure->attempts : OFFENCE_ATTEMPTS_MAX;
    struct place place;
    uint32_t bucket;
    unsigned added;

    memcpy(key.address, failure->client.address, sizeof key.address);
    place = place_of(table, &key);
    bucket = place.bucket;
    pthread_mutex_lock(table_stripe(table, bucket));
    added = count_once(table, place, &key, failure, attempts);
    pthread_mutex_unlock(table_stripe(table, bucket));
    if (added > attempts)
        added = attempts;
    if (added > 0)
        table_add(&table_tally(table, bucket)->counted, added);
    if (added < attempts)
        table_add(&table_tally(table, bucket)->duplicates, attempts - added);
    return added;
}

static bool
is_valid(const struct attempt *entry)
{
    return cell_is_whole(entry) && entry->head.used == 1 &&
           entry->head.own < FAMILY_CLASS + OFFENCE_CLASSES && entry->is_sum <= 1 &&
           entry->first_ms <= entry->last_ms;
}

int
table_attach_attempts(struct table *table)
{
    struct attempt entry;
    struct place place;

    table->attempt_buckets = calloc(table->attempt_bucket_count, sizeof *table->attempt_buckets);
    if (!table->attempt_buckets)
        return -ENOMEM;
    for (uint32_t i = 0; i < table->attempt_bucket_count * BUCKET_WAYS; i++) {
        cell_load(&table->attempts[i], &entry);
        if (!entry.head.used && cell_is_whole(&entry))
            continue;
        place = place_of(table, &entry);
        place.tag = tag_of(place, &entry);
        if (is_valid(&entry) && place.bucket == i / BUCKET_WAYS)
            table->attempt_buckets[place.bucket].tags[i % BUCKET_WAYS] = place.tag;
        else
            cell_clear(&table->attempts[i]); /* of no account: the memory of seconds */
    }
    return 0;
}
