/* bans: one linear reading of the slots, milliseconds for 50,000.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-bans.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banmailctl-format.h"
#include "table/table-health.h"

static int
compare(const void *a, const void *b)
{
    const struct ban *left = a, *right = b;

    if (left->since_ms != right->since_ms)
        return left->since_ms < right->since_ms ? -1 : 1;
    return source_compare(&left->source, &right->source);
}

static int
add(struct bans *bans, size_t *room, const struct ban *ban)
{
    struct ban *grown;

    if (bans->count == *room) {
        *room = *room ? *room * 2 : 64;
        grown = reallocarray(bans->ban, *room, sizeof(*grown));
        if (!grown) {
            bans_free(bans);
            return -ENOMEM;
        }
        bans->ban = grown;
    }
    bans->ban[bans->count++] = *ban;
    return 0;
}

static void
sort(struct bans *bans)
{
    if (bans->count > 1)
        qsort(bans->ban, bans->count, sizeof(*bans->ban), compare);
}

int
bans_read(const struct table *table, int64_t now_ms, struct bans *bans)
{
    struct table_status status;
    size_t room = 0;
    struct ban ban;

    *bans = (struct bans){0};
    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        if (table_read_ban(table, i, &ban) && ban.until_ms > now_ms &&
            (ban.state == BAN_WANTED || ban.state == BAN_ENFORCED) && add(bans, &room, &ban) < 0)
            return -ENOMEM;
    sort(bans);
    return 0;
}

int
bans_read_spared(const struct table *table, int64_t now_ms, struct bans *bans)
{
    struct table_status status;
    size_t room = 0;
    struct ban ban;

    *bans = (struct bans){0};
    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.capacity; i++)
        if (table_read_spared(table, i, now_ms, &ban) && add(bans, &room, &ban) < 0)
            return -ENOMEM;
    sort(bans);
    return 0;
}

size_t
bans_waiting(const struct table *table, int64_t then_ms)
{
    struct table_status status;
    size_t waiting = 0;
    struct ban ban;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        waiting += table_read_ban(table, i, &ban) &&
                   ((ban.state == BAN_WANTED && ban.since_ms <= then_ms) ||
                    (ban.state == BAN_LIFTED && ban.ended_ms <= then_ms));
    return waiting;
}

void
bans_free(struct bans *bans)
{
    free(bans->ban);
    *bans = (struct bans){0};
}

bool
bans_touches(const struct ban *ban, const struct source *source)
{
    return source_contains(&ban->source, source) || source_contains(source, &ban->source);
}

const char *
bans_jail_name(const struct table *table, const struct ban *ban, char name[JAIL_NAME_SIZE * 4])
{
    struct jail jail;

    if (table_read_jail(table, ban->jail, &jail))
        format_clean(jail.name, name, JAIL_NAME_SIZE * 4);
    else
        snprintf(name, JAIL_NAME_SIZE * 4, "?");
    return name;
}

bool
bans_has_jail(const struct table *table, const char *name)
{
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && strcmp(jail.name, name) == 0)
            return true;
    return false;
}
