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
#include <strings.h>

#include "base/text.h"

struct name {
    char text[ALLOW_NAME_SIZE];
    struct allow *addresses; /* sealed; without any it holds loopback alone, as each list does */
    char *told;              /* the same, each with a space in front; NULL: it has had none */
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

static void
forget(struct name *name)
{
    allow_free(name->addresses);
    free(name->told);
}

void
allow_names_release(struct allow_names *names)
{
    if (names == NULL || atomic_fetch_sub(&names->holders, 1) > 1)
        return;
    for (size_t i = 0; i < names->count; i++)
        forget(&names->names[i]);
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

static bool
has_name(const struct allow_names *names, const char *text, size_t length)
{
    for (size_t i = 0; i < names->count; i++)
        if (strlen(names->names[i].text) == length &&
            strncasecmp(names->names[i].text, text, length) == 0)
            return true;
    return false;
}

int
allow_names_add(struct allow_names *names, const char *text, size_t length)
{
    struct name *larger, *name;

    if (!is_name(text, length))
        return -EINVAL;
    if (has_name(names, text, length))
        return 0;
    if (names->count == ALLOW_NAMES_MAX)
        return -ENOSPC;
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

const char *
allow_names_text(const struct allow_names *names, size_t index)
{
    return names->names[index].text;
}

int
allow_names_add_all(struct allow_names *names, const struct allow_names *others)
{
    int error = 0;

    for (size_t i = 0; i < allow_names_count(others) && error == 0; i++) {
        const char *const text = allow_names_text(others, i);

        error = allow_names_add(names, text, strlen(text));
    }
    return error;
}

bool
allow_names_are_same(const struct allow_names *a, const struct allow_names *b)
{
    if (allow_names_count(a) != allow_names_count(b))
        return false;
    for (size_t i = 0; i < allow_names_count(a); i++)
        if (strcmp(allow_names_text(a, i), allow_names_text(b, i)) != 0)
            return false;
    return true;
}

/* ---- looking up ---- */

/* Returns the addresses, each with a space in front; NULL: it cannot be looked up, or memory is
 * out. */
static char *
look_up(const char *name)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char address[NI_MAXHOST], *text = NULL;
    struct addrinfo *found;
    unsigned count = 0;
    size_t length;
    FILE *file;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return NULL;
    file = open_memstream(&text, &length);
    for (const struct addrinfo *at = found;
         file != NULL && at != NULL && count < ALLOW_NAME_ADDRESSES; at = at->ai_next, count++)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0,
                        NI_NUMERICHOST) == 0)
            fprintf(file, " %.*s", (int)strcspn(address, "%"), address);
    freeaddrinfo(found);
    text_close(file, &text);
    return text;
}

/* The words of one line; what of them is no address is passed over. */
static struct allow *
allow_of_words(const char *words)
{
    struct allow *const allow = allow_new();
    int error = 0;

    while (allow != NULL && error != -ENOMEM && *(words += strspn(words, " ")) != '\0' &&
           *words != '\n') {
        error = allow_add(allow, words, strcspn(words, " \n"));
        words += strcspn(words, " \n");
    }
    if (allow != NULL)
        allow_seal(allow);
    return allow;
}

/* Both are the name's from now on; without one of them, for want of memory, nothing changes. */
static bool
take_over(struct allow_names *names, struct name *name, struct allow *addresses, char *told)
{
    struct allow *former = addresses;
    bool changed;

    if (addresses == NULL || told == NULL) {
        allow_free(addresses);
        free(told);
        return false;
    }
    pthread_mutex_lock(&names->lock);
    changed = !allow_is_same(addresses, name->addresses);
    if (changed) {
        former = name->addresses;
        name->addresses = addresses;
    }
    free(name->told);
    name->told = told;
    pthread_mutex_unlock(&names->lock);
    allow_free(former);
    return changed;
}

bool
allow_names_resolve(struct allow_names *names, struct worker *worker)
{
    bool changed = false;

    for (size_t i = 0; i < names->count && !(worker != NULL && worker_is_stopping(worker)); i++) {
        char *const told = look_up(names->names[i].text);

        if (told != NULL)
            changed |= take_over(names, &names->names[i], allow_of_words(told), told);
    }
    return changed;
}

/* ---- kept over a restart ---- */

void
allow_names_print(struct allow_names *names, FILE *file)
{
    pthread_mutex_lock(&names->lock);
    for (size_t i = 0; i < names->count; i++)
        if (names->names[i].told != NULL && names->names[i].told[0] != '\0')
            fprintf(file, "%s%s\n", names->names[i].text, names->names[i].told);
    pthread_mutex_unlock(&names->lock);
}

bool
allow_names_restore(struct allow_names *names, const char *line)
{
    const size_t length = strcspn(line, " ");
    bool is_restored = false;

    for (size_t i = 0; i < names->count; i++) {
        struct name *const name = &names->names[i];

        if (strlen(name->text) != length || memcmp(name->text, line, length) != 0 ||
            name->told != NULL)
            continue;
        is_restored |= take_over(names, name, allow_of_words(line + length),
                                 strndup(line + length, strcspn(line + length, "\n")));
    }
    return is_restored;
}

void
allow_names_inherit(struct allow_names *names, struct allow_names *former)
{
    char *text = NULL;
    size_t length;
    FILE *const file = former == NULL ? NULL : open_memstream(&text, &length);

    if (file == NULL)
        return;
    allow_names_print(former, file);
    if (text_close(file, &text))
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
            allow_names_restore(names, line);
    free(text);
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
