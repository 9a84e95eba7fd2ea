/* users: names of standard input into the file that knownUsers= reads.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "banmailctl.h"
#include "banmailctl-users.h"
#include "banmailctl-format.h"
#include "base/replace.h"

#define USERS_FILE "/etc/ombanmail/users"

/* Adds the line, without the space around it, unless nothing is left. Returns whether it is a name:
 * one word of bytes that can be printed, as what fills a database may say on standard output, too,
 * that it cannot be reached. */
static bool
add_name(FILE *names, char *line, size_t length, size_t *count)
{
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        line[--length] = '\0';
    if (strlen(line) != length || strcspn(line, " \t") != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)line[i]))
            return false;
    *count += length > 0;
    return length == 0 || fprintf(names, "%s\n", line) > 0;
}

/* All of standard input, checked, as text of the caller's to free. Returns EXIT_FINE, or the exit
 * status after having said why not. */
static int
read_names(const struct invocation *invocation, char **text, size_t *length, size_t *count)
{
    FILE *const names = open_memstream(text, length);
    unsigned long number = 0;
    size_t room = 0;
    char *line = NULL;
    bool is_good = names != NULL;
    ssize_t got;

    *count = 0;
    while (is_good && (got = getline(&line, &room, stdin)) >= 0) {
        number++;
        is_good = add_name(names, line, (size_t)got, count);
    }
    free(line);
    if (names == NULL || fclose(names) != 0)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    if (!is_good)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "line %lu is not a single name; the file is left as it was", number);
    if (ferror(stdin))
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "standard input: %s", strerror(errno));
    if (*count == 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "standard input has no name; the file is left as it was");
    return EXIT_FINE;
}

/* Whose it is, and who may read it, stays. */
static int
write_names(const char *path, const char *text, size_t length)
{
    struct stat status;

    if (stat(path, &status) == 0)
        return replace_file(path, text, length, status.st_mode & 0777, status.st_uid,
                            status.st_gid);
    return replace_file(path, text, length, 0640, (uid_t)-1, (gid_t)-1);
}

int
users_replace(const struct invocation *invocation, const char *path, const char *text,
              size_t length)
{
    const int error = write_names(path, text, length);
    char clean[PATH_MAX];

    if (error >= 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation,
                           error == -EACCES || error == -EPERM ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                           "%s: %s", format_clean(path, clean, sizeof(clean)), strerror(-error));
}

int
users_main(const struct invocation *invocation)
{
    const char *const path = invocation->count > 0 ? invocation->words[0] : USERS_FILE;
    char *text = NULL;
    size_t length = 0, count;
    int status = read_names(invocation, &text, &length, &count);

    if (status == EXIT_FINE)
        status = users_replace(invocation, path, text, length);
    free(text);
    if (status != EXIT_FINE)
        return status;
    if (invocation->json)
        printf("{\"names\":%zu}\n", count);
    else
        printf("%zu name%s\n", count, count == 1 ? "" : "s");
    return EXIT_FINE;
}
