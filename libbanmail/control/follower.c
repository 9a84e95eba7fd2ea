/* follower: see follower.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/follower.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fleet/fellows.h"
#include "fleet/merge.h"
#include "fleet/telegram.h"

_Static_assert(TELEGRAM_FOREVER_MS == TABLE_FOREVER_MS, "both mean for ever");

struct follower {
    pthread_mutex_t lock;
    struct table *table;
    char own[TELEGRAM_NAME_SIZE];
    uint64_t table_id;
    uint32_t max_bans;
    struct merge *merge;
    struct fellows *fellows;
    atomic_bool has_new_fellows;
    struct limits limits;
    uint32_t known[MERGE_ORIGINS_MAX]; /* origins whose bans were looked for in the table */
    unsigned known_count;
    struct telegram telegram;
    struct orders orders;
    struct follower_statistics statistics;
};

struct follower *
follower_new(struct table *table, const char *own, uint32_t max_bans, uint64_t seed)
{
    struct follower *const follower = calloc(1, sizeof *follower);
    struct table_status status;

    if (follower == NULL)
        return NULL;
    /* twice as many: each lifted ban leaves a tombstone */
    follower->merge = merge_new(own, 2 * max_bans, seed);
    follower->fellows = fellows_new();
    if (follower->merge == NULL || follower->fellows == NULL) {
        merge_free(follower->merge);
        fellows_free(follower->fellows);
        free(follower);
        return NULL;
    }
    pthread_mutex_init(&follower->lock, NULL);
    table_read_status(table, &status);
    follower->table = table;
    follower->table_id = status.table_id;
    memcpy(follower->own, own, strnlen(own, sizeof follower->own - 1));
    follower->max_bans = max_bans;
    limits_set_default(&follower->limits, max_bans);
    return follower;
}

void
follower_free(struct follower *follower)
{
    if (follower == NULL)
        return;
    pthread_mutex_destroy(&follower->lock);
    merge_free(follower->merge);
    fellows_free(follower->fellows);
    free(follower);
}

/* ---- an order as a ban of the table ---- */

/* Never 0, which is this table's own. */
static uint32_t
number_of(const char *origin)
{
    const uint32_t number = (uint32_t)hash_text(origin, strlen(origin));

    return number == 0 ? 1 : number;
}

static void
name_jail(const struct ports *ports, char name[JAIL_NAME_SIZE])
{
    const struct ports mail = ports_mail();

    if (ports_are_same(ports, &mail))
        snprintf(name, JAIL_NAME_SIZE, "%s", FOLLOWER_JAIL);
    else if (ports_are_all(ports))
        snprintf(name, JAIL_NAME_SIZE, "%s-all", FOLLOWER_JAIL);
    else
        snprintf(name, JAIL_NAME_SIZE, "%s-%08x", FOLLOWER_JAIL,
                 (unsigned)hash_bytes(0, ports, sizeof *ports));
}

/* The jail with these ports, which counts nothing; -EEXIST where somebody has given its name to one
 * that does, another negative errno where there is no room. */
static int
jail_for(struct table *table, const struct ports *ports)
{
    struct jail jail, known;

    jail_defaults(&jail);
    jail.classes = 0;
    jail.ports = *ports;
    name_jail(ports, jail.name);
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &known) && strcmp(known.name, jail.name) == 0)
            return known.classes == 0 && ports_are_same(&known.ports, ports) ? (int)i : -EEXIST;
    return table_jail(table, &jail);
}

static struct ban
ban_of(const struct order *order, unsigned jail)
{
    return (struct ban){
        .source = order->source,
        .jail = (uint8_t)jail,
        .scope = order->is_host ? TABLE_SCOPE_OWN : TABLE_SCOPE_FLEET,
        .origin = BAN_BY_HAND,
        .first_ms = order->since_ms,
        .since_ms = order->since_ms,
        .until_ms = order->end_ms,
        .table = number_of(order->origin),
        .change = order->change,
    };
}

/* ---- carrying out ---- */

static bool
carry_out(struct follower *follower, const struct order *order, int64_t now_ms)
{
    struct table *const table = follower->table;
    unsigned lifted;
    struct ban ban;
    int jail;

    if (order->kind == ORDER_PARDON) {
        lifted = table_pardon(table, &order->source, order->since_ms, now_ms);
        follower->statistics.lifted += lifted;
        return lifted > 0;
    }
    jail = jail_for(table, &order->ports);
    if (jail >= 0)
        ban = ban_of(order, (unsigned)jail);
    if (jail >= 0 && order->kind == ORDER_LIFT) {
        lifted = table_lift_one(table, &ban, now_ms);
        follower->statistics.lifted += lifted;
        return lifted > 0;
    }
    if (jail >= 0 && table_ban_until(table, &ban, now_ms) == 0) {
        follower->statistics.bans++;
        return true;
    }
    if (order->kind == ORDER_BAN)
        merge_forget(follower->merge, order);
    return false;
}

/* ---- after a restart ---- */

static bool
is_known(const struct follower *follower, uint32_t number)
{
    for (unsigned i = 0; i < follower->known_count; i++)
        if (follower->known[i] == number)
            return true;
    return false;
}

/* What the table has of this origin since before, is held. */
static void
find_again(struct follower *follower, const char *origin)
{
    const uint32_t number = number_of(origin);
    struct jail jail;
    struct ban ban;

    if (is_known(follower, number) || follower->known_count == MERGE_ORIGINS_MAX)
        return;
    follower->known[follower->known_count++] = number;
    for (uint32_t i = 0; i < follower->max_bans; i++) {
        struct order order = {.kind = ORDER_BAN};

        if (!table_read_ban(follower->table, i, &ban) || ban.table != number ||
            (ban.state != BAN_WANTED && ban.state != BAN_ENFORCED) ||
            !table_read_jail(follower->table, ban.jail, &jail))
            continue;
        memcpy(order.origin, origin, sizeof order.origin);
        order.source = ban.source;
        order.ports = jail.ports;
        order.is_host = ban.scope == TABLE_SCOPE_OWN;
        order.since_ms = ban.since_ms;
        order.end_ms = ban.until_ms;
        order.change = ban.change;
        merge_restore(follower->merge, &order);
    }
}

/* ---- a message ---- */

static void
take_members(struct follower *follower, const struct telegram *telegram, int64_t now_ms)
{
    if (strcmp(telegram->origin, follower->own) == 0)
        return;
    follower->statistics.taken++;
    if (fellows_take(follower->fellows, number_of(telegram->origin), telegram->members.addresses,
                     telegram->members.address_count, now_ms))
        atomic_store(&follower->has_new_fellows, true);
}

static bool
take(struct follower *follower, const char *text, size_t length, int64_t now_ms)
{
    bool has_changed = false;

    if (telegram_read(text, length, &follower->telegram) != 0) {
        follower->statistics.invalid++;
        return false;
    }
    if (follower->telegram.kind == TELEGRAM_MEMBERS) {
        take_members(follower, &follower->telegram, now_ms);
        return false;
    }
    if (follower->telegram.kind != TELEGRAM_REPORT)
        find_again(follower, follower->telegram.origin);
    if (merge_take(follower->merge, &follower->telegram, &follower->limits, now_ms,
                   &follower->orders) == MERGE_OWN)
        follower->statistics.namesake += follower->telegram.table != follower->table_id;
    for (unsigned i = 0; i < follower->orders.count; i++)
        has_changed |= carry_out(follower, &follower->orders.at[i], now_ms);
    return has_changed;
}

bool
follower_take(struct follower *follower, const char *text, size_t length,
              const struct allow *allowed, int64_t (*clock)(void))
{
    bool has_changed;

    pthread_mutex_lock(&follower->lock);
    follower->limits.allowed = allowed;
    has_changed = take(follower, text, length, clock());
    follower->limits.allowed = NULL;
    pthread_mutex_unlock(&follower->lock);
    return has_changed;
}

int
follower_pardon(struct follower *follower, const struct source *source, int64_t since_ms,
                int64_t until_ms, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    struct telegram *const telegram = &follower->telegram;
    struct table_status status;
    int length;

    table_read_status(follower->table, &status);
    pthread_mutex_lock(&follower->lock);
    *telegram = (struct telegram){.kind = TELEGRAM_PARDON, .sent_ms = now_ms};
    telegram->table = follower->table_id;
    memcpy(telegram->origin, follower->own, sizeof telegram->origin);
    telegram->ban = (struct telegram_ban){.source = *source,
                                          .since_ms = since_ms,
                                          .until_ms = until_ms,
                                          .change = status.generation,
                                          .scope = TELEGRAM_SCOPE_FLEET};
    telegram->story = (struct telegram_story){.jail = "-", .reason = "manual"};
    length = telegram_print(telegram, text, TELEGRAM_TEXT_SIZE);
    merge_pardon(follower->merge, &telegram->ban, &follower->limits, now_ms, &follower->orders);
    for (unsigned i = 0; i < follower->orders.count; i++)
        if (follower->orders.at[i].kind == ORDER_LIFT)
            carry_out(follower, &follower->orders.at[i], now_ms);
    pthread_mutex_unlock(&follower->lock);
    return length > 0 ? length : 0;
}

/* Of many bans most have the same ports, whose jail is not looked for anew. */
struct look {
    struct follower *follower;
    int64_t now_ms;
    struct ports ports;
    int jail;
};

static bool
is_in_table(void *context, const struct order *order)
{
    struct look *const look = context;
    struct ban ban;

    if (look->jail < 0 || !ports_are_same(&look->ports, &order->ports)) {
        look->ports = order->ports;
        look->jail = jail_for(look->follower->table, &order->ports);
    }
    if (look->jail < 0)
        return false;
    ban = ban_of(order, (unsigned)look->jail);
    return table_has_one(look->follower->table, &ban, look->now_ms);
}

int
follower_report(struct follower *follower, const struct source *addresses, unsigned count,
                int64_t now_ms, char text[TELEGRAM_TEXT_SIZE])
{
    struct telegram *const telegram = &follower->telegram;
    struct look look = {.follower = follower, .now_ms = now_ms, .jail = -1};
    struct merge_counts counts;
    int length;

    pthread_mutex_lock(&follower->lock);
    merge_verify(follower->merge, is_in_table, &look, now_ms);
    merge_read_counts(follower->merge, &counts);
    *telegram = (struct telegram){.kind = TELEGRAM_REPORT, .sent_ms = now_ms};
    telegram->table = follower->table_id;
    memcpy(telegram->origin, follower->own, sizeof telegram->origin);
    snprintf(telegram->report.version, TELEGRAM_WORD_SIZE, "%s", PACKAGE_VERSION);
    telegram->report.refused = counts.withheld + counts.limited;
    for (unsigned i = 0; i < count && i < TELEGRAM_ADDRESSES_MAX; i++)
        telegram->report.addresses[telegram->report.address_count++] = addresses[i];
    telegram->report.hold_count = merge_report(follower->merge, telegram->report.holds);
    length = telegram_print(telegram, text, TELEGRAM_TEXT_SIZE);
    pthread_mutex_unlock(&follower->lock);
    return length > 0 ? length : 0;
}

bool
follower_has_new_fellows(struct follower *follower)
{
    return atomic_load(&follower->has_new_fellows);
}

unsigned
follower_fellows(struct follower *follower, int64_t now_ms, struct source *addresses, unsigned most)
{
    unsigned count;

    pthread_mutex_lock(&follower->lock);
    atomic_store(&follower->has_new_fellows, false);
    count = fellows_addresses(follower->fellows, now_ms, addresses, most);
    pthread_mutex_unlock(&follower->lock);
    return count;
}

void
follower_read_statistics(struct follower *follower, struct follower_statistics *statistics)
{
    struct merge_counts counts;

    pthread_mutex_lock(&follower->lock);
    merge_read_counts(follower->merge, &counts);
    *statistics = follower->statistics;
    pthread_mutex_unlock(&follower->lock);
    statistics->taken += counts.taken;
    statistics->invalid += counts.retired + counts.crowded + counts.own;
    statistics->withheld = counts.withheld;
    statistics->limited = counts.limited;
}
