/* table-window: the newest failures of one record, in the order in which they happened. Only the
 * table's own files include this.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_WINDOW_H
#define BANMAIL_TABLE_WINDOW_H

#include "table/table-layout.h"

struct window_entry {
    uint32_t stamp_s;
    uint16_t user;
    uint16_t secret;
};

/* The words of the cell in which the entry `at` lies. */
#define WINDOW_WORDS_OF(at)                                                                        \
    (UINT32_C(1) << (16 + (at) / 2) | UINT32_C(1) << (12 + (at) / 4) |                             \
     UINT32_C(1) << (8 + (at) / 4))

/* A hash short enough to stand beside each failure; 0 says "none", as it does in the long one. */
static inline uint16_t
window_hash(uint64_t hash)
{
    const uint16_t cut = (uint16_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 48);

    return hash == 0 ? 0 : cut != 0 ? cut : 1;
}

static inline uint32_t
window_newest(const struct record *record)
{
    return record->head.own > 0 ? record->stamps[record->head.own - 1] : 0;
}

static inline void
window_put(struct record *record, unsigned at, struct window_entry entry)
{
    record->stamps[at] = entry.stamp_s;
    record->users[at] = entry.user;
    record->secrets[at] = entry.secret;
}

static inline struct window_entry
window_get(const struct record *record, unsigned at)
{
    return (struct window_entry){record->stamps[at], record->users[at], record->secrets[at]};
}

/* Drops the entries from `count` on. */
static inline void
window_cut(struct record *record, unsigned count)
{
    for (unsigned at = count; at < record->head.own; at++)
        window_put(record, at, (struct window_entry){0});
    record->head.own = (uint8_t)count;
}

/* Makes room in front of the entry `at`: the newer ones move up, or, when there are 16, the older
 * ones down, over the oldest. Returns the place that is free now. */
static inline unsigned
window_make_place(struct record *record, unsigned at)
{
    unsigned from = at, to = at + 1, moved = record->head.own - at;

    if (record->head.own == JAIL_STAMPS_MAX) {
        from = 1;
        to = 0;
        moved = --at;
    } else {
        record->head.own++;
    }
    memmove(record->stamps + to, record->stamps + from, moved * sizeof *record->stamps);
    memmove(record->users + to, record->users + from, moved * sizeof *record->users);
    memmove(record->secrets + to, record->secrets + from, moved * sizeof *record->secrets);
    return at;
}

/* Keeps the 16 newest, ascending. Adds to *changed the words of the cell that it has changed. */
static inline void
window_insert(struct record *record, struct window_entry entry, uint32_t *changed)
{
    unsigned at = record->head.own;

    while (at > 0 && record->stamps[at - 1] > entry.stamp_s)
        at--;
    if (at == record->head.own && at < JAIL_STAMPS_MAX) { /* mostly: behind the others */
        record->head.own++;
        *changed |= WINDOW_WORDS_OF(at);
    } else if (at > 0 || record->head.own < JAIL_STAMPS_MAX) {
        at = window_make_place(record, at);
        *changed = CELL_ALL;
    } else {
        return;
    }
    window_put(record, at, entry);
}

#endif
