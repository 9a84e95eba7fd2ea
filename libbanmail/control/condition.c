/* condition: each is one comparison of facts; what a fact is, is the table's affair.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "control/condition.h"

#include <string.h>

#include "table/effect.h"

#define UNMATCHED_LEAST 10 /* lines that look like a login, in a quarter of an hour */
#define UNMATCHED_SHARE 20 /* one of so many lines that a rule knows */

static const char *const names[CONDITIONS] = {
    [CONDITION_CONFIGURATION] = "configuration",
    [CONDITION_STOPPED] = "stopped",
    [CONDITION_NO_JAIL] = "jail",
    [CONDITION_VERSION] = "version",
    [CONDITION_PAUSED] = "paused",
    [CONDITION_HELD_BACK] = "heldback",
    [CONDITION_LEDGER] = "ledger",
    [CONDITION_SILENT] = "silent",
    [CONDITION_UNMATCHED] = "unmatched",
    [CONDITION_LOST] = "lost",
    [CONDITION_KERNEL] = "kernel",
    [CONDITION_WAITING] = "waiting",
    [CONDITION_BACKEND] = "backend",
    [CONDITION_FULL] = "full",
    [CONDITION_INEFFECTIVE] = "ineffective",
};

const char *
condition_name(enum condition condition)
{
    return names[condition];
}

static const char *const words[CONDITIONS] = {
    [CONDITION_CONFIGURATION] = "something is wrong with the configuration",
    [CONDITION_STOPPED] = "rsyslogd does not run ombanmail",
    [CONDITION_NO_JAIL] = "there is no jail, so nothing is counted",
    [CONDITION_VERSION] = "rsyslogd runs another version of ombanmail",
    [CONDITION_PAUSED] = "paused: nobody is kept out",
    [CONDITION_HELD_BACK] = "maxBanRate holds bans back",
    [CONDITION_LEDGER] = "the ledger cannot be written",
    [CONDITION_SILENT] = "no line of a mail server comes",
    [CONDITION_UNMATCHED] = "lines look like failed logins, but no rule knows them",
    [CONDITION_LOST] = "rsyslogd loses messages before they are counted",
    [CONDITION_KERNEL] = "the kernel refuses bans",
    [CONDITION_WAITING] = "bans wait for the kernel",
    [CONDITION_BACKEND] = "the authentication backend of a mail server has faults",
    [CONDITION_FULL] = "there is no room for another ban",
    [CONDITION_INEFFECTIVE] = "bans have no effect",
};

const char *
condition_words(enum condition condition)
{
    return words[condition];
}

void
condition_read(const struct table *table, int64_t now_ms, struct condition_facts *facts)
{
    struct jail jail;
    struct ban ban;

    *facts = (struct condition_facts){.now_ms = now_ms, .pending = table_pending(table)};
    table_read_status(table, &facts->status);
    table_read_health(table, now_ms, &facts->health);
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        facts->jails += table_read_jail(table, i, &jail) && jail.classes != 0;
    for (uint32_t i = 0; i < facts->status.max_bans; i++) {
        if (!table_read_ban(table, i, &ban) || ban.until_ms <= now_ms ||
            (ban.state != BAN_WANTED && ban.state != BAN_ENFORCED))
            continue;
        facts->banned++;
        if (effect_is_missing(&ban, now_ms) && facts->ineffective++ == 0)
            facts->first = ban;
    }
    if (facts->ineffective == 0 || !table_read_jail(table, facts->first.jail, &facts->jail))
        facts->jail = (struct jail){.name = "?", .ports = ports_mail()};
}

static bool
is_recent(const struct condition_facts *facts, int64_t then_ms)
{
    return then_ms != 0 && facts->now_ms - then_ms < CONDITION_SHOWN_MS;
}

/* A module that runs and sees nothing is the commonest fault of all. */
static bool
is_silent(const struct condition_facts *facts, int64_t silent_ms)
{
    const int64_t message_ms = facts->health.last_message_ms, opened_ms = facts->status.opened_ms;

    return facts->now_ms - (message_ms > opened_ms ? message_ms : opened_ms) >= silent_ms;
}

static bool
is_unmatched(const struct table_health *health)
{
    return health->recent_unmatched >= UNMATCHED_LEAST &&
           health->recent_unmatched * UNMATCHED_SHARE > health->recent_matched;
}

static uint32_t
bit_if(bool holds, enum condition condition)
{
    return holds ? CONDITION_BIT(condition) : 0;
}

uint32_t
condition_find(const struct condition_facts *facts, int64_t silent_ms)
{
    const struct table_health *health = &facts->health;
    const struct table_status *status = &facts->status;
    const uint32_t always =
        bit_if(health->paused_until_ms > facts->now_ms, CONDITION_PAUSED) |
        bit_if(facts->setup != NULL && facts->setup[0] != '\0', CONDITION_CONFIGURATION);

    if (status->writer == 0)
        return always | CONDITION_BIT(CONDITION_STOPPED);
    return always | bit_if(facts->jails == 0, CONDITION_NO_JAIL) |
           bit_if(strcmp(status->version, PACKAGE_VERSION) != 0, CONDITION_VERSION) |
           bit_if(is_recent(facts, health->held_back_ms), CONDITION_HELD_BACK) |
           bit_if(health->ledger_error != 0, CONDITION_LEDGER) |
           bit_if(is_silent(facts, silent_ms), CONDITION_SILENT) |
           bit_if(is_unmatched(health), CONDITION_UNMATCHED) |
           bit_if(is_recent(facts, health->lost_ms), CONDITION_LOST) |
           bit_if(status->trouble[0] != '\0', CONDITION_KERNEL) |
           bit_if(facts->pending > 0, CONDITION_WAITING) |
           bit_if(facts->ineffective > 0, CONDITION_INEFFECTIVE) |
           bit_if(health->outage.places > 0, CONDITION_BACKEND) |
           bit_if(facts->banned >= status->max_bans, CONDITION_FULL);
}
