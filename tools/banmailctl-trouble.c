/* trouble: see banmailctl-trouble.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-trouble.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "banmailctl-format.h"
#include "ledger/ledger.h"
#include "table/effect.h"

#define TROUBLE_SIZE   1536
#define REBUILD_SIZE   256
#define REBUILD_FAILED "/var/lib/ombanmail/rebuild-failed"
#define REBUILD_LOG    "/var/log/ombanmail-rebuild.log"

/* What packaging/rebuild-module leaves where no module could be built for this rsyslogd: one line.
 */
static int
read_failed_rebuild(char line[REBUILD_SIZE])
{
    FILE *const file = fopen(REBUILD_FAILED, "re");
    char raw[REBUILD_SIZE] = "";

    if (file == NULL)
        return 0;
    if (fgets(raw, sizeof(raw), file) == NULL)
        raw[0] = '\0';
    fclose(file);
    raw[strcspn(raw, "\n")] = '\0';
    format_clean(raw, line, REBUILD_SIZE);
    return raw[0] != '\0';
}

static void
tell_stopped(const struct condition_facts *facts, char text[TROUBLE_SIZE])
{
    char failed[REBUILD_SIZE];

    (void)facts;
    if (read_failed_rebuild(failed))
        snprintf(text, TROUBLE_SIZE,
                 "%s; bans stand until they run out; see " REBUILD_LOG
                 ", then dpkg-reconfigure ombanmail-rebuild",
                 failed);
    else
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
             "maxBanRate held bans back %" PRIu64 " time%s, last at %s: is a rule or a jail wrong "
             "(banmailctl list --held-back shows whom it spared), or is it an attack by that many "
             "(raise maxBanRate)?",
             facts->health.held_back, report_plural(facts->health.held_back),
             format_stamp(facts->health.held_back_ms, stamp));
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

void
trouble_each(const struct summary *summary, void (*each)(void *context, const char *text),
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
