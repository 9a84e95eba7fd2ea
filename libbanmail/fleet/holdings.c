/* holdings: see holdings.h. A pool, and chains by a hash that is keyed, as addresses are attackers'
 * to choose.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/holdings.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define NONE UINT32_MAX

struct holdings {
    uint64_t seed;
    uint32_t capacity, chain_mask, free;
    uint32_t *chains;
    struct holding pool[];
};

struct holdings *
holdings_new(uint32_t capacity, uint64_t seed)
{
    struct holdings *holdings = calloc(1, sizeof *holdings + capacity * sizeof holdings->pool[0]);
    uint32_t chains = 64;

    if (holdings == NULL)
        return NULL;
    while (chains < capacity)
        chains *= 2;
    holdings->chains = malloc(chains * sizeof holdings->chains[0]);
    if (holdings->chains == NULL) {
        free(holdings);
        return NULL;
    }
    memset(holdings->chains, 0xff, chains * sizeof holdings->chains[0]);
    holdings->seed = seed;
    holdings->capacity = capacity;
    holdings->chain_mask = chains - 1;
    for (uint32_t i = 0; i < capacity; i++)
        holdings->pool[i].next = i + 1 < capacity ? i + 1 : NONE;
    return holdings;
}

void
holdings_free(struct holdings *holdings)
{
    if (holdings != NULL)
        free(holdings->chains);
    free(holdings);
}

static uint32_t *
chain_of(const struct holdings *holdings, const struct holding *key)
{
    const uint8_t more[4] = {key->prefix, key->origin, key->ports, key->is_host};
    uint64_t hash = hash_bytes(holdings->seed, key->address, sizeof key->address);

    hash = hash_bytes(hash, more, sizeof more);
    return &holdings->chains[hash & holdings->chain_mask];
}

static bool
is_same(const struct holding *a, const struct holding *b)
{
    return memcmp(a->address, b->address, sizeof a->address) == 0 && a->prefix == b->prefix &&
           a->origin == b->origin && a->ports == b->ports && a->is_host == b->is_host;
}

struct holding *
holdings_find(const struct holdings *holdings, const struct holding *key)
{
    const struct holding *const pool = holdings->pool;

    for (uint32_t at = *chain_of(holdings, key); at != NONE; at = pool[at].next)
        if (is_same(&pool[at], key))
            return (struct holding *)&pool[at];
    return NULL;
}

struct holding *
holdings_add(struct holdings *holdings, const struct holding *holding)
{
    uint32_t *const chain = chain_of(holdings, holding);
    const uint32_t at = holdings->free;

    if (at == NONE)
        return NULL;
    holdings->free = holdings->pool[at].next;
    holdings->pool[at] = *holding;
    holdings->pool[at].next = *chain;
    *chain = at;
    return &holdings->pool[at];
}

void
holdings_remove(struct holdings *holdings, struct holding *holding)
{
    const uint32_t index = (uint32_t)(holding - holdings->pool);
    uint32_t *at = chain_of(holdings, holding);

    while (*at != index)
        at = &holdings->pool[*at].next;
    *at = holding->next;
    *holding = (struct holding){.next = holdings->free};
    holdings->free = index;
}

uint32_t
holdings_capacity(const struct holdings *holdings)
{
    return holdings->capacity;
}

struct holding *
holdings_at(const struct holdings *holdings, uint32_t index)
{
    if (holdings->pool[index].state == HOLDING_NONE)
        return NULL;
    return (struct holding *)&holdings->pool[index];
}

struct source
holding_source(const struct holding *holding)
{
    struct source source = {.prefix = holding->prefix};

    memcpy(source.address, holding->address, sizeof source.address);
    return source;
}
