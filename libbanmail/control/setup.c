/* setup: written under a temporary name, so that a reader sees all of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
write_all(int descriptor, const char *text)
{
    const size_t length = strlen(text);
    const ssize_t written = write(descriptor, text, length);

    if (written < 0)
        return -errno;
    return (size_t)written == length ? 0 : -ENOSPC;
}

int
setup_write(const char *table_path, const char *text, uid_t owner, gid_t group)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    int descriptor, error;

    snprintf(path, sizeof(path), "%s.setup", table_path);
    snprintf(temporary, sizeof(temporary), "%s.setup.new", table_path);
    if (text[0] == '\0')
        return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    unlink(temporary);
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (descriptor < 0)
        return -errno;
    error = write_all(descriptor, text);
    if (error == 0 && fchown(descriptor, owner, group) != 0)
        error = -errno;
    close(descriptor);
    if (error == 0 && rename(temporary, path) != 0)
        error = -errno;
    return error;
}

void
setup_read(const char *table_path, char text[SETUP_SIZE])
{
    char path[PATH_MAX];
    ssize_t length;
    int descriptor;

    text[0] = '\0';
    snprintf(path, sizeof(path), "%s.setup", table_path);
    descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    length = read(descriptor, text, SETUP_SIZE - 1);
    text[length > 0 ? length : 0] = '\0';
    close(descriptor);
}
