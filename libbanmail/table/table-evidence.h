/* table-evidence: the table's ring of lines that counted; the newest overwrite the oldest.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_EVIDENCE_H
#define BANMAIL_TABLE_EVIDENCE_H

#include "line/evidence.h"
#include "table/table.h"

/* Puts a line into the ring, whose texts have zeros behind their ends. Returns its number, which is
 * made here. Any thread of the process that
 * writes the table; no lock, no system call. Two threads meet in one place only when the ring went
 * round while one of them wrote: then the later gives way. */
uint64_t table_add_evidence(struct table *table, const struct evidence *evidence);

/* The line of this number, if it is still there, is evidence for these jails as well. Any thread of
 * that process; a short lock. */
void table_share_evidence(struct table *table, uint64_t number, uint64_t jails);

/* The number of the newest line; 0: there is none. Lines have the numbers up to it, without gaps,
 * as far back as table_evidence_room; what was overwritten, erased or damaged is missing. */
uint64_t table_last_evidence(const struct table *table);
uint64_t table_evidence_room(const struct table *table);

/* Reads the line of a number. Returns false when it is missing, or was being written every time.
 * Any thread, any process. */
bool table_read_evidence(const struct table *table, uint64_t number, struct evidence *evidence);

/* Whether a line is of those that led to a ban, or came while it lasted. Pure. */
bool table_is_evidence_of(const struct evidence *evidence, const struct ban *ban);

/* The lines of a ban that the ring still holds, the newest first, `most` at most, into lines[most].
 * Returns how many. Any thread, any process; takes no lock. In the writing process it looks only at
 * the lines of the ban's network, unless that is wider than an IPv4 /24 or IPv6 /48; else at the
 * whole ring, some nanoseconds a line. */
size_t table_find_evidence(const struct table *table, const struct ban *ban, struct evidence *lines,
                           size_t most);

/* Erases every line of a client within `source` (may be NULL) or that names `user` (may be NULL; as
 * kept: whole or shortened). Returns how many. Any thread of the writing process. */
unsigned table_forget_evidence(struct table *table, const struct source *source, const char *user);

#endif
