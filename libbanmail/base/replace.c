/* replace: see replace.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int
write_all(int descriptor, const char *text, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(descriptor, text, length);

        if (written < 0)
            return -errno;
        text += written;
        length -= (size_t)written;
    }
    return 0;
}

int
replace_file(const char *path, const char *text, size_t length, mode_t mode, uid_t owner,
             gid_t group)
{
    char temporary[PATH_MAX];
    struct stat there;
    int descriptor, error;

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return -EINVAL;
    unlink(temporary);
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (descriptor < 0)
        return -errno;
    if (fchmod(descriptor, mode) != 0) /* whatever the umask is */
        error = -errno;
    else
        error = write_all(descriptor, text, length);
    if (error == 0 && (fchown(descriptor, owner, group) != 0 || fsync(descriptor) != 0))
        error = -errno;
    if (close(descriptor) != 0 && error == 0)
        error = -errno;
    if (error == 0 && rename(temporary, path) != 0)
        error = -errno;
    if (error != 0)
        unlink(temporary);
    return error;
}
