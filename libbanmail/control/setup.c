/* setup: see setup.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/replace.h"

int
setup_write(const char *table_path, const char *text, uid_t owner, gid_t group)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s.setup", table_path);
    if (text[0] == '\0')
        return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
    return replace_file(path, text, strlen(text), 0644, owner, group);
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
