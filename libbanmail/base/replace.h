/* replace: a small file that a reader sees whole, the former one or the new one.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_REPLACE_H
#define BANMAIL_REPLACE_H

#include <stddef.h>
#include <sys/types.h>

/* Writes `length` bytes of `text` under the path with ".new" behind it, which must be nobody
 * else's, gives that to owner and group ((uid_t)-1, (gid_t)-1: as created) with the mode's
 * permissions, and renames it, when it is on the disk. Links are not followed,
 * and what is a device, a pipe or a link is left as it is (-EINVAL). Makes system calls
 * that may wait for the disk; for one path one thread at a time. Returns 0 or a negative errno, and
 * then the former file is as it was. */
int replace_file(const char *path, const char *text, size_t length, mode_t mode, uid_t owner,
                 gid_t group);

#endif
