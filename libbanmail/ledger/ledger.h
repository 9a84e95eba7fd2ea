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
 *   threshold   INTEGER  maxretry of the jail at that time; NULL by hand
 *   findtime_s  INTEGER  likewise
 *   ports       TEXT     that it closed, as 25,110,143; all
 *   banned_by   INTEGER  user id of who made it by hand; NULL: no one, or not known
 *
 * The lines that led to it, LINES_MOST at most, stand in one row of `evidence` (table_id,
 * id, lines: see lines.h), as the parameter evidence let them be kept; the view `line` has them one
 * by one:
 *
 *   table_id, id         of the ban
 *   stamp_ms, number     when it happened; which line it was
 *   client      TEXT     the single address
 *   class, host, service, user, line  TEXT
 *   attempts    INTEGER  that it added to the count
 *
 * The view `told` has the users and hosts of each ban in one line (ask it for one ban: it splits
 * the lines of all that it is asked for). `trouble` has what was wrong: begun_ms, ended_ms (NULL:
 * still is), what. `notice` has the events that nobody has taken yet: number (ascending), time_ms,
 * severity, text, fields (JSON), lines.
 *
 * What is over is deleted when it is older than the retention, or the file too large; a ban that
 * has not ended, never (its lines are, where nothing else is left). Deleted bytes are overwritten.
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

#include "ledger/lines.h"
#include "ledger/notice.h"
#include "line/evidence.h"
#include "table/table.h"

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

struct ledger_line {
    uint64_t table_id, id; /* of the ban */
    struct evidence evidence;
};

/* Writes the bans as they are now, and lines that led to them, in one transaction. `jail_of` gives
 * the jail for an index. Returns 0 or a negative errno; then none was written, and the handle is to
 * be closed and opened again: -EPROTO when the file was found corrupt and moved aside, -ESTALE when
 * it was removed or replaced behind our back. */
int ledger_write(struct ledger *ledger, const struct ban *bans, size_t count,
                 const struct jail *(*jail_of)(void *context, unsigned jail), void *context,
                 const struct ledger_line *lines, size_t line_count);

struct ledger_row {
    struct ban ban; /* ban.jail is not set: see jail */
    char jail[JAIL_NAME_SIZE];
    unsigned threshold; /* 0: not known, and the next too */
    int64_t findtime_s;
};

/* Calls `each` for every ban that has not ended and is not over at now_ms, oldest first; stops
 * when it returns false. A row that makes no sense is left out and said. Returns how many were
 * given, or a negative errno (-EPROTO as ledger_write). The row ends with the call. */
int ledger_live(struct ledger *ledger, int64_t now_ms,
                bool (*each)(void *context, const struct ledger_row *row), void *context);

/* How often a client was banned by a jail, what was withdrawn left out. */
struct ledger_banned {
    struct source source;
    uint16_t scope;
    char jail[JAIL_NAME_SIZE];
    unsigned count;
};

/* Calls `each` for up to `most` clients and jails, the latest banned first; stops when it returns
 * false. Reads all rows: a second for a million. Returns as ledger_live. */
int ledger_banned(struct ledger *ledger, unsigned most,
                  bool (*each)(void *context, const struct ledger_banned *banned), void *context);

/* Ends the rows that ran out by now_ms while nobody was there to see it. Returns how many, or a
 * negative errno as ledger_write. */
int ledger_expire(struct ledger *ledger, int64_t now_ms);

struct ledger_query {
    const struct source *source; /* bans of it, of what holds it, and within it; NULL: of all */
    const char *user;            /* with a line that names him, as kept; NULL: any */
    const char *jail;            /* NULL: any */
    int64_t from_ms, to_ms;      /* that began from then until then; 0, INT64_MAX: whenever */
    unsigned most;
};

/* Calls `each` for the newest bans that the query means, ended or not, newest first; stops when it
 * returns false. Returns how many were given, or a negative errno as ledger_live. */
int ledger_history(struct ledger *ledger, const struct ledger_query *query,
                   bool (*each)(void *context, const struct ledger_row *row), void *context);

/* The lines that led to one ban, oldest first; or, with ban NULL, the newest `most` that name the
 * user, newest first. (evidence.jail and .number are not set.) Returns as ledger_history. */
int ledger_lines(struct ledger *ledger, const struct ban *ban, const char *user, unsigned most,
                 bool (*each)(void *context, const struct evidence *evidence), void *context);

/* A user whose name led to bans. */
struct ledger_user {
    char name[EVIDENCE_USER_SIZE]; /* as kept */
    uint64_t attempts;
    unsigned clients; /* that tried it, single addresses */
    int64_t last_ms;
};

/* Calls `each` for up to `most` of those whom lines since from_ms name, the most often tried first;
 * stops when it returns false. Splits all lines of bans that ended no more than an hour before:
 * five seconds of CPU for a million. Returns as ledger_history. */
int ledger_users(struct ledger *ledger, int64_t from_ms, unsigned most,
                 bool (*each)(void *context, const struct ledger_user *user), void *context);

/* Calls `each` for every user who is kept as `name` and an @ and more, in letters of either case,
 * each of them once; stops when it returns false. Reads all lines, and remembers where these stand:
 * ledger_lines of one of them reads no others until another name is asked for. Returns as
 * ledger_history, or -ENAMETOOLONG. */
int ledger_mailboxes(struct ledger *ledger, const char *name,
                     bool (*each)(void *context, const char *user), void *context);

/* Erases the lines of a client within `source` (may be NULL) and the bans of it that have ended, or
 * the lines that name `user` (may be NULL; as kept). Then writes the file anew (VACUUM), which
 * takes as much room again for a while, and where it cannot be done is said. Returns how many lines
 * and bans, or a negative errno. */
int ledger_forget(struct ledger *ledger, const struct source *source, const char *user);

/* before_ms of ledger_prune: nothing is too old. */
#define LEDGER_KEEP_ALL INT64_MIN

/* Deletes some of what is over: what ended before before_ms, notices that are older and that nobody
 * has taken, and the bans that ended first while the file is larger than max_bytes (0: no limit);
 * where none has ended, the lines of those that began first. Gives the disk back what is free then.
 * Stops beyond 16,000 rows or 4 MB, some tenths of a second. Returns how many bans, or how many
 * lost their lines: call it again while it is not 0; or a negative errno. Cheap where nothing is to
 * be done, so that it can be called after each ledger_write: then the file outgrows max_bytes by no
 * more than one of those, as long as the rows of live bans alone are smaller, and its log stays
 * below 16 MB, as long as nobody reads for long. */
int ledger_prune(struct ledger *ledger, int64_t before_ms, uint64_t max_bytes);

/* Notes what is wrong from now_ms on ("" : nothing any more). Returns 0 or a negative errno. */
int ledger_trouble(struct ledger *ledger, const char *what, int64_t now_ms);

/* Keeps notices until somebody takes them, numbered anew; of more than `most` in all the oldest are
 * dropped, and *dropped says how many. Returns 0 or a negative errno as ledger_write. */
int ledger_keep_notices(struct ledger *ledger, const struct notice *notices, size_t count,
                        unsigned most, unsigned *dropped);

/* Reads up to `most` of them, the oldest whose number is above `after` first. Returns how many, or
 * a negative errno as ledger_live. */
int ledger_read_notices(struct ledger *ledger, int64_t after, struct notice *notices,
                        unsigned most);

/* Deletes those up to this number. Returns 0 or a negative errno as ledger_write. */
int ledger_delete_notices(struct ledger *ledger, int64_t up_to);

/* What is wrong, in words, for a negative errno of the above. */
const char *ledger_error(int error);

/* NULL is fine. */
void ledger_close(struct ledger *ledger);

#endif
