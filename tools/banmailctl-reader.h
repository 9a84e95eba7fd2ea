/* reader: the lines of logs, each in its parts and with what the rulebases make of it: the same
 * parsing and the same rulebases as in rsyslogd.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_READER_H
#define BANMAILCTL_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "banmailctl-entry.h"
#include "line/offence.h"

struct reader_line {
    struct piece text; /* whole, without its end */
    struct entry entry;
    bool is_mail; /* of Postfix or Dovecot, by its tag */
    /* NULL: no rule knows it, and there is no offence. May be changed; freed when `take` returns.
     */
    struct fjson_object *fields;
    struct offence offence;
};

struct log_reader {
    bool (*is_quiet)(const void *context); /* NULL: progress is shown on a terminal */
    void (*take)(void *context, struct reader_line *line);
    void *context;
    struct rulebases *rulebases;
    uint64_t lines; /* so far */
};

/* Says on standard error, in one line whose bytes can be printed, what is wrong. */
void reader_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds a rulebase; `given`: one in place of the shipped ones, for lines of any program. Returns 0
 * or a negative errno after it has said why. */
int reader_add_rulebase(struct log_reader *reader, const char *path, bool given);

/* Adds the shipped ones, unless others are given. Likewise. */
int reader_add_shipped(struct log_reader *reader);

/* Reads the journal (its last `journal_s` seconds; 0: all; negative: not at all) and the files;
 * standard input, where neither is named. What cannot be read is said, and the rest is read all the
 * same. Returns 0 or a negative errno. */
int reader_run(struct log_reader *reader, int64_t journal_s, char *const files[], int count);

/* Frees what it has. */
void reader_free(struct log_reader *reader);

#endif
