/* jail-statistics: see jail-statistics.h.
 *
 * rsyslog reads its list of statistics without a lock, so nothing that is in it is ever taken out
 * before the end: a jail that a HUP takes away keeps its line.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "errmsg.h"
#include "obj.h"
#include "statsobj.h"
#include "unicode-helper.h"

#include "engine.h"
#include "jail-statistics.h"

#define NAME_SIZE (JAIL_NAME_SIZE + 16)

enum jail_statistic {
    JAIL_STATISTIC_LINES,
    JAIL_STATISTIC_FAILURES,
    JAIL_STATISTIC_BANS,
    JAIL_STATISTIC_BANS_OBSERVED,
    JAIL_STATISTIC_BANNED,
    JAIL_STATISTICS
};

static const char *const names[JAIL_STATISTICS] = {
    [JAIL_STATISTIC_LINES] = "lines",   [JAIL_STATISTIC_FAILURES] = "failures",
    [JAIL_STATISTIC_BANS] = "bans",     [JAIL_STATISTIC_BANS_OBSERVED] = "bans.observed",
    [JAIL_STATISTIC_BANNED] = "banned",
};

struct line_of_jail {
    char name[NAME_SIZE];
    statsobj_t *object;
    intctr_t counters[JAIL_STATISTICS];
};

DEFobjStaticHelpers
DEFobjCurrIf(statsobj)

static struct line_of_jail lines[2 * TABLE_JAILS_MAX]; /* of those that are gone, too */
static unsigned line_count;
static _Atomic(struct line_of_jail *) by_jail[TABLE_JAILS_MAX]; /* NULL: there is no such jail */

static rsRetVal
open_line(struct line_of_jail *line)
{
    DEFiRet;

    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(statsobj, CORE_COMPONENT));
    CHKiRet(statsobj.Construct(&line->object));
    CHKiRet(statsobj.SetName(line->object, (uchar *)line->name));
    CHKiRet(statsobj.SetOrigin(line->object, UCHAR_CONSTANT("ombanmail")));
    for (int i = 0; i < JAIL_STATISTICS; i++)
        CHKiRet(statsobj.AddCounter(line->object, (const uchar *)names[i], ctrType_IntCtr,
                                    CTR_FLAG_NONE, &line->counters[i]));
    CHKiRet(statsobj.ConstructFinalize(line->object));
finalize_it:
    RETiRet;
}

/* The line of this name, a new one where there is none; NULL where there is no room. */
static struct line_of_jail *
line_named(const char *jail)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "ombanmail(%s)", jail);
    for (unsigned i = 0; i < line_count; i++)
        if (strcmp(lines[i].name, name) == 0)
            return &lines[i];
    if (line_count == sizeof(lines) / sizeof(lines[0]))
        return NULL;
    memcpy(lines[line_count].name, name, sizeof(name));
    if (open_line(&lines[line_count]) != RS_RET_OK) {
        LogError(0, RS_RET_ERR, "ombanmail: no statistics of jail %s", jail);
        return NULL;
    }
    return &lines[line_count++];
}

void
jail_statistics_follow(void)
{
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; engine.table != NULL && i < TABLE_JAILS_MAX; i++)
        atomic_store(&by_jail[i], table_read_jail(engine.table, i, &jail) && jail.classes != 0
                                      ? line_named(jail.name)
                                      : NULL);
}

static void
add(unsigned jail, enum jail_statistic which, uint64_t number)
{
    struct line_of_jail *const line = atomic_load_explicit(&by_jail[jail], memory_order_acquire);

    if (line != NULL)
        __atomic_fetch_add(&line->counters[which], number, __ATOMIC_RELAXED);
}

void
jail_statistics_count(const struct counter_outcome *outcome)
{
    for (uint64_t left = outcome->jails; left != 0; left &= left - 1) {
        const unsigned jail = (unsigned)__builtin_ctzll(left);

        add(jail, JAIL_STATISTIC_FAILURES, outcome->attempts);
        add(jail, JAIL_STATISTIC_BANS, outcome->banning >> jail & 1);
        add(jail, JAIL_STATISTIC_BANS_OBSERVED, outcome->observed >> jail & 1);
    }
}

static void
set(const struct line_of_jail *line, enum jail_statistic which, uint64_t number)
{
    __atomic_store_n((intctr_t *)&line->counters[which], number, __ATOMIC_RELAXED);
}

void
jail_statistics_refresh(void)
{
    uint64_t banned[TABLE_JAILS_MAX] = {0};
    struct table_status status;
    struct ban ban;

    if (engine.table == NULL)
        return;
    table_read_status(engine.table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        if (table_read_ban(engine.table, i, &ban) &&
            (ban.state == BAN_WANTED || ban.state == BAN_ENFORCED))
            banned[ban.jail % TABLE_JAILS_MAX]++;
    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++) {
        const struct line_of_jail *const line = atomic_load(&by_jail[i]);

        if (line == NULL)
            continue;
        set(line, JAIL_STATISTIC_LINES, table_jail_lines(engine.table, i));
        set(line, JAIL_STATISTIC_BANNED, banned[i]);
    }
}

void
jail_statistics_leave(void)
{
    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++)
        atomic_store(&by_jail[i], NULL);
}

void
jail_statistics_close(void)
{
    for (unsigned i = 0; i < line_count; i++)
        statsobj.Destruct(&lines[i].object);
    line_count = 0;
}
