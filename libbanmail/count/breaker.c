/* breaker: see breaker.h.
 *
 * Hosts lie in sets of four by their hash; only a fault makes one, so that failures, which are
 * many, look at four hosts and eight places and no more. Counted failures lie in a ring.
 *
 * Why no hour has more than ten minutes on a host: all its places open slices out of one ring, each
 * begins no earlier than the one before, and slice n + 20 an hour after slice n or later. So any
 * hour that begins within slice n ends within slice n + 20 at the latest, and what it misses of the
 * former it may have of the latter: twenty slices in sum.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/breaker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define SETS   64
#define WAYS   4
#define PLACES 8    /* of a host: [0] is all of it, the others are instances of Postfix */
#define HITS   4    /* distinct ones that are kept: the latest */
#define USERS  4096 /* who have logged in */

_Static_assert(HITS >= BREAKER_CLIENTS, "enough to tell several from one");

struct hits {
    uint64_t who[HITS]; /* 0: free */
    int64_t stamp_ms[HITS];
};

struct stretch { /* of one place */
    uint64_t instance;
    struct hits clients;
    struct hits users;
    int64_t latest_ms; /* fault; 0: this entry is free */
    int64_t nobody_ms; /* the latest fault that names nobody; 0: none */
    int64_t from_ms;   /* what is suspended: from here */
    int64_t until_ms;  /* to here */
    bool is_spent;     /* it would be, if there was anything left */
};

struct budget { /* of one host */
    int64_t slices_ms[BREAKER_SLICES];
    int64_t latest_ms; /* the beginning of the slice that was opened last */
    unsigned next;     /* the slice that began longest ago */
    bool is_spent;     /* and that was told */
};

struct host {
    uint64_t name;
    int64_t latest_ms; /* fault; 0: this entry is free */
    struct budget budget;
    struct stretch places[PLACES];
};

struct breaker {
    pthread_mutex_t lock;
    atomic_bool has_hosts; /* there has been a fault */
    struct host hosts[SETS][WAYS];
    struct breaker_failure failures[BREAKER_FAILURES]; /* stamp 0: free */
    unsigned next;
    uint64_t users[USERS];
};

struct breaker *
breaker_new(void)
{
    struct breaker *breaker = calloc(1, sizeof *breaker);

    if (breaker != NULL)
        pthread_mutex_init(&breaker->lock, NULL);
    return breaker;
}

void
breaker_free(struct breaker *breaker)
{
    if (breaker == NULL)
        return;
    pthread_mutex_destroy(&breaker->lock);
    free(breaker);
}

/* ---- who is hit ---- */

static void
hit(struct hits *hits, uint64_t who, int64_t stamp_ms)
{
    unsigned oldest = 0;

    if (who == 0)
        return;
    for (unsigned i = 0; i < HITS; i++) {
        if (hits->who[i] == who) {
            oldest = i;
            break;
        }
        if (hits->stamp_ms[i] < hits->stamp_ms[oldest])
            oldest = i;
    }
    hits->who[oldest] = who;
    hits->stamp_ms[oldest] = stamp_ms;
}

static bool
near(int64_t a_ms, int64_t b_ms, int64_t within_ms)
{
    return a_ms - b_ms <= within_ms && b_ms - a_ms <= within_ms;
}

/* Whether they are several; *first_ms becomes the stamp of the first one if that is earlier. */
static bool
are_several(const struct hits *hits, int64_t stamp_ms, int64_t *first_ms)
{
    int64_t first = stamp_ms;
    unsigned count = 0;

    for (unsigned i = 0; i < HITS; i++) {
        if (hits->who[i] == 0 || !near(hits->stamp_ms[i], stamp_ms, BREAKER_WINDOW_MS))
            continue;
        count++;
        if (hits->stamp_ms[i] < first)
            first = hits->stamp_ms[i];
    }
    if (count < BREAKER_CLIENTS)
        return false;
    if (first < *first_ms)
        *first_ms = first;
    return true;
}

static bool
has_logged_in(const struct breaker *breaker, uint64_t user)
{
    return user != 0 && breaker->users[user % USERS] == user;
}

/* ---- places ---- */

static struct host *
set_of(struct breaker *breaker, uint64_t name)
{
    return breaker->hosts[(name * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SETS];
}

static struct host *
find_host(struct breaker *breaker, uint64_t name)
{
    struct host *set = set_of(breaker, name);

    for (unsigned way = 0; way < WAYS; way++)
        if (set[way].latest_ms != 0 && set[way].name == name)
            return &set[way];
    return NULL;
}

static struct host *
find_or_begin_host(struct breaker *breaker, uint64_t name)
{
    struct host *set = set_of(breaker, name), *found = find_host(breaker, name);

    if (found != NULL)
        return found;
    found = &set[0];
    for (unsigned way = 1; way < WAYS; way++)
        if (set[way].latest_ms < found->latest_ms)
            found = &set[way];
    *found = (struct host){.name = name};
    return found;
}

/* The place, or the one that it may have: that of the whole host is nobody else's. */
static struct stretch *
room_for(struct host *host, uint64_t instance)
{
    struct stretch *oldest = &host->places[instance == 0 ? 0 : 1];

    for (unsigned i = 1; i < PLACES && instance != 0; i++) {
        if (host->places[i].instance == instance)
            return &host->places[i];
        if (host->places[i].latest_ms < oldest->latest_ms)
            oldest = &host->places[i];
    }
    return oldest;
}

static struct stretch *
find(struct host *host, uint64_t instance)
{
    struct stretch *const found = host == NULL ? NULL : room_for(host, instance);

    return found != NULL && found->latest_ms != 0 && found->instance == instance ? found : NULL;
}

static struct stretch *
find_or_begin(struct host *host, uint64_t instance)
{
    struct stretch *const found = room_for(host, instance);

    if (found->latest_ms == 0 || found->instance != instance)
        *found = (struct stretch){.instance = instance};
    return found;
}

static bool
covers(const struct stretch *stretch, int64_t stamp_ms)
{
    return stamp_ms >= stretch->from_ms && stamp_ms < stretch->until_ms;
}

/* ---- the slices ---- */

/* Whether the hour has room for `count` slices from start_ms on. */
static bool
has_room(const struct budget *budget, int64_t start_ms, unsigned count)
{
    if (count > BREAKER_SLICES)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const int64_t before_ms = budget->slices_ms[(budget->next + i) % BREAKER_SLICES];

        if (before_ms != 0 && start_ms + i * BREAKER_HOLD_MS - before_ms < BREAKER_HOUR_MS)
            return false;
    }
    return true;
}

static void
open_slices(struct budget *budget, struct stretch *stretch, int64_t start_ms, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        budget->latest_ms = start_ms + i * BREAKER_HOLD_MS;
        budget->slices_ms[budget->next] = budget->latest_ms;
        budget->next = (budget->next + 1) % BREAKER_SLICES;
    }
    budget->is_spent = false;
    stretch->until_ms = start_ms + count * BREAKER_HOLD_MS;
}

/* From when on: what is suspended already, here or on the whole host, is not paid for again. */
static int64_t
start_of(const struct host *host, const struct stretch *stretch, int64_t start_ms)
{
    if (start_ms < stretch->until_ms)
        start_ms = stretch->until_ms;
    if (covers(&host->places[0], start_ms))
        start_ms = host->places[0].until_ms;
    return start_ms < host->budget.latest_ms ? host->budget.latest_ms : start_ms;
}

static enum breaker_news
spend_nothing(struct budget *budget, struct stretch *stretch)
{
    const bool was_spent = budget->is_spent;

    stretch->is_spent = budget->is_spent = true;
    return was_spent ? BREAKER_AS_BEFORE : BREAKER_SPENT;
}

static unsigned
slices_between(int64_t start_ms, int64_t stamp_ms)
{
    return stamp_ms < start_ms ? 1 : 1 + (unsigned)((stamp_ms - start_ms) / BREAKER_HOLD_MS);
}

/* Suspends from stamp_ms on, and what lies before it: since the end of the latest slice where that
 * is near, else since shortly before first_ms. All of it is paid for in slices. */
static enum breaker_news
suspend(struct host *host, struct stretch *stretch, int64_t first_ms, int64_t stamp_ms)
{
    const bool was_spent = stretch->is_spent;
    const bool goes_on =
        !was_spent && stretch->until_ms != 0 && stamp_ms <= stretch->until_ms + BREAKER_HOLD_MS;
    int64_t start_ms = goes_on ? stretch->until_ms : first_ms - BREAKER_LEAD_MS;
    unsigned count;

    if (was_spent) /* what has counted meanwhile stays counted */
        start_ms = stamp_ms;
    start_ms = start_of(host, stretch, start_ms);
    count = slices_between(start_ms, stamp_ms);
    if (!has_room(&host->budget, start_ms, count)) {
        start_ms = start_of(host, stretch, stamp_ms);
        count = 1;
    }
    if (!has_room(&host->budget, start_ms, count))
        return spend_nothing(&host->budget, stretch);
    stretch->is_spent = false;
    if (!goes_on)
        stretch->from_ms = start_ms;
    open_slices(&host->budget, stretch, start_ms, count);
    return goes_on ? BREAKER_AS_BEFORE : BREAKER_ON;
}

/* A line of this stamp has come: opens the next slice when it is due. */
static enum breaker_news
advance(struct host *host, struct stretch *stretch, int64_t stamp_ms)
{
    int64_t first_ms = stamp_ms;
    bool several;

    if (stamp_ms < stretch->until_ms || stamp_ms > stretch->latest_ms + BREAKER_HOLD_MS ||
        covers(&host->places[0], stamp_ms))
        return BREAKER_AS_BEFORE;
    several = are_several(&stretch->clients, stamp_ms, &first_ms);
    several |= are_several(&stretch->users, stamp_ms, &first_ms);
    return several ? suspend(host, stretch, first_ms, stamp_ms) : BREAKER_AS_BEFORE;
}

/* ---- what comes in ---- */

void
breaker_login(struct breaker *breaker, uint64_t user)
{
    pthread_mutex_lock(&breaker->lock);
    breaker->users[user % USERS] = user;
    pthread_mutex_unlock(&breaker->lock);
}

bool
breaker_has_logged_in(struct breaker *breaker, uint64_t user)
{
    bool has;

    pthread_mutex_lock(&breaker->lock);
    has = has_logged_in(breaker, user);
    pthread_mutex_unlock(&breaker->lock);
    return has;
}

enum breaker_news
breaker_fault(struct breaker *breaker, const struct breaker_place *place, uint64_t client,
              uint64_t user, int64_t stamp_ms)
{
    struct stretch *stretch;
    struct host *host;
    enum breaker_news news;

    pthread_mutex_lock(&breaker->lock);
    atomic_store_explicit(&breaker->has_hosts, true, memory_order_relaxed);
    host = find_or_begin_host(breaker, place->host);
    stretch = find_or_begin(host, place->instance);
    if (stamp_ms > stretch->latest_ms)
        stretch->latest_ms = stamp_ms;
    if (stamp_ms > host->latest_ms)
        host->latest_ms = stamp_ms;
    if (client == 0 && user == 0 && stamp_ms > stretch->nobody_ms)
        stretch->nobody_ms = stamp_ms;
    hit(&stretch->clients, client, stamp_ms);
    if (has_logged_in(breaker, user))
        hit(&stretch->users, user, stamp_ms);
    news = advance(host, stretch, stamp_ms);
    pthread_mutex_unlock(&breaker->lock);
    return news;
}

bool
breaker_may_hold(const struct breaker *breaker)
{
    return atomic_load_explicit(&breaker->has_hosts, memory_order_relaxed);
}

bool
breaker_holds(struct breaker *breaker, const struct breaker_place *place, uint64_t client,
              int64_t stamp_ms, enum breaker_news *news, struct breaker_place *where)
{
    const struct breaker_place places[] = {{place->host, 0}, *place};
    struct host *host;
    bool holds = false;

    *news = BREAKER_AS_BEFORE;
    pthread_mutex_lock(&breaker->lock);
    host = find_host(breaker, place->host);
    for (unsigned i = 0; i < 2 && !holds; i++) {
        struct stretch *stretch = find(host, places[i].instance);

        if (stretch == NULL)
            continue;
        if (stretch->nobody_ms != 0 && near(stamp_ms, stretch->nobody_ms, BREAKER_HOLD_MS))
            hit(&stretch->clients, client, stamp_ms);
        *news = advance(host, stretch, stamp_ms);
        *where = places[i];
        holds = covers(stretch, stamp_ms);
        if (*news != BREAKER_AS_BEFORE)
            break;
    }
    pthread_mutex_unlock(&breaker->lock);
    return holds;
}

/* ---- what was counted ---- */

void
breaker_counted(struct breaker *breaker, const struct breaker_failure *failure)
{
    pthread_mutex_lock(&breaker->lock);
    breaker->failures[breaker->next] = *failure;
    breaker->next = (breaker->next + 1) % BREAKER_FAILURES;
    pthread_mutex_unlock(&breaker->lock);
}

static bool
is_at(const struct breaker_failure *failure, const struct breaker_place *place)
{
    return failure->counted.stamp_ms != 0 && failure->place.host == place->host &&
           (place->instance == 0 || failure->place.instance == place->instance);
}

size_t
breaker_take(struct breaker *breaker, const struct breaker_place *place,
             struct breaker_failure *failures, size_t most)
{
    const struct stretch *stretch;
    size_t taken = 0;

    pthread_mutex_lock(&breaker->lock);
    stretch = find(find_host(breaker, place->host), place->instance);
    for (unsigned i = 0; stretch != NULL && i < BREAKER_FAILURES && taken < most; i++) {
        struct breaker_failure *failure = &breaker->failures[i];

        if (!is_at(failure, place) || !covers(stretch, failure->counted.stamp_ms))
            continue;
        failures[taken++] = *failure;
        failure->counted.stamp_ms = 0;
    }
    pthread_mutex_unlock(&breaker->lock);
    return taken;
}

static void
note_place(struct breaker_outage *outage, const struct host *host, const struct stretch *stretch,
           int64_t now_ms)
{
    const bool is_suspended = covers(stretch, now_ms);

    if (!is_suspended && !(stretch->is_spent && now_ms < stretch->latest_ms + BREAKER_HOLD_MS))
        return;
    outage->suspended += is_suspended;
    if (outage->places++ == 0 || stretch->from_ms < outage->since_ms) {
        outage->host = host->name;
        outage->since_ms = stretch->from_ms;
        outage->until_ms = is_suspended ? stretch->until_ms : 0;
    }
}

void
breaker_read_outage(struct breaker *breaker, int64_t now_ms, struct breaker_outage *outage)
{
    *outage = (struct breaker_outage){0};
    pthread_mutex_lock(&breaker->lock);
    for (unsigned i = 0; i < SETS * WAYS; i++)
        for (unsigned place = 0; place < PLACES; place++)
            note_place(outage, &breaker->hosts[i / WAYS][i % WAYS],
                       &breaker->hosts[i / WAYS][i % WAYS].places[place], now_ms);
    pthread_mutex_unlock(&breaker->lock);
}
