/* stamp: see stamp.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "line/stamp.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define WAYS            4
#define NAME_SIZE       64 /* kept for saying it; the hash covers more */

#define STEADY_MS       3000 /* whole seconds on both sides, and what the network adds */
#define SETTLE_MS       10000
#define SETTLE_MESSAGES 3
#define NEAR_MS         30000 /* nearer than this to the truth is near enough: the table's */
                              /* idea of live is twice as much */
#define QUARTER_MS INT64_C(900000)

struct host {
    struct memory_entry entry;
    int64_t skew_ms; /* of the first message since it was last another one */
    int64_t since_ms;
    unsigned messages; /* that agreed with it */
    int64_t off_ms;    /* settled: what is taken off */
    int64_t said_ms;   /* the off_ms that was said */
    char name[NAME_SIZE];
};

struct stamp_watch {
    atomic_uint news; /* how many hosts were settled otherwise since somebody looked */
    struct memory *hosts;
};

struct stamp_watch *
stamp_new(const uint64_t key[2])
{
    struct stamp_watch *const watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->hosts = memory_new(STAMP_HOSTS / WAYS, WAYS, sizeof(struct host), key);
    if (watch->hosts != NULL)
        return watch;
    free(watch);
    return NULL;
}

static uint64_t
hash_name(const struct stamp_watch *watch, const char *name, size_t length)
{
    const uint64_t hash = hash_bytes(memory_seed(watch->hosts)[0], name, length);

    return hash == 0 ? 1 : hash;
}

/* It will stand in a log. */
static void
keep_name(struct host *host, const char *name, size_t length)
{
    if (length >= NAME_SIZE)
        length = NAME_SIZE - 1;
    for (size_t i = 0; i < length; i++)
        host->name[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
    host->name[length] = '\0';
}

/* What to take off for a settled skew. */
static int64_t
off_by(int64_t skew_ms)
{
    const int64_t half = skew_ms < 0 ? -QUARTER_MS / 2 : QUARTER_MS / 2;
    const int64_t quarters_ms = (skew_ms + half) / QUARTER_MS * QUARTER_MS;

    return llabs(skew_ms - quarters_ms) <= NEAR_MS ? quarters_ms : skew_ms;
}

/* Takes one more message into account. Returns whether the host was settled otherwise by it.
 * A skew that is as near to the settled one as makes no difference does not unsettle it: clocks
 * drift. */
static bool
watch_host(struct host *host, int64_t stamp_ms, int64_t received_ms)
{
    const int64_t skew_ms = stamp_ms - received_ms;
    int64_t off_ms;

    host->entry.latest_ms = received_ms;
    if (host->messages == 0 || llabs(skew_ms - host->skew_ms) > STEADY_MS ||
        received_ms < host->since_ms) {
        host->skew_ms = skew_ms;
        host->since_ms = received_ms;
        host->messages = 1;
        return false;
    }
    if (host->messages < SETTLE_MESSAGES)
        host->messages++;
    if (host->messages < SETTLE_MESSAGES || received_ms - host->since_ms < SETTLE_MS)
        return false;
    off_ms = off_by(host->skew_ms);
    if (llabs(off_ms - host->off_ms) <= NEAR_MS && off_ms % QUARTER_MS != 0)
        return false;
    if (off_ms == host->off_ms)
        return false;
    host->off_ms = off_ms;
    return true;
}

int64_t
stamp_judge(struct stamp_watch *watch, const char *name, size_t length, int64_t stamp_ms,
            int64_t received_ms, const struct stamp_bounds *bounds)
{
    const uint64_t hash = hash_name(watch, name, length);
    struct host *const host = memory_lock(watch->hosts, hash);
    int64_t happened_ms;

    if (host->entry.key != hash) {
        *host = (struct host){.entry.key = hash};
        keep_name(host, name, length);
    }
    if (watch_host(host, stamp_ms, received_ms))
        atomic_fetch_add(&watch->news, 1);
    happened_ms = stamp_ms - host->off_ms;
    memory_unlock(watch->hosts, hash);
    if (happened_ms - received_ms > bounds->ahead_ms || received_ms - happened_ms > bounds->age_ms)
        return received_ms;
    return happened_ms;
}

static void
describe(const struct host *host, char text[STAMP_TEXT_SIZE])
{
    const int64_t off_ms = llabs(host->off_ms), seconds = off_ms / 1000;
    const bool zone = host->off_ms % QUARTER_MS == 0;

    if (off_ms == 0)
        snprintf(text, STAMP_TEXT_SIZE, "the stamps of host %s are right again", host->name);
    else
        snprintf(text, STAMP_TEXT_SIZE,
                 "the stamps of host %s are %dh %dm %ds %s: they are read as that much %s; set "
                 "its %s",
                 host->name, (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60),
                 host->off_ms < 0 ? "behind" : "ahead", host->off_ms < 0 ? "later" : "earlier",
                 zone ? "time zone, or have it send RFC 3339 stamps" : "clock");
}

static int
notice_of(void *entry, void *text)
{
    struct host *const host = entry;

    if (host->off_ms == host->said_ms)
        return false;
    host->said_ms = host->off_ms;
    describe(host, text);
    return true;
}

bool
stamp_notice(struct stamp_watch *watch, char text[STAMP_TEXT_SIZE])
{
    unsigned seen = atomic_load(&watch->news);

    if (seen == 0)
        return false;
    if (memory_each(watch->hosts, notice_of, text))
        return true;
    /* All is said, unless more has come meanwhile. */
    atomic_compare_exchange_strong(&watch->news, &seen, 0);
    return false;
}

void
stamp_free(struct stamp_watch *watch)
{
    if (watch == NULL)
        return;
    memory_free(watch->hosts);
    free(watch);
}
