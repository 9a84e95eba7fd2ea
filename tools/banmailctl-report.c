/* report: gathers the facts of a period and of now, and has them printed as a page or as JSON.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-allow.h"
#include "banmailctl-effect.h"
#include "banmailctl-format.h"
#include "banmailctl-history.h"
#include "banmailctl-location.h"
#include "banmailctl-page.h"
#include "base/replace.h"

#define REPORT_PERIOD_S (7 * 24 * 3600)

const char report_help[] =
    "Usage: banmailctl report [--for TIME] [--output FILE] [--json] [--table FILE]\n"
    "\n"
    "Prints the last TIME (7d; -1: all that the ledger knows) as one HTML page that needs nothing\n"
    "but itself: bans an hour, classes, networks, users attacked, who was banned longest, and "
    "what\n"
    "was spared and why. --output: into a file, which a reader sees whole.\n"
    "\n"
    "Examples:\n"
    "  banmailctl report --output /var/www/html/bans.html\n"
    "  banmailctl report --for 24h | mail -a 'Content-Type: text/html' -s bans postmaster\n";

/* ---- the facts ---- */

static bool
count_entry(void *context, const struct allow_added *entry)
{
    (void)context;
    (void)entry;
    return true;
}

static void
read_spared(const struct table *table, struct report_facts *facts)
{
    char path[ALLOW_PATH_SIZE];
    struct bans bans;

    for (unsigned i = 0; i < TABLE_GATEWAYS; i++)
        if (table_read_gateway(table, i, facts->now_ms, &facts->gateways[facts->gateway_count]))
            facts->gateway_count++;
    if (bans_read_spared(table, facts->now_ms, &bans) == 0) {
        facts->held_back = bans.count;
        bans_free(&bans);
    }
    facts->allowed = allow_added_each(allow_path(table, path), count_entry, NULL);
}

/* Returns the exit status after having said why not. */
static int
gather(const struct invocation *invocation, const struct location *place, const struct table *table,
       struct report_facts *facts)
{
    const char *reason;
    struct ledger *const ledger = history_ledger(table, &reason);
    int error;

    if (ledger == NULL)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger cannot be read: %s",
                               reason);
    if (gethostname(facts->host, sizeof(facts->host) - 1) != 0)
        strcpy(facts->host, "this host");
    facts->now_ms = banmailctl_now_ms();
    error = period_read(ledger, period_begin(invocation, REPORT_PERIOD_S, facts->now_ms),
                        facts->now_ms, &facts->period);
    ledger_close(ledger);
    if (error < 0)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger: %s", ledger_error(error));
    if (summary_read(place, table, CONDITION_SILENT_MS, &facts->summary) < 0)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    read_spared(table, facts);
    return EXIT_FINE;
}

/* ---- as JSON ---- */

static struct fjson_object *
spared_json(const struct table *table, const struct report_facts *facts)
{
    const struct table_status *const status = &facts->summary.facts.status;
    const struct table_health *const health = &facts->summary.facts.health;
    struct fjson_object *object = fjson_object_new_object();

    fjson_object_object_add(object, "gateways", gateways_json(table, facts->now_ms));
    format_add_number(object, "heldBackNow", facts->held_back);
    format_add_time(object, "since", status->created_ms);
    format_add_number(object, "duplicates", status->duplicates);
    format_add_number(object, "repeated", status->repeated);
    format_add_number(object, "withdrawn", status->withdrawn);
    format_add_number(object, "untrusted", health->untrusted);
    format_add_number(object, "heldBack", health->held_back);
    format_add_number(object, "refused", status->refused);
    if (facts->allowed >= 0)
        format_add_number(object, "allowed", (uint64_t)facts->allowed);
    else
        fjson_object_object_add(object, "allowed", NULL);
    return object;
}

static struct fjson_object *
report_json(const struct table *table, const struct report_facts *facts)
{
    struct fjson_object *object = fjson_object_new_object();

    format_add_string(object, "host", facts->host);
    format_add_bool(object, "fine", facts->summary.conditions == 0);
    format_add_number(object, "banned", facts->summary.bans.count);
    fjson_object_object_add(object, "period", period_json(&facts->period));
    fjson_object_object_add(object, "spared", spared_json(table, facts));
    return object;
}

/* ---- the command ---- */

static void
print(FILE *out, const struct invocation *invocation, const struct table *table,
      const struct report_facts *facts)
{
    struct fjson_object *object;

    if (!invocation->json) {
        page_print(out, facts);
        return;
    }
    object = report_json(table, facts);
    fprintf(out, "%s\n", fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
    fjson_object_put(object);
}

/* Into memory first: a file is replaced whole, or not at all. */
static int
deliver(const struct invocation *invocation, const struct table *table,
        const struct report_facts *facts)
{
    char *text = NULL;
    size_t length = 0;
    FILE *const out = open_memstream(&text, &length);
    int error = out == NULL ? -ENOMEM : 0;

    if (out != NULL) {
        print(out, invocation, table, facts);
        error = fclose(out) == 0 ? 0 : -ENOMEM;
    }
    if (error == 0 && invocation->output == NULL)
        fwrite(text, 1, length, stdout);
    else if (error == 0)
        error = replace_file(invocation->output, text, length, 0644, (uid_t)-1, (gid_t)-1);
    free(text);
    if (error == 0)
        return EXIT_FINE;
    return banmailctl_fail(invocation, error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                           "cannot write %s: %s", invocation->output ? invocation->output : "it",
                           strerror(-error));
}

int
report_main(const struct invocation *invocation)
{
    static struct report_facts facts; /* some 20 kB */
    struct location place;
    const struct table *table;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    status = gather(invocation, &place, table, &facts);
    if (status == EXIT_FINE)
        status = deliver(invocation, table, &facts);
    summary_free(&facts.summary);
    table_close_reader(table);
    return status;
}
