/* place: where the table is, and who has it open.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_PLACE_H
#define BANMAILCTL_PLACE_H

#include <limits.h>
#include <stddef.h>

#include "table/table.h"

#define PLACE_DEFAULT_TABLE "/run/ombanmail/table"
#define PLACE_REASON_SIZE   1024

struct place {
    char table[PATH_MAX];
    char socket[PATH_MAX]; /* the command socket beside it */
};

/* Finds the table: `given` where that is not NULL; else the default path when it is in use; else
 * the one that a running rsyslogd has mapped; else the default path. One that lies in another mount
 * namespace (a container) is never walked into, but named. Returns 0; or -ENOENT, -EACCES,
 * -ENOTUNIQ (several) with cause and remedy as a sentence in reason. */
int place_find(const char *given, struct place *place, char reason[PLACE_REASON_SIZE]);

/* Maps the table for reading. Returns 0, or a negative errno with the reason. */
int place_read(const struct place *place, struct table **table, char reason[PLACE_REASON_SIZE]);

#endif
