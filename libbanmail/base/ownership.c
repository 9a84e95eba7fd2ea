/* ownership: see ownership.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
refuse(char reason[OWNERSHIP_REASON_SIZE], int error, const char *path, const char *why)
{
    snprintf(reason, OWNERSHIP_REASON_SIZE, "%s %s", path, why);
    return -error;
}

/* By a system call. */
static int
fail(char reason[OWNERSHIP_REASON_SIZE], const char *what, const char *path)
{
    const int error = errno;

    snprintf(reason, OWNERSHIP_REASON_SIZE, "cannot %s %s: %s", what, path, strerror(error));
    return -error;
}

static bool
is_ours(uid_t user, uid_t owner)
{
    return user == 0 || user == geteuid() || (owner != (uid_t)-1 && user == owner);
}

static int
check_owner(const char *path, const struct stat *there, uid_t owner,
            char reason[OWNERSHIP_REASON_SIZE])
{
    if (is_ours(there->st_uid, owner))
        return 0;
    snprintf(reason, OWNERSHIP_REASON_SIZE,
             "%s belongs to user %u, who is neither root nor the user that rsyslogd becomes: give "
             "it to one of them (chown)",
             path, (unsigned)there->st_uid);
    return -EPERM;
}

static int
check_directory(int descriptor, const char *path, uid_t owner, char reason[OWNERSHIP_REASON_SIZE])
{
    struct stat there;

    if (fstat(descriptor, &there) != 0)
        return fail(reason, "look at", path);
    if (there.st_mode & S_IWOTH)
        return refuse(reason, EPERM, path,
                      "may be written by everybody: take a directory of ombanmail's own");
    return check_owner(path, &there, owner, reason);
}

static int
open_directory(const char *path, char reason[OWNERSHIP_REASON_SIZE])
{
    const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (descriptor >= 0)
        return descriptor;
    if (errno == ENOTDIR || errno == ELOOP)
        return refuse(reason, ENOTDIR, path,
                      "is no directory, or a symbolic link: name the directory itself");
    return fail(reason, "open directory", path);
}

static bool
has_to_change(const struct stat *there, uid_t owner, gid_t group)
{
    return (owner != (uid_t)-1 && there->st_uid != owner) ||
           (group != (gid_t)-1 && there->st_gid != group);
}

static int
give_directory(int descriptor, const char *path, uid_t owner, gid_t group,
               char reason[OWNERSHIP_REASON_SIZE])
{
    struct stat there;

    if (fstat(descriptor, &there) != 0 ||
        (has_to_change(&there, owner, group) && fchown(descriptor, owner, group) != 0))
        return fail(reason, "give away directory", path);
    return 0;
}

int
ownership_of_directory(const char *path, mode_t mode, uid_t owner, gid_t group,
                       char reason[OWNERSHIP_REASON_SIZE])
{
    const bool is_new = mkdir(path, 0700) == 0;
    int descriptor, error;

    if (!is_new && errno != EEXIST)
        return fail(reason, "create directory", path);
    descriptor = open_directory(path, reason);
    if (descriptor < 0)
        return descriptor;
    error = check_directory(descriptor, path, owner, reason);
    if (error == 0)
        error = give_directory(descriptor, path, owner, group, reason);
    if (error == 0 && is_new && fchmod(descriptor, mode) != 0)
        error = fail(reason, "set the permissions of directory", path);
    if (error == 0)
        return descriptor;
    close(descriptor);
    return error;
}

/* ---- files ---- */

/* chmod(2) of a descriptor that is open for nothing but its name. */
static int
change_mode(int descriptor, mode_t mode)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return chmod(path, mode);
}

static int
give_file(int descriptor, const char *path, mode_t type, uid_t owner, gid_t group,
          char reason[OWNERSHIP_REASON_SIZE])
{
    struct stat there;
    int error;

    if (fstat(descriptor, &there) != 0)
        return fail(reason, "look at", path);
    if ((there.st_mode & S_IFMT) != type)
        return refuse(reason, ELOOP, path, "is a link or of another kind: remove it");
    if (there.st_nlink > 1)
        return refuse(reason, EMLINK, path, "has a second name (a hard link): remove one of them");
    error = check_owner(path, &there, owner, reason);
    if (error != 0)
        return error;
    if (has_to_change(&there, owner, group) &&
        fchownat(descriptor, "", owner, group, AT_EMPTY_PATH) != 0)
        return fail(reason, "give away", path);
    return 0;
}

int
ownership_of_file(const char *path, mode_t type, mode_t mode, uid_t owner, gid_t group,
                  char reason[OWNERSHIP_REASON_SIZE])
{
    const int descriptor = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error;

    if (descriptor < 0)
        return errno == ENOENT ? -ENOENT : fail(reason, "open", path);
    error = give_file(descriptor, path, type, owner, group, reason);
    if (error == 0 && mode != 0 && change_mode(descriptor, mode) != 0)
        error = fail(reason, "set the permissions of", path);
    close(descriptor);
    return error;
}

int
ownership_is_single(const char *path)
{
    struct stat there;

    if (lstat(path, &there) != 0)
        return -errno;
    if (!S_ISREG(there.st_mode))
        return -ELOOP;
    return there.st_nlink > 1 ? -EMLINK : 0;
}
