/* allow-names: see allow-names.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/allow-names.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct name {
    char text[ALLOW_NAME_SIZE];
    struct allow *addresses; /* sealed; without any it holds loopback alone, as each list does */
};

struct allow_names {
    atomic_uint holders;
    pthread_mutex_t lock; /* of the addresses */
    struct name *names;
    size_t count;
};

struct allow_names *
allow_names_new(void)
{
    struct allow_names *names = calloc(1, sizeof *names);

    if (names == NULL)
        return NULL;
    atomic_init(&names->holders, 1);
    pthread_mutex_init(&names->lock, NULL);
    return names;
}

struct allow_names *
allow_names_hold(struct allow_names *names)
{
    if (names != NULL)
        atomic_fetch_add(&names->holders, 1);
    return names;
}

void
allow_names_release(struct allow_names *names)
{
    if (names == NULL || atomic_fetch_sub(&names->holders, 1) > 1)
        return;
    for (size_t i = 0; i < names->count; i++)
        allow_free(names->names[i].addresses);
    free(names->names);
    pthread_mutex_destroy(&names->lock);
    free(names);
}

static bool
is_name(const char *text, size_t length)
{
    const char *const dot = memrchr(text, '.', length > 0 ? length - 1 : 0);
    bool has_letter = false;

    if (dot == NULL || dot == text || length >= ALLOW_NAME_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (!isalnum(c) && c != '-' && c != '_' && c != '.')
            return false;
        has_letter |= text + i > dot && isalpha(c);
    }
    return has_letter;
}

int
allow_names_add(struct allow_names *names, const char *text, size_t length)
{
    struct name *larger, *name;

    if (!is_name(text, length))
        return -EINVAL;
    larger = reallocarray(names->names, names->count + 1, sizeof *larger);
    if (larger == NULL)
        return -ENOMEM;
    names->names = larger;
    name = &larger[names->count];
    memset(name, 0, sizeof *name);
    memcpy(name->text, text, length);
    name->addresses = allow_new();
    if (name->addresses == NULL)
        return -ENOMEM;
    allow_seal(name->addresses);
    names->count++;
    return 0;
}

size_t
allow_names_count(const struct allow_names *names)
{
    return names == NULL ? 0 : names->count;
}

/* ---- looking up ---- */

/* As text, which is how an entry is added. */
static int
add_address(struct allow *allow, const struct addrinfo *found)
{
    char text[NI_MAXHOST];

    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0,
                    NI_NUMERICHOST) != 0)
        return 0;
    return allow_add(allow, text, strcspn(text, "%")) == -ENOMEM ? -ENOMEM : 0;
}

/* The addresses that the name has now; NULL where that is not to be learned. */
static struct allow *
look_up(const char *name)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    struct allow *allow;
    unsigned count = 0;
    int error = 0;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return NULL;
    allow = allow_new();
    for (const struct addrinfo *at = found;
         allow != NULL && error == 0 && at != NULL && count < ALLOW_NAME_ADDRESSES;
         at = at->ai_next, count++)
        error = add_address(allow, at);
    freeaddrinfo(found);
    if (allow == NULL || error != 0) {
        allow_free(allow);
        return NULL;
    }
    allow_seal(allow);
    return allow;
}

static bool
take_over(struct allow_names *names, struct name *name, struct allow *addresses)
{
    struct allow *former = addresses;
    bool changed;

    pthread_mutex_lock(&names->lock);
    changed = !allow_is_same(addresses, name->addresses);
    if (changed) {
        former = name->addresses;
        name->addresses = addresses;
    }
    pthread_mutex_unlock(&names->lock);
    allow_free(former);
    return changed;
}

bool
allow_names_resolve(struct allow_names *names, const volatile bool *stop)
{
    bool changed = false;

    for (size_t i = 0; i < names->count && (stop == NULL || !*stop); i++) {
        struct allow *const addresses = look_up(names->names[i].text);

        if (addresses != NULL)
            changed |= take_over(names, &names->names[i], addresses);
    }
    return changed;
}

int
allow_names_merge(struct allow_names *names, struct allow *allow)
{
    int error = 0;

    pthread_mutex_lock(&names->lock);
    for (size_t i = 0; i < names->count && error == 0; i++)
        error = allow_merge(allow, names->names[i].addresses);
    pthread_mutex_unlock(&names->lock);
    return error;
}

bool
allow_names_find(struct allow_names *names, const struct source *address,
                 char name[ALLOW_NAME_SIZE])
{
    bool is_found = false;

    if (names == NULL || !source_is_client(address)) /* loopback is on each list */
        return false;
    pthread_mutex_lock(&names->lock);
    for (size_t i = 0; i < names->count && !is_found; i++) {
        is_found = allow_match(names->names[i].addresses, address, NULL);
        if (is_found)
            memcpy(name, names->names[i].text, ALLOW_NAME_SIZE);
    }
    pthread_mutex_unlock(&names->lock);
    return is_found;
}
