/* restore: see restore.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/restore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "ledger/ledger.h"

struct restoring {
    struct table *table;
    int64_t now_ms;
    int restored, refused, unfit;
};

static int
find_jail(struct table *table, const char *name)
{
    struct jail jail;
    if (strcmp(name, LEDGER_JAIL_MANUAL) == 0)
        return TABLE_JAIL_MANUAL;
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && strcmp(jail.name, name) == 0)
            return (int)i;

    jail_defaults(&jail);
    jail.classes = 0;
    snprintf(jail.name, sizeof(jail.name), "%s", name);
    return table_jail(table, &jail);
}

/* What nobody may ban does not come back either, whoever wrote it there. */
static bool
may_be_banned(const struct source *source)
{
    const unsigned least = source_is_v4(source) ? JAIL_V4_BITS_MIN : JAIL_V6_BITS_MIN;
    return source_bits(source) >= least && source_is_client(source);
}

static bool
restore_ban(void *context, const struct ledger_row *row)
{
    struct restoring *restoring = context;
    struct ban ban = row->ban;
    if (!may_be_banned(&ban.source)) {
        restoring->unfit++;
        return true;
    }
    int jail = find_jail(restoring->table, row->jail);
    ban.jail = jail < 0 ? TABLE_JAIL_MANUAL : (uint8_t)jail;
    if (table_ban(restoring->table, &ban, restoring->now_ms) == 0)
        restoring->restored++;
    else
        restoring->refused++;
    return true;
}

/* Jails whose bans the length of a further one depends on, as bits. */
static uint64_t
growing_jails(const struct table *table)
{
    uint64_t all = 0, growing = 0;
    bool over_all = false;
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        if (!table_read_jail(table, i, &jail) || jail.classes == 0)
            continue;
        all |= UINT64_C(1) << i;
        growing |= jail.growth.is_on ? UINT64_C(1) << i : 0;
        over_all = over_all || (jail.growth.is_on && jail.growth.over_all_jails);
    }
    return over_all ? all : growing;
}

struct recalling {
    struct table *table;
    uint64_t jails;
    int64_t now_ms;
};

static bool
recall(void *context, const struct ledger_banned *banned)
{
    const struct recalling *recalling = context;
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if ((recalling->jails >> i & 1) && table_read_jail(recalling->table, i, &jail) &&
            strcmp(jail.name, banned->jail) == 0)
            table_note_bans(recalling->table, i, &banned->source, banned->scope, banned->count,
                            recalling->now_ms);
    return true;
}

/* Who was banned how often, for bans that grow; no more clients than leave room for others. */
static int
recall_bans(struct table *table, struct ledger *ledger, int64_t now_ms)
{
    struct recalling recalling = {table, growing_jails(table), now_ms};
    struct table_status status;

    if (recalling.jails == 0)
        return 0;
    table_read_status(table, &status);
    return ledger_banned(ledger, status.capacity / 2, recall, &recalling);
}

int
restore_live_bans(struct table *table, const char *ledger_path, int64_t now_ms,
                  const struct report *report, bool *first_run)
{
    struct restoring restoring = {.table = table, .now_ms = now_ms};
    struct ledger *ledger = NULL;
    *first_run = access(ledger_path, F_OK) < 0 && errno == ENOENT;

    int result = ledger_open(ledger_path, false, report, &ledger, NULL);
    if (result == 0)
        result = ledger_live(ledger, now_ms, restore_ban, &restoring);
    if (result >= 0)
        result = recall_bans(table, ledger, now_ms);
    if (result >= 0)
        result = ledger_expire(ledger, now_ms);
    ledger_close(ledger);

    if (restoring.refused > 0)
        report_say(report, LOG_WARNING,
                   "%d ban%s of the ledger found no room in the table: raise maxBans",
                   restoring.refused, report_plural((uint64_t)restoring.refused));
    if (restoring.unfit > 0)
        report_say(report, LOG_WARNING,
                   "%d ban%s of the ledger %s left out: prefixes that are too wide to be banned",
                   restoring.unfit, report_plural((uint64_t)restoring.unfit),
                   restoring.unfit == 1 ? "is" : "are");
    if (restoring.restored > 0)
        report_say(report, LOG_INFO, "%d ban%s came back from the ledger", restoring.restored,
                   report_plural((uint64_t)restoring.restored));
    if (result < 0)
        report_say(report, LOG_ERR, "earlier bans cannot be read from the ledger %s: %s",
                   ledger_path, ledger_error(result));
    return result < 0 ? result : restoring.restored;
}
