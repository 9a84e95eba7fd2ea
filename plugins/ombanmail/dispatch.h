/* dispatch: what other servers of a fleet are to ban, as messages into the ruleset that
 * fleetRuleset names: each ban that has changed, and a page a second. On the teller's thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_DISPATCH_H
#define OMBANMAIL_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

/* rsyslog's headers are included by the .c files: they must come first there. */
struct modConfData_s;

/* Looks whether the ruleset is there and has a queue of its own; what is wrong is said as an error,
 * and nothing is sent then. Main thread, when all of the configuration is read. */
void dispatch_check(struct modConfData_s *configuration);

/* Around all that follows; where there is no fleetRuleset nothing comes of it. */
void dispatch_begin(void);
void dispatch_end(void);

/* Sends the bans that have begun, go on longer, or were lifted. Where the ruleset's queue has no
 * room they are not sent: pages bring them. */
void dispatch_bans(void);

/* Whether there are such; costs nothing. */
bool dispatch_has_bans(void);

/* Sends the next page if it is time to. Returns in how many milliseconds the one after it is due,
 * at most `most`. */
int dispatch_page(int most);

#endif
