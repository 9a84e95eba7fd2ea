/* gate: the socket first, the lock second.
 *
 * There is no third way and no race between the two: whoever has the table's lock is the only one
 * who writes, and rsyslogd has it for as long as it runs. While it starts or stops, the lock is
 * taken and the socket is not there; then both are tried again for a second.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "banmailctl-gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/firewall.h"
#include "kernel/keeper.h"
#include "ledger/ledger.h"
#include "kernel/policy.h"
#include "control/scribe.h"
#include "banmailctl.h"
#include "banmailctl-program.h"

#define ANSWER_MS 900 /* each answer within a second */
#define AGAIN_MS  20

/* Opens the table as the last rsyslogd had it: another size would make a new file. */
static int
lock_table(struct gate *gate)
{
    struct table_options options = {
        .path = gate->place->table,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .now_ms = banmailctl_now_ms(),
        .report = &banmailctl_report,
    };
    struct table_status was;
    struct table *reader;
    bool is_new;
    int status = table_open_reader(gate->place->table, &reader);

    if (status < 0)
        return status;
    table_read_status(reader, &was);
    table_close(reader);
    options.ledger_path = was.ledger_path;
    options.capacity = was.capacity;
    options.max_bans = was.max_bans;
    return table_open(&options, &gate->table, &is_new);
}

static void
gather_own_addresses(struct gate *gate)
{
    gate->allow = allow_new();
    if (!gate->allow)
        return;
    allow_add_own(gate->allow);
    allow_seal(gate->allow);
}

static int
forget_here(void *closure, const struct source *source, const char *user)
{
    const struct gate *gate = closure;
    struct table_status status;
    struct ledger *ledger;
    int result;

    table_read_status(gate->table, &status);
    result = ledger_open(status.ledger_path, false, &banmailctl_report, &ledger, NULL);
    if (result < 0)
        return result;
    result = ledger_forget(ledger, source, user);
    ledger_close(ledger);
    return result;
}

static int
run_here(struct gate *gate, const char *request, char answer[COMMAND_SIZE])
{
    struct command_context context;
    int status;

    if (!gate->table) {
        status = lock_table(gate);
        if (status < 0)
            return status;
        gather_own_addresses(gate);
    }
    context = (struct command_context){
        .table = gate->table,
        .allow = gate->allow,
        .caller = getuid(),
        .now_ms = banmailctl_now_ms(),
        .forget = forget_here,
        .closure = gate,
    };
    command_run(&context, request, strlen(request), answer);
    return 0;
}

static void
explain(const struct gate *gate, int status, char reason[PLACE_REASON_SIZE])
{
    if (status == -EBUSY)
        snprintf(reason, PLACE_REASON_SIZE,
                 "rsyslogd has the table but does not answer at %.400s: it is starting, stopping, "
                 "or has lost its socket; try again, then restart rsyslogd",
                 gate->place->socket);
    else if (status == -EACCES)
        snprintf(reason, PLACE_REASON_SIZE,
                 "permission denied at %.400s: commands need root, or the user that rsyslogd runs "
                 "as",
                 gate->place->socket);
    else if (status == -ETIMEDOUT)
        snprintf(reason, PLACE_REASON_SIZE,
                 "rsyslogd did not answer within %d ms at %.400s; look whether it was done: "
                 "banmailctl list",
                 ANSWER_MS, gate->place->socket);
    else
        snprintf(reason, PLACE_REASON_SIZE, "%.400s: %s", gate->place->socket, strerror(-status));
}

int
gate_send(struct gate *gate, const char *request, char answer[COMMAND_SIZE],
          char reason[PLACE_REASON_SIZE])
{
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000};
    const int64_t deadline_ms = program_now_ms() + ANSWER_MS;
    int64_t left_ms = ANSWER_MS;
    int status = -EBUSY;

    if (gate->table)
        return run_here(gate, request, answer);
    while (status == -EBUSY && left_ms > 0) {
        status = command_send(gate->place->socket, request, answer, (int)left_ms);
        if (status == -ENOENT || status == -ECONNREFUSED)
            status = run_here(gate, request, answer);
        left_ms = deadline_ms - program_now_ms();
        if (status == -EBUSY && left_ms > 0)
            nanosleep(&pause, NULL);
    }
    if (status < 0)
        explain(gate, status, reason);
    return status;
}

static int
update_kernel(struct gate *gate, char reason[PLACE_REASON_SIZE])
{
    char text[FIREWALL_REASON_SIZE] = "";
    struct firewall *firewall = NULL;
    int status = firewall_open(&firewall, text);
    struct firewall_policy policy;

    policy_read(gate->place->table, &policy);
    if (status == 0)
        status =
            keeper_pass(firewall, gate->table, &policy, banmailctl_now_ms(), text, sizeof(text));
    firewall_close(firewall);
    if (status < 0)
        snprintf(reason, PLACE_REASON_SIZE,
                 "not in the kernel yet, rsyslogd will see to it when "
                 "it starts: %s",
                 text);
    return status;
}

/* A ledger that cannot be written holds nothing up: the table remembers what is unrecorded. */
static void
update_ledger(struct gate *gate)
{
    struct table_status status;
    struct ledger *ledger;
    int error;

    table_read_status(gate->table, &status);
    error = ledger_open(status.ledger_path, false, &banmailctl_report, &ledger, NULL);
    if (error == 0) {
        error = scribe_pass(ledger, gate->table);
        ledger_close(ledger);
    }
    if (error < 0)
        report_say(&banmailctl_report, LOG_WARNING,
                   "the ledger %s could not be written (%s); rsyslogd will do it when it starts",
                   status.ledger_path, strerror(-error));
}

int
gate_close(struct gate *gate, char reason[PLACE_REASON_SIZE])
{
    int status = 0;

    if (gate->table) {
        status = update_kernel(gate, reason);
        update_ledger(gate);
        table_close(gate->table);
        allow_free(gate->allow);
    }
    *gate = (struct gate){.place = gate->place};
    return status;
}
