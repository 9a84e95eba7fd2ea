/* channel: the socket first, the lock second.
 *
 * There is no third way and no race between the two: whoever has the table's lock is the only one
 * who writes, and rsyslogd has it for as long as it runs. While it starts or stops, the lock is
 * taken and the socket is not there; then both are tried again for a second.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-channel.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/enforcer.h"
#include "ledger/ledger.h"
#include "ledger/batch.h"
#include "kernel/policy.h"
#include "banmailctl.h"
#include "banmailctl-allow.h"
#include "banmailctl-program.h"
#include "base/clock.h"
#include "base/object.h"

#define ANSWER_MS 900 /* each answer within a second */
#define AGAIN_MS  20

/* Opens the table as the last rsyslogd had it: another size would make a new file. */
static int
lock_table(struct channel *channel)
{
    struct table_options options = {
        .path = channel->place->table,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .now_ms = banmailctl_now_ms(),
        .report = &banmailctl_report,
    };
    struct table_status was;
    const struct table *reader;
    bool is_new;
    int status = table_open_reader(channel->place->table, &reader);

    if (status < 0)
        return status;
    table_read_status(reader, &was);
    table_close_reader(reader);
    options.ledger_path = was.ledger_path;
    options.capacity = was.capacity;
    options.max_bans = was.max_bans;
    return table_open(&options, &channel->table, &is_new);
}

static void
gather_allowed(struct channel *channel)
{
    channel->allow = allow_new();
    if (!channel->allow)
        return;
    allow_add_own(channel->allow);
    allow_add_added(channel->table, channel->allow);
    allow_seal(channel->allow);
}

static int
forget_here(void *closure, const struct source *source, const char *user)
{
    const struct channel *channel = closure;
    struct table_status status;
    struct ledger *ledger;
    int result;

    table_read_status(channel->table, &status);
    result = ledger_open(status.ledger_path, false, &banmailctl_report, &ledger, NULL);
    if (result < 0)
        return result;
    result = ledger_forget(ledger, source, user);
    ledger_close(ledger);
    return result;
}

static int
change_allow_here(void *closure, const struct source *source, const char *note)
{
    const struct channel *channel = closure;
    char path[ALLOW_PATH_SIZE];

    return allow_added_change(allow_path(channel->table, path), source, note);
}

static int
run_here(struct channel *channel, const char *request, char answer[COMMAND_SIZE])
{
    struct command_context context;
    int status;

    if (!channel->table) {
        status = lock_table(channel);
        if (status < 0)
            return status;
        gather_allowed(channel);
    }
    context = (struct command_context){
        .table = channel->table,
        .allow = channel->allow,
        .caller = getuid(),
        .now_ms = banmailctl_now_ms(),
        .forget = forget_here,
        .change_allow = change_allow_here,
        .closure = channel,
    };
    command_run(&context, request, strlen(request), answer);
    return 0;
}

static void
explain(const struct channel *channel, int status, char reason[LOCATION_REASON_SIZE])
{
    if (status == -EBUSY)
        snprintf(reason, LOCATION_REASON_SIZE,
                 "rsyslogd has the table but does not answer at %.400s: it is starting, stopping, "
                 "or has lost its socket; try again, then restart rsyslogd",
                 channel->place->socket);
    else if (status == -EACCES)
        snprintf(reason, LOCATION_REASON_SIZE,
                 "permission denied at %.400s: commands need root, or the user that rsyslogd runs "
                 "as",
                 channel->place->socket);
    else if (status == -ETIMEDOUT)
        snprintf(reason, LOCATION_REASON_SIZE,
                 "rsyslogd did not answer within %d ms at %.400s; banmailctl list shows whether "
                 "it was done",
                 ANSWER_MS, channel->place->socket);
    else
        snprintf(reason, LOCATION_REASON_SIZE, "%.400s: %s", channel->place->socket,
                 strerror(-status));
}

const char *
channel_caller(char member[CHANNEL_CALLER_SIZE])
{
    const char *const text = geteuid() == 0 ? getenv("SUDO_UID") : NULL;
    unsigned long user;
    char *end;

    member[0] = '\0';
    if (text == NULL || !isdigit((unsigned char)text[0]))
        return member;
    user = strtoul(text, &end, 10);
    if (*end == '\0' && user < UINT32_MAX)
        snprintf(member, CHANNEL_CALLER_SIZE, ",\"caller\":%lu", user);
    return member;
}

int
channel_send(struct channel *channel, const char *request, char answer[COMMAND_SIZE],
             char reason[LOCATION_REASON_SIZE])
{
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000};
    const int64_t deadline_ms = clock_steady_ms() + ANSWER_MS;
    int64_t left_ms = ANSWER_MS;
    int status = -EBUSY;

    if (channel->table)
        return run_here(channel, request, answer);
    while (status == -EBUSY && left_ms > 0) {
        status = command_send(channel->place->socket, request, answer, (int)left_ms);
        if (status == -ENOENT || status == -ECONNREFUSED)
            status = run_here(channel, request, answer);
        left_ms = deadline_ms - clock_steady_ms();
        if (status == -EBUSY && left_ms > 0)
            nanosleep(&pause, NULL);
    }
    if (status < 0)
        explain(channel, status, reason);
    return status;
}

static int
update_kernel(struct channel *channel, char reason[LOCATION_REASON_SIZE])
{
    char text[FIREWALL_REASON_SIZE] = "";
    struct firewall *firewall = NULL;
    int status = firewall_open(&firewall, text);
    struct firewall_policy policy;

    policy_read(channel->place->table, &policy);
    if (status == 0)
        status = enforcer_pass(firewall, channel->table, &policy, banmailctl_now_ms(), text,
                               sizeof(text));
    firewall_close(firewall);
    if (status < 0)
        snprintf(reason, LOCATION_REASON_SIZE,
                 "not in the kernel yet, rsyslogd will see to it when "
                 "it starts: %s",
                 text);
    return status;
}

/* A ledger that cannot be written holds nothing up: the table remembers what is unrecorded. */
static void
update_ledger(struct channel *channel)
{
    struct table_status status;
    struct ledger *ledger;
    int error;

    table_read_status(channel->table, &status);
    error = ledger_open(status.ledger_path, false, &banmailctl_report, &ledger, NULL);
    if (error == 0) {
        error = batch_write_all(ledger, channel->table);
        ledger_close(ledger);
    }
    if (error < 0)
        report_say(&banmailctl_report, LOG_WARNING,
                   "the ledger %s could not be written (%s); rsyslogd will do it when it starts",
                   status.ledger_path, strerror(-error));
}

int
channel_close(struct channel *channel, char reason[LOCATION_REASON_SIZE])
{
    int status = 0;

    if (channel->table) {
        status = update_kernel(channel, reason);
        update_ledger(channel);
        table_close(channel->table);
        allow_free(channel->allow);
    }
    *channel = (struct channel){.place = channel->place};
    return status;
}

int
channel_refusal(struct fjson_object *answer, char text[COMMAND_SIZE])
{
    char code[32];

    if (object_text(answer, "error", text, COMMAND_SIZE) != 0)
        return EXIT_FINE;
    return object_text(answer, "code", code, sizeof(code)) == 0 && strcmp(code, COMMAND_DENIED) == 0
               ? EXIT_PERMISSION
               : EXIT_REFUSED;
}
