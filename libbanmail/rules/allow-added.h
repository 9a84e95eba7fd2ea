/* allow-added: who was put on the allow list by command, in a file of the state directory.
 *
 * One address or prefix a line, as in ignoreipFile, with when and by whom behind a #:
 *
 *     192.0.2.7  # 2026-11-21T08:03:32.000Z by user id 0
 *
 * Other lines, as an administrator may have written, stay as they are. It is replaced whole, so
 * that the one who reads it sees the former list or the new one.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ALLOW_ADDED_H
#define BANMAIL_ALLOW_ADDED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/source.h"

#define ALLOW_ADDED_NAME      "allowed" /* in the state directory */
#define ALLOW_ADDED_NOTE_SIZE 96

struct allow_added {
    struct source source;
    char note[ALLOW_ADDED_NOTE_SIZE]; /* printable; "": there is none */
};

/* Calls `each` for every entry in the order of the file, until it returns false. Lines that are no
 * entries are passed over; links are not followed. Returns how many were given, 0 also where there
 * is no file; or a negative errno. Makes system calls. */
int allow_added_each(const char *path, bool (*each)(void *context, const struct allow_added *entry),
                     void *context);

/* Puts `source` into the file, with the note; or, without a note (NULL), takes it out, and that
 * entry alone. The file belongs to whom its directory belongs. Returns 1, 0 when it is so already,
 * or a negative errno. Makes system calls that may wait for the disk; one thread and one process at
 * a time. */
int allow_added_change(const char *path, const struct source *source, const char *note);

/* The entry that holds all of `source`: true, and where it is not NULL *entry. Makes system calls.
 */
bool allow_added_find(const char *path, const struct source *source, struct allow_added *entry);

#endif
