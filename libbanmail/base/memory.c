/* memory: see memory.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/siphash.h"

#define LOCKS 64 /* workers seldom meet */

struct memory {
    uint64_t seed[2];
    size_t sets, size;
    unsigned ways;
    pthread_mutex_t locks[LOCKS]; /* of the sets whose number leaves this remainder */
    _Alignas(16) unsigned char entries[];
};

struct memory *
memory_new(size_t sets, unsigned ways, size_t size, const uint64_t seed[2])
{
    struct memory *const memory = calloc(1, sizeof *memory + sets * ways * size);

    if (memory == NULL)
        return NULL;
    memory->sets = sets;
    memory->ways = ways;
    memory->size = size;
    if (seed != NULL)
        memcpy(memory->seed, seed, sizeof memory->seed);
    else if (getrandom(memory->seed, sizeof memory->seed, 0) != sizeof memory->seed) {
        free(memory);
        return NULL;
    }
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_init(&memory->locks[i], NULL);
    return memory;
}

void
memory_free(struct memory *memory)
{
    if (memory == NULL)
        return;
    for (unsigned i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&memory->locks[i]);
    free(memory);
}

uint64_t
memory_key(const struct memory *memory, const uint64_t *words, size_t count, uint64_t last)
{
    const uint64_t key = siphash(memory->seed, words, count, last, 1, 3);

    return key != 0 ? key : 1;
}

const uint64_t *
memory_seed(const struct memory *memory)
{
    return memory->seed;
}

static struct memory_entry *
entry_at(struct memory *memory, size_t set, unsigned way)
{
    return (struct memory_entry *)(memory->entries + (set * memory->ways + way) * memory->size);
}

static pthread_mutex_t *
lock_of(struct memory *memory, size_t set)
{
    return &memory->locks[set % LOCKS];
}

void *
memory_lock(struct memory *memory, uint64_t key)
{
    const size_t set = key % memory->sets;
    struct memory_entry *oldest = entry_at(memory, set, 0);

    pthread_mutex_lock(lock_of(memory, set));
    for (unsigned way = 0; way < memory->ways; way++) {
        struct memory_entry *const entry = entry_at(memory, set, way);

        if (entry->key == key)
            return entry;
        if (oldest->key != 0 && (entry->key == 0 || entry->latest_ms < oldest->latest_ms))
            oldest = entry;
    }
    return oldest;
}

void
memory_unlock(struct memory *memory, uint64_t key)
{
    pthread_mutex_unlock(lock_of(memory, key % memory->sets));
}

static int
each_of_set(struct memory *memory, size_t set, int (*each)(void *entry, void *context),
            void *context)
{
    int result = 0;

    pthread_mutex_lock(lock_of(memory, set));
    for (unsigned way = 0; way < memory->ways && result == 0; way++)
        if (entry_at(memory, set, way)->key != 0)
            result = each(entry_at(memory, set, way), context);
    pthread_mutex_unlock(lock_of(memory, set));
    return result;
}

int
memory_each(struct memory *memory, int (*each)(void *entry, void *context), void *context)
{
    int result = 0;

    for (size_t set = 0; set < memory->sets && result == 0; set++)
        result = each_of_set(memory, set, each, context);
    return result;
}
