/* scope: which hosts a ban, or a counter, is for.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_SCOPE_H
#define BANMAILCTL_SCOPE_H

#include <stdint.h>

#include "fleet/telegram.h"
#include "table/table.h"

struct scopes;

/* Reads which hosts of the fleet have numbers in this table; none where their file cannot be read.
 * NULL: out of memory, which all that follows takes. Free with scopes_free. */
struct scopes *scopes_read(const struct table *table);
void scopes_free(struct scopes *scopes);

/* The same by the path of the table's ledger. */
struct scopes *scopes_read_beside(const char *ledger_path);

/* The greatest scope that there may be. */
uint16_t scopes_last(const struct scopes *scopes);

#define SCOPE_TEXT_SIZE (TELEGRAM_NAME_SIZE + 8)

/* "fleet", "this server", or a host's name, of the closed alphabet of telegrams; "host 7" where it
 * is not known. */
const char *scope_text(const struct scopes *scopes, uint16_t scope, char text[SCOPE_TEXT_SIZE]);

/* ", on mx2 alone"; "" of what is for all. */
#define SCOPE_WORDS_SIZE (SCOPE_TEXT_SIZE + 16)
const char *scope_words(const struct scopes *scopes, uint16_t scope, char text[SCOPE_WORDS_SIZE]);

#endif
