/* allow-added: see allow-added.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/allow-added.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace.h"
#include "base/text.h"

/* ---- reading ---- */

static FILE *
open_file(const char *path, int *error)
{
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
    struct stat status;
    FILE *file = NULL;

    if (descriptor < 0 || fstat(descriptor, &status) < 0)
        *error = -errno;
    else if (!S_ISREG(status.st_mode))
        *error = -EINVAL;
    else if ((file = fdopen(descriptor, "r")) == NULL)
        *error = -errno;
    if (file == NULL && descriptor >= 0)
        close(descriptor);
    return file;
}

static void
take_note(const char *text, char note[ALLOW_ADDED_NOTE_SIZE])
{
    text += strspn(text, " \t");
    snprintf(note, ALLOW_ADDED_NOTE_SIZE, "%.*s", (int)strcspn(text, "\r\n"), text);
    for (char *byte = note; *byte != '\0'; byte++)
        if (!isprint((unsigned char)*byte))
            *byte = '?';
}

static bool
read_entry(char *line, struct allow_added *entry)
{
    char *const note = strchr(line, '#'), *word = line + strspn(line, " \t");

    entry->note[0] = '\0';
    if (note != NULL) {
        *note = '\0';
        take_note(note + 1, entry->note);
    }
    word[strcspn(word, " \t\r\n")] = '\0';
    return source_parse_prefix(word, strlen(word), &entry->source) == 0;
}

int
allow_added_each(const char *path, bool (*each)(void *context, const struct allow_added *entry),
                 void *context)
{
    int error = 0, given = 0;
    FILE *const file = open_file(path, &error);
    struct allow_added entry;
    char *line = NULL;
    size_t room = 0;
    bool more = true;

    if (file == NULL)
        return error == -ENOENT ? 0 : error;
    while (more && getline(&line, &room, file) >= 0)
        if (read_entry(line, &entry)) {
            given++;
            more = each(context, &entry);
        }
    if (more && !feof(file)) /* also where memory was out, which is no error of the file */
        error = -EIO;
    free(line);
    fclose(file);
    return error < 0 ? error : given;
}

/* ---- one entry ---- */

struct search {
    const struct source *source;
    struct allow_added *entry;
    bool is_found;
};

static bool
look_at(void *context, const struct allow_added *entry)
{
    struct search *const search = context;

    search->is_found = source_contains(&entry->source, search->source);
    if (search->is_found && search->entry != NULL)
        *search->entry = *entry;
    return !search->is_found;
}

bool
allow_added_find(const char *path, const struct source *source, struct allow_added *entry)
{
    struct search search = {.source = source, .entry = entry};

    allow_added_each(path, look_at, &search);
    return search.is_found;
}

/* ---- writing ---- */

static void
write_entry(FILE *file, const struct source *source, const char *note)
{
    char text[SOURCE_TEXT_SIZE];

    fprintf(file, note[0] != '\0' ? "%s  # %s\n" : "%s\n", source_print(source, text), note);
}

static bool
is_entry_of(const char *line, const struct source *source)
{
    char *const copy = strdup(line);
    struct allow_added entry;
    const bool is_it =
        copy != NULL && read_entry(copy, &entry) && source_compare(&entry.source, source) == 0;

    free(copy);
    return is_it;
}

/* All lines as they stand, an administrator's own as well, but for the source's entry. Returns
 * whether that was there, or a negative errno. */
static int
copy_lines(const char *path, FILE *to, const struct source *source)
{
    int error = 0, is_there = 0;
    FILE *const from = open_file(path, &error);
    char *line = NULL;
    size_t room = 0;

    if (from == NULL && error == -ENOENT)
        fputs("# who is never banned; written by banmailctl allow\n", to);
    if (from == NULL)
        return error == -ENOENT ? 0 : error;
    while (getline(&line, &room, from) >= 0) {
        if (is_entry_of(line, source)) {
            is_there = 1;
            continue;
        }
        fputs(line, to);
        if (strchr(line, '\n') == NULL)
            fputc('\n', to);
    }
    /* Without memory for a line, too, what is left of the file must not be taken for all of it. */
    error = feof(from) ? is_there : -EIO;
    free(line);
    fclose(from);
    return error;
}

/* Whoever rsyslogd runs as has to be able to replace what root has written. */
static int
write_file(const char *path, const char *text, size_t length)
{
    char copy[PATH_MAX];
    struct stat directory;
    const bool is_root = geteuid() == 0;

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
        return -ENAMETOOLONG;
    if (stat(dirname(copy), &directory) != 0)
        return -errno;
    return replace_file(path, text, length, 0640, is_root ? directory.st_uid : (uid_t)-1,
                        is_root ? directory.st_gid : (gid_t)-1);
}

int
allow_added_change(const char *path, const struct source *source, const char *note)
{
    char *text = NULL;
    size_t length = 0;
    FILE *const file = open_memstream(&text, &length);
    bool is_changed;
    int error;

    if (file == NULL)
        return -ENOMEM;
    error = copy_lines(path, file, source);
    is_changed = error >= 0 && (error > 0) != (note != NULL);
    if (note != NULL)
        write_entry(file, source, note);
    if (!text_close(file, &text) && error >= 0)
        error = -ENOMEM;
    if (error >= 0)
        error = is_changed ? write_file(path, text, length) : 0;
    free(text);
    return error < 0 ? error : is_changed;
}
