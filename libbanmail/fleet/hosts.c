/* hosts: see hosts.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/hosts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/text.h"
#include "fleet/members.h"
#include "table/table.h"

#define FIRST   (TABLE_SCOPE_OWN + 1)
#define BUCKETS 1024
#define NOBODY  UINT16_MAX

struct host {
    char name[TELEGRAM_NAME_SIZE];
    struct source peer;
    int64_t heard_ms;
    bool has_reported;                     /* in this life */
    uint16_t after_of_peer, after_of_name; /* in their buckets */
};

struct hosts {
    pthread_rwlock_t lock;
    char own[TELEGRAM_NAME_SIZE];
    unsigned count;   /* known, */
    unsigned printed; /* on paper as soon as it is written, */
    unsigned used;    /* and to be found */
    uint16_t of_peer[BUCKETS], of_name[BUCKETS];
    struct host at[HOSTS_MAX];
};

struct hosts *
hosts_new(const char *own)
{
    struct hosts *const hosts = calloc(1, sizeof *hosts);

    if (hosts == NULL)
        return NULL;
    pthread_rwlock_init(&hosts->lock, NULL);
    memcpy(hosts->own, own, strnlen(own, sizeof hosts->own - 1));
    memset(hosts->of_peer, 0xff, sizeof hosts->of_peer);
    memset(hosts->of_name, 0xff, sizeof hosts->of_name);
    return hosts;
}

void
hosts_free(struct hosts *hosts)
{
    if (hosts == NULL)
        return;
    pthread_rwlock_destroy(&hosts->lock);
    free(hosts);
}

/* ---- finding ---- */

static uint16_t *
bucket_of_peer(struct hosts *hosts, const struct source *peer)
{
    return &hosts->of_peer[hash_bytes(0, (const char *)peer->address, sizeof peer->address) %
                           BUCKETS];
}

/* Names of hosts do not depend on capitals. */
static uint16_t *
bucket_of_name(struct hosts *hosts, const char *name, size_t length)
{
    char folded[TELEGRAM_NAME_SIZE];

    if (length > sizeof folded)
        length = sizeof folded;
    for (size_t i = 0; i < length; i++)
        folded[i] = (char)(name[i] | ('a' - 'A'));
    return &hosts->of_name[hash_bytes(0, folded, length) % BUCKETS];
}

static bool
has_name(const struct host *host, const char *name, size_t length)
{
    return strlen(host->name) == length && strncasecmp(host->name, name, length) == 0;
}

static bool
is_of(const struct host *host, const struct source *peer)
{
    return source_compare(&host->peer, peer) == 0;
}

/* Those that can be found, anew. */
static void
fill_buckets(struct hosts *hosts)
{
    memset(hosts->of_peer, 0xff, sizeof hosts->of_peer);
    memset(hosts->of_name, 0xff, sizeof hosts->of_name);
    for (unsigned i = hosts->used; i-- > 0;) {
        struct host *const host = &hosts->at[i];
        uint16_t *const peer = bucket_of_peer(hosts, &host->peer);
        uint16_t *const name = bucket_of_name(hosts, host->name, strlen(host->name));

        if (host->name[0] == '\0')
            continue;
        host->after_of_peer = *peer;
        host->after_of_name = *name;
        *peer = *name = (uint16_t)i;
    }
}

/* The host behind this address; of several the one that the line names, or else NOBODY: the first
 * of them may be gone for long. */
static uint16_t
find_of_peer(struct hosts *hosts, const struct source *peer, const char *name, size_t length,
             unsigned *count)
{
    uint16_t last = NOBODY;

    *count = 0;
    for (uint16_t i = *bucket_of_peer(hosts, peer); i != NOBODY; i = hosts->at[i].after_of_peer) {
        if (!is_of(&hosts->at[i], peer))
            continue;
        ++*count;
        last = i;
        if (has_name(&hosts->at[i], name, length))
            return i;
    }
    return *count == 1 ? last : NOBODY;
}

static uint16_t
find_of_name(struct hosts *hosts, const char *name, size_t length)
{
    uint16_t i = *bucket_of_name(hosts, name, length);

    while (i != NOBODY && !has_name(&hosts->at[i], name, length))
        i = hosts->at[i].after_of_name;
    return i;
}

static bool
is_loopback(const struct source *peer)
{
    static const uint8_t v6[16] = {[15] = 1};

    return source_is_v4(peer) ? peer->address[12] == 127 : memcmp(peer->address, v6, 16) == 0;
}

/* Reports that come through a tunnel on this server have the address that its own lines have. */
static bool
is_own(const struct hosts *hosts, const struct source *peer, const char *name, size_t length)
{
    return peer != NULL && is_loopback(peer) && strlen(hosts->own) == length &&
           strncasecmp(hosts->own, name, length) == 0;
}

uint16_t
hosts_scope(struct hosts *hosts, const struct source *peer, const char *name, size_t length)
{
    uint16_t found = NOBODY;
    unsigned of_peer = 0;

    if (is_own(hosts, peer, name, length))
        return TABLE_SCOPE_OWN;
    pthread_rwlock_rdlock(&hosts->lock);
    if (peer != NULL)
        found = find_of_peer(hosts, peer, name, length, &of_peer);
    if (of_peer == 0)
        found = find_of_name(hosts, name, length);
    pthread_rwlock_unlock(&hosts->lock);
    return found == NOBODY ? TABLE_SCOPE_OWN : (uint16_t)(FIRST + found);
}

bool
hosts_name(struct hosts *hosts, uint16_t scope, char name[TELEGRAM_NAME_SIZE])
{
    bool is_there;

    pthread_rwlock_rdlock(&hosts->lock);
    is_there = scope >= FIRST && scope - FIRST < (int)hosts->count &&
               hosts->at[scope - FIRST].name[0] != '\0';
    if (is_there)
        memcpy(name, hosts->at[scope - FIRST].name, TELEGRAM_NAME_SIZE);
    pthread_rwlock_unlock(&hosts->lock);
    return is_there;
}

uint16_t
hosts_last(struct hosts *hosts)
{
    unsigned count;

    pthread_rwlock_rdlock(&hosts->lock);
    count = hosts->count;
    pthread_rwlock_unlock(&hosts->lock);
    return (uint16_t)(TABLE_SCOPE_OWN + count);
}

/* ---- reports ---- */

/* A container that is made anew under another name each time leaves the former ones behind: these
 * keep their numbers, but not the room for those that report. */
static bool
has_room(const struct hosts *hosts, const struct source *peer, int64_t now_ms)
{
    unsigned of_peer = 0, heard = 0;

    for (unsigned i = 0; i < hosts->count; i++) {
        const struct host *const host = &hosts->at[i];

        of_peer += is_of(host, peer);
        heard +=
            is_of(host, peer) && host->has_reported && now_ms - host->heard_ms < MEMBERS_GONE_MS;
    }
    return hosts->count < HOSTS_MAX && of_peer < HOSTS_EVER_OF_PEER && heard < HOSTS_OF_PEER;
}

static enum hosts_news
add(struct hosts *hosts, const char *name, const struct source *peer, int64_t now_ms)
{
    struct host *const host = &hosts->at[hosts->count];

    if (!has_room(hosts, peer, now_ms))
        return HOSTS_REFUSED;
    *host = (struct host){.peer = *peer, .heard_ms = now_ms, .has_reported = true};
    memcpy(host->name, name, strnlen(name, sizeof host->name - 1));
    hosts->count++;
    return HOSTS_CHANGED;
}

/* Whose name it is may have another address by now, and write it with other capitals: it knows its
 * bans by the name as it writes it. */
static enum hosts_news
note_known(struct hosts *hosts, struct host *host, const char *name, const struct source *peer,
           int64_t now_ms)
{
    const bool is_another = !is_of(host, peer), is_respelled = strcmp(host->name, name) != 0;

    if (is_another && now_ms - host->heard_ms < MEMBERS_GONE_MS)
        return HOSTS_SAME;
    host->heard_ms = now_ms;
    host->has_reported = true;
    host->peer = *peer;
    memcpy(host->name, name, strlen(host->name)); /* as long as it was */
    if (is_another)
        fill_buckets(hosts);
    return is_another || is_respelled ? HOSTS_CHANGED : HOSTS_SAME;
}

/* As a ban's scope this name says that it is for all. */
static bool
means_all(const char *name)
{
    return strcasecmp(name, TELEGRAM_SCOPE_FLEET) == 0;
}

/* The lock is held. */
static enum hosts_news
note(struct hosts *hosts, const char *name, const struct source *peer, int64_t now_ms)
{
    const size_t length = strlen(name);

    if (strcasecmp(name, hosts->own) == 0)
        return HOSTS_SAME;
    if (means_all(name))
        return HOSTS_REFUSED;
    for (unsigned i = 0; i < hosts->count; i++)
        if (has_name(&hosts->at[i], name, length))
            return note_known(hosts, &hosts->at[i], name, peer, now_ms);
    return add(hosts, name, peer, now_ms);
}

enum hosts_news
hosts_note(struct hosts *hosts, const char *name, const struct source *peer, int64_t now_ms)
{
    enum hosts_news news;

    pthread_rwlock_wrlock(&hosts->lock);
    news = note(hosts, name, peer, now_ms);
    pthread_rwlock_unlock(&hosts->lock);
    return news;
}

/* ---- on paper ---- */

char *
hosts_print(struct hosts *hosts)
{
    char *text = NULL, peer[SOURCE_TEXT_SIZE];
    size_t length;
    FILE *const file = open_memstream(&text, &length);

    if (file == NULL)
        return NULL;
    pthread_rwlock_rdlock(&hosts->lock);
    for (unsigned i = 0; i < hosts->count; i++)
        fprintf(file, "%s %s\n", hosts->at[i].name, source_print(&hosts->at[i].peer, peer));
    hosts->printed = hosts->count;
    pthread_rwlock_unlock(&hosts->lock);
    text_close(file, &text);
    return text;
}

void
hosts_use(struct hosts *hosts)
{
    pthread_rwlock_wrlock(&hosts->lock);
    hosts->used = hosts->printed;
    fill_buckets(hosts);
    pthread_rwlock_unlock(&hosts->lock);
}

/* A line that is none keeps its number, which nobody has then. */
static void
read_host(struct host *host, const char *line, size_t length, int64_t now_ms)
{
    const char *const space = memchr(line, ' ', length);
    const size_t name = space == NULL ? 0 : (size_t)(space - line);

    *host = (struct host){.heard_ms = now_ms};
    if (name == 0 || name >= sizeof host->name ||
        source_parse(space + 1, length - name - 1, &host->peer) != 0)
        return;
    memcpy(host->name, line, name);
    if (means_all(host->name))
        host->name[0] = '\0';
}

void
hosts_read(struct hosts *hosts, const char *text, int64_t now_ms)
{
    pthread_rwlock_wrlock(&hosts->lock);
    hosts->count = 0;
    while (*text != '\0' && hosts->count < HOSTS_MAX) {
        const size_t length = strcspn(text, "\n");

        read_host(&hosts->at[hosts->count++], text, length, now_ms);
        text += length + (text[length] == '\n');
    }
    hosts->printed = hosts->used = hosts->count;
    fill_buckets(hosts);
    pthread_rwlock_unlock(&hosts->lock);
}
