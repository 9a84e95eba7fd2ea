/* users: see users.h. A set of 64-bit hashes, at most half full, probed one after the other.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/users.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/siphash.h"

#define FILE_SIZE_MAX (256 << 20) /* bytes: some ten million names */
#define LOCAL_MAX     1024        /* of a name that is folded, with its realm */

struct set {
    size_t count;
    size_t mask;
    uint64_t slots[]; /* 0: free */
};

struct users {
    char *path;
    char realm[USERS_REALM_SIZE];
    int64_t max_age_s;
    uint64_t key[2];
    struct stat seen;     /* of the file that was read last; st_ino 0: none was */
    size_t trusted_count; /* entries of the latest list that was in force */
    int error;            /* why none is */
    char reason[USERS_REASON_SIZE];
    _Atomic(struct set *) now; /* NULL: there is none */
};

struct users *
users_new(const char *path, const char *realm, int64_t max_age_s)
{
    struct users *users = calloc(1, sizeof *users);

    if (users == NULL)
        return NULL;
    users->path = strdup(path);
    snprintf(users->realm, sizeof users->realm, "%s", realm);
    users->max_age_s = max_age_s;
    if (users->path == NULL ||
        getrandom(users->key, sizeof users->key, 0) != (ssize_t)sizeof users->key) {
        users_free(users);
        return NULL;
    }
    return users;
}

void
users_free(struct users *users)
{
    if (users == NULL)
        return;
    free(atomic_load(&users->now));
    free(users->path);
    free(users);
}

/* ---- names ---- */

static uint64_t
hash_of(const struct users *users, const char *name, size_t length)
{
    uint64_t words[LOCAL_MAX / 8], last = 0, hash;
    const size_t whole = length / 8;

    memcpy(words, name, whole * 8);
    memcpy(&last, name + whole * 8, length % 8);
    hash = siphash(users->key, words, (unsigned)whole, last | (uint64_t)length << 56, 1, 3);
    return hash == 0 ? 1 : hash;
}

static char
small(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | ('a' - 'A')) : letter;
}

/* As all its spellings are kept: small, without detail, with a realm. Returns its length, or 0
 * where it has no room. */
static size_t
fold(const struct users *users, const char *name, size_t length, char folded[LOCAL_MAX])
{
    const char *const at = memrchr(name, '@', length);
    const size_t local = at == NULL ? length : (size_t)(at - name);
    const char *const plus = local > 1 ? memchr(name + 1, '+', local - 1) : NULL;
    const size_t kept = plus == NULL ? local : (size_t)(plus - name);
    const char *const realm = at != NULL ? at + 1 : users->realm;
    const size_t realm_length = at != NULL ? length - local - 1 : strlen(users->realm);

    if (kept + 1 + realm_length > LOCAL_MAX)
        return 0;
    for (size_t i = 0; i < kept; i++)
        folded[i] = small(name[i]);
    if (realm_length == 0 && at == NULL)
        return kept;
    folded[kept] = '@';
    for (size_t i = 0; i < realm_length; i++)
        folded[kept + 1 + i] = small(realm[i]);
    return kept + 1 + realm_length;
}

static bool
has(const struct set *set, uint64_t hash)
{
    for (size_t at = hash & set->mask; set->slots[at] != 0; at = (at + 1) & set->mask)
        if (set->slots[at] == hash)
            return true;
    return false;
}

bool
users_is_unknown(const struct users *users, const char *name, size_t length)
{
    const struct set *const set = atomic_load(&users->now);
    char folded[LOCAL_MAX];
    const char *at;
    size_t folded_length;

    if (set == NULL || length == 0 || length > USERS_NAME_MAX || memchr(name, '*', length) != NULL)
        return false;
    folded_length = fold(users, name, length, folded);
    if (folded_length == 0 || has(set, hash_of(users, folded, folded_length)))
        return false;
    at = memrchr(folded, '@', folded_length);
    return at == NULL || !has(set, hash_of(users, at, (size_t)(folded + folded_length - at)));
}

size_t
users_count(const struct users *users)
{
    const struct set *const set = atomic_load(&users->now);

    return set == NULL ? 0 : set->count;
}

/* ---- the file ---- */

static struct set *
set_new(size_t entries)
{
    size_t slots = 16;
    struct set *set;

    while (slots < 2 * entries)
        slots *= 2;
    set = calloc(1, sizeof *set + slots * sizeof set->slots[0]);
    if (set != NULL)
        set->mask = slots - 1;
    return set;
}

static void
add(struct set *set, uint64_t hash)
{
    size_t at = hash & set->mask;

    while (set->slots[at] != 0 && set->slots[at] != hash)
        at = (at + 1) & set->mask;
    set->count += set->slots[at] == 0;
    set->slots[at] = hash;
}

/* What stands on the line, without the space around it; nothing where it is a comment. */
static char *
entry_of(char *line, size_t *length)
{
    char *begin = line + strspn(line, " \t"), *end = line + strlen(line);

    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    *length = *begin == '#' ? 0 : (size_t)(end - begin);
    return begin;
}

/* Twice: to count the lines, and to take them. Returns 0, or a negative errno. */
static int
read_lines(const struct users *users, FILE *file, struct set *set, size_t *lines)
{
    char *line = NULL, *entry, folded[LOCAL_MAX];
    size_t room = 0, length;
    ssize_t got;
    int error = 0;

    *lines = 0;
    while (error == 0 && (got = getline(&line, &room, file)) >= 0) {
        ++*lines;
        entry = entry_of(line, &length);
        if (strlen(line) != (size_t)got) /* a damaged file has NULs */
            error = -EINVAL;
        if (length > 0)
            length = fold(users, entry, length, folded);
        if (error == 0 && length > 0 && set != NULL)
            add(set, hash_of(users, folded, length));
        if (set != NULL && 2 * set->count > set->mask + 1)
            error = -EAGAIN; /* somebody writes into it: there were fewer lines before */
    }
    free(line);
    return error != 0 ? error : feof(file) ? 0 : -EIO; /* also where memory is out for a line */
}

static int
read_set(const struct users *users, FILE *file, struct set **set)
{
    size_t lines;
    int error = read_lines(users, file, NULL, &lines);

    if (error != 0)
        return error;
    *set = set_new(lines);
    if (*set == NULL)
        return -ENOMEM;
    rewind(file);
    return read_lines(users, file, *set, &lines);
}

static int
refuse(struct users *users, int error, const char *why)
{
    users->error = error;
    snprintf(users->reason, sizeof users->reason,
             "knownUsers %.200s is not used, so a login of a name that is nobody's counts as any "
             "other: %s",
             users->path, why);
    return error;
}

/* Whether the list may be trusted. */
static int
judge(struct users *users, const struct set *set)
{
    char why[160];

    if (set->count == 0)
        return refuse(users, -ENODATA, "it is empty");
    if (set->count < users->trusted_count / 2) {
        snprintf(
            why, sizeof why,
            "it has %zu names, and had %zu: less than half; if that is right, restart rsyslogd",
            set->count, users->trusted_count);
        return refuse(users, -ENODATA, why);
    }
    return 0;
}

static FILE *
open_file(const char *path, struct stat *status, int *error)
{
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    FILE *file = NULL;

    if (descriptor < 0 || fstat(descriptor, status) < 0)
        *error = -errno;
    else if (!S_ISREG(status->st_mode))
        *error = -EINVAL;
    else if (status->st_size > FILE_SIZE_MAX)
        *error = -EFBIG;
    else if ((file = fdopen(descriptor, "r")) == NULL)
        *error = -errno;
    if (file == NULL && descriptor >= 0)
        close(descriptor);
    return file;
}

/* The file as it is now; NULL, and why, where there is none to be trusted. */
static struct set *
read_file(struct users *users, int64_t now_s)
{
    struct set *set = NULL;
    int error = 0;
    FILE *const file = open_file(users->path, &users->seen, &error);

    if (file != NULL && users->seen.st_mtime < now_s - users->max_age_s)
        error =
            refuse(users, -ESTALE, "it is too old (knownUsersMaxAge); what fills it does not run");
    else if (file != NULL && (error = read_set(users, file, &set)) == 0)
        error = judge(users, set);
    if (file != NULL)
        fclose(file);
    if (error != 0 && error != -ESTALE && error != -ENODATA)
        refuse(users, error, error == -EINVAL ? "it is no text" : strerror(-error));
    if (error == 0)
        return set;
    free(set);
    return NULL;
}

static bool
is_as_seen(const struct users *users, int64_t now_s)
{
    struct stat status;

    return stat(users->path, &status) == 0 && status.st_ino == users->seen.st_ino &&
           status.st_dev == users->seen.st_dev && status.st_size == users->seen.st_size &&
           status.st_mtim.tv_sec == users->seen.st_mtim.tv_sec &&
           status.st_mtim.tv_nsec == users->seen.st_mtim.tv_nsec &&
           (status.st_mtime < now_s - users->max_age_s) == (users->error == -ESTALE);
}

int
users_read(struct users *users, bool again, int64_t now_s, struct readers *readers, bool *changed,
           char reason[USERS_REASON_SIZE])
{
    char before[USERS_REASON_SIZE];
    struct set *set, *former;

    *changed = false;
    memcpy(before, users->reason, sizeof before);
    if (again || !is_as_seen(users, now_s)) {
        users->seen = (struct stat){0};
        users->reason[0] = '\0';
        users->error = 0;
        set = read_file(users, now_s);
        if (set != NULL)
            users->trusted_count = set->count;
        former = atomic_exchange(&users->now, set);
        *changed = strcmp(before, users->reason) != 0 || (former == NULL) != (set == NULL) ||
                   (set != NULL && set->count != former->count);
        if (readers != NULL && former != NULL)
            readers_wait(readers);
        free(former);
    }
    memcpy(reason, users->reason, sizeof users->reason);
    return users->error;
}
