/* metrics: the numbers of status in Prometheus' text format, for a collector that runs commands, or
 * as a file for node_exporter's textfile collector.
 *
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banmailctl.h"
#include "banmailctl-summary.h"
#include "base/replace.h"

const char metrics_help[] =
    "Usage: banmailctl metrics [--output FILE] [--table FILE]\n"
    "\n"
    "Prints the numbers of status as Prometheus reads them. --output: into a file, which a reader\n"
    "sees whole, for node_exporter's textfile collector. Where there is no table, ombanmail_up 0\n"
    "is all.\n"
    "\n"
    "Exit status: 0 printed, 3 there is no table.\n"
    "\n"
    "Examples:\n"
    "  banmailctl metrics\n"
    "  banmailctl metrics --output /var/lib/prometheus/node-exporter/ombanmail.prom\n";

/* ---- the format ---- */

enum kind { GAUGE, COUNTER };

static void
head(FILE *out, const char *name, enum kind kind, const char *help)
{
    fprintf(out, "# HELP ombanmail_%s %s\n# TYPE ombanmail_%s %s\n", name, help, name,
            kind == GAUGE ? "gauge" : "counter");
}

/* In quotation marks; a backslash, a quotation mark and a line's end are written with a backslash.
 */
static void
label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            putc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            putc(*value, out);
    }
    putc('"', out);
}

static void
single(FILE *out, const char *name, enum kind kind, const char *help, uint64_t value)
{
    head(out, name, kind, help);
    fprintf(out, "ombanmail_%s %" PRIu64 "\n", name, value);
}

static void
labelled(FILE *out, const char *name, const char *label_name, const char *value, uint64_t number)
{
    fprintf(out, "ombanmail_%s{", name);
    label(out, label_name, value);
    fprintf(out, "} %" PRIu64 "\n", number);
}

/* ---- the numbers ---- */

static void
print_up(FILE *out, bool is_up)
{
    single(out, "up", GAUGE, "Whether an rsyslogd has ombanmail's table open.", is_up);
}

static void
print_conditions(FILE *out, uint32_t conditions)
{
    head(out, "trouble", GAUGE, "What banmailctl status calls TROUBLE, by condition.");
    for (unsigned i = 0; i < CONDITIONS; i++)
        labelled(out, "trouble", "condition", condition_name(i),
                 (conditions & CONDITION_BIT(i)) != 0);
}

static void
print_bans_of(FILE *out, const struct bans *bans, unsigned index, const struct jail *jail)
{
    size_t v4 = 0, all = 0;

    for (size_t i = 0; i < bans->count; i++) {
        all += bans->ban[i].jail == index;
        v4 += bans->ban[i].jail == index && source_is_v4(&bans->ban[i].source);
    }
    for (int family = 4; family <= 6; family += 2) {
        fputs("ombanmail_active_bans{", out);
        label(out, "jail", jail->name);
        fprintf(out, ",family=\"ipv%d\"} %zu\n", family, family == 4 ? v4 : all - v4);
    }
}

static void
print_jails(FILE *out, const struct table *table, const struct bans *bans)
{
    struct jail jail;

    head(out, "active_bans", GAUGE, "Bans in force or on their way into the kernel.");
    for (unsigned i = TABLE_JAIL_MANUAL; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail))
            print_bans_of(out, bans, i, &jail);
    head(out, "jail_lines_total", COUNTER, "Failures that came to a jail since rsyslogd started.");
    for (unsigned i = TABLE_JAIL_MANUAL + 1; i < TABLE_JAILS_MAX; i++)
        if (table_read_jail(table, i, &jail))
            labelled(out, "jail_lines_total", "jail", jail.name, table_jail_lines(table, i));
}

static void
print_lost(FILE *out, const uint64_t lost[TABLE_LOSSES])
{
    static const char *const names[TABLE_LOSSES] = {
        [TABLE_LOST_JOURNAL] = "journal",
        [TABLE_LOST_INPUT] = "input",
        [TABLE_LOST_QUEUE] = "queue",
    };

    head(out, "messages_lost_total", COUNTER,
         "Messages that rsyslogd lost before ombanmail could see them, by what dropped them.");
    for (unsigned i = 0; i < TABLE_LOSSES; i++)
        labelled(out, "messages_lost_total", "by", names[i], lost[i]);
}

static void
print_totals(FILE *out, const struct table_status *status, const struct table_health *health)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } totals[] = {
        {"lines_total", "Lines of mail servers.", health->messages},
        {"lines_matched_total", "Of these, lines that a rule knows.", health->matched},
        {"lines_unmatched_total", "Lines that look like a failed login and that no rule knows.",
         health->unmatched},
        {"lines_untrusted_total", "Lines not counted because of who wrote them.",
         health->untrusted},
        {"lines_repeated_total", "Lines that had come before.", status->repeated},
        {"failures_total", "Failures counted.", status->counted},
        {"failures_merged_total", "Lines that told of a failure once more.", status->duplicates},
        {"failures_withdrawn_total", "Failures taken back: the server's own fault.",
         status->withdrawn},
        {"bans_total", "Bans made.", status->bans},
        {"bans_lifted_total", "Bans lifted by hand.", status->unbans},
        {"bans_refused_total", "Bans not made for want of room.", status->refused},
        {"bans_held_back_total", "Bans not made because of maxBanRate.", health->held_back},
        {"clients_evicted_total", "Clients forgotten for want of room.", status->evicted},
    };

    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        single(out, totals[i].name, COUNTER, totals[i].help, totals[i].value);
}

static void
print_all(FILE *out, const struct table *table, const struct summary *summary)
{
    const struct condition_facts *const facts = &summary->facts;

    print_up(out, facts->status.writer != 0);
    head(out, "info", GAUGE, "The version of the module that wrote the table.");
    labelled(out, "info", "version", facts->status.version, 1);
    print_conditions(out, summary->conditions);
    print_jails(out, table, &summary->bans);
    single(out, "bans_limit", GAUGE, "Room for so many bans: maxBans.", facts->status.max_bans);
    single(out, "bans_pending", GAUGE, "Addresses that wait for the kernel.", facts->pending);
    single(out, "bans_ineffective", GAUGE, "Bans in force whose clients go on all the same.",
           facts->ineffective);
    single(out, "clients", GAUGE, "Clients that are counted.", summary->tracked);
    single(out, "clients_limit", GAUGE, "Room for so many clients: capacity.",
           facts->status.capacity);
    single(out, "last_line_timestamp_seconds", GAUGE, "When the latest line came; 0: none has.",
           (uint64_t)facts->health.last_message_ms / 1000);
    single(out, "start_timestamp_seconds", GAUGE, "When rsyslogd opened the table.",
           (uint64_t)facts->status.opened_ms / 1000);
    print_totals(out, &facts->status, &facts->health);
    print_lost(out, facts->health.lost);
}

/* ---- the command ---- */

/* Into memory first: a file is replaced whole, or not at all. */
static int
render(const struct invocation *invocation, FILE *out)
{
    struct summary summary;
    struct location place;
    const struct table *table;
    int status = banmailctl_read(invocation, &place, &table);

    if (status == EXIT_UNREACHABLE)
        print_up(out, false);
    if (status != EXIT_FINE)
        return status;
    if (summary_read(&place, table, CONDITION_SILENT_MS, &summary) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    else
        print_all(out, table, &summary);
    summary_free(&summary);
    table_close_reader(table);
    return status;
}

static int
deliver(const struct invocation *invocation, const char *text, size_t length)
{
    int error;

    if (invocation->output == NULL) {
        fwrite(text, 1, length, stdout);
        return EXIT_FINE;
    }
    error = replace_file(invocation->output, text, length, 0644, (uid_t)-1, (gid_t)-1);
    if (error == 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation, error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                           "cannot write %s: %s", invocation->output, strerror(-error));
}

int
metrics_main(const struct invocation *invocation)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out;
    int status, delivered = EXIT_FINE;

    if (invocation->json)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "metrics has a format of its own; banmailctl status --json has "
                               "the same numbers");
    out = open_memstream(&text, &length);
    if (out == NULL)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    status = render(invocation, out);
    if (fclose(out) == 0 && length > 0)
        delivered = deliver(invocation, text, length);
    free(text);
    return status != EXIT_FINE ? status : delivered;
}
