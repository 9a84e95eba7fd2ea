/* event: what has happened, as one line of JSON and back, and as a sentence.
 *
 *   {"event":"ban","version":1,"time":"2026-11-21T08:09:14.250Z","origin":"mx1",
 *    "source":"203.0.113.9","jail":"mail","scope":0,"ports":"25,587","table":"9f0c…","id":17,
 *    "change":4711,"class":"auth_failed","failures":5,"first":"2026-11-21T08:09:05.000Z",
 *    "since":"2026-11-21T08:09:14.250Z","until":"2026-11-21T09:09:14.250Z"}
 *   {"event":"unban", … ,"ended":"2026-11-21T08:30:00.000Z","end":"lifted"}
 *   {"event":"trouble","version":1,"time":"…","origin":"mx1","condition":"kernel","text":"…"}
 *
 * Likewise "recovery", and without "condition" "start" and "stop". A ban that goes on longer is
 * told again, with "prolonged":true.
 *
 * Times are RFC 3339 in UTC with milliseconds; a ban for ever has "until":null, a ban by hand has
 * "class":null; "table" is 16 hexadecimal digits; "ports" are numbers, or "all"; "scope" is 0 for
 * the whole fleet, else a number of the host that tells, and means nothing elsewhere; "end" is
 * "lifted", "expired" or "withdrawn". Events carry an absolute end and need no order: of two with
 * one table and id, that with the higher "change" is the later; two with the same are one. The user
 * id of who lifted a ban means nothing on another host and is not in it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_EVENT_H
#define BANMAIL_EVENT_H

#include <stddef.h>

#include "table/table.h"

#define EVENT_VERSION       1
#define EVENT_HOST_SIZE     256
#define EVENT_TEXT_SIZE     1024
#define EVENT_STAMP_SIZE    sizeof("2026-11-21T08:09:05.000Z")

#define EVENT_SENTENCE_SIZE 512
#define EVENT_WORDS_SIZE    256
#define EVENT_NAME_SIZE     16

enum event_kind {
    EVENT_BAN,
    EVENT_UNBAN,
    EVENT_START,
    EVENT_STOP,
    EVENT_TROUBLE,  /* a condition of control/condition.h has begun … */
    EVENT_RECOVERY, /* … or ended */
};

struct event {
    enum event_kind kind;
    int64_t time_ms;              /* when it happened */
    char origin[EVENT_HOST_SIZE]; /* the host that tells */
    /* of a ban and an unban: */
    struct ban ban; /* ban.jail is not set: see jail */
    char jail[JAIL_NAME_SIZE];
    struct ports ports; /* that the jail closes */
    bool is_prolonged;  /* the ban has been told before: it goes on longer */
    /* of the others: */
    char condition[EVENT_NAME_SIZE]; /* its name; "" of a start and a stop */
    char words[EVENT_WORDS_SIZE];    /* what is to say of it */
};

/* Writes the JSON, NUL-terminated and without newline, into text; in the host name what is not a
 * letter, a digit or one of .-_: becomes _, and in words what would have to be escaped becomes
 * something similar. Returns its length, -ENOSPC, or -EINVAL for a jail, a condition or an origin
 * that is none. Any thread; allocates nothing. */
int event_print(const struct event *event, char *text, size_t size);

/* Reads a ban or an unban back; trusts nothing: every field is required to be of its type and
 * within its bounds, unknown fields and "prolonged" are ignored, another version is refused.
 * Returns 0, -EINVAL, -ENOMSG for an event of another kind, or -EPROTO for another version; *event
 * is then as it was. Any thread; allocates through libfastjson. */
int event_parse(const char *text, size_t length, struct event *event);

/* "banned 203.0.113.9 for 1h (jail mail, 5 failures)". Any thread. */
const char *event_say(const struct event *event, char text[EVENT_SENTENCE_SIZE]);

/* "2026-11-21T08:09:05.000Z" for Unix milliseconds (1970 to 9999, the nearest for others), and
 * back (-EINVAL). Any thread. */
const char *event_stamp(int64_t ms, char text[EVENT_STAMP_SIZE]);
int event_parse_stamp(const char *text, int64_t *ms);

#endif
