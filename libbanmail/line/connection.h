/* connection: what the lines of one SMTP connection have told before its last one.
 *
 * At the end Postfix sums up: `disconnect from x[203.0.113.9] ehlo=1 auth=0/3 …`. Where AUTH is
 * offered, each of the three has had a line of its own. Where it is not, nobody else tells of them.
 * So the lines are remembered until the summary comes, and it counts what they left out, whatever
 * their class was: an aborted attempt or a fault of the server's is no failure because it is summed
 * up. And of a client that has logged in on the connection it is known that it is no spammer's.
 *
 * A connection is known by its host, the process that serves it, and the client. The room is fixed;
 * the key is hashed with a random one, so nobody can choose whose place is taken. What is displaced
 * counts once more than it should.
 *
 * Any thread; no system call and no allocation but in connection_new.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_CONNECTION_H
#define BANMAIL_CONNECTION_H

#include <stdint.h>

#include "line/offence.h"

#define CONNECTION_LIFE_MS 600000 /* Postfix waits for a command 5 min at most, by default */

struct connection_store;

/* Returns NULL when out of memory or randomness. Free with connection_free; NULL is fine. */
struct connection_store *connection_new(void);
void connection_free(struct connection_store *store);

/* A line that is heard for the first time; `host` is a hash of the host that wrote it. Changes the
 * attempts of a summary (OFFENCE_AUTH_REFUSED) to those that nothing has told of, its class to
 * OFFENCE_AUTH_LINE where there are none, and that of a pipelining (OFFENCE_PIPELINING) to
 * OFFENCE_PIPELINING_LOGIN where the client had logged in. */
void connection_hear(struct connection_store *store, uint64_t host, struct offence *offence,
                     int64_t stamp_ms);

#endif
