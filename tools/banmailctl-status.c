/* status: first whether anything is wrong, then the rest.
 *
 * What is wrong is decided in libbanmail, for the module's statistics too; here each condition gets
 * a sentence with its remedy, shown as text and as JSON, and the exit status.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-effect.h"
#include "banmailctl-format.h"
#include "banmailctl-summary.h"
#include "banmailctl-trouble.h"

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
    trouble_each(summary, print_trouble, NULL);
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

static const char *
origin_of(const struct summary *summary, const struct jail *jail)
{
    const char *const origin = origins_find(&summary->origins, jail->name);

    return origin != NULL ? origin : jail->classes == 0 ? "declared no more" : "an action";
}

static bool
is_asked_for(const struct summary *summary, const struct jail *jail)
{
    return summary->only == NULL || strcmp(jail->name, summary->only) == 0;
}

static void
print_jail(const struct summary *summary, const struct jail *jail, uint64_t lines, size_t banned)
{
    char name[JAIL_NAME_SIZE * 4], span[FORMAT_SETTING_SIZE], threshold[64];
    char origin[ORIGINS_ORIGIN_SIZE * 4];

    snprintf(threshold, sizeof(threshold), "%u failure%s in %s", jail->maxretry,
             report_plural(jail->maxretry), format_setting(jail->findtime_s, span));
    printf("%-16s  %-28s  %-12s  %8" PRIu64 "  %6zu  %s%s%s%s\n",
           format_clean(jail->name, name, sizeof(name)), threshold,
           jail->bantime_s == JAIL_FOREVER ? "for ever" : format_setting(jail->bantime_s, span),
           lines, banned, format_clean(origin_of(summary, jail), origin, sizeof(origin)),
           jail->is_observing ? ", bans nobody (observes)" : "",
           jail->is_per_host ? ", counts each host by itself" : "",
           jail->verdict == VERDICT_OF_MODULE ? ""
           : jail->verdict == VERDICT_REJECT  ? ", rejects"
                                              : ", drops");
}

/* Jails to which no failure has come while others have seen some. */
static void
print_deaf_jails(const struct table *table, const struct summary *summary)
{
    char name[JAIL_NAME_SIZE * 4];
    struct jail jail;
    uint64_t most = 0;

    for (unsigned i = 0; i < TABLE_JAILS_MAX; i++)
        most = table_jail_lines(table, i) > most ? table_jail_lines(table, i) : most;
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX && most > 0; i++)
        if (table_read_jail(table, i, &jail) && jail.classes != 0 && is_asked_for(summary, &jail) &&
            table_jail_lines(table, i) == 0 && strcmp(origin_of(summary, &jail), "an action") == 0)
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
        if (table_read_jail(table, i, &jail) && is_asked_for(summary, &jail))
            print_jail(summary, &jail, table_jail_lines(table, i), summary->by_jail[i]);
    if (summary->only == NULL)
        printf("%-16s  %-28s  %-12s  %8s  %6zu\n", JAIL_MANUAL, "banned by hand", "-", "-",
               summary->by_jail[TABLE_JAIL_MANUAL]);
    print_deaf_jails(table, summary);
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
    printf("tracked   %zu client%s, room for %" PRIu32 "\n", summary->tracked,
           report_plural(summary->tracked), table->capacity);
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
        printf("NOTE: %" PRIu64 " line%s not counted because of who wrote %s, the latest at "
               "%s by the user with number %" PRIu32 ": somebody here writes lines of Postfix or "
               "Dovecot; if these run as that user, name him in trustedUsers\n",
               health->untrusted, health->untrusted == 1 ? " was" : "s were",
               health->untrusted == 1 ? "it" : "them", format_stamp(health->untrusted_ms, stamp),
               health->untrusted_uid);
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
jail_json(const struct summary *summary, const struct jail *jail, uint64_t lines, size_t banned)
{
    struct fjson_object *object = fjson_object_new_object(), *classes = fjson_object_new_array();

    format_add_string(object, "name", jail->name);
    format_add_string(object, "origin", origin_of(summary, jail));
    format_add_bool(object, "observes", jail->is_observing);
    format_add_string(object, "scope", jail_scope(jail));
    format_add_string(object, "verdict", verdict_name(jail_verdict(jail, summary->policy.verdict)));
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
        if (table_read_jail(table, i, &jail) && is_asked_for(summary, &jail))
            fjson_object_array_add(
                array, jail_json(summary, &jail, table_jail_lines(table, i), summary->by_jail[i]));
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

    trouble_each(summary, add_trouble, troubles);
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

int
status_main(const struct invocation *invocation)
{
    const int64_t silent_ms = invocation->forever ? CONDITION_SILENT_MS : invocation->for_s * 1000;
    const char *const only = invocation->count > 0 ? invocation->words[0] : NULL;
    struct summary summary;
    struct location place;
    const struct table *table;
    int status;

    if ((status = banmailctl_read(invocation, &place, &table)) != EXIT_FINE)
        return status;
    if (only != NULL && !bans_has_jail(table, only)) {
        table_close_reader(table);
        return banmailctl_fail(invocation, EXIT_USAGE, "there is no jail of this name");
    }
    if (summary_read(&place, table, silent_ms, &summary) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    else {
        summary.only = only;
        (invocation->json ? print_json : print_text)(&place, table, &summary);
        status = summary.conditions ? EXIT_NO : EXIT_FINE;
    }
    summary_free(&summary);
    table_close_reader(table);
    return status;
}
