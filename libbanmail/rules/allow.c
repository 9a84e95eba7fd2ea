/* allow: a sorted array without overlaps.
 *
 * Sealing sorts by address, wider prefixes first, and drops what lies within its predecessor.
 * What is left is disjoint and ascending, so the only entry that can hold an address is the last
 * one that does not begin behind it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/allow.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct allow {
    struct source *entries;
    size_t count;
    size_t room;
    bool is_bare; /* nothing but loopback is on it */
};

static int
add(struct allow *allow, const struct source *source)
{
    if (allow->count == allow->room) {
        size_t room = allow->room > 0 ? allow->room * 2 : 16;
        struct source *entries = reallocarray(allow->entries, room, sizeof *entries);

        if (!entries)
            return -ENOMEM;
        allow->entries = entries;
        allow->room = room;
    }
    allow->entries[allow->count++] = *source;
    allow->is_bare = false;
    return 0;
}

int
allow_add(struct allow *allow, const char *text, size_t length)
{
    struct source source;
    int error = source_parse_prefix(text, length, &source);

    return error ? error : add(allow, &source);
}

struct allow *
allow_new(void)
{
    static const char *const loopback[] = {"127.0.0.0/8", "::1"};
    struct allow *allow = calloc(1, sizeof *allow);

    if (!allow)
        return NULL;
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        if (allow_add(allow, loopback[i], strlen(loopback[i]))) {
            allow_free(allow);
            return NULL;
        }
    }
    allow->is_bare = true;
    return allow;
}

static bool
from_socket_address(const struct sockaddr *address, struct source *source)
{
    *source = (struct source){.address = {[10] = 0xff, [11] = 0xff}, .prefix = SOURCE_HOST_PREFIX};
    if (!address)
        return false;
    if (address->sa_family == AF_INET) {
        memcpy(source->address + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        memcpy(source->address, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
        return true;
    }
    return false;
}

int
allow_add_own(struct allow *allow)
{
    struct ifaddrs *interfaces;
    struct source source;
    int error = 0;

    if (getifaddrs(&interfaces))
        return -errno;
    for (const struct ifaddrs *i = interfaces; i && !error; i = i->ifa_next) {
        if (from_socket_address(i->ifa_addr, &source))
            error = add(allow, &source);
    }
    freeifaddrs(interfaces);
    return error;
}

int
allow_merge(struct allow *allow, const struct allow *other)
{
    int error = 0;

    for (size_t i = 0; i < other->count && !error; i++)
        error = add(allow, &other->entries[i]);
    return error;
}

static int
compare(const void *a, const void *b)
{
    return source_compare(a, b);
}

void
allow_seal(struct allow *allow)
{
    size_t kept = 0;

    qsort(allow->entries, allow->count, sizeof *allow->entries, compare);
    for (size_t i = 0; i < allow->count; i++) {
        if (kept == 0 || !source_contains(&allow->entries[kept - 1], &allow->entries[i]))
            allow->entries[kept++] = allow->entries[i];
    }
    allow->count = kept;
}

/* How many entries begin at or before the address of `source`. */
static size_t
not_behind(const struct allow *allow, const struct source *source)
{
    size_t low = 0, high = allow->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(allow->entries[middle].address, source->address, sizeof source->address) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
allow_match(const struct allow *allow, const struct source *source, struct source *entry)
{
    size_t next = not_behind(allow, source);

    if (next == 0 || !source_contains(&allow->entries[next - 1], source))
        return false;
    if (entry)
        *entry = allow->entries[next - 1];
    return true;
}

bool
allow_overlaps(const struct allow *allow, const struct source *source)
{
    size_t next = not_behind(allow, source);

    if (next > 0 && (source_contains(&allow->entries[next - 1], source) ||
                     source_contains(source, &allow->entries[next - 1])))
        return true;
    return next < allow->count && source_contains(source, &allow->entries[next]);
}

bool
allow_is_bare(const struct allow *allow)
{
    return allow->is_bare;
}

const struct source *
allow_entry(const struct allow *allow, size_t index)
{
    return &allow->entries[index];
}

size_t
allow_count(const struct allow *allow)
{
    return allow->count;
}

bool
allow_is_same(const struct allow *allow, const struct allow *other)
{
    if (allow->count != other->count)
        return false;
    for (size_t i = 0; i < allow->count; i++) {
        if (source_compare(&allow->entries[i], &other->entries[i]) != 0)
            return false;
    }
    return true;
}

void
allow_free(struct allow *allow)
{
    if (!allow)
        return;
    free(allow->entries);
    free(allow);
}
