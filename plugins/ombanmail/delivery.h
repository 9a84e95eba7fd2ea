/* delivery: rulesets that messages of our own go into, whoever makes them.
 *
 * A message is handed over only while the ruleset's queue has room: nobody here waits within
 * rsyslog. Include rsyslog.h first.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_DELIVERY_H
#define OMBANMAIL_DELIVERY_H

#include <stdbool.h>

#include "msg.h"
#include "rsconf.h"
#include "ruleset.h"

#define DELIVERY_INPUT "imbanmail" /* the input's name in these messages */

/* The ruleset of this name, which must have a queue of its own; and imbanmail must be loaded, on
 * whose thread messages are handed over. Returns NULL, and in *reason why in words, where it cannot
 * be used. Main thread, when all of the configuration is read. */
ruleset_t *delivery_find(rsconf_t *configuration, const char *name, const char **reason);

/* Once before the functions below, on imbanmail's thread; delivery_end is owed when it returned
 * RS_RET_OK. */
rsRetVal delivery_begin(void);
void delivery_end(void);

/* Whether the ruleset's queue would take a message now, and some of others' too. */
bool delivery_has_room(ruleset_t *target);

/* Fills a message that has nothing but its times: it is this host's, of ombanmail's input, with the
 * tag, the severity of RFC 5424 and the text, of which it keeps copies. submitMsg2 sends it. */
void delivery_fill(smsg_t *message, ruleset_t *target, const char *tag, int severity,
                   const char *text, size_t length);

/* The name of this host, as rsyslog has it. */
const char *delivery_host(void);

#endif
