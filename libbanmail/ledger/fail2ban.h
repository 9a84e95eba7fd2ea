/* fail2ban: the bans in the database of a fail2ban, for who moves from it.
 *
 * Its table bips (fail2ban 0.11 and later, server/database.py) has one row for each address and
 * jail: ip, jail, timeofban and bantime, in seconds; a negative bantime is for ever.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FAIL2BAN_H
#define BANMAIL_FAIL2BAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/source.h"

#define FAIL2BAN_REASON_SIZE 256

/* A ban; all bytes of the jail's name are as they stand there. */
struct fail2ban_ban {
    struct source source;
    const char *jail;
    int64_t left_s; /* JAIL_FOREVER: for ever */
};

/* Calls `each` for each ban that is not over at now_s, until it returns false; the file may be in
 * use, and is not changed. Rows whose address makes no sense are left out. Returns how many there
 * were, or a negative errno with the reason: it cannot be opened, or is no such database. Makes
 * system calls. */
int fail2ban_live(const char *path, int64_t now_s,
                  bool (*each)(void *context, const struct fail2ban_ban *ban), void *context,
                  char reason[FAIL2BAN_REASON_SIZE]);

#endif
