/* test_recorder: what happens to a ban is in the ledger soon, whatever the disk does; and the
 * command socket serves whom it may, whatever the others send.
 *
 * Proves, with the real table, real files and real sockets: bans and their ends are written, after
 * a wake and without one; a ledger that is missing, locked, removed or damaged is said once and
 * catches up, with all live bans; a disk that hangs holds up neither the end nor a ban; bans come
 * back into a new table with their names and times; troubles, and events that nobody takes, are
 * written as well, and what is too old is deleted; other users, garbage, half and endless lines,
 * silent clients and fifty at once change nothing for the next command.
 * Fails when a row is missing, a cause is said twice, recorder_stop waits for the disk, a thread
 * keeps a capability, or a descriptor would outlive exec.
 *
 * fdatasync(2) is replaced by a stand-in of the same name, which can hang, clock_gettime(2) by one
 * that can be put forward. What needs root is skipped aloud without it.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "fixture.h"
#include "control/command.h"
#include "ledger/ledger.h"
#include "ledger/batch.h"
#include "ledger/restore.h"
#include "control/recorder.h"

#define MAX_BANS 2048
#define LIMIT_MS 8000 /* what has not come to pass by then never will */

/* ---- the stand-in for the disk ---- */

static atomic_bool hang;
static sem_t hangs, may_return;

int
fdatasync(int fd)
{
    static int (*real)(int);
    if (real == NULL)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (atomic_load(&hang)) {
        sem_post(&hangs);
        sem_wait(&may_return);
    }
    return real(fd);
}

/* ---- the stand-in for the clock ---- */

static atomic_int put_forward_s;

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_MONOTONIC)
        now->tv_sec += atomic_load(&put_forward_s);
    return result;
}

/* ---- a recorder of what is said ---- */

static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;
static char said[16384];

static void
record(void *context, int severity, const char *text)
{
    (void)context;
    (void)severity;
    pthread_mutex_lock(&saying);
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%s\n", text);
    pthread_mutex_unlock(&saying);
}

static const struct report report = {.say = record};

static unsigned
times_said(const char *words)
{
    unsigned count = 0;
    pthread_mutex_lock(&saying);
    for (const char *at = said; (at = strstr(at, words)) != NULL; at++)
        count++;
    pthread_mutex_unlock(&saying);
    return count;
}

/* ---- a table, a directory, a recorder ---- */

static char directory[64], ledger_path[256], table_path[128], socket_path[128];
static struct table *table;
static struct recorder *recorder;
static unsigned mail_jail;
static bool are_bans_told; /* of a table that is opened */

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct table *
new_table(void)
{
    const struct table_options options = {
        .path = table_path,
        .ledger_path = ledger_path,
        .capacity = 1024,
        .max_bans = MAX_BANS,
        .owner = (uid_t)-1,
        .group = (gid_t)-1,
        .now_ms = now_ms(),
        .are_bans_told = are_bans_told,
    };
    struct table *opened = NULL;
    struct jail jail;
    bool is_new;
    assert_int_equal(table_open(&options, &opened, &is_new), 0);
    jail_defaults(&jail);
    int index = table_jail(opened, &jail);
    assert_true(index > 0);
    mail_jail = (unsigned)index;
    return opened;
}

static int
set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/test_recorder.XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(ledger_path, sizeof(ledger_path), "%s/ledger.db", directory);
    snprintf(table_path, sizeof(table_path), "%s/table", directory);
    snprintf(socket_path, sizeof(socket_path), "%s/command.sock", directory);
    said[0] = '\0';
    table = new_table();
    return 0;
}

static int
set_up_told(void **state)
{
    are_bans_told = true;
    return set_up(state);
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
tear_down(void **state)
{
    (void)state;
    are_bans_told = false;
    recorder_stop(recorder);
    recorder = NULL;
    table_close(table);
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What is not given, is as usual. */
static void
start_with(struct recorder_options options)
{
    int fd = recorder_listen(socket_path, (uid_t)-1, (gid_t)-1);
    assert_true(fd >= 0);
    options.table = table;
    options.ledger_path = ledger_path;
    options.socket_path = socket_path;
    options.report = &report;
    assert_int_equal(recorder_start(&recorder, &options, fd), 0);
}

static void
start(void)
{
    start_with((struct recorder_options){0});
}

static void
stop(void)
{
    recorder_stop(recorder);
    recorder = NULL;
}

static void
ban(unsigned number)
{
    struct ban ban = {
        .jail = (uint8_t)mail_jail,
        .failures = 5,
        .origin = BAN_BY_JAIL,
        .class = OFFENCE_AUTH_FAILED,
        .first_ms = now_ms() - 1000,
        .since_ms = now_ms(),
        .until_ms = now_ms() + 3600000,
    };
    char text[SOURCE_TEXT_SIZE];
    snprintf(text, sizeof(text), "203.%u.0.%u", number / 256, number % 256);
    source_parse(text, strlen(text), &ban.source);
    assert_int_equal(table_ban(table, &ban, now_ms()), 0);
}

/* ---- what the ledger says ---- */

/* The number that sqlite3(1) would see; -1 while there is no such table. */
static int
count_rows_of(const char *name, const char *condition)
{
    char sql[256];
    sqlite3 *sqlite;
    sqlite3_stmt *statement = NULL;
    int count = -1;
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE %s", name, condition);
    if (sqlite3_open_v2(ledger_path, &sqlite, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(sqlite);
    return count;
}

static int
count_rows(const char *condition)
{
    return count_rows_of("ban", condition);
}

/* Polls until it is so; returns how long that took. */
#define WAIT_FOR(condition)                                                                        \
    ({                                                                                             \
        int64_t began_ms = now_ms();                                                               \
        while (!(condition)) {                                                                     \
            if (now_ms() - began_ms > LIMIT_MS)                                                    \
                fail_msg("waited in vain for %s; said: %s", #condition, said);                     \
            usleep(5000);                                                                          \
        }                                                                                          \
        now_ms() - began_ms;                                                                       \
    })

/* ---- writing ---- */

static void
bans_and_their_ends_are_written(void **state)
{
    struct recorder_statistics statistics;
    struct source source = source_of("203.0.0.1");
    (void)state;
    start();
    ban(1);
    recorder_wake(recorder);
    WAIT_FOR(count_rows("jail = 'mail' AND source = '203.0.0.1' AND ended_ms IS NULL") == 1);
    assert_int_equal(table_unban(table, &source, 1000, now_ms()), 1);
    int64_t took_ms = WAIT_FOR(count_rows("end_reason = 'lifted' AND lifted_by = 1000") == 1);
    print_message("# without a wake: %d ms\n", (int)took_ms);
    assert_true(took_ms < 2000);
    recorder_read_statistics(recorder, &statistics);
    assert_true(statistics.written >= 2);
    assert_int_equal(statistics.errors, 0);
    assert_string_equal(said, "");
}

/* Woken it writes within a quarter of a second; not woken, or by the first wake only, it would take
 * its full second each time. */
static void
each_wake_is_heard(void **state)
{
    int64_t took_ms = 0;
    (void)state;
    start();
    for (int i = 1; i <= 5; i++) {
        ban((unsigned)i);
        recorder_wake(recorder);
        recorder_wake(recorder);
        took_ms += WAIT_FOR(count_rows("1") == i);
    }
    print_message("# five wakes: %d ms\n", (int)took_ms);
    assert_true(took_ms < 3500);
}

static void
the_end_writes_a_backlog(void **state)
{
    (void)state;
    start();
    WAIT_FOR(count_rows("1") == 0);
    for (unsigned i = 0; i < 2000; i++)
        ban(i);
    int64_t began_ms = now_ms();
    stop();
    print_message("# 2000 bans in %d ms\n", (int)(now_ms() - began_ms));
    assert_int_equal(count_rows("1"), 2000);
    assert_int_equal(access(socket_path, F_OK), -1);
}

static void
a_pass_without_the_thread(void **state)
{
    struct ledger *ledger;
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        ban(i);
    assert_int_equal(ledger_open(ledger_path, false, &report, &ledger, NULL), 0);
    assert_int_equal(batch_write_all(ledger, table), 0);
    assert_int_equal(count_rows("1"), 1000);
    assert_int_equal(batch_write_all(ledger, table), 0);
    ledger_close(ledger);
}

static void
a_missing_directory_is_said_once(void **state)
{
    char missing[128];
    (void)state;
    snprintf(missing, sizeof(missing), "%s/state", directory);
    snprintf(ledger_path, sizeof(ledger_path), "%s/ledger.db", missing);
    ban(1);
    start();
    WAIT_FOR(times_said("cannot be written") == 1);
    struct recorder_statistics statistics;
    WAIT_FOR((recorder_read_statistics(recorder, &statistics), statistics.errors >= 2));
    assert_int_equal(times_said("cannot be written"), 1);
    assert_int_equal(mkdir(missing, 0755), 0);
    atomic_fetch_add(&put_forward_s, 2);
    WAIT_FOR(count_rows("1") == 1);
    WAIT_FOR(times_said("is written again") == 1);
}

static void
a_lock_of_somebody_else_is_waited_out(void **state)
{
    sqlite3 *sqlite;
    (void)state;
    start();
    ban(1);
    WAIT_FOR(count_rows("1") == 1);
    sqlite3_open_v2(ledger_path, &sqlite, SQLITE_OPEN_READWRITE, NULL);
    assert_int_equal(sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ban(2);
    recorder_wake(recorder);
    WAIT_FOR(times_said("keeps it locked") == 1);
    ban(3);
    recorder_wake(recorder);
    sqlite3_exec(sqlite, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(sqlite);
    WAIT_FOR(count_rows("1") == 3);
    WAIT_FOR(times_said("is written again") == 1);
}

/* Rows that were written are written again, because the new file has none of them. */
static void
a_removed_ledger_is_begun_anew_whole(void **state)
{
    (void)state;
    start();
    for (unsigned i = 0; i < 700; i++)
        ban(i);
    WAIT_FOR(count_rows("1") == 700);
    unlink(ledger_path);
    ban(700);
    recorder_wake(recorder);
    WAIT_FOR(count_rows("ended_ms IS NULL") == 701);
    assert_int_equal(times_said("removed or replaced"), 1);
}

static void
a_damaged_ledger_is_begun_anew_whole(void **state)
{
    char page[4096];
    sqlite3 *sqlite;
    (void)state;
    start();
    for (unsigned i = 0; i < 700; i++)
        ban(i);
    WAIT_FOR(count_rows("1") == 700);
    stop();
    sqlite3_open_v2(ledger_path, &sqlite, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_exec(sqlite, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    sqlite3_close(sqlite);
    int fd = open(ledger_path, O_WRONLY);
    memset(page, 0xa5, sizeof(page));
    for (off_t at = 4096; at < 20 * 4096; at += 4096)
        assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
    close(fd);
    start();
    ban(700);
    recorder_wake(recorder);
    WAIT_FOR(count_rows("ended_ms IS NULL") == 701);
    assert_int_equal(times_said("moved aside"), 1);
}

static unsigned
count_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (readdir(tasks) != NULL)
        count++;
    closedir(tasks);
    return count;
}

static void
a_disk_that_hangs_holds_up_nothing(void **state)
{
    unsigned threads = count_threads();
    (void)state;
    start();
    WAIT_FOR(count_rows("1") == 0);
    sem_init(&hangs, 0, 0);
    sem_init(&may_return, 0, 0);
    atomic_store(&hang, true);
    ban(1);
    recorder_wake(recorder);
    sem_wait(&hangs);
    for (unsigned i = 2; i < 1000; i++) { /* nobody waits for it */
        ban(i);
        recorder_wake(recorder);
    }
    int64_t began_ms = now_ms();
    stop();
    int64_t took_ms = now_ms() - began_ms;
    print_message("# stopped after %d ms\n", (int)took_ms);
    assert_in_range(took_ms, 1900, 3000);
    assert_int_equal(times_said("left behind"), 1);

    table_close(table); /* and the thread, when it comes back, touches it no more */
    table = NULL;
    atomic_store(&hang, false);
    sem_post(&may_return);
    WAIT_FOR(count_threads() == threads);
    table = new_table();
    start(); /* what was not written is written after the next start */
    WAIT_FOR(count_rows("1") == 999);
}

static const struct jail *
jail_of_row(void *context, unsigned jail)
{
    static const struct jail jails[] = {
        {.name = LEDGER_JAIL_MANUAL}, {.name = "mail"}, {.name = "gone"}};
    (void)context;
    return &jails[jail];
}

static void
a_trouble_and_its_end_are_history(void **state)
{
    (void)state;
    start();
    table_set_trouble(table, "the kernel refuses");
    WAIT_FOR(count_rows_of("trouble", "what = 'the kernel refuses' AND ended_ms IS NULL") == 1);
    table_set_trouble(table, NULL);
    WAIT_FOR(count_rows_of("trouble", "ended_ms IS NOT NULL") == 1);
    assert_int_equal(count_rows_of("trouble", "1"), 1);
    assert_string_equal(said, "");
}

static void
write_one_that_ended(void)
{
    const int64_t now = now_ms();
    const struct ban old = {.table_id = 5,
                            .id = 1,
                            .source = source_of("203.0.113.1"),
                            .origin = BAN_BY_HAND,
                            .first_ms = now - 900000,
                            .since_ms = now - 900000,
                            .until_ms = now - 800000,
                            .ended_ms = now - 800000,
                            .end = BAN_EXPIRED};
    struct ledger *ledger;
    assert_int_equal(ledger_open(ledger_path, false, &report, &ledger, NULL), 0);
    assert_int_equal(ledger_write(ledger, &old, 1, jail_of_row, NULL, NULL, 0), 0);
    ledger_close(ledger);
}

static void
what_is_too_old_is_deleted(void **state)
{
    (void)state;
    write_one_that_ended();
    start_with((struct recorder_options){.retention_s = 600});
    ban(1);
    recorder_wake(recorder);
    WAIT_FOR(count_rows("1") == 2); /* not while it starts */
    atomic_fetch_add(&put_forward_s, 11);
    WAIT_FOR(count_rows("1") == 1);
    assert_int_equal(count_rows("id = 1 AND table_id = '0000000000000005'"), 0);
}

static struct outbox *
new_outbox(void)
{
    const struct outbox_options options = {
        .table = table, .origin = "mx1", .most = 100, .report = &report};
    struct outbox *made;
    assert_int_equal(outbox_new(&made, &options), 0);
    return made;
}

/* Events that nobody takes go to the ledger after a second, and all at the end; a teller gets them
 * back; and where the ledger is removed meanwhile, what is in the outbox goes to the new one. */
static void
events_wait_in_the_ledger(void **state)
{
    struct outbox *outbox = new_outbox();
    struct notice notice;
    (void)state;
    start_with((struct recorder_options){.outbox = outbox});
    outbox_note(outbox, EVENT_TROUBLE, "kernel", "the first", now_ms());
    ban(1);
    WAIT_FOR(count_rows_of("notice", "1") == 2);
    unlink(ledger_path);
    ban(2);
    recorder_wake(recorder);
    WAIT_FOR(count_rows_of("notice", "1") == 1);
    outbox_note(outbox, EVENT_STOP, "", "stopped", now_ms());
    ban(3);
    stop();
    outbox_free(outbox);
    assert_int_equal(count_rows_of("notice", "1"), 3);
    outbox = new_outbox();
    start_with((struct recorder_options){.outbox = outbox});
    outbox_begin(outbox);
    for (int i = 0; i < 3; i++) {
        WAIT_FOR(outbox_take(outbox, &notice));
        outbox_told(outbox);
    }
    WAIT_FOR(count_rows_of("notice", "1") == 0);
    assert_false(outbox_take(outbox, &notice));
    stop();
    outbox_free(outbox);
}

/* The disk refuses them at the end: that is said, and the bans are told after the next start. */
static void
events_that_the_ledger_refuses_stay(void **state)
{
    struct outbox *const outbox = new_outbox();
    sqlite3 *sqlite;
    (void)state;
    start_with((struct recorder_options){.outbox = outbox});
    WAIT_FOR(count_rows_of("notice", "1") == 0);
    sqlite3_open_v2(ledger_path, &sqlite, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_busy_timeout(sqlite, 10000);
    assert_int_equal(sqlite3_exec(sqlite, "ALTER TABLE notice RENAME TO away", NULL, NULL, NULL),
                     SQLITE_OK);
    ban(1);
    stop();
    assert_int_equal(times_said("cannot be written"), 1);
    assert_int_equal(count_rows("1"), 1);
    assert_int_equal(table_untold(table), 1);
    sqlite3_close(sqlite);
    outbox_free(outbox);
}

/* ---- restoring ---- */

static bool
find_ban(const char *text, struct ban *ban)
{
    struct source source = source_of(text);
    for (uint32_t slot = 0; slot < MAX_BANS; slot++)
        if (table_read_ban(table, slot, ban) && source_compare(&ban->source, &source) == 0)
            return true;
    return false;
}

static void
write_rows(void)
{
    static const char *const sources[] = {"203.0.113.1", "203.0.113.2", "2001:db8:1:2::/64",
                                          "203.0.113.4", "2000::/3"};
    int64_t now = now_ms();
    struct ban bans[5] = {{0}};
    struct ledger *ledger;
    for (size_t i = 0; i < 5; i++) {
        bans[i].table_id = 5;
        bans[i].id = i + 1;
        bans[i].source = source_of(sources[i]);
        bans[i].jail = (uint8_t)(i % 3);
        bans[i].origin = i % 3 == 0 ? BAN_BY_HAND : BAN_BY_JAIL;
        bans[i].class = OFFENCE_PROBE;
        bans[i].first_ms = bans[i].since_ms = now - 10000;
        bans[i].until_ms = i == 0 ? TABLE_FOREVER_MS : i == 3 ? now - 1 : now + 50000;
    }
    assert_int_equal(ledger_open(ledger_path, false, &report, &ledger, NULL), 0);
    assert_int_equal(ledger_write(ledger, bans, 5, jail_of_row, NULL, NULL, 0), 0);
    ledger_close(ledger);
}

static void
bans_come_back_into_a_new_table(void **state)
{
    bool first_run = true;
    struct jail jail;
    struct ban ban;
    (void)state;
    write_rows();
    int64_t now = now_ms();
    assert_int_equal(restore_live_bans(table, ledger_path, now, &report, &first_run), 3);
    assert_false(first_run);
    assert_int_equal(times_said("3 bans came back"), 1);
    assert_int_equal(times_said("1 ban of the ledger is left out: prefixes that are too wide"), 1);

    assert_true(find_ban("203.0.113.1", &ban));
    assert_int_equal(ban.jail, TABLE_JAIL_MANUAL);
    assert_int_equal(ban.until_ms, TABLE_FOREVER_MS);
    assert_int_equal(ban.table_id, 5);
    assert_int_equal(ban.id, 1);
    assert_true(find_ban("203.0.113.2", &ban));
    assert_int_equal(ban.jail, mail_jail);
    assert_in_range(ban.until_ms - now, 40000, 50000);
    assert_int_equal(ban.class, OFFENCE_PROBE);
    assert_true(find_ban("2001:db8:1:2::/64", &ban));
    assert_true(table_read_jail(table, ban.jail, &jail));
    assert_string_equal(jail.name, "gone"); /* nobody configures it any more */
    assert_int_equal(jail.classes, 0);
    assert_false(find_ban("203.0.113.4", &ban));
    assert_int_equal(count_rows("id = 4 AND end_reason = 'expired'"), 1);

    start(); /* they stay the rows that they were */
    struct source everybody = source_of("::/0");
    assert_int_equal(table_unban(table, &everybody, 0, now_ms()), 3);
    WAIT_FOR(count_rows("end_reason = 'lifted' AND table_id = '0000000000000005'") == 3);
    assert_int_equal(count_rows("1"), 5);
    assert_int_equal(count_rows("jail = 'gone'"), 1);
}

/* Only where that makes a further ban longer. One that lasts is none of the earlier ones. */
static void
earlier_bans_come_back_where_bans_grow(void **state)
{
    const struct source client = source_of("203.0.113.2"), other = source_of("203.0.113.4");
    struct table_counter counter;
    struct table_failure failure = {
        .client = client, .class = OFFENCE_AUTH_FAILED, .stamp_ms = now_ms()};
    int64_t now = now_ms();
    bool first_run;
    struct jail jail;
    struct ban ban;

    (void)state;
    write_rows();
    assert_true(restore_live_bans(table, ledger_path, now, &report, &first_run) >= 0);
    assert_false(table_read_counter(table, mail_jail, &client, TABLE_SCOPE_FLEET, &counter));
    assert_true(table_read_jail(table, mail_jail, &jail));
    jail.growth = (struct jail_growth){.is_on = true, .factor = 1};
    jail.maxretry = 1;
    assert_int_equal(table_jail(table, &jail), mail_jail);
    assert_true(restore_live_bans(table, ledger_path, now, &report, &first_run) >= 0);
    assert_true(table_read_counter(table, mail_jail, &client, TABLE_SCOPE_FLEET, &counter));
    assert_int_equal(counter.bans, 1);
    assert_int_equal(counter.failures, 0);
    assert_false(
        table_read_counter(table, mail_jail, &other, TABLE_SCOPE_FLEET, &counter)); /* by hand */
    assert_int_equal(table_count(table, mail_jail, &jail, &failure, 1, now), TABLE_PROLONGED);
    assert_true(find_ban("203.0.113.2", &ban));
    assert_in_range(ban.until_ms, now + (jail.bantime_s - 1) * 1000, now + jail.bantime_s * 1000);
    failure.stamp_ms = now = ban.until_ms + 1000;
    table_expire(table, now, &(int64_t){0});
    assert_int_equal(table_count(table, mail_jail, &jail, &failure, 1, now), TABLE_BANNED);
    for (uint32_t slot = 0; slot < MAX_BANS && ban.until_ms <= now; slot++)
        if (!table_read_ban(table, slot, &ban) || source_compare(&ban.source, &client) != 0)
            ban.until_ms = 0;
    assert_in_range(ban.until_ms, now + (2 * jail.bantime_s - 1) * 1000,
                    now + 2 * jail.bantime_s * 1000);
}

static void
nothing_to_restore(void **state)
{
    bool first_run = false;
    (void)state;
    assert_int_equal(restore_live_bans(table, ledger_path, now_ms(), &report, &first_run), 0);
    assert_true(first_run);
    assert_string_equal(said, "");
    assert_int_equal(
        restore_live_bans(table, "/nonexistent/ledger.db", now_ms(), &report, &first_run), -ENOENT);
    assert_int_equal(times_said("cannot be read"), 1);
}

/* ---- commands ---- */

static void
a_command_over_the_socket(void **state)
{
    char answer[COMMAND_SIZE];
    struct recorder_statistics statistics;
    (void)state;
    start();
    assert_int_equal(command_send(socket_path, "{\"command\":\"ban\",\"source\":\"203.0.113.9\"}",
                                  answer, LIMIT_MS),
                     0);
    assert_string_equal(answer, "{\"done\":true,\"bans\":1}\n");
    struct ban ban;
    assert_true(find_ban("203.0.113.9", &ban));
    WAIT_FOR(count_rows("jail = 'manual' AND origin = 'hand' AND class IS NULL") == 1);
    recorder_read_statistics(recorder, &statistics);
    assert_int_equal(statistics.commands, 1);
}

/* Also where the ledger is not open yet, and where it cannot be. */
static void
what_is_forgotten_is_out_of_the_ledger(void **state)
{
    static const char request[] = "{\"command\":\"forget\",\"source\":\"203.0.113.1\"}";
    char answer[COMMAND_SIZE], missing[300];
    (void)state;
    write_one_that_ended();
    start();
    assert_int_equal(count_rows("1"), 1);
    assert_int_equal(command_send(socket_path, request, answer, LIMIT_MS), 0);
    assert_non_null(strstr(answer, "\"done\":true"));
    assert_int_equal(count_rows("1"), 0);
    stop();
    snprintf(missing, sizeof(missing), "%s/missing/ledger.db", directory);
    strcpy(ledger_path, missing);
    start();
    WAIT_FOR(times_said("cannot be written") == 1);
    assert_int_equal(command_send(socket_path, request, answer, LIMIT_MS), 0);
    assert_non_null(strstr(answer, "\"done\":false"));
}

static void
assert_still_serves(void)
{
    char answer[COMMAND_SIZE];
    assert_int_equal(
        command_send(socket_path, "{\"command\":\"unban\",\"source\":\"::/0\"}", answer, LIMIT_MS),
        0);
    assert_non_null(strstr(answer, "\"done\":true"));
}

static int
connect_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {LIMIT_MS / 1000, 0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, socket_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* What comes back until the other end hangs up. */
static void
assert_answer_to(const char *bytes, size_t length, const char *words)
{
    char answer[4 * COMMAND_SIZE] = "";
    int fd = connect_here();
    size_t used = 0;
    ssize_t n;
    if (send(fd, bytes, length, MSG_NOSIGNAL) < 0)
        assert_true(errno == EPIPE || errno == ECONNRESET);
    if (words == NULL)
        shutdown(fd, SHUT_WR);
    while ((n = recv(fd, answer + used, sizeof(answer) - 1 - used, 0)) > 0)
        used += (size_t)n;
    answer[used] = '\0';
    close(fd);
    if (words == NULL)
        assert_int_equal(used, 0);
    else
        assert_non_null(strstr(answer, words));
}

static void
garbage_half_lines_and_endless_lines(void **state)
{
    static const char half[] = "{\"command\":\"ban\",\"source\":\"203.0.113.9\"}";
    static char endless[10000], noise[COMMAND_SIZE];
    struct ban ban;
    (void)state;
    start();
    memset(endless, 'a', sizeof(endless));
    assert_answer_to(endless, sizeof(endless), "too long");
    endless[sizeof(endless) - 1] = '\n';
    assert_answer_to(endless, sizeof(endless), "too long");
    assert_answer_to("\n", 1, "one object");
    assert_answer_to("\0\0\n", 3, "one object");
    assert_answer_to(half, strlen(half), NULL); /* no newline: not carried out */
    assert_false(find_ban("203.0.113.9", &ban));
    assert_answer_to("", 0, NULL);
    srand(1);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (char)rand();
        noise[sizeof(noise) - 1] = '\n';
        assert_answer_to(noise, sizeof(noise), "\"done\":false");
    }
    assert_still_serves();
}

static void *
send_one(void *argument)
{
    char request[128], answer[COMMAND_SIZE];
    snprintf(request, sizeof(request), "{\"command\":\"ban\",\"source\":\"203.0.113.%d\"}",
             (int)(intptr_t)argument);
    int result = command_send(socket_path, request, answer, LIMIT_MS);
    return result == 0 && strstr(answer, "\"bans\":1") != NULL ? argument : NULL;
}

static void
fifty_at_once(void **state)
{
    pthread_t threads[50];
    void *result;
    (void)state;
    start();
    for (intptr_t i = 0; i < 50; i++)
        pthread_create(&threads[i], NULL, send_one, (void *)(i + 1));
    for (intptr_t i = 0; i < 50; i++) {
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, (void *)(i + 1));
    }
    WAIT_FOR(count_rows("1") == 50);
}

static void
silent_clients_are_hung_up_on(void **state)
{
    int fds[20];
    char byte;
    (void)state;
    start();
    for (size_t i = 0; i < 20; i++)
        fds[i] = connect_here();
    usleep(200000); /* time in which nothing is to happen */
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), -1);
    atomic_fetch_add(&put_forward_s, 5);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
    assert_still_serves();
    for (size_t i = 0; i < 20; i++)
        close(fds[i]);
}

/* ---- users, threads, descriptors ---- */

static void
other_users_are_refused(void **state)
{
    int status;
    (void)state;
    if (geteuid() != 0)
        skip();
    start();
    chmod(directory, 0755);
    chmod(socket_path, 0666);
    pid_t child = fork();
    if (child == 0) {
        char answer[COMMAND_SIZE] = "";
        if (setgroups(0, NULL) != 0 || setgid(64001) != 0 || setuid(64001) != 0)
            _exit(2);
        int result = command_send(socket_path, "{\"command\":\"ban\",\"source\":\"203.0.113.9\"}",
                                  answer, LIMIT_MS);
        _exit(result == 0 && strstr(answer, "user id 64001 may not") != NULL ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct ban ban;
    assert_false(find_ban("203.0.113.9", &ban));

    chmod(socket_path, 0660);
    child = fork();
    if (child == 0) {
        char answer[COMMAND_SIZE] = "";
        if (setgroups(0, NULL) != 0 || setgid(64001) != 0 || setuid(64001) != 0)
            _exit(2);
        _exit(command_send(socket_path, "{}", answer, LIMIT_MS) == -EACCES ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_still_serves();
}

static void
the_socket_is_as_asked_for(void **state)
{
    struct stat status;
    (void)state;
    mode_t before = umask(0077);
    start();
    umask(before);
    assert_int_equal(lstat(socket_path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    int second = recorder_listen(socket_path, (uid_t)-1, 64001); /* a stale one is replaced */
    assert_true(second >= 0 || geteuid() != 0);
    if (second >= 0) {
        assert_int_equal(lstat(socket_path, &status), 0);
        assert_int_equal(status.st_gid, 64001);
        close(second);
    }
    unlink(socket_path);
    assert_int_equal(close(open(socket_path, O_CREAT, 0600)), 0);
    assert_int_equal(recorder_listen(socket_path, (uid_t)-1, (gid_t)-1), -EADDRINUSE);
}

/* Asks as that user with that group and that one further group. Returns whether it was served. */
static bool
is_served(uid_t user, gid_t group, gid_t further)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        char answer[COMMAND_SIZE] = "";
        if (setgroups(1, &further) != 0 || setgid(group) != 0 || setuid(user) != 0)
            _exit(2);
        int result = command_send(socket_path, "{\"command\":\"ban\",\"source\":\"203.0.113.9\"}",
                                  answer, LIMIT_MS);
        _exit(result != 0 ? 3 : strstr(answer, "\"done\":true") != NULL ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

static void
members_of_the_command_group_are_served(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    start_with((struct recorder_options){.command_group = 64002});
    chmod(directory, 0755);
    chmod(socket_path, 0666);
    assert_true(is_served(64001, 64002, 64003));
    assert_true(is_served(64001, 64003, 64002));
    assert_false(is_served(64001, 64003, 64004));
    stop();
    start_with((struct recorder_options){.command_group = (gid_t)-1});
    chmod(socket_path, 0666);
    assert_false(is_served(64001, 64002, 64002));
}

static void
what_is_no_path_of_a_socket(void **state)
{
    char path[300];
    (void)state;
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(recorder_listen(path, (uid_t)-1, (gid_t)-1), -ENAMETOOLONG);
    snprintf(path, sizeof(path), "%s/missing/command.sock", directory);
    assert_int_equal(recorder_listen(path, (uid_t)-1, (gid_t)-1), -ENOENT);
}

/* The line of the recorder's /proc status that begins with `name`, read as a hexadecimal number. */
static unsigned long long
status_of_the_recorder(const char *name)
{
    unsigned long long value = 0;
    bool found = false;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; !found && (task = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
            if (strcmp(line, "Name:\tbanmail-record\n") == 0)
                found = true;
            if (found && strncmp(line, name, strlen(name)) == 0)
                sscanf(line + strlen(name), "%llx", &value);
        }
        if (file != NULL)
            fclose(file);
    }
    closedir(tasks);
    return found ? value : ~0ULL;
}

static void
its_thread_has_no_signals_and_no_capabilities(void **state)
{
    int status;
    (void)state;
    start();
    WAIT_FOR(status_of_the_recorder("SigBlk:") != ~0ULL);
    /* all but SIGKILL, SIGSTOP and the two that libc keeps for itself */
    assert_int_equal(status_of_the_recorder("SigBlk:") | 0x180040100ULL, 0xffffffffffffffffULL);
    stop();
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(directory, 64001, 64001), 0);
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) != 0 || setgid(64001) != 0 || setuid(64001) != 0)
            _exit(2);
        start();
        WAIT_FOR(status_of_the_recorder("CapPrm:") != ~0ULL);
        _exit(status_of_the_recorder("CapPrm:") == 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
no_descriptor_outlives_exec_or_the_recorder(void **state)
{
    bool inherited[64];
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    close(first);
    for (int fd = 0; fd < 64; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) >= 0;
    start();
    ban(1);
    WAIT_FOR(count_rows("1") == 1);
    int silent = connect_here();
    for (int fd = 0; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (!inherited[fd] && flags >= 0 && (flags & FD_CLOEXEC) == 0)
            fail_msg("descriptor %d would outlive exec", fd);
    }
    close(silent);
    stop();
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(after);
    assert_int_equal(after, first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bans_and_their_ends_are_written),
        TEST(each_wake_is_heard),
        TEST(the_end_writes_a_backlog),
        TEST(a_pass_without_the_thread),
        TEST(a_missing_directory_is_said_once),
        TEST(a_lock_of_somebody_else_is_waited_out),
        TEST(a_removed_ledger_is_begun_anew_whole),
        TEST(a_damaged_ledger_is_begun_anew_whole),
        TEST(a_disk_that_hangs_holds_up_nothing),
        TEST(a_trouble_and_its_end_are_history),
        TEST(what_is_too_old_is_deleted),
        cmocka_unit_test_setup_teardown(events_wait_in_the_ledger, set_up_told, tear_down),
        cmocka_unit_test_setup_teardown(events_that_the_ledger_refuses_stay, set_up_told,
                                        tear_down),
        TEST(bans_come_back_into_a_new_table),
        TEST(earlier_bans_come_back_where_bans_grow),
        TEST(nothing_to_restore),
        TEST(a_command_over_the_socket),
        TEST(what_is_forgotten_is_out_of_the_ledger),
        TEST(garbage_half_lines_and_endless_lines),
        TEST(fifty_at_once),
        TEST(silent_clients_are_hung_up_on),
        TEST(other_users_are_refused),
        TEST(members_of_the_command_group_are_served),
        TEST(what_is_no_path_of_a_socket),
        TEST(the_socket_is_as_asked_for),
        TEST(its_thread_has_no_signals_and_no_capabilities),
        TEST(no_descriptor_outlives_exec_or_the_recorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
