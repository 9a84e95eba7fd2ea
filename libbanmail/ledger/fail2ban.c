/* fail2ban: see fail2ban.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/fail2ban.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "rules/jail.h"

#define BUSY_MS 2000 /* a running fail2ban writes for milliseconds */

static const char query[] =
    "SELECT ip, jail, CASE WHEN bantime < 0 THEN -1 ELSE timeofban + bantime - ?1 END FROM bips"
    " WHERE bantime < 0 OR timeofban + bantime > ?1 ORDER BY timeofban";

static bool
read_row(sqlite3_stmt *statement, struct fail2ban_ban *ban)
{
    const char *const ip = (const char *)sqlite3_column_text(statement, 0);

    ban->jail = (const char *)sqlite3_column_text(statement, 1);
    ban->left_s = sqlite3_column_int64(statement, 2);
    if (ban->left_s < 0)
        ban->left_s = JAIL_FOREVER;
    return ip != NULL && ban->jail != NULL &&
           source_parse_prefix(ip, strlen(ip), &ban->source) == 0;
}

static int
read_rows(sqlite3_stmt *statement, bool (*each)(void *context, const struct fail2ban_ban *ban),
          void *context)
{
    struct fail2ban_ban ban;
    bool goes_on = true;
    int count = 0, step = SQLITE_ROW;

    while (goes_on && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!read_row(statement, &ban))
            continue;
        count++;
        goes_on = each(context, &ban);
    }
    return step == SQLITE_ROW || step == SQLITE_DONE ? count : -EIO;
}

int
fail2ban_live(const char *path, int64_t now_s,
              bool (*each)(void *context, const struct fail2ban_ban *ban), void *context,
              char reason[FAIL2BAN_REASON_SIZE])
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    int result = -EIO;

    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        goto done;
    sqlite3_busy_timeout(database, BUSY_MS);
    if (sqlite3_prepare_v2(database, query, -1, &statement, NULL) != SQLITE_OK)
        goto done;
    sqlite3_bind_int64(statement, 1, now_s);
    result = read_rows(statement, each, context);
done:
    if (result < 0)
        snprintf(reason, FAIL2BAN_REASON_SIZE, "%s is no database of fail2ban 0.11 or later: %s",
                 path, database == NULL ? "out of memory" : sqlite3_errmsg(database));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return result;
}
