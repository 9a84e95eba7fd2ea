/* lacks: what a log, or the configuration of the daemons that write it, withholds from ombanmail,
 * and the setting that would tell it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_LACKS_H
#define BANMAILCTL_LACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "banmailctl-reader.h"

#define LACKS_VALUE_SIZE  256
#define LACKS_REASON_SIZE 512

/* Of the settings that matter, by name; "": it is not set. */
enum lacks_setting {
    LACKS_AUTH_VERBOSE,
    LACKS_AUTH_VERBOSE_PASSWORDS,
    LACKS_LOGIN_LOG_FORMAT,
    LACKS_LOG_PATH,
    LACKS_INFO_LOG_PATH,
    LACKS_MAILLOG_FILE,
    LACKS_SOFT_BOUNCE,
    LACKS_LOCAL_RECIPIENT_CODE,
    LACKS_MYNETWORKS,
    LACKS_SETTINGS
};

/* Zeroed at first. */
struct lacks {
    uint64_t failures; /* lines of Dovecot's login processes about one; of these … */
    uint64_t sessions; /* … with the id of its session, */
    uint64_t secrets;  /* … or with a hash of the secret */
    uint64_t details;  /* lines of its auth, or events, that tell why */
    uint64_t rip_first;
    bool has_doveconf, has_postconf;
    char settings[LACKS_SETTINGS][LACKS_VALUE_SIZE];
};

/* A line of the log. */
void lacks_note(struct lacks *lacks, const struct reader_line *line);

/* Reads what `doveconf -n`, or `postconf -n`, has printed into the file ("-": standard input).
 * Returns 0, or a negative errno with the reason. */
int lacks_read_doveconf(struct lacks *lacks, const char *path, char reason[LACKS_REASON_SIZE]);
int lacks_read_postconf(struct lacks *lacks, const char *path, char reason[LACKS_REASON_SIZE]);

/* Prints each, with the setting that helps; nothing where nothing is lacking. */
void lacks_print(const struct lacks *lacks);

/* The same as an array of objects: what, setting. */
struct fjson_object;
struct fjson_object *lacks_json(const struct lacks *lacks);

#endif
