/* setup: what is wrong with how ombanmail is configured, in a file beside the table, a line for
 * each. There banmailctl finds it even where rsyslogd has no table open because of it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_SETUP_H
#define BANMAIL_SETUP_H

#include <sys/types.h>

#define SETUP_SIZE 4096 /* bytes, the NUL included */

/* Writes the text, lines that end in a newline, into the file beside the table; with "" there is
 * none. It belongs to owner and group ((uid_t)-1, (gid_t)-1: as created), and all may read it.
 * Returns 0 or a negative errno. One thread at a time; makes system calls. */
int setup_write(const char *table_path, const char *text, uid_t owner, gid_t group);

/* Reads it; "" where there is none. Any process; makes system calls. */
void setup_read(const char *table_path, char text[SETUP_SIZE]);

#endif
