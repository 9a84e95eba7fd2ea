/* news: see news.h.
 *
 * An attack of thousands goes past a ban in thousands of cases with one cause: five of them are
 * told in an hour, and where to look for the others.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"
#include "rsyslog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "table/effect.h"
#include "control/condition.h"
#include "control/growth.h"
#include "complaints.h"
#include "dispatch.h"
#include "engine.h"
#include "news.h"
#include "statistics.h"
#include "table/table-effect.h"
#include "table/table-gateway.h"
#include "table/table-health.h"
#include "teller.h"

#define MOST_AN_HOUR 5
#define HOUR_MS      3600000
#define NETWORKS_MS  10000 /* containers come and go */
#define LOOK_MS      2000  /* at what is wrong */
#define HELD_MS      10000 /* events may wait so long before that is a trouble */
#define SET_SIZE     FIREWALL_SET_SIZE

struct kind {
    const char *others; /* said in place of the sixth */
    int64_t begun_ms;
    unsigned said;
};

static struct kind ineffective = {.others =
                                      "the bans of more clients have no effect; they are not told "
                                      "one by one this hour: banmailctl status"};
static struct kind gateways = {.others = "more clients are not banned because they look like "
                                         "gateways; they are not told one by one this hour: "
                                         "banmailctl status"};
static char sets[2][SET_SIZE]; /* IPv4, IPv6: the administrator's, or "" */
static struct growth growth;
static int64_t networks_ms; /* when they were looked at */

void
news_begin(const struct parameters *parameters)
{
    snprintf(sets[0], SET_SIZE, "%s", parameters->set4 != NULL ? parameters->set4 : "");
    snprintf(sets[1], SET_SIZE, "%s", parameters->set6 != NULL ? parameters->set6 : "");
    ineffective.said = gateways.said = 0;
    ineffective.begun_ms = gateways.begun_ms = 0;
    networks_ms = 0;
    growth_begin(&growth, NULL);
}

/* Whether one more may be told; where it is the first that may not, what is told instead. */
static bool
may_tell(struct kind *kind, int64_t now_ms)
{
    if (now_ms - kind->begun_ms >= HOUR_MS || now_ms < kind->begun_ms)
        *kind = (struct kind){.others = kind->others, .begun_ms = now_ms};
    if (kind->said > MOST_AN_HOUR)
        return false;
    if (kind->said++ < MOST_AN_HOUR)
        return true;
    report_say(&engine_report, LOG_WARNING, "%s", kind->others);
    return false;
}

static void
tell_ineffective(const struct ban *ban)
{
    char source[SOURCE_TEXT_SIZE], why[EFFECT_TEXT_SIZE];
    const bool is_v4 = source_is_v4(&ban->source);
    struct jail jail = {.name = "?"};
    const bool has_jail = table_read_jail(engine.table, ban->jail, &jail);

    report_say(&engine_report, LOG_WARNING,
               "the ban of %s by jail %s has no effect: it is in force, but %" PRIu32
               " failures of it came after that; %s",
               source_print(&ban->source, source), jail.name, ban->after,
               effect_explain(ban, has_jail ? &jail : NULL, sets[is_v4 ? 0 : 1], why));
}

static void
say_warnings(void)
{
    const int64_t now_ms = engine_now_ms();
    char text[GATEWAY_TEXT_SIZE];
    struct table_gateway gateway;
    struct ban ban;

    if (counter_gateways(engine.counter) != NULL &&
        (now_ms - networks_ms >= NETWORKS_MS || now_ms < networks_ms)) {
        networks_ms = now_ms;
        gateway_look(counter_gateways(engine.counter));
    }
    while (table_dequeue_ineffective(engine.table, &ban))
        if (may_tell(&ineffective, now_ms))
            tell_ineffective(&ban);
    while (table_dequeue_gateway(engine.table, &gateway))
        if (may_tell(&gateways, now_ms))
            report_say(&engine_report, LOG_WARNING, "%s", gateway_explain(&gateway, text));
}

/* ---- what is wrong ---- */

/* The conditions that rsyslogd itself can tell, as statistics. */
static void
count_conditions(const struct condition_facts *facts)
{
    static const enum statistic statistics[CONDITIONS] = {
        [CONDITION_NO_JAIL] = STATISTIC_TROUBLE_JAIL,
        [CONDITION_PAUSED] = STATISTIC_TROUBLE_PAUSED,
        [CONDITION_HELD_BACK] = STATISTIC_TROUBLE_HELD_BACK,
        [CONDITION_LEDGER] = STATISTIC_TROUBLE_LEDGER,
        [CONDITION_SILENT] = STATISTIC_TROUBLE_SILENT,
        [CONDITION_UNMATCHED] = STATISTIC_TROUBLE_UNMATCHED,
        [CONDITION_LOST] = STATISTIC_TROUBLE_LOST,
        [CONDITION_KERNEL] = STATISTIC_TROUBLE_KERNEL,
        [CONDITION_WAITING] = STATISTIC_TROUBLE_WAITING,
        [CONDITION_BACKEND] = STATISTIC_TROUBLE_BACKEND,
        [CONDITION_FULL] = STATISTIC_TROUBLE_FULL,
        [CONDITION_INEFFECTIVE] = STATISTIC_TROUBLE_INEFFECTIVE,
        [CONDITION_CONFIGURATION] = STATISTIC_TROUBLE_CONFIGURATION,
    };
    const uint32_t found = condition_find(facts, CONDITION_SILENT_MS);

    for (int i = 0; i < CONDITIONS; i++)
        if (statistics[i] != 0)
            statistics_set(statistics[i], (found & CONDITION_BIT(i)) != 0);
    statistics_set(STATISTIC_TROUBLE, (uint64_t)__builtin_popcount(found));
    teller_note_conditions(found, facts->status.trouble, facts->setup);
}

/* Said when it begins; for as long as it goes on banmailctl status shows it. */
static void
note_losses(const struct condition_facts *facts)
{
    uint64_t lost[TABLE_LOSSES], all = 0;

    statistics_take_losses(lost);
    for (int i = 0; i < TABLE_LOSSES; i++) {
        table_note_lost(engine.table, (enum table_loss)i, lost[i], facts->now_ms / 1000);
        statistics_set((enum statistic)(STATISTIC_LOST_JOURNAL + i),
                       facts->health.lost[i] + lost[i]);
        all += lost[i];
    }
    if (all > 0 && facts->now_ms - facts->health.lost_ms >= CONDITION_SHOWN_MS)
        report_say(&engine_report, LOG_WARNING,
                   "rsyslogd loses messages before ombanmail can see them: failures are missed; "
                   "see banmailctl status");
}

/* Once in the life of a process. */
static void
note_evictions(const struct table_status *status)
{
    static bool is_said;

    statistics_set(STATISTIC_EVICTED, status->evicted);
    if (is_said || status->evicted == engine.evicted)
        return;
    is_said = true;
    report_say(&engine_report, LOG_WARNING,
               "more clients fail than capacity=\"%u\" has room for: those who failed least are "
               "forgotten before their failures are too old; no ban is. Raise capacity and restart "
               "rsyslog; banmailctl status tells how many were evicted",
               status->capacity);
}

/* Now and then: reading the facts takes milliseconds where there are many bans. A ban waits for the
 * kernel when it did so at the last look as well. */
static void
look_at_conditions(void)
{
    static int64_t next_ms;
    static size_t pending;
    const int64_t now_ms = engine_now_ms();
    struct condition_facts facts;

    if (now_ms < next_ms && next_ms <= now_ms + LOOK_MS)
        return;
    next_ms = now_ms + LOOK_MS;
    condition_read(engine.table, now_ms, &facts);
    complaints_set_events(engine.outbox != NULL && outbox_held_ms(engine.outbox) > HELD_MS);
    complaints_set_growing(growth_look(&growth, facts.health.last_message_ms, now_ms));
    facts.setup = complaints_say();
    note_losses(&facts);
    note_evictions(&facts.status);
    statistics_set(STATISTIC_INEFFECTIVE, facts.ineffective);
    const size_t pending_now = facts.pending;
    if (pending < pending_now)
        facts.pending = pending;
    pending = pending_now;
    count_conditions(&facts);
}

/* ---- all of it ---- */

static void
say_what_stamps_are_like(void)
{
    char text[STAMP_TEXT_SIZE];

    if (stamp_notice(counter_stamps(engine.counter), text))
        report_say(&engine_report, LOG_WARNING, "%s", text);
}

void
news_say(void)
{
    char text[BACKEND_TEXT_SIZE];

    outbox_wake(engine.outbox);
    dispatch_look();
    engine_follow_hangup();
    look_at_conditions();
    if (engine.counter == NULL)
        return;
    say_what_stamps_are_like();
    say_warnings();
    while (backend_news(counter_backend(engine.counter), engine_now_ms(), text))
        report_say(&engine_report, LOG_WARNING, "%s", text);
}
