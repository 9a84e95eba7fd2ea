/* teller: events as messages into the ruleset that eventRuleset names. imbanmail lends the thread,
 * which rsyslogd starts behind the queues and ends before them.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_TELLER_H
#define OMBANMAIL_TELLER_H

#include <stdbool.h>
#include <stdint.h>

/* rsyslog's headers are included by the .c files: they must come first there. */
struct modConfData_s;

/* Looks whether the configuration can be told as it asks: the ruleset is there and has a queue of
 * its own, imbanmail is loaded. What is wrong is said as an error, by which -N1 fails, and kept as
 * configuration->event_refusal; then events wait in the ledger. Main thread, when all of the
 * configuration is read. */
void teller_check(struct modConfData_s *configuration);

/* Tells until rsyslogd ends its inputs. imbanmail's thread. */
rsRetVal teller_run(void);

/* Which conditions hold now, as CONDITION_BITs: what has begun or ended since the last call is an
 * event. `kernel` and `setup` say more of two of them. One thread. */
void teller_note_conditions(uint32_t found, const char *kernel, const char *setup);

#endif
