/* evidence: one line that counted against a client, as it is kept for the question why.
 *
 * The table keeps the newest of them in a ring; with a ban they go on to the ledger. Passwords that
 * were typed where the user name belongs happen, and what is kept is read by others: so by default
 * a name that is neither a well-formed mailbox nor known is shortened, in the line too.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_EVIDENCE_H
#define BANMAIL_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line/offence.h"
#include "base/source.h"

/* Bytes with the NUL; what is longer is cut. */
#define EVIDENCE_HOST_SIZE    48
#define EVIDENCE_SERVICE_SIZE 32
#define EVIDENCE_USER_SIZE    96
#define EVIDENCE_LINE_SIZE    272

enum evidence_mode {
    EVIDENCE_NONE,
    EVIDENCE_REDACTED, /* names are shortened unless they are mailboxes or known */
    EVIDENCE_FULL,
};

struct evidence {
    uint64_t number; /* ascending within a table; 0: none */
    struct source client;
    enum offence_class class;
    uint64_t jails;   /* that counted it, as bits of their indexes */
    uint8_t attempts; /* that it added to the count */
    uint16_t scope;   /* of the host that it came from: line.h; 0: not known */
    int64_t stamp_ms;
    /* texts, which a table takes as they are: its zeros behind them, too */
    char host[EVIDENCE_HOST_SIZE]; /* that logged it */
    char service[EVIDENCE_SERVICE_SIZE];
    char user[EVIDENCE_USER_SIZE]; /* as the mode allows; "" when the line names none */
    char line[EVIDENCE_LINE_SIZE]; /* likewise, without the space in front */
};

/* "full", "redacted", "none"; -EINVAL for other words. Any thread. */
int evidence_parse_mode(const char *word, enum evidence_mode *mode);

/* Whether a name is a mailbox: a local part of RFC 5322 atoms, @, a domain with a dot. Any thread.
 */
bool evidence_is_mailbox(const char *name, size_t length);

/* The name as the mode allows it to be kept: whole, or its first letter and ***. is_known: the name
 * is a user's, and so no password. Any thread; allocates nothing. */
void evidence_user(enum evidence_mode mode, bool is_known, const char *name, size_t length,
                   char user[EVIDENCE_USER_SIZE]);

/* Likewise the line: where the name stands it is shortened as well; when it cannot be found there,
 * the line is withheld, because nobody knows what else it shows. `name` is as the rulebase found it
 * in this line. Any thread; allocates nothing. */
void evidence_line(enum evidence_mode mode, const char *message, size_t message_length,
                   bool is_known, const char *name, size_t name_length,
                   char line[EVIDENCE_LINE_SIZE]);

/* Of Postfix's lines about what a client said in place of SMTP (`… from NAME[ADDRESS]: TEXT`): how
 * many bytes to keep, so that of the text, which may hold a secret in any form, at most the word of
 * a command is left. Any thread. */
size_t evidence_without_said(const char *message, size_t length);

/* Whether a message that no rule knows looks like a login that failed: then the rulebases lack a
 * rule for it. Any thread; some ten nanoseconds. */
bool evidence_looks_like_login(const char *message, size_t length);

/* Copies `length` bytes into to[size] as text, cut where it is full. Pure; any thread. */
void evidence_copy(char *to, size_t size, const char *bytes, size_t length);

#endif
