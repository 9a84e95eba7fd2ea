/* log: what the ledger knows, newest last, and log: the same as it comes.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <libfastjson/json.h>

#include "banmailctl.h"
#include "banmailctl-bans.h"
#include "banmailctl-location.h"
#include "banmailctl-history.h"
#include "banmailctl-format.h"
#include "banmailctl-scope.h"

#define HISTORY_MOST 1000
#define LOG_WAIT_MS  250 /* how soon log sees what is new */
#define SETTLED      4   /* looks after which a new table has its bans back from the ledger */

/* ---- history ---- */

struct history {
    struct ledger_row *rows; /* newest first */
    unsigned count;
    struct scopes *scopes;
};

static bool
take_row(void *context, const struct ledger_row *row)
{
    struct history *history = context;

    history->rows[history->count++] = *row;
    return true;
}

static void
print_row(const struct ledger_row *row, const struct scopes *scopes)
{
    char source[SOURCE_TEXT_SIZE], jail[JAIL_NAME_SIZE * 4], since[FORMAT_STAMP_SIZE];
    char ended[FORMAT_STAMP_SIZE], end[64], maker[BANS_USER_SIZE + 16], scope[SCOPE_WORDS_SIZE];
    const struct ban *ban = &row->ban;

    printf("%s  %-18s  %-12s  %-18s  %2u failure%s%s  ", format_stamp(ban->since_ms, since),
           source_print(&ban->source, source), format_clean(row->jail, jail, sizeof(jail)),
           ban->origin == BAN_BY_HAND ? bans_by_hand(ban, maker) : offence_class_name(ban->class),
           (unsigned)ban->failures, report_plural(ban->failures),
           scope_words(scopes, ban->scope, scope));
    if (ban->end == BAN_RUNNING)
        puts("running");
    else
        printf("%s %s\n", history_end(ban, end), format_stamp(ban->ended_ms, ended));
}

static void
print_json(const struct history *history)
{
    struct fjson_object *object = fjson_object_new_object(), *array = fjson_object_new_array();

    for (unsigned i = history->count; i-- > 0;)
        fjson_object_array_add(array, history_row_json(&history->rows[i], history->scopes));
    fjson_object_object_add(object, "bans", array);
    format_print_json(object);
}

/* Of an address, a prefix or a user. */
static void
read_word(const char *word, struct ledger_query *query, struct source *source,
          char user[EVIDENCE_USER_SIZE])
{
    char reason[512];

    if (format_parse_source(word, source, reason, sizeof(reason)) == 0) {
        query->source = source;
    } else {
        evidence_user(EVIDENCE_FULL, false, word, strlen(word), user);
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

    int given;

    if (invocation->count > 0)
        read_word(invocation->words[0], &query, &source, user);
    given = ledger_history(ledger, &query, take_row, history);
    if (given != 0 || query.user == NULL)
        return given;
    /* one that is no mailbox may have been kept shortened */
    evidence_user(EVIDENCE_REDACTED, false, invocation->words[0], strlen(invocation->words[0]),
                  user);
    return ledger_history(ledger, &query, take_row, history);
}

int
history_main(const struct invocation *invocation)
{
    struct history history = {.rows = calloc(HISTORY_MOST, sizeof(*history.rows))};
    char path[TABLE_PATH_SIZE];
    struct ledger *ledger = NULL;
    int status = history_open(invocation, &ledger, path), error;

    if (status == EXIT_FINE && !history.rows)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    if (status != EXIT_FINE) {
        ledger_close(ledger);
        free(history.rows);
        return status;
    }
    error = ask(invocation, ledger, &history);
    ledger_close(ledger);
    history.scopes = scopes_read_beside(path);
    if (error < 0)
        status = banmailctl_fail(invocation, EXIT_UNREACHABLE, "the ledger %.200s: %s", path,
                                 ledger_error(error));
    else if (invocation->json)
        print_json(&history);
    for (unsigned i = history.count; error >= 0 && !invocation->json && i-- > 0;)
        print_row(&history.rows[i], history.scopes);
    if (error >= 0 && history.count == 0) {
        if (!invocation->json)
            puts("no ban matches that");
        status = EXIT_NO;
    }
    scopes_free(history.scopes);
    free(history.rows);
    return status;
}

/* ---- log ---- */

/* Each ban twice: when it begins, and when it ends. */
static void
print_news(const struct invocation *invocation, const struct ban *ban, const char *jail, bool ended,
           const struct scopes *scopes)
{
    struct ledger_row row = {.ban = *ban};
    char source[SOURCE_TEXT_SIZE], stamp[FORMAT_STAMP_SIZE], end[64], maker[BANS_USER_SIZE + 16];
    char scope[SCOPE_WORDS_SIZE];

    scope_words(scopes, ban->scope, scope);
    snprintf(row.jail, sizeof(row.jail), "%.31s", jail);
    if (invocation->json)
        format_print_json(history_row_json(&row, scopes));
    else if (ended)
        printf("%s  unban  %-18s  %-12s  %s%s\n", format_stamp(ban->ended_ms, stamp),
               source_print(&ban->source, source), jail, history_end(ban, end), scope);
    else
        printf("%s  ban    %-18s  %-12s  %s, %u failure%s%s\n", format_stamp(ban->since_ms, stamp),
               source_print(&ban->source, source), jail,
               ban->origin == BAN_BY_HAND ? bans_by_hand(ban, maker)
                                          : offence_class_name(ban->class),
               (unsigned)ban->failures, report_plural(ban->failures), scope);
    fflush(stdout);
}

/* A ban that is over is followed until its slot is free, or another's. */
struct seen {
    struct ban ban; /* id 0: none */
    bool is_matched;
};

struct log {
    const struct invocation *invocation;
    struct location place;
    const struct table *table;
    ino_t inode;       /* of the table */
    ino_t coming;      /* of another in its place */
    unsigned settling; /* how many looks have seen that one */
    uint64_t generation;
    uint32_t slots;
    struct seen *seen; /* for each slot */
};

static bool
is_same(const struct ban *a, const struct ban *b)
{
    return a->id == b->id && a->table_id == b->table_id;
}

static void
print_of(const struct log *log, const struct ban *ban, bool ended)
{
    /* anew each time: hosts get numbers while it runs */
    struct scopes *const scopes = ban->scope == TABLE_SCOPE_FLEET ? NULL : scopes_read(log->table);
    char jail[JAIL_NAME_SIZE * 4];

    print_news(log->invocation, ban, bans_jail_name(log->table, ban, jail), ended, scopes);
    scopes_free(scopes);
}

/* As it was when it began, whatever has become of it since the last look. */
static void
print_begin(const struct log *log, struct ban ban)
{
    ban.end = BAN_RUNNING;
    ban.ended_ms = 0;
    print_of(log, &ban, false);
}

/* The slot is free already: how it ended can only be told from when. */
static void
print_end(const struct log *log, struct ban *ban)
{
    int64_t now_ms = banmailctl_now_ms();

    if (ban->id == 0 || ban->end != BAN_RUNNING)
        return;
    ban->end = ban->until_ms <= now_ms ? BAN_EXPIRED : BAN_LIFTED_BY_HAND;
    ban->ended_ms = ban->until_ms <= now_ms ? ban->until_ms : now_ms;
    ban->lifted_by = UINT32_MAX;
    print_of(log, ban, true);
}

static void
remember(struct log *log, uint32_t slot)
{
    struct ban *seen = &log->seen[slot].ban;

    if (!table_read_ban(log->table, slot, seen))
        seen->id = 0;
}

/* What differs in each slot from the last look. A slot is free for a new ban only after its ban's
 * end was recorded, within a second or so: looking four times a second misses none that lasts. */
static void
look(struct log *log)
{
    struct ban now;

    for (uint32_t i = 0; i < log->slots; i++) {
        struct ban *before = &log->seen[i].ban;
        const bool is_there = table_read_ban(log->table, i, &now);
        const bool is_known = is_there && is_same(before, &now);

        if (!is_known)
            print_end(log, before);
        if (is_there && !is_known)
            print_begin(log, now);
        if (is_there && now.end != BAN_RUNNING && !(is_known && before->end != BAN_RUNNING))
            print_of(log, &now, true);
        *before = is_there ? now : (struct ban){0};
    }
}

/* ---- log: when rsyslogd has begun a table anew ---- */

static int
compare_seen(const void *a, const void *b)
{
    const struct ban *left = &((const struct seen *)a)->ban,
                     *right = &((const struct seen *)b)->ban;

    if (left->table_id != right->table_id)
        return left->table_id < right->table_id ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

/* The bans that came back keep their identity, but not their slots. */
static void
look_anew(struct log *log, struct seen *before, uint32_t slots)
{
    qsort(before, slots, sizeof(*before), compare_seen);
    for (uint32_t i = 0; i < log->slots; i++) {
        struct seen *known;

        remember(log, i);
        if (log->seen[i].ban.id == 0)
            continue;
        known = bsearch(&log->seen[i], before, slots, sizeof(*before), compare_seen);
        if (known)
            known->is_matched = true;
        else
            print_begin(log, log->seen[i].ban);
    }
    for (uint32_t i = 0; i < slots; i++)
        if (!before[i].is_matched)
            print_end(log, &before[i].ban);
}

/* Opens the table that is there now. Returns whether that could be done. */
static bool
attach(struct log *log, const struct table *table)
{
    struct table_status status;
    struct stat file;

    table_read_status(table, &status);
    struct seen *seen = calloc(status.max_bans, sizeof(*seen));
    if (!seen)
        return false;
    table_close_reader(log->table);
    log->table = table;
    log->slots = status.max_bans;
    log->generation = 0;
    log->seen = seen;
    log->inode = stat(log->place.table, &file) == 0 ? file.st_ino : 0;
    return true;
}

/* Whether there is another table in the place of this one, and has been for a while: until its bans
 * have come back, they would all be told of as lifted, and then again. */
static bool
has_another(struct log *log)
{
    struct stat file;

    if (stat(log->place.table, &file) < 0 || file.st_ino == log->inode)
        return false;
    log->settling = file.st_ino == log->coming ? log->settling + 1 : 0;
    log->coming = file.st_ino;
    return log->settling >= SETTLED;
}

/* A table is begun anew at a boot, or when it was damaged; one that is not there yet is waited for.
 */
static void
look_for_another(struct log *log)
{
    char reason[LOCATION_REASON_SIZE];
    const uint32_t slots = log->slots;
    struct seen *before = log->seen;
    const struct table *table;

    if (!has_another(log) || location_read(&log->place, &table, reason) < 0)
        return;
    if (attach(log, table)) {
        look_anew(log, before, slots);
        free(before);
    } else {
        table_close_reader(table);
    }
}

int
log_main(const struct invocation *invocation)
{
    const struct timespec pause = {.tv_nsec = LOG_WAIT_MS * 1000000};
    const int64_t end_ms = banmailctl_now_ms() + invocation->for_s * 1000;
    struct log log = {.invocation = invocation};
    struct table_status now;
    const struct table *table;
    int status = banmailctl_read(invocation, &log.place, &table);

    if (status != EXIT_FINE)
        return status;
    if (!attach(&log, table)) {
        table_close_reader(table);
        return banmailctl_fail(invocation, EXIT_UNREACHABLE, "out of memory");
    }
    for (uint32_t i = 0; i < log.slots; i++)
        remember(&log, i);
    while (!ferror(stdout) && (invocation->forever || banmailctl_now_ms() < end_ms)) {
        nanosleep(&pause, NULL);
        table_read_status(log.table, &now);
        if (now.generation != log.generation)
            look(&log);
        log.generation = now.generation;
        look_for_another(&log);
    }
    free(log.seen);
    table_close_reader(log.table);
    return EXIT_FINE;
}
