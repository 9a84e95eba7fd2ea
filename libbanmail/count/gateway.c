/* gateway: see gateway.h. Who has logged in is in the table.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/gateway.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NETWORKS 128

struct network {
    struct source own;
    struct source network;
};

struct gateways {
    struct table *table;
    pthread_mutex_t lock; /* of the networks */
    unsigned least;       /* users */
    unsigned network_count;
    struct network networks[NETWORKS];
};

struct gateways *
gateway_new(struct table *table, unsigned users)
{
    struct gateways *gateways = calloc(1, sizeof *gateways);

    if (gateways == NULL)
        return NULL;
    gateways->table = table;
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

/* The lock is held. */
static enum gateway_kind
find_network(const struct gateways *gateways, const struct source *source)
{
    enum gateway_kind kind = GATEWAY_NONE;

    for (unsigned i = 0; i < gateways->network_count; i++) {
        const struct network *const at = &gateways->networks[i];

        if (source_compare(&at->own, source) == 0)
            return GATEWAY_OWN;
        if (source_contains(&at->network, source) || source_contains(source, &at->network))
            kind = GATEWAY_NETWORK;
    }
    return kind;
}

/* ---- logins ---- */

void
gateway_login(struct gateways *gateways, const struct source *source, uint64_t user,
              int64_t stamp_ms, int64_t now_ms)
{
    if (user != 0 && stamp_ms >= 1000)
        table_note_user(gateways->table, source, user, stamp_ms, now_ms);
}

enum gateway_kind
gateway_find(struct gateways *gateways, const struct source *source, int64_t now_ms,
             unsigned *users)
{
    enum gateway_kind kind = GATEWAY_NONE;

    *users = 0;
    if (is_private(source)) {
        pthread_mutex_lock(&gateways->lock);
        kind = find_network(gateways, source);
        pthread_mutex_unlock(&gateways->lock);
    }
    if (kind == GATEWAY_NONE)
        *users = table_count_users(gateways->table, source, now_ms);
    if (*users > GATEWAY_USERS_MAX)
        *users = GATEWAY_USERS_MAX;
    if (*users >= gateways->least)
        kind = GATEWAY_USERS;
    else
        *users = 0;
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
