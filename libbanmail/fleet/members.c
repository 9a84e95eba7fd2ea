/* members: see members.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SHARE_OF 4 /* one address may fill a quarter of the places */
#define BUCKETS  1024
#define NOBODY   UINT32_MAX

/* A host, and what is found out of it while all are gone through. */
struct place {
    struct member member;
    uint32_t after; /* the next first one of its bucket */
    unsigned named; /* addresses, by all whose first one it is */
};

struct members {
    uint32_t capacity;
    bool may_want;             /* somebody has asked for pages since members_answer */
    uint32_t buckets[BUCKETS]; /* the first one of those that are alike */
    struct place at[];
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

uint32_t
members_capacity(const struct members *members)
{
    return members->capacity;
}

static bool
is_free(const struct member *member)
{
    return member->name[0] == '\0';
}

const struct member *
members_at(const struct members *members, uint32_t index)
{
    return index < members->capacity && !is_free(&members->at[index].member)
               ? &members->at[index].member
               : NULL;
}

const struct member *
members_find(const struct members *members, const char *name)
{
    for (uint32_t i = 0; i < members->capacity; i++)
        if (strcmp(members->at[i].member.name, name) == 0)
            return &members->at[i].member;
    return NULL;
}

/* ---- a report ---- */

static bool
is_of(const struct member *member, const struct source *peer)
{
    return !is_free(member) && source_compare(&member->peer, peer) == 0;
}

/* The one that was silent longest: a free one, or of those of this address alone. */
static struct member *
oldest(struct members *members, const struct source *peer)
{
    struct member *found = NULL;

    for (uint32_t i = 0; i < members->capacity; i++) {
        struct member *const member = &members->at[i].member;

        if (peer != NULL && !is_of(member, peer))
            continue;
        if (found == NULL ||
            (!is_free(found) && (is_free(member) || member->heard_ms < found->heard_ms)))
            found = member;
    }
    return found;
}

/* A place for the host: its own, or that of another one. */
static struct member *
place_for(struct members *members, const struct source *peer, const char *name)
{
    struct member *place;
    uint32_t count = 0;

    for (uint32_t i = 0; i < members->capacity; i++) {
        if (!is_of(&members->at[i].member, peer))
            continue;
        if (strcmp(members->at[i].member.name, name) == 0)
            return &members->at[i].member;
        count++;
    }
    place = oldest(members, count > 0 && count >= members->capacity / SHARE_OF ? peer : NULL);
    memset(place, 0, sizeof *place);
    memcpy(place->name, name, strnlen(name, sizeof place->name - 1));
    place->peer = *peer;
    return place;
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
members_take(struct members *members, const struct source *peer, const struct telegram *telegram,
             const char *own, const struct pager *pager, int64_t now_ms)
{
    struct member *const member = place_for(members, peer, telegram->origin);
    const struct telegram_holding *hold;

    member->heard_ms = now_ms;
    member->behind_ms = now_ms - telegram->sent_ms;
    member->report = telegram->report;
    hold = member_holding(member, own);
    member->lag_ms = hold == NULL ? -1 : pager_lag(pager, hold, now_ms);
    if (hold != NULL && pager_agrees(pager, hold))
        member->differs = 0;
    else
        member->differs++;
    member->wants_pages = member->differs > 0;
    members->may_want |= member->wants_pages;
    return member->wants_pages;
}

/* ---- who wants pages ---- */

unsigned
members_ask(struct members *members, const char *name)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < members->capacity; i++) {
        if (is_free(&members->at[i].member) ||
            (name != NULL && strcmp(members->at[i].member.name, name) != 0))
            continue;
        members->at[i].member.wants_pages = true;
        count++;
    }
    members->may_want |= count > 0;
    return count;
}

bool
members_want(const struct members *members)
{
    return members->may_want;
}

unsigned
members_answer(struct members *members, char name[TELEGRAM_NAME_SIZE])
{
    unsigned count = 0;

    name[0] = '\0';
    members->may_want = false;
    for (uint32_t i = 0; i < members->capacity; i++) {
        struct member *const member = &members->at[i].member;

        if (is_free(member) || !member->wants_pages)
            continue;
        member->wants_pages = false;
        if (count++ == 0)
            memcpy(name, member->name, sizeof member->name);
        else if (strcmp(name, member->name) != 0)
            name[0] = '\0';
    }
    return count;
}

/* ---- who they are ---- */

static bool
is_member(const struct member *member, int64_t now_ms, int64_t age_ms)
{
    return !is_free(member) && now_ms - member->heard_ms < age_ms;
}

/* A link-local one is somebody else's on each link. */
static bool
is_address(const struct source *source)
{
    static const struct source local[] = {
        {{[10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254}, 112},
        {{0xfe, 0x80}, 10},
    };

    return source->prefix == SOURCE_HOST_PREFIX && source_is_client(source) &&
           !source_contains(&local[0], source) && !source_contains(&local[1], source);
}

static unsigned
addresses_of(const struct member *member, unsigned named, struct source *addresses, unsigned most)
{
    unsigned count = 0;

    if (count < most && is_address(&member->peer))
        addresses[count++] = member->peer;
    for (unsigned i = 0; i < member->report.address_count && i < named; i++)
        if (count < most && is_address(&member->report.addresses[i]))
            addresses[count++] = member->report.addresses[i];
    return count;
}

/* The first of those gone through so far that is alike; NULL: this is the first. */
static struct place *
first_alike(struct members *members, uint32_t index, uint64_t hash,
            bool (*are_alike)(const struct member *a, const struct member *b))
{
    uint32_t *const bucket = &members->buckets[hash % BUCKETS];
    struct place *const place = &members->at[index];

    for (uint32_t i = *bucket; i != NOBODY; i = members->at[i].after)
        if (are_alike(&members->at[i].member, &place->member))
            return &members->at[i];
    place->after = *bucket;
    *bucket = index;
    return NULL;
}

static bool
have_one_peer(const struct member *a, const struct member *b)
{
    return source_compare(&a->peer, &b->peer) == 0;
}

static bool
have_one_name(const struct member *a, const struct member *b)
{
    return strcmp(a->name, b->name) == 0;
}

/* How many more this one's report may name: who delivers calls himself by as many names as he
 * likes, and has no more addresses by them. */
static unsigned
left_to_name(struct members *members, uint32_t index)
{
    struct place *const place = &members->at[index];
    const struct source *const peer = &place->member.peer;
    struct place *first = first_alike(
        members, index, hash_bytes(0, peer->address, sizeof peer->address), have_one_peer);
    unsigned named;

    if (first == NULL) {
        first = place;
        first->named = 0;
    }
    named = first->named;
    first->named += place->member.report.address_count;
    return named < MEMBERS_ADDRESSES ? MEMBERS_ADDRESSES - named : 0;
}

unsigned
members_addresses(struct members *members, int64_t now_ms, struct source *addresses, unsigned most)
{
    unsigned count = 0;

    memset(members->buckets, 0xff, sizeof members->buckets);
    for (uint32_t i = 0; i < members->capacity; i++)
        if (is_member(&members->at[i].member, now_ms, MEMBERS_GONE_MS))
            count += addresses_of(&members->at[i].member, left_to_name(members, i),
                                  addresses + count, most - count);
    return count;
}

bool
members_clash(struct members *members, const char *own, int64_t now_ms,
              char name[TELEGRAM_NAME_SIZE])
{
    memset(members->buckets, 0xff, sizeof members->buckets);
    for (uint32_t i = 0; i < members->capacity; i++) {
        const struct member *const member = &members->at[i].member;

        if (!is_member(member, now_ms, MEMBERS_SILENT_MS))
            continue;
        if (strcmp(member->name, own) == 0 ||
            first_alike(members, i, hash_bytes(0, member->name, strlen(member->name)),
                        have_one_name) != NULL) {
            memcpy(name, member->name, sizeof member->name);
            return true;
        }
    }
    return false;
}
