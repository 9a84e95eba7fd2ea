/* dispatch: what other servers of a fleet are to ban, as messages into the ruleset that
 * fleetRuleset names: each ban that has changed, a page a second, and more where a host's report
 * asks for them; and this host's own report each minute into the one that reportRuleset names.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_DISPATCH_H
#define OMBANMAIL_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* rsyslog's headers are included by the .c files: they must come first there. */
struct modConfData_s;
struct jails;
struct source;

/* Looks whether the rulesets are there and have queues of their own; what is wrong is said as an
 * error, and nothing is sent then. Main thread, when all of the configuration is read. */
void dispatch_check(struct modConfData_s *configuration);

/* Why these jails cannot be in force, where they count hosts that nobody knows; NULL: they can. Any
 * thread, after dispatch_check. */
const char *dispatch_refuses(const struct modConfData_s *configuration, const struct jails *jails);

/* ---- on the teller's thread ---- */

/* Around all that follows; where neither ruleset is named nothing comes of it. */
void dispatch_begin(void);
void dispatch_end(void);

/* Sends pardons, and the bans that have begun, go on longer, or were lifted. Where the ruleset's
 * queue has no room they are not sent: pages bring them. */
void dispatch_bans(void);

/* Whether there are such; costs nothing. */
bool dispatch_has_bans(void);

/* Sends the pages and the report that are due. Returns in how many milliseconds the next one is, at
 * most `most`. */
int dispatch_what_is_due(int most);

/* ---- others ---- */

/* Takes a report or a pardon that `peer` has delivered. A worker; waits for a page that is being
 * made. */
void dispatch_take_report(const struct source *peer, const char *text, size_t length);

/* Somebody has lifted the bans of `source`, of which the last would have ended at until_ms: hosts
 * and centres are told. Any thread. */
void dispatch_pardon(const struct source *source, int64_t until_ms);

/* Reads which hosts there are, as a former life has written it. Where that cannot be read
 * none is known: nobody gets a number, and the file stays as it is. Main thread, before anything is
 * counted. */
void dispatch_read_hosts(void);

/* After a HUP: tries that again where it has failed. The recorder's thread. */
void dispatch_read_hosts_again(void);

/* About once a second: writes for banmailctl what hosts have reported, never bans their addresses,
 * and tells complaints of servers of one name. The recorder's thread. */
void dispatch_look(void);

/* Asks for pages for the hosts of that name, NULL: for all. Returns how many hosts these are, or
 * -ENOTSUP where no ruleset sends to any. The recorder's thread. */
int dispatch_ask(const char *name);

#endif
