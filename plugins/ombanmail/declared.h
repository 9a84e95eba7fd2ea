/* declared: the jails that preset= or jails= of the module declares: who they never ban, which
 * place in the table each has, and how a HUP puts others in their place.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_DECLARED_H
#define OMBANMAIL_DECLARED_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/source.h"
#include "rules/jails-file.h"

/* rsyslog's headers are included by the .c files: they must come first there. */
struct modConfData_s;

#define DECLARED_REASON_SIZE (SETTINGS_REASON_SIZE + 64)

/* While the process is still root, after the actions are registered: takes the jails that the
 * parameters have over, into table and counter, for each action that has no jail of its own. What
 * goes wrong is said. Main thread. */
void declared_begin(struct modConfData_s *configuration);

/* Reads the file again; what is wrong with it is a complaint, and the former jails go on. The
 * recorder's thread, or the main thread while there is none. */
void declared_read(struct modConfData_s *configuration);

/* Whether the jail of this place in the table never bans `source`, or somebody in it; the entry
 * goes to *entry where it is not NULL. Not beside declared_read. */
bool declared_allows(unsigned jail_index, const struct source *source, struct source *entry);

/* The list of whom a jail never bans, beside the module's, and the jail's name: those that are in
 * force; NULL behind the last. Not beside declared_read. */
struct allow_list;
struct allow_list *declared_list(unsigned index, const char **jail);

/* No worker runs any more. */
void declared_end(void);

#endif
