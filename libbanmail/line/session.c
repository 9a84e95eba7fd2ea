/* session: see session.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/session.h"

#include <string.h>

#include "base/memory.h"

#define SETS  2048
#define WAYS  4
#define WORDS ((OFFENCE_SESSION_MAX + 7) / 8)

struct told {
    struct memory_entry entry;
    uint64_t secret;
    uint32_t reasons; /* as bits */
};

/* A store is a memory of these. */
struct session_store *
session_new(void)
{
    return (struct session_store *)memory_new(SETS, WAYS, sizeof(struct told), NULL);
}

void
session_free(struct session_store *store)
{
    memory_free((struct memory *)store);
}

static uint64_t
key_of(const struct memory *memory, uint64_t host, const char *session, size_t length)
{
    uint64_t words[1 + WORDS] = {host};

    if (length > OFFENCE_SESSION_MAX)
        length = OFFENCE_SESSION_MAX;
    memcpy(words + 1, session, length);
    return memory_key(memory, words, sizeof words / sizeof *words, (uint64_t)length << 56);
}

void
session_tell(struct session_store *store, uint64_t host, const char *session, size_t length,
             enum offence_reason reason, uint64_t secret, int64_t stamp_ms)
{
    struct memory *const memory = (struct memory *)store;
    const uint64_t key = key_of(memory, host, session, length);
    struct told *const told = memory_lock(memory, key);

    if (told->entry.key != key)
        *told = (struct told){.entry.key = key};
    told->reasons |= UINT32_C(1) << reason;
    told->entry.latest_ms = stamp_ms;
    if (secret != 0)
        told->secret = secret;
    memory_unlock(memory, key);
}

bool
session_is_unknown(struct session_store *store, uint64_t host, const char *session, size_t length,
                   int64_t stamp_ms, uint64_t *secret)
{
    struct memory *const memory = (struct memory *)store;
    const uint64_t key = key_of(memory, host, session, length);
    const struct told *const told = memory_lock(memory, key);
    bool is_unknown = false;

    *secret = 0;
    if (told->entry.key == key && stamp_ms - told->entry.latest_ms <= SESSION_LIFE_MS &&
        told->entry.latest_ms - stamp_ms <= SESSION_LIFE_MS) {
        *secret = told->secret;
        is_unknown = told->reasons == UINT32_C(1) << OFFENCE_REASON_UNKNOWN;
    }
    memory_unlock(memory, key);
    return is_unknown;
}
