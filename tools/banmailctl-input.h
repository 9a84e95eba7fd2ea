/* input: what a log is read from: a file, plain or compressed with gzip, standard input, or the
 * journal.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_INPUT_H
#define BANMAILCTL_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INPUT_REASON_SIZE 512

struct input;

/* Opens a file, or with "-" standard input. Returns NULL with the reason as a sentence: it cannot
 * be read, or is compressed by something else than gzip. Free with input_close. One thread. */
struct input *input_open(const char *path, char reason[INPUT_REASON_SIZE]);

/* The mail facility's messages of this machine's journal of the last `seconds`, or all (0), as
 * journalctl prints them. Likewise. */
struct input *input_open_journal(int64_t seconds, char reason[INPUT_REASON_SIZE]);

/* As getline(3), without the line's end. Returns the length, or -1 at the end. */
ssize_t input_line(struct input *input, char **line, size_t *size);

/* How much of a file is read, 0 to 100; -1 where that is not known. */
int input_percent(const struct input *input);

/* Returns 0, or -EIO with the reason when the input could not be read to its end. */
int input_close(struct input *input, char reason[INPUT_REASON_SIZE]);

#endif
