/* outbox: events on their way from this host to whoever is told of them.
 *
 * Three parties meet here. What happens is noted: bans by the table, which keeps them until
 * somebody was told; the rest by outbox_note. The teller, a thread that hands notices over, takes
 * one after the other, within microseconds of being woken. The recorder, who alone may wait for the
 * disk, takes over what the teller could not hand over for a second, and all that is left at the
 * end, into the ledger, and gives it back when there is room again.
 *
 * A notice may be told twice (a crash between handing over and noting so), never lost for want of
 * a teller: but of more than `most` in the ledger the oldest are dropped, which is said.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_OUTBOX_H
#define BANMAIL_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "ledger/ledger.h"
#include "ledger/notice.h"
#include "table/table.h"

#define OUTBOX_MOST_DEFAULT 10000

struct outbox;

struct outbox_options {
    struct table *table; /* opened with are_bans_told, are_bans_sent or both */
    const char *origin;  /* the name of this host; copied */
    unsigned most;       /* notices that may wait in the ledger */
    const struct report *report;
};

struct outbox_statistics {
    uint64_t told;    /* notices handed over */
    uint64_t dropped; /* never to be told */
    uint64_t waiting; /* now, what is in the ledger included as far as that is known */
};

/* Returns 0 or a negative errno. What the options point to must outlive it. */
int outbox_new(struct outbox **outbox, const struct outbox_options *options);

/* No thread uses it any more. NULL is fine. */
void outbox_free(struct outbox *outbox);

/* Wakes the teller, where there is something to tell or to send: one write to an eventfd, and none
 * where it is awake. Any thread; never blocks. NULL is fine. */
void outbox_wake(struct outbox *outbox);

/* Wakes the teller whatever there is: it has something else to do. Likewise. */
void outbox_ring(struct outbox *outbox);

/* Notes a start, a stop, a trouble or a recovery, and wakes the teller. Any thread; a short lock.
 */
void outbox_note(struct outbox *outbox, enum event_kind kind, const char *condition,
                 const char *words, int64_t time_ms);

void outbox_read_statistics(struct outbox *outbox, struct outbox_statistics *statistics);

/* How long the teller has not been able to hand over what waits; 0: it is, or nothing waits. */
int64_t outbox_held_ms(struct outbox *outbox);

/* ---- the teller's: one thread ---- */

/* Somebody takes from here on, and nobody any more. */
void outbox_begin(struct outbox *outbox);
void outbox_end(struct outbox *outbox);

/* What it polls for POLLIN; before that it listens, which returns whether there is something to
 * take already. */
int outbox_descriptor(const struct outbox *outbox);
bool outbox_listen(struct outbox *outbox);

/* Takes the next notice; whoever does so can hand it over. Returns false where there is none. What
 * was taken and is not settled by outbox_told is taken again. */
bool outbox_take(struct outbox *outbox, struct notice *notice);
void outbox_told(struct outbox *outbox);

/* What waits cannot be handed over now, until outbox_take is called again. */
void outbox_hold(struct outbox *outbox);

/* ---- the recorder's: one thread ---- */

#define OUTBOX_PARCEL 64

/* What goes to the ledger and comes back from it in one go. */
struct outbox_parcel {
    struct notice kept[OUTBOX_PARCEL]; /* to be kept */
    size_t kept_count;
    struct ban bans[OUTBOX_PARCEL / 2]; /* whose notices are among them */
    size_t ban_count;
    struct event noted[OUTBOX_PARCEL / 2]; /* likewise what was noted */
    size_t noted_count;
    unsigned most, dropped;
    int64_t delete_to; /* those up to this number were told; 0: none */
    bool reads;        /* more are wanted, behind `after` */
    int64_t after;
    struct notice read[OUTBOX_PARCEL / 2];
    size_t read_count;
};

/* Fills it; `all`: nobody will tell any more. Returns false where there is nothing to do. Else the
 * disk may be waited for, in outbox_post, and outbox_settle is owed, which returns whether there is
 * more of the same. */
bool outbox_pack(struct outbox *outbox, struct outbox_parcel *parcel, bool all);
int outbox_post(struct outbox_parcel *parcel, struct ledger *ledger);
bool outbox_settle(struct outbox *outbox, const struct outbox_parcel *parcel, bool done);

/* The ledger is a new one, whose numbers begin anew. */
void outbox_forget_ledger(struct outbox *outbox);

#endif
