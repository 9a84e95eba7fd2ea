/* pager: see pager.h. A slice that proves to hold more than a page does is halved while it is
 * collected: what lies in its second half goes, and comes with the next page.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/pager.h"

#include <string.h>

#include "fleet/slice.h"

#define BITS_MOST 31

/* A page while it is collected. */
struct draft {
    struct telegram_page *page;
    uint64_t position;
    unsigned bits;
    uint64_t places[TELEGRAM_BANS_MAX];
};

void
pager_begin(struct pager *pager, uint64_t table)
{
    memset(pager, 0, sizeof *pager);
    lists_begin(&pager->lists);
    pager->table = table;
    pager->fleet = slice_scope(TELEGRAM_SCOPE_FLEET);
    for (unsigned i = 0; i < PAGER_CHECKS; i++)
        pager->checks[i].change = UINT64_MAX;
}

/* So many slices that the mean one fits on a page, and that one begins at the position. */
static unsigned
first_bits(const struct pager *pager, uint64_t position)
{
    const unsigned aligned = position == 0 ? 0 : 64 - (unsigned)__builtin_ctzll(position);
    unsigned bits = PAGER_BITS_LEAST;

    while (bits < BITS_MOST && (uint64_t)TELEGRAM_BANS_MAX << bits < pager->live)
        bits++;
    return bits > aligned ? bits : aligned;
}

static bool
is_in(const struct draft *draft, uint64_t place)
{
    return place >> (64 - draft->bits) == draft->position >> (64 - draft->bits);
}

/* Halves the slice. Returns false when it is as narrow as can be. */
static bool
narrow(struct draft *draft)
{
    unsigned kept = 0;

    if (draft->bits == BITS_MOST)
        return false;
    draft->bits++;
    for (unsigned i = 0; i < draft->page->ban_count; i++) {
        if (!is_in(draft, draft->places[i]))
            continue;
        draft->places[kept] = draft->places[i];
        draft->page->bans[kept++] = draft->page->bans[i];
    }
    draft->page->ban_count = kept;
    return true;
}

static bool
put(struct draft *draft, const struct telegram_ban *ban, uint64_t place)
{
    while (is_in(draft, place) && draft->page->ban_count == TELEGRAM_BANS_MAX)
        if (!narrow(draft))
            return false;
    if (is_in(draft, place)) {
        draft->places[draft->page->ban_count] = place;
        draft->page->bans[draft->page->ban_count++] = *ban;
    }
    return true;
}

static uint64_t
place_of(struct pager *pager, const struct telegram_ban *ban)
{
    const int list = lists_number(&pager->lists, &ban->ports);
    const uint64_t ports = list < 0 ? slice_ports(&ban->ports) : pager->lists.at[list].hash;
    const bool is_fleet = strcmp(ban->scope, TELEGRAM_SCOPE_FLEET) == 0;

    return slice_place(pager->table, &ban->source, ports,
                       is_fleet ? pager->fleet : slice_scope(ban->scope));
}

/* Looks at every ban once: for the page, and for what the table comes to. */
static bool
collect(struct pager *pager, struct draft *draft, const struct pager_bans *bans,
        struct pager_check *check)
{
    struct telegram_ban ban;

    pager->live = 0;
    for (size_t i = 0; i < bans->count; i++) {
        uint64_t place;

        if (!bans->read(bans->context, i, &ban))
            continue;
        pager->live++;
        place = place_of(pager, &ban);
        if (ban.change <= check->change && strcmp(ban.scope, TELEGRAM_SCOPE_FLEET) == 0) {
            check->digest += slice_digest(place, ban.change);
            check->count++;
        }
        if (!put(draft, &ban, place))
            return false;
    }
    return true;
}

static int
print(struct draft *draft, struct telegram *telegram, char text[TELEGRAM_TEXT_SIZE])
{
    int length;

    do {
        telegram->page.pages = UINT32_C(1) << draft->bits;
        telegram->page.page = (uint32_t)(draft->position >> (64 - draft->bits));
        length = telegram_print(telegram, text, TELEGRAM_TEXT_SIZE);
    } while (length < 0 && telegram->page.ban_count > 0 && narrow(draft));
    return length;
}

int
pager_next(struct pager *pager, struct pager_cursor *cursor, const struct pager_bans *bans,
           uint64_t change, int64_t now_ms, struct telegram *telegram,
           char text[TELEGRAM_TEXT_SIZE])
{
    struct draft draft = {.page = &telegram->page, .position = cursor->position};
    struct pager_check check = {.change = change, .made_ms = now_ms};
    int length = 0;

    draft.bits = first_bits(pager, cursor->position);
    telegram->kind = TELEGRAM_PAGE;
    telegram->table = pager->table;
    telegram->sent_ms = now_ms;
    telegram->page.change = change;
    telegram->page.ban_count = 0;
    if (collect(pager, &draft, bans, &check))
        length = print(&draft, telegram, text);
    cursor->position += UINT64_C(1) << (64 - draft.bits);
    cursor->sent++;
    if (length <= 0)
        return 0;
    pager->checks[pager->next_check++ % PAGER_CHECKS] = check;
    return length;
}

bool
pager_is_done(const struct pager_cursor *cursor)
{
    return cursor->position == 0 && cursor->sent > 0;
}

bool
pager_agrees(const struct pager *pager, const struct telegram_holding *hold)
{
    if (hold->table != pager->table)
        return false;
    for (unsigned i = 0; i < PAGER_CHECKS; i++)
        if (pager->checks[i].change == hold->change && pager->checks[i].digest == hold->digest &&
            pager->checks[i].count == hold->count)
            return true;
    return false;
}

int64_t
pager_lag(const struct pager *pager, const struct telegram_holding *hold, int64_t now_ms)
{
    int64_t first_ms = now_ms;

    if (hold->table != pager->table)
        return -1;
    for (unsigned i = 0; i < PAGER_CHECKS; i++)
        if (pager->checks[i].change != UINT64_MAX && pager->checks[i].change > hold->change &&
            pager->checks[i].made_ms < first_ms)
            first_ms = pager->checks[i].made_ms;
    return now_ms - first_ms;
}
