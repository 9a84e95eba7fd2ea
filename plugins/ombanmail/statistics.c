/* statistics: rsyslog's "dual counters", which are ours to change: one table, changed atomically.
 *
 * Those of others are read where they are: our object stands in one list with all of them.
 * GetAllStatsLines would reset the counters of dyn_stats() that its user wants to read himself, and
 * call everybody's notifier. The objects that are looked for live until rsyslogd ends, which the
 * global input state tells beforehand.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <string.h>

#include "glbl.h"
#include "obj.h"
#include "statsobj.h"
#include "unicode-helper.h"

#include "statistics.h"

static const char *const names[STATISTICS] = {
    [STATISTIC_MESSAGES] = "messages",
    [STATISTIC_FAILURES] = "failures",
    [STATISTIC_DUPLICATES] = "duplicates",
    [STATISTIC_REPEATED] = "repeated",
    [STATISTIC_IGNORED] = "ignored",
    [STATISTIC_ALLOW_LISTED] = "allow.listed",
    [STATISTIC_OLD] = "old",
    [STATISTIC_SESSION_MISMATCHES] = "session.mismatches",
    [STATISTIC_UNTRUSTED] = "untrusted",
    [STATISTIC_UNMATCHED] = "unmatched",
    [STATISTIC_LOGINS] = "logins",
    [STATISTIC_MAILS_ACCEPTED] = "mails.accepted",
    [STATISTIC_BANS] = "bans",
    [STATISTIC_BANS_FULL] = "bans.full",
    [STATISTIC_BANS_HELD_BACK] = "bans.heldback",
    [STATISTIC_EVICTED] = "evicted",
    [STATISTIC_GATEWAYS_SPARED] = "gateways.spared",
    [STATISTIC_BANS_OBSERVED] = "bans.observed",
    [STATISTIC_AFTER_BAN] = "after.ban",
    [STATISTIC_INEFFECTIVE] = "ineffective",
    [STATISTIC_ENFORCED] = "enforced",
    [STATISTIC_REMOVED] = "removed",
    [STATISTIC_REFUSED] = "refused",
    [STATISTIC_PENDING] = "pending",
    [STATISTIC_LEDGER_WRITTEN] = "ledger.written",
    [STATISTIC_LEDGER_ERRORS] = "ledger.errors",
    [STATISTIC_EVENTS_TOLD] = "events.told",
    [STATISTIC_EVENTS_WAITING] = "events.waiting",
    [STATISTIC_EVENTS_DROPPED] = "events.dropped",
    [STATISTIC_USERS_UNKNOWN] = "users.unknown",
    [STATISTIC_BACKEND_FAULTS] = "backend.faults",
    [STATISTIC_BACKEND_SUSPENDED] = "backend.suspended",
    [STATISTIC_BACKEND_HELD] = "backend.held",
    [STATISTIC_BACKEND_WITHDRAWN] = "backend.withdrawn",
    [STATISTIC_BACKEND_BANS_WITHDRAWN] = "backend.bans.withdrawn",
    [STATISTIC_FLEET_MESSAGES] = "fleet.messages",
    [STATISTIC_FLEET_INVALID] = "fleet.invalid",
    [STATISTIC_FLEET_BANS] = "fleet.bans",
    [STATISTIC_FLEET_LIFTED] = "fleet.lifted",
    [STATISTIC_FLEET_WITHHELD] = "fleet.withheld",
    [STATISTIC_FLEET_LIMITED] = "fleet.limited",
    [STATISTIC_LOST_JOURNAL] = "lost.journal",
    [STATISTIC_LOST_INPUT] = "lost.input",
    [STATISTIC_LOST_QUEUE] = "lost.queue",
    [STATISTIC_TROUBLE] = "trouble",
    [STATISTIC_TROUBLE_JAIL] = "trouble.jail",
    [STATISTIC_TROUBLE_PAUSED] = "trouble.paused",
    [STATISTIC_TROUBLE_HELD_BACK] = "trouble.heldback",
    [STATISTIC_TROUBLE_LEDGER] = "trouble.ledger",
    [STATISTIC_TROUBLE_SILENT] = "trouble.silent",
    [STATISTIC_TROUBLE_UNMATCHED] = "trouble.unmatched",
    [STATISTIC_TROUBLE_LOST] = "trouble.lost",
    [STATISTIC_TROUBLE_KERNEL] = "trouble.kernel",
    [STATISTIC_TROUBLE_WAITING] = "trouble.waiting",
    [STATISTIC_TROUBLE_BACKEND] = "trouble.backend",
    [STATISTIC_TROUBLE_FULL] = "trouble.full",
    [STATISTIC_TROUBLE_INEFFECTIVE] = "trouble.ineffective",
    [STATISTIC_TROUBLE_CONFIGURATION] = "trouble.configuration",
};

DEFobjStaticHelpers
DEFobjCurrIf(statsobj)
DEFobjCurrIf(glbl)

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
    CHKiRet(objUse(glbl, CORE_COMPONENT));
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
    objRelease(glbl, CORE_COMPONENT);
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

/* ---- what others have counted ---- */

void
statistics_enable(void)
{
    statsobj.EnableStats();
}

static const struct {
    const char *origin, *counter;
    enum table_loss loss;
} losses[] = {
    {"imjournal", "discarded", TABLE_LOST_JOURNAL},
    {"core.queue", "discarded.full", TABLE_LOST_QUEUE},
    {"core.queue", "discarded.nf", TABLE_LOST_QUEUE},
};

/* Where they stand in rsyslog's memory. */
static struct {
    const intctr_t *number;
    enum table_loss loss;
} found[64];
static unsigned found_count;

static void
find_losses(const statsobj_t *other)
{
    if (other->origin == NULL)
        return;
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        if (strcmp((const char *)other->origin, losses[i].origin) != 0)
            continue;
        for (const ctr_t *counter = other->ctrRoot; counter != NULL; counter = counter->next)
            if (counter->ctrType == ctrType_IntCtr &&
                found_count < sizeof(found) / sizeof(found[0]) &&
                strcmp((const char *)counter->name, losses[i].counter) == 0) {
                found[found_count].number = counter->val.pIntCtr;
                found[found_count++].loss = losses[i].loss;
            }
    }
}

/* rsyslog has no lock for those who read its list, impstats among them. It grows while rsyslogd
 * starts, and some modules' objects come and go later: so it is walked once, at the second call.
 * The counters of inputs and queues stay where they are until the inputs have ended: from when they
 * are told to, nothing is looked at.
 *
 * impstats may reset what it has printed: then all of it is new. */
void
statistics_take_losses(uint64_t lost[TABLE_LOSSES])
{
    static unsigned calls;
    static uint64_t before[TABLE_LOSSES];
    uint64_t sums[TABLE_LOSSES] = {0};
    const statsobj_t *other;

    memset(lost, 0, TABLE_LOSSES * sizeof(lost[0]));
    if (object == NULL || calls++ == 0 || glbl.GetGlobalInputTermState())
        return;
    if (calls == 2) {
        for (other = object; other != NULL; other = other->prev)
            find_losses(other);
        for (other = object->next; other != NULL; other = other->next)
            find_losses(other);
    }
    for (unsigned i = 0; i < found_count; i++)
        sums[found[i].loss] += __atomic_load_n(found[i].number, __ATOMIC_RELAXED);
    for (int i = 0; i < TABLE_LOSSES; i++) {
        lost[i] = sums[i] >= before[i] ? sums[i] - before[i] : sums[i];
        before[i] = sums[i];
    }
}
