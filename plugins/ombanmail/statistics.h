/* statistics: the counters that impstats prints in the line `ombanmail`.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_STATISTICS_H
#define OMBANMAIL_STATISTICS_H

#include <stdint.h>

/* rsyslog's headers are included by the .c files: they must come first there. The names that
 * impstats prints, and what each counts: docs/parameters.md. */
enum statistic {
    STATISTIC_MESSAGES,
    STATISTIC_FAILURES,
    STATISTIC_DUPLICATES,
    STATISTIC_IGNORED,
    STATISTIC_ALLOW_LISTED,
    STATISTIC_OLD,
    STATISTIC_SESSION_MISMATCHES,
    STATISTIC_UNMATCHED,
    STATISTIC_LOGINS,
    STATISTIC_MAILS_ACCEPTED,
    STATISTIC_BANS,
    STATISTIC_BANS_FULL,
    STATISTIC_BANS_HELD_BACK,
    STATISTIC_ENFORCED,
    STATISTIC_REMOVED,
    STATISTIC_REFUSED,
    STATISTIC_PENDING,
    STATISTIC_LEDGER_WRITTEN,
    STATISTIC_LEDGER_ERRORS,
    STATISTIC_USERS_UNKNOWN,
    STATISTIC_BACKEND_FAULTS,
    STATISTIC_BACKEND_SUSPENDED,
    STATISTIC_BACKEND_HELD,
    STATISTIC_BACKEND_WITHDRAWN,
    STATISTIC_BACKEND_BANS_WITHDRAWN,
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

#endif
