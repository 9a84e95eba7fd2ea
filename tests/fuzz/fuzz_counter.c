/* fuzz_counter: lines, with the fields that a rulebase made of them, through three actions: two
 * that have them and one of its own that has not, over a small table.
 *
 *      ┌────────────────┬───────┬──────────┬────────┬────┬──────┬────┬─────┬────┬──────┬────┐
 *      │ action and bits│ stamp │ received │ fields │ \0 │ host │ \0 │ tag │ \0 │ text │ \0 │ …
 *      └────────────────┴───────┴──────────┴────────┴────┴──────┴────┴─────┴────┴──────┴────┘
 *
 * Fails when an outcome or the statistics break what counter.h promises, or when the table is not
 * whole after it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <json.h>
#include <string.h>
#include <unistd.h>

#include "count/counter.h"
#include "fuzz.h"
#include "base/object.h"
#include "table/table-evidence.h"

#define NOON_MS    INT64_C(1795262400000) /* 2026-11-21 12:00 UTC */
#define ACTIONS    3
#define LINES_MAX  200

#define REST       "mx1\0postfix/smtpd[1]:\0 a line\0"
#define FAILED     "{\"class\":\"auth_failed\",\"ip\":\"203.0.113.9\",\"user\":\"bob\"}\0"
#define EVERY(has) "\0\0\0" has REST "\1\0\0" has REST "\2\0\0\0" REST

const unsigned fuzz_rounds = 300;
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(EVERY(FAILED) EVERY(FAILED) EVERY(FAILED) EVERY(FAILED) EVERY(FAILED)),
    FUZZ_SEED("\2\0\0\0" REST "\1\0\0" FAILED REST "\x80\5\5" FAILED REST "\x40\5\5" FAILED REST),
    FUZZ_SEED("\0\0\0{\"class\":\"auth_failed\",\"client\":\"2001:db8::1\",\"ip\":\"2001:db8::1\","
              "\"attempts\":\"3\",\"session\":\"kMjOh7hGxKrLAHEJ\"}\0" REST),
    FUZZ_SEED(
        "\1\0\0{\"class\":\"auth_failed\",\"user\":\"a>, method=PLAIN, rip=192.0.2.9, lip=x\","
        "\"tail\":\", method=PLAIN, rip=203.0.113.9, lip=192.0.2.1, session=<AAAA>\"}\0" REST),
    FUZZ_SEED("\1\0\0{\"class\":\"relay_denied\",\"ip\":\"203.0.113.9\",\"code\":\"554\","
              "\"dsn\":\"5.7.1\",\"repeated\":\"7\"}\0" REST),
    FUZZ_SEED(
        EVERY(FAILED) "\0\1\1{\"class\":\"login_ok\",\"ip\":\"203.0.113.9\",\"user\":\"u\"}\0" REST
                      "\0\1\1{\"class\":\"server_fault\",\"fault\":\"auth\",\"auth_tail\":"
                      "\"sql(u,198.51.100.1): x\"}\0" REST
                      "\0\2\2{\"class\":\"server_fault\",\"fault\":\"auth\",\"auth_tail\":"
                      "\"sql(u,198.51.100.2): x\"}\0" REST),
    {NULL, 0},
};

static struct readers readers = READERS_INITIALIZER;
static struct reader worker;
static unsigned said;

static void
say(void *context, int severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
    said++;
}

static const struct report report = {.say = say};

static struct table *
open_table(const char *path, bool *is_new)
{
    const struct table_options options = {.path = path,
                                          .ledger_path = "/nowhere/ledger.db",
                                          .capacity = 1024,
                                          .max_bans = 64,
                                          .owner = (uid_t)-1,
                                          .group = (gid_t)-1,
                                          .now_ms = NOON_MS,
                                          .report = &report};
    struct table *table;

    FUZZ_WANT(table_open(&options, &table, is_new) == 0);
    return table;
}

static struct counter *
make_counter(struct table *table, uint64_t *jails)
{
    static const uint64_t classes[ACTIONS] = {OFFENCE_DEFAULT, OFFENCE_BIT(OFFENCE_AUTH_FAILED),
                                              OFFENCE_DEFAULT};
    const struct counter_options options = {.table = table,
                                            .stamps = {.age_ms = 3600000, .ahead_ms = 60000},
                                            .evidence = EVIDENCE_FULL,
                                            .gateway_users = 3,
                                            .host = "mx1"};
    struct counter *const counter = counter_new(&options);

    FUZZ_WANT(counter != NULL);
    *jails = 0;
    for (unsigned i = 0; i < ACTIONS; i++) {
        struct counter_action action = {.is_own = i == 2};
        int index;

        jail_defaults(&action.jail);
        snprintf(action.jail.name, sizeof action.jail.name, "jail-%u", i);
        action.jail.classes = classes[i];
        action.jail.repeats = i == 1 ? 3 : 1;
        action.jail.growth.is_on = i == 2;
        index = table_jail(table, &action.jail);
        FUZZ_WANT(index >= 1);
        action.jail_index = (unsigned)index;
        *jails |= UINT64_C(1) << index;
        FUZZ_WANT(counter_add_action(counter, &action) == (int)i);
    }
    return counter;
}

/* What is left up to the next NUL. */
static struct line_bytes
cut(const uint8_t **data, size_t *size)
{
    const uint8_t *const end = *size > 0 ? memchr(*data, 0, *size) : NULL;
    const struct line_bytes bytes = {(const char *)*data,
                                     end != NULL ? (size_t)(end - *data) : *size};
    const size_t used = bytes.length + (end != NULL);

    *data += used;
    *size -= used;
    return bytes;
}

static void
check(const struct counter_outcome *outcome, uint64_t jails)
{
    FUZZ_WANT((outcome->jails & ~jails) == 0);
    FUZZ_WANT((outcome->banning & ~outcome->jails) == 0);
    FUZZ_WANT(outcome->attempts <= OFFENCE_ATTEMPTS_MAX);
    FUZZ_WANT((outcome->attempts > 0) == (outcome->jails != 0));
    FUZZ_WANT(outcome->jails == 0 || (outcome->counts && !outcome->is_repeated));
    FUZZ_WANT(outcome->banning == 0 || outcome->wake);
}

static void
take(struct counter *counter, uint64_t jails, const uint8_t **data, size_t *size)
{
    struct counter_outcome outcome;
    const uint8_t *const head = *data;
    struct line line = {.program = {"smtpd", 5}, .input = {"imfile", 6}};
    struct line_bytes fields;

    *data += 3;
    *size -= 3;
    fields = cut(data, size);
    line.host = cut(data, size);
    line.tag = cut(data, size);
    line.text = cut(data, size);
    line.fields = object_parse(fields.at, fields.length);
    line.received_ms = line.now_ms = NOON_MS + head[2] * INT64_C(300);
    line.stamp_us = (NOON_MS + (int8_t)head[1] * INT64_C(1000)) * 1000;
    line.has_microseconds = head[0] & 0x80;
    line.is_history = head[0] & 0x40;
    line.is_again = head[0] & 0x20;
    counter_take(counter, &line, (head[0] & 0x1f) % ACTIONS, &worker, &outcome);
    check(&outcome, jails);
    if (line.fields != NULL)
        fjson_object_put(line.fields);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct counter_statistics statistics;
    struct counter *counter;
    struct table *table;
    char path[64];
    uint64_t jails;
    bool is_new;

    snprintf(path, sizeof path, "%s/ombanmail-fuzz-%d",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    said = 0;
    table = open_table(path, &is_new);
    readers_join(&readers, &worker);
    counter = make_counter(table, &jails);
    for (unsigned lines = 0; size >= 3 && lines < LINES_MAX; lines++)
        take(counter, jails, &data, &size);
    counter_read_statistics(counter, &statistics);
    FUZZ_WANT(statistics.duplicates + statistics.allow_listed + statistics.old +
                  table_last_evidence(table) <=
              statistics.failures);
    counter_free(counter);
    readers_leave(&readers, &worker);
    table_close(table);
    table = open_table(path, &is_new);
    FUZZ_WANT(!is_new && said == 0);
    table_close(table);
    unlink(path);
    return 0;
}
