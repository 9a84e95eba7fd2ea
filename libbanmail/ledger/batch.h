/* batch: the bans that go from the table to the ledger in one transaction.
 *
 * It holds a copy of all that the ledger needs, lines and jails too, so that the table is not
 * looked at while the disk is waited for. Of the recorder's thread, or of a process without one;
 * one thread at a time.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_BATCH_H
#define BANMAIL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/ledger.h"
#include "rules/jail.h"
#include "table/table.h"

#define BATCH_ROWS 256 /* in one transaction at most */

struct batch {
    struct ban bans[BATCH_ROWS];
    size_t count;
    bool is_unrecorded; /* else they are on their way into a new ledger */
    struct jail jails[TABLE_JAILS_MAX];
    struct ledger_line lines[BATCH_ROWS * LINES_MOST];
    size_t line_count;
};

/* Fills it with what is unrecorded; batch->count is 0 when there is nothing. Each is to be settled
 * by batch_settle. */
void batch_take_unrecorded(struct batch *batch, struct table *table);

/* Fills it with bans of the table from slot `from` on, recorded or not, for a ledger that is new.
 * Returns the slot to go on with; `slots` when there are no more. */
uint32_t batch_take_slots(struct batch *batch, const struct table *table, uint32_t from,
                          uint32_t slots);

/* Writes it, in one transaction. Returns 0 or a negative errno (see ledger_error). */
int batch_write(struct batch *batch, struct ledger *ledger);

/* Tells the table whether it was written: what was not stays unrecorded. */
void batch_settle(const struct batch *batch, struct table *table, bool done);

/* Writes all that is unrecorded now. Returns 0 or a negative errno (see ledger_error). */
int batch_write_all(struct ledger *ledger, struct table *table);

#endif
