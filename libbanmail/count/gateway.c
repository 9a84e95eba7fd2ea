/* gateway: see gateway.h.
 *
 * Logins lie in sets of eight clients, by a keyed hash of the address, 128 bytes each: so nobody
 * can choose whom he pushes out.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/gateway.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/siphash.h"

#define WAYS     8
#define SETS     (GATEWAY_CLIENTS / WAYS)
#define NETWORKS 128

struct user {
    uint32_t hash;
    uint32_t stamp_s; /* 0: free */
};

struct client {
    uint64_t hash; /* 0: free */
    uint64_t latest_s;
    struct user users[GATEWAY_USERS_MAX];
};

_Static_assert(sizeof(struct client) == 128, "two cache lines");

struct network {
    struct source own;
    struct source network;
};

struct gateways {
    pthread_mutex_t lock;
    uint64_t key[2];
    unsigned least; /* users */
    unsigned network_count;
    struct network networks[NETWORKS];
    struct client clients[SETS][WAYS];
};

struct gateways *
gateway_new(unsigned users)
{
    struct gateways *gateways = calloc(1, sizeof *gateways);

    if (gateways == NULL)
        return NULL;
    if (getrandom(gateways->key, sizeof gateways->key, 0) != (ssize_t)sizeof gateways->key) {
        free(gateways);
        return NULL;
    }
    gateways->least = users;
    pthread_mutex_init(&gateways->lock, NULL);
    gateway_look(gateways);
    return gateways;
}

void
gateway_free(struct gateways *gateways)
{
    if (gateways == NULL)
        return;
    pthread_mutex_destroy(&gateways->lock);
    free(gateways);
}

/* ---- networks ---- */

static bool
is_link_local(const uint8_t address[16])
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* RFC 1918, RFC 6598, RFC 3927; RFC 4193 and RFC 4291's link-local. */
static bool
is_private(const struct source *source)
{
    const uint8_t *const v6 = source->address, *const v4 = v6 + 12;

    if (!source_is_v4(source))
        return (v6[0] & 0xfe) == 0xfc || is_link_local(v6);
    return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
           (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64) ||
           (v4[0] == 169 && v4[1] == 254);
}

static unsigned
count_bits(const uint8_t *mask, size_t bytes)
{
    unsigned bits = 0;

    for (size_t i = 0; i < bytes; i++)
        bits += (unsigned)__builtin_popcount(mask[i]);
    return bits;
}

/* Returns false for what is no network of several private addresses. */
static bool
read_network(const struct ifaddrs *interface, struct network *network)
{
    const struct sockaddr *const address = interface->ifa_addr, *const mask =
                                                                    interface->ifa_netmask;
    struct source own = {.address = {[10] = 0xff, [11] = 0xff}, .prefix = SOURCE_HOST_PREFIX};
    unsigned bits;

    if (address == NULL || mask == NULL)
        return false;
    if (address->sa_family == AF_INET) {
        memcpy(own.address + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
        bits = count_bits((const uint8_t *)&((const struct sockaddr_in *)mask)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(own.address, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
        bits = count_bits((const uint8_t *)&((const struct sockaddr_in6 *)mask)->sin6_addr, 16);
    } else {
        return false;
    }
    *network = (struct network){own, source_mask(&own, bits, bits)};
    return network->network.prefix < SOURCE_HOST_PREFIX && is_private(&network->network);
}

/* Every interface has the same link-local network: hundreds, where there are containers. */
static bool
is_repeated(const struct network *networks, unsigned count)
{
    const struct network *const last = &networks[count];

    for (unsigned i = 0; i < count && is_link_local(last->own.address); i++)
        if (source_compare(&networks[i].network, &last->network) == 0)
            return true;
    return false;
}

void
gateway_look(struct gateways *gateways)
{
    struct network networks[NETWORKS];
    struct ifaddrs *interfaces;
    unsigned count = 0;

    if (getifaddrs(&interfaces) != 0)
        return;
    for (const struct ifaddrs *i = interfaces; i != NULL && count < NETWORKS; i = i->ifa_next)
        count += read_network(i, &networks[count]) && !is_repeated(networks, count);
    freeifaddrs(interfaces);
    pthread_mutex_lock(&gateways->lock);
    memcpy(gateways->networks, networks, count * sizeof *networks);
    gateways->network_count = count;
    pthread_mutex_unlock(&gateways->lock);
}

static enum gateway_kind
find_network(const struct gateways *gateways, const struct source *source)
{
    enum gateway_kind kind = GATEWAY_NONE;

    for (unsigned i = 0; i < gateways->network_count && is_private(source); i++) {
        const struct network *const at = &gateways->networks[i];

        if (source_compare(&at->own, source) == 0)
            return GATEWAY_OWN;
        if (source_contains(&at->network, source) || source_contains(source, &at->network))
            kind = GATEWAY_NETWORK;
    }
    return kind;
}

/* ---- logins ---- */

static uint64_t
hash_of(const struct gateways *gateways, const struct source *source)
{
    const uint64_t hash = siphash_address(siphash_begin(gateways->key), source->address,
                                          (uint64_t)17 << 56 | source->prefix);

    return hash == 0 ? 1 : hash;
}

static struct client *
find_client(struct gateways *gateways, uint64_t hash)
{
    struct client *const set = gateways->clients[hash % SETS];

    for (unsigned way = 0; way < WAYS; way++)
        if (set[way].hash == hash)
            return &set[way];
    return NULL;
}

/* How many logged in within the day before now_s. */
static unsigned
count_users(const struct client *client, int64_t now_s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < GATEWAY_USERS_MAX; i++)
        count += client->users[i].stamp_s != 0 &&
                 client->users[i].stamp_s > now_s - GATEWAY_DAY_MS / 1000;
    return count;
}

/* In place of the client with the fewest users, of those the one silent longest. */
static struct client *
begin_client(struct gateways *gateways, uint64_t hash, int64_t now_s)
{
    struct client *const set = gateways->clients[hash % SETS], *worst = &set[0];
    unsigned fewest = GATEWAY_USERS_MAX + 1;

    for (unsigned way = 0; way < WAYS; way++) {
        const unsigned users = count_users(&set[way], now_s);

        if (users > fewest || (users == fewest && set[way].latest_s >= worst->latest_s))
            continue;
        fewest = users;
        worst = &set[way];
    }
    *worst = (struct client){.hash = hash};
    return worst;
}

/* In his own place, or in that of whom was seen longest ago. */
static void
note_user(struct client *client, uint32_t hash, uint32_t stamp_s)
{
    struct user *at = &client->users[0];

    for (unsigned i = 0; i < GATEWAY_USERS_MAX; i++) {
        struct user *const user = &client->users[i];

        if (user->stamp_s != 0 && user->hash == hash) {
            at = user;
            break;
        }
        if (user->stamp_s < at->stamp_s)
            at = user;
    }
    if (at->hash != hash || at->stamp_s < stamp_s)
        *at = (struct user){hash, stamp_s};
    if (client->latest_s < stamp_s)
        client->latest_s = stamp_s;
}

void
gateway_login(struct gateways *gateways, const struct source *source, uint64_t user,
              int64_t stamp_ms)
{
    const uint64_t hash = hash_of(gateways, source);
    struct client *client;

    if (user == 0 || stamp_ms < 1000)
        return;
    pthread_mutex_lock(&gateways->lock);
    client = find_client(gateways, hash);
    if (client == NULL)
        client = begin_client(gateways, hash, stamp_ms / 1000);
    note_user(client, (uint32_t)(user ^ user >> 32), (uint32_t)(stamp_ms / 1000));
    pthread_mutex_unlock(&gateways->lock);
}

enum gateway_kind
gateway_find(struct gateways *gateways, const struct source *source, int64_t now_ms,
             unsigned *users)
{
    const uint64_t hash = hash_of(gateways, source);
    const struct client *client;
    enum gateway_kind kind;

    *users = 0;
    pthread_mutex_lock(&gateways->lock);
    kind = find_network(gateways, source);
    client = kind == GATEWAY_NONE ? find_client(gateways, hash) : NULL;
    if (client != NULL)
        *users = count_users(client, now_ms / 1000);
    if (*users >= gateways->least)
        kind = GATEWAY_USERS;
    else
        *users = 0;
    pthread_mutex_unlock(&gateways->lock);
    return kind;
}

/* ---- words ---- */

const char *
gateway_explain(const struct table_gateway *gateway, char text[GATEWAY_TEXT_SIZE])
{
    char source[SOURCE_TEXT_SIZE], why[80];

    if (gateway->users > 0)
        snprintf(why, sizeof why, "%u%s users have logged in through it within a day",
                 gateway->users, gateway->users == GATEWAY_USERS_MAX ? " or more" : "");
    else
        snprintf(why, sizeof why, "it is in a private network of this machine");
    source_print(&gateway->source, source);
    snprintf(
        text, GATEWAY_TEXT_SIZE,
        "%s is not banned, because it looks like a gateway, and a ban would lock out everybody "
        "behind it: %s. Find who fails there: banmailctl why %s. Where it is a proxy, have it "
        "hand over its clients' addresses (the PROXY protocol); where it is not, ban it by "
        "hand (banmailctl ban %s), or all such with gateways=\"ban\"",
        source, why, source, source);
    return text;
}
