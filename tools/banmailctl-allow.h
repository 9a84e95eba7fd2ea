/* allow: who was put on the allow list by command.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_ALLOW_H
#define BANMAILCTL_ALLOW_H

#include "rules/allow.h"
#include "rules/allow-added.h"
#include "table/table.h"

#define ALLOW_PATH_SIZE (TABLE_PATH_SIZE + sizeof("/" ALLOW_ADDED_NAME))

/* The file beside this table's ledger. Returns path. */
const char *allow_path(const struct table *table, char path[ALLOW_PATH_SIZE]);

/* Adds its entries to a list that is not sealed yet. */
void allow_add_added(const struct table *table, struct allow *allow);

/* The note with the user's name in place of his number, where it ends with that. May ask the
 * network for it. Returns text. */
#define ALLOW_NOTE_SIZE (ALLOW_ADDED_NOTE_SIZE + 128)
const char *allow_note(const char *note, char text[ALLOW_NOTE_SIZE]);

#endif
