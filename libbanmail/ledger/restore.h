/* restore: the bans that come back from the ledger, after a reboot has taken the table.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_RESTORE_H
#define BANMAIL_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "table/table.h"

/* When the table is new: opens the ledger and brings the live bans back into it, before the first
 * message is counted. Main thread, before enforcer_release, and after table_jail for every jail: a
 * ban whose jail is configured no longer comes back under its old name all the same, in a jail in
 * which nothing counts, as it would have stayed in a table that was not new. *first_run tells
 * whether there was no ledger. Returns how many came back, or a negative errno (said; nothing is
 * lost by it but the old bans). */
int restore_live_bans(struct table *table, const char *ledger_path, int64_t now_ms,
                      const struct report *report, bool *first_run);

#endif
