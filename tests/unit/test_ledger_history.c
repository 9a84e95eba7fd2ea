/* test_ledger_history: what the ledger answers later.
 *
 * Proves: a ledger of version 1 is migrated with its rows, one of version 3 with its lines; bans
 * come back newest first, by address, by prefix, by user and by jail, with threshold and lines;
 * writing twice doubles no line; what is old is pruned and a ban that has not ended never, not for
 * size either; a ledger does not outgrow its size while it is written, its log included, nor does
 * one ban grow for ever; what is to be forgotten is gone from the file's bytes; what a client has
 * behind him is counted without reading all rows. Fails when a row is lost in the migration, or a
 * live ban in pruning.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "fixture.h"
#include "ledger/ledger.h"

#define NOW_MS INT64_C(1795248545000)

static char directory[64], path[128];

static const struct jail *
jail_of(void *context, unsigned jail)
{
    static const struct jail jails[] = {
        {.name = LEDGER_JAIL_MANUAL},
        {.name = "mail", .classes = 1, .maxretry = 5, .findtime_s = 600}};
    (void)context;
    return &jails[jail != 0];
}

static int
make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_ledger_history.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/ledger.db", directory);
    return 0;
}

static int
remove_directory(void **state)
{
    (void)state;
    remove_ledger(path);
    return rmdir(directory);
}

static struct ledger *
open_ledger(bool read_only)
{
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_open(path, read_only, NULL, &ledger, NULL), 0);
    return ledger;
}

static struct ban
some_ban(uint64_t id, const char *source, bool ended)
{
    return (struct ban){
        .table_id = 7,
        .id = id,
        .source = source_of(source),
        .jail = 1,
        .failures = 5,
        .class = OFFENCE_AUTH_FAILED,
        .first_ms = NOW_MS + (int64_t)id - 1000,
        .since_ms = NOW_MS + (int64_t)id,
        .until_ms = NOW_MS + 3600000,
        .end = ended ? BAN_LIFTED_BY_HAND : BAN_RUNNING,
        .ended_ms = ended ? NOW_MS + 5000 : 0,
        .lifted_by = 1000,
    };
}

static void
write_one(struct ledger *ledger, const struct ban *ban, const char *user, uint64_t number)
{
    struct ledger_line line = {.table_id = ban->table_id,
                               .id = ban->id,
                               .evidence = {.number = number, .stamp_ms = NOW_MS, .attempts = 2}};
    line.evidence.client = ban->source;
    line.evidence.client.prefix = SOURCE_HOST_PREFIX;
    snprintf(line.evidence.user, sizeof(line.evidence.user), "%s", user);
    snprintf(line.evidence.line, sizeof(line.evidence.line), "user=<%s>\x1b[2J", user);
    assert_int_equal(ledger_write(ledger, ban, 1, jail_of, NULL, &line, 1), 0);
}

static int rows_given;
static struct ledger_row rows[8];

static bool
take_row(void *context, const struct ledger_row *row)
{
    (void)context;
    rows[rows_given++ % 8] = *row;
    return true;
}

static int
ask(struct ledger *ledger, const char *source, const char *user, const char *jail)
{
    struct source of;
    struct ledger_query query = {.user = user, .jail = jail, .to_ms = INT64_MAX, .most = 8};
    if (source != NULL) {
        of = source_of(source);
        query.source = &of;
    }
    rows_given = 0;
    int given = ledger_history(ledger, &query, take_row, NULL);
    assert_int_equal(given, rows_given);
    return rows_given;
}

static int names_given;

static bool
take_name(void *context, const char *name)
{
    (void)context;
    names_given++;
    return name[0] != '\0';
}

static struct evidence last_line;

static bool
take_line(void *context, const struct evidence *evidence)
{
    (void)context;
    last_line = *evidence;
    return true;
}

static void
bans_are_found_again(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban bans[] = {some_ban(1, "203.0.113.9", true), some_ban(2, "2001:db8:1::/64", false),
                         some_ban(3, "203.0.113.9", false)};
    (void)state;
    write_one(ledger, &bans[0], "a@example.org", 3);
    write_one(ledger, &bans[1], "b@example.org", 3);
    write_one(ledger, &bans[2], "a@example.org", 3);
    write_one(ledger, &bans[2], "a@example.org", 3);
    ledger_close(ledger);

    ledger = open_ledger(true);
    assert_int_equal(ask(ledger, "203.0.113.9", NULL, NULL), 2);
    assert_int_equal(rows[0].ban.id, 3);
    assert_int_equal(rows[0].threshold, 5);
    assert_int_equal(rows[0].findtime_s, 600);
    assert_int_equal(rows[1].ban.end, BAN_LIFTED_BY_HAND);
    assert_int_equal(rows[1].ban.lifted_by, 1000);
    assert_int_equal(ask(ledger, "203.0.113.0/24", NULL, NULL), 2);
    assert_int_equal(ask(ledger, "2001:db8:1::77", NULL, NULL), 1);
    assert_int_equal(ask(ledger, NULL, "b@example.org", NULL), 1);
    assert_int_equal(ask(ledger, NULL, "203.0.113.9", NULL), 0); /* nobody's name, but a field */
    assert_int_equal(ask(ledger, NULL, NULL, "mail"), 3);
    assert_int_equal(ask(ledger, NULL, NULL, "imap"), 0);
    assert_int_equal(ledger_lines(ledger, &bans[2], NULL, 9, take_line, NULL), 1);
    assert_int_equal(last_line.attempts, 2);
    assert_string_equal(last_line.line, "user=<a@example.org>?[2J");
    assert_int_equal(ledger_lines(ledger, NULL, "a@example.org", 9, take_line, NULL), 2);
    ledger_close(ledger);
}

static int
count(const char *sql)
{
    sqlite3 *sqlite;
    sqlite3_stmt *statement;
    int number;
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(sqlite);
    return number;
}

static void
run_sql(const char *sql)
{
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s", sqlite3_errmsg(sqlite));
    sqlite3_close(sqlite);
}

static void
pruning_spares_what_has_not_ended(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    for (uint64_t id = 1; id <= 900; id++) {
        struct ban ban = some_ban(id, "203.0.113.9", id > 10);
        write_one(ledger, &ban, "a@example.org", 3);
    }
    assert_int_equal(ledger_prune(ledger, NOW_MS, 0), 0);
    assert_int_equal(ledger_prune(ledger, NOW_MS + 5001, 0), 890);
    assert_int_equal(count("SELECT count(*) FROM line"), 10);
    assert_int_equal(ledger_prune(ledger, 0, 4096), 10); /* the lines of those */
    assert_int_equal(ledger_prune(ledger, 0, 4096), 0);
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM ban WHERE ended_ms IS NULL"), 10);
    assert_int_equal(count("SELECT count(*) FROM ban"), 10);
    assert_int_equal(count("SELECT count(*) FROM line"), 0);
}

/* Without a limit a client who is banned and goes on would fill the disk. */
static void
a_ban_that_is_written_again_and_again_keeps_the_lines_that_led_to_it(void **state)
{
    struct ledger *ledger = open_ledger(false);
    const struct ban ban = some_ban(1, "203.0.113.9", false);
    (void)state;
    for (unsigned i = 0; i < 3 * LINES_MOST; i++) {
        struct ledger_line line = {
            .table_id = ban.table_id, .id = ban.id, .evidence = {.number = i, .stamp_ms = NOW_MS}};
        line.evidence.client = ban.source;
        assert_int_equal(ledger_write(ledger, &ban, 1, jail_of, NULL, &line, 1), 0);
    }
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM line"), LINES_MOST);
    assert_int_equal(count("SELECT max(number) FROM line"), LINES_MOST - 1);
}

#define BATCH_BANS  256
#define BATCH_LINES (16 * BATCH_BANS)
#define SIZE_BYTES  (UINT64_C(6) << 20)

/* As the recorder writes them under attack, with as many lines as are kept of one, or none; the
 * first `ended` of them have ended. */
static void
write_batch(struct ledger *ledger, uint64_t first, unsigned ended, size_t line_count)
{
    static struct ban bans[BATCH_BANS];
    static struct ledger_line lines[BATCH_LINES];
    for (uint64_t i = 0; i < BATCH_LINES; i++) {
        bans[i / 16] = some_ban(first + i / 16, "203.0.113.9", i / 16 < ended);
        lines[i] = (struct ledger_line){
            .table_id = 7, .id = first + i / 16, .evidence = {.number = i, .stamp_ms = NOW_MS}};
        lines[i].evidence.client = source_of("203.0.113.9");
        memset(lines[i].evidence.line, 'x', sizeof(lines[i].evidence.line) - 1);
    }
    assert_int_equal(ledger_write(ledger, bans, BATCH_BANS, jail_of, NULL, lines, line_count), 0);
}

static uint64_t
bytes_on_disk(void)
{
    char log[160];
    struct stat file, of_log = {0};
    snprintf(log, sizeof(log), "%s-wal", path);
    assert_int_equal(stat(path, &file), 0);
    (void)stat(log, &of_log); /* sqlite3 itself leaves none behind */
    return (uint64_t)file.st_size + (uint64_t)of_log.st_size;
}

/* Returns the number behind the last ban. */
static uint64_t
write_and_prune(struct ledger *ledger, uint64_t first, unsigned batches, unsigned ended)
{
    uint64_t most = 0, id = first;
    for (unsigned i = 0; i < batches; i++, id += BATCH_BANS) {
        write_batch(ledger, id, ended, BATCH_LINES);
        assert_true(ledger_prune(ledger, LEDGER_KEEP_ALL, SIZE_BYTES) >= 0);
        uint64_t bytes = bytes_on_disk();
        most = bytes > most ? bytes : most;
    }
    assert_in_range(most, SIZE_BYTES, SIZE_BYTES + (UINT64_C(8) << 20));
    return id;
}

/* Once where all bans have ended, once where nearly all are running, and once where what has ended
 * is small and what comes is large. */
static void
a_ledger_pruned_after_each_write_does_not_outgrow_its_size(void **state)
{
    struct ledger *ledger = open_ledger(false);
    uint64_t id;
    (void)state;
    id = write_and_prune(ledger, 1, 25, BATCH_BANS);
    assert_true(count("SELECT count(*) FROM ban") > BATCH_BANS);
    id = write_and_prune(ledger, id, 25, 1);
    assert_in_range(count("SELECT count(*) FROM ban WHERE ended_ms IS NULL"), 25 * BATCH_BANS - 25,
                    25 * BATCH_BANS);
    for (unsigned i = 0; i < 60; i++, id += BATCH_BANS)
        write_batch(ledger, id, BATCH_BANS, 0);
    write_and_prune(ledger, id, 15, BATCH_BANS);
    ledger_close(ledger);
}

static void
a_large_ledger_shrinks_in_steps(void **state)
{
    struct ledger *ledger = open_ledger(false);
    int pruned, pages = 0;
    (void)state;
    for (uint64_t id = 1; id < 30 * BATCH_BANS; id += BATCH_BANS)
        write_batch(ledger, id, BATCH_BANS, BATCH_LINES);
    /* With more at once, whoever asks for something would wait for seconds. */
    assert_in_range(ledger_prune(ledger, LEDGER_KEEP_ALL, SIZE_BYTES), 500, 1000);
    do
        pruned = ledger_prune(ledger, LEDGER_KEEP_ALL, SIZE_BYTES);
    while (pruned > 0);
    assert_int_equal(pruned, 0);
    pages = count("PRAGMA page_count");
    assert_true((uint64_t)pages * 4096 <= SIZE_BYTES);
    assert_in_range(bytes_on_disk(), 0, SIZE_BYTES + (UINT64_C(8) << 20));
    ledger_close(ledger);
}

/* As a migration leaves it. */
static void
a_file_that_is_free_for_the_most_part_shrinks(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    for (uint64_t id = 1; id < 30 * BATCH_BANS; id += BATCH_BANS)
        write_batch(ledger, id, 0, BATCH_LINES);
    run_sql("DELETE FROM evidence");
    assert_true((uint64_t)count("PRAGMA page_count") * 4096 > SIZE_BYTES);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(ledger_prune(ledger, LEDGER_KEEP_ALL, SIZE_BYTES), 0);
    assert_true((uint64_t)count("PRAGMA page_count") * 4096 <= SIZE_BYTES);
    ledger_close(ledger);
}

static void
pruning_takes_notices_that_nobody_took(void **state)
{
    struct ledger *ledger = open_ledger(false);
    static struct notice notices[2] = {{.time_ms = NOW_MS - 1, .text = "old", .fields = "{}"},
                                       {.time_ms = NOW_MS, .text = "new", .fields = "{}"}};
    unsigned dropped;
    (void)state;
    assert_int_equal(ledger_keep_notices(ledger, notices, 2, 10, &dropped), 0);
    assert_int_equal(ledger_prune(ledger, NOW_MS, 0), 0);
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM notice"), 1);
    assert_int_equal(count("SELECT count(*) FROM notice WHERE text = 'new'"), 1);
}

static bool
file_holds(const char *words)
{
    static char bytes[4 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    return memmem(bytes, length, words, strlen(words)) != NULL;
}

static void
what_is_forgotten_is_gone(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban ended = some_ban(1, "203.0.113.9", true), live = some_ban(2, "203.0.113.8", false);
    struct source network = source_of("203.0.113.0/24");
    (void)state;
    write_one(ledger, &ended, "hunter2", 3);
    write_one(ledger, &live, "swordfish", 3);
    assert_int_equal(ledger_forget(ledger, NULL, "hunter2"), 1);
    assert_false(file_holds("hunter2"));
    assert_true(file_holds("swordfish"));
    assert_int_equal(ledger_forget(ledger, &network, NULL), 2);
    assert_false(file_holds("swordfish"));
    assert_int_equal(ask(ledger, "203.0.113.0/24", NULL, NULL), 1);
    assert_int_equal(ledger_trouble(ledger, "no room", NOW_MS), 0);
    assert_int_equal(ledger_trouble(ledger, "", NOW_MS + 1), 0);
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM trouble WHERE ended_ms - begun_ms = 1"), 1);
}

/* The schema as version 1 made it, with one row. */
static void
version_1_is_migrated(void **state)
{
    static const char version_1[] =
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;"
        "CREATE TABLE ban (table_id TEXT NOT NULL, id INTEGER NOT NULL, source TEXT NOT NULL,"
        " jail TEXT NOT NULL, scope INTEGER NOT NULL, failures INTEGER NOT NULL,"
        " origin TEXT NOT NULL, class TEXT, first_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
        " until_ms INTEGER, ended_ms INTEGER, end_reason TEXT, lifted_by INTEGER,"
        " PRIMARY KEY (table_id, id)) WITHOUT ROWID;"
        "CREATE INDEX ban_since ON ban (since_ms);"
        "CREATE INDEX ban_source ON ban (source, since_ms);"
        "CREATE INDEX ban_running ON ban (since_ms) WHERE ended_ms IS NULL;"
        "INSERT INTO ban VALUES ('0000000000000007', 1, '203.0.113.9', 'mail', 0, 5, 'jail',"
        " 'probe', 1, 2, NULL, NULL, NULL, NULL);"
        "PRAGMA application_id = 1869439585; PRAGMA user_version = 1;";
    struct ledger *ledger;
    (void)state;
    run_sql(version_1);
    assert_int_not_equal(ledger_open(path, true, NULL, &ledger, NULL), 0);
    ledger = open_ledger(false);
    assert_int_equal(ask(ledger, "203.0.113.9", NULL, NULL), 1);
    assert_int_equal(rows[0].threshold, 0);
    assert_int_equal(rows[0].ban.until_ms, TABLE_FOREVER_MS);
    ledger_close(ledger);
    assert_int_equal(count("PRAGMA user_version"), 4);
    ledger = open_ledger(true);
    ledger_close(ledger);
}

/* Some bans in no order, each with a line more than before, of any length; one line in ten names
 * him who is to be forgotten. */
static void
write_in_disorder(struct ledger *ledger, uint32_t *random)
{
    struct ban bans[16];
    struct ledger_line lines[16];
    for (unsigned i = 0; i < 16; i++) {
        *random = *random * 1664525 + 1013904223;
        bans[i] = some_ban(16 * (*random >> 25) + i + 1, "203.0.113.9", false);
        lines[i] = (struct ledger_line){
            .table_id = 7, .id = bans[i].id, .evidence = {.number = *random, .stamp_ms = NOW_MS}};
        lines[i].evidence.client = bans[i].source;
        const char *user = *random >> 8 & 7 ? "anna@example.org" : "swordfish";
        strcpy(lines[i].evidence.user, user);
        snprintf(lines[i].evidence.line, sizeof(lines[i].evidence.line), "%s%0*u", user,
                 (int)(*random >> 16 & 255), *random);
    }
    assert_int_equal(ledger_write(ledger, bans, 16, jail_of, NULL, lines, 16), 0);
}

/* Where rows grow and move, SQLite leaves copies of them in the unused room of its pages. */
static void
what_is_forgotten_is_gone_from_unused_room_as_well(void **state)
{
    struct ledger *ledger = open_ledger(false);
    uint32_t random = 1;
    (void)state;
    for (unsigned i = 0; i < 250; i++)
        write_in_disorder(ledger, &random);
    assert_true(file_holds("swordfish"));
    assert_int_not_equal(ledger_forget(ledger, NULL, "swordfish"), 0);
    assert_false(file_holds("swordfish"));
    assert_true(file_holds("anna@example.org"));
    ledger_close(ledger);
}

static void
mailboxes_of_a_name_are_found_with_their_lines(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban ban = some_ban(1, "203.0.113.9", false);
    (void)state;
    write_one(ledger, &ban, "info@example.org", 1);
    write_one(ledger, &ban, "Info@example.net", 2);
    write_one(ledger, &ban, "infos@example.net", 3);
    names_given = 0;
    assert_int_equal(ledger_mailboxes(ledger, "info", take_name, NULL), 2);
    assert_int_equal(names_given, 2);
    assert_int_equal(ledger_lines(ledger, NULL, "info@example.org", 9, take_line, NULL), 1);
    assert_int_equal(ledger_lines(ledger, NULL, "Info@example.net", 9, take_line, NULL), 1);
    assert_int_equal(last_line.number, 0);
    assert_int_equal(ledger_lines(ledger, NULL, "infos@example.net", 9, take_line, NULL), 1);
    assert_int_equal(ledger_mailboxes(ledger, "infos", take_name, NULL), 1);
    assert_int_equal(ledger_lines(ledger, NULL, "info@example.org", 9, take_line, NULL), 1);
    assert_int_equal(ledger_mailboxes(ledger, "nobody", take_name, NULL), 0);
    ledger_close(ledger);
}

/* A ledger in which lines are as version 3 kept them, one of them with all that a text may hold. */
static void
version_3_is_migrated_with_its_lines(void **state)
{
    static const char version_3[] =
        "DROP VIEW line; DROP TABLE evidence;"
        "CREATE TABLE line ("
        " table_id TEXT NOT NULL, id INTEGER NOT NULL, stamp_ms INTEGER NOT NULL,"
        " number INTEGER NOT NULL, client TEXT NOT NULL, class TEXT NOT NULL,"
        " attempts INTEGER NOT NULL, host TEXT NOT NULL, service TEXT NOT NULL, user TEXT NOT NULL,"
        " line TEXT NOT NULL, PRIMARY KEY (table_id, id, stamp_ms, number)) WITHOUT ROWID;"
        "CREATE INDEX line_user ON line (user, stamp_ms) WHERE user != '';"
        "INSERT INTO line VALUES ('0000000000000007', 1, 11, 4, '203.0.113.9', 'auth_failed', 2,"
        " 'mx1', 'imap', 'b@example.org', 'user=<b@example.org>, \"\\n\"');"
        "INSERT INTO line VALUES ('0000000000000007', 1, 10, 3, '203.0.113.8', 'probe', 1, 'mx1',"
        " 'smtpd', '', '');"
        "PRAGMA user_version = 3;";
    struct ledger *ledger = open_ledger(false);
    const struct ban ban = some_ban(1, "203.0.113.9", false);
    (void)state;
    assert_int_equal(ledger_write(ledger, &ban, 1, jail_of, NULL, NULL, 0), 0);
    ledger_close(ledger);
    run_sql(version_3);

    ledger = open_ledger(false);
    assert_int_equal(ledger_lines(ledger, &ban, NULL, 9, take_line, NULL), 2);
    assert_int_equal(last_line.stamp_ms, 11); /* the oldest first */
    assert_int_equal(last_line.attempts, 2);
    assert_string_equal(last_line.user, "b@example.org");
    assert_string_equal(last_line.line, "user=<b@example.org>, \"\\n\"");
    assert_int_equal(ask(ledger, NULL, "b@example.org", NULL), 1);
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM line WHERE number = 4 AND class = 'auth_failed'"),
                     1);
    assert_int_equal(count("SELECT count(*) FROM told WHERE users LIKE '%b@example.org%'"), 1);
}

/* As many lines as make a log of many times its usual size, were they moved at once. */
static void
many_lines_of_version_3_are_moved_in_little_room(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    for (uint64_t id = 1; id < 20 * BATCH_BANS; id += BATCH_BANS)
        write_batch(ledger, id, 0, BATCH_LINES);
    ledger_close(ledger);
    run_sql("CREATE TABLE kept ("
            " table_id TEXT NOT NULL, id INTEGER NOT NULL, stamp_ms INTEGER NOT NULL,"
            " number INTEGER NOT NULL, client TEXT NOT NULL, class TEXT NOT NULL,"
            " attempts INTEGER NOT NULL, host TEXT NOT NULL, service TEXT NOT NULL,"
            " user TEXT NOT NULL, line TEXT NOT NULL,"
            " PRIMARY KEY (table_id, id, stamp_ms, number)) WITHOUT ROWID;"
            "INSERT INTO kept SELECT * FROM line; DROP VIEW told; DROP VIEW line;"
            "DROP TABLE evidence; ALTER TABLE kept RENAME TO line;"
            "CREATE INDEX line_user ON line (user, stamp_ms) WHERE user != '';"
            "CREATE VIEW told AS SELECT * FROM line; VACUUM; PRAGMA user_version = 3;"
            "PRAGMA wal_checkpoint(TRUNCATE)");
    const uint64_t bytes = bytes_on_disk();
    ledger = open_ledger(false);
    assert_in_range(bytes_on_disk(), bytes, bytes + (UINT64_C(10) << 20));
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM line"), 20 * BATCH_LINES);
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'old_line'"), 0);
}

/* No step of the migration can move them, and the start does not wait for it. */
static void
lines_without_a_ban_do_not_stop_the_migration(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    ledger_close(ledger);
    run_sql("CREATE TABLE old_line (table_id, id, stamp_ms, number, client, class, attempts, host,"
            " service, user, line);"
            "INSERT INTO old_line (line) VALUES ('x'), ('y')");
    ledger = open_ledger(false);
    ledger_close(ledger);
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'old_line'"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bans_are_found_again),
        TEST(pruning_spares_what_has_not_ended),
        TEST(a_ban_that_is_written_again_and_again_keeps_the_lines_that_led_to_it),
        TEST(a_ledger_pruned_after_each_write_does_not_outgrow_its_size),
        TEST(a_large_ledger_shrinks_in_steps),
        TEST(a_file_that_is_free_for_the_most_part_shrinks),
        TEST(pruning_takes_notices_that_nobody_took),
        TEST(what_is_forgotten_is_gone),
        TEST(what_is_forgotten_is_gone_from_unused_room_as_well),
        TEST(mailboxes_of_a_name_are_found_with_their_lines),
        TEST(version_1_is_migrated),
        TEST(version_3_is_migrated_with_its_lines),
        TEST(many_lines_of_version_3_are_moved_in_little_room),
        TEST(lines_without_a_ban_do_not_stop_the_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
