/* status: first whether anything is wrong, then the rest.
 *
 * What is wrong is decided in libbanmail, for the module's statistics too; here each condition gets
 * a sentence with its remedy, shown as text and as JSON, and the exit status.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-effect.h"
#include "banmailctl-location.h"
#include "banmailctl-format.h"
#include "table/effect.h"
#include "control/condition.h"
#include "control/origins.h"
#include "control/setup.h"
#include "ledger/ledger.h"
#include "kernel/policy.h"

#define TROUBLE_SIZE    1536
#define PENDING_WAIT_MS 500 /* a ban of this moment is no trouble yet */
#define POLL_MS         5

struct summary {
    struct condition_facts facts;
    struct firewall_policy policy;
    char setup[SETUP_SIZE];
    uint32_t conditions;
    struct bans bans;
    size_t tracked, v4;
    size_t by_jail[TABLE_JAILS_MAX]; /* the manual one: bans by hand */
};

/* Returns what waits all the same: not what came meanwhile. */
static size_t
wait_for_pending(const struct table *table)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    const int64_t now_ms = banmailctl_now_ms();

    for (int waited = 0; bans_waiting(table, now_ms) > 0 && waited < PENDING_WAIT_MS;
         waited += POLL_MS)
        nanosleep(&pause, NULL);
    return bans_waiting(table, now_ms);
}

/* ---- a sentence for each condition, with its remedy ---- */

static void
tell_stopped(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    (void)facts;
    snprintf(text, TROUBLE_SIZE,
             "rsyslogd does not run, or runs without ombanmail: nothing is counted, bans stand "
             "until they run out; start it, and look for ombanmail in its messages");
}

static void
tell_no_jail(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    (void)facts;
    snprintf(text, TROUBLE_SIZE,
             "rsyslogd has loaded ombanmail but has no jail: nothing is counted; its configuration "
             "lacks action(type=\"ombanmail\")");
}

static void
tell_version(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    char clean[64];

    snprintf(text, TROUBLE_SIZE,
             "rsyslogd runs ombanmail %s, this is banmailctl %s: restart rsyslogd",
             format_clean(facts->status.version, clean, sizeof(clean)), PACKAGE_VERSION);
}

static void
tell_paused(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    char stamp[FORMAT_STAMP_SIZE];

    if (facts->health.paused_until_ms == TABLE_FOREVER_MS)
        snprintf(text, TROUBLE_SIZE, "PAUSED: nobody is kept out until banmailctl resume");
    else
        snprintf(text, TROUBLE_SIZE, "PAUSED: nobody is kept out until %s, or banmailctl resume",
                 format_stamp(facts->health.paused_until_ms, stamp));
}

static void
tell_held_back(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    char stamp[FORMAT_STAMP_SIZE];

    snprintf(text, TROUBLE_SIZE,
             "maxBanRate held bans back %" PRIu64 " times, last at %s: is a rule or a jail wrong "
             "(banmailctl list --held-back shows whom it spared), or is it an attack by that many "
             "(raise maxBanRate)?",
             facts->health.held_back, format_stamp(facts->health.held_back_ms, stamp));
}

static void
tell_ledger(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    snprintf(text, TROUBLE_SIZE,
             "the ledger cannot be written: %s; bans are enforced all the same, but would not "
             "outlive a reboot",
             ledger_error(facts->health.ledger_error));
}

static void
tell_silent(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    const int64_t message_ms = facts->health.last_message_ms, opened_ms = facts->status.opened_ms;
    char span[FORMAT_SPAN_SIZE];

    snprintf(text, TROUBLE_SIZE,
             "no line of a mail server has come for %s: nothing can be counted; look whether "
             "rsyslogd gets Postfix's and Dovecot's lines, and whether its configuration includes "
             "mail.conf",
             format_span(facts->now_ms - (message_ms > opened_ms ? message_ms : opened_ms), span));
}

static void
tell_unmatched(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    const struct table_health *health = &facts->health;
    char span[FORMAT_SPAN_SIZE];

    snprintf(text, TROUBLE_SIZE,
             "%" PRIu64 " lines of the last %s look like failed logins, but no rule knows them "
             "(%" PRIu64 " were known): the rulebases do not fit this mail server; see banmailctl "
             "test /var/log/mail.log",
             health->recent_unmatched, format_span(health->recent_s * 1000, span),
             health->recent_matched);
}

static void
tell_lost(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    const uint64_t *lost = facts->health.lost;
    char stamp[FORMAT_STAMP_SIZE];

    snprintf(text, TROUBLE_SIZE,
             "rsyslogd has lost messages before ombanmail could see them, last at %s: %" PRIu64
             " by imjournal's rate limit (raise its ratelimit.burst), %" PRIu64
             " or more by the limits of other inputs (rsyslogd's messages name them), %" PRIu64
             " by queues that were full (raise queue.size, or find what holds them up)",
             format_stamp(facts->health.lost_ms, stamp), lost[TABLE_LOST_JOURNAL],
             lost[TABLE_LOST_INPUT], lost[TABLE_LOST_QUEUE]);
}

static void
tell_kernel(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    format_clean(facts->status.trouble, text, TROUBLE_SIZE);
}

static void
tell_waiting(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    snprintf(text, TROUBLE_SIZE,
             "%zu address%s for the kernel: the bans are not in force as wanted", facts->pending,
             facts->pending == 1 ? " waits" : "es wait");
}

static void
tell_ineffective_ban(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    char source[SOURCE_TEXT_SIZE], why[EFFECT_TEXT_SIZE];

    source_print(&facts->first.source, source);
    snprintf(text, TROUBLE_SIZE,
             "%zu ban%s no effect: they are in force, but failures of their clients go on, as of "
             "%s; %s; see banmailctl why %s",
             facts->ineffective, facts->ineffective == 1 ? " has" : "s have", source,
             effect_explain(&facts->first, &facts->jail, facts->set, why), source);
}

static void
tell_backend(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    const struct table_outage *outage = &facts->health.outage;
    char host[TABLE_HOST_SIZE * 4], stamp[FORMAT_STAMP_SIZE], others[48] = "";

    if (outage->places > 1)
        snprintf(others, sizeof(others), " (and of %u more)", outage->places - 1);
    snprintf(text, TROUBLE_SIZE,
             "the authentication backend of %s%s has faults since %s: failed logins %s; Dovecot's "
             "messages there name the fault",
             format_clean(outage->host, host, sizeof(host)), others,
             format_stamp(outage->since_ms, stamp),
             outage->until_ms != 0 ? "do not count there meanwhile, at most 10 minutes in an hour"
                                   : "count there again, as it takes longer than 10 minutes");
}

static void
tell_full(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    snprintf(text, TROUBLE_SIZE,
             "all %" PRIu32 " places for bans are taken, nobody else is banned; raise maxBans",
             facts->status.max_bans);
}

static void (*const tell[CONDITIONS])(const struct condition_facts *facts,
                                      char text[TROUBLE_SIZE]) = {
    [CONDITION_STOPPED] = tell_stopped,     [CONDITION_NO_JAIL] = tell_no_jail,
    [CONDITION_VERSION] = tell_version,     [CONDITION_PAUSED] = tell_paused,
    [CONDITION_HELD_BACK] = tell_held_back, [CONDITION_LEDGER] = tell_ledger,
    [CONDITION_SILENT] = tell_silent,       [CONDITION_UNMATCHED] = tell_unmatched,
    [CONDITION_LOST] = tell_lost,           [CONDITION_KERNEL] = tell_kernel,
    [CONDITION_WAITING] = tell_waiting,     [CONDITION_BACKEND] = tell_backend,
    [CONDITION_FULL] = tell_full,           [CONDITION_INEFFECTIVE] = tell_ineffective_ban,
};

static int
summarize(const struct location *place, const struct table *table, int64_t silent_ms,
          struct summary *summary)
{
    const size_t waiting = wait_for_pending(table);

    condition_read(table, banmailctl_now_ms(), &summary->facts);
    summary->facts.pending = waiting;
    policy_read(place->table, &summary->policy);
    setup_read(place->table, summary->setup);
    summary->facts.setup = summary->setup;
    summary->facts.set =
        summary->policy.set[source_is_v4(&summary->facts.first.source) ? FIREWALL_V4 : FIREWALL_V6];
    summary->conditions = condition_find(&summary->facts, silent_ms);
    summary->tracked = table_tracked(table);
    if (bans_read(table, summary->facts.now_ms, &summary->bans) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < summary->bans.count; i++) {
        const struct ban *ban = &summary->bans.ban[i];

        summary->v4 += source_is_v4(&ban->source);
        if (ban->jail < TABLE_JAILS_MAX)
            summary->by_jail[ban->jail]++;
    }
    return 0;
}

/* The configuration may have several. */
static void
for_each_fault(const struct summary *summary, void (*each)(void *context, const char *text),
               void *context)
{
    char line[SETUP_SIZE], clean[SETUP_SIZE];

    for (const char *at = summary->setup; *at != '\0'; at += strspn(at, "\n")) {
        const size_t length = strcspn(at, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)length, at);
        each(context, format_clean(line, clean, sizeof(clean)));
        at += length;
    }
}

static void
for_each_trouble(const struct summary *summary, void (*each)(void *context, const char *text),
                 void *context)
{
    char text[TROUBLE_SIZE];

    for (unsigned i = 0; i < CONDITIONS; i++) {
        if (!(summary->conditions & CONDITION_BIT(i)))
            continue;
        if (i == CONDITION_CONFIGURATION) {
            for_each_fault(summary, each, context);
            continue;
        }
        tell[i](&summary->facts, text);
        each(context, text);
    }
}

/* ---- text ---- */

static void
print_trouble(void *context, const char *text)
{
    (void)context;
    printf("%sTROUBLE%s: %s\n", format_colour(FORMAT_BAD), format_colour(FORMAT_PLAIN), text);
}

static void
print_verdict(const struct summary *summary)
{

    if (summary->conditions == 0)
        printf("%sfine%s: ombanmail counts and its bans are in force\n", format_colour(FORMAT_GOOD),
               format_colour(FORMAT_PLAIN));
    for_each_trouble(summary, print_trouble, NULL);
}

static void
print_rsyslogd(const struct location *place, const struct summary *summary)
{
    char span[FORMAT_SPAN_SIZE], stamp[FORMAT_STAMP_SIZE], clean[TABLE_PATH_SIZE * 4];

    if (summary->facts.status.writer)
        printf("rsyslogd  process %ld, since %s (%s)\n", (long)summary->facts.status.writer,
               format_span(summary->facts.now_ms - summary->facts.status.opened_ms, span),
               format_stamp(summary->facts.status.opened_ms, stamp));
    else
        printf("rsyslogd  does not have the table open; last opened %s\n",
               format_stamp(summary->facts.status.opened_ms, stamp));
    printf("table     %s\n", format_clean(place->table, clean, sizeof(clean)));
    printf("ledger    %s\n", format_clean(summary->facts.status.ledger_path, clean, sizeof(clean)));
}

/* Of the jails that there are now; others only keep their bans. */
static struct origins origins;

/* Which jail is asked for; NULL: all. */
static const char *only;

static const char *
origin_of(const struct jail *jail)
{
    const char *const origin = origins_find(&origins, jail->name);

    return origin != NULL ? origin : jail->classes == 0 ? "declared no more" : "an action";
}

static bool
is_asked_for(const struct jail *jail)
{
    return only == NULL || strcmp(jail->name, only) == 0;
}

static void
print_jail(const struct jail *jail, uint64_t lines, size_t banned)
{
    char name[JAIL_NAME_SIZE * 4], span[FORMAT_SETTING_SIZE], threshold[64];
    char origin[ORIGINS_ORIGIN_SIZE * 4];

    snprintf(threshold, sizeof(threshold), "%u failures in %s", jail->maxretry,
             format_setting(jail->findtime_s, span));
    printf("%-16s  %-28s  %-12s  %8" PRIu64 "  %6zu  %s%s\n",
           format_clean(jail->name, name, sizeof(name)), threshold,
           jail->bantime_s == JAIL_FOREVER ? "for ever" : format_setting(jail->bantime_s, span),
           lines, banned, format_clean(origin_of(jail), origin, sizeof(origin)),
           jail->is_observing ? ", bans nobody (observes)" : "");
}

/* Jails to which no failure has come while others have seen some. */
static void
print_deaf_jails(const struct table *table)
{
    char name[JAIL_NAME_SIZE * 4];
    struct jail jail;
    uint64_t most = 0;

    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++)
        most = table_jail_lines(table, i) > most ? table_jail_lines(table, i) : most;
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX && most > 0; i++)
        if (table_read_jail(table, i, &jail) && jail.classes != 0 && is_asked_for(&jail) &&
            table_jail_lines(table, i) == 0 && strcmp(origin_of(&jail), "an action") == 0)
            printf("NOTE: no failure has come to jail %s since rsyslogd started, %" PRIu64
                   " to another: do Postfix's and Dovecot's lines pass its action, and of the "
                   "classes that it counts?\n",
                   format_clean(jail.name, name, sizeof(name)), most);
}

static void
print_jails(const struct table *table, const struct summary *summary)
{
    struct jail jail;

    printf("\n%s%-16s  %-28s  %-12s  %8s  %6s  %s%s\n", format_colour(FORMAT_BOLD), "JAIL",
           "THRESHOLD", "BANTIME", "LINES", "BANNED", "FROM", format_colour(FORMAT_PLAIN));
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && is_asked_for(&jail))
            print_jail(&jail, table_jail_lines(table, i), summary->by_jail[i]);
    if (only == NULL)
        printf("%-16s  %-28s  %-12s  %8s  %6zu\n", JAIL_MANUAL, "banned by hand", "-", "-",
               summary->by_jail[TABLE_JAIL_MANUAL]);
    print_deaf_jails(table);
}

static void
print_numbers(const struct summary *summary)
{
    const struct table_status *table = &summary->facts.status;
    const struct table_health *health = &summary->facts.health;
    char stamp[FORMAT_STAMP_SIZE], span[FORMAT_SPAN_SIZE];

    printf("\nlines     %" PRIu64 " of mail servers, %" PRIu64 " known to a rule, %" PRIu64
           " unknown that look like a login;\n          the latest %s%s\n",
           health->messages, health->matched, health->unmatched,
           health->last_message_ms
               ? format_span(summary->facts.now_ms - health->last_message_ms, span)
               : "has not come yet",
           health->last_message_ms ? " ago" : "");
    printf("tracked   %zu clients, room for %" PRIu32 "\n", summary->tracked, table->capacity);
    printf("banned    %zu (%zu IPv4, %zu IPv6), room for %" PRIu32 "; %zu waiting for the kernel\n",
           summary->bans.count, summary->v4, summary->bans.count - summary->v4, table->max_bans,
           summary->facts.pending);
    printf("totals    since %s:\n"
           "          %" PRIu64 " failures counted, %" PRIu64 " duplicates merged, %" PRIu64
           " withdrawn, %" PRIu64 " lines repeated,\n"
           "          %" PRIu64 " bans, %" PRIu64 " lifted, %" PRIu64 " clients evicted, %" PRIu64
           " bans refused for want of room\n",
           format_stamp(table->created_ms, stamp), table->counted, table->duplicates,
           table->withdrawn, table->repeated, table->bans, table->unbans, table->evicted,
           table->refused);
}

static void
print_id_log(const struct table *table, const struct summary *summary)
{
    if (table_logs_ids(table, summary->facts.now_ms))
        printf("NOTE: Dovecot logs what IMAP clients say of themselves (imap_id_log): only logins "
               "whose line has mpid= are taken for logins; leave it off where you can\n");
}

static void
print_untrusted(const struct summary *summary)
{
    const struct table_health *health = &summary->facts.health;
    char stamp[FORMAT_STAMP_SIZE];

    if (health->untrusted != 0)
        printf("NOTE: %" PRIu64 " lines were not counted because of who wrote them, the latest at "
               "%s by the user with number %" PRIu32 ": somebody here writes lines of Postfix or "
               "Dovecot; if these run as that user, name him in trustedUsers\n",
               health->untrusted, format_stamp(health->untrusted_ms, stamp), health->untrusted_uid);
}

static void
print_learning(const struct table *table, const struct summary *summary)
{
    const int64_t until_ms = table_learns_until(table);
    char stamp[FORMAT_STAMP_SIZE];

    if (until_ms > summary->facts.now_ms)
        printf("NOTE: until %s twice as many failures make a ban, as logins and mails before the "
               "first start are not known (learningTime)\n",
               format_stamp(until_ms, stamp));
}

static void
print_text(const struct location *place, const struct table *table, const struct summary *summary)
{
    print_verdict(summary);
    gateways_print(table, summary->facts.now_ms);
    print_id_log(table, summary);
    print_untrusted(summary);
    print_learning(table, summary);
    print_rsyslogd(place, summary);
    print_jails(table, summary);
    print_numbers(summary);
}

/* ---- JSON ---- */

static struct fjson_object *
jail_json(const struct jail *jail, uint64_t lines, size_t banned)
{
    struct fjson_object *object = fjson_object_new_object(), *classes = fjson_object_new_array();

    format_add_string(object, "name", jail->name);
    format_add_string(object, "origin", origin_of(jail));
    format_add_bool(object, "observes", jail->is_observing);
    for (int i = 0; i < OFFENCE_CLASSES; i++)
        if (jail->classes & OFFENCE_BIT(i))
            fjson_object_array_add(classes, fjson_object_new_string(offence_class_name(i)));
    fjson_object_object_add(object, "classes", classes);
    format_add_number(object, "maxretry", jail->maxretry);
    format_add_number(object, "findtime", (uint64_t)jail->findtime_s);
    if (jail->bantime_s == JAIL_FOREVER)
        fjson_object_object_add(object, "bantime", NULL);
    else
        format_add_number(object, "bantime", (uint64_t)jail->bantime_s);
    format_add_number(object, "ipv4Prefix", jail->v4_bits);
    format_add_number(object, "ipv6Prefix", jail->v6_bits);
    format_add_number(object, "lines", lines);
    format_add_number(object, "banned", banned);
    return object;
}

static struct fjson_object *
jails_json(const struct table *table, const struct summary *summary)
{
    struct fjson_object *array = fjson_object_new_array();
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && is_asked_for(&jail))
            fjson_object_array_add(
                array, jail_json(&jail, table_jail_lines(table, i), summary->by_jail[i]));
    return array;
}

static struct fjson_object *
rsyslogd_json(const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_bool(object, "running", summary->facts.status.writer != 0);
    format_add_number(object, "pid", (uint64_t)summary->facts.status.writer);
    format_add_time(object, "opened", summary->facts.status.opened_ms);
    format_add_string(object, "version", summary->facts.status.version);
    return object;
}

static struct fjson_object *
table_json(const struct location *place, const struct table_status *table)
{
    struct fjson_object *object = fjson_object_new_object();
    char id[32];

    snprintf(id, sizeof(id), "%016" PRIx64, table->table_id);
    format_add_string(object, "path", place->table);
    format_add_string(object, "id", id);
    format_add_string(object, "ledger", table->ledger_path);
    format_add_time(object, "created", table->created_ms);
    format_add_number(object, "capacity", table->capacity);
    format_add_number(object, "maxBans", table->max_bans);
    return object;
}

static struct fjson_object *
numbers_json(const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_number(object, "tracked", summary->tracked);
    format_add_number(object, "banned", summary->bans.count);
    format_add_number(object, "banned4", summary->v4);
    format_add_number(object, "banned6", summary->bans.count - summary->v4);
    format_add_number(object, "bannedByHand", summary->by_jail[TABLE_JAIL_MANUAL]);
    format_add_number(object, "pending", summary->facts.pending);
    return object;
}

static struct fjson_object *
totals_json(const struct table_status *table)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_number(object, "failures", table->counted);
    format_add_number(object, "duplicates", table->duplicates);
    format_add_number(object, "withdrawn", table->withdrawn);
    format_add_number(object, "repeated", table->repeated);
    format_add_number(object, "bans", table->bans);
    format_add_number(object, "unbans", table->unbans);
    format_add_number(object, "evicted", table->evicted);
    format_add_number(object, "refused", table->refused);
    return object;
}

static struct fjson_object *
outage_json(const struct table_outage *outage)
{
    struct fjson_object *object;
    char host[TABLE_HOST_SIZE * 4];

    if (outage->places == 0)
        return NULL;
    object = fjson_object_new_object();
    format_add_string(object, "host", format_clean(outage->host, host, sizeof(host)));
    format_add_number(object, "places", outage->places);
    format_add_time(object, "since", outage->since_ms);
    format_add_bool(object, "suspended", outage->until_ms != 0);
    return object;
}

static struct fjson_object *
health_json(const struct table *table, const struct summary *summary)
{
    const struct table_health *health = &summary->facts.health;
    struct fjson_object *object = fjson_object_new_object();

    format_add_number(object, "messages", health->messages);
    format_add_number(object, "matched", health->matched);
    format_add_number(object, "unmatched", health->unmatched);
    format_add_number(object, "recentSeconds", (uint64_t)health->recent_s);
    format_add_number(object, "recentMessages", health->recent_messages);
    format_add_number(object, "recentMatched", health->recent_matched);
    format_add_number(object, "recentUnmatched", health->recent_unmatched);
    if (health->last_message_ms)
        format_add_time(object, "lastMessage", health->last_message_ms);
    else
        fjson_object_object_add(object, "lastMessage", NULL);
    format_add_bool(object, "paused", health->paused_until_ms > summary->facts.now_ms);
    format_add_number(object, "heldBack", health->held_back);
    format_add_number(object, "untrusted", health->untrusted);
    format_add_bool(object, "ledgerFine", health->ledger_error == 0);
    format_add_number(object, "lostJournal", health->lost[TABLE_LOST_JOURNAL]);
    format_add_number(object, "lostInput", health->lost[TABLE_LOST_INPUT]);
    format_add_number(object, "lostQueue", health->lost[TABLE_LOST_QUEUE]);
    fjson_object_object_add(object, "outage", outage_json(&health->outage));
    format_add_bool(object, "idsLogged", table_logs_ids(table, summary->facts.now_ms));
    format_add_bool(object, "learning", table_learns_until(table) > summary->facts.now_ms);
    return object;
}

static void
add_trouble(void *context, const char *text)
{
    fjson_object_array_add(context, fjson_object_new_string(text));
}

static void
print_json(const struct location *place, const struct table *table, const struct summary *summary)
{
    struct fjson_object *object = fjson_object_new_object(), *troubles = fjson_object_new_array();
    struct fjson_object *conditions = fjson_object_new_array();

    for_each_trouble(summary, add_trouble, troubles);
    for (unsigned i = 0; i < CONDITIONS; i++)
        if (summary->conditions & CONDITION_BIT(i))
            fjson_object_array_add(conditions, fjson_object_new_string(condition_name(i)));
    format_add_bool(object, "fine", summary->conditions == 0);
    fjson_object_object_add(object, "conditions", conditions);
    fjson_object_object_add(object, "troubles", troubles);
    fjson_object_object_add(object, "rsyslogd", rsyslogd_json(summary));
    fjson_object_object_add(object, "table", table_json(place, &summary->facts.status));
    fjson_object_object_add(object, "jails", jails_json(table, summary));
    fjson_object_object_add(object, "now", numbers_json(summary));
    fjson_object_object_add(object, "health", health_json(table, summary));
    fjson_object_object_add(object, "ineffective",
                            ineffective_json(table, &summary->bans, summary->facts.now_ms));
    fjson_object_object_add(object, "gateways", gateways_json(table, summary->facts.now_ms));
    fjson_object_object_add(object, "totals", totals_json(&summary->facts.status));
    format_print_json(object);
}

static bool
has_jail(const struct table *table, const char *name)
{
    struct jail jail;

    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail) && strcmp(jail.name, name) == 0)
            return true;
    return false;
}

int
status_main(const struct invocation *invocation)
{
    const int64_t silent_ms = invocation->forever ? CONDITION_SILENT_MS : invocation->for_s * 1000;
    struct summary summary = {0};
    struct location place;
    struct table *table;
    int status;

    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    origins_read(place.table, &origins);
    only = invocation->count > 0 ? invocation->words[0] : NULL;
    if (only != NULL && !has_jail(table, only)) {
        table_close(table);
        return banmailctl_fail(invocation, EXIT_USAGE, "there is no jail of this name");
    }
    if (summarize(&place, table, silent_ms, &summary) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    else {
        (invocation->json ? print_json : print_text)(&place, table, &summary);
        status = summary.conditions ? EXIT_NO : EXIT_FINE;
    }
    bans_free(&summary.bans);
    table_close(table);
    return status;
}
