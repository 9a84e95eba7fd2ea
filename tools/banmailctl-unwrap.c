/* unwrap: see banmailctl-unwrap.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-unwrap.h"

#include <ctype.h>
#include <json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/object.h"

/* ---- containers ---- */

/* The sequences that set a colour: ESC [ digits and semicolons m. */
static struct piece
without_colour(struct piece line)
{
    while (piece_begins(line, "\033[")) {
        size_t at = 2;

        while (at < line.length &&
               (isdigit((unsigned char)line.bytes[at]) || line.bytes[at] == ';'))
            at++;
        if (at == line.length || line.bytes[at] != 'm')
            break;
        line = piece_skip(line, at + 1);
    }
    return line;
}

static bool
is_of_a_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

struct piece
unwrap_container(struct piece line)
{
    const struct piece rest = without_colour(line);
    const char *const closing =
        piece_begins(rest, "[pod/") ? memchr(rest.bytes, ']', rest.length) : NULL;
    size_t at = 0;

    if (closing != NULL && (size_t)(closing - rest.bytes) + 1 < rest.length && closing[1] == ' ')
        return piece_skip(rest, (size_t)(closing - rest.bytes) + 2);
    while (at < rest.length && is_of_a_name(rest.bytes[at]))
        at++;
    if (at == 0)
        return line;
    while (at < rest.length && rest.bytes[at] == ' ')
        at++;
    if (at == rest.length || rest.bytes[at] != '|')
        return line;
    line = without_colour(piece_skip(rest, at + 1));
    return piece_begins(line, " ") ? piece_skip(line, 1) : line;
}

struct piece
unwrap_stream(struct piece rest)
{
    if ((piece_begins(rest, "stdout ") || piece_begins(rest, "stderr ")) && rest.length > 9 &&
        (rest.bytes[7] == 'F' || rest.bytes[7] == 'P') && rest.bytes[8] == ' ')
        return piece_skip(rest, 9);
    return rest;
}

char *
unwrap_json(struct piece line)
{
    struct fjson_object *object, *log, *stamp;
    char *text = NULL;
    int length;

    if (!piece_begins(line, "{") || (object = object_parse(line.bytes, line.length)) == NULL)
        return NULL;
    if (fjson_object_object_get_ex(object, "log", &log) &&
        fjson_object_object_get_ex(object, "time", &stamp) &&
        fjson_object_is_type(log, fjson_type_string) &&
        fjson_object_is_type(stamp, fjson_type_string)) {
        length = fjson_object_get_string_len(log);
        while (length > 0 && strchr("\r\n", fjson_object_get_string(log)[length - 1]) != NULL)
            length--;
        if (asprintf(&text, "%s %.*s", fjson_object_get_string(stamp), length,
                     fjson_object_get_string(log)) < 0)
            text = NULL;
    }
    fjson_object_put(object);
    return text;
}

/* ---- priorities ---- */

/* A facility and a level, both as words or both as numbers; returns the length or 0. */
static size_t
priority_length(struct piece text)
{
    static const char *const levels[] = {"emerg", "panic",   "alert",  "crit", "err",  "error",
                                         "warn",  "warning", "notice", "info", "debug"};
    size_t at = 0, begin;

    while (at < text.length && islower((unsigned char)text.bytes[at]))
        at++;
    while (at < text.length && isdigit((unsigned char)text.bytes[at]))
        at++;
    if (at == 0 || at == text.length || text.bytes[at] != '.')
        return 0;
    begin = ++at;
    while (at < text.length && isalnum((unsigned char)text.bytes[at]))
        at++;
    if (at == begin + 1 && isdigit((unsigned char)text.bytes[begin]))
        return at;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (at - begin == strlen(levels[i]) &&
            memcmp(text.bytes + begin, levels[i], at - begin) == 0)
            return at;
    return 0;
}

struct piece
unwrap_priority(struct piece rest)
{
    const bool is_bracketed = piece_begins(rest, "<");
    const size_t length = is_bracketed + priority_length(piece_skip(rest, is_bracketed));

    if (length == is_bracketed || length + is_bracketed >= rest.length ||
        (is_bracketed && rest.bytes[length] != '>') || rest.bytes[length + is_bracketed] != ' ')
        return rest;
    return piece_skip(rest, length + is_bracketed + 1);
}

struct piece
unwrap_solaris(struct piece message)
{
    struct piece rest = message;
    size_t at = 0;

    if (!piece_begins(rest, " [ID "))
        return message;
    rest = piece_skip(rest, 5);
    while (at < rest.length && isdigit((unsigned char)rest.bytes[at]))
        at++;
    rest = piece_skip(rest, at);
    at = piece_begins(rest, " ") ? priority_length(piece_skip(rest, 1)) : 0;
    if (at == 0 || at + 1 >= rest.length || rest.bytes[at + 1] != ']')
        return message;
    return piece_skip(rest, at + 2);
}
