/* location: where the table is, and who has it open.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_LOCATION_H
#define BANMAILCTL_LOCATION_H

#include <limits.h>
#include <stddef.h>

#include "table/table.h"

#define LOCATION_DEFAULT_TABLE "/run/ombanmail/table"
#define LOCATION_REASON_SIZE   1024

struct location {
    char table[PATH_MAX];
    char socket[PATH_MAX]; /* the command socket beside it */
};

/* Finds the table: `given` where that is not NULL; else the default path when it is in use; else
 * the one that a running rsyslogd has mapped; else the default path. One that lies in another mount
 * namespace (a container) is never walked into, but named. Returns 0; or -ENOENT, -EACCES,
 * -ENOTUNIQ (several) with cause and remedy as a sentence in reason. */
int location_find(const char *given, struct location *place, char reason[LOCATION_REASON_SIZE]);

/* Maps the table for reading. Returns 0, or a negative errno with the reason. */
int location_read(const struct location *place, const struct table **table,
                  char reason[LOCATION_REASON_SIZE]);

#endif
