/* merge: another server's messages into what this one has to do: a function of what is known, the
 * message and the time, and of nothing else.
 *
 * Messages are lost, repeated, late and out of order; servers restart, lose their tables, and have
 * wrong clocks. The rules, by which a host comes to hold exactly what its centres have all the
 * same:
 *
 *   - A ban is known by (origin, source, ports, scope). Of its changes the highest wins; one that
 *     was lifted stays as a tombstone until its old end, and for ten minutes at least. Origins do
 * not touch each other's bans, and nobody's own ban comes back to him.
 *   - A page lifts what lies in its slice, is not on it, and is no newer than it.
 *   - The first message of a table that is not known retires the origin's former one, whatever the
 *     clocks say; messages of a retired one are dropped, and what it left the pages of the new one
 *     lift. Should the retired one turn out to be alive (a host that began anew has heard a late
 *     message first), it is taken back after ten messages that none of the other's came between.
 *   - A pardon ends every ban of its source, whoever decided it, that began before it or with it.
 *   - Times of an origin are corrected by the difference of the clocks (drift.h).
 *   - What the limits refuse one by one (limits.h) is known and not applied; what they refuse as
 * too much or too fast is treated as lost.
 *
 * The room is fixed. Where it is full, what is over goes first; then tombstones, so that a late
 * message may bring a ban back until the next page of its slice; then new bans are treated as lost.
 * Of an origin that holds nothing the place is given to another; a ninth is dropped.
 *
 * One thread; no function reads a clock, allocates but merge_new, or makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_MERGE_H
#define BANMAIL_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/limits.h"
#include "fleet/telegram.h"

#define MERGE_ORIGINS_MAX  TELEGRAM_HOLDS_MAX
#define MERGE_PARDONS_MAX  1024   /* at once, of all origins */
#define MERGE_INSISTS      10     /* messages after which a retired table is taken back */
#define MERGE_SLACK_MS     5000   /* ends that differ by no more are the same */
#define MERGE_TOMBSTONE_MS 600000 /* messages are not later than that */
#define MERGE_ORDERS_MAX                                                                           \
    (2 * TELEGRAM_BANS_MAX) /* by a page: one of each ban on it, and its lifts                     \
                             */

enum order_kind {
    ORDER_BAN,    /* have this ban, with exactly this end */
    ORDER_LIFT,   /* have it no more */
    ORDER_PARDON, /* lift what this server has decided itself, of `source` and begun by since_ms */
};

struct order {
    enum order_kind kind;
    char origin[TELEGRAM_NAME_SIZE];
    struct source source;
    struct ports ports; /* not of ORDER_PARDON */
    bool is_host;       /* the ban is for this host alone */
    int64_t since_ms;   /* by our clock, as is end_ms */
    int64_t end_ms;
    uint64_t change;
};

struct orders {
    unsigned count;
    struct order at[MERGE_ORDERS_MAX];
};

/* What became of a message. */
enum merge_outcome {
    MERGE_TAKEN,
    MERGE_OWN,     /* it is this server's own, come back */
    MERGE_RETIRED, /* of a table that is no more */
    MERGE_CROWDED, /* of an origin that there is no place for */
    MERGE_REPORT,  /* is not for the merge */
};

struct merge_counts {
    uint64_t taken, own, retired, crowded;
    uint64_t withheld; /* bans that the limits refused one by one */
    uint64_t limited;  /* bans and lifts that were too many or too fast */
    uint64_t given_up; /* tombstones that made room */
};

struct merge;

/* For the server of this name. `seed` is random. Returns NULL when out of memory. Free with
 * merge_free; NULL is fine. */
struct merge *merge_new(const char *own, uint32_t capacity, uint64_t seed);
void merge_free(struct merge *merge);

/* Takes a message; *orders becomes what is to be done, in this order. */
enum merge_outcome merge_take(struct merge *merge, const struct telegram *telegram,
                              const struct limits *limits, int64_t now_ms, struct orders *orders);

/* This server pardons: what others have decided and it holds is lifted, and withheld from now on.
 * As nothing else of its own comes in here, this has to be told again after a restart, and
 * where its time was shifted with a clock that was set back. */
void merge_pardon(struct merge *merge, const struct telegram_ban *pardon,
                  const struct limits *limits, int64_t now_ms, struct orders *orders);

/* After a restart: a ban that is in force from before, as an order would have it. What lies in the
 * pages and is not on them, they lift. Returns false when there is no room. */
bool merge_restore(struct merge *merge, const struct order *ban);

/* An order to ban could not be carried out, or somebody else has lifted the ban: it is not held,
 * and a page may bring it again. */
void merge_forget(struct merge *merge, const struct order *ban);

/* Asks of each ban that ought to be in force whether it is: what somebody else has lifted is not
 * held, which the next merge_report shows, and a page may bring it again. */
void merge_verify(struct merge *merge, bool (*is_in_force)(void *context, const struct order *ban),
                  void *context, int64_t now_ms);

/* What a report says of the origins that a page has come from: how many there are, and of each. */
unsigned merge_report(const struct merge *merge, struct telegram_holding holds[MERGE_ORIGINS_MAX]);

void merge_read_counts(const struct merge *merge, struct merge_counts *counts);

#endif
