/* condition: what is wrong with ombanmail, as far as its table tells. Decided here once, for what
 * banmailctl says and for the statistics.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_CONDITION_H
#define BANMAIL_CONDITION_H

#include "table/table.h"
#include "table/table-health.h"

#define CONDITION_SILENT_MS (60 * 60000) /* without a mail line: more than a quiet night has */
#define CONDITION_SHOWN_MS  (60 * 60000) /* how long what has happened once is worth saying */

enum condition {
    CONDITION_STOPPED, /* no rsyslogd has the table open; then only a pause and the next are told */
    CONDITION_CONFIGURATION, /* something is wrong with it: see setup.h */
    CONDITION_NO_JAIL,
    CONDITION_VERSION, /* rsyslogd runs another one than the caller's */
    CONDITION_PAUSED,
    CONDITION_HELD_BACK,   /* maxBanRate was reached */
    CONDITION_LEDGER,      /* cannot be written */
    CONDITION_SILENT,      /* no line of a mail server comes */
    CONDITION_UNMATCHED,   /* lines look like logins, but no rule knows them */
    CONDITION_LOST,        /* messages, on the way to the action */
    CONDITION_KERNEL,      /* refuses */
    CONDITION_WAITING,     /* bans wait for the kernel */
    CONDITION_INEFFECTIVE, /* bans have no effect: see effect.h */
    CONDITION_BACKEND,     /* the authentication backend of a host has faults */
    CONDITION_FULL,        /* no room for another ban */
    CONDITIONS
};

#define CONDITION_BIT(condition) (UINT32_C(1) << (condition))

/* What the decision needs. */
struct condition_facts {
    struct table_status status;
    struct table_health health;
    unsigned jails;    /* that are configured */
    const char *setup; /* what setup_read has read; NULL from condition_read: not known */
    size_t banned, pending;
    size_t ineffective; /* bans that have no effect … */
    struct ban first;   /* … one of them, */
    struct jail jail;   /* its jail, */
    const char *set;    /* and the administrator's set that it is in; NULL from condition_read */
    int64_t now_ms;
};

/* As it stands in JSON and in the statistics: "stopped", "jail", …. Pure. */
const char *condition_name(enum condition condition);

/* What is the matter, in a few words for who is told of it: "the kernel refuses bans". Pure. */
const char *condition_words(enum condition condition);

/* Reads the facts; `pending` is what waits at this moment. Some milliseconds for 50,000 bans. Any
 * thread, any process. */
void condition_read(const struct table *table, int64_t now_ms, struct condition_facts *facts);

/* Which of them hold, as CONDITION_BITs. `silent_ms`: how long no mail line is too long. Pure. */
uint32_t condition_find(const struct condition_facts *facts, int64_t silent_ms);

#endif
