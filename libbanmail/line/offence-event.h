/* offence-event: what Dovecot's event exporter says of one authentication.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_OFFENCE_EVENT_H
#define BANMAIL_OFFENCE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#define OFFENCE_EVENT_MAX 8192 /* bytes of an event; a longer one is refused */

enum offence_event_outcome {
    OFFENCE_EVENT_SUCCESS,
    OFFENCE_EVENT_FAILED,
    OFFENCE_EVENT_MALFORMED, /* it failed before there was a user to speak of */
    OFFENCE_EVENT_FAULT,     /* it failed by the server's fault */
    OFFENCE_EVENT_FOREIGN,   /* of no login process: who asked writes lines of its own */
};

struct offence_event {
    enum offence_event_outcome outcome;
    char ip[64];
    const char *service; /* the login process, static: "imap-login" …; "" of a foreign one */
    char session[64];    /* "" when there is none */
    char method[64];     /* likewise */
    char user[256];      /* the first bytes of the name, which may be any */
    size_t user_length;
    bool is_comparable; /* user is the whole name, as the login process would write it */
};

/* Reads an event `auth_request_finished` or `auth_passdb_request_finished`: the object of JSON
 * without its opening brace, as in `"event":"auth_request_finished",…,"fields":{…}}`. Strict: not
 * one object to the last byte, a key that matters given twice, or a remote_ip that is no string:
 * refused. Takes: text, the caller's; fills *event, which points nowhere else. Returns 0; -EINVAL.
 * Allocates while it parses; any thread. */
int offence_event_read(const char *text, size_t length, struct offence_event *event);

#endif
