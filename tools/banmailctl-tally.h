/* tally: what has come of the lines of a log, and how it is printed in the end.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_TALLY_H
#define BANMAILCTL_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "banmailctl-lacks.h"
#include "line/offence.h"
#include "table/table.h"

#define TALLY_SAMPLES 3

/* A ban that would have come of a line. */
struct tally_ban {
    struct source source;
    char jail[JAIL_NAME_SIZE];
    enum offence_class class;
    int64_t stamp_ms, until_ms;
    uint64_t line; /* the deciding one, from 1 */
};

/* Zeroed at first; free with tally_free. */
struct tally {
    uint64_t lines, mail_lines, unmatched, counting;
    uint64_t unknown_logins; /* of unmatched: what looks like a login that failed */
    uint64_t classes[OFFENCE_CLASSES], counting_of[OFFENCE_CLASSES];
    char *samples[TALLY_SAMPLES]; /* of the unknown logins */
    struct tally_ban *bans;
    size_t ban_count, ban_room;
    struct lacks lacks;
};

/* A line of this class; whether it counted. */
void tally_class(struct tally *tally, enum offence_class class, bool counts);

/* A line of Postfix's or Dovecot's that no rule knows and that looks like a failed login. */
void tally_unknown_login(struct tally *tally, const char *line, size_t length);

/* A ban more. Returns 0 or -ENOMEM. */
int tally_add_ban(struct tally *tally, const struct tally_ban *ban);

void tally_print(const struct tally *tally);
void tally_print_json(const struct tally *tally);
void tally_free(struct tally *tally);

#endif
