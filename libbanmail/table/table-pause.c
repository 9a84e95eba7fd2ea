/* table-pause: while it lasts no ban is wanted in the kernel, and all are when it ends; which is
 * why the clock of the bans is here too.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/table-health.h"
#include "table/table-private.h"

void
table_pause(struct table *table, int64_t until_ms)
{
    pthread_mutex_lock(&table->bans.lock);
    table_guarded_set(&table->header->paused_until_ms, (uint64_t)until_ms);
    pthread_mutex_unlock(&table->bans.lock);
    table_want_all(table);
}

int64_t
table_end_pause(struct table *table, int64_t now_ms)
{
    int64_t until_ms = table_paused_until(table);

    if (until_ms == 0 || until_ms > now_ms)
        return until_ms == 0 ? TABLE_FOREVER_MS : until_ms;
    table_pause(table, 0);
    return TABLE_FOREVER_MS;
}

unsigned
table_expire(struct table *table, int64_t now_ms, int64_t *next_ms)
{
    const int64_t pause_end_ms = table_end_pause(table, now_ms);
    const unsigned expired = table_expire_bans(table, now_ms, next_ms);

    if (*next_ms > pause_end_ms)
        *next_ms = pause_end_ms;
    return expired;
}
