/* table-unban: what is lifted by hand is forgotten as well: its client begins anew.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-private.h"

static unsigned
unban(struct table *table, const struct source *source, unsigned jail, uint32_t lifted_by,
      int64_t now_ms)
{
    unsigned lifted = 0;

    for (uint32_t slot = 0; slot < table->max_bans; slot++)
        lifted += table_lift_overlapping(table, slot, source, jail, lifted_by, now_ms);
    table_reset_records(table, source);
    return lifted;
}

unsigned
table_unban(struct table *table, const struct source *source, uint32_t lifted_by, int64_t now_ms)
{
    return unban(table, source, TABLE_JAILS_MAX, lifted_by, now_ms);
}

unsigned
table_unban_jail(struct table *table, const struct source *source, unsigned jail_index,
                 uint32_t lifted_by, int64_t now_ms)
{
    return unban(table, source, jail_index, lifted_by, now_ms);
}
