/* effect: see effect.h.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table/effect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Dovecot holds the answer to a wrong password back for up to 15 s (its penalty), and 2 s more. */
#define ANSWER_MS 20000
/* As long as a connection without a login lasts: Dovecot ends it after 180 s, Postfix after 300 s.
 */
#define CONNECTION_MS 300000
#define AHEAD_MS      2000 /* a line's stamp is of whole seconds, what it tells of may be later */

/* What Postfix writes at once, when it answers. Everything else may come as late as the end. */
#define ANSWERED                                                                                   \
    (OFFENCE_BIT(OFFENCE_AUTH_FAILED) | OFFENCE_BIT(OFFENCE_AUTH_UNKNOWN_USER) |                   \
     OFFENCE_BIT(OFFENCE_AUTH_MECH_UNSUPPORTED) | OFFENCE_BIT(OFFENCE_RELAY_DENIED) |              \
     OFFENCE_BIT(OFFENCE_RCPT_UNKNOWN) | OFFENCE_BIT(OFFENCE_RCPT_REJECTED) |                      \
     OFFENCE_BIT(OFFENCE_SENDER_REJECTED) | OFFENCE_BIT(OFFENCE_HELO_REJECTED) |                   \
     OFFENCE_BIT(OFFENCE_CLIENT_REJECTED) | OFFENCE_BIT(OFFENCE_RBL_LISTED))

#define WORD(word) (word), sizeof(word) - 1

static const struct {
    const char *word;
    size_t length;
    uint8_t service;
    uint16_t ports[2];
} services[] = {
    /* of two of which one begins with the other, the longer comes first */
    {WORD("submissions"), EFFECT_SUBMISSIONS, {465}},
    {WORD("submission"), EFFECT_SUBMISSION, {587}},
    {WORD("smtps"), EFFECT_SUBMISSIONS, {465}},
    {WORD("smtp"), EFFECT_SMTP, {25}},
    {WORD("postscreen"), EFFECT_SMTP, {25}},
    {WORD("imap"), EFFECT_IMAP, {143, 993}},
    {WORD("pop3"), EFFECT_POP3, {110, 995}},
    {WORD("managesieve"), EFFECT_SIEVE, {4190}},
    {WORD("sieve"), EFFECT_SIEVE, {4190}},
};

#define SERVICES (sizeof services / sizeof *services)

static uint8_t
service_of_part(const char *part, size_t length)
{
    for (size_t i = 0; i < SERVICES; i++)
        if (part[0] == services[i].word[0] && length >= services[i].length &&
            memcmp(part, services[i].word, services[i].length) == 0)
            return services[i].service;
    return 0;
}

uint8_t
effect_service(const char *service, size_t length)
{
    const char *const end = service + length;
    uint8_t found = 0;

    while (service < end && found == 0) {
        const char *const slash = memchr(service, '/', (size_t)(end - service));
        const char *const part_end = slash != NULL ? slash : end;

        if (part_end > service)
            found = service_of_part(service, (size_t)(part_end - service));
        service = part_end + 1;
    }
    return found;
}

static bool
is_answered(const struct offence *offence)
{
    if (offence->flags & OFFENCE_FROM_EVENT)
        return true;
    return (OFFENCE_BIT(offence->class) & ANSWERED) && offence->service_length >= 7 &&
           memcmp(offence->service, "postfix", 7) == 0;
}

int64_t
effect_passed_ms(const struct offence *offence, int64_t stamp_ms)
{
    const int64_t began_ms = offence_session_ms(offence, stamp_ms);

    if (began_ms != 0 && began_ms > stamp_ms - CONNECTION_MS && began_ms < stamp_ms + AHEAD_MS)
        return began_ms < stamp_ms ? began_ms : stamp_ms;
    return stamp_ms - (is_answered(offence) ? ANSWER_MS : CONNECTION_MS);
}

bool
effect_is_missing(const struct ban *ban, int64_t now_ms)
{
    return (ban->state == BAN_WANTED || ban->state == BAN_ENFORCED) && ban->enforced_ms != 0 &&
           ban->after_seconds >= EFFECT_SECONDS && now_ms - ban->after_last_ms <= EFFECT_QUIET_MS;
}

/* ---- why ---- */

static bool
closes(const struct ports *ports, uint16_t port)
{
    for (unsigned i = 0; i < ports->count; i++)
        if (ports->number[i] == port)
            return true;
    return ports_are_all(ports);
}

/* The ports of what its failures came to that the jail leaves open. */
static struct ports
open_ports(const struct ban *ban, const struct jail *jail)
{
    struct ports open = {0};

    for (size_t i = 0; i < SERVICES; i++) {
        if (!(ban->after_services & services[i].service))
            continue;
        for (unsigned j = 0; j < 2 && services[i].ports[j] != 0; j++)
            if (!closes(&jail->ports, services[i].ports[j]) && !closes(&open, services[i].ports[j]))
                open.number[open.count++] = services[i].ports[j];
    }
    return open;
}

static const char *
explain_ports(const struct ports *open, const struct jail *jail, char text[EFFECT_TEXT_SIZE])
{
    char open_text[PORTS_TEXT_SIZE], closed_text[PORTS_TEXT_SIZE];

    snprintf(text, EFFECT_TEXT_SIZE,
             "other ports: they came to %s, but jail %.31s closes %s: add what is missing to its "
             "ports=",
             ports_print(open, " or ", open_text), jail->name,
             ports_print(&jail->ports, ", ", closed_text));
    return text;
}

const char *
effect_explain(const struct ban *ban, const struct jail *jail, const char *set,
               char text[EFFECT_TEXT_SIZE])
{
    const bool is_foreign = set != NULL && set[0] != '\0';
    char source[SOURCE_TEXT_SIZE], rules[256];

    if (jail != NULL && !is_foreign) {
        const struct ports open = open_ports(ban, jail);

        if (open.count > 0)
            return explain_ports(&open, jail, text);
    }
    if (is_foreign)
        snprintf(rules, sizeof rules,
                 "no rule drops what is in set %.128s, or one that accepts comes before it "
                 "(nft list ruleset)",
                 set);
    else
        snprintf(rules, sizeof rules,
                 "rules lead its packets around the ban: notrack, or a flowtable "
                 "(nft list ruleset | grep -E 'notrack|flow add')");
    snprintf(text, EFFECT_TEXT_SIZE,
             "likeliest first: 1. a proxy or container gateway in front: the log has the client's "
             "address, the packets the proxy's (does ss -tn show connections of %s? if not, ban "
             "where the proxy runs); 2. %s; 3. other ports: the service listens to one that the "
             "jail does not close (ss -tlnp)",
             source_print_address(&ban->source, source), rules);
    return text;
}
