/* entry: see banmailctl-entry.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-entry.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "line/offence.h"

/* What is no line of a log. */
static const struct entry no_entry = {.tag.bytes = "", .message.bytes = "", .repeated = 1};

/* Cuts the bytes up to the next space, and the space, off the front of *rest. */
static struct piece
take_word(struct piece *rest)
{
    const char *space = rest->length ? memchr(rest->bytes, ' ', rest->length) : NULL;
    struct piece word = *rest;

    if (space != NULL)
        word.length = (size_t)(space - rest->bytes);
    rest->bytes += word.length + (space != NULL);
    rest->length -= word.length + (space != NULL);
    return word;
}

static bool
is_digits(const char *bytes, const char *form)
{
    for (; *form != '\0'; form++, bytes++)
        if (*form == '0' ? !isdigit((unsigned char)*bytes) : *form != *bytes)
            return false;
    return true;
}

/* `Nov 21 08:03:32 `, `Nov  1 08:03:32 `, `Nov 1 08:03:32 ` or `Nov 21 08:03:32.123456 `; returns
 * its length or 0. */
static size_t
traditional_stamp(struct piece line)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    size_t month = 0, at = 4;

    if (line.length < 15 || line.bytes[3] != ' ')
        return 0;
    while (month < 12 && memcmp(line.bytes, months + month * 3, 3) != 0)
        month++;
    if (month == 12)
        return 0;
    at += line.bytes[at] == ' ';
    at += is_digits(line.bytes + at, "00") ? 2 : 1;
    if (line.length < at + sizeof " 00:00:00 " - 1 || !isdigit((unsigned char)line.bytes[at - 1]) ||
        !is_digits(line.bytes + at, " 00:00:00"))
        return 0;
    at += sizeof " 00:00:00" - 1;
    if (line.bytes[at] == '.')
        do
            at++;
        while (at < line.length && isdigit((unsigned char)line.bytes[at]));
    return at < line.length && line.bytes[at] == ' ' ? at + 1 : 0;
}

/* `2026-11-21T08:03:32.5+00:00 ` or `2026-11-21 08:03:32 `; returns its length or 0. */
static size_t
iso_stamp(struct piece line)
{
    const char *space;

    if (line.length < 20 || !is_digits(line.bytes, "0000-00-00") ||
        (line.bytes[10] != 'T' && line.bytes[10] != ' ') || !is_digits(line.bytes + 11, "00:00:00"))
        return 0;
    space = memchr(line.bytes + 19, ' ', line.length - 19);
    return space == NULL ? 0 : (size_t)(space - line.bytes) + 1;
}

/* `@40000000690a5f3c12345678 `, as multilog and s6-log write it; returns its length or 0. */
static size_t
tai64n_stamp(struct piece line)
{
    size_t digits = 0;

    if (line.length < TAI64N_LENGTH + 1 || line.bytes[0] != '@')
        return 0;
    while (digits < TAI64N_LENGTH - 1 && isxdigit((unsigned char)line.bytes[1 + digits]))
        digits++;
    return digits == TAI64N_LENGTH - 1 && line.bytes[TAI64N_LENGTH] == ' ' ? TAI64N_LENGTH + 1 : 0;
}

/* RFC 5424 behind `<PRI>1 `: stamp, host, app-name, procid, msgid, structured data, message. */
static struct entry
split_5424(struct piece rest)
{
    struct entry entry = {.repeated = 1};

    entry.stamp = take_word(&rest);
    entry.host = take_word(&rest);
    entry.tag = take_word(&rest);
    take_word(&rest);
    take_word(&rest);
    if (rest.length > 0 && rest.bytes[0] == '[') {
        size_t at = 0;
        bool quoted = false;
        for (; at < rest.length; at++) {
            if (rest.bytes[at] == '"' && rest.bytes[at - 1] != '\\')
                quoted = !quoted;
            if (rest.bytes[at] == ']' && !quoted &&
                (at + 1 == rest.length || rest.bytes[at + 1] != '['))
                break;
        }
        rest = piece_skip(rest, at < rest.length ? at + 1 : at);
        take_word(&rest);
    } else {
        take_word(&rest);
    }
    entry.message = rest;
    return entry;
}

/* Dovecot's own files (log_path) have neither host nor program: `auth: Info: …`,
 * `imap(NAME)<pid><session>: Info: …`. A host name holds no `(` and does not end in a colon. */
static bool
is_dovecots_own(struct piece word)
{
    return word.length > 0 &&
           (word.bytes[word.length - 1] == ':' || memchr(word.bytes, '(', word.length) != NULL);
}

/* A host may be missing in front of Postfix or Dovecot. */
static bool
is_program(struct piece word)
{
    return word.length > 1 && word.bytes[word.length - 1] == ':' &&
           memchr(word.bytes, '(', word.length) == NULL &&
           (memmem(word.bytes, word.length, "postfix", 7) != NULL ||
            piece_begins(word, "dovecot:") || piece_begins(word, "dovecot["));
}

static struct entry
split_traditional(struct piece rest)
{
    const struct piece host_first = unwrap_priority(rest);
    struct entry entry = {.repeated = 1};
    const char *colon;

    rest = host_first;
    entry.host = take_word(&rest);
    if (is_program(entry.host)) {
        rest = host_first;
        entry.host.length = 0;
    } else if (is_dovecots_own(entry.host)) {
        return (struct entry){
            .tag = {.bytes = "dovecot", .length = 7}, .message = host_first, .repeated = 1};
    }
    /* the tag ends at the first colon or space, which stay out of it */
    rest = unwrap_priority(rest);
    entry.tag = rest;
    for (entry.tag.length = 0; entry.tag.length < rest.length; entry.tag.length++) {
        colon = rest.bytes + entry.tag.length;
        if (*colon == ':' || *colon == ' ')
            break;
    }
    entry.message = piece_skip(rest, entry.tag.length);
    if (entry.message.length > 0 && entry.message.bytes[0] == ':')
        entry.message = piece_skip(entry.message, 1);
    entry.message = unwrap_solaris(entry.message);
    return entry;
}

/* rsyslog's $RepeatedMsgReduction: ` message repeated 3 times: [ … ]`. */
static void
unwrap_repeated(struct entry *entry)
{
    static const char front[] = " message repeated ", middle[] = " times: [";
    const struct piece message = entry->message;
    const char *start, *end = message.bytes + message.length;
    char *after;
    unsigned long times;

    if (message.length < sizeof front || memcmp(message.bytes, front, sizeof front - 1) != 0 ||
        end[-1] != ']')
        return;
    times = strtoul(message.bytes + sizeof front - 1, &after, 10);
    start = after + sizeof middle - 1;
    if (start > end - 1 || memcmp(after, middle, sizeof middle - 1) != 0 || times == 0)
        return;
    entry->repeated = times > OFFENCE_ATTEMPTS_MAX ? OFFENCE_ATTEMPTS_MAX : (unsigned)times;
    entry->message = (struct piece){.bytes = start, .length = (size_t)(end - 1 - start)};
}

static size_t
stamp_length(struct piece line)
{
    size_t length = traditional_stamp(line);

    if (length == 0)
        length = iso_stamp(line);
    return length == 0 ? tai64n_stamp(line) : length;
}

/* Of several stamps the last is the daemon's. */
static struct entry
split_stamped(struct piece line)
{
    struct piece inner = unwrap_container(line);
    size_t stamp = stamp_length(inner), next;
    struct entry entry;

    if (stamp == 0)
        return no_entry;
    do {
        line = inner;
        inner = unwrap_stream(piece_skip(line, stamp));
        next = stamp_length(inner);
        stamp = next == 0 ? stamp : next;
    } while (next != 0);
    entry = split_traditional(inner);
    entry.stamp = (struct piece){.bytes = line.bytes, .length = stamp};
    return entry;
}

/* Docker's syslog driver, with the tag `docker/{{.Name}}`: the message is a line of the container,
 * mostly with a stamp of its own. */
static bool
is_containers(const struct entry *entry)
{
    return piece_begins(entry->tag, "docker/") && entry->message.length > 0;
}

static struct entry
split_containers(const struct entry *outer)
{
    const struct piece line = piece_skip(outer->message, piece_begins(outer->message, " "));
    struct entry inner = stamp_length(line) > 0 ? split_stamped(line) : split_traditional(line);

    if (inner.stamp.length == 0)
        inner.stamp = outer->stamp;
    return inner;
}

struct entry
entry_split(struct piece line)
{
    struct entry entry;
    const char *end = NULL;

    if (line.length > 2 && line.bytes[0] == '<' && isdigit((unsigned char)line.bytes[1]))
        end = memchr(line.bytes, '>', line.length < 6 ? line.length : 6);
    if (end != NULL)
        line = piece_skip(line, (size_t)(end - line.bytes) + 1);
    if (end != NULL && line.length > 2 && memcmp(line.bytes, "1 ", 2) == 0)
        entry = split_5424(piece_skip(line, 2));
    else
        entry = split_stamped(line);
    if (is_containers(&entry))
        entry = split_containers(&entry);
    unwrap_repeated(&entry);
    return entry;
}
