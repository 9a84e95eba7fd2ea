/* ledger: the history on disk, in SQLite. The only file that knows of it.
 *
 * One row for each ban, found again by (table_id, id): written when it begins, completed when it
 * ends. Writing a row twice changes nothing, so whoever is not sure whether a row was written
 * writes it again. What a postmaster asks with sqlite3(1):
 *
 *   SELECT datetime(since_ms / 1000, 'unixepoch', 'localtime'), source, jail, class, failures,
 *          end_reason FROM ban ORDER BY since_ms DESC LIMIT 20;
 *
 *   table_id    TEXT     16 hexadecimal digits: the table that gave the id
 *   id          INTEGER  ascending within its table
 *   source      TEXT     203.0.113.9, 2001:db8:1:2::/64
 *   jail        TEXT     its name; manual: by hand
 *   scope       INTEGER  0: the whole fleet
 *   failures    INTEGER  that led to it
 *   origin      TEXT     jail or hand
 *   class       TEXT     of the deciding line; NULL by hand
 *   first_ms    INTEGER  the oldest failure counted; milliseconds since 1970, as all times
 *   since_ms    INTEGER
 *   until_ms    INTEGER  NULL: for ever
 *   ended_ms    INTEGER  NULL: has not ended
 *   end_reason  TEXT     expired or lifted; NULL: has not ended
 *   lifted_by   INTEGER  user id; NULL unless lifted
 *
 * Every committed transaction is on the disk (WAL with synchronous=FULL: with NORMAL a power loss
 * would cost all since the last checkpoint, hours on a quiet host). The -wal and -shm files stay
 * when the last writer leaves, so that a group that may only read can read at any time.
 *
 * All functions make system calls and may take seconds on a slow disk. One handle, one thread.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_LEDGER_H
#define BANMAIL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define LEDGER_JAIL_MANUAL "manual" /* the name of TABLE_JAIL_MANUAL */

struct ledger;

/* Opens, and creates or migrates where needed; the directory must exist. With read_only, -ENOENT
 * where there is none. *is_new (may be NULL) tells whether it was created: mode 0640, and where
 * root creates it owned as its directory is, so that the user whom rsyslogd becomes can write. A
 * file that is no ledger or is corrupt is moved aside (suffix .damaged), said, and begun anew
 * (-EPROTO when read_only). Returns 0 or a negative errno (-EROFS, -EACCES, -ENOSPC, -EBUSY, -EIO;
 * -EPROTONOSUPPORT for one of a newer version, which is left alone): see ledger_error. */
int ledger_open(const char *path, bool read_only, const struct report *report,
                struct ledger **ledger, bool *is_new);

/* Writes the bans as they are now, in one transaction. `jail_name` gives the name for a jail's
 * index. Returns 0 or a negative errno; then none was written, and the handle is to be closed and
 * opened again: -EPROTO when the file was found corrupt and moved aside, -ESTALE when it was
 * removed or replaced behind our back. */
int ledger_write(struct ledger *ledger, const struct ban *bans, size_t count,
                 const char *(*jail_name)(void *context, unsigned jail), void *context);

struct ledger_row {
    struct ban ban; /* ban.jail is not set: see jail */
    char jail[JAIL_NAME_SIZE];
};

/* Calls `each` for every ban that has not ended and is not over at now_ms, oldest first; stops
 * when it returns false. A row that makes no sense is left out and said. Returns how many were
 * given, or a negative errno (-EPROTO as ledger_write). The row ends with the call. */
int ledger_live(struct ledger *ledger, int64_t now_ms,
                bool (*each)(void *context, const struct ledger_row *row), void *context);

/* Ends the rows that ran out by now_ms while nobody was there to see it. Returns how many, or a
 * negative errno as ledger_write. */
int ledger_expire(struct ledger *ledger, int64_t now_ms);

/* What is wrong, in words, for a negative errno of the above. */
const char *ledger_error(int error);

/* NULL is fine. */
void ledger_close(struct ledger *ledger);

#endif
