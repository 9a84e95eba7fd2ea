/* warnings: see warnings.h.
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

#include "bite.h"
#include "engine.h"
#include "table-bite.h"
#include "table-gateway.h"
#include "warnings.h"

#define MOST_AN_HOUR 5
#define HOUR_MS      3600000
#define NETWORKS_MS  10000 /* containers come and go */
#define SET_SIZE     FIREWALL_SET_SIZE

struct kind {
    const char *others; /* said in place of the sixth */
    int64_t begun_ms;
    unsigned said;
};

static struct kind biteless = {.others = "the bans of more clients do not bite; they are not told "
                                         "one by one this hour: banmailctl status"};
static struct kind gateways = {.others = "more clients are not banned because they look like "
                                         "gateways; they are not told one by one this hour: "
                                         "banmailctl status"};
static char sets[2][SET_SIZE]; /* IPv4, IPv6: the administrator's, or "" */
static int64_t networks_ms;    /* when they were looked at */

void
warnings_begin(const struct parameters *parameters)
{
    snprintf(sets[0], SET_SIZE, "%s", parameters->set4 != NULL ? parameters->set4 : "");
    snprintf(sets[1], SET_SIZE, "%s", parameters->set6 != NULL ? parameters->set6 : "");
    biteless.said = gateways.said = 0;
    biteless.begun_ms = gateways.begun_ms = 0;
    networks_ms = 0;
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
tell_biteless(const struct ban *ban)
{
    char source[SOURCE_TEXT_SIZE], why[BITE_TEXT_SIZE];
    const bool is_v4 = source_is_v4(&ban->source);
    struct jail jail = {.name = "?"};
    const bool has_jail = table_read_jail(engine.table, ban->jail, &jail);

    report_say(&engine_report, LOG_WARNING,
               "the ban of %s by jail %s does not bite: it is in force, but %" PRIu32
               " failures of it came after that; %s",
               source_print(&ban->source, source), jail.name, ban->after,
               bite_explain(ban, has_jail ? &jail : NULL, sets[is_v4 ? 0 : 1], why));
}

void
warnings_say(void)
{
    const int64_t now_ms = engine_now_ms();
    char text[GATEWAY_TEXT_SIZE];
    struct table_gateway gateway;
    struct ban ban;

    if (engine.gateways != NULL && (now_ms - networks_ms >= NETWORKS_MS || now_ms < networks_ms)) {
        networks_ms = now_ms;
        gateway_look(engine.gateways);
    }
    while (table_take_biteless(engine.table, &ban))
        if (may_tell(&biteless, now_ms))
            tell_biteless(&ban);
    while (table_take_gateway(engine.table, &gateway))
        if (may_tell(&gateways, now_ms))
            report_say(&engine_report, LOG_WARNING, "%s", gateway_explain(&gateway, text));
}
