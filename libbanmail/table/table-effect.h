/* table-effect: the bans that have no effect, as they are found.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_EFFECT_H
#define BANMAIL_TABLE_EFFECT_H

#include "table/table.h"

/* The next ban that was found to have no effect (see effect.h) since the last call. Once for each,
 * and again where it had bitten meanwhile; of many at once some are left out. Returns false when
 * there is none. One thread. */
bool table_dequeue_ineffective(struct table *table, struct ban *ban);

/* Failures for which packets passed in spite of a ban, since the table was opened. Any thread. */
uint64_t table_after_bans(const struct table *table);

#endif
