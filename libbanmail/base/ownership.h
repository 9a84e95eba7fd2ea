/* ownership: directories and files that root gives to the user that rsyslogd becomes, and that this
 * user, or another, may have put something else in place of.
 *
 * Nothing is given away by its name: it is opened without following links, looked at, and what was
 * looked at is given.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_OWNERSHIP_H
#define BANMAIL_OWNERSHIP_H

#include <sys/stat.h>
#include <sys/types.h>

#define OWNERSHIP_REASON_SIZE 512

/* Opens a directory, makes it first with these permissions (exactly; one that is there keeps its
 * own) where there is none, and gives it to owner and group ((uid_t)-1, (gid_t)-1: left as it is).
 * It must belong to root, to who we are, or to that owner, and not be open to all for writing.
 * Returns a descriptor, to be closed by the caller, or a negative errno and in `reason` a sentence
 * without a full stop. System calls; any thread. */
int ownership_of_directory(const char *path, mode_t mode, uid_t owner, gid_t group,
                           char reason[OWNERSHIP_REASON_SIZE]);

/* Gives the file of type S_IFREG or S_IFSOCK that has this path to owner and group, and these
 * permissions (0: left as they are). One with a second name is not given, nor one that belongs to
 * others than above. Returns 0, -ENOENT when there is none, or another negative errno and a
 * `reason`. System calls; any thread. */
int ownership_of_file(const char *path, mode_t type, mode_t mode, uid_t owner, gid_t group,
                      char reason[OWNERSHIP_REASON_SIZE]);

/* Whether the path leads to a regular file that has no second name. Returns 0; -ENOENT when there
 * is nothing; -ELOOP for what is no regular file; -EMLINK where it has a second name; or another
 * negative errno. System calls; any thread. */
int ownership_is_single(const char *path);

#endif
