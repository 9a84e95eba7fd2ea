/* allow-list: six parts, each kept as it was read last, make the list that is in force.
 *
 * So a file that is missing or wrong takes nobody off the list, and what else has changed is taken
 * over all the same. What is no regular file is refused: a fifo or a device would hold us for ever.
 *
 * For a start there is a copy of the file, made of the list and not of the file's bytes: what a
 * process may read that is root still, it may not be able to read later.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "rules/allow-list.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace.h"
#include "base/text.h"

#define FILE_SIZE_MAX (64 << 20) /* bytes: some three million entries */

/* What a file holds; not sealed. */
struct content {
    struct allow *allow;
    struct allow_names *names;
    bool wants_mynetworks;
    bool is_of_addresses; /* alone: anything else is a wrong line */
};

struct allow_list {
    struct allow *configured;             /* not sealed */
    struct allow_names *configured_names; /* never looked up themselves; NULL: there are none */
    bool wants_mynetworks;                /* by its configuration */
    struct content file;                  /* as it could be read last; NULLs: never */
    struct allow *own;                    /* not sealed; likewise */
    struct allow *added;                  /* likewise; NULL: nobody is */
    struct allow *mynetworks;             /* likewise; NULL: never */
    struct allow *members;                /* servers of a fleet; sealed; NULL: there are none */
    struct allow_names *names;            /* the configuration's and the file's; NULL: none */
    char *path;                           /* NULL: there is no file */
    char *added_path;                     /* NULL: likewise */
    char *copy_path;                      /* NULL: no copy is kept of it */
    bool has_copy;                        /* what is in the file's place is the copy's */
    bool is_kept;                         /* the file is in the copy */
    bool has_own;
    _Atomic(struct allow *) now;
};

struct allow_list *
allow_list_new(void)
{
    struct allow_list *list = calloc(1, sizeof(*list));

    if (list == NULL)
        return NULL;
    list->configured = allow_new();
    atomic_init(&list->now, allow_new());
    if (list->configured == NULL || list->now == NULL) {
        allow_list_free(list);
        return NULL;
    }
    allow_seal(list->now);
    return list;
}

static bool
is_mynetworks(const char *text, size_t length)
{
    return length == strlen(ALLOW_LIST_MYNETWORKS) &&
           memcmp(text, ALLOW_LIST_MYNETWORKS, length) == 0;
}

int
allow_list_add(struct allow_list *list, const char *text, size_t length)
{
    const int error = allow_add(list->configured, text, length);

    if (error != -EINVAL)
        return error;
    if (is_mynetworks(text, length)) {
        list->wants_mynetworks = true;
        return 0;
    }
    if (list->configured_names == NULL)
        list->configured_names = allow_names_new();
    return list->configured_names == NULL ? -ENOMEM
                                          : allow_names_add(list->configured_names, text, length);
}

struct allow_names *
allow_list_names(const struct allow_list *list)
{
    return allow_names_count(list->names) > 0 ? list->names : NULL;
}

void
allow_list_set_own(struct allow_list *list)
{
    list->has_own = true;
}

int
allow_list_set_members(struct allow_list *list, const struct source *members, size_t count)
{
    struct allow *const made = allow_new();
    char text[SOURCE_TEXT_SIZE];
    int error = made == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < count && error == 0; i++) {
        source_print(&members[i], text);
        error = allow_add(made, text, strlen(text));
    }
    if (error == 0)
        allow_seal(made);
    if (error != 0 || (list->members != NULL && allow_is_same(list->members, made)) ||
        (list->members == NULL && count == 0)) {
        allow_free(made);
        return error;
    }
    allow_free(list->members);
    list->members = made;
    return 1;
}

/* ---- the file ---- */

static FILE *
open_file(const char *path, int flags, int *error)
{
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags);
    struct stat status;
    FILE *file = NULL;

    if (descriptor < 0 || fstat(descriptor, &status) < 0)
        *error = -errno;
    else if (!S_ISREG(status.st_mode))
        *error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    else if (status.st_size > FILE_SIZE_MAX)
        *error = -EFBIG;
    else if ((file = fdopen(descriptor, "r")) == NULL)
        *error = -errno;
    if (file == NULL && descriptor >= 0)
        close(descriptor);
    return file;
}

/* What stands on the line, without comment and space around it. */
static char *
entry_of(char *line)
{
    char *end = line + strcspn(line, "#\n");

    while (end > line && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return line + strspn(line, " \t\r\v\f");
}

static int
refuse_line(const struct content *content, const char *path, unsigned number, char *entry,
            char reason[ALLOW_LIST_REASON_SIZE])
{
    const bool is_name = !content->is_of_addresses;

    for (char *c = entry; *c != '\0'; c++) {
        if (!isprint((unsigned char)*c))
            *c = '?';
    }
    snprintf(reason, ALLOW_LIST_REASON_SIZE,
             "%.300s, line %u: '%.60s' is not allowed: a line has one address%s, "
             "such as 192.0.2.1%s, and comments after #",
             path, number, entry, is_name ? ", prefix or name" : " or prefix",
             is_name ? ", 2001:db8::/32 or home.example.org" : " or 2001:db8::/32");
    return -EINVAL;
}

static int
add_entry(struct content *content, const char *entry)
{
    const int error = *entry == '\0' ? 0 : allow_add(content->allow, entry, strlen(entry));

    if (error != -EINVAL || content->is_of_addresses)
        return error;
    if (is_mynetworks(entry, strlen(entry))) {
        content->wants_mynetworks = true;
        return 0;
    }
    return allow_names_add(content->names, entry, strlen(entry));
}

/* A damaged file has NULs: what follows one would not be seen. */
static int
add_line(struct content *content, char *line, size_t length, const char *path, unsigned number,
         char reason[ALLOW_LIST_REASON_SIZE])
{
    const bool is_text = strlen(line) == length;
    char *const entry = entry_of(line);
    const int error = add_entry(content, entry);

    if (error == -EINVAL || !is_text)
        return refuse_line(content, path, number, entry, reason);
    if (error == -ENOSPC)
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "%.300s, line %u: more than %d names", path,
                 number, ALLOW_NAMES_MAX);
    return error;
}

static int
add_lines(struct content *content, FILE *file, const char *path,
          char reason[ALLOW_LIST_REASON_SIZE])
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int error = 0;

    for (unsigned number = 1; error == 0 && (length = getline(&line, &room, file)) >= 0; number++)
        error = add_line(content, line, (size_t)length, path, number, reason);
    if (error == 0 && !feof(file))
        error = -errno;
    free(line);
    return error;
}

static void
empty(struct content *content)
{
    allow_free(content->allow);
    allow_names_release(content->names);
}

/* On success what the file holds is in *content, and what was there is freed. */
static int
read_file(const char *path, int flags, struct content *content, char reason[ALLOW_LIST_REASON_SIZE])
{
    struct content made = {.allow = allow_new(),
                           .names = allow_names_new(),
                           .is_of_addresses = content->is_of_addresses};
    int error = made.allow == NULL || made.names == NULL ? -ENOMEM : 0;
    FILE *file = error == 0 ? open_file(path, flags, &error) : NULL;

    reason[0] = '\0';
    if (file != NULL) {
        error = add_lines(&made, file, path, reason);
        fclose(file);
    }
    if (error != 0 && reason[0] == '\0')
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "%.300s cannot be read: %s", path,
                 error == -EINVAL ? "it is no regular file" : strerror(-error));
    empty(error == 0 ? content : &made);
    if (error == 0)
        *content = made;
    return error;
}

/* The same for a file that can have addresses alone. */
static int
read_addresses(const char *path, int flags, struct allow **allow,
               char reason[ALLOW_LIST_REASON_SIZE])
{
    struct content content = {.allow = *allow, .is_of_addresses = true};
    const int error = read_file(path, flags, &content, reason);

    *allow = content.allow;
    allow_names_release(content.names);
    return error;
}

static int
set_paths(struct allow_list *list, const char *path, const char *copy_path)
{
    free(list->path);
    free(list->copy_path);
    list->path = strdup(path);
    list->copy_path = copy_path == NULL ? NULL : strdup(copy_path);
    return list->path == NULL || (copy_path != NULL && list->copy_path == NULL) ? -ENOMEM : 0;
}

/* The directory of the copy may be another user's: no link is followed. */
int
allow_list_set_file(struct allow_list *list, const char *path, const char *copy_path,
                    char reason[ALLOW_LIST_REASON_SIZE])
{
    char copy_reason[ALLOW_LIST_REASON_SIZE];
    int error = set_paths(list, path, copy_path);

    if (error != 0) {
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "out of memory");
        return error;
    }
    list->is_kept = false;
    error = read_file(path, 0, &list->file, reason);
    list->has_copy = error != 0 && copy_path != NULL &&
                     read_file(copy_path, O_NOFOLLOW, &list->file, copy_reason) == 0;
    return error;
}

bool
allow_list_has_copy(const struct allow_list *list)
{
    return list->has_copy;
}

/* ---- who was added by command ---- */

int
allow_list_set_added(struct allow_list *list, const char *path)
{
    free(list->added_path);
    list->added_path = strdup(path);
    return list->added_path == NULL ? -ENOMEM : 0;
}

/* The directory is that of whom we run as: no link is followed. */
static int
read_added(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    if (list->added_path == NULL)
        return 0;
    if (access(list->added_path, F_OK) != 0 && errno == ENOENT) {
        allow_free(list->added);
        list->added = NULL;
        return 0;
    }
    return read_addresses(list->added_path, O_NOFOLLOW, &list->added, reason);
}

/* ---- its copy ---- */

static int
write_copy(const struct allow_list *list)
{
    char *copy = NULL, text[SOURCE_TEXT_SIZE];
    size_t length = 0;
    FILE *const file = open_memstream(&copy, &length);
    int error = -ENOMEM;

    if (file == NULL)
        return error;
    fprintf(file, "# what %s had when it was last read whole\n", list->path);
    for (size_t i = 0; i < allow_count(list->file.allow); i++)
        fprintf(file, "%s\n", source_print(allow_entry(list->file.allow, i), text));
    for (size_t i = 0; i < allow_names_count(list->file.names); i++)
        fprintf(file, "%s\n", allow_names_text(list->file.names, i));
    if (list->file.wants_mynetworks)
        fputs(ALLOW_LIST_MYNETWORKS "\n", file);
    if (text_close(file, &copy))
        error = replace_file(list->copy_path, copy, length, 0600, (uid_t)-1, (gid_t)-1);
    free(copy);
    return error;
}

static int
keep(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    int error;

    if (list->copy_path == NULL || list->file.allow == NULL || list->has_copy || list->is_kept)
        return 0;
    error = write_copy(list);
    list->is_kept = error == 0;
    if (error != 0)
        snprintf(
            reason, ALLOW_LIST_REASON_SIZE,
            "%.300s, the copy of %.100s for a start at which that is wrong, cannot be written: "
            "%s",
            list->copy_path, list->path, strerror(-error));
    return error;
}

static int
read_file_again(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    char copy_reason[ALLOW_LIST_REASON_SIZE];
    int error = 0, copy_error;

    if (list->path == NULL)
        return 0;
    error = read_file(list->path, 0, &list->file, reason);
    if (error == 0)
        list->has_copy = list->is_kept = false;
    copy_error = keep(list, copy_reason);
    if (error == 0 && copy_error != 0)
        memcpy(reason, copy_reason, sizeof(copy_reason));
    return error != 0 ? error : copy_error;
}

/* ---- all of it ---- */

static int
read_own(struct allow **read, char reason[ALLOW_LIST_REASON_SIZE])
{
    struct allow *made = allow_new();
    int error = made == NULL ? -ENOMEM : allow_add_own(made);

    if (error != 0) {
        allow_free(made);
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "this host's own addresses cannot be read: %s",
                 strerror(-error));
        return error;
    }
    allow_free(*read);
    *read = made;
    return 0;
}

/* What a timer writes there: a process that is confined as rsyslogd often is may run no program. */
static int
read_mynetworks(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    char why[ALLOW_LIST_REASON_SIZE];
    int error;

    if (!list->wants_mynetworks && !list->file.wants_mynetworks) {
        allow_free(list->mynetworks);
        list->mynetworks = NULL;
        return 0;
    }
    error = read_addresses(ALLOW_LIST_MYNETWORKS_FILE, 0, &list->mynetworks, why);
    if (error == -ENOENT)
        snprintf(reason, ALLOW_LIST_REASON_SIZE,
                 ALLOW_LIST_MYNETWORKS
                 " is on the allow list, but there is no " ALLOW_LIST_MYNETWORKS_FILE
                 "; ombanmail-mynetworks.timer writes it");
    else if (error != 0)
        snprintf(reason, ALLOW_LIST_REASON_SIZE, ALLOW_LIST_MYNETWORKS ": %.480s", why);
    return error;
}

/* Others than before have yet to be looked up; whoever looks up the former ones holds them. */
static int
join_names(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    struct allow_names *const made = allow_names_new();
    int error = made == NULL ? -ENOMEM : allow_names_add_all(made, list->configured_names);

    if (error == 0)
        error = allow_names_add_all(made, list->file.names);
    if (error != 0)
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "%s",
                 error == -ENOSPC ? "there are too many names on the allow list" : "out of memory");
    if (error != 0 || allow_names_are_same(made, list->names)) {
        allow_names_release(made);
        return error;
    }
    allow_names_inherit(made, list->names);
    allow_names_release(list->names);
    list->names = made;
    return 0;
}

/* Of all that there is, sealed; NULL when memory is out. */
static struct allow *
put_together(const struct allow_list *list)
{
    const struct allow *const parts[] = {list->configured, list->file.allow, list->own,
                                         list->added,      list->mynetworks, list->members};
    struct allow *made = allow_new();
    int error = made == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && error == 0; i++) {
        if (parts[i] != NULL)
            error = allow_merge(made, parts[i]);
    }
    if (error == 0 && list->names != NULL)
        error = allow_names_merge(list->names, made);
    if (error != 0) {
        allow_free(made);
        return NULL;
    }
    allow_seal(made);
    return made;
}

/* Who reads the former one has begun before the exchange. */
static void
replace(struct allow_list *list, struct allow *made, struct readers *readers)
{
    struct allow *const former = atomic_exchange(&list->now, made);

    if (readers != NULL)
        readers_wait(readers);
    allow_free(former);
}

/* The first failure is told. */
static void
note_error(int *error, int other, char reason[ALLOW_LIST_REASON_SIZE],
           const char other_reason[ALLOW_LIST_REASON_SIZE])
{
    if (*error == 0 && other != 0)
        memcpy(reason, other_reason, ALLOW_LIST_REASON_SIZE);
    *error = *error != 0 ? *error : other;
}

/* Reads again what can be, and returns the first failure. */
static int
read_parts(struct allow_list *list, char reason[ALLOW_LIST_REASON_SIZE])
{
    char other[ALLOW_LIST_REASON_SIZE];
    int error = read_file_again(list, reason);

    note_error(&error, read_added(list, other), reason, other);
    note_error(&error, read_mynetworks(list, other), reason, other);
    note_error(&error, list->has_own ? read_own(&list->own, other) : 0, reason, other);
    note_error(&error, join_names(list, other), reason, other);
    return error;
}

int
allow_list_read(struct allow_list *list, struct readers *readers, bool *changed,
                char reason[ALLOW_LIST_REASON_SIZE])
{
    const struct allow *const before = allow_list_now(list);
    const int error = read_parts(list, reason);
    struct allow *const made = put_together(list);

    *changed = made != NULL && !allow_is_same(before, made);
    if (made == NULL) {
        snprintf(reason, ALLOW_LIST_REASON_SIZE, "out of memory");
        return -ENOMEM;
    }
    if (*changed)
        replace(list, made, readers);
    else
        allow_free(made);
    return error;
}

const struct allow *
allow_list_now(const struct allow_list *list)
{
    return atomic_load(&list->now);
}

void
allow_list_free(struct allow_list *list)
{
    if (list == NULL)
        return;
    allow_free(list->configured);
    empty(&list->file);
    allow_free(list->own);
    allow_free(list->added);
    allow_free(list->mynetworks);
    allow_free(list->members);
    allow_names_release(list->configured_names);
    allow_names_release(list->names);
    allow_free(atomic_load(&list->now));
    free(list->path);
    free(list->copy_path);
    free(list->added_path);
    free(list);
}
