/* jail-statistics: what impstats prints of each jail, in a line of its own such as
 * `ombanmail(auth)`, as rsyslog's inputs name theirs.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_JAIL_STATISTICS_H
#define OMBANMAIL_JAIL_STATISTICS_H

#include <stdint.h>

/* rsyslog's headers are included by the .c files: they must come first there. */
struct counter_outcome;

/* The table's jails are these: a new one gets its counters; one that is gone keeps them, as they
 * are, for when it comes back. Main thread, or the recorder's. */
void jail_statistics_follow(void);

/* What became of a line. Any thread; some atomic additions where it counted. */
void jail_statistics_count(const struct counter_outcome *outcome);

/* Before they are read: sets what the table counts. Milliseconds for 50,000 bans. */
void jail_statistics_refresh(void);

/* The table is about to be closed. Main thread, no other runs. */
void jail_statistics_leave(void);

/* At the module's end. Main thread; harmless where there are none. */
void jail_statistics_close(void);

#endif
