/* top: which networks, users and classes stand behind the bans of a period.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-columns.h"
#include "banmailctl-format.h"
#include "banmailctl-geo.h"
#include "banmailctl-history.h"
#include "banmailctl-period.h"

#define TOP_PERIOD_S (24 * 3600)
#define WATCH_S      2

const char top_help[] =
    "Usage: banmailctl top [--for TIME] [--watch] [--json] [--table FILE]\n"
    "\n"
    "Counts up the bans of the last TIME (24h) from the ledger: which networks were banned most,\n"
    "which users were tried, for which classes, by which jails, and who was banned longest. A\n"
    "network is an IPv4 /24 or an IPv6 /48. --for -1: all that the ledger knows. --watch: again\n"
    "every two seconds, until it is interrupted; with --json an object a line.\n"
    "\n"
    "Examples:\n"
    "  banmailctl top\n"
    "  banmailctl top --for 7d\n"
    "  banmailctl top --json | jq -r '.networks[0].network'\n";

/* ---- as text ---- */

static void
print_head(const struct period *period)
{
    char span[FORMAT_SPAN_SIZE];
    const bool is_all = period->from_ms == 0;

    printf("%s%s%s: %u ban%s of %u client%s in %u network%s, %u by hand; %" PRIu64
           " failures led to them\n",
           format_colour(FORMAT_BOLD), is_all ? "All that the ledger knows" : "The last ",
           is_all ? "" : format_span(period->to_ms - period->from_ms, span), period->bans,
           period->bans == 1 ? "" : "s", period->clients, period->clients == 1 ? "" : "s",
           period->network_all, period->network_all == 1 ? "" : "s", period->by_hand,
           period->failures);
    printf("%s%u run still, %u expired, %u lifted, %u withdrawn\n", format_colour(FORMAT_PLAIN),
           period->ends[BAN_RUNNING], period->ends[BAN_EXPIRED], period->ends[BAN_LIFTED_BY_HAND],
           period->ends[BAN_WITHDRAWN]);
}

static void
print_networks(const struct period *period)
{
    static const char *const headings[] = {"NETWORK", "BANS", "CLIENTS", "FAILURES", "FROM"};
    struct columns columns = {.headings = headings, .count = geo_is_given() ? 5 : 4, .right = 0xe};
    char text[SOURCE_TEXT_SIZE], origin[GEO_TEXT_SIZE];

    for (unsigned i = 0; i < period->network_count; i++) {
        columns_add(&columns, source_print(&period->networks[i].source, text));
        columns_add_number(&columns, period->networks[i].bans);
        columns_add_number(&columns, period->networks[i].clients);
        columns_add_number(&columns, period->networks[i].failures);
        if (geo_is_given())
            columns_add(&columns, geo_text(&period->networks[i].source, origin));
    }
    putchar('\n');
    columns_print(&columns);
}

static void
print_users(const struct period *period)
{
    static const char *const headings[] = {"USER", "ATTEMPTS", "CLIENTS", "LAST"};
    struct columns columns = {.headings = headings, .count = 4, .right = 0x6};
    char name[EVIDENCE_USER_SIZE * 4], stamp[FORMAT_STAMP_SIZE];

    if (period->user_count == 0)
        return;
    for (unsigned i = 0; i < period->user_count; i++) {
        columns_add(&columns, format_clean(period->users[i].name, name, sizeof(name)));
        columns_add_number(&columns, period->users[i].attempts);
        columns_add_number(&columns, period->users[i].clients);
        columns_add(&columns, format_stamp(period->users[i].last_ms, stamp));
    }
    putchar('\n');
    columns_print(&columns);
}

static void
print_classes(const struct period *period)
{
    static const char *const headings[] = {"CLASS", "BANS"};
    struct columns columns = {.headings = headings, .count = 2, .right = 0x2};
    enum offence_class order[OFFENCE_CLASSES];
    const unsigned count = period_classes(period, order);

    for (unsigned i = 0; i < count; i++) {
        columns_add(&columns, offence_class_name(order[i]));
        columns_add_number(&columns, period->classes[order[i]]);
    }
    if (period->by_hand > 0) {
        columns_add(&columns, "(by hand)");
        columns_add_number(&columns, period->by_hand);
    }
    putchar('\n');
    columns_print(&columns);
}

static void
print_jails(const struct period *period)
{
    static const char *const headings[] = {"JAIL", "BANS"};
    struct columns columns = {.headings = headings, .count = 2, .right = 0x2};
    char name[JAIL_NAME_SIZE * 4];

    for (unsigned i = 0; i < period->jail_count; i++) {
        columns_add(&columns, format_clean(period->jails[i].name, name, sizeof(name)));
        columns_add_number(&columns, period->jails[i].bans);
    }
    putchar('\n');
    columns_print(&columns);
}

static void
print_offenders(const struct period *period)
{
    static const char *const headings[] = {"BANNED LONGEST", "BANS", "FAILURES",
                                           "TOGETHER",       "LAST", "FROM"};
    struct columns columns = {.headings = headings, .count = geo_is_given() ? 6 : 5, .right = 0x6};
    char text[SOURCE_TEXT_SIZE], span[FORMAT_SPAN_SIZE], stamp[FORMAT_STAMP_SIZE];
    char origin[GEO_TEXT_SIZE];

    for (unsigned i = 0; i < period->offender_count; i++) {
        const struct period_offender *const offender = &period->offenders[i];

        columns_add(&columns, source_print(&offender->source, text));
        columns_add_number(&columns, offender->bans);
        columns_add_number(&columns, offender->failures);
        columns_add(&columns, format_span(offender->banned_ms, span));
        columns_add(&columns, format_stamp(offender->last_ms, stamp));
        if (geo_is_given())
            columns_add(&columns, geo_text(&offender->source, origin));
    }
    putchar('\n');
    columns_print(&columns);
}

static void
print_text(const struct period *period)
{
    print_head(period);
    if (period->bans == 0)
        return;
    print_networks(period);
    print_users(period);
    print_classes(period);
    print_jails(period);
    print_offenders(period);
}

/* ---- the command ---- */

static int
print_once(const struct invocation *invocation)
{
    const int64_t now_ms = banmailctl_now_ms();
    char path[TABLE_PATH_SIZE];
    struct period period;
    struct ledger *ledger;
    int status = history_open(invocation, &ledger, path), error;

    if (status != EXIT_FINE)
        return status;
    error = period_read(ledger, period_begin(invocation, TOP_PERIOD_S, now_ms), now_ms, &period);
    ledger_close(ledger);
    if (error < 0)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger %.200s: %s", path,
                               ledger_error(error));
    if (invocation->watch && isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    if (invocation->json)
        format_print_json(period_json(&period));
    else
        print_text(&period);
    return EXIT_FINE;
}

int
top_main(const struct invocation *invocation)
{
    const struct timespec pause = {.tv_sec = WATCH_S};
    int status = print_once(invocation);

    while (invocation->watch && status == EXIT_FINE && fflush(stdout) == 0) {
        nanosleep(&pause, NULL);
        if (!invocation->json && !isatty(STDOUT_FILENO))
            putchar('\n');
        status = print_once(invocation);
    }
    return status;
}
