/* learn: what the module has to know of its clients on its first day, out of the logs of the days
 * before: who logs in, and whom mail was taken from.
 *
 * Of each client and user the latest login is told to rsyslogd, which notes it as it would have
 * noted the line. Nothing is counted against anybody, and nobody is banned.
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
#include "banmailctl-format.h"
#include "banmailctl-location.h"
#include "banmailctl-reader.h"
#include "banmailctl-trial.h"
#include "base/hash.h"
#include "base/object.h"
#include "rules/jail.h"

#define ENOUGH_S (24 * 3600) /* a log that reaches back so far makes up for the learning time */

const char learn_help[] =
    "Usage: banmailctl learn [--journal] [FILE...] [--json] [--table FILE]\n"
    "\n"
    "Reads logs of the last 7 days, as test does, and tells the running rsyslogd which clients\n"
    "have logged in, as how many users, and from which mail servers mail was taken: what it "
    "spares\n"
    "them for (docs/kindness.md) it knows from the beginning then. Where the logs reach back a "
    "day,\n"
    "the learning time (learningTime) is over. Nobody is banned for what the logs have.\n"
    "\n"
    "Exit status: 0 learned, 1 there was nothing to learn.\n"
    "\n"
    "Examples:\n"
    "  banmailctl learn /var/log/mail.log.1 /var/log/mail.log\n"
    "  banmailctl learn --journal\n";

/* One client, and one user of its; or the mail that was taken from it. */
struct merit {
    struct source client;
    uint64_t user_hash; /* 0: mail */
    char user[64];      /* as it is sent */
    int64_t stamp_s;    /* the latest; 0: the place is free */
};

struct learning {
    const struct invocation *invocation;
    struct merit *merits; /* by hash, in a power of two of places */
    size_t room, count;
    bool is_out_of_memory;
    int64_t now_s, oldest_s, latest_us;
    uint64_t clients, users, servers; /* that were told */
    bool is_enough, was_learning;
    struct channel channel;
};

/* ---- what the logs have ---- */

static size_t
place_of(const struct learning *learning, const struct source *client, uint64_t user_hash)
{
    const uint64_t hash =
        hash_bytes(user_hash, (const char *)client->address, sizeof client->address);
    size_t at = (size_t)(hash ^ hash >> 29) & (learning->room - 1);

    while (learning->merits[at].stamp_s != 0 &&
           (learning->merits[at].user_hash != user_hash ||
            source_compare(&learning->merits[at].client, client) != 0))
        at = (at + 1) & (learning->room - 1);
    return at;
}

static bool
grow(struct learning *learning)
{
    struct learning larger = *learning;

    larger.room = learning->room == 0 ? 1024 : learning->room * 2;
    larger.merits = calloc(larger.room, sizeof *larger.merits);
    if (larger.merits == NULL)
        return false;
    for (size_t i = 0; i < learning->room; i++) {
        const struct merit *const merit = &learning->merits[i];

        if (merit->stamp_s != 0)
            larger.merits[place_of(&larger, &merit->client, merit->user_hash)] = *merit;
    }
    free(learning->merits);
    *learning = larger;
    return true;
}

/* A name that a request cannot hold has its hash for a name: it is another user all the same. */
static void
name_user(struct merit *merit, const char *user, size_t length)
{
    bool is_plain = length < sizeof merit->user;

    for (size_t i = 0; i < length && is_plain; i++)
        is_plain = user[i] > ' ' && user[i] <= '~' && user[i] != '"' && user[i] != '\\';
    if (is_plain)
        snprintf(merit->user, sizeof merit->user, "%.*s", (int)length, user);
    else
        snprintf(merit->user, sizeof merit->user, "%016" PRIx64, merit->user_hash);
}

static void
note(struct learning *learning, const struct offence *offence, int64_t stamp_s)
{
    const bool is_login = offence->class == OFFENCE_LOGIN_OK;
    const uint64_t user_hash =
        is_login ? counter_hash_user(offence->user, offence->user_length) : 0;
    struct merit *merit;

    if (is_login && offence->user_length == 0)
        return;
    if (learning->count * 2 >= learning->room && !grow(learning)) {
        learning->is_out_of_memory = true;
        return;
    }
    merit = &learning->merits[place_of(learning, &offence->client, user_hash)];
    if (merit->stamp_s == 0) {
        *merit = (struct merit){.client = offence->client, .user_hash = user_hash};
        if (is_login)
            name_user(merit, offence->user, offence->user_length);
        learning->count++;
    }
    if (stamp_s > merit->stamp_s)
        merit->stamp_s = stamp_s;
}

/* Seconds; of a line without a stamp that of the line before it. */
static int64_t
stamp_of(struct learning *learning, const struct reader_line *line)
{
    const struct piece stamp = line->entry.stamp;
    bool has_microseconds;
    const int64_t stamp_us = trial_stamp(stamp.bytes == NULL ? "" : stamp.bytes, stamp.length,
                                         learning->now_s, &has_microseconds);

    if (stamp_us >= 0)
        learning->latest_us = stamp_us;
    return learning->latest_us / 1000000;
}

static void
take_line(void *context, struct reader_line *line)
{
    struct learning *const learning = context;
    const enum offence_class class = line->offence.class;
    int64_t stamp_s;

    if (line->fields == NULL)
        return;
    stamp_s = stamp_of(learning, line);
    if (stamp_s > 0 && (learning->oldest_s == 0 || stamp_s < learning->oldest_s))
        learning->oldest_s = stamp_s;
    if ((class == OFFENCE_LOGIN_OK || class == OFFENCE_MAIL_ACCEPTED) && line->offence.has_client &&
        source_is_client(&line->offence.client) && stamp_s > learning->now_s - JAIL_LATELY_S &&
        stamp_s <= learning->now_s)
        note(learning, &line->offence, stamp_s);
}

/* ---- telling it ---- */

/* Returns EXIT_FINE, or the exit status after having said why not. */
static int
send(struct learning *learning, const char *request)
{
    char answer[COMMAND_SIZE], text[LOCATION_REASON_SIZE];
    struct fjson_object *object;
    int status = channel_send(&learning->channel, request, answer, text);

    if (status < 0)
        return banmailctl_fail(learning->invocation,
                               status == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE, "%s", text);
    object = object_parse(answer, strlen(answer));
    status = object != NULL ? channel_refusal(object, text) : EXIT_UNREACHABLE;
    fjson_object_put(object);
    if (status == EXIT_UNREACHABLE)
        snprintf(text, sizeof(text), "the answer makes no sense");
    return status == EXIT_FINE ? EXIT_FINE
                               : banmailctl_fail(learning->invocation, status, "%s", text);
}

static int
send_merit(struct learning *learning, const struct merit *merit)
{
    const int64_t ago_s = learning->now_s - merit->stamp_s;
    char request[COMMAND_SIZE], source[SOURCE_TEXT_SIZE], user[96] = "";

    if (merit->user_hash != 0)
        snprintf(user, sizeof(user), ",\"user\":\"%s\"", merit->user);
    snprintf(request, sizeof(request),
             "{\"command\":\"learn\",\"source\":\"%s\",\"seconds\":%" PRId64 "%s}\n",
             source_print(&merit->client, source), ago_s > 0 ? ago_s : 1, user);
    return send(learning, request);
}

/* By client, so that the users of one lie together; mail behind them. */
static int
compare(const void *a, const void *b)
{
    const struct merit *const left = a, *const right = b;
    const int order = source_compare(&left->client, &right->client);

    if (order != 0)
        return order;
    return (left->user_hash == 0) - (right->user_hash == 0);
}

static void
pack(struct learning *learning)
{
    size_t kept = 0;

    for (size_t i = 0; i < learning->room; i++)
        if (learning->merits[i].stamp_s != 0)
            learning->merits[kept++] = learning->merits[i];
    if (kept > 1)
        qsort(learning->merits, kept, sizeof *learning->merits, compare);
}

static int
send_all(struct learning *learning)
{
    const struct merit *before = NULL;
    int status = EXIT_FINE;

    pack(learning);
    for (size_t i = 0; i < learning->count && status == EXIT_FINE; i++) {
        const struct merit *const merit = &learning->merits[i];

        status = send_merit(learning, merit);
        learning->servers += merit->user_hash == 0;
        learning->users += merit->user_hash != 0;
        learning->clients += merit->user_hash != 0 &&
                             (before == NULL || source_compare(&before->client, &merit->client));
        before = merit;
    }
    if (status == EXIT_FINE && learning->is_enough)
        status = send(learning, "{\"command\":\"learned\"}\n");
    return status;
}

/* ---- the answer ---- */

static void
print_text(const struct learning *learning, uint64_t lines)
{
    printf("%" PRIu64 " line%s read\n", lines, report_plural(lines));
    printf("%" PRIu64 " client%s logged in, as %" PRIu64
           " user%s in all; mail was taken from %" PRIu64 " client%s\n",
           learning->clients, learning->clients == 1 ? " has" : "s have", learning->users,
           learning->users == 1 ? "" : "s", learning->servers, learning->servers == 1 ? "" : "s");
    if (learning->was_learning)
        puts(learning->is_enough
                 ? "the learning time is over"
                 : "no login in the logs is a day old, so the learning time goes on");
}

static void
print_json(const struct learning *learning, uint64_t lines)
{
    struct fjson_object *const object = fjson_object_new_object();

    format_add_number(object, "lines", lines);
    format_add_number(object, "clients", learning->clients);
    format_add_number(object, "users", learning->users);
    format_add_number(object, "mailServers", learning->servers);
    format_add_bool(object, "learningOver", learning->is_enough);
    format_print_json(object);
}

static int
tell(struct learning *learning, const struct location *place, uint64_t lines)
{
    char reason[LOCATION_REASON_SIZE];
    int status;

    learning->channel.place = place;
    learning->is_enough = learning->count > 0 && learning->oldest_s <= learning->now_s - ENOUGH_S;
    if (learning->is_out_of_memory)
        return banmailctl_fail(learning->invocation, EXIT_UNREACHABLE, "out of memory");
    status = send_all(learning);
    channel_close(&learning->channel, reason);
    if (status != EXIT_FINE)
        return status;
    (learning->invocation->json ? print_json : print_text)(learning, lines);
    return learning->count > 0 ? EXIT_FINE : EXIT_NO;
}

int
learn_main(const struct invocation *invocation)
{
    struct learning learning = {.invocation = invocation, .now_s = banmailctl_now_ms() / 1000};
    struct log_reader reader = {.take = take_line, .context = &learning};
    struct location place;
    const struct table *table;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    learning.was_learning = table_learns_until(table) > banmailctl_now_ms();
    table_close_reader(table);
    if (reader_add_shipped(&reader) != 0 ||
        reader_run(&reader, invocation->journal ? JAIL_LATELY_S : -1, invocation->words,
                   invocation->count) != 0)
        status = EXIT_UNREACHABLE;
    if (status == EXIT_FINE)
        status = tell(&learning, &place, reader.lines);
    reader_free(&reader);
    free(learning.merits);
    return status;
}
