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

/* Which host's it is, what it says, and when it came. */
struct message {
    const char *name;
    size_t length;
    int64_t stamp_ms, received_ms;
};

struct stamp_watch {
    uint64_t number;  /* no other has it, nor will have it */
    atomic_uint news; /* how many hosts were settled otherwise since somebody looked */
    struct memory *hosts;
};

struct stamp_watch *
stamp_new(const uint64_t key[2])
{
    static _Atomic uint64_t last;
    struct stamp_watch *const watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->number = atomic_fetch_add(&last, 1) + 1;
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

/* What is taken off the stamps of this host, of which a message has come. */
static int64_t
off_of(struct stamp_watch *watch, const struct message *message, bool *is_settled)
{
    const uint64_t hash = hash_name(watch, message->name, message->length);
    struct host *const host = memory_lock(watch->hosts, hash);
    int64_t off_ms;

    if (host->entry.key != hash) {
        *host = (struct host){.entry.key = hash};
        keep_name(host, message->name, message->length);
    }
    if (watch_host(host, message->stamp_ms, message->received_ms))
        atomic_fetch_add(&watch->news, 1);
    off_ms = host->off_ms;
    *is_settled =
        host->messages == SETTLE_MESSAGES && message->received_ms - host->since_ms >= SETTLE_MS;
    memory_unlock(watch->hosts, hash);
    return off_ms;
}

/* The latest message of a settled host that this thread has judged: the next ones of the same two
 * seconds tell nothing new. What another thread learns of the host meanwhile comes a second late.
 */
static __thread struct {
    uint64_t watch; /* its number */
    int64_t stamp_ms, received_ms, off_ms;
    size_t length;
    char name[NAME_SIZE];
} latest;

static bool
is_latest(const struct stamp_watch *watch, const struct message *message)
{
    return latest.received_ms == message->received_ms && latest.stamp_ms == message->stamp_ms &&
           latest.watch == watch->number && latest.length == message->length &&
           memcmp(latest.name, message->name, message->length) == 0;
}

static void
keep_latest(const struct stamp_watch *watch, const struct message *message, int64_t off_ms)
{
    latest.watch = watch->number;
    latest.stamp_ms = message->stamp_ms;
    latest.received_ms = message->received_ms;
    latest.off_ms = off_ms;
    latest.length = message->length;
    memcpy(latest.name, message->name, message->length);
}

int64_t
stamp_judge(struct stamp_watch *watch, const char *name, size_t length, int64_t stamp_ms,
            int64_t received_ms, const struct stamp_bounds *bounds)
{
    const struct message message = {name, length, stamp_ms, received_ms};
    bool is_settled;
    int64_t off_ms, happened_ms;

    if (is_latest(watch, &message)) {
        off_ms = latest.off_ms;
    } else {
        off_ms = off_of(watch, &message, &is_settled);
        latest.watch = 0;
        if (is_settled && length <= sizeof latest.name)
            keep_latest(watch, &message, off_ms);
    }
    happened_ms = stamp_ms - off_ms;
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
