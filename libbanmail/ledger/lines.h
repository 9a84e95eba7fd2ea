/* lines: those that led to one ban, as the text in which the ledger keeps them.
 *
 * Tab-separated values (IANA, text/tab-separated-values), one line below the other, the oldest
 * first, no newline behind the last; the fields of each:
 *
 *   stamp_ms  number  client  class  attempts  host  service  user  line
 *
 * What an attacker wrote is not always text: what is not printable ASCII becomes "?", so that no
 * field holds a tab or a newline, and sqlite3(1) can be used on a terminal. What is read back may
 * be anybody's: no function takes it to be well formed.
 *
 * All functions are pure, allocate nothing, and may be called from any thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_LINES_H
#define BANMAIL_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"
#include "line/evidence.h"

#define LINES_MOST 16 /* kept of one ban */

/* Bytes of one line, with its newline: three numbers and a class take less than 80. */
#define LINES_ONE_SIZE                                                                             \
    (80 + SOURCE_TEXT_SIZE + EVIDENCE_HOST_SIZE + EVIDENCE_SERVICE_SIZE + EVIDENCE_USER_SIZE +     \
     EVIDENCE_LINE_SIZE)
#define LINES_SIZE (LINES_MOST * LINES_ONE_SIZE)

/* Prints one line to `to`, which has room for LINES_ONE_SIZE bytes; no newline behind it, no NUL.
 * Returns the end. */
char *lines_print(char *to, const struct evidence *evidence);

/* A field of the line, from 0 on, and its length; where the line has not as many, the length is 0.
 */
const char *lines_field(const char *line, int field, size_t *length);

/* How many lines a text has. */
size_t lines_count(const char *text);

/* Puts `kept`, and below it those of `newer` that it does not have (by stamp and number), until
 * there are LINES_MOST, into `merged`, which has room for both texts, a newline and a NUL. Returns
 * how many were added. */
size_t lines_merge(const char *kept, const char *newer, char *merged);

/* Takes the lines of a client within `source` (may be NULL) and those that name `user` (may be
 * NULL) out of the text. Returns how many. */
size_t lines_remove(char *text, const struct source *source, const char *user);

#endif
