/* history: what the ledger knows, newest last, and log: the same as it comes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-place.h"
#include "banmailctl-story.h"
#include "banmailctl-words.h"

#define HISTORY_MOST 1000
#define LOG_WAIT_MS  250 /* how soon log sees what is new */

/* ---- history ---- */

struct history {
    struct ledger_row *rows; /* newest first */
    unsigned count;
};

static bool
take_row(void *context, const struct ledger_row *row)
{
    struct history *history = context;

    history->rows[history->count++] = *row;
    return true;
}

static void
print_row(const struct ledger_row *row)
{
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], since[WORDS_STAMP_SIZE];
    char ended[WORDS_STAMP_SIZE], end[64];
    const struct ban *ban = &row->ban;

    printf("%s  %-18s  %-12s  %-18s  %2u failures  ", words_stamp(ban->since_ms, since),
           source_print(&ban->source, source), words_clean(row->jail, jail, sizeof(jail)),
           ban->origin == BAN_BY_HAND ? "by hand" : offence_class_name(ban->class),
           (unsigned)ban->failures);
    if (ban->end == BAN_RUNNING)
        puts("running");
    else
        printf("%s %s\n", story_end(ban, end), words_stamp(ban->ended_ms, ended));
}

static void
print_json(const struct history *history)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();

    for (unsigned i = history->count; i-- > 0;)
        fjson_object_array_add(array, story_row_json(&history->rows[i]));
    fjson_object_object_add(object, "bans", array);
    words_print_json(object);
}

/* Of an address, a prefix or a user. */
static void
read_word(const char *word, struct ledger_query *query, struct source *source,
          char user[EVIDENCE_USER_SIZE])
{
    char reason[512];

    if (words_parse_source(word, source, reason, sizeof(reason)) == 0) {
        query->source = source;
    } else {
        evidence_user(EVIDENCE_FULL, word, strlen(word), user);
        query->user = user;
    }
}

static int
ask(const struct invocation *invocation, struct ledger *ledger, struct history *history)
{
    struct ledger_query query = {
        .jail = invocation->jail,
        .from_ms = invocation->forever ? 0 : banmailctl_now_ms() - invocation->for_s * 1000,
        .to_ms = INT64_MAX,
        .most = HISTORY_MOST,
    };
    char user[EVIDENCE_USER_SIZE];
    struct source source;

    if (invocation->count > 0)
        read_word(invocation->words[0], &query, &source, user);
    return ledger_history(ledger, &query, take_row, history);
}

/* The path stands in the table; the ledger can be read while rsyslogd does not run, too. */
static int
open_ledger(const struct invocation *invocation, struct ledger **ledger, char path[TABLE_PATH_SIZE])
{
    struct table_status table_status;
    struct place place;
    struct table *table;
    const char *reason;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    table_read_status(table, &table_status);
    memcpy(path, table_status.ledger_path, TABLE_PATH_SIZE);
    *ledger = story_ledger(table, &reason);
    table_close(table);
    if (*ledger)
        return EXIT_FINE;
    return banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger %.200s cannot be read: %s",
                           path, reason);
}

int
history_main(const struct invocation *invocation)
{
    struct history history = {.rows = calloc(HISTORY_MOST, sizeof(*history.rows))};
    char path[TABLE_PATH_SIZE];
    struct ledger *ledger;
    int status = open_ledger(invocation, &ledger, path), error;

    if (status != EXIT_FINE || !history.rows) {
        free(history.rows);
        return status;
    }
    error = ask(invocation, ledger, &history);
    ledger_close(ledger);
    if (error < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger %.200s: %s", path,
                                 ledger_error(error));
    else if (invocation->json)
        print_json(&history);
    for (unsigned i = history.count; error >= 0 && !invocation->json && i-- > 0;)
        print_row(&history.rows[i]);
    if (error >= 0 && history.count == 0) {
        if (!invocation->json)
            puts("no such ban is known");
        status = EXIT_NO;
    }
    free(history.rows);
    return status;
}

/* ---- log ---- */

/* Each ban twice: when it begins, and when it ends. */
static void
print_news(const struct invocation *invocation, const struct ban *ban, const char *jail, bool ended)
{
    struct ledger_row row = {.ban = *ban};
    char source[SOURCE_TEXT_SIZE], stamp[WORDS_STAMP_SIZE], end[64];

    snprintf(row.jail, sizeof(row.jail), "%.31s", jail);
    if (invocation->json)
        words_print_json(story_row_json(&row));
    else if (ended)
        printf("%s  unban  %-18s  %-12s  %s\n", words_stamp(ban->ended_ms, stamp),
               source_print(&ban->source, source), jail, story_end(ban, end));
    else
        printf("%s  ban    %-18s  %-12s  %s, %u failures\n", words_stamp(ban->since_ms, stamp),
               source_print(&ban->source, source), jail,
               ban->origin == BAN_BY_HAND ? "by hand" : offence_class_name(ban->class),
               (unsigned)ban->failures);
    fflush(stdout);
}

struct seen {
    uint64_t id;
    struct ban ban;
};

/* The slot is free already: how it ended can only be told from when. */
static void
note_end(struct ban *ban)
{
    int64_t now_ms = banmailctl_now_ms();

    ban->end = ban->until_ms <= now_ms ? BAN_EXPIRED : BAN_LIFTED_BY_HAND;
    ban->ended_ms = ban->until_ms <= now_ms ? ban->until_ms : now_ms;
    ban->lifted_by = UINT32_MAX;
}

/* What differs in each slot from the last look. A slot is free for a new ban only after its ban's
 * end was recorded, within a second or so: looking four times a second misses none that lasts. */
static void
look(const struct invocation *invocation, const struct table *table, struct seen *seen,
     uint32_t slots, bool first)
{
    char jail[JAIL_NAME_SIZE * 4];
    struct ban ban;

    for (uint32_t i = 0; i < slots; i++) {
        bool is_there = table_read_ban(table, i, &ban);
        bool is_same = is_there && seen[i].id == ban.id;

        if (seen[i].id != 0 && !is_same && seen[i].ban.end == BAN_RUNNING && !first) {
            note_end(&seen[i].ban);
            print_news(invocation, &seen[i].ban, bans_jail_name(table, &seen[i].ban, jail), true);
        }
        if (is_there && !is_same && !first)
            print_news(invocation, &ban, bans_jail_name(table, &ban, jail), false);
        if (is_there && ban.end != BAN_RUNNING && !(is_same && seen[i].ban.end != BAN_RUNNING) &&
            !first)
            print_news(invocation, &ban, bans_jail_name(table, &ban, jail), true);
        seen[i] = is_there ? (struct seen){ban.id, ban} : (struct seen){0};
    }
}

int
log_main(const struct invocation *invocation)
{
    const struct timespec pause = {.tv_nsec = LOG_WAIT_MS * 1000000};
    struct table_status table_status;
    uint64_t generation = 0;
    struct place place;
    struct table *table;
    struct seen *seen;
    int status = banmailctl_read(invocation, &place, &table);

    if (status != EXIT_FINE)
        return status;
    table_read_status(table, &table_status);
    seen = calloc(table_status.max_bans, sizeof(*seen));
    for (bool first = true; seen && !ferror(stdout); first = false) {
        table_read_status(table, &table_status);
        if (first || table_status.generation != generation)
            look(invocation, table, seen, table_status.max_bans, first);
        generation = table_status.generation;
        nanosleep(&pause, NULL);
    }
    free(seen);
    table_close(table);
    return EXIT_FINE;
}
