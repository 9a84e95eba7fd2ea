/* table-lines: a line counts once, also where what brings it here repeats it.
 *
 * RELP repeats what was not acknowledged when a connection broke; imjournal and imfile read again
 * what they had read since they last noted their place; a sender's queue hands over a batch once
 * more. What is repeated is a run of lines, in order, that ends with the newest that had come.
 * (Seen over RELP with TLS: the last 126 lines at each restart of the receiver and after each reset
 * of the connection, however old they are, and 1.05 s after the originals at the earliest.)
 *
 * So each line that may count leaves a fingerprint of host, stamp, tag and text in the table, where
 * it outlives a restart, and an equal one is judged by these rules:
 *
 *   the stamp has microseconds           it is the same line again: no process writes two equal
 *                                        ones within a microsecond
 *   it came before the table was opened  the same again, as often as it had come before: whoever
 *                                        sends is connected anew, and begins with its run
 *   it came a second or more before      the same again: two real ones with a stamp of the same
 *                                        second were written within less than a second, and a
 *                                        sender connects anew a second later at the earliest
 *   else                                 another one: a burst of guesses within a second
 *
 * Nothing depends on the order in which several workers come to the lines. Undecidable remain, with
 * stamps of whole seconds: a real line of the second in which we were restarted, equal to one
 * before that, and one that was held up for a second behind an equal one (both are taken for
 * repetitions: they do not count); and a run that is repeated within a second without our being
 * restarted (taken for new lines: they count). Microseconds decide all of these.
 *
 * There is room for capacity / 2 lines; where it is full the one that came first is forgotten.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_LINES_H
#define BANMAIL_TABLE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line/line.h"
#include "table/table.h"

/* What tells the line from all others but its repetitions; depends on the table, never 0. Pure; any
 * thread. */
uint64_t table_fingerprint(const struct table *table, const struct line *line);

/* Notes the line. Returns whether it is a new one; if not, that is counted (table_status.repeated).
 * A short lock; any thread of the process that writes the table. */
bool table_note_line(struct table *table, const struct line *line, uint64_t fingerprint);

#endif
