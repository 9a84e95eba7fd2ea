/* parameter: each parameter's name, and the function that reads its value.
 *
 * Main thread only, as parameters.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef OMBANMAIL_PARAMETER_H
#define OMBANMAIL_PARAMETER_H

#include <stdbool.h>
#include <stddef.h>

/* rsyslog's headers are included by the .c files: they must come first there. */

struct parameters;

/* Reads one word into the parameters; true when it could be used, else it has said why not. */
typedef bool (*word_reader)(const char *name, const char *word, struct parameters *parameters);

struct parameter {
    const char *name;     /* as documented */
    const char *key;      /* in lower case, as rsyslog's parser hands it over */
    ecslCmdHdrlType type; /* one string, or an array of strings */
    word_reader read;
};

#define PARAMETER_ROWS_MAX 64

struct parameter_rows {
    const struct parameter *row;
    size_t count; /* at most PARAMETER_ROWS_MAX */
};

extern const struct parameter_rows parameter_of_module; /* module(load="ombanmail" …) */
extern const struct parameter_rows parameter_of_action; /* action(type="ombanmail" …) */

#define PARAMETER_STAMP_AHEAD_MAX_S 60  /* as far as the table believes one */
#define PARAMETER_COPY_PATH_SIZE    128 /* a directory of at most 80 characters, and a name */

/* Puts a copy of a word in a member's place, and frees what was there. False without memory. */
bool parameter_replace(char **member, const char *word);

/* Where the copy of such a file is kept: in the state directory, `what` and the file's own name. */
void parameter_copy_path(const char *what, const char *path, const struct parameters *parameters,
                         char copy[PARAMETER_COPY_PATH_SIZE]);

/* The users that mail servers run as are trusted: those of them that this host has. */
void parameter_trust_mail_servers(struct parameters *parameters);

#endif
