/* table-bite: the bans that do not bite, as they are found.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_BITE_H
#define BANMAIL_TABLE_BITE_H

#include "table/table.h"

/* The next ban that was found not to bite (see bite.h) since the last call. Once for each, and
 * again where it had bitten meanwhile; of many at once some are left out. Returns false when there
 * is none. One thread. */
bool table_take_biteless(struct table *table, struct ban *ban);

/* Failures for which packets passed in spite of a ban, since the table was opened. Any thread. */
uint64_t table_after_bans(const struct table *table);

#endif
