/* users: the file of known users, and how a file is written that rsyslogd reads.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_USERS_H
#define BANMAILCTL_USERS_H

#include <stddef.h>

struct invocation;

/* Puts the text in the place of the file, whole or not at all; whose it is, and who may read it,
 * stays. Returns EXIT_FINE, or the exit status after having said why not. */
int users_replace(const struct invocation *invocation, const char *path, const char *text,
                  size_t length);

#endif
