/* pause, resume and forget: orders that name no ban.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-channel.h"
#include "banmailctl-location.h"
#include "banmailctl-bans.h"
#include "banmailctl-format.h"
#include "line/evidence.h"
#include "base/object.h"
#include "table/table-health.h"

/* 100,000 elements take a second, and longer where there is much else to do. */
#define KERNEL_WAIT_MS 15000
#define POLL_MS        5

/* Sends one request and waits until the kernel agrees. `number` is the answer's member `key`. */
static int
order(const struct invocation *invocation, const char *request, const char *key, int64_t *number)
{
    char answer[COMMAND_SIZE], reason[LOCATION_REASON_SIZE] = "", text[COMMAND_SIZE];
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000};
    struct fjson_object *object;
    struct location place;
    const struct table *table;
    struct channel channel = {.place = &place};
    const int64_t now_ms = banmailctl_now_ms();
    int status = banmailctl_read(invocation, &place, &table), error;

    if (status != EXIT_FINE)
        return status;
    error = channel_send(&channel, request, answer, reason);
    object = error < 0 ? NULL : object_parse(answer, strlen(answer));
    if (error < 0)
        status = banmailctl_fail(invocation, error == -EACCES ? EXIT_PERMISSION : EXIT_UNREACHABLE,
                                 "%s", reason);
    else if (object && (status = channel_refusal(object, text)) != EXIT_FINE)
        status = banmailctl_fail(invocation, status, "%s", text);
    else if (!object || object_integer(object, key, 0, INT64_MAX, number) < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "rsyslogd's answer makes no sense");
    fjson_object_put(object);
    if (channel_close(&channel, reason) < 0 && status == EXIT_FINE)
        status = banmailctl_fail(invocation, EXIT_REFUSED, "%s", reason);
    while (status == EXIT_FINE && bans_waiting(table, now_ms) > 0 &&
           banmailctl_now_ms() < now_ms + KERNEL_WAIT_MS)
        nanosleep(&pause, NULL);
    if (status == EXIT_FINE && bans_waiting(table, now_ms) > 0)
        status = banmailctl_fail(invocation, EXIT_REFUSED,
                                 "done, but the kernel does not agree yet; see banmailctl status");
    table_close_reader(table);
    return status;
}

int
pause_main(const struct invocation *invocation)
{
    char request[COMMAND_SIZE] = "{\"command\":\"pause\"}\n", stamp[FORMAT_STAMP_SIZE];
    int64_t until_ms = banmailctl_now_ms() + invocation->for_s * 1000, ignored;
    struct fjson_object *object;
    int status;

    if (!invocation->forever)
        snprintf(request, sizeof(request), "{\"command\":\"pause\",\"seconds\":%" PRId64 "}\n",
                 invocation->for_s);
    status = order(invocation, request, "bans", &ignored);
    if (status != EXIT_FINE)
        return status;
    if (invocation->json) {
        object = fjson_object_new_object();
        format_add_bool(object, "paused", true);
        format_add_time(object, "until", invocation->forever ? TABLE_FOREVER_MS : until_ms);
        format_print_json(object);
    } else if (invocation->forever) {
        puts("paused: nobody is kept out until banmailctl resume; counting goes on");
    } else {
        printf("paused: nobody is kept out until %s; counting goes on\n"
               "  end it before with: banmailctl resume\n",
               format_stamp(until_ms, stamp));
    }
    return EXIT_FINE;
}

int
resume_main(const struct invocation *invocation)
{
    int64_t was_paused = 0;
    struct fjson_object *object;
    int status = order(invocation, "{\"command\":\"resume\"}\n", "bans", &was_paused);

    if (status != EXIT_FINE)
        return status;
    if (invocation->json) {
        object = fjson_object_new_object();
        format_add_bool(object, "paused", false);
        format_add_bool(object, "wasPaused", was_paused != 0);
        format_print_json(object);
    } else {
        puts(was_paused ? "resumed: all bans are in force" : "was not paused");
    }
    return was_paused ? EXIT_FINE : EXIT_NO;
}

/* A name that is no mailbox may have been kept whole or shortened: both are asked for. */
static int
forget_user(const struct invocation *invocation, const char *name, int64_t *erased)
{
    static const enum evidence_mode modes[] = {EVIDENCE_FULL, EVIDENCE_REDACTED};
    char user[EVIDENCE_USER_SIZE], request[COMMAND_SIZE];
    int status = EXIT_FINE;
    int64_t number;

    for (int i = 0; i < 2 && status == EXIT_FINE; i++) {
        struct fjson_object *object = fjson_object_new_object();

        if (i == 1 && evidence_is_mailbox(name, strlen(name))) {
            fjson_object_put(object);
            break;
        }
        evidence_user(modes[i], false, name, strlen(name), user);
        format_add_string(object, "command", "forget");
        format_add_string(object, "user", user);
        snprintf(request, sizeof(request), "%s\n",
                 fjson_object_to_json_string_ext(object, FJSON_TO_STRING_PLAIN));
        fjson_object_put(object);
        number = 0;
        status = order(invocation, request, "erased", &number);
        *erased += number;
    }
    return status;
}

int
forget_main(const struct invocation *invocation)
{
    char request[COMMAND_SIZE], reason[512], text[SOURCE_TEXT_SIZE];
    struct fjson_object *object;
    struct source source;
    int64_t erased = 0;
    int status;

    if (invocation->count == 0)
        return banmailctl_fail(invocation, EXIT_USAGE,
                               "forget needs an address or a user: banmailctl forget 203.0.113.9");
    if (format_parse_source(invocation->words[0], &source, reason, sizeof(reason)) == 0) {
        snprintf(request, sizeof(request), "{\"command\":\"forget\",\"source\":\"%s\"}\n",
                 source_print(&source, text));
        status = order(invocation, request, "erased", &erased);
    } else {
        status = forget_user(invocation, invocation->words[0], &erased);
    }
    if (status != EXIT_FINE)
        return status;
    if (invocation->json) {
        object = fjson_object_new_object();
        format_add_number(object, "erased", (uint64_t)erased);
        format_print_json(object);
    } else {
        printf(erased ? "erased %" PRId64 " lines and bans that are over\n"
                      : "there was nothing to erase\n",
               erased);
    }
    return erased ? EXIT_FINE : EXIT_NO;
}
