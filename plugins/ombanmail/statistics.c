/* statistics: rsyslog's "dual counters", which are ours to change: one table, changed atomically.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include "obj.h"
#include "statsobj.h"
#include "unicode-helper.h"

#include "statistics.h"

static const char *const names[STATISTICS] = {
    [STATISTIC_MESSAGES] = "messages",
    [STATISTIC_FAILURES] = "failures",
    [STATISTIC_DUPLICATES] = "duplicates",
    [STATISTIC_IGNORED] = "ignored",
    [STATISTIC_ALLOW_LISTED] = "allow.listed",
    [STATISTIC_OLD] = "old",
    [STATISTIC_SESSION_MISMATCHES] = "session.mismatches",
    [STATISTIC_UNMATCHED] = "unmatched",
    [STATISTIC_LOGINS] = "logins",
    [STATISTIC_MAILS_ACCEPTED] = "mails.accepted",
    [STATISTIC_BANS] = "bans",
    [STATISTIC_BANS_FULL] = "bans.full",
    [STATISTIC_BANS_HELD_BACK] = "bans.held.back",
    [STATISTIC_ENFORCED] = "enforced",
    [STATISTIC_REMOVED] = "removed",
    [STATISTIC_REFUSED] = "refused",
    [STATISTIC_PENDING] = "pending",
    [STATISTIC_LEDGER_WRITTEN] = "ledger.written",
    [STATISTIC_LEDGER_ERRORS] = "ledger.errors",
    [STATISTIC_USERS_UNKNOWN] = "users.unknown",
    [STATISTIC_BACKEND_FAULTS] = "backend.faults",
    [STATISTIC_BACKEND_SUSPENDED] = "backend.suspended",
    [STATISTIC_BACKEND_HELD] = "backend.held",
    [STATISTIC_BACKEND_WITHDRAWN] = "backend.withdrawn",
    [STATISTIC_BACKEND_BANS_WITHDRAWN] = "backend.bans.withdrawn",
};

DEFobjStaticHelpers
DEFobjCurrIf(statsobj)

static intctr_t counters[STATISTICS];
static statsobj_t *object = NULL;
static void (*refresh_ours)(void) = NULL;

static void
refresh(statsobj_t *ours, void *context)
{
    (void)ours;
    (void)context;
    if (refresh_ours != NULL)
        refresh_ours();
}

rsRetVal
statistics_open(void (*refresh_before_reading)(void))
{
    DEFiRet;

    refresh_ours = refresh_before_reading;
    CHKiRet(objGetObjInterface(&obj));
    CHKiRet(objUse(statsobj, CORE_COMPONENT));
    CHKiRet(statsobj.Construct(&object));
    CHKiRet(statsobj.SetName(object, UCHAR_CONSTANT("ombanmail")));
    CHKiRet(statsobj.SetOrigin(object, UCHAR_CONSTANT("ombanmail")));
    for (int i = 0; i < STATISTICS; i++) {
        counters[i] = 0;
        CHKiRet(statsobj.AddCounter(object, (const uchar *)names[i], ctrType_IntCtr, CTR_FLAG_NONE,
                                    &counters[i]));
    }
    CHKiRet(statsobj.SetReadNotifier(object, refresh, NULL));
    CHKiRet(statsobj.ConstructFinalize(object));
finalize_it:
    RETiRet;
}

void
statistics_close(void)
{
    if (object != NULL)
        statsobj.Destruct(&object);
    objRelease(statsobj, CORE_COMPONENT);
}

void
statistics_count(enum statistic which)
{
    __atomic_fetch_add(&counters[which], 1, __ATOMIC_RELAXED);
}

void
statistics_set(enum statistic which, uint64_t value)
{
    __atomic_store_n(&counters[which], value, __ATOMIC_RELAXED);
}
