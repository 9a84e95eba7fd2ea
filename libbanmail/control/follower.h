/* follower: carries out in this server's table what other servers of the fleet decide.
 *
 * It reads their messages (fleet/telegram.h), has them merged (fleet/merge.h), and does in the
 * table what comes of it. What it knows beside the table is lost with the process: after a restart
 * the bans of an origin are found in the table again when the first message from it comes.
 *
 * A ban of others lies in the jail `fleet`, or where it closes other ports than the mail ports in
 * one named after them, and is told from this server's own by a number for its origin's name.
 *
 * Any thread; a lock of its own, which is held for a page's length at most; makes no system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_FOLLOWER_H
#define BANMAIL_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/limits.h"
#include "fleet/telegram.h"
#include "table/table.h"

#define FOLLOWER_JAIL "fleet"

struct follower;

struct follower_statistics {
    uint64_t taken;    /* messages that were merged, or told of members */
    uint64_t invalid;  /* that were none, of another version, or of a table that is no more */
    uint64_t bans;     /* made or changed */
    uint64_t lifted;   /* the server's own, by a pardon, among them */
    uint64_t withheld; /* refused one by one: private, allow-listed, or too wide */
    uint64_t limited;  /* too many or too fast: treated as lost */
    uint64_t namesake; /* of another server that has this one's name */
};

/* For the server of this name, as the fleet knows it, whose table has room for max_bans. `seed` is
 * random. Returns NULL when out of memory. Free with follower_free; NULL is fine. */
struct follower *follower_new(struct table *table, const char *own, uint32_t max_bans,
                              uint64_t seed);
void follower_free(struct follower *follower);

/* Takes a message; `allowed` is who is never banned. The clock is asked when it is this message's
 * turn. Returns whether the table has changed: then wake the enforcer. */
bool follower_take(struct follower *follower, const char *text, size_t length,
                   const struct allow *allowed, int64_t (*clock)(void));

/* Somebody has lifted the bans of `source` that began by since_ms: what others have decided stays
 * lifted until until_ms, and nobody who bans it anew is held up; wake the enforcer. The message for
 * a centre goes to `text`. Returns its length, or 0. */
int follower_pardon(struct follower *follower, const struct source *source, int64_t since_ms,
                    int64_t until_ms, int64_t now_ms, char text[TELEGRAM_TEXT_SIZE]);

/* What this server holds in its table, as a report for a centre: it has these addresses, single
 * ones. Returns
 * the length of the message, or 0. */
int follower_report(struct follower *follower, const struct source *addresses, unsigned count,
                    int64_t now_ms, char text[TELEGRAM_TEXT_SIZE]);

/* The other servers of the fleet, which centres have told: single addresses, never to be banned;
 * how many, at most `most`. And whether there is a new one since these were last read. */
bool follower_has_new_fellows(struct follower *follower);
unsigned follower_fellows(struct follower *follower, int64_t now_ms, struct source *addresses,
                          unsigned most);

void follower_read_statistics(struct follower *follower, struct follower_statistics *statistics);

#endif
