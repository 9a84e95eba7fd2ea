/* line: one line of a log as it came to us, and what a rulebase made of it.
 *
 * All bytes are the attacker's, none are NUL-terminated, and they need to live only as long as the
 * call that is handed the line.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_LINE_H
#define BANMAIL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fjson_object; /* libfastjson */

struct line_bytes {
    const char *at;
    size_t length;
};

struct line {
    struct fjson_object *fields; /* of ombanmail-rulebase(5); NULL: no rule knows the line, */
    struct fjson_object *(*load)(const struct line *line); /* or, if not NULL, this gives them:
                                                              asked at most once, where they are
                                                              needed; they stay its own */
    /* Whether the program that wrote the line may; if not, *user becomes whose it is. Asked only of
     * lines that matter. NULL: nobody knows, and so it may. */
    bool (*is_trusted)(const struct line *line, uint32_t *user);
    /* The number of the host that it comes from, TABLE_SCOPE_OWN or greater. Asked at most
     * once, of lines that count, and of logins where a jail counts each host by itself. NULL: it is
     * this server. */
    uint16_t (*scope)(const struct line *line);
    unsigned reading;          /* which of several rulebases made the fields, see counter.h */
    struct line_bytes host;    /* that the line names */
    struct line_bytes tag;     /* postfix/smtpd[1]: */
    struct line_bytes program; /* postfix/smtpd, as rsyslog takes it from the tag */
    struct line_bytes input;   /* imuxsock, imfile, … */
    struct line_bytes text;    /* behind the tag, with the space in front */
    int64_t stamp_us;          /* what the line says, microseconds since 1970 */
    bool has_microseconds;     /* else of less precision: equal lines may have equal stamps */
    bool is_history;           /* of a file: may be of any age */
    bool is_again;             /* without fields: it has been taken for another action before */
    int64_t received_ms;       /* when it came to this machine */
    int64_t now_ms;
};

#endif
