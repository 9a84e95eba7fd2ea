/* format: values as a postmaster reads them, and as JSON holds them.
 *
 * Whatever came out of a file or a socket goes through format_clean before a terminal or a JSON
 * parser sees it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAILCTL_FORMAT_H
#define BANMAILCTL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/source.h"

#define FORMAT_SPAN_SIZE    32
#define FORMAT_SETTING_SIZE sizeof("-9223372036854775808 d 23 h 59 min 59 s")
#define FORMAT_STAMP_SIZE   sizeof("-2147483648-11-21T08:09:05+01:00")

struct fjson_object;

/* Copies text with every byte that is not printable ASCII written as \xNN, cut to size. Returns
 * clean. */
const char *format_clean(const char *text, char *clean, size_t size);

/* A span as one says it, rounded: "12 s", "52 min", "3 h 12 min", "2 d 4 h". */
const char *format_span(int64_t ms, char text[FORMAT_SPAN_SIZE]);

/* A configured span, exact: "12 min 30 s". */
const char *format_setting(int64_t seconds, char text[FORMAT_SETTING_SIZE]);

/* ISO 8601 in the local zone, to the second, with the zone's offset: 2026-11-21T08:09:05+01:00. */
const char *format_stamp(int64_t ms, char text[FORMAT_STAMP_SIZE]);

/* Parses an address or a prefix that was typed. Returns 0; or -EINVAL with a sentence that says
 * what is wrong and what is allowed. */
int format_parse_source(const char *text, struct source *source, char *reason, size_t reason_size);

/* How many letters have to be inserted, dropped, replaced or swapped to make one word of another;
 * at most 32 letters are looked at. */
unsigned format_distance(const char *a, const char *b);

enum format_colour { FORMAT_PLAIN, FORMAT_BOLD, FORMAT_GOOD, FORMAT_BAD };

/* The escape sequence, or "" where standard output is no terminal or NO_COLOR is set. */
const char *format_colour(enum format_colour colour);

/* JSON values. A time is RFC 3339 in UTC, and null when it is for ever or never was. */
void format_add_string(struct fjson_object *object, const char *key, const char *text);
void format_add_time(struct fjson_object *object, const char *key, int64_t ms);
void format_add_number(struct fjson_object *object, const char *key, uint64_t number);
void format_add_bool(struct fjson_object *object, const char *key, bool value);

/* Prints the object as one line on standard output, and frees it. */
void format_print_json(struct fjson_object *object);

#endif
