/* roster: files beside the table of a centre: the hosts of its fleet as `banmailctl fleet` finds
 * them, and what has been pardoned, for the next start.
 *
 * Of the hosts' the first line is an object of JSON of this server, each other one of a host.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ROSTER_H
#define BANMAIL_ROSTER_H

#include <stdint.h>
#include <sys/types.h>

#include "fleet/members.h"

#define ROSTER_SUFFIX   ".fleet" /* behind the table's name */
#define ROSTER_PARDONS  ".pardons"
#define ROSTER_SIZE_MAX (8 << 20)

/* The text of the file: of the centre `own`, whose table has `bans` for others. Returns
 * it, to be freed, or NULL when out of memory. */
char *roster_print(const struct members *members, const char *own, uint32_t bans, int64_t now_ms);

/* Writes a text beside the table, under its name with the suffix, as a file of owner and group that
 * they alone may read. Returns 0 or a negative errno. One thread at a time; makes system calls. */
int roster_write(const char *table_path, const char *suffix, const char *text, uid_t owner,
                 gid_t group);

/* Reads it; to be freed. NULL, with errno, where it cannot be read. Any process; makes system
 * calls. */
char *roster_read(const char *table_path, const char *suffix);

#endif
