/* message: what becomes of a message that comes to an action.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_MESSAGE_H
#define OMBANMAIL_MESSAGE_H

#include "engine.h"

/* rsyslog's headers are included by the .c files: they must come first there. */

/* Counts the failure that the message tells of, if it does; or, where the action takes those, does
 * what another server's message tells. The message is only read. `worker` is
 * the calling worker's own, of engine.readers. Any worker, which may be cancelled meanwhile; never
 * blocks. */
void message_take(smsg_t *message, instanceData *instance, struct reader *worker);

#endif
