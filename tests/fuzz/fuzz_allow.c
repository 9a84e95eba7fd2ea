/* fuzz_allow: the files that name who is never banned, and whose names are anybody's: ignoreipFile,
 * what was added by command, usersFile.
 *
 * Fails when a list that is refused is in force, or is refused without a reason; when an entry that
 * is in force matches nobody; when an entry that is added is not found, or does not go again; when
 * a name is known to be nobody's while there is no list.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "rules/allow-added.h"
#include "rules/allow-list.h"
#include "rules/users.h"

#define NOW_S INT64_C(1795262400)

const unsigned fuzz_rounds = 3000;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("192.0.2.0/24      # the office\n2001:db8:7::/48\n\n# nobody else\n"),
    FUZZ_SEED("192.0.2.7  # 2026-11-21T08:03:32.000Z by user id 0\n198.51.100.0/25\n"),
    FUZZ_SEED("anna@example.org\nbob\n@example.net\n# carl@example.org\n"),
    FUZZ_SEED("::ffff:203.0.113.9\r\n0.0.0.0/0\n"),
    {NULL, 0},
};

static char directory[64], path[80];

static void
write_file(const uint8_t *data, size_t size)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    FUZZ_WANT(file >= 0 && write(file, data, size) == (ssize_t)size);
    close(file);
}

static void
remove_directory(void)
{
    unlink(path);
    rmdir(directory);
}

static void
begin(void)
{
    strcpy(directory, "/dev/shm/fuzz_allow.XXXXXX");
    FUZZ_WANT(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/file", directory);
    atexit(remove_directory);
}

static void
read_list(void)
{
    char reason[ALLOW_LIST_REASON_SIZE] = "";
    struct allow_list *const list = allow_list_new();
    const struct allow *allow;
    bool changed;
    int error;

    FUZZ_WANT(list != NULL);
    error = allow_list_set_file(list, path, NULL, reason);
    FUZZ_WANT((error == 0) == (reason[0] == '\0'));
    FUZZ_WANT((allow_list_read(list, NULL, &changed, reason) == 0) == (error == 0));
    allow = allow_list_now(list);
    FUZZ_WANT(error == 0 || allow_is_bare(allow));
    for (size_t i = 0; i < allow_count(allow); i++) {
        FUZZ_WANT(source_is_masked(allow_entry(allow, i)));
        FUZZ_WANT(allow_match(allow, allow_entry(allow, i), NULL));
        FUZZ_WANT(allow_overlaps(allow, allow_entry(allow, i)));
    }
    allow_list_free(list);
}

static bool
see_entry(void *context, const struct allow_added *entry)
{
    unsigned *const seen = context;

    FUZZ_WANT(source_is_masked(&entry->source));
    FUZZ_WANT(strnlen(entry->note, sizeof entry->note) < sizeof entry->note);
    for (const char *byte = entry->note; *byte != '\0'; byte++)
        FUZZ_WANT(*byte >= ' ' && *byte <= '~');
    ++*seen;
    return true;
}

static void
change_added(void)
{
    struct source source;
    struct allow_added entry;
    unsigned before = 0, after = 0;
    int changed;

    source_parse("203.0.113.77", 12, &source);
    FUZZ_WANT(allow_added_each(path, see_entry, &before) == (int)before);
    changed = allow_added_change(path, &source, "by a test");
    FUZZ_WANT(changed == 0 || changed == 1);
    FUZZ_WANT(allow_added_find(path, &source, &entry) && source_contains(&entry.source, &source));
    FUZZ_WANT(allow_added_each(path, see_entry, &after) == (int)before + changed);
    FUZZ_WANT(allow_added_change(path, &source, NULL) == 1);
    FUZZ_WANT(allow_added_change(path, &source, NULL) == 0);
}

static void
read_users(const uint8_t *data, size_t size)
{
    char reason[USERS_REASON_SIZE] = "";
    struct users *const users = users_new(path, "example.org", INT64_MAX / 2);
    const size_t length = size < 40 ? size : 40;
    bool changed;

    FUZZ_WANT(users != NULL);
    if (users_read(users, true, NOW_S, NULL, &changed, reason) == 0)
        FUZZ_WANT(users_count(users) > 0);
    else
        FUZZ_WANT(reason[0] != '\0' && users_count(users) == 0 &&
                  !users_is_unknown(users, "dora", 4));
    users_is_unknown(users, (const char *)data, length);
    users_free(users);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (directory[0] == '\0')
        begin();
    write_file(data, size);
    read_list();
    read_users(data, size);
    change_added();
    return 0;
}
