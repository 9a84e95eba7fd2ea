/* growth: log files of mail servers that grow while none of their lines comes to be counted, as
 * when an earlier rule discards them, when the input does not read that file, or no more.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_GROWTH_H
#define BANMAIL_GROWTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GROWTH_LOOK_MS 10000 /* from one look to the next */
#define GROWTH_FILES   8

struct growth {
    struct growth_file {
        const char *path;
        bool is_known;
        ino_t inode;
        off_t size; /* at the last look */
        int64_t
            grown_ms; /* by a mail server's line that has not been seen to come; 0: it has not */
    } files[GROWTH_FILES];
    unsigned count;
    int64_t looked_ms;
};

/* Begins with the files that mail servers and syslog daemons usually write, or with `paths`, a list
 * that ends with NULL, whose strings must outlive it. */
void growth_begin(struct growth *growth, const char *const *paths);

/* Looks, if it is time to: the latest line of a mail server came at last_ms (0: none has). Returns
 * the path of a file that has grown by such a line some time ago, with none coming since; NULL
 * where there is none. One thread; makes system calls, reads 64 KiB of a file at most. */
const char *growth_look(struct growth *growth, int64_t last_ms, int64_t now_ms);

#endif
