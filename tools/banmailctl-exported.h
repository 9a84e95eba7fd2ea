/* exported: bans as export has written them, in any of its formats.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_EXPORTED_H
#define BANMAILCTL_EXPORTED_H

#include <stdbool.h>

#include "ledger/fail2ban.h"

/* Whether the file is one of SQLite's, as fail2ban's is. */
bool exported_is_database(const char *path);

/* Calls `each` for each ban of the file ("-": standard input), until it returns false. All lines
 * are looked at before the first is given. Returns how many there are, or a negative errno with the
 * reason: it cannot be read, or line so and so is none. */
int exported_read(const char *path, bool (*each)(void *context, const struct fail2ban_ban *ban),
                  void *context, char reason[FAIL2BAN_REASON_SIZE]);

#endif
