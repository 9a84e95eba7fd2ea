/* pager: the bans of a server's own table, slice by slice, for those who have missed something.
 *
 * A page is made of one look at all bans. The slices become narrower where there are many bans, and
 * the server says with each page how wide it is; so the cycle is complete whatever comes and goes
 * meanwhile. With a page a second 50,000 bans take about 12 minutes, and few bans one.
 *
 * Of each page it is remembered what the whole table came to when it was made: a host that has
 * merged the page must come to the same (merge_report), or it misses something.
 *
 * One thread; no function reads a clock, allocates, or makes a system call.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_PAGER_H
#define BANMAIL_PAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/lists.h"
#include "fleet/telegram.h"

#define PAGER_CHECKS     1024 /* pages that are remembered */
#define PAGER_BITS_LEAST 6    /* 64 pages: of few bans, too, no page may lift all at once */

/* Where the next page begins in the space of 64 bits; all zero to begin a cycle with. */
struct pager_cursor {
    uint64_t position;
    uint32_t sent; /* pages of this cycle, so far */
};

struct pager_check {
    uint64_t change, digest;
    int64_t made_ms;
    uint32_t count;
};

struct pager {
    struct lists lists;
    uint64_t table, fleet; /* fleet: slice_scope of it */
    uint32_t live;         /* bans when the latest page was made */
    unsigned next_check;
    struct pager_check checks[PAGER_CHECKS]; /* change UINT64_MAX: none */
};

/* The table's bans and pardons: `read` gives that of `index`, 0 to count - 1, or false where there
 * is none that is live. Each may be seen as it was at any time from the page's change on. */
struct pager_bans {
    size_t count;
    bool (*read)(const void *context, size_t index, struct telegram_ban *ban);
    const void *context;
};

void pager_begin(struct pager *pager, uint64_t table);

/* Makes the next page of a cycle. `change` is the table's, read before any ban is; `telegram` has
 * the origin, and becomes the page, `text` what is to be sent. Returns its length, or 0 where more
 * bans of one narrowest slice cannot be told than a page holds, which no one can bring about. */
int pager_next(struct pager *pager, struct pager_cursor *cursor, const struct pager_bans *bans,
               uint64_t change, int64_t now_ms, struct telegram *telegram,
               char text[TELEGRAM_TEXT_SIZE]);

/* Whether the cycle is complete. */
bool pager_is_done(const struct pager_cursor *cursor);

/* Whether a host that has merged one of the pages that are remembered would hold this. */
bool pager_agrees(const struct pager *pager, const struct telegram_holding *hold);

/* For how many milliseconds there has been a page with changes that a host which reports this has
 * not merged, as far back as pages are remembered; 0: there is none; -1: it holds another table. */
int64_t pager_lag(const struct pager *pager, const struct telegram_holding *hold, int64_t now_ms);

#endif
