/* connection: see connection.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/connection.h"

#include <stdbool.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/siphash.h"

#define SETS 1024
#define WAYS 4

struct told {
    struct memory_entry entry;
    uint32_t failures; /* of AUTH, of any class */
    bool has_logged_in;
};

/* A store is a memory of these. */
struct connection_store *
connection_new(void)
{
    return (struct connection_store *)memory_new(SETS, WAYS, sizeof(struct told), NULL);
}

void
connection_free(struct connection_store *store)
{
    memory_free((struct memory *)store);
}

static uint64_t
key_of(const struct memory *memory, uint64_t host, const struct offence *offence)
{
    const uint64_t service = hash_bytes(host, offence->service, offence->service_length);
    const uint64_t key = siphash_address(siphash_begin(memory_seed(memory)),
                                         offence->client.address, service ^ offence->process_hash);

    return key != 0 ? key : 1;
}

static bool
is_of_it(const struct told *told, uint64_t key, int64_t stamp_ms)
{
    return told->entry.key == key && stamp_ms - told->entry.latest_ms <= CONNECTION_LIFE_MS &&
           told->entry.latest_ms - stamp_ms <= CONNECTION_LIFE_MS;
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
    struct memory *const memory = (struct memory *)store;
    struct told *told, now;
    uint64_t key;

    if (!is_told(offence))
        return;
    key = key_of(memory, host, offence);
    told = memory_lock(memory, key);
    now = is_of_it(told, key, stamp_ms) ? *told : (struct told){0};
    hear(&now, offence);
    if (now.failures > 0 || now.has_logged_in) {
        now.entry = (struct memory_entry){.key = key, .latest_ms = stamp_ms};
        *told = now;
    } else if (told->entry.key == key) {
        *told = (struct told){0};
    }
    memory_unlock(memory, key);
}
