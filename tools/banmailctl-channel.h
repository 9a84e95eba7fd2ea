/* channel: the way by which a command reaches the table, whether rsyslogd runs or not.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_CHANNEL_H
#define BANMAILCTL_CHANNEL_H

#include <stdbool.h>

#include "control/command.h"
#include "banmailctl-location.h"

struct fjson_object;

struct channel {
    const struct location *place;
    struct table *table; /* locked by us, while no rsyslogd runs; else NULL */
    struct allow *allow; /* in that case: our own addresses, and who was added by command */
};

/* The member of a request that names on whose behalf it is, with its comma: whoever has become root
 * with sudo; "" where nobody has. The recorder believes it of root alone. Returns member. */
#define CHANNEL_CALLER_SIZE 48
const char *channel_caller(char member[CHANNEL_CALLER_SIZE]);

/* Sends one request (see command.h) to the rsyslogd that has the table open; where none has, locks
 * the table and runs it here. Waits at most a second. Returns 0 with the answer; -EBUSY when the
 * table is locked but nobody answers, -EACCES, -ETIMEDOUT, another negative errno, with the reason.
 */
int channel_send(struct channel *channel, const char *request, char answer[COMMAND_SIZE],
                 char reason[LOCATION_REASON_SIZE]);

/* Whether an answer (parsed) is a refusal: returns the exit status with its sentence in text; else
 * EXIT_FINE. */
int channel_refusal(struct fjson_object *answer, char text[COMMAND_SIZE]);

/* When we had to act ourselves: makes the kernel and the ledger agree with the table, and unlocks
 * it. Returns 0, or a negative errno with the reason; what was commanded stands in the table even
 * so, and rsyslogd will do the rest when it starts. */
int channel_close(struct channel *channel, char reason[LOCATION_REASON_SIZE]);

#endif
