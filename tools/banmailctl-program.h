/* program: runs one of the system's programs and reads what it writes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_PROGRAM_H
#define BANMAILCTL_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* What a program writes to its standard output, without a shell and with a path of our own;
 * deadline_ms is of clock_steady_ms. Returns 0 and the text (free it), with a NUL behind `length`
 * bytes; -ENOENT when there is no such program, -ETIMEDOUT, -EIO when it failed. */
int program_run(char *const argv[], int64_t deadline_ms, char **text, size_t *length);

#endif
