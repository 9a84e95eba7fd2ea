/* event: a ban or an unban as one line of JSON, and back.
 *
 *   {"event":"ban","version":1,"source":"203.0.113.9","jail":"mail","origin":"mx1",
 *    "table":"9f0c…","id":17,"class":"auth_failed","failures":5,"first":"2026-11-21T08:09:05.000Z",
 *    "since":"2026-11-21T08:09:14.250Z","until":"2026-11-21T09:09:14.250Z"}
 *   {"event":"unban", … ,"ended":"2026-11-21T08:30:00.000Z","end":"lifted"}
 *
 * Times are RFC 3339 in UTC with milliseconds; a ban for ever has "until":null, a ban by hand has
 * "class":null; "table" is 16 hexadecimal digits; "end" is "lifted", "expired" or
 * "withdrawn". Events carry an
 * absolute end, are idempotent by (origin, table, id), and need no order. The scope of a ban and
 * the user id of who lifted it mean nothing on another host and are not in it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_EVENT_H
#define BANMAIL_EVENT_H

#include <stddef.h>

#include "table/table.h"

#define EVENT_VERSION    1
#define EVENT_HOST_SIZE  256
#define EVENT_TEXT_SIZE  1024
#define EVENT_STAMP_SIZE sizeof("2026-11-21T08:09:05.000Z")

struct event {
    struct ban ban; /* ban.jail is not set: see jail; ban.end tells ban from unban */
    char jail[JAIL_NAME_SIZE];
    char origin[EVENT_HOST_SIZE]; /* the host that decided */
};

/* Writes the JSON, NUL-terminated and without newline, into text; in the host name what is not a
 * letter, a digit or one of .-_: becomes _. Returns its length, -ENOSPC, or -EINVAL for a jail or
 * an origin that is none. Any thread; allocates nothing. */
int event_print(const struct event *event, char *text, size_t size);

/* Reads it back; trusts nothing: every field is required to be of its type and within its bounds,
 * unknown fields are ignored, another version is refused. Returns 0, -EINVAL, or -EPROTO for
 * another version; *event is then as it was. Any thread; allocates through libfastjson. */
int event_parse(const char *text, size_t length, struct event *event);

/* "2026-11-21T08:09:05.000Z" for Unix milliseconds (1970 to 9999, the nearest for others), and
 * back (-EINVAL). Any thread. */
const char *event_stamp(int64_t ms, char text[EVENT_STAMP_SIZE]);
int event_parse_stamp(const char *text, int64_t *ms);

#endif
