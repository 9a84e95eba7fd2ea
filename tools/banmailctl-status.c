/* status: first whether anything is wrong, then the rest.
 *
 * What is wrong is a list of sentences, each with its remedy, made in one place and shown as text,
 * as JSON and as the exit status.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-place.h"
#include "banmailctl-words.h"
#include "ledger.h"
#include "table-health.h"

#define TROUBLES_MAX    16
#define TROUBLE_SIZE    768
#define PENDING_WAIT_MS 500 /* a ban of this moment is no trouble yet */
#define POLL_MS         5
#define SILENT_MS       (60 * 60000) /* without any mail line: more than a quiet night has */
#define UNMATCHED_LEAST 10           /* lines that look like a login, in a quarter of an hour */
#define UNMATCHED_SHARE 20           /* one of so many lines that a rule knows */
#define HELD_BACK_MS    (60 * 60000) /* how long a limit that was reached is worth saying */

struct summary {
    struct table_status table;
    struct table_health health;
    struct bans bans;
    int64_t now_ms;
    int64_t silent_ms; /* without a mail line, that is too long */
    size_t tracked, pending, v4;
    size_t by_jail[TABLE_JAILS_MAX]; /* the manual one: bans by hand */
    char troubles[TROUBLES_MAX][TROUBLE_SIZE];
    unsigned trouble_count;
};

__attribute__((format(printf, 2, 3))) static void
add_trouble(struct summary *summary, const char *format, ...)
{
    va_list arguments;

    if (summary->trouble_count == TROUBLES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(summary->troubles[summary->trouble_count++], TROUBLE_SIZE, format, arguments);
    va_end(arguments);
}

static size_t
wait_for_pending(const struct table *table)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    size_t pending = table_pending(table);

    for (int waited = 0; pending && waited < PENDING_WAIT_MS; waited += POLL_MS) {
        nanosleep(&pause, NULL);
        pending = table_pending(table);
    }
    return pending;
}

static void
find_rsyslogd_troubles(struct summary *summary, const struct table *table)
{
    struct jail jail;
    unsigned jails = 0;
    char clean[64];

    if (!summary->table.writer) {
        add_trouble(summary, "rsyslogd does not run, or runs without ombanmail: nothing is "
                             "counted, bans stand until they run out; start it, and look for "
                             "ombanmail in its messages");
        return;
    }
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        jails += table_read_jail(table, i, &jail);
    if (jails == 0)
        add_trouble(summary, "rsyslogd has loaded ombanmail but has no jail: nothing is counted; "
                             "its configuration lacks action(type=\"ombanmail\")");
    if (strcmp(summary->table.version, PACKAGE_VERSION) != 0)
        add_trouble(summary, "rsyslogd runs ombanmail %s, this is banmailctl %s: restart rsyslogd",
                    words_clean(summary->table.version, clean, sizeof(clean)), PACKAGE_VERSION);
}

/* A module that runs and sees nothing is the commonest fault of all. */
static void
find_blindness(struct summary *summary)
{
    const struct table_health *health = &summary->health;
    int64_t since_ms = health->last_message_ms > summary->table.opened_ms
                           ? health->last_message_ms
                           : summary->table.opened_ms;
    char span[WORDS_SPAN_SIZE];

    if (!summary->table.writer)
        return;
    if (summary->now_ms - since_ms >= summary->silent_ms)
        add_trouble(
            summary,
            "no line of a mail server has come for %s: nothing can be counted; look whether "
            "rsyslogd gets Postfix's and Dovecot's lines, and whether its configuration "
            "includes mail.conf",
            words_span(summary->now_ms - since_ms, span));
    if (health->recent_unmatched >= UNMATCHED_LEAST &&
        health->recent_unmatched * UNMATCHED_SHARE > health->recent_matched)
        add_trouble(summary,
                    "%" PRIu64 " lines of the last %s look like failed logins, but no rule knows "
                    "them (%" PRIu64 " were known): the rulebases do not fit this mail server; see "
                    "banmailctl test /var/log/mail.log",
                    health->recent_unmatched, words_span(health->recent_s * 1000, span),
                    health->recent_matched);
}

static void
find_brakes(struct summary *summary)
{
    const struct table_health *health = &summary->health;
    char stamp[WORDS_STAMP_SIZE];

    if (health->paused_until_ms == TABLE_FOREVER_MS)
        add_trouble(summary, "PAUSED: nobody is kept out until banmailctl resume");
    else if (health->paused_until_ms > summary->now_ms)
        add_trouble(summary, "PAUSED: nobody is kept out until %s, or banmailctl resume",
                    words_stamp(health->paused_until_ms, stamp));
    if (health->held_back && summary->now_ms - health->held_back_ms < HELD_BACK_MS)
        add_trouble(summary,
                    "maxBanRate held bans back %" PRIu64 " times, last at %s: is a rule or a jail "
                    "wrong (banmailctl list), or is it an attack by that many (raise maxBanRate)?",
                    health->held_back, words_stamp(health->held_back_ms, stamp));
    if (health->ledger_error && summary->table.writer)
        add_trouble(summary,
                    "the ledger cannot be written: %s; bans are enforced all the same, but would "
                    "not outlive a reboot",
                    ledger_error(health->ledger_error));
}

static void
find_troubles(struct summary *summary, const struct table *table)
{
    char clean[512];

    find_rsyslogd_troubles(summary, table);
    find_brakes(summary);
    find_blindness(summary);
    if (summary->table.trouble[0] && summary->table.writer)
        add_trouble(summary, "%s", words_clean(summary->table.trouble, clean, sizeof(clean)));
    if (summary->pending && summary->table.writer)
        add_trouble(summary, "%zu address%s for the kernel: the bans are not in force as wanted",
                    summary->pending, summary->pending == 1 ? " waits" : "es wait");
    if (summary->table.suspended_ms > summary->now_ms && summary->table.writer)
        add_trouble(summary, "the authentication backend of a host has faults: failed logins do "
                             "not count there meanwhile, at most 10 minutes in an hour; rsyslogd's "
                             "messages name the host, Dovecot's the fault");
    if (summary->bans.count >= summary->table.max_bans)
        add_trouble(summary,
                    "all %" PRIu32 " places for bans are taken, nobody else is banned; "
                    "raise maxBans",
                    summary->table.max_bans);
}

static int
summarize(const struct table *table, struct summary *summary)
{
    summary->pending = wait_for_pending(table);
    summary->now_ms = banmailctl_now_ms();
    table_read_status(table, &summary->table);
    table_read_health(table, summary->now_ms, &summary->health);
    summary->tracked = table_tracked(table);
    if (bans_read(table, summary->now_ms, &summary->bans) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < summary->bans.count; i++) {
        const struct ban *ban = &summary->bans.ban[i];

        summary->v4 += source_is_v4(&ban->source);
        if (ban->jail < TABLE_JAILS_MAX)
            summary->by_jail[ban->jail]++;
    }
    find_troubles(summary, table);
    return 0;
}

/* ---- text ---- */

static void
print_verdict(const struct summary *summary)
{
    if (summary->trouble_count == 0)
        printf("%sfine%s: ombanmail counts and its bans are in force\n", words_colour(WORDS_GOOD),
               words_colour(WORDS_PLAIN));
    for (unsigned i = 0; i < summary->trouble_count; i++)
        printf("%sTROUBLE%s: %s\n", words_colour(WORDS_BAD), words_colour(WORDS_PLAIN),
               summary->troubles[i]);
}

static void
print_rsyslogd(const struct place *place, const struct summary *summary)
{
    char span[WORDS_SPAN_SIZE], stamp[WORDS_STAMP_SIZE], clean[TABLE_PATH_SIZE * 4];

    if (summary->table.writer)
        printf("rsyslogd  process %ld, since %s (%s)\n", (long)summary->table.writer,
               words_span(summary->now_ms - summary->table.opened_ms, span),
               words_stamp(summary->table.opened_ms, stamp));
    else
        printf("rsyslogd  does not have the table open; last opened %s\n",
               words_stamp(summary->table.opened_ms, stamp));
    printf("table     %s\n", words_clean(place->table, clean, sizeof(clean)));
    printf("ledger    %s\n", words_clean(summary->table.ledger_path, clean, sizeof(clean)));
}

static void
print_jail(const struct jail *jail, size_t banned)
{
    char name[JAIL_NAME_SIZE * 4], span[WORDS_SETTING_SIZE], threshold[64];

    snprintf(threshold, sizeof(threshold), "%u failures in %s", jail->maxretry,
             words_setting(jail->findtime_s, span));
    printf("%-16s  %-28s  %-12s  %6zu\n", words_clean(jail->name, name, sizeof(name)), threshold,
           jail->bantime_s == JAIL_FOREVER ? "for ever" : words_setting(jail->bantime_s, span),
           banned);
}

static void
print_jails(const struct table *table, const struct summary *summary)
{
    struct jail jail;

    printf("\n%s%-16s  %-28s  %-12s  %6s%s\n", words_colour(WORDS_BOLD), "JAIL", "THRESHOLD",
           "BANTIME", "BANNED", words_colour(WORDS_PLAIN));
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail))
            print_jail(&jail, summary->by_jail[i]);
    printf("%-16s  %-28s  %-12s  %6zu\n", JAIL_MANUAL, "banned by hand", "-",
           summary->by_jail[TABLE_JAIL_MANUAL]);
}

static void
print_numbers(const struct summary *summary)
{
    const struct table_status *table = &summary->table;
    const struct table_health *health = &summary->health;
    char stamp[WORDS_STAMP_SIZE], span[WORDS_SPAN_SIZE];

    printf("\nlines     %" PRIu64 " of mail servers, %" PRIu64 " known to a rule, %" PRIu64
           " unknown that look like a login;\n          the latest %s%s\n",
           health->messages, health->matched, health->unmatched,
           health->last_message_ms ? words_span(summary->now_ms - health->last_message_ms, span)
                                   : "has not come yet",
           health->last_message_ms ? " ago" : "");
    printf("tracked   %zu clients, room for %" PRIu32 "\n", summary->tracked, table->capacity);
    printf("banned    %zu (%zu IPv4, %zu IPv6), room for %" PRIu32 "; %zu waiting for the kernel\n",
           summary->bans.count, summary->v4, summary->bans.count - summary->v4, table->max_bans,
           summary->pending);
    printf("totals    since %s:\n"
           "          %" PRIu64 " failures counted, %" PRIu64 " duplicates merged, %" PRIu64
           " withdrawn,\n"
           "          %" PRIu64 " bans, %" PRIu64 " lifted, %" PRIu64 " clients evicted, %" PRIu64
           " bans refused for want of room\n",
           words_stamp(table->created_ms, stamp), table->counted, table->duplicates,
           table->withdrawn, table->bans, table->unbans, table->evicted, table->refused);
}

static void
print_text(const struct place *place, const struct table *table, const struct summary *summary)
{
    print_verdict(summary);
    print_rsyslogd(place, summary);
    print_jails(table, summary);
    print_numbers(summary);
}

/* ---- JSON ---- */

static struct fjson_object *
jail_json(const struct jail *jail, size_t banned)
{
    struct fjson_object *object = fjson_object_new_object(), *classes = fjson_object_new_array();

    words_add_string(object, "name", jail->name);
    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (jail->classes & OFFENCE_BIT(i))
            fjson_object_array_add(classes, fjson_object_new_string(offence_class_name(i)));
    fjson_object_object_add(object, "classes", classes);
    words_add_number(object, "maxretry", jail->maxretry);
    words_add_number(object, "findtime", (uint64_t)jail->findtime_s);
    if (jail->bantime_s == JAIL_FOREVER)
        fjson_object_object_add(object, "bantime", NULL);
    else
        words_add_number(object, "bantime", (uint64_t)jail->bantime_s);
    words_add_number(object, "ipv4Prefix", jail->v4_bits);
    words_add_number(object, "ipv6Prefix", jail->v6_bits);
    words_add_number(object, "banned", banned);
    return object;
}

static struct fjson_object *
jails_json(const struct table *table, const struct summary *summary)
{
    struct fjson_object *array = fjson_object_new_array();
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail))
            fjson_object_array_add(array, jail_json(&jail, summary->by_jail[i]));
    return array;
}

static struct fjson_object *
rsyslogd_json(const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object();

    words_add_bool(object, "running", summary->table.writer != 0);
    words_add_number(object, "pid", (uint64_t)summary->table.writer);
    words_add_time(object, "opened", summary->table.opened_ms);
    words_add_string(object, "version", summary->table.version);
    return object;
}

static struct fjson_object *
table_json(const struct place *place, const struct table_status *table)
{
    struct fjson_object *object = fjson_object_new_object();
    char id[32];

    snprintf(id, sizeof(id), "%016" PRIx64, table->table_id);
    words_add_string(object, "path", place->table);
    words_add_string(object, "id", id);
    words_add_string(object, "ledger", table->ledger_path);
    words_add_time(object, "created", table->created_ms);
    words_add_number(object, "capacity", table->capacity);
    words_add_number(object, "maxBans", table->max_bans);
    return object;
}

static struct fjson_object *
numbers_json(const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object();

    words_add_number(object, "tracked", summary->tracked);
    words_add_number(object, "banned", summary->bans.count);
    words_add_number(object, "banned4", summary->v4);
    words_add_number(object, "banned6", summary->bans.count - summary->v4);
    words_add_number(object, "bannedByHand", summary->by_jail[TABLE_JAIL_MANUAL]);
    words_add_number(object, "pending", summary->pending);
    return object;
}

static struct fjson_object *
totals_json(const struct table_status *table)
{
    struct fjson_object *object = fjson_object_new_object();

    words_add_number(object, "failures", table->counted);
    words_add_number(object, "duplicates", table->duplicates);
    words_add_number(object, "withdrawn", table->withdrawn);
    words_add_number(object, "bans", table->bans);
    words_add_number(object, "unbans", table->unbans);
    words_add_number(object, "evicted", table->evicted);
    words_add_number(object, "refused", table->refused);
    return object;
}

static struct fjson_object *
health_json(const struct summary *summary)
{
    const struct table_health *health = &summary->health;
    struct fjson_object *object = fjson_object_new_object();

    words_add_number(object, "messages", health->messages);
    words_add_number(object, "matched", health->matched);
    words_add_number(object, "unmatched", health->unmatched);
    words_add_number(object, "recentSeconds", (uint64_t)health->recent_s);
    words_add_number(object, "recentMessages", health->recent_messages);
    words_add_number(object, "recentMatched", health->recent_matched);
    words_add_number(object, "recentUnmatched", health->recent_unmatched);
    if (health->last_message_ms)
        words_add_time(object, "lastMessage", health->last_message_ms);
    else
        fjson_object_object_add(object, "lastMessage", NULL);
    words_add_bool(object, "paused", health->paused_until_ms > summary->now_ms);
    words_add_number(object, "heldBack", health->held_back);
    words_add_bool(object, "ledgerFine", health->ledger_error == 0);
    return object;
}

static void
print_json(const struct place *place, const struct table *table, const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object(), *troubles = fjson_object_new_array();

    for (unsigned i = 0; i < summary->trouble_count; i++)
        fjson_object_array_add(troubles, fjson_object_new_string(summary->troubles[i]));
    words_add_bool(object, "fine", summary->trouble_count == 0);
    fjson_object_object_add(object, "troubles", troubles);
    fjson_object_object_add(object, "rsyslogd", rsyslogd_json(summary));
    fjson_object_object_add(object, "table", table_json(place, &summary->table));
    fjson_object_object_add(object, "jails", jails_json(table, summary));
    fjson_object_object_add(object, "now", numbers_json(summary));
    fjson_object_object_add(object, "health", health_json(summary));
    fjson_object_object_add(object, "totals", totals_json(&summary->table));
    words_print_json(object);
}

int
status_main(const struct invocation *invocation)
{
    struct summary summary = {.silent_ms =
                                  invocation->forever ? SILENT_MS : invocation->for_s * 1000};
    struct place place;
    struct table *table;
    int status;

    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    if (summarize(table, &summary) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    else {
        (invocation->json ? print_json : print_text)(&place, table, &summary);
        status = summary.trouble_count ? EXIT_NO : EXIT_FINE;
    }
    bans_free(&summary.bans);
    table_close(table);
    return status;
}
