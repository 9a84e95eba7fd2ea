/* banmailctl test: what the rulebases make of log files.
 *
 * Each line is taken apart as rsyslog's parsers do it (stamp, host, tag, message), normalized with
 * liblognorm, and handed to the counter: the same rulebases and the same code as in the module, so
 * what is printed here is what the module would do. It touches neither its table nor the kernel.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-test.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banmailctl-format.h"
#include "banmailctl-location.h"
#include "banmailctl-reader.h"
#include "banmailctl-tally.h"
#include "banmailctl-trial.h"
#include "control/origins.h"
#include "line/evidence.h"
#include "line/offence.h"
#include "rules/jail.h"
#include "rules/jails-file.h"
#include "rules/preset.h"
#include "base/source.h"

struct test {
    bool each, json, missed;
    struct log_reader reader;
    struct jail jails[TABLE_JAILS_MAX]; /* that count */
    unsigned jail_count;
    struct trial *trial;
    int64_t now_s;
    bool journal;  /* also, or alone where no file is named */
    int64_t for_s; /* of the journal; 0: all */
    struct tally tally;
};

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
note_bans(struct test *test, const struct counter_outcome *outcome)
{
    struct jail jail;
    struct ban made;

    while (outcome->banning != 0 && trial_next_ban(test->trial, &made)) {
        struct tally_ban ban = {.source = made.source,
                                .class = made.class,
                                .stamp_ms = made.since_ms,
                                .until_ms = made.until_ms,
                                .line = test->tally.lines};

        if (!trial_jail(test->trial, made.jail, &jail))
            continue;
        strcpy(ban.jail, jail.name);
        if (tally_add_ban(&test->tally, &ban) != 0)
            reader_say("out of memory: not all bans will be listed");
    }
}

/* A terminal obeys what clients have put into it, a file takes it as it is. */
static void
print_missed(struct piece line)
{
    for (size_t i = 0; i < line.length; i++) {
        const unsigned char byte = (unsigned char)line.bytes[i];

        if ((byte >= ' ' && byte <= '~') || byte == '\t')
            putchar(byte);
        else
            printf("\\x%02x", byte);
    }
    putchar('\n');
}

/* What no rule knows. */
static void
take_unknown(struct test *test, const struct reader_line *line)
{
    const struct piece message = line->entry.message;

    test->tally.unmatched++;
    if (line->is_mail && evidence_looks_like_login(message.bytes, message.length))
        tally_unknown_login(&test->tally, line->text.bytes, line->text.length);
    if (line->is_mail && test->missed)
        print_missed(line->text);
}

static void
take_line(void *context, struct reader_line *line)
{
    struct test *const test = context;
    const struct offence *const offence = line->fields != NULL ? &line->offence : NULL;
    struct counter_outcome outcome = {0};

    test->tally.lines++;
    test->tally.mail_lines += line->is_mail;
    lacks_note(&test->tally.lacks, line);
    if (offence != NULL) {
        try_line(test, &line->entry, line->fields, &outcome);
        note_bans(test, &outcome);
        tally_class(&test->tally, offence->class, outcome.counts);
    } else {
        take_unknown(test, line);
    }
    if (test->each && test->json)
        print_each_json(test->tally.lines, offence, &outcome);
    else if (test->each)
        print_each(test->tally.lines, offence, &outcome);
}

static bool
prints_lines(const void *context)
{
    const struct test *const test = context;

    return test->each || test->missed;
}

static void
print_help(void)
{
    puts(
        "Usage: banmailctl test [--each] [--json] [--missed] [--rulebase FILE]... [FILE...]\n"
        "       banmailctl test --journal [--for TIME]\n"
        "\n"
        "What the module would make of log files (or of standard input): how many lines of each\n"
        "class, how many of them count, who would have been banned and when. Nobody is banned. "
        "Files\n"
        "may be compressed with gzip.\n"
        "\n"
        "  -e, --each           one line of output for each line of the log\n"
        "  -j, --json           as JSON; with --each one object a line\n"
        "  -J, --journal        read this machine's journal: what is of the mail facility\n"
        "  -f, --for TIME       of the journal, the last TIME: 90 (seconds), 10m, 24h, 7d, 1w\n"
        "  -p, --preset NAME    with the jails of this preset: balanced, strict, lenient, observe\n"
        "  -c, --jails FILE     with the jails of this file, or of a directory as /etc/fail2ban;\n"
        "                       without either, with those of the rsyslogd that runs here, or "
        "with\n"
        "                       those of the preset balanced\n"
        "      --doveconf FILE  what doveconf -n has printed, and --postconf FILE, what postconf "
        "-n "
        "has:\n"
        "                       tells which of their settings hide something from ombanmail\n"
        "  -m, --missed         print the lines of Postfix and Dovecot that no rule knows\n"
        "  -r, --rulebase FILE  this liblognorm rulebase in place of the shipped ones, for lines "
        "of\n"
        "                       any program; may be given several times: the first that knows the\n"
        "                       line decides\n"
        "\n"
        "A log may have traditional, RFC 3339 or RFC 5424 lines, or be Dovecot's or Postfix's own\n"
        "file (log_path, maillog_file), or what a container has written, with the prefixes of "
        "Docker,\n"
        "Docker Compose, Kubernetes and CRI, or a file of busybox', BSD's or Solaris's syslogd,\n"
        "or what multilog or s6-log has put a TAI64N stamp in front of.\n"
        "\n"
        "Examples:\n"
        "  banmailctl test /var/log/mail.log\n"
        "  banmailctl test /var/log/mail.log.2.gz /var/log/mail.log.1 /var/log/mail.log\n"
        "  banmailctl test --journal --for 7d\n"
        "  docker logs mail 2>&1 | banmailctl test --json | jq .bans");
}

static void
take_jails(struct test *test, struct jails *jails)
{
    for (test->jail_count = 0; test->jail_count < jails->count; test->jail_count++)
        test->jails[test->jail_count] = jails->at[test->jail_count].jail;
    jails_free(jails);
}

static int
read_preset(struct test *test, const char *name)
{
    char reason[SETTINGS_REASON_SIZE];
    struct jails *jails;
    const int error = preset_read(name, &jails, reason);

    if (error != 0)
        reader_say("--preset: %s", reason);
    else
        take_jails(test, jails);
    return error;
}

static int
read_jails(struct test *test, const char *path)
{
    char reason[SETTINGS_REASON_SIZE];
    struct jails *jails;
    const int error = jails_read(path, &jails, reason);

    if (error != 0)
        reader_say("%s", reason);
    else
        take_jails(test, jails);
    return error;
}

/* Those of the rsyslogd that runs here, or that ran last; by the table where it has left no file.
 */
static void
read_jails_in_force(struct test *test)
{
    char reason[LOCATION_REASON_SIZE > SETTINGS_REASON_SIZE ? LOCATION_REASON_SIZE
                                                            : SETTINGS_REASON_SIZE];
    char path[PATH_MAX + sizeof(ORIGINS_JAILS)];
    struct location place;
    struct jails *jails;
    const struct table *table;

    if (location_find(NULL, &place, reason) != 0)
        return;
    snprintf(path, sizeof(path), "%s" ORIGINS_JAILS, place.table);
    if (jails_read(path, &jails, reason) == 0) {
        take_jails(test, jails);
        return;
    }
    if (location_read(&place, &table, reason) != 0)
        return;
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++) {
        struct jail *const jail = &test->jails[test->jail_count];

        test->jail_count += table_read_jail(table, i, jail) && jail->classes != 0;
    }
    table_close_reader(table);
}

/* Where none are named: those in force, or where there are none the default preset's. */
static int
choose_jails(struct test *test)
{
    if (test->jail_count == 0)
        read_jails_in_force(test);
    return test->jail_count > 0 ? 0 : read_preset(test, PRESET_DEFAULT);
}

enum { DOVECONF = 256, POSTCONF }; /* options without a letter */

const struct option test_options[] = {
    {"each", no_argument, NULL, 'e'},
    {"json", no_argument, NULL, 'j'},
    {"missed", no_argument, NULL, 'm'},
    {"rulebase", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {"journal", no_argument, NULL, 'J'},
    {"for", required_argument, NULL, 'f'},
    {"preset", required_argument, NULL, 'p'},
    {"jails", required_argument, NULL, 'c'},
    {"doveconf", required_argument, NULL, DOVECONF},
    {"postconf", required_argument, NULL, POSTCONF},
    {0},
};

static int
read_daemon(struct test *test, int option, const char *path)
{
    char reason[LACKS_REASON_SIZE];
    const int error = (option == DOVECONF ? lacks_read_doveconf
                                          : lacks_read_postconf)(&test->tally.lacks, path, reason);

    if (error != 0)
        reader_say("--%s: %s", option == DOVECONF ? "doveconf" : "postconf", reason);
    return error != 0 ? -EIO : 0;
}

/* Returns 0, or -EINVAL or -EIO after it said why, or 1 after --help. */
static int
read_options(struct test *test, int argc, char **argv)
{
    int option;

    optind = 0; /* 0, not 1: GNU getopt starts anew, whatever the caller parsed before */
    while ((option = getopt_long(argc, argv, "ejmr:hJf:p:c:", test_options, NULL)) != -1) {
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
            if (reader_add_rulebase(&test->reader, optarg, true) != 0)
                return -EIO;
            break;
        case 'J':
            test->journal = true;
            break;
        case 'p':
            if (read_preset(test, optarg) != 0)
                return -EINVAL;
            break;
        case 'c':
            if (read_jails(test, optarg) != 0)
                return -EIO;
            break;
        case 'f':
            if (jail_parse_time(optarg, false, &test->for_s) != 0) {
                reader_say(
                    "--for: that is not a time; allowed are 90 (seconds), 90s, 10m, 24h, 7d, 1w");
                return -EINVAL;
            }
            break;
        case DOVECONF:
        case POSTCONF:
            if (read_daemon(test, option, optarg) != 0)
                return -EIO;
            break;
        case 'h':
            print_help();
            return 1;
        default:
            return -EINVAL;
        }
    }
    if (test->for_s != 0 && !test->journal) {
        reader_say("--for belongs to --journal: banmailctl test --journal --for 24h");
        return -EINVAL;
    }
    return 0;
}

int
test_main(int argc, char **argv)
{
    struct test test = {.reader = {prints_lines, take_line, &test, NULL, 0}};
    int status = read_options(&test, argc, argv);

    if (status != 0) {
        status = status == 1 ? 0 : status == -EINVAL ? 2 : 3;
        goto done;
    }
    test.now_s = (int64_t)time(NULL);
    if (choose_jails(&test) != 0) {
        status = 3;
        goto done;
    }
    test.trial = trial_new(test.jails, test.jail_count);
    if (test.trial == NULL || reader_add_shipped(&test.reader) != 0) {
        if (test.trial == NULL)
            reader_say("out of memory");
        status = 3;
        goto done;
    }
    if (reader_run(&test.reader, test.journal ? test.for_s : -1, argv + optind, argc - optind) != 0)
        status = 3;
    if (status == 3 && test.tally.lines == 0)
        goto done;
    if (!test.each && test.json)
        tally_print_json(&test.tally);
    else if (!test.each && !test.missed)
        tally_print(&test.tally);
done:
    tally_free(&test.tally);
    reader_free(&test.reader);
    trial_free(test.trial);
    return status;
}
