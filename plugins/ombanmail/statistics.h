/* statistics: the counters that impstats prints in the line `ombanmail`.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_STATISTICS_H
#define OMBANMAIL_STATISTICS_H

#include <stdint.h>

#include "table/table-health.h"

/* rsyslog's headers are included by the .c files: they must come first there. The names that
 * impstats prints, and what each counts: docs/parameters.md. */
enum statistic {
    STATISTIC_MESSAGES,
    STATISTIC_FAILURES,
    STATISTIC_DUPLICATES,
    STATISTIC_REPEATED,
    STATISTIC_IGNORED,
    STATISTIC_ALLOW_LISTED,
    STATISTIC_OLD,
    STATISTIC_SESSION_MISMATCHES,
    STATISTIC_UNTRUSTED,
    STATISTIC_UNMATCHED,
    STATISTIC_LOGINS,
    STATISTIC_MAILS_ACCEPTED,
    STATISTIC_BANS,
    STATISTIC_BANS_FULL,
    STATISTIC_BANS_HELD_BACK,
    STATISTIC_EVICTED,
    STATISTIC_GATEWAYS_SPARED,
    STATISTIC_BANS_OBSERVED,
    STATISTIC_AFTER_BAN,
    STATISTIC_INEFFECTIVE,
    STATISTIC_ENFORCED,
    STATISTIC_REMOVED,
    STATISTIC_REFUSED,
    STATISTIC_PENDING,
    STATISTIC_LEDGER_WRITTEN,
    STATISTIC_LEDGER_ERRORS,
    STATISTIC_EVENTS_TOLD,
    STATISTIC_EVENTS_WAITING,
    STATISTIC_EVENTS_DROPPED,
    STATISTIC_USERS_UNKNOWN,
    STATISTIC_BACKEND_FAULTS,
    STATISTIC_BACKEND_SUSPENDED,
    STATISTIC_BACKEND_HELD,
    STATISTIC_BACKEND_WITHDRAWN,
    STATISTIC_BACKEND_BANS_WITHDRAWN,
    STATISTIC_FLEET_MESSAGES,
    STATISTIC_FLEET_INVALID,
    STATISTIC_FLEET_BANS,
    STATISTIC_FLEET_LIFTED,
    STATISTIC_FLEET_WITHHELD,
    STATISTIC_FLEET_LIMITED,
    STATISTIC_LOST_JOURNAL,
    STATISTIC_LOST_INPUT,
    STATISTIC_LOST_QUEUE,
    STATISTIC_TROUBLE, /* how many conditions hold; then 0 or 1 for each that can */
    STATISTIC_TROUBLE_JAIL,
    STATISTIC_TROUBLE_PAUSED,
    STATISTIC_TROUBLE_HELD_BACK,
    STATISTIC_TROUBLE_LEDGER,
    STATISTIC_TROUBLE_SILENT,
    STATISTIC_TROUBLE_UNMATCHED,
    STATISTIC_TROUBLE_LOST,
    STATISTIC_TROUBLE_KERNEL,
    STATISTIC_TROUBLE_WAITING,
    STATISTIC_TROUBLE_BACKEND,
    STATISTIC_TROUBLE_FULL,
    STATISTIC_TROUBLE_INEFFECTIVE,
    STATISTIC_TROUBLE_CONFIGURATION,
    STATISTICS
};

/* Makes the counters known to rsyslog. `refresh` is called before they are read, to set those that
 * somebody else counts; NULL for none. Main thread. */
rsRetVal statistics_open(void (*refresh)(void));

/* Main thread; harmless when it was not opened. */
void statistics_close(void);

/* Adds one. Any thread. */
void statistics_count(enum statistic which);

/* Sets one that somebody else counts. Any thread. */
void statistics_set(enum statistic which, uint64_t value);

/* Has rsyslog count at all, which it does not unless somebody asks for it: a few atomic additions a
 * message. Main thread, at activation. */
void statistics_enable(void);

/* What imjournal and the queues have lost since the last call, by their own counters.
 * Nothing while rsyslogd ends, nor the first time: call it for that when it has just begun to
 * start, and again seconds later. One thread; a microsecond. */
void statistics_take_losses(uint64_t lost[TABLE_LOSSES]);

#endif
