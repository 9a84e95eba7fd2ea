/* table_fixture: a table in a directory of its own, and short words for what tests do to it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#ifndef BANMAIL_TABLE_FIXTURE_H
#define BANMAIL_TABLE_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "table/table.h"

#define NOON_MS INT64_C(1795262400000) /* 2026-11-21 12:00 UTC */
#define HOUR_MS INT64_C(3600000)

struct fixture {
    char directory[64];
    char path[96];
    struct table_options options;
    struct report report;
    struct table *table;
    struct jail jail;
    unsigned jail_index;
    bool is_new;
    unsigned said;       /* warnings and errors */
    char last_said[512]; /* the latest of them */
};

/* How often: with LONG in the environment in full. */
static inline unsigned
shortened(unsigned some, unsigned all)
{
    return getenv("LONG") ? all : some;
}

static inline void
fixture_say(void *context, int severity, const char *text)
{
    struct fixture *fixture = context;

    if (severity <= LOG_WARNING)
        fixture->said++;
    snprintf(fixture->last_said, sizeof fixture->last_said, "%s", text);
}

static inline void
fixture_open(struct fixture *fixture)
{
    int error = table_open(&fixture->options, &fixture->table, &fixture->is_new);
    int index;

    if (error)
        fail_msg("table_open: %s", strerror(-error));
    index = table_jail(fixture->table, &fixture->jail);
    assert_true(index >= 1);
    fixture->jail_index = (unsigned)index;
}

static inline void
fixture_close(struct fixture *fixture)
{
    table_close(fixture->table);
    fixture->table = NULL;
}

static inline void
fixture_reopen(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_open(fixture);
}

/* The directory and the options; no table yet. */
static inline void
fixture_prepare(struct fixture *fixture, uint32_t capacity, uint32_t max_bans)
{
    *fixture = (struct fixture){
        .options = {.ledger_path = "/nowhere/ledger.db",
                    .capacity = capacity,
                    .max_bans = max_bans,
                    .owner = (uid_t)-1,
                    .group = (gid_t)-1,
                    .now_ms = NOON_MS},
    };
    snprintf(fixture->directory, sizeof fixture->directory, "%s/ombanmail-test-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof fixture->path, "%s/table", fixture->directory);
    fixture->report = (struct report){fixture_say, fixture};
    fixture->options.path = fixture->path;
    fixture->options.report = &fixture->report;
    jail_defaults(&fixture->jail);
}

static inline void
fixture_begin(struct fixture *fixture, uint32_t capacity, uint32_t max_bans)
{
    fixture_prepare(fixture, capacity, max_bans);
    fixture_open(fixture);
}

static inline void
fixture_unlink(const struct fixture *fixture, const char *suffix)
{
    char path[128];

    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    unlink(path);
}

static inline void
fixture_end(struct fixture *fixture)
{
    fixture_close(fixture);
    fixture_unlink(fixture, "");
    fixture_unlink(fixture, ".damaged");
    assert_int_equal(rmdir(fixture->directory), 0); /* and nothing else was left */
}

/* Each number another one, most of them of another /16, of which each has but a share of the bans.
 * The last byte is the number's. */
static inline struct source
numbered_source(uint32_t number)
{
    struct source source = {.address = {[10] = 0xff, [11] = 0xff}, .prefix = SOURCE_HOST_PREFIX};

    number ^= (number & 0xffff) * 40503U << 16;
    for (unsigned i = 0; i < 4; i++)
        source.address[15 - i] = (uint8_t)(number >> 8 * i);
    return source;
}

/* A failure as a line of Postfix tells it. */
static inline struct table_failure
failure_of(struct source client, int64_t stamp_ms)
{
    return (struct table_failure){
        .client = client,
        .class = OFFENCE_AUTH_FAILED,
        .kind = 1,
        .service_hash = 25,
        .attempts = 1,
        .stamp_ms = stamp_ms,
    };
}

static inline enum table_verdict
count_at(struct fixture *fixture, struct source client, int64_t stamp_ms, int64_t now_ms)
{
    struct table_failure failure = failure_of(client, stamp_ms);

    return table_count(fixture->table, fixture->jail_index, &fixture->jail, &failure, 1, now_ms);
}

/* A line of it, which tells of one attempt. */
static inline enum table_verdict
count_line(struct fixture *fixture, const char *client, int64_t now_ms)
{
    struct table_failure failure = failure_of(source_of(client), now_ms);

    assert_int_equal(table_attempts(fixture->table, &failure), 1);
    return count_at(fixture, failure.client, now_ms, now_ms);
}

/* A live failure. */
static inline enum table_verdict
count_now(struct fixture *fixture, const char *client, int64_t now_ms)
{
    return count_at(fixture, source_of(client), now_ms, now_ms);
}

/* The only ban of this source that is neither over nor free. */
static inline bool
find_ban(const struct table *table, const char *source, struct ban *ban)
{
    struct source wanted = source_of(source);
    struct table_status status;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++) {
        if (table_read_ban(table, i, ban) && ban->state != BAN_OVER &&
            source_compare(&ban->source, &wanted) == 0)
            return true;
    }
    return false;
}

static inline unsigned
used_slots(struct table *table)
{
    struct table_status status;
    unsigned used = 0;
    struct ban ban;

    table_read_status(table, &status);
    for (uint32_t i = 0; i < status.max_bans; i++)
        used += table_read_ban(table, i, &ban);
    return used;
}

static inline struct ban
ban_by_hand(const char *source, int64_t since_ms, int64_t until_ms)
{
    return (struct ban){
        .source = source_of(source),
        .jail = TABLE_JAIL_MANUAL,
        .origin = BAN_BY_HAND,
        .since_ms = since_ms,
        .until_ms = until_ms,
    };
}

/* What a enforcer does whose kernel never refuses. Returns how many changes there were. */
static inline size_t
keep(struct table *table, int64_t now_ms)
{
    struct table_change changes[64];
    size_t taken, all = 0;

    while ((taken = table_dequeue(table, changes, 64, now_ms)) > 0) {
        table_acknowledge(table, changes, taken, true, now_ms);
        all += taken;
    }
    return all;
}

/* What a recorder does whose disk never fails. Returns how many rows there were. */
static inline size_t
write_down(struct table *table)
{
    struct ban bans[64];
    size_t taken, all = 0;

    while ((taken = table_dequeue_unrecorded(table, bans, 64)) > 0) {
        table_recorded(table, bans, taken, true);
        all += taken;
    }
    return all;
}

#endif
