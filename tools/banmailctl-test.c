/* banmailctl test: what the rulebases make of log files.
 *
 * Each line is taken apart as rsyslog's parsers do it (stamp, host, tag, message), normalized with
 * liblognorm, and handed to the counter: the same rulebases and the same code as in the module, so
 * what is printed here is what the module would do. It touches neither its table nor the kernel.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-test.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json.h>
#include <liblognorm.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "banmailctl-trial.h"
#include "banmailctl-unwrap.h"
#include "line/offence.h"
#include "base/source.h"

#ifndef PKGDATADIR
#define PKGDATADIR "/usr/share/ombanmail"
#endif

enum { RULEBASES_MAX = 16 };

struct test {
    bool each, json, missed, given; /* given: --rulebase, for lines of any program */
    ln_ctx rulebases[RULEBASES_MAX];
    int rulebase_count;
    char *message; /* the line's, with a space in front; grows */
    size_t message_size;
    struct trial *trial;
    int64_t now_s;
    uint64_t lines, mail_lines, unmatched, counting, banning;
    uint64_t classes[OFFENCE_CLASSES], counting_of[OFFENCE_CLASSES];
};

enum { POSTFIX, DOVECOT }; /* places in rulebases[], unless given */

/* ---- a line of a log ---- */

struct entry {
    struct piece stamp, host, tag, message;
    unsigned repeated; /* `message repeated N times: [ … ]` */
};

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

static struct piece
skip(struct piece line, size_t length)
{
    return (struct piece){.bytes = line.bytes + length, .length = line.length - length};
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
        rest = skip(rest, at < rest.length ? at + 1 : at);
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
            (word.length == 8 && memcmp(word.bytes, "dovecot", 7) == 0));
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
    entry.message = skip(rest, entry.tag.length);
    if (entry.message.length > 0 && entry.message.bytes[0] == ':')
        entry.message = skip(entry.message, 1);
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
    const size_t length = traditional_stamp(line);

    return length == 0 ? iso_stamp(line) : length;
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
        inner = unwrap_stream(skip(line, stamp));
        next = stamp_length(inner);
        stamp = next == 0 ? stamp : next;
    } while (next != 0);
    entry = split_traditional(inner);
    entry.stamp = (struct piece){.bytes = line.bytes, .length = stamp};
    return entry;
}

static struct entry
split_line(struct piece line)
{
    struct entry entry;
    const char *end = NULL;

    if (line.length > 2 && line.bytes[0] == '<' && isdigit((unsigned char)line.bytes[1]))
        end = memchr(line.bytes, '>', line.length < 6 ? line.length : 6);
    if (end != NULL)
        line = skip(line, (size_t)(end - line.bytes) + 1);
    if (end != NULL && line.length > 2 && memcmp(line.bytes, "1 ", 2) == 0)
        entry = split_5424(skip(line, 2));
    else
        entry = split_stamped(line);
    unwrap_repeated(&entry);
    return entry;
}

static bool
names(struct piece tag, const char *program)
{
    return tag.length > 0 && memmem(tag.bytes, tag.length, program, strlen(program)) != NULL;
}

/* ---- rulebases ---- */

static void
say(const char *format, ...)
{
    va_list arguments;

    fputs("banmailctl test: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void
say_rule_error(void *cookie, const char *text, size_t length)
{
    (void)cookie;
    say("%.*s", (int)length, text);
}

static int
add_rulebase(struct test *test, const char *path)
{
    ln_ctx context = NULL;

    if (test->rulebase_count == RULEBASES_MAX) {
        say("more than %d rulebases", RULEBASES_MAX);
        return -E2BIG;
    }
    if (access(path, R_OK) != 0) {
        say("cannot read rulebase %s: %s", path, strerror(errno));
        return -errno;
    }
    context = ln_initCtx();
    if (context == NULL)
        return -ENOMEM;
    ln_setErrMsgCB(context, say_rule_error, NULL);
    test->rulebases[test->rulebase_count++] = context;
    if (ln_loadSamples(context, path) != 0) {
        say("rulebase %s is not one of liblognorm version 2, or has errors", path);
        return -EINVAL;
    }
    return 0;
}

/* Beside an executable that is not installed there is ../rulebases (../../rulebases from libtool's
 * .libs); else the rulebases are where `make install` put them. */
static void
default_path(char path[PATH_MAX], const char *name)
{
    static const char *const places[] = {"/../rulebases", "/../../rulebases"};
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    for (size_t i = 0; length > 0 && i < sizeof places / sizeof places[0]; i++) {
        program[length] = '\0';
        slash = strrchr(program, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        if (snprintf(path, PATH_MAX, "%s%s/%s", program, places[i], name) < PATH_MAX &&
            access(path, R_OK) == 0)
            return;
        *slash = '/';
    }
    snprintf(path, PATH_MAX, "%s/%s", PKGDATADIR, name);
}

static int
add_default_rulebases(struct test *test)
{
    static const char *const files[] = {[POSTFIX] = "postfix.rb", [DOVECOT] = "dovecot.rb"};
    char path[PATH_MAX];
    int error = 0;

    for (int i = 0; i < 2 && error == 0; i++) {
        default_path(path, files[i]);
        error = add_rulebase(test, path);
    }
    return error;
}

/* ---- normalizing ---- */

/* The message with exactly what rsyslog's $msg has in front, a space, and NUL behind it, one byte
 * of which liblognorm may look at. */
static int
set_message(struct test *test, struct piece message, size_t *length)
{
    const bool has_space = message.length > 0 && message.bytes[0] == ' ';

    if (message.length + 2 > test->message_size) {
        char *larger = realloc(test->message, message.length + 2);
        if (larger == NULL)
            return -ENOMEM;
        test->message = larger;
        test->message_size = message.length + 2;
    }
    test->message[0] = ' ';
    memcpy(test->message + !has_space, message.bytes, message.length);
    *length = message.length + !has_space;
    test->message[*length] = '\0';
    return 0;
}

static struct fjson_object *
normalize_with(struct test *test, ln_ctx rulebase, size_t length, struct offence *offence)
{
    struct fjson_object *fields = NULL;

    if (ln_normalize(rulebase, test->message, length, &fields) == 0 &&
        offence_read(fields, offence) == 0)
        return fields;
    fjson_object_put(fields);
    return NULL;
}

/* Returns the fields of the first rulebase that knows the line, or NULL. Put them. */
static struct fjson_object *
normalize(struct test *test, const struct entry *entry, struct offence *offence)
{
    struct fjson_object *fields = NULL;
    size_t length;

    if (set_message(test, entry->message, &length) != 0)
        return NULL;
    if (!test->given) {
        const bool is_dovecot = names(entry->tag, "dovecot");
        return is_dovecot || names(entry->tag, "postfix")
                   ? normalize_with(test, test->rulebases[is_dovecot ? DOVECOT : POSTFIX], length,
                                    offence)
                   : NULL;
    }
    for (int i = 0; i < test->rulebase_count && fields == NULL; i++)
        fields = normalize_with(test, test->rulebases[i], length, offence);
    return fields;
}

/* ---- what is printed ---- */

/* Bytes of a well-formed UTF-8 character at the front of text (RFC 3629), or 0. */
static size_t
utf8_length(const unsigned char *text, size_t length)
{
    const unsigned char first = text[0], second = length > 1 ? text[1] : 0;
    const size_t need = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;

    if (need == 0 || need > length)
        return 0;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

/* A JSON string of bytes that may be anything: what is not UTF-8 becomes U+FFFD. */
static struct fjson_object *
json_bytes(const char *bytes, size_t length)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char clean[OFFENCE_USER_MAX * 3];
    size_t used = 0;

    for (size_t i = 0; i < length && used + 4 <= sizeof clean;) {
        const size_t step = utf8_length((const unsigned char *)bytes + i, length - i);
        memcpy(clean + used, step ? bytes + i : replacement, step ? step : 3);
        used += step ? step : 3;
        i += step ? step : 1;
    }
    return fjson_object_new_string_len(clean, (int)used);
}

static void
print_json(struct fjson_object *object)
{
    puts(fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
    fjson_object_put(object);
}

static void
print_each_json(uint64_t line, const struct offence *offence, const struct counter_outcome *outcome)
{
    struct fjson_object *object = fjson_object_new_object();
    char address[SOURCE_TEXT_SIZE];

    fjson_object_object_add(object, "line", fjson_object_new_int64((int64_t)line));
    if (offence == NULL) {
        fjson_object_object_add(object, "class", NULL);
        print_json(object);
        return;
    }
    fjson_object_object_add(object, "class",
                            fjson_object_new_string(offence_class_name(offence->class)));
    fjson_object_object_add(object, "ip",
                            offence->has_client ? fjson_object_new_string(source_print_address(
                                                      &offence->client, address))
                                                : NULL);
    fjson_object_object_add(object, "user", json_bytes(offence->user, offence->user_length));
    fjson_object_object_add(object, "service",
                            json_bytes(offence->service, offence->service_length));
    fjson_object_object_add(object, "attempts", fjson_object_new_int64(offence->attempts));
    fjson_object_object_add(object, "counts", fjson_object_new_boolean(outcome->counts));
    if (outcome->banning != 0)
        fjson_object_object_add(object, "bans", fjson_object_new_boolean(true));
    if (offence->method_length > 0)
        fjson_object_object_add(object, "method",
                                json_bytes(offence->method, offence->method_length));
    if (offence->code != 0)
        fjson_object_object_add(object, "code", fjson_object_new_int64(offence->code));
    if (offence->dsn != 0) {
        char dsn[sizeof "5.255.255" * 2];
        snprintf(dsn, sizeof dsn, "%u.%u.%u", offence->dsn / 1000000, offence->dsn / 1000 % 1000,
                 offence->dsn % 1000);
        fjson_object_object_add(object, "dsn", fjson_object_new_string(dsn));
    }
    if (offence->flags & OFFENCE_SESSION_MISMATCH)
        fjson_object_object_add(object, "sessionMismatch", fjson_object_new_boolean(true));
    print_json(object);
}

static void
print_each(uint64_t line, const struct offence *offence, const struct counter_outcome *outcome)
{
    char address[SOURCE_TEXT_SIZE] = "-";

    if (offence == NULL) {
        printf("%" PRIu64 "\t-\n", line);
        return;
    }
    if (offence->has_client)
        source_print_address(&offence->client, address);
    printf("%" PRIu64 "\t%s\t%s\t%u\t%s\n", line, offence_class_name(offence->class), address,
           offence->attempts, outcome->counts ? "counts" : "-");
}

static void
print_totals_json(const struct test *test)
{
    struct fjson_object *object = fjson_object_new_object(), *classes = fjson_object_new_object();

    fjson_object_object_add(object, "lines", fjson_object_new_int64((int64_t)test->lines));
    fjson_object_object_add(object, "mail", fjson_object_new_int64((int64_t)test->mail_lines));
    fjson_object_object_add(object, "unmatched", fjson_object_new_int64((int64_t)test->unmatched));
    fjson_object_object_add(object, "counting", fjson_object_new_int64((int64_t)test->counting));
    fjson_object_object_add(object, "bans", fjson_object_new_int64((int64_t)test->banning));
    fjson_object_object_add(object, "classes", classes);
    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (test->classes[i] > 0)
            fjson_object_object_add(classes, offence_class_name((enum offence_class)i),
                                    fjson_object_new_int64((int64_t)test->classes[i]));
    print_json(object);
}

static void
print_totals(const struct test *test)
{
    printf("%10s %10s  %s\n", "lines", "counting", "class");
    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (test->classes[i] > 0)
            printf("%10" PRIu64 " %10" PRIu64 "  %s\n", test->classes[i], test->counting_of[i],
                   offence_class_name((enum offence_class)i));
    printf("%10" PRIu64 " %10s  no class\n", test->unmatched, "-");
    printf("%10" PRIu64 " %10" PRIu64 "  in all, %" PRIu64 " of them Postfix's or Dovecot's\n",
           test->lines, test->counting, test->mail_lines);
    printf("%10" PRIu64 " %10s  bans would have come of them\n", test->banning, "");
}

/* ---- the run ---- */

static struct line_bytes
bytes_of(struct piece piece)
{
    return (struct line_bytes){piece.bytes == NULL ? "" : piece.bytes, piece.length};
}

/* As rsyslog takes it from the tag. */
static struct piece
program_of(struct piece tag)
{
    size_t length = 0;

    while (length < tag.length && tag.bytes[length] != '[' && tag.bytes[length] != ':')
        length++;
    return (struct piece){.bytes = tag.bytes, .length = length};
}

/* What the module would do. (It would have made an offence of its own of the fields.) */
static void
try_line(struct test *test, const struct entry *entry, struct fjson_object *fields,
         struct counter_outcome *outcome)
{
    struct line line = {.fields = fields,
                        .host = bytes_of(entry->host),
                        .tag = bytes_of(entry->tag),
                        .program = bytes_of(program_of(entry->tag)),
                        .input = {"file", 4},
                        .text = bytes_of(entry->message)};

    if (entry->repeated > 1)
        fjson_object_object_add(fields, "repeated", fjson_object_new_int(entry->repeated));
    line.stamp_us = trial_stamp(entry->stamp.bytes == NULL ? "" : entry->stamp.bytes,
                                entry->stamp.length, test->now_s, &line.has_microseconds);
    trial_take(test->trial, &line, outcome);
}

static void
run_line(struct test *test, struct piece line)
{
    const struct entry entry = split_line(line);
    struct counter_outcome outcome = {0};
    struct offence offence;
    struct fjson_object *fields = NULL;

    test->lines++;
    test->mail_lines += names(entry.tag, "postfix") || names(entry.tag, "dovecot");
    if (entry.tag.length > 0)
        fields = normalize(test, &entry, &offence);
    if (fields != NULL) {
        offence.attempts *= entry.repeated;
        if (offence.attempts > OFFENCE_ATTEMPTS_MAX)
            offence.attempts = OFFENCE_ATTEMPTS_MAX;
        offence_service_from_tag(&offence, entry.tag.bytes, entry.tag.length);
        try_line(test, &entry, fields, &outcome);
        test->classes[offence.class]++;
        test->counting_of[offence.class] += outcome.counts;
        test->counting += outcome.counts;
        test->banning += (unsigned)__builtin_popcountll(outcome.banning);
    } else {
        test->unmatched++;
        if (test->missed && (names(entry.tag, "postfix") || names(entry.tag, "dovecot")))
            printf("%.*s\n", (int)line.length, line.bytes);
    }
    if (test->each && test->json)
        print_each_json(test->lines, fields ? &offence : NULL, &outcome);
    else if (test->each)
        print_each(test->lines, fields ? &offence : NULL, &outcome);
    fjson_object_put(fields);
}

/* A line of Docker's json-file is an object that holds the line. */
static void
run_wrapped(struct test *test, struct piece line)
{
    char *const text = unwrap_json(line);

    run_line(test, text == NULL ? line : (struct piece){.bytes = text, .length = strlen(text)});
    free(text);
}

static int
run_stream(struct test *test, FILE *stream)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int error;

    while ((length = getline(&line, &size, stream)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        run_wrapped(test, (struct piece){.bytes = line, .length = (size_t)length});
    }
    error = ferror(stream) ? -EIO : 0;
    free(line);
    return error;
}

static int
run_file(struct test *test, const char *path)
{
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    int error;

    if (stream == NULL) {
        say("cannot read %s: %s", path, strerror(errno));
        return -errno;
    }
    error = run_stream(test, stream);
    if (error != 0)
        say("cannot read %s to its end", path);
    if (stream != stdin)
        fclose(stream);
    return error;
}

static void
print_help(void)
{
    puts(
        "banmailctl test [--each] [--json] [--missed] [--rulebase FILE]... [FILE...]\n"
        "\n"
        "What the module would make of log files (or of standard input), with the default jail: "
        "how\n"
        "many lines of each class, how many of them count, how many bans. Nobody is banned.\n"
        "\n"
        "  -e, --each           one line of output for each line of the log\n"
        "  -j, --json           as JSON; with --each one object a line\n"
        "  -m, --missed         print the lines of Postfix and Dovecot that no rule knows\n"
        "  -r, --rulebase FILE  this liblognorm rulebase in place of the shipped ones, for lines "
        "of\n"
        "                       any program; may be given several times: the first that knows the\n"
        "                       line decides\n"
        "\n"
        "A log may have traditional, RFC 3339 or RFC 5424 lines, or be Dovecot's or Postfix's own\n"
        "file (log_path, maillog_file), or what a container has written, with the prefixes of "
        "Docker,\n"
        "Docker Compose, Kubernetes and CRI, or a file of busybox', BSD's or Solaris's syslogd.");
}

/* Returns 0, or -EINVAL after it said why, or 1 after --help. */
static int
read_options(struct test *test, int argc, char **argv)
{
    static const struct option options[] = {
        {"each", no_argument, NULL, 'e'},   {"json", no_argument, NULL, 'j'},
        {"missed", no_argument, NULL, 'm'}, {"rulebase", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},   {0},
    };
    int option;

    optind = 0; /* 0, not 1: GNU getopt starts anew, whatever the caller parsed before */
    while ((option = getopt_long(argc, argv, "ejmr:h", options, NULL)) != -1) {
        switch (option) {
        case 'e':
            test->each = true;
            break;
        case 'j':
            test->json = true;
            break;
        case 'm':
            test->missed = true;
            break;
        case 'r':
            test->given = true;
            if (add_rulebase(test, optarg) != 0)
                return -EIO;
            break;
        case 'h':
            print_help();
            return 1;
        default:
            return -EINVAL;
        }
    }
    return 0;
}

int
test_main(int argc, char **argv)
{
    struct test test = {0};
    int status = read_options(&test, argc, argv);

    if (status != 0) {
        status = status == 1 ? 0 : status == -EINVAL ? 2 : 3;
        goto done;
    }
    test.now_s = (int64_t)time(NULL);
    test.trial = trial_new();
    if (test.trial == NULL || (!test.given && add_default_rulebases(&test) != 0)) {
        if (test.trial == NULL)
            say("out of memory");
        status = 3;
        goto done;
    }
    if (optind == argc && run_file(&test, "-") != 0)
        status = 3;
    for (int i = optind; i < argc; i++)
        if (run_file(&test, argv[i]) != 0)
            status = 3;
    if (!test.each && test.json)
        print_totals_json(&test);
    else if (!test.each && !test.missed)
        print_totals(&test);
done:
    for (int i = 0; i < test.rulebase_count; i++)
        ln_exitCtx(test.rulebases[i]);
    trial_free(test.trial);
    free(test.message);
    return status;
}
