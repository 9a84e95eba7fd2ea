/* counter: what the deciding path of one line costs.
 *
 *   bench/counter none N           N lines that no rule knows
 *   bench/counter failure N JAILS  N failed logins of 5,000 clients, each counted in so many jails
 *   bench/counter guess N JAILS    the same, at names that are no mailboxes and so shortened
 *
 * Meant for callgrind, which counts the instructions of counter_take: instructions.sh. The fields
 * are made beforehand, as mmnormalize makes them; the lines are Dovecot's and Postfix's in turn.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count/counter.h"
#include "base/object.h"

#define NOON_MS INT64_C(1795262400000)
#define CLIENTS 5000

static struct table *table;
static struct counter *counter;
static struct readers readers = READERS_INITIALIZER;
static struct reader worker;
static const char *domain = "@example.org";

/* One line, with its text and fields. */
struct made {
    char text[400];
    struct line line;
};

static struct line_bytes
bytes(const char *text)
{
    return (struct line_bytes){text, strlen(text)};
}

static void
open_counter(unsigned jails)
{
    char path[64];
    const struct table_options options = {.path = path,
                                          .capacity = TABLE_CAPACITY_DEFAULT,
                                          .max_bans = TABLE_BANS_DEFAULT,
                                          .owner = (uid_t)-1,
                                          .group = (gid_t)-1,
                                          .now_ms = NOON_MS};
    struct counter_options counting = {
        .stamps = {.age_ms = 7 * 86400 * INT64_C(1000), .ahead_ms = 60000},
        .evidence = EVIDENCE_REDACTED,
        .gateway_users = GATEWAY_USERS_DEFAULT,
        .host = "mx1",
        .allow = allow_list_new()};
    struct counter_action action = {0};
    bool is_new;

    snprintf(path, sizeof path, "/dev/shm/ombanmail-bench-%d", (int)getpid());
    if (table_open(&options, &table, &is_new) != 0)
        exit(1);
    unlink(path);
    counting.table = table;
    counter = counter_new(&counting);
    for (unsigned i = 0; i < jails; i++) {
        jail_defaults(&action.jail);
        snprintf(action.jail.name, sizeof action.jail.name, "jail%u", i);
        action.jail_index = (unsigned)table_jail(table, &action.jail);
        action.allow = allow_list_new();
        if (i == 0)
            counter_add_action(counter, &action);
        else
            counter_add_jail(counter, 0, &action);
    }
    readers_join(&readers, &worker);
}

static void
make_dovecots(struct made *made, unsigned number)
{
    char fields[400];

    snprintf(made->text, sizeof made->text,
             " imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): "
             "user=<user%u%s>, method=PLAIN, rip=10.1.%u.%u, lip=198.51.100.1, TLS: "
             "Connection closed",
             number, domain, number / 250 % 250, number % 250);
    snprintf(fields, sizeof fields,
             "{\"attempts\":\"1\",\"reason\":\": Connection closed \",\"service\":\"imap-login\","
             "\"tail\":\" in 2 secs): user=<user%u%s>, method=PLAIN, rip=11.1.%u.%u, "
             "lip=198.51.100.1, TLS: Connection closed\",\"class\":\"auth_failed\"}",
             number, domain, number / 250 % 250, number % 250);
    made->line.fields = object_parse(fields, strlen(fields));
    made->line.tag = bytes("dovecot:");
    made->line.program = bytes("dovecot");
}

static void
make_postfixs(struct made *made, unsigned number)
{
    char fields[400];

    snprintf(made->text, sizeof made->text,
             " warning: unknown[11.1.%u.%u]: SASL LOGIN authentication failed: authentication "
             "failure, sasl_username=user%u%s",
             number / 250 % 250, number % 250, number, domain);
    snprintf(fields, sizeof fields,
             "{\"client\":\"unknown\",\"ip\":\"11.1.%u.%u\",\"method\":\"LOGIN\",\"reason\":"
             "\"authentication failure\",\"user\":\"user%u%s\","
             "\"class\":\"auth_failed\"}",
             number / 250 % 250, number % 250, number, domain);
    made->line.fields = object_parse(fields, strlen(fields));
    made->line.tag = bytes("postfix/submission/smtpd[4711]:");
    made->line.program = bytes("postfix/submission/smtpd");
}

static void
make_line(struct made *made, unsigned number, bool is_failure)
{
    if (is_failure && number % 2 == 0)
        make_dovecots(made, number);
    else if (is_failure)
        make_postfixs(made, number);
    else
        snprintf(made->text, sizeof made->text,
                 " 4bXyz12345z%u: to=<user%u@example.org>, relay=virtual, delay=0.05, "
                 "delays=0.02/0/0/0.03, dsn=2.0.0, status=sent (delivered to maildir)",
                 number, number);
    made->line.host = bytes("mx1");
    made->line.input = bytes("imptcp");
    made->line.text = bytes(made->text);
}

/* Apart, so that instructions.sh finds it. */
__attribute__((noinline)) void
counted_lines(struct made *made, unsigned lines)
{
    struct counter_outcome outcome;

    for (unsigned i = 0; i < lines; i++) {
        struct line *const line = &made[i % CLIENTS].line;

        line->now_ms = line->received_ms = NOON_MS + (int64_t)i * 20;
        line->stamp_us = line->now_ms / 1000 * 1000000;
        counter_take(counter, line, 0, &worker, &outcome);
    }
}

int
main(int argc, char **argv)
{
    struct made *const made = calloc(CLIENTS, sizeof *made);
    const bool is_guess = argc == 4 && strcmp(argv[1], "guess") == 0;
    const bool is_failure = is_guess || (argc == 4 && strcmp(argv[1], "failure") == 0);
    const unsigned jails = is_failure ? (unsigned)atoi(argv[3]) : 1;

    if (made == NULL || argc < 3 || jails == 0 || jails > 63)
        return 2;
    if (is_guess)
        domain = "";
    open_counter(jails);
    for (unsigned i = 0; i < CLIENTS; i++)
        make_line(&made[i], i, is_failure);
    counted_lines(made, (unsigned)atoi(argv[2]));
    return 0;
}
