/* batch: see batch.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/table-evidence.h"

static void
read_jails(const struct table *table, struct batch *batch)
{
    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++)
        if (!table_read_jail(table, i, &batch->jails[i]))
            batch->jails[i] = (struct jail){.name = "unknown"};
    strcpy(batch->jails[TABLE_JAIL_MANUAL].name, LEDGER_JAIL_MANUAL);
}

static const struct jail *
jail_of(void *context, unsigned jail)
{
    const struct batch *batch = context;
    return &batch->jails[jail < TABLE_JAILS_MAX ? jail : TABLE_JAIL_MANUAL];
}

/* The lines of the batch's bans, of each the newest; the oldest of them first, as the ledger keeps
 * them. */
static void
gather_lines(const struct table *table, struct batch *batch)
{
    struct evidence lines[LINES_MOST];

    batch->line_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct ban *ban = &batch->bans[i];
        for (size_t left = table_find_evidence(table, ban, lines, LINES_MOST); left > 0; left--)
            batch->lines[batch->line_count++] =
                (struct ledger_line){ban->table_id, ban->id, lines[left - 1]};
    }
}

void
batch_take_unrecorded(struct batch *batch, struct table *table)
{
    batch->is_unrecorded = true;
    batch->count = table_dequeue_unrecorded(table, batch->bans, BATCH_ROWS);
    if (batch->count == 0)
        return;
    read_jails(table, batch);
    gather_lines(table, batch);
}

uint32_t
batch_take_slots(struct batch *batch, const struct table *table, uint32_t from, uint32_t slots)
{
    batch->is_unrecorded = false;
    batch->count = 0;
    for (; from < slots && batch->count < BATCH_ROWS; from++)
        if (table_read_ban(table, from, &batch->bans[batch->count]) &&
            batch->bans[batch->count].table == 0) /* the history of others is theirs */
            batch->count++;
    read_jails(table, batch);
    gather_lines(table, batch);
    return from;
}

int
batch_write(struct batch *batch, struct ledger *ledger)
{
    return ledger_write(ledger, batch->bans, batch->count, jail_of, batch, batch->lines,
                        batch->line_count);
}

void
batch_settle(const struct batch *batch, struct table *table, bool done)
{
    if (batch->is_unrecorded && batch->count > 0)
        table_recorded(table, batch->bans, batch->count, done);
}

int
batch_write_all(struct ledger *ledger, struct table *table)
{
    struct batch *batch = malloc(sizeof(*batch));
    int result = batch == NULL ? -ENOMEM : 0;

    while (result == 0) {
        batch_take_unrecorded(batch, table);
        if (batch->count == 0)
            break;
        result = batch_write(batch, ledger);
        batch_settle(batch, table, result == 0);
    }
    free(batch);
    return result;
}
