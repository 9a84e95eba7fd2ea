/* history: what the table's ring and the ledger know about a client or a user.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_HISTORY_H
#define BANMAILCTL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "banmailctl-bans.h"
#include "ledger/ledger.h"
#include "table/table-evidence.h"

struct fjson_object;
struct invocation;
struct scopes;

#define HISTORY_LINES   32 /* shown of one ban, or of one client */
#define HISTORY_EARLIER 10 /* bans that are over */

struct lines {
    struct evidence line[HISTORY_LINES]; /* oldest first */
    unsigned count;
    unsigned attempts; /* that they tell of together */
};

struct earlier {
    struct ledger_row row[HISTORY_EARLIER]; /* the newest, newest first */
    unsigned count;                         /* of these rows */
    unsigned all;                           /* of all that the ledger has */
    int64_t total_ms;                       /* that those have lasted together */
};

/* Opens the ledger of this table for reading; NULL when it cannot be read, with the reason. Close
 * with ledger_close. */
struct ledger *history_ledger(const struct table *table, const char **reason);

/* Finds the table and opens its ledger, which can be read while rsyslogd does not run, too. Returns
 * EXIT_FINE with the ledger, to be closed, and its path; or the exit status after having said why
 * not. */
int history_open(const struct invocation *invocation, struct ledger **ledger,
                 char path[TABLE_PATH_SIZE]);

/* The newest lines of one ban: from the ring, or, where that has lost some, from the ledger (may be
 * NULL). */
void history_of_ban(const struct table *table, struct ledger *ledger, const struct ban *ban,
                    struct lines *lines);

/* The newest lines in the ring of a client within `source`, whatever became of them. */
void history_of_source(const struct table *table, const struct source *source, struct lines *lines);

/* A client that failed as some user. */
struct history_client {
    struct source source;
    uint64_t in_ring, in_ledger; /* failures; the same ones may be in both */
    int64_t last_ms;
};

struct history_clients {
    struct history_client *list;
    unsigned count, room;
};

/* Adds all clients in the ring and in the ledger (may be NULL) whose lines name the user, as kept.
 * Begin with zeroes; free list. Returns whether there was one, or -ENOMEM. */
int history_add_clients(const struct table *table, struct ledger *ledger, const char *user,
                        struct history_clients *clients);

#define HISTORY_MAILBOXES 32 /* that have one name in front of the @ */

struct history_mailboxes {
    char list[HISTORY_MAILBOXES][EVIDENCE_USER_SIZE];
    unsigned count;
};

/* Those in the ring and in the ledger (may be NULL) that begin with `name` and an @, in letters of
 * either case. */
void history_find_mailboxes(const struct table *table, struct ledger *ledger, const char *name,
                            struct history_mailboxes *mailboxes);

/* The latest first. */
void history_sort_clients(struct history_clients *clients);

/* The newest bans that are over of this source, of what holds it and within it. */
void history_earlier(struct ledger *ledger, const struct source *source, struct earlier *earlier);

/* One line for the eyes, two where the log line is known, behind `indent`; and as JSON. */
void history_print_line(const struct evidence *evidence, const char *indent);
struct fjson_object *history_lines_json(const struct lines *lines);

/* How a ban ended, in words: "expired", "lifted by user id 0". */
const char *history_end(const struct ban *ban, char text[64]);

/* A row of the ledger as JSON; history and why show it. */
struct fjson_object *history_row_json(const struct ledger_row *row, const struct scopes *scopes);

#endif
