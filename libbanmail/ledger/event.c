/* event: what has happened as one line of JSON, and back, and in words.
 *
 * Everything that is printed comes from a closed alphabet (addresses, hexadecimal, stamps, names of
 * classes and jails; in a host name other bytes become '_'), so nothing ever needs escaping, and a
 * reader that sees anything else knows that we did not write it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "ledger/event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <json.h>

#include "base/object.h"
#include "base/rfc3339.h"

#define STAMP_LAST_MS   INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define TABLE_HEX_SIZE  sizeof("0123456789abcdef")
#define EVENT_SPAN_SIZE 64

static const char letters_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool
is_made_of(const char *text, const char *more)
{
    for (; *text != '\0'; text++)
        if (strchr(letters_digits, *text) == NULL && strchr(more, *text) == NULL)
            return false;
    return true;
}

/* ---- stamps ---- */

const char *
event_stamp(int64_t ms, char text[EVENT_STAMP_SIZE])
{
    if (ms < 0)
        ms = 0;
    if (ms > STAMP_LAST_MS)
        ms = STAMP_LAST_MS;

    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t length = strftime(text, EVENT_STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + length, EVENT_STAMP_SIZE - length, ".%03dZ", (int)(ms % 1000));
    return text;
}

int
event_parse_stamp(const char *text, int64_t *ms)
{
    char again[EVENT_STAMP_SIZE];
    unsigned digits;
    int64_t us;

    /* It takes other forms too, and 30 February for 2 March: only what prints as it was written is
     * a stamp of ours. */
    if (!rfc3339_read(text, &us, &digits) || strcmp(event_stamp(us / 1000, again), text) != 0)
        return -EINVAL;
    *ms = us / 1000;
    return 0;
}

/* ---- printing ---- */

static void
print_origin(const char *host, char text[EVENT_HOST_SIZE])
{
    size_t i = 0;
    for (; i < EVENT_HOST_SIZE - 1 && host[i] != '\0'; i++) {
        char one[] = {host[i], '\0'};
        text[i] = is_made_of(one, ".-_:") ? host[i] : '_';
    }
    text[i] = '\0';
}

/* A stamp in quotation marks, or null for one that never comes. */
static const char *
print_until(int64_t ms, char text[EVENT_STAMP_SIZE + 2])
{
    char stamp[EVENT_STAMP_SIZE];
    if (ms == TABLE_FOREVER_MS)
        return "null";
    snprintf(text, EVENT_STAMP_SIZE + 2, "\"%s\"", event_stamp(ms, stamp));
    return text;
}

static const char *const kinds[] = {
    [EVENT_BAN] = "ban",   [EVENT_UNBAN] = "unban",     [EVENT_START] = "start",
    [EVENT_STOP] = "stop", [EVENT_TROUBLE] = "trouble", [EVENT_RECOVERY] = "recovery",
};

static bool
is_of_ban(const struct event *event)
{
    return event->kind == EVENT_BAN || event->kind == EVENT_UNBAN;
}

static const char *
print_ports(const struct ports *ports, char text[PORTS_TEXT_SIZE])
{
    return ports_are_all(ports) ? "all" : ports_print(ports, ",", text);
}

/* What is behind the fields that all events have. Returns as snprintf. */
static int
print_ban(const struct event *event, char *text, size_t size)
{
    const struct ban *ban = &event->ban;
    char source[SOURCE_TEXT_SIZE], ports[PORTS_TEXT_SIZE], class[64] = "null", end[96] = "";
    char first[EVENT_STAMP_SIZE], since[EVENT_STAMP_SIZE], until[EVENT_STAMP_SIZE + 2];

    if (ban->origin == BAN_BY_JAIL)
        snprintf(class, sizeof(class), "\"%s\"", offence_class_name(ban->class));
    if (event->kind == EVENT_UNBAN) {
        char stamp[EVENT_STAMP_SIZE];
        snprintf(end, sizeof(end), ",\"ended\":\"%s\",\"end\":\"%s\"",
                 event_stamp(ban->ended_ms, stamp), table_end_name(ban->end));
    }
    return snprintf(text, size,
                    ",\"source\":\"%s\",\"jail\":\"%s\",\"scope\":%u,\"ports\":\"%s\","
                    "\"table\":\"%016" PRIx64 "\",\"id\":%" PRIu64 ",\"change\":%" PRIu64
                    ",\"class\":%s,\"failures\":%u,\"first\":\"%s\",\"since\":\"%s\","
                    "\"until\":%s%s%s}",
                    source_print(&ban->source, source), event->jail, (unsigned)ban->scope,
                    print_ports(&event->ports, ports), ban->table_id, ban->id, ban->change, class,
                    (unsigned)ban->failures, event_stamp(ban->first_ms, first),
                    event_stamp(ban->since_ms, since), print_until(ban->until_ms, until),
                    event->is_prolonged ? ",\"prolonged\":true" : "", end);
}

/* Printable ASCII that needs no escaping. */
static const char *
print_words(const char *words, char text[EVENT_WORDS_SIZE])
{
    size_t i = 0;
    for (; i < EVENT_WORDS_SIZE - 1 && words[i] != '\0'; i++) {
        const char byte = words[i];
        text[i] = byte == '"' ? '\'' : byte == '\\' ? '/' : byte < ' ' || byte > '~' ? '?' : byte;
    }
    text[i] = '\0';
    return text;
}

static int
print_other(const struct event *event, char *text, size_t size)
{
    char words[EVENT_WORDS_SIZE];
    bool has_condition = event->condition[0] != '\0';

    return snprintf(text, size, "%s%s%s,\"text\":\"%s\"}", has_condition ? ",\"condition\":\"" : "",
                    event->condition, has_condition ? "\"" : "", print_words(event->words, words));
}

static bool
can_be_printed(const struct event *event)
{
    if (event->origin[0] == '\0')
        return false;
    if (is_of_ban(event))
        return event->jail[0] != '\0' && is_made_of(event->jail, "-_");
    return is_made_of(event->condition, "-_");
}

int
event_print(const struct event *event, char *text, size_t size)
{
    char origin[EVENT_HOST_SIZE], time[EVENT_STAMP_SIZE];

    if (!can_be_printed(event))
        return -EINVAL;
    print_origin(event->origin, origin);
    int length =
        snprintf(text, size, "{\"event\":\"%s\",\"version\":%d,\"time\":\"%s\",\"origin\":\"%s\"",
                 kinds[event->kind], EVENT_VERSION, event_stamp(event->time_ms, time), origin);
    if (length < 0 || (size_t)length >= size)
        return -ENOSPC;
    int more =
        (is_of_ban(event) ? print_ban : print_other)(event, text + length, size - (size_t)length);
    return more < 0 || (size_t)length + (size_t)more >= size ? -ENOSPC : length + more;
}

/* ---- in words ---- */

/* "10m", "24h", "7d 12h": what is longer than two days in days, and no more than two parts. */
static const char *
print_span(int64_t ms, char text[EVENT_SPAN_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t left_s = (ms + 500) / 1000;
    size_t used = 0, parts = 0;

    text[0] = '\0';
    for (size_t i = left_s > 2 * 86400 ? 0 : 1; i < 4 && parts < 2; i++) {
        if (left_s < units[i].seconds && !(i == 3 && parts == 0))
            continue;
        used += (size_t)snprintf(text + used, EVENT_SPAN_SIZE - used, "%s%" PRId64 "%s",
                                 parts++ > 0 ? " " : "", left_s / units[i].seconds, units[i].name);
        left_s %= units[i].seconds;
    }
    return text;
}

static void
say_ban(const struct event *event, char text[EVENT_SENTENCE_SIZE])
{
    const struct ban *ban = &event->ban;
    char source[SOURCE_TEXT_SIZE], span[EVENT_SPAN_SIZE], why[64] = "by hand";
    bool for_ever = ban->until_ms == TABLE_FOREVER_MS;
    int64_t from_ms = event->is_prolonged ? event->time_ms : ban->since_ms;

    if (ban->origin == BAN_BY_JAIL)
        snprintf(why, sizeof(why), "%u failure%s", (unsigned)ban->failures,
                 ban->failures == 1 ? "" : "s");
    snprintf(text, EVENT_SENTENCE_SIZE, "banned %s %s%s%s (jail %s, %s)",
             source_print(&ban->source, source), for_ever ? "for ever" : "for ",
             for_ever ? "" : print_span(ban->until_ms - from_ms, span),
             event->is_prolonged && !for_ever ? " more" : "", event->jail, why);
}

static void
say_unban(const struct event *event, char text[EVENT_SENTENCE_SIZE])
{
    static const char *const ends[] = {[BAN_RUNNING] = "",
                                       [BAN_EXPIRED] = "its time is over",
                                       [BAN_LIFTED_BY_HAND] = "lifted",
                                       [BAN_WITHDRAWN] =
                                           "the failures were no fault of the client's"};
    char source[SOURCE_TEXT_SIZE];

    snprintf(text, EVENT_SENTENCE_SIZE, "unbanned %s (jail %s, %s)",
             source_print(&event->ban.source, source), event->jail, ends[event->ban.end]);
}

const char *
event_say(const struct event *event, char text[EVENT_SENTENCE_SIZE])
{
    char words[EVENT_WORDS_SIZE];

    if (event->kind == EVENT_BAN)
        say_ban(event, text);
    else if (event->kind == EVENT_UNBAN)
        say_unban(event, text);
    else
        snprintf(text, EVENT_SENTENCE_SIZE, "%s%s",
                 event->kind == EVENT_TROUBLE    ? "trouble: "
                 : event->kind == EVENT_RECOVERY ? "no trouble any more: "
                                                 : "",
                 print_words(event->words, words));
    return text;
}

/* ---- parsing ---- */

static int
read_stamp(struct fjson_object *object, const char *key, int64_t *ms)
{
    char text[EVENT_STAMP_SIZE];
    int result = object_text(object, key, text, sizeof(text));
    return result < 0 ? result : event_parse_stamp(text, ms);
}

static int
read_source(struct fjson_object *object, struct source *source)
{
    char text[SOURCE_TEXT_SIZE];
    int result = object_text(object, "source", text, sizeof(text));
    if (result == 0)
        result = source_parse_prefix(text, strlen(text), source);
    return result == 0 && source_is_client(source) ? 0 : -EINVAL;
}

static int
read_table(struct fjson_object *object, uint64_t *table_id)
{
    char text[TABLE_HEX_SIZE];
    if (object_text(object, "table", text, sizeof(text)) < 0 || strlen(text) != 16 ||
        strspn(text, "0123456789abcdef") != 16)
        return -EINVAL;
    return sscanf(text, "%16" SCNx64, table_id) == 1 ? 0 : -EINVAL;
}

/* No class: nobody failed, somebody asked for the ban. */
static int
read_class(struct fjson_object *object, struct ban *ban)
{
    char text[64];
    if (object_is_null(object, "class")) {
        ban->origin = BAN_BY_HAND;
        return 0;
    }
    if (object_text(object, "class", text, sizeof(text)) < 0)
        return -EINVAL;
    int class = offence_class_parse(text, strlen(text));
    if (class < 0)
        return -EINVAL;
    ban->origin = BAN_BY_JAIL;
    ban->class = (enum offence_class) class;
    return 0;
}

static int
read_times(struct fjson_object *object, struct ban *ban)
{
    if (read_stamp(object, "first", &ban->first_ms) < 0 ||
        read_stamp(object, "since", &ban->since_ms) < 0)
        return -EINVAL;
    if (object_is_null(object, "until"))
        ban->until_ms = TABLE_FOREVER_MS;
    else if (read_stamp(object, "until", &ban->until_ms) < 0)
        return -EINVAL;
    return ban->since_ms < ban->until_ms ? 0 : -EINVAL;
}

static int
read_ports(struct fjson_object *object, struct ports *ports)
{
    char text[PORTS_TEXT_SIZE], *rest = text, *word;
    if (object_text(object, "ports", text, sizeof(text)) < 0)
        return -EINVAL;
    if (strcmp(text, "all") == 0)
        return ports_add(ports, text);
    if (strspn(text, "0123456789,") != strlen(text)) /* no names: they are another host's */
        return -EINVAL;
    while ((word = strsep(&rest, ",")) != NULL)
        if (ports_add(ports, word) < 0)
            return -EINVAL;
    return 0;
}

static int
read_kind(struct fjson_object *object, enum event_kind *kind)
{
    char word[EVENT_NAME_SIZE];
    if (object_text(object, "event", word, sizeof(word)) < 0)
        return -EINVAL;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(word, kinds[i]) == 0) {
            *kind = (enum event_kind)i;
            return *kind == EVENT_BAN || *kind == EVENT_UNBAN ? 0 : -ENOMSG;
        }
    return -EINVAL;
}

static int
read_end(struct fjson_object *object, struct ban *ban)
{
    char end[16];
    if (object_text(object, "end", end, sizeof(end)) < 0)
        return -EINVAL;
    ban->end = table_end_parse(end);
    if (ban->end == BAN_RUNNING)
        return -EINVAL;
    return read_stamp(object, "ended", &ban->ended_ms);
}

static int
read_event(struct fjson_object *object, struct event *event)
{
    struct ban *ban = &event->ban;
    int64_t id, change, scope, failures;
    if (object_text(object, "jail", event->jail, sizeof(event->jail)) < 0 ||
        !is_made_of(event->jail, "-_") ||
        object_text(object, "origin", event->origin, sizeof(event->origin)) < 0 ||
        !is_made_of(event->origin, ".-_:") ||
        object_integer(object, "id", 1, INT64_MAX - 1, &id) < 0 ||
        object_integer(object, "change", 0, INT64_MAX - 1, &change) < 0 ||
        object_integer(object, "scope", 0, UINT16_MAX, &scope) < 0 ||
        object_integer(object, "failures", 0, UINT16_MAX, &failures) < 0)
        return -EINVAL;
    ban->id = (uint64_t)id;
    ban->change = (uint64_t)change;
    ban->scope = (uint16_t)scope;
    ban->failures = (uint16_t)failures;
    if (read_stamp(object, "time", &event->time_ms) < 0 || read_source(object, &ban->source) < 0 ||
        read_table(object, &ban->table_id) < 0 || read_ports(object, &event->ports) < 0 ||
        read_class(object, ban) < 0 || read_times(object, ban) < 0 ||
        (event->kind == EVENT_UNBAN && read_end(object, ban) < 0))
        return -EINVAL;
    return 0;
}

int
event_parse(const char *text, size_t length, struct event *event)
{
    if (length >= EVENT_TEXT_SIZE)
        return -EINVAL;
    struct fjson_object *object = object_parse_strict(text, length);
    if (object == NULL)
        return -EINVAL;

    struct event parsed = {0};
    int64_t version;
    int result = object_integer(object, "version", 1, INT32_MAX, &version);
    if (result < 0)
        result = -EINVAL;
    else if (version != EVENT_VERSION)
        result = -EPROTO;
    else
        result = read_kind(object, &parsed.kind);
    if (result == 0)
        result = read_event(object, &parsed);
    fjson_object_put(object);
    if (result == 0)
        *event = parsed;
    return result;
}
