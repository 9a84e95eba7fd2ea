/* members: see members.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/members.h"

#include <stdlib.h>
#include <string.h>

struct members {
    uint32_t capacity;
    struct member at[];
};

struct members *
members_new(uint32_t capacity)
{
    struct members *members = calloc(1, sizeof *members + capacity * sizeof members->at[0]);

    if (members != NULL)
        members->capacity = capacity;
    return members;
}

void
members_free(struct members *members)
{
    free(members);
}

const struct member *
members_at(const struct members *members, uint32_t index)
{
    return index < members->capacity && members->at[index].name[0] != '\0' ? &members->at[index]
                                                                           : NULL;
}

const struct member *
members_find(const struct members *members, const char *name)
{
    for (uint32_t i = 0; i < members->capacity; i++)
        if (strcmp(members->at[i].name, name) == 0)
            return &members->at[i];
    return NULL;
}

/* A place for the host: its own, a free one, or that of the one that was silent longest. */
static struct member *
place_for(struct members *members, const char *name)
{
    struct member *const known = (struct member *)members_find(members, name);
    struct member *oldest = &members->at[0];

    if (known != NULL)
        return known;
    for (uint32_t i = 0; i < members->capacity && oldest->name[0] != '\0'; i++)
        if (members->at[i].name[0] == '\0' || members->at[i].heard_ms < oldest->heard_ms)
            oldest = &members->at[i];
    memset(oldest, 0, sizeof *oldest);
    memcpy(oldest->name, name, strnlen(name, sizeof oldest->name - 1));
    return oldest;
}

const struct telegram_holding *
member_holding(const struct member *member, const char *origin)
{
    for (unsigned i = 0; i < member->report.hold_count; i++)
        if (strcmp(member->report.holds[i].origin, origin) == 0)
            return &member->report.holds[i];
    return NULL;
}

bool
members_take(struct members *members, const char *name, const struct telegram *telegram,
             const char *own, const struct pager *pager, int64_t now_ms)
{
    struct member *const member = place_for(members, name);
    const struct telegram_holding *hold;

    member->heard_ms = now_ms;
    member->behind_ms = now_ms - telegram->sent_ms;
    member->report = telegram->report;
    hold = member_holding(member, own);
    if (hold != NULL && pager_agrees(pager, hold))
        member->differs = 0;
    else
        member->differs++;
    return member->differs > 0;
}
