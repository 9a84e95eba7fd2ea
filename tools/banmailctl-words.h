/* words: the rows of commands and options, for the one who reads what was typed and for the one who
 * tells shells what may be typed.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_WORDS_H
#define BANMAILCTL_WORDS_H

#include <stddef.h>

struct invocation;

/* What a command takes beside --json, --table and --help: the letters of its options, and so many
 * words. */
struct command {
    const char *name;
    int (*main)(const struct invocation *invocation); /* NULL: test, which reads its own words */
    int words_max;
    const char *options;
    const char *summary;
    const char *help;
};

extern const struct command commands[];
extern const size_t command_count;

struct option_row {
    const char *name;
    char letter;       /* in the rows of commands */
    const char *value; /* what its value is; NULL: it has none */
    /* of those that not every command has */
    int (*take)(struct invocation *invocation, const char *value);
};

extern const struct option_row option_rows[];
extern const size_t option_count;

#endif
