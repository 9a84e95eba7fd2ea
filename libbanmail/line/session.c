/* session: see session.h. Sets of four by a keyed hash; in a full one the oldest goes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/session.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

#define SETS  2048
#define WAYS  4
#define WORDS ((OFFENCE_SESSION_MAX + 7) / 8)

struct told {
    uint64_t key; /* 0: free */
    uint64_t secret;
    int64_t stamp_ms;
    uint32_t reasons; /* as bits */
};

struct session_store {
    pthread_mutex_t lock;
    uint64_t seed[2];
    struct told told[SETS][WAYS];
};

struct session_store *
session_new(void)
{
    struct session_store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    if (getrandom(store->seed, sizeof store->seed, 0) != sizeof store->seed) {
        free(store);
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

void
session_free(struct session_store *store)
{
    if (store == NULL)
        return;
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static uint64_t
key_of(const struct session_store *store, uint64_t host, const char *session, size_t length)
{
    uint64_t words[1 + WORDS] = {host}, key;

    if (length > OFFENCE_SESSION_MAX)
        length = OFFENCE_SESSION_MAX;
    memcpy(words + 1, session, length);
    key = siphash(store->seed, words, sizeof words / sizeof *words, (uint64_t)length << 56, 1, 3);
    return key != 0 ? key : 1;
}

/* The entry of this key, or the free or oldest one of its set. */
static struct told *
find(struct session_store *store, uint64_t key)
{
    struct told *set = store->told[key % SETS], *oldest = &set[0];

    for (unsigned way = 0; way < WAYS; way++) {
        if (set[way].key == key)
            return &set[way];
        if (set[way].stamp_ms < oldest->stamp_ms)
            oldest = &set[way];
    }
    return oldest;
}

void
session_tell(struct session_store *store, uint64_t host, const char *session, size_t length,
             enum offence_reason reason, uint64_t secret, int64_t stamp_ms)
{
    const uint64_t key = key_of(store, host, session, length);
    struct told *told;

    pthread_mutex_lock(&store->lock);
    told = find(store, key);
    if (told->key != key)
        *told = (struct told){.key = key};
    told->reasons |= UINT32_C(1) << reason;
    told->stamp_ms = stamp_ms;
    if (secret != 0)
        told->secret = secret;
    pthread_mutex_unlock(&store->lock);
}

bool
session_is_unknown(struct session_store *store, uint64_t host, const char *session, size_t length,
                   int64_t stamp_ms, uint64_t *secret)
{
    const uint64_t key = key_of(store, host, session, length);
    const struct told *told;
    bool is_unknown = false;

    *secret = 0;
    pthread_mutex_lock(&store->lock);
    told = find(store, key);
    if (told->key == key && stamp_ms - told->stamp_ms <= SESSION_LIFE_MS &&
        told->stamp_ms - stamp_ms <= SESSION_LIFE_MS) {
        *secret = told->secret;
        is_unknown = told->reasons == UINT32_C(1) << OFFENCE_REASON_UNKNOWN;
    }
    pthread_mutex_unlock(&store->lock);
    return is_unknown;
}
