/* connection: see connection.h. Sets of four by a keyed hash; in a full one the oldest goes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/connection.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/siphash.h"

#define SETS 1024
#define WAYS 4

struct told {
    uint64_t key; /* 0: free */
    int64_t stamp_ms;
    uint32_t failures; /* of AUTH, of any class */
    bool has_logged_in;
};

struct connection_store {
    pthread_mutex_t lock;
    uint64_t seed[2];
    struct told told[SETS][WAYS];
};

struct connection_store *
connection_new(void)
{
    struct connection_store *store = calloc(1, sizeof *store);

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
connection_free(struct connection_store *store)
{
    if (store == NULL)
        return;
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static uint64_t
key_of(const struct connection_store *store, uint64_t host, const struct offence *offence)
{
    uint64_t words[5] = {host, hash_text(offence->service, offence->service_length),
                         offence->process_hash},
             key;

    memcpy(words + 3, offence->client.address, sizeof offence->client.address);
    key = siphash(store->seed, words, sizeof words / sizeof *words, 0, 1, 3);
    return key != 0 ? key : 1;
}

/* The entry of this key, or the free or oldest one of its set. */
static struct told *
find(struct connection_store *store, uint64_t key)
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

static bool
is_of_it(const struct told *told, uint64_t key, int64_t stamp_ms)
{
    return told->key == key && stamp_ms - told->stamp_ms <= CONNECTION_LIFE_MS &&
           told->stamp_ms - stamp_ms <= CONNECTION_LIFE_MS;
}

/* What the summary says beyond the lines before it; with it the connection is over. */
static void
sum_up(struct told *told, struct offence *offence)
{
    if (told->failures < offence->attempts)
        offence->attempts -= told->failures;
    else
        offence->class = OFFENCE_AUTH_LINE;
    *told = (struct told){0};
}

static void
hear(struct told *told, struct offence *offence)
{
    if (offence->class == OFFENCE_AUTH_REFUSED)
        sum_up(told, offence);
    else if (offence->class == OFFENCE_LOGIN_OK)
        told->has_logged_in = true;
    else if (!(offence->flags & OFFENCE_PIPELINING))
        told->failures += offence->attempts;
    else if (told->has_logged_in)
        offence->class = OFFENCE_PIPELINING_LOGIN;
}

/* Postfix's services have a slash. */
static bool
is_told(const struct offence *offence)
{
    return offence->has_client && offence->service_length > 0 &&
           memchr(offence->service, '/', offence->service_length) != NULL &&
           (offence->method_length > 0 || offence->class == OFFENCE_AUTH_REFUSED ||
            offence->class == OFFENCE_LOGIN_OK ||
            (offence->flags & (OFFENCE_AUTH_FAULT | OFFENCE_PIPELINING)));
}

void
connection_hear(struct connection_store *store, uint64_t host, struct offence *offence,
                int64_t stamp_ms)
{
    struct told *told, now;
    uint64_t key;

    if (!is_told(offence))
        return;
    key = key_of(store, host, offence);
    pthread_mutex_lock(&store->lock);
    told = find(store, key);
    now = is_of_it(told, key, stamp_ms) ? *told : (struct told){0};
    hear(&now, offence);
    if (now.failures > 0 || now.has_logged_in) {
        now.key = key;
        now.stamp_ms = stamp_ms;
        *told = now;
    } else if (told->key == key) {
        *told = (struct told){0};
    }
    pthread_mutex_unlock(&store->lock);
}
