/* test_ledger: every ban is a row, once, on the disk when the call returns; and whatever becomes of
 * the file, the answer is an error or a new ledger, never a crash and never silence.
 *
 * Proves, on real files: rows written twice, prolonged, ended, and restored; a process killed
 * between two batches loses nothing that was answered; damaged and foreign files are moved aside,
 * newer ones left alone; full, read-only, locked and removed ones are told apart; a group may read
 * while a writer runs and while none does.
 * Fails when a row is doubled or lost, a committed row is not on the disk, or an error has the
 * wrong name.
 *
 * fdatasync(2) is replaced by a stand-in of the same name, which counts. What needs root (a full
 * file system, other users) is skipped aloud without it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "fixture.h"
#include "ledger/ledger.h"

#define NOW_MS INT64_C(1795248545000)

static char directory[64];
static char path[128];
static int said; /* how often anything was said */
static char last_said[1024];

static void
record(void *context, int severity, const char *text)
{
    (void)context;
    (void)severity;
    said++;
    snprintf(last_said, sizeof(last_said), "%s", text);
}

static const struct report report = {.say = record};

/* ---- a stand-in that counts ---- */

static int syncs;

int
fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    syncs++;
    return real(fd);
}

/* ---- a directory for each test ---- */

static int
make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_ledger.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/ledger.db", directory);
    said = 0;
    last_said[0] = '\0';
    return 0;
}

static int
remove_one(const char *name, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(name);
}

static int
remove_directory(void **state)
{
    (void)state;
    chmod(directory, 0700);
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- bans and rows ---- */

static const struct jail *
jail_of(void *context, unsigned jail)
{
    static const struct jail jails[] = {
        {.name = LEDGER_JAIL_MANUAL},
        {.name = "mail", .classes = 1, .maxretry = 5, .findtime_s = 600},
        {.name = "imap", .classes = 1, .maxretry = 3, .findtime_s = 60},
    };
    (void)context;
    return &jails[jail < 2 ? jail : 2];
}

static struct ban
some_ban(uint64_t id)
{
    struct ban ban = {
        .table_id = UINT64_C(0x00c0ffee00c0ffee),
        .id = id,
        .jail = 1,
        .scope = 7,
        .failures = 5,
        .origin = BAN_BY_JAIL,
        .class = OFFENCE_AUTH_FAILED,
        .first_ms = NOW_MS - 60000,
        .since_ms = NOW_MS + (int64_t)id,
        .until_ms = NOW_MS + 3600000,
    };
    char text[SOURCE_TEXT_SIZE];
    snprintf(text, sizeof(text), "198.51.%u.%u", (unsigned)(id / 256 % 256), (unsigned)(id % 256));
    source_parse(text, strlen(text), &ban.source);
    return ban;
}

static struct ledger *
open_ledger(bool read_only)
{
    struct ledger *ledger = NULL;
    assert_int_equal(ledger_open(path, read_only, &report, &ledger, NULL), 0);
    assert_non_null(ledger);
    return ledger;
}

static int
write_one(struct ledger *ledger, const struct ban *ban)
{
    return ledger_write(ledger, ban, 1, jail_of, NULL, NULL, 0);
}

static bool
keep_row(void *context, const struct ledger_row *row)
{
    struct ledger_row **next = context;
    *(*next)++ = *row;
    return true;
}

static int
live(struct ledger *ledger, int64_t now_ms, struct ledger_row rows[8])
{
    return ledger_live(ledger, now_ms, keep_row, &rows);
}

static bool
count_row(void *context, const struct ledger_row *row)
{
    (void)context;
    (void)row;
    return true;
}

/* The first column of the first row, as somebody with sqlite3(1) sees it. */
static const char *
ask(const char *sql)
{
    static char answer[256];
    sqlite3 *sqlite;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL), SQLITE_OK);
    int code = sqlite3_step(statement);
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    snprintf(answer, sizeof(answer), "%s", code != SQLITE_ROW || text == NULL ? "" : text);
    sqlite3_finalize(statement);
    sqlite3_close(sqlite);
    return answer;
}

/* ---- the ordinary ---- */

static void
a_new_one_is_told_and_private(void **state)
{
    struct ledger *ledger;
    struct stat status;
    bool is_new = false;
    (void)state;
    assert_int_equal(ledger_open(path, true, &report, &ledger, &is_new), -ENOENT);
    assert_int_equal(ledger_open(path, false, &report, &ledger, &is_new), 0);
    assert_true(is_new);
    ledger_close(ledger);
    assert_int_equal(ledger_open(path, false, &report, &ledger, &is_new), 0);
    assert_false(is_new);
    ledger_close(ledger);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777 & ~0640, 0);
    assert_string_equal(ask("PRAGMA auto_vacuum"), "2");
    assert_string_equal(ask("PRAGMA journal_mode"), "wal");
    assert_string_equal(ask("PRAGMA integrity_check"), "ok");
    assert_int_equal(said, 0);
    ledger_close(NULL);
}

static void
a_row_says_all_of_a_ban(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ledger_row row[8];
    struct ban ban = some_ban(9), by_hand = some_ban(10);
    (void)state;
    by_hand.jail = TABLE_JAIL_MANUAL;
    by_hand.origin = BAN_BY_HAND;
    by_hand.until_ms = TABLE_FOREVER_MS;
    source_parse_prefix("2001:db8:1:2::/64", 17, &by_hand.source);
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_int_equal(write_one(ledger, &by_hand), 0);
    assert_int_equal(live(ledger, NOW_MS, row), 2);
    ledger_close(ledger);

    assert_string_equal(row[0].jail, "mail");
    assert_int_equal(row[0].ban.table_id, ban.table_id);
    assert_int_equal(row[0].ban.id, 9);
    assert_int_equal(source_compare(&row[0].ban.source, &ban.source), 0);
    assert_int_equal(row[0].ban.scope, 7);
    assert_int_equal(row[0].ban.failures, 5);
    assert_int_equal(row[0].ban.class, ban.class);
    assert_int_equal(row[0].ban.first_ms, ban.first_ms);
    assert_int_equal(row[0].ban.since_ms, ban.since_ms);
    assert_int_equal(row[0].ban.until_ms, ban.until_ms);
    assert_string_equal(row[1].jail, LEDGER_JAIL_MANUAL);
    assert_int_equal(row[1].ban.origin, BAN_BY_HAND);
    assert_int_equal(row[1].ban.until_ms, TABLE_FOREVER_MS);
    assert_int_equal(source_compare(&row[1].ban.source, &by_hand.source), 0);

    assert_string_equal(ask("SELECT source || ' ' || jail || ' ' || class || ' ' || table_id"
                            " FROM ban WHERE id = 9"),
                        "198.51.0.9 mail auth_failed 00c0ffee00c0ffee");
    assert_string_equal(ask("SELECT source || ' ' || jail || ' ' || coalesce(class, 'none')"
                            " FROM ban WHERE until_ms IS NULL"),
                        "2001:db8:1:2::/64 manual none");
}

static void
written_twice_is_written_once(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban bans[100];
    (void)state;
    for (size_t i = 0; i < 100; i++)
        bans[i] = some_ban(i + 1);
    for (int round = 0; round < 3; round++)
        assert_int_equal(ledger_write(ledger, bans, 100, jail_of, NULL, NULL, 0), 0);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), 100);
    bans[0].table_id++; /* another table's ban of the same number */
    assert_int_equal(ledger_write(ledger, bans, 100, jail_of, NULL, NULL, 0), 0);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), 101);
    ledger_close(ledger);
}

/* What is answered outlives a power loss: see the header. */
static void
each_transaction_is_synced(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    for (uint64_t id = 1; id <= 5; id++) {
        struct ban ban = some_ban(id);
        syncs = 0;
        assert_int_equal(write_one(ledger, &ban), 0);
        assert_true(syncs > 0);
    }
    ledger_close(ledger);
}

static void
a_ban_changes_and_ends(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ledger_row row[8];
    struct ban ban = some_ban(1);
    (void)state;
    assert_int_equal(write_one(ledger, &ban), 0);
    ban.until_ms += 1000;
    ban.jail = 2; /* comes back in a table that calls its jail otherwise: the old name stays */
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_int_equal(live(ledger, NOW_MS, row), 1);
    assert_int_equal(row[0].ban.until_ms, ban.until_ms);
    assert_string_equal(row[0].jail, "mail");
    assert_int_equal(live(ledger, ban.until_ms, row), 0);

    ban.end = BAN_LIFTED_BY_HAND;
    ban.ended_ms = NOW_MS + 5;
    ban.lifted_by = 1000;
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_int_equal(live(ledger, NOW_MS, row), 0);
    ledger_close(ledger);
    assert_string_equal(ask("SELECT end_reason || ' ' || lifted_by || ' ' || ended_ms FROM ban"),
                        "lifted 1000 1795248545005");
}

static void
what_ran_out_unseen_is_ended(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban over = some_ban(1), still = some_ban(2), for_ever = some_ban(3);
    (void)state;
    over.until_ms = NOW_MS + 10;
    for_ever.until_ms = TABLE_FOREVER_MS;
    assert_int_equal(write_one(ledger, &over), 0);
    assert_int_equal(write_one(ledger, &still), 0);
    assert_int_equal(write_one(ledger, &for_ever), 0);
    assert_int_equal(ledger_expire(ledger, NOW_MS + 10), 1);
    assert_int_equal(ledger_expire(ledger, NOW_MS + 10), 0);
    ledger_close(ledger);
    assert_string_equal(ask("SELECT id || end_reason || (ended_ms = until_ms) FROM ban"
                            " WHERE ended_ms IS NOT NULL"),
                        "1expired1");
}

static void
a_row_that_makes_no_sense_is_left_out(void **state)
{
    static const char *const nonsense[] = {
        "UPDATE ban SET source = 'mx1.example' WHERE id = 1",
        "UPDATE ban SET source = '127.0.0.1' WHERE id = 2",
        "UPDATE ban SET table_id = 'xyz' WHERE id = 3",
        "UPDATE ban SET class = 'x' WHERE id = 4",
        "UPDATE ban SET until_ms = 'soon' WHERE id = 5",
        "UPDATE ban SET failures = -1 WHERE id = 6",
        "UPDATE ban SET jail = '' WHERE id = 7",
        "UPDATE ban SET jail = printf('%.100c', 'j') WHERE id = 8",
        "UPDATE ban SET origin = x'00ff' WHERE id = 9",
    };
    enum { COUNT = sizeof(nonsense) / sizeof(nonsense[0]) };
    struct ledger *ledger = open_ledger(false);
    struct ledger_row row[8];
    (void)state;
    for (uint64_t id = 1; id <= COUNT + 1; id++) {
        struct ban ban = some_ban(id);
        assert_int_equal(write_one(ledger, &ban), 0);
    }
    for (size_t i = 0; i < COUNT; i++)
        ask(nonsense[i]);
    assert_int_equal(live(ledger, NOW_MS, row), 1);
    assert_int_equal(row[0].ban.id, COUNT + 1);
    assert_int_equal(said, 1);
    ledger_close(ledger);
}

/* ---- the file's misfortunes ---- */

/* Children answer with their exit code: 0, or the line that failed. */
#define CHILD_EXPECT(condition)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ % 255 + 1);                                                             \
    } while (0)

static void
assert_child_ends_well(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A writer is killed at a random moment, ten times; what it had been told was written is there. */
static void
a_killed_writer_loses_nothing_answered(void **state)
{
    uint64_t answered = 0;
    int rows = 0;
    (void)state;
    for (int kill_after_ms = 5; kill_after_ms <= 50; kill_after_ms += 5) {
        int tell[2];
        assert_int_equal(pipe(tell), 0);
        pid_t child = fork();
        if (child == 0) {
            struct ledger *ledger;
            CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == 0);
            for (uint64_t id = answered + 1;; id++) {
                struct ban ban = some_ban(id);
                CHILD_EXPECT(write_one(ledger, &ban) == 0);
                CHILD_EXPECT(write(tell[1], &id, sizeof(id)) == sizeof(id));
            }
        }
        close(tell[1]);
        usleep((useconds_t)kill_after_ms * 1000); /* the moment is arbitrary by intention */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(tell[0], &answered, sizeof(answered)) == sizeof(answered))
            continue;
        close(tell[0]);

        struct ledger *ledger = open_ledger(false);
        rows = ledger_live(ledger, NOW_MS, count_row, NULL);
        ledger_close(ledger);
        assert_in_range(rows, answered, answered + 1);
        answered = (uint64_t)rows;
    }
    print_message("# %d rows over ten kills\n", rows);
    assert_string_equal(ask("PRAGMA integrity_check"), "ok");
    assert_int_equal(said, 0);
}

static void
write_file(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void
assert_moved_aside_and_begun_anew(void)
{
    struct ledger *ledger = NULL;
    struct ban ban = some_ban(1);
    char aside[160];
    bool is_new = false;
    said = 0;
    assert_int_equal(ledger_open(path, false, &report, &ledger, &is_new), 0);
    assert_true(is_new);
    assert_int_equal(said, 1);
    assert_non_null(strstr(last_said, "moved aside"));
    assert_int_equal(write_one(ledger, &ban), 0);
    ledger_close(ledger);
    snprintf(aside, sizeof(aside), "%s.damaged", path);
    assert_int_equal(access(aside, F_OK), 0);
}

static void
no_ledger_is_moved_aside(void **state)
{
    static const char garbage[8192] = "this is not a database";
    struct ledger *ledger = NULL;
    (void)state;
    write_file(path, garbage, sizeof(garbage));
    assert_int_equal(ledger_open(path, true, &report, &ledger, NULL), -EPROTO);
    assert_moved_aside_and_begun_anew();
    remove_ledger(path);
    write_file(path, garbage, 100); /* a second time, and a short one */
    assert_moved_aside_and_begun_anew();

    remove_ledger(path); /* somebody else's database */
    sqlite3 *sqlite;
    sqlite3_open(path, &sqlite);
    sqlite3_exec(sqlite, "CREATE TABLE ban (x); PRAGMA user_version = 1", NULL, NULL, NULL);
    sqlite3_close(sqlite);
    assert_moved_aside_and_begun_anew();
}

/* The number of the schema's format, by which SQLite knows whether it can read it. */
static void
one_with_a_damaged_head_is_moved_aside(void **state)
{
    const char format[4] = {0, 0, 0, 0x7f};
    struct ledger *ledger = open_ledger(false);
    (void)state;
    ledger_close(ledger);
    ask("PRAGMA wal_checkpoint(TRUNCATE)");
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, format, sizeof(format), 44), sizeof(format));
    close(fd);
    assert_int_equal(ledger_open(path, true, &report, &ledger, NULL), -EPROTO);
    assert_moved_aside_and_begun_anew();
}

static void
an_empty_file_is_a_new_ledger(void **state)
{
    struct ledger *ledger = NULL;
    bool is_new = false;
    (void)state;
    write_file(path, "", 0); /* as a crash right after its creation leaves it */
    assert_int_equal(ledger_open(path, true, &report, &ledger, NULL), -ENOENT);
    assert_int_equal(ledger_open(path, false, &report, &ledger, &is_new), 0);
    assert_true(is_new);
    ledger_close(ledger);
    assert_int_equal(said, 0);
}

static void
a_newer_one_is_left_alone(void **state)
{
    struct ledger *ledger = open_ledger(false);
    (void)state;
    ledger_close(ledger);
    ask("PRAGMA user_version = 99");
    assert_int_equal(ledger_open(path, false, &report, &ledger, NULL), -EPROTONOSUPPORT);
    assert_int_equal(ledger_open(path, true, &report, &ledger, NULL), -EPROTONOSUPPORT);
    assert_string_equal(ask("PRAGMA user_version"), "99");
    assert_int_equal(said, 0);
}

/* Overwrites all pages but the first with garbage, behind the back of whoever has it open. */
static void
spoil_pages(void)
{
    char page[4096];
    struct stat status;
    int fd = open(path, O_WRONLY);
    memset(page, 0xa5, sizeof(page));
    assert_int_equal(fstat(fd, &status), 0);
    for (off_t at = sizeof(page); at < status.st_size; at += (off_t)sizeof(page))
        assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
    close(fd);
}

static void
fill(unsigned count)
{
    struct ledger *ledger = open_ledger(false);
    struct ban *bans = calloc(count, sizeof(*bans));
    for (unsigned i = 0; i < count; i++)
        bans[i] = some_ban(i + 1);
    assert_int_equal(ledger_write(ledger, bans, count, jail_of, NULL, NULL, 0), 0);
    ledger_close(ledger);
    free(bans);
    ask("PRAGMA wal_checkpoint(TRUNCATE)");
}

static void
corrupt_pages_are_found_on_use(void **state)
{
    struct ban ban = some_ban(100000);
    (void)state;
    fill(2000);
    spoil_pages();
    struct ledger *ledger = open_ledger(false); /* the first page is fine */
    assert_int_equal(write_one(ledger, &ban), -EPROTO);
    assert_int_equal(said, 1);
    assert_int_equal(write_one(ledger, &ban), -EPROTO);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), -EPROTO);
    ledger_close(ledger);
    ledger = open_ledger(false);
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), 1);
    ledger_close(ledger);

    fill(2000);
    spoil_pages();
    ledger = open_ledger(true);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), -EPROTO);
    ledger_close(ledger);
    assert_int_equal(access(path, F_OK), 0); /* a reader moves nothing */
    ledger = open_ledger(false);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), -EPROTO);
    ledger_close(ledger);
    assert_int_equal(access(path, F_OK), -1);
}

/* Bits flipped and lengths cut at random: an answer each time, and in the end a ledger. */
static void
random_damage_is_survived(void **state)
{
    (void)state;
    fill(50);
    FILE *file = fopen(path, "r");
    static char whole[262144], damaged[262144];
    size_t length = fread(whole, 1, sizeof(whole), file);
    fclose(file);
    srand(1);
    for (int round = 0; round < 150; round++) {
        struct ledger *ledger = NULL;
        struct ban ban = some_ban(7000 + (uint64_t)round);
        size_t keep = round % 3 == 0 ? (size_t)rand() % length : length;
        memcpy(damaged, whole, length);
        for (int i = 0; i < 1 << round % 8; i++)
            damaged[(size_t)rand() % length] ^= (char)(1 << rand() % 8);
        write_file(path, damaged, keep);
        if (ledger_open(path, false, NULL, &ledger, NULL) == 0) {
            ledger_live(ledger, NOW_MS, count_row, NULL);
            write_one(ledger, &ban);
        }
        ledger_close(ledger);
        remove_ledger(path);
    }
}

static void
one_that_was_removed_is_not_written_to(void **state)
{
    struct ledger *ledger = open_ledger(false);
    struct ban ban = some_ban(1);
    (void)state;
    assert_int_equal(write_one(ledger, &ban), 0);
    unlink(path);
    assert_int_equal(write_one(ledger, &ban), -ESTALE);
    ledger_close(ledger);
}

static void
a_locked_one_is_busy(void **state)
{
    struct ledger *ledger = open_ledger(false), *second = NULL;
    struct ban ban = some_ban(1);
    sqlite3 *sqlite;
    (void)state;
    sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL);
    assert_int_equal(sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(write_one(ledger, &ban), -EBUSY);
    assert_int_equal(ledger_live(ledger, NOW_MS, count_row, NULL), 0); /* but readable */
    sqlite3_exec(sqlite, "COMMIT", NULL, NULL, NULL);
    assert_int_equal(write_one(ledger, &ban), 0);
    ledger_close(ledger);

    sqlite3_exec(sqlite,
                 "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                 "DELETE FROM ban WHERE id = 77",
                 NULL, NULL, NULL);
    assert_int_equal(ledger_open(path, false, &report, &second, NULL), -EBUSY);
    sqlite3_close(sqlite);
    assert_int_equal(said, 0);
}

static void
without_a_directory(void **state)
{
    struct ledger *ledger;
    (void)state;
    strcat(directory, "/none");
    snprintf(path, sizeof(path), "%s/ledger.db", directory);
    assert_int_equal(ledger_open(path, false, &report, &ledger, NULL), -ENOENT);
    *strrchr(directory, '/') = '\0';
}

/* ---- with root's help ---- */

static bool
am_root(void)
{
    if (geteuid() == 0)
        return true;
    skip();
    return false;
}

/* In a child with a mount namespace of its own, a tmpfs on the directory. */
static void
mount_tmpfs(const char *options)
{
    CHILD_EXPECT(unshare(CLONE_NEWNS) == 0);
    CHILD_EXPECT(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_EXPECT(mount("none", directory, "tmpfs", 0, options) == 0);
}

static void
fill_disk(void)
{
    char filler[160], block[4096] = {0};
    snprintf(filler, sizeof(filler), "%s/filler", directory);
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    while (write(fd, block, sizeof(block)) > 0)
        continue;
    close(fd);
}

static void
a_full_disk_is_told_and_got_over(void **state)
{
    (void)state;
    if (!am_root())
        return;
    pid_t child = fork();
    if (child == 0) {
        struct ledger *ledger;
        struct ban ban;
        char filler[160];
        int result = 0;
        uint64_t written = 0;
        mount_tmpfs("size=400k");
        CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == 0);
        fill_disk();
        for (; result == 0 && written < 10000; written += result == 0) {
            ban = some_ban(written + 1);
            result = write_one(ledger, &ban);
        }
        CHILD_EXPECT(result == -ENOSPC);
        CHILD_EXPECT(write_one(ledger, &ban) == -ENOSPC);
        snprintf(filler, sizeof(filler), "%s/filler", directory);
        unlink(filler);
        ledger_close(ledger);
        CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == 0);
        CHILD_EXPECT(write_one(ledger, &ban) == 0);
        CHILD_EXPECT(ledger_live(ledger, NOW_MS, count_row, NULL) == (int)written + 1);
        ledger_close(ledger);
        unlink(path);
        fill_disk(); /* no room even for a new one */
        CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == -ENOSPC);
        _exit(0);
    }
    assert_child_ends_well(child);
}

static void
a_read_only_file_system(void **state)
{
    (void)state;
    if (!am_root())
        return;
    pid_t child = fork();
    if (child == 0) {
        struct ledger *ledger, *second;
        struct ban ban = some_ban(1);
        mount_tmpfs("size=1m");
        CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == 0);
        CHILD_EXPECT(write_one(ledger, &ban) == 0);
        ledger_close(ledger);
        CHILD_EXPECT(mount("none", directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
        CHILD_EXPECT(ledger_open(path, false, NULL, &second, NULL) == -EROFS);
        CHILD_EXPECT(ledger_open(path, true, NULL, &second, NULL) == 0);
        CHILD_EXPECT(ledger_live(second, NOW_MS, count_row, NULL) == 1);
        ledger_close(second);
        _exit(0);
    }
    assert_child_ends_well(child);
}

enum { DROP_USER = 64001, READER_USER = 64002, READER_GROUP = 64003 };

static void
become(uid_t user, gid_t group)
{
    CHILD_EXPECT(setgroups(0, NULL) == 0 && setgid(group) == 0 && setuid(user) == 0);
}

/* Root restores before it drops its privileges; the user whom it becomes must be able to write. */
static void
root_leaves_it_to_the_owner_of_the_directory(void **state)
{
    struct ban ban = some_ban(1);
    (void)state;
    if (!am_root())
        return;
    assert_int_equal(chown(directory, DROP_USER, READER_GROUP), 0);
    struct ledger *ledger = open_ledger(false);
    assert_int_equal(write_one(ledger, &ban), 0);
    pid_t child = fork();
    if (child == 0) {
        struct ledger *own;
        become(DROP_USER, DROP_USER);
        ban.id = 2;
        CHILD_EXPECT(ledger_open(path, false, NULL, &own, NULL) == 0);
        CHILD_EXPECT(write_one(own, &ban) == 0);
        ledger_close(own);
        _exit(0);
    }
    assert_child_ends_well(child);
    ledger_close(ledger);
}

/* Opens and counts as a member of the group that may read, as nothing else. */
static void
assert_reader_sees(int rows)
{
    pid_t child = fork();
    if (child == 0) {
        struct ledger *ledger;
        become(READER_USER, READER_GROUP);
        CHILD_EXPECT(ledger_open(path, true, NULL, &ledger, NULL) == 0);
        CHILD_EXPECT(ledger_live(ledger, NOW_MS, count_row, NULL) == rows);
        ledger_close(ledger);
        CHILD_EXPECT(ledger_open(path, false, NULL, &ledger, NULL) == -EACCES);
        _exit(0);
    }
    assert_child_ends_well(child);
}

static void
a_group_may_read_at_any_time(void **state)
{
    struct ban ban = some_ban(1);
    (void)state;
    if (!am_root())
        return;
    assert_int_equal(chown(directory, DROP_USER, READER_GROUP), 0);
    assert_int_equal(chmod(directory, 0750), 0);
    struct ledger *ledger = open_ledger(false);
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_reader_sees(1); /* while a writer runs */
    ban.id = 2;
    assert_int_equal(write_one(ledger, &ban), 0);
    assert_reader_sees(2);
    ledger_close(ledger);
    assert_reader_sees(2);        /* and while none does */
    ask("PRAGMA wal_checkpoint"); /* also when somebody's sqlite3 took the log away */
    assert_reader_sees(2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_one_is_told_and_private),
        TEST(a_row_says_all_of_a_ban),
        TEST(written_twice_is_written_once),
        TEST(each_transaction_is_synced),
        TEST(a_ban_changes_and_ends),
        TEST(what_ran_out_unseen_is_ended),
        TEST(a_row_that_makes_no_sense_is_left_out),
        TEST(a_killed_writer_loses_nothing_answered),
        TEST(no_ledger_is_moved_aside),
        TEST(one_with_a_damaged_head_is_moved_aside),
        TEST(an_empty_file_is_a_new_ledger),
        TEST(a_newer_one_is_left_alone),
        TEST(corrupt_pages_are_found_on_use),
        TEST(random_damage_is_survived),
        TEST(one_that_was_removed_is_not_written_to),
        TEST(a_locked_one_is_busy),
        TEST(without_a_directory),
        TEST(a_full_disk_is_told_and_got_over),
        TEST(a_read_only_file_system),
        TEST(root_leaves_it_to_the_owner_of_the_directory),
        TEST(a_group_may_read_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
