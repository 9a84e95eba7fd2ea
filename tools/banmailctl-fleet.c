/* fleet: what the hosts of a centre hold, by their reports, and having it sent to them again.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-channel.h"
#include "banmailctl-columns.h"
#include "banmailctl-format.h"
#include "banmailctl-location.h"
#include "base/object.h"
#include "control/roster.h"

#define CLOCK_MS 30000 /* what is no more is not told: it is the way, or does not matter */

const char fleet_help[] =
    "Usage: banmailctl fleet [--json] [--table FILE]\n"
    "       banmailctl fleet resync [HOST]\n"
    "\n"
    "On a centre: the hosts that have reported within a day, when last, and whether each holds\n"
    "what this server has banned: how many of its bans, how far behind it is, its clock, and\n"
    "\"diverged\" where two reports in a row show something else. resync: sends all bans again at\n"
    "once, to HOST or to all.\n"
    "\n"
    "Exit status: 0 each is right or behind, 1 one is silent or has diverged, or there is none.\n"
    "\n"
    "Examples:\n"
    "  banmailctl fleet\n"
    "  banmailctl fleet --json | jq -r '.hosts[] | select(.state != \"right\") | .name'\n"
    "  banmailctl fleet resync mx1\n";

/* ---- what the file has ---- */

struct host {
    char name[TELEGRAM_NAME_SIZE], peer[SOURCE_TEXT_SIZE], version[TELEGRAM_WORD_SIZE];
    int64_t heard_ms, behind_ms, refused, differs;
    int64_t bans, lag_ms; /* -1: not known */
    struct fjson_object *addresses;
    const char *state;
};

/* A file that another version wrote may lack a member, or have another. */
static int64_t
number_of(struct fjson_object *object, const char *key, int64_t otherwise)
{
    int64_t number;

    return object_integer(object, key, -INT64_MAX, INT64_MAX, &number) == 0 ? number : otherwise;
}

static void
text_of(struct fjson_object *object, const char *key, char *text, size_t size)
{
    if (object_text(object, key, text, size) != 0)
        snprintf(text, size, "?");
}

/* A report comes each minute: who misses several is silent, whatever he held. */
static const char *
state_of(const struct host *host, int64_t now_ms)
{
    if (now_ms - host->heard_ms >= MEMBERS_SILENT_MS)
        return "silent";
    if (host->differs >= MEMBERS_DIVERGED)
        return "diverged";
    return host->differs > 0 ? "behind" : "right";
}

static struct host
read_host(struct fjson_object *object, int64_t now_ms)
{
    struct host host = {.heard_ms = number_of(object, "heard", 0),
                        .behind_ms = number_of(object, "behind", 0),
                        .refused = number_of(object, "refused", 0),
                        .differs = number_of(object, "differs", 0),
                        .bans = number_of(object, "bans", -1),
                        .lag_ms = number_of(object, "lag", -1)};
    size_t count;

    text_of(object, "name", host.name, sizeof(host.name));
    text_of(object, "peer", host.peer, sizeof(host.peer));
    text_of(object, "version", host.version, sizeof(host.version));
    host.addresses = object_list(object, "addresses", TELEGRAM_ADDRESSES_MAX, &count);
    host.state = state_of(&host, now_ms);
    return host;
}

/* The objects of all lines but the first, to be freed; NULL: a line is none. *bans is how many this
 * server has. */
static struct fjson_object *
read_lines(char *text, int64_t *bans)
{
    struct fjson_object *const hosts = fjson_object_new_array();
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        struct fjson_object *const object = object_parse(line, strlen(line));

        if (object == NULL) {
            fjson_object_put(hosts);
            return NULL;
        }
        if (line != text) {
            fjson_object_array_add(hosts, object);
            continue;
        }
        *bans = number_of(object, "bans", 0);
        fjson_object_put(object);
    }
    return hosts;
}

static bool
is_well(const struct host *host)
{
    return strcmp(host->state, "right") == 0 || strcmp(host->state, "behind") == 0;
}

/* ---- as text ---- */

static void
add_span(struct columns *columns, int64_t ms, bool is_known)
{
    char span[FORMAT_SPAN_SIZE];

    columns_add(columns, is_known ? format_span(ms, span) : "-");
}

/* How its clock differs from ours. */
static void
add_clock(struct columns *columns, int64_t behind_ms)
{
    char span[FORMAT_SPAN_SIZE], text[FORMAT_SPAN_SIZE + 16];

    if (llabs(behind_ms) <= CLOCK_MS) {
        columns_add(columns, "right");
        return;
    }
    snprintf(text, sizeof(text), "%s %s", format_span(llabs(behind_ms), span),
             behind_ms > 0 ? "behind" : "ahead");
    columns_add(columns, text);
}

static void
add_row(struct columns *columns, const struct host *host, int64_t now_ms)
{
    columns_add(columns, host->name);
    columns_add(columns, host->peer);
    columns_add(columns, host->version);
    add_span(columns, now_ms - host->heard_ms, true);
    if (host->bans < 0)
        columns_add(columns, "-");
    else
        columns_add_number(columns, (uint64_t)host->bans);
    add_span(columns, host->lag_ms, host->lag_ms >= 0);
    add_clock(columns, host->behind_ms);
    columns_add(columns, host->state);
}

static int
print_text(struct fjson_object *hosts, int64_t bans, int64_t now_ms)
{
    const size_t count = (size_t)fjson_object_array_length(hosts);
    static const char *const headings[] = {"HOST", "BY",  "VERSION", "HEARD",
                                           "BANS", "LAG", "CLOCK",   "STATE"};
    struct columns columns = {.headings = headings, .count = 8, .right = 0x10};
    int status = count > 0 ? EXIT_FINE : EXIT_NO;

    if (count == 0)
        puts("no host has reported within a day");
    for (size_t i = 0; i < count; i++) {
        const struct host host = read_host(fjson_object_array_get_idx(hosts, i), now_ms);

        if (!is_well(&host))
            status = EXIT_NO;
        add_row(&columns, &host, now_ms);
    }
    if (count > 0) {
        columns_print(&columns);
        printf("this server has %" PRId64 " bans for them\n", bans);
    }
    return status;
}

/* ---- as JSON ---- */

/* Seconds, to the millisecond. */
static struct fjson_object *
seconds_json(int64_t ms)
{
    char text[32];

    snprintf(text, sizeof(text), "%.3f", (double)ms / 1000);
    return fjson_object_new_double_s((double)ms / 1000, text);
}

static struct fjson_object *
host_json(const struct host *host)
{
    struct fjson_object *const object = fjson_object_new_object();

    format_add_string(object, "name", host->name);
    format_add_string(object, "by", host->peer);
    format_add_string(object, "version", host->version);
    format_add_time(object, "heard", host->heard_ms);
    fjson_object_object_add(object, "bans",
                            host->bans < 0 ? NULL : fjson_object_new_int64(host->bans));
    fjson_object_object_add(object, "lag", host->lag_ms < 0 ? NULL : seconds_json(host->lag_ms));
    fjson_object_object_add(object, "clock", seconds_json(host->behind_ms));
    format_add_number(object, "refused", (uint64_t)host->refused);
    format_add_string(object, "state", host->state);
    fjson_object_object_add(object, "addresses",
                            host->addresses == NULL ? fjson_object_new_array()
                                                    : fjson_object_get(host->addresses));
    return object;
}

static int
print_json(struct fjson_object *hosts, int64_t bans, int64_t now_ms)
{
    const size_t count = (size_t)fjson_object_array_length(hosts);
    struct fjson_object *const object = fjson_object_new_object();
    struct fjson_object *const array = fjson_object_new_array();
    int status = count > 0 ? EXIT_FINE : EXIT_NO;

    for (size_t i = 0; i < count; i++) {
        const struct host host = read_host(fjson_object_array_get_idx(hosts, i), now_ms);

        if (!is_well(&host))
            status = EXIT_NO;
        fjson_object_array_add(array, host_json(&host));
    }
    format_add_number(object, "bans", (uint64_t)bans);
    fjson_object_object_add(object, "hosts", array);
    format_print_json(object);
    return status;
}

/* ---- fleet ---- */

static int
show(const struct invocation *invocation, const struct location *place)
{
    char *const text = roster_read(place->table, ROSTER_SUFFIX);
    const int error = errno;
    struct fjson_object *hosts;
    int64_t bans = 0;
    int status;

    if (text == NULL && error == ENOENT)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE,
                               "this server is no centre of a fleet, or has just begun: "
                               "fleetRuleset names no ruleset");
    if (text == NULL)
        return banmailctl_fail(invocation, error == EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                               "%s" ROSTER_SUFFIX ": %s", place->table, strerror(error));
    hosts = read_lines(text, &bans);
    if (hosts == NULL)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "%s" ROSTER_SUFFIX " is damaged",
                                 place->table);
    else
        status = (invocation->json ? print_json : print_text)(hosts, bans, banmailctl_now_ms());
    fjson_object_put(hosts);
    free(text);
    return status;
}

/* ---- fleet resync ---- */

static int
read_answer(const struct invocation *invocation, const char *answer, int64_t *hosts)
{
    struct fjson_object *const object = object_parse(answer, strlen(answer));
    char text[COMMAND_SIZE];
    int status = object == NULL ? EXIT_FINE : channel_refusal(object, text);

    if (status != EXIT_FINE)
        status = banmailctl_fail(invocation, status, "%s", text);
    else if (object == NULL || object_integer(object, "hosts", 0, INT64_MAX, hosts) != 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "rsyslogd's answer makes no sense");
    fjson_object_put(object);
    return status;
}

static int
resync(const struct invocation *invocation, const struct location *place)
{
    char answer[COMMAND_SIZE], reason[LOCATION_REASON_SIZE] = "", request[COMMAND_SIZE];
    struct fjson_object *object = fjson_object_new_object();
    struct channel channel = {.place = place};
    int64_t hosts = 0;
    int status;

    format_add_string(object, "command", "resync");
    if (invocation->count > 1)
        format_add_string(object, "host", invocation->words[1]);
    snprintf(request, sizeof(request), "%s\n",
             fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
    fjson_object_put(object);
    status = channel_send(&channel, request, answer, reason);
    if (status < 0)
        return banmailctl_fail(invocation, status == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                               "%s", reason);
    status = read_answer(invocation, answer, &hosts);
    channel_close(&channel, reason);
    if (status != EXIT_FINE)
        return status;
    if (invocation->json) {
        object = fjson_object_new_object();
        format_add_number(object, "resync", (uint64_t)hosts);
        format_print_json(object);
    } else {
        printf("all bans are sent again to %" PRId64 " host%s\n", hosts, hosts == 1 ? "" : "s");
    }
    return hosts > 0 ? EXIT_FINE : EXIT_NO;
}

int
fleet_main(const struct invocation *invocation)
{
    char reason[LOCATION_REASON_SIZE];
    struct location place;
    const int error = location_find(invocation->table, &place, reason);

    if (invocation->count > 0 && strcmp(invocation->words[0], "resync") != 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "fleet is for itself, or: banmailctl fleet resync [HOST]");
    if (error != 0)
        return banmailctl_fail(invocation, error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                               "%s", reason);
    return invocation->count == 0 ? show(invocation, &place) : resync(invocation, &place);
}
