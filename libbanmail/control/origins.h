/* origins: where each jail was declared, in a file beside the table, for banmailctl status.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_ORIGINS_H
#define BANMAIL_ORIGINS_H

#include <sys/types.h>

#include "rules/jail.h"

#define ORIGINS_JAILS       ".jails.conf" /* behind the table's name: all jails, as such a file */
#define ORIGINS_MAX         128
#define ORIGINS_ORIGIN_SIZE 160

struct origins {
    unsigned count;
    struct {
        char name[JAIL_NAME_SIZE];
        char origin[ORIGINS_ORIGIN_SIZE]; /* "preset balanced", "an action", a file and its line */
    } at[ORIGINS_MAX];
};

/* One that is there already stays; what has no room is left out. */
void origins_add(struct origins *origins, const char *name, const char *origin);

/* NULL where it is not known. */
const char *origins_find(const struct origins *origins, const char *name);

/* Writes them beside the table, as a file of owner and group ((uid_t)-1, (gid_t)-1: as created)
 * that all may read. Returns 0 or a negative errno. One thread at a time; makes system calls. */
int origins_write(const char *table_path, const struct origins *origins, uid_t owner, gid_t group);

/* Reads them; none where there is no such file. Any process; makes system calls. */
void origins_read(const char *table_path, struct origins *origins);

#endif
