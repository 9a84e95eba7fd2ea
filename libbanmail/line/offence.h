/* offence: what one log line says a client did.
 *
 * The rulebases name the fields (docs/ombanmail-rulebase.5); here they are read, bounded and
 * distrusted. The same code serves the module and `banmailctl test`.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_OFFENCE_H
#define BANMAIL_OFFENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line/offence-event.h"
#include "base/source.h"

struct fjson_object; /* libfastjson */

/* Every class of line that a rulebase may name. Their numbers are stored in tables: a new one comes
 * last, and into its group by OFFENCE_DEFAULT and OFFENCE_COUNTABLE below. */
enum offence_class {
    /* counted unless the jail says otherwise */
    OFFENCE_AUTH_FAILED,
    OFFENCE_AUTH_UNKNOWN_USER,
    OFFENCE_AUTH_MECH_UNSUPPORTED,
    OFFENCE_AUTH_MALFORMED,
    OFFENCE_AUTH_PLAINTEXT_DISALLOWED,
    OFFENCE_RELAY_DENIED,
    OFFENCE_RCPT_UNKNOWN,
    OFFENCE_PROTOCOL_ABUSE,
    OFFENCE_PROBE,
    /* counted when a jail names them: they also befall honest users */
    OFFENCE_RATE_LIMITED,
    OFFENCE_AUTH_DISABLED,
    OFFENCE_AUTH_ABORTED,
    OFFENCE_NO_AUTH,
    OFFENCE_RCPT_REJECTED,
    OFFENCE_SENDER_REJECTED,
    OFFENCE_HELO_REJECTED,
    OFFENCE_CLIENT_REJECTED,
    OFFENCE_RBL_LISTED,
    OFFENCE_CONTENT_REJECT,
    OFFENCE_SMTP_REJECT,
    OFFENCE_TLS_FAILED,
    OFFENCE_CONN_LOST,
    OFFENCE_CONN_TIMEOUT,
    OFFENCE_LOGIN_OTHER,
    /* never counted */
    OFFENCE_TEMPFAIL,
    OFFENCE_GREYLISTED,
    OFFENCE_AUTH_DETAIL,
    OFFENCE_AUTH_LINE,
    OFFENCE_RBL_DETAIL,
    OFFENCE_TLS_DETAIL,
    OFFENCE_DNS_MISMATCH,
    OFFENCE_PROXY_ERROR,
    OFFENCE_BENIGN,
    /* signals */
    OFFENCE_LOGIN_OK,
    OFFENCE_MAIL_ACCEPTED,
    OFFENCE_SERVER_FAULT,
    /* of the first group */
    OFFENCE_AUTH_REFUSED, /* told by the summary of a connection alone: see connection.h */
    /* of the second */
    OFFENCE_TLS_UNEXPECTED,
    OFFENCE_CLIENT_SETUP,
    OFFENCE_PIPELINING_LOGIN,
    OFFENCE_CLASSES /* how many there are */
};

#define OFFENCE_BIT(class) (UINT64_C(1) << (class))
/* the classes of the first group, and of the first two */
#define OFFENCE_DEFAULT ((OFFENCE_BIT(OFFENCE_PROBE + 1) - 1) | OFFENCE_BIT(OFFENCE_AUTH_REFUSED))
#define OFFENCE_COUNTABLE                                                                          \
    ((OFFENCE_BIT(OFFENCE_TEMPFAIL) - 1) | OFFENCE_BIT(OFFENCE_AUTH_REFUSED) |                     \
     OFFENCE_BIT(OFFENCE_TLS_UNEXPECTED) | OFFENCE_BIT(OFFENCE_CLIENT_SETUP) |                     \
     OFFENCE_BIT(OFFENCE_PIPELINING_LOGIN))

#define OFFENCE_USER_MAX     255 /* bytes kept of a user name; the hash covers all of it */
#define OFFENCE_SERVICE_MAX  63
#define OFFENCE_SESSION_MAX  63
#define OFFENCE_ATTEMPTS_MAX 16 /* more in one line count as this many */

enum offence_flags {
    OFFENCE_SESSION_MISMATCH = 1, /* Dovecot's session id carries another address than rip= */
    OFFENCE_AUTH_FAULT = 2,       /* a server_fault of the authentication backend, no other */
    OFFENCE_FROM_EVENT = 4,       /* told by Dovecot's event exporter, beside the login process */
    OFFENCE_FAULT_OF_NAME = 16,  /* an auth_detail: a fault that the user's name brings about, if it
                                    is not one that has logged in */
    OFFENCE_PIPELINING = 8,      /* a protocol_abuse that honest programs commit, too */
    OFFENCE_ID_LOGGED = 32,      /* Dovecot logs what IMAP clients say of themselves */
    OFFENCE_LOGIN_UNPROVEN = 64, /* a login_ok that the rest of such a line may look like */
    OFFENCE_BROKEN_OFF = 128,    /* a connection lost or idle in or after a mail, or in a login */
};

/* Why authentication failed, in the words of a password database (a line of Dovecot's auth). */
enum offence_reason {
    OFFENCE_REASON_NONE, /* not such a line, or its session can't be told for certain */
    OFFENCE_REASON_UNKNOWN,
    OFFENCE_REASON_MISMATCH,
    OFFENCE_REASON_OTHER,
};

struct offence {
    enum offence_class class;
    unsigned flags;
    bool has_client; /* false: the line names no client that can be trusted */
    struct source client;
    unsigned attempts; /* 1..OFFENCE_ATTEMPTS_MAX */
    /* Bytes of the attacker, not NUL-terminated, pointing into `fields` (as long as it lives) or
     * into `event` below, so that an offence is never copied: */
    const char *user;
    size_t user_length; /* 0..OFFENCE_USER_MAX */
    const char *session;
    size_t session_length;
    const char *service; /* imap-login, postfix/smtpd, …: from the rulebase or from the tag */
    size_t service_length;
    const char *method; /* SASL mechanism or "" */
    size_t method_length;
    unsigned code;        /* SMTP reply code 100..599, or 0 */
    unsigned dsn;         /* enhanced status x.yyy.zzz as x * 1000000 + yyy * 1000 + zzz, or 0 */
    uint64_t user_hash;   /* of the whole user name, 0 when there is none */
    uint64_t secret_hash; /* of the hash of the secret that the line carries, 0 when none */
    enum offence_reason reason; /* what it says of its session */
    uint64_t process_hash;      /* of name and number of Postfix's process, 0 when not told */
    bool names_whom;            /* an address, trusted or not: */
    struct source whom;
    struct offence_event event; /* with OFFENCE_FROM_EVENT only */
};

/* Whether there is a class among the fields, whatever it is. The object stays the caller's; it need
 * be none, and may be NULL. Any thread. */
bool offence_has_class(struct fjson_object *fields);

/* Reads the fields that a rulebase made of one line (the object under `$.ombanmail`, or whatever
 * path was configured). Takes: a libfastjson object, which stays the caller's and must outlive the
 * use of *offence. Returns 0; -ENOENT when there is no class (an unmatched line); -EINVAL when
 * `class` is none of ours or a field is not of its form. A class that needs a client but names
 * none that can be trusted (loopback, 300.1.1.1, a mismatching session) comes back with
 * has_client false. Allocates for a moment where the fields are an exported event, else not; never
 * blocks; any thread. */
int offence_read(struct fjson_object *fields, struct offence *offence);

/* Names the service after the program that wrote the line, where neither the rulebase nor a field
 * `program` did: `tag` is a
 * syslog tag such as `postfix/smtpd[1]:` or `mailcow/postfix/smtpd[1]:`, and must outlive the use
 * of *offence. Pure; any thread. */
void offence_service_from_tag(struct offence *offence, const char *tag, size_t length);

/* When the session of a Dovecot login began, as its id tells: the time nearest to near_ms that it
 * can mean (years apart). 0 where there is none, or none of Dovecot's own making. Pure; any
 * thread. */
int64_t offence_session_ms(const struct offence *offence, int64_t near_ms);

/* Whether lines of this class and with these fields may ever count against a client: a countable
 * class, a trusted client, and no 4xx code. (But relaying is denied with 454 4.7.1, for ever.) No
 * full mailbox, no mail that is too large, no connection that broke in a mail or in a login. */
bool offence_counts(const struct offence *offence);

/* "auth_failed" and back. offence_class_parse returns the class, or -ENOENT. */
const char *offence_class_name(enum offence_class class);
int offence_class_parse(const char *name, size_t length);

#endif
