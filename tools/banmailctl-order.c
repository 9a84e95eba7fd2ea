/* order: ban and unban; what an administrator wants, sent through the channel, and what came of it.
 *
 * An answer is given when the kernel agrees, not when the wish was taken: "banned" means that the
 * client's packets are dropped now. Where that takes longer than half a second it is said, with the
 * cause, and the exit status tells it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-channel.h"
#include "banmailctl-location.h"
#include "banmailctl-format.h"
#include "base/object.h"

#define ENFORCE_WAIT_MS 500
#define POLL_MS         5

struct outcome {
    struct source source;
    int exit;
    bool done;     /* the table was changed */
    bool enforced; /* and the kernel agrees */
    unsigned bans; /* how many were changed */
    int64_t until_ms;
    struct bans lifted; /* what an unban found before it */
    bool is_gateway;    /* what a ban has banned; */
    unsigned users;     /* so many log in through it, 0: it is of a network of this machine */
    char error[LOCATION_REASON_SIZE];
};

struct word_list {
    char **typed;
    char **words; /* ours, from standard input; else NULL */
    int count;
};

struct order {
    const struct invocation *invocation;
    bool ban; /* else unban */
    struct location place;
    const struct table *table; /* read-only */
    struct channel channel;
    struct outcome *outcomes;
    int count;
};

__attribute__((format(printf, 3, 4))) static void
fail(struct outcome *outcome, int status, const char *format, ...)
{
    va_list arguments;

    outcome->exit = status;
    va_start(arguments, format);
    vsnprintf(outcome->error, sizeof(outcome->error), format, arguments);
    va_end(arguments);
}

static const char *
request_line(const struct order *order, const struct outcome *outcome)
{
    static char line[COMMAND_SIZE];
    char source[SOURCE_TEXT_SIZE], jail[COMMAND_SIZE / 2] = "", seconds[48] = "";
    char caller[CHANNEL_CALLER_SIZE];

    if (order->invocation->jail)
        snprintf(jail, sizeof(jail), ",\"jail\":\"%s\"", order->invocation->jail);
    if (order->ban && !order->invocation->forever)
        snprintf(seconds, sizeof(seconds), ",\"seconds\":%" PRId64, order->invocation->for_s);
    snprintf(line, sizeof(line), "{\"command\":\"%s\",\"source\":\"%s\"%s%s%s}\n",
             order->ban ? "ban" : "unban", source_print(&outcome->source, source), jail, seconds,
             channel_caller(caller));
    return line;
}

/* {"done":true,"bans":1} or a refusal */
static void
read_answer(struct outcome *outcome, const char *answer)
{
    struct fjson_object *object = object_parse(answer, strlen(answer)), *done;
    char text[COMMAND_SIZE];
    int64_t bans = 0, users = 0;
    int refusal = object ? channel_refusal(object, text) : EXIT_FINE;

    if (object && fjson_object_object_get_ex(object, "done", &done))
        outcome->done = fjson_object_get_boolean(done);
    if (outcome->done && object_integer(object, "bans", 0, UINT32_MAX, &bans) == 0)
        outcome->bans = (unsigned)bans;
    else if (refusal != EXIT_FINE)
        fail(outcome, refusal, "%s", text);
    else
        fail(outcome, EXIT_UNREACHABLE, "rsyslogd's answer makes no sense: %s",
             format_clean(answer, text, sizeof(text)));
    outcome->is_gateway =
        outcome->done && object_integer(object, "users", 0, UINT32_MAX, &users) == 0;
    outcome->users = (unsigned)users;
    fjson_object_put(object);
}

static bool
is_of_jail(const struct order *order, const struct ban *ban)
{
    const char *jail = order->invocation->jail;
    char name[JAIL_NAME_SIZE * 4];

    return !jail || strcmp(bans_jail_name(order->table, ban, name), jail) == 0;
}

/* What an unban of the source will lift. */
static void
note_lifted(const struct order *order, struct outcome *outcome)
{
    struct bans *bans = &outcome->lifted;
    size_t kept = 0;

    if (bans_read(order->table, banmailctl_now_ms(), bans) < 0)
        return;
    for (size_t i = 0; i < bans->count; i++)
        if (bans_touches(&bans->ban[i], &outcome->source) && is_of_jail(order, &bans->ban[i]))
            bans->ban[kept++] = bans->ban[i];
    bans->count = kept;
}

static void
send_one(struct order *order, struct outcome *outcome)
{
    char answer[COMMAND_SIZE];
    int status;

    if (!order->ban)
        note_lifted(order, outcome);
    status = channel_send(&order->channel, request_line(order, outcome), answer, outcome->error);
    if (status < 0)
        outcome->exit = status == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE;
    else
        read_answer(outcome, answer);
    if (!order->ban && outcome->done && outcome->bans == 0)
        outcome->exit = EXIT_NO;
}

/* Whether the kernel agrees about this source: no slot of it waits. */
static bool
is_settled(const struct order *order, struct outcome *outcome)
{
    struct table_status status;
    bool settled = true;
    struct ban ban;

    table_read_status(order->table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++) {
        if (!table_read_ban(order->table, i, &ban) || !bans_touches(&ban, &outcome->source))
            continue;
        if (ban.state == BAN_WANTED || ban.state == BAN_LIFTED)
            settled = false;
        if (ban.origin == BAN_BY_HAND && source_compare(&ban.source, &outcome->source) == 0 &&
            (ban.state == BAN_WANTED || ban.state == BAN_ENFORCED))
            outcome->until_ms = ban.until_ms;
    }
    return settled;
}

static void
wait_until_settled(const struct order *order)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    int waited = 0;

    for (int i = 0; i < order->count; i++) {
        struct outcome *outcome = &order->outcomes[i];

        while (outcome->done && !(outcome->enforced = is_settled(order, outcome)) &&
               waited < ENFORCE_WAIT_MS) {
            nanosleep(&pause, NULL);
            waited += POLL_MS;
        }
    }
}

static void
tell_why_not_enforced(const struct order *order, const char *reason)
{
    struct table_status status;
    char clean[512];

    table_read_status(order->table, &status);
    if (!*reason && status.trouble[0])
        reason = format_clean(status.trouble, clean, sizeof(clean));
    for (int i = 0; i < order->count; i++) {
        struct outcome *outcome = &order->outcomes[i];

        if (outcome->done && outcome->exit == EXIT_FINE && !outcome->enforced)
            fail(outcome, EXIT_REFUSED, "%s",
                 *reason ? reason : "the kernel does not have it yet; see banmailctl status");
    }
}

static void
run(struct order *order)
{
    char reason[LOCATION_REASON_SIZE] = "";

    for (int i = 0; i < order->count; i++)
        send_one(order, &order->outcomes[i]);
    channel_close(&order->channel, reason);
    wait_until_settled(order);
    tell_why_not_enforced(order, reason);
}

/* ---- what came of it, as text ---- */

static void
print_banned(const struct order *order, const struct outcome *outcome, const char *source)
{
    char span[FORMAT_SPAN_SIZE], stamp[FORMAT_STAMP_SIZE];
    char text[SOURCE_TEXT_SIZE];
    const char *verb = outcome->enforced ? "banned" : "will be banned";
    const char *table = order->invocation->table;
    struct source network;

    if (outcome->until_ms == TABLE_FOREVER_MS)
        printf("%s: %s until it is lifted\n", source, verb);
    else
        printf("%s: %s, %s left, until %s\n", source, verb,
               format_span(outcome->until_ms - banmailctl_now_ms(), span),
               format_stamp(outcome->until_ms, stamp));
    printf("  lift it with: banmailctl %s%s%sunban %s\n", table ? "--table " : "",
           table ? table : "", table ? " " : "", source);
    if (outcome->is_gateway && outcome->users > 0)
        printf("  careful: it looks like a gateway, %u users have logged in through it within a "
               "day\n",
               outcome->users);
    else if (outcome->is_gateway)
        printf("  careful: it is in a private network of this machine; others may come through "
               "it\n");
    if (!source_is_v4(&outcome->source) && outcome->source.prefix == SOURCE_HOST_PREFIX) {
        network = source_mask(&outcome->source, 32, 64);
        printf("  an IPv6 client mostly owns its whole /64: banmailctl ban %s\n",
               source_print(&network, text));
    }
}

static void
print_lifted(const struct order *order, const struct outcome *outcome, const char *source)
{
    char banned[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], span[FORMAT_SPAN_SIZE];

    if (outcome->bans == 0) {
        printf(order->invocation->all ? "nobody is banned\n" : "%s: is not banned\n", source);
        return;
    }
    printf("%s: lifted %u ban%s%s\n", source, outcome->bans, outcome->bans == 1 ? "" : "s",
           outcome->enforced ? "" : ", but the kernel still has it");
    for (size_t i = 0; i < outcome->lifted.count; i++) {
        const struct ban *ban = &outcome->lifted.ban[i];

        printf("  %s (%s), banned since %s\n", source_print(&ban->source, banned),
               bans_jail_name(order->table, ban, jail),
               format_span(banmailctl_now_ms() - ban->since_ms, span));
    }
}

static void
print_text(const struct order *order)
{
    char source[SOURCE_TEXT_SIZE], error[COMMAND_SIZE];

    for (int i = 0; i < order->count; i++) {
        const struct outcome *outcome = &order->outcomes[i];

        format_clean(outcome->error, error, sizeof(error));
        if (order->invocation->all)
            snprintf(source, sizeof(source), "everybody");
        else
            source_print(&outcome->source, source);
        if (outcome->done)
            (order->ban ? print_banned : print_lifted)(order, outcome, source);
        fflush(stdout);
        if (strncmp(error, source, strlen(source)) == 0)
            fprintf(stderr, "banmailctl: %s\n", error);
        else if (error[0])
            fprintf(stderr, "banmailctl: %s: %s\n", source, error);
    }
}

/* ---- and as JSON ---- */

static struct fjson_object *
outcome_json(const struct order *order, const struct outcome *outcome)
{
    struct fjson_object *object = fjson_object_new_object(), *lifted;
    char source[SOURCE_TEXT_SIZE];

    format_add_string(object, "source", source_print(&outcome->source, source));
    format_add_bool(object, "done", outcome->done && outcome->exit != EXIT_NO);
    format_add_number(object, "bans", outcome->bans);
    format_add_bool(object, "enforced", outcome->enforced);
    if (order->ban) {
        format_add_time(object, "until", outcome->until_ms);
    } else {
        lifted = fjson_object_new_array();
        for (size_t i = 0; i < outcome->lifted.count && outcome->bans; i++)
            fjson_object_array_add(lifted, fjson_object_new_string(source_print(
                                               &outcome->lifted.ban[i].source, source)));
        fjson_object_object_add(object, "lifted", lifted);
    }
    if (order->ban)
        format_add_bool(object, "gateway", outcome->is_gateway);
    if (outcome->error[0])
        format_add_string(object, "error", outcome->error);
    else
        fjson_object_object_add(object, "error", NULL);
    return object;
}

static void
print_json(const struct order *order)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();

    for (int i = 0; i < order->count; i++)
        fjson_object_array_add(array, outcome_json(order, &order->outcomes[i]));
    format_add_string(object, "command", order->ban ? "ban" : "unban");
    fjson_object_object_add(object, "results", array);
    format_print_json(object);
}

/* ---- from the words to the exit status ---- */

/* Reads one address a line from standard input; empty lines and # comments are passed over. */
static int
read_words(struct word_list *list)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) >= 0) {
        char *word = line + strspn(line, " \t"), **grown;

        word[strcspn(word, "# \t\r\n")] = '\0';
        if (!*word)
            continue;
        grown = reallocarray(list->words, (size_t)list->count + 1, sizeof(*grown));
        if (!grown)
            break;
        list->words = grown;
        if (!(grown[list->count] = strdup(word)))
            break;
        list->count++;
    }
    free(line);
    return feof(stdin) ? 0 : -EIO;
}

/* What was typed, or stands on standard input for `-`, or everything for --all. */
static int
gather_words(struct order *order, struct word_list *list)
{
    const struct invocation *invocation = order->invocation;
    static char zero[] = "::/0";
    static char *everything[] = {zero};

    list->count = invocation->count;
    list->typed = invocation->words;
    if (invocation->all && invocation->count > 0)
        return banmailctl_fail(invocation, EXIT_USAGE, "--all takes no address");
    if (invocation->all) {
        list->typed = everything;
        list->count = 1;
    }
    if (invocation->count == 1 && strcmp(invocation->words[0], "-") == 0) {
        list->count = 0;
        if (read_words(list) < 0)
            return banmailctl_fail(invocation, EXIT_USAGE, "standard input cannot be read");
        list->typed = list->words;
    }
    if (list->count == 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "%s needs an address: banmailctl %s 203.0.113.9",
                               order->ban ? "ban" : "unban", order->ban ? "ban" : "unban");
    return EXIT_FINE;
}

/* All addresses are looked at before the first is acted upon. */
static int
parse_sources(struct order *order, const struct word_list *list)
{
    const struct invocation *invocation = order->invocation;
    char reason[512];

    order->count = list->count;
    order->outcomes = calloc((size_t)order->count, sizeof(*order->outcomes));
    if (!order->outcomes)
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    for (int i = 0; i < order->count; i++)
        if (format_parse_source(list->typed[i], &order->outcomes[i].source, reason,
                                sizeof(reason)) < 0)
            return banmailctl_fail(invocation, EXIT_USAGE, "%s", reason);
    return EXIT_FINE;
}

/* The gravest of several: permission and reach before refusals before "not banned". */
static int
worst(const struct order *order)
{
    int worst = EXIT_FINE;

    for (int i = 0; i < order->count; i++)
        if (order->outcomes[i].exit > worst)
            worst = order->outcomes[i].exit;
    return worst;
}

static int
order_main(const struct invocation *invocation, bool ban)
{
    struct order order = {.invocation = invocation, .ban = ban};
    struct word_list list = {.words = NULL};
    int status = gather_words(&order, &list);

    if (status == EXIT_FINE)
        status = parse_sources(&order, &list);
    if (status == EXIT_FINE)
        status = banmailctl_read(invocation, &order.place, &order.table);
    if (status == EXIT_FINE) {
        order.channel.place = &order.place;
        run(&order);
        (invocation->json ? print_json : print_text)(&order);
        status = worst(&order);
    }
    for (int i = 0; order.outcomes && i < order.count; i++)
        bans_free(&order.outcomes[i].lifted);
    free(order.outcomes);
    for (int i = 0; list.words && i < list.count; i++)
        free(list.words[i]);
    free(list.words);
    table_close_reader(order.table);
    return status;
}

int
order_ban(const struct invocation *invocation)
{
    return order_main(invocation, true);
}

int
order_unban(const struct invocation *invocation)
{
    return order_main(invocation, false);
}
