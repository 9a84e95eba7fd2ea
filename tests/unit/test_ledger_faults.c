/* test_ledger_faults: whatever SQLite refuses has its own errno, and half a write is none; a row
 * that makes no sense is left out, and those beside it are read.
 *
 * Proves: each call to SQLite, and each for memory, is refused in turn, at opening, writing,
 * reading, pruning and forgetting: the answer is the errno that ledger.h names, the ledger can be
 * used again at once, or after it was opened again, and has all of a transaction or nothing of it;
 * of rows with a foreign value in one of their columns each of the readers leaves out just those
 * that it reads this value of.
 * Fails when an error is passed over, when a transaction stays open, or when a value out of its
 * bounds comes through.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <sqlite3.h>

#include "faults.h"
#include "ledger/ledger.h"

#define NOW_MS INT64_C(1795248545000)

/* ---- SQLite's functions, which refuse with this code ---- */

static int refusal = SQLITE_IOERR;

#define SQLITE_STAND_IN(name, parameters, arguments)                                               \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*real) parameters;                                                              \
                                                                                                   \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        return fault_is_due(FAULT_OWN) ? refusal : real arguments;                                 \
    }

SQLITE_STAND_IN(sqlite3_prepare_v2,
                (sqlite3 * sqlite, const char *sql, int length, sqlite3_stmt **statement,
                 const char **tail),
                (sqlite, sql, length, statement, tail))
SQLITE_STAND_IN(sqlite3_step, (sqlite3_stmt * statement), (statement))
SQLITE_STAND_IN(sqlite3_bind_int64, (sqlite3_stmt * statement, int at, sqlite3_int64 number),
                (statement, at, number))

/* What it calls of the above itself is not refused: that would be half a refusal. */
int
sqlite3_exec(sqlite3 *sqlite, const char *sql, int (*each)(void *, int, char **, char **),
             void *context, char **error)
{
    static int (*real)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
                       char **);
    bool was_armed;
    int code;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_exec");
    if (fault_is_due(FAULT_OWN))
        return refusal;
    was_armed = fault.is_armed;
    if (fault.kind == FAULT_OWN)
        fault.is_armed = false;
    code = real(sqlite, sql, each, context, error);
    if (fault.kind == FAULT_OWN)
        fault.is_armed = was_armed;
    return code;
}

/* ---- a ledger with a ban and a line of it ---- */

static char directory[64], path[96];
static unsigned said;
static struct ledger *ledger;

static void
record(void *context, int severity, const char *text)
{
    (void)context;
    (void)severity;
    (void)text;
    said++;
}

static const struct report report = {.say = record};

static const struct jail *
jail_of(void *context, unsigned jail)
{
    static const struct jail mail = {.name = "mail", .classes = 1, .maxretry = 5, .findtime_s = 9};

    (void)context;
    (void)jail;
    return &mail;
}

static struct ban
some_ban(uint64_t id)
{
    return (struct ban){
        .table_id = 7,
        .id = id,
        .source = source_of("192.0.2.1"),
        .jail = 1,
        .failures = 5,
        .origin = BAN_BY_JAIL,
        .class = OFFENCE_AUTH_FAILED,
        .first_ms = NOW_MS - 60000,
        .since_ms = NOW_MS,
        .until_ms = NOW_MS + 3600000,
    };
}

static struct ledger_line
some_line(uint64_t id)
{
    struct ledger_line line = {.table_id = 7, .id = id};

    line.evidence.stamp_ms = NOW_MS;
    line.evidence.client = source_of("192.0.2.1");
    line.evidence.class = OFFENCE_AUTH_FAILED;
    line.evidence.attempts = 1;
    strcpy(line.evidence.user, "anna@example.org");
    strcpy(line.evidence.line, "a line");
    return line;
}

static int
write_some(uint64_t id)
{
    const struct ban ban = some_ban(id);
    const struct ledger_line line = some_line(id);

    return ledger_write(ledger, &ban, 1, jail_of, NULL, &line, 1);
}

static void
open_it(void)
{
    assert_int_equal(ledger_open(path, false, &report, &ledger, NULL), 0);
}

static bool
count_row(void *context, const struct ledger_row *row)
{
    (void)context;
    (void)row;
    return true;
}

static bool
count_line(void *context, const struct evidence *evidence)
{
    (void)context;
    (void)evidence;
    return true;
}

static bool
count_user(void *context, const struct ledger_user *user)
{
    (void)context;
    (void)user;
    return true;
}

static bool
count_banned(void *context, const struct ledger_banned *banned)
{
    (void)context;
    (void)banned;
    return true;
}

static bool
count_name(void *context, const char *user)
{
    (void)context;
    (void)user;
    return true;
}

static int
live(void)
{
    return ledger_live(ledger, NOW_MS, count_row, NULL);
}

static int
history(void)
{
    const struct ledger_query all = {.to_ms = INT64_MAX, .most = 100};

    return ledger_history(ledger, &all, count_row, NULL);
}

static int
banned(void)
{
    return ledger_banned(ledger, 100, count_banned, NULL);
}

static int
lines(void)
{
    const struct ban ban = some_ban(1);

    return ledger_lines(ledger, &ban, NULL, 100, count_line, NULL);
}

static int
lines_of_user(void)
{
    return ledger_lines(ledger, NULL, "anna@example.org", 100, count_line, NULL);
}

static int
users(void)
{
    return ledger_users(ledger, 0, 100, count_user, NULL);
}

static int
mailboxes(void)
{
    return ledger_mailboxes(ledger, "anna", count_name, NULL);
}

/* ---- refusals ---- */

static struct notice notice = {.time_ms = NOW_MS, .severity = 5, .text = "t", .fields = "{}"};
static unsigned dropped;

static int
keep_notice(void)
{
    return ledger_keep_notices(ledger, &notice, 1, 2, &dropped);
}

static int
read_notices(void)
{
    struct notice read[4];

    return ledger_read_notices(ledger, 0, read, 4);
}

static int
delete_notices(void)
{
    return ledger_delete_notices(ledger, 0);
}

static int
note_trouble(void)
{
    return ledger_trouble(ledger, "refused", NOW_MS);
}

static int
write_another(void)
{
    return write_some(2);
}

static int
expire(void)
{
    return ledger_expire(ledger, NOW_MS);
}

static int
prune(void)
{
    return ledger_prune(ledger, NOW_MS, 1);
}

static int
forget(void)
{
    const struct source source = source_of("198.51.100.0/24");

    return ledger_forget(ledger, &source, "nobody@example.org");
}

static int
open_as_reader(void)
{
    struct ledger *reader = NULL;
    const int result = ledger_open(path, true, &report, &reader, NULL);

    ledger_close(reader);
    return result;
}

static int
open_as_writer(void)
{
    struct ledger *writer = NULL;
    const int result = ledger_open(path, false, &report, &writer, NULL);

    ledger_close(writer);
    return result;
}

static int
open_new(void)
{
    const char *const keep = path;
    char other[112];
    struct ledger *made = NULL;
    int result;

    snprintf(other, sizeof(other), "%s.other", keep);
    result = ledger_open(other, false, &report, &made, NULL);
    ledger_close(made);
    remove_ledger(other);
    return result;
}

static int (*const calls[])(void) = {
    write_another, keep_notice, delete_notices, note_trouble,   expire,         prune,
    forget,        live,        history,        banned,         lines,          lines_of_user,
    users,         mailboxes,   read_notices,   open_as_reader, open_as_writer, open_new,
};

/* The n-th call to SQLite is refused; what it returns, or 1 where there is no such. */
static int
refused_at(int (*call)(void), unsigned n)
{
    int result;

    fault.kind = FAULT_OWN;
    fault.left = n;
    fault.happened = false;
    fault.is_armed = true;
    result = call();
    fault.is_armed = false;
    return fault.happened ? result : 1;
}

/* Pruning and forgetting leave to the next time what only gives room back. */
static void
a_refusal_has_its_errno_and_half_a_write_is_none(void **state)
{
    static const struct {
        int code, error;
    } refusals[] = {{SQLITE_IOERR, -EIO},      {SQLITE_FULL, -ENOSPC},    {SQLITE_BUSY, -EBUSY},
                    {SQLITE_LOCKED, -EBUSY},   {SQLITE_READONLY, -EROFS}, {SQLITE_PERM, -EACCES},
                    {SQLITE_AUTH, -EACCES},    {SQLITE_NOMEM, -ENOMEM},   {SQLITE_INTERRUPT, -EIO},
                    {SQLITE_IOERR_WRITE, -EIO}};

    (void)state;
    open_it();
    assert_int_equal(write_some(1), 0);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++) {
            unsigned errors = 0;

            refusal = refusals[i].code;
            /* the first code at each call, the others at the first two */
            for (unsigned n = 0; i == 0 || n < 2; n++) {
                const int before = live(), result = refused_at(calls[j], n);

                if (!fault.happened)
                    break;
                if (result < 0 && result != refusals[i].error)
                    fail_msg("call %zu, code %d at %u: %d", j, refusals[i].code, n, result);
                errors += result < 0;
                if (result < 0 && live() != before)
                    fail_msg("call %zu, code %d at %u: half done", j, refusals[i].code, n);
                assert_int_equal(write_some(1), 0); /* no transaction stays open */
            }
            assert_true(errors > 0 || i > 0);
        }
    ledger_close(ledger);
}

static void
what_is_corrupt_is_moved_aside_by_a_writer_and_left_by_a_reader(void **state)
{
    struct ledger *reader;

    (void)state;
    refusal = SQLITE_CORRUPT;
    for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++) {
        open_it();
        assert_int_equal(write_some(1), 0);
        if (calls[j] == open_as_reader || calls[j] == open_as_writer || calls[j] == open_new) {
            ledger_close(ledger);
            continue;
        }
        said = 0;
        if (refused_at(calls[j], 0) == -EPROTO) {

            assert_int_equal(said, 1);
            for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
                if (calls[i] != open_as_reader && calls[i] != open_as_writer &&
                    calls[i] != open_new)
                    assert_int_equal(calls[i](), -EPROTO); /* until it is opened again */
        }
        ledger_close(ledger);
    }
    open_it();
    ledger_close(ledger);
    assert_int_equal(ledger_open(path, true, &report, &reader, NULL), 0);
    ledger = reader;
    said = 0;
    assert_int_equal(refused_at(live, 0), -EPROTO);
    assert_int_equal(said, 0);
    assert_true(live() >= 0);
    ledger_close(ledger);
}

static void
memory_that_is_out_is_an_error_and_costs_no_row(void **state)
{
    (void)state;
    if (!FAULT_HAS_MEMORY)
        return;
    open_it();
    assert_int_equal(write_some(1), 0);
    for (size_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++)
        for (unsigned n = 0;; n += 1 + n / 16) { /* each of the first, some of the rest */
            int result;

            fault.kind = FAULT_MEMORY;
            fault.left = n;
            fault.happened = false;
            fault.is_armed = true;
            result = calls[j]();
            fault.is_armed = false;
            if (!fault.happened)
                break;
            if (result < 0 && result != -ENOMEM && result != -EIO && result != -EACCES)
                fail_msg("call %zu at %u: %d", j, n, result);
            assert_true(live() >= 1);
        }
    ledger_close(ledger);
}

static void
a_file_that_cannot_be_made_is_an_error_and_leaves_nothing_open(void **state)
{
    (void)state;
    assert_true(fault_sweep(FAULT_SYSTEM, open_new, NULL) >= 2);
}

/* ---- rows that make no sense ---- */

static void
set(const char *what)
{
    char sql[256];
    sqlite3 *sqlite;

    snprintf(sql, sizeof(sql), "UPDATE ban SET %s WHERE id = 1", what);
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
}

static void
a_ban_with_a_foreign_value_is_left_out_and_the_next_is_read(void **state)
{
    static const struct {
        const char *set;
        int live, history, banned; /* that are read of two */
    } cases[] = {
        {"id = 1", 2, 2, 2},
        {"table_id = 'x'", 1, 1, 2},
        {"table_id = '00000000000000070'", 1, 1, 2},
        {"table_id = '000000000000000G'", 1, 1, 2},
        {"source = ''", 1, 1, 1},
        {"source = '127.0.0.1'", 1, 1, 1},
        {"source = x'00'", 1, 1, 1},
        {"jail = ''", 1, 1, 1},
        {"jail = 'a-name-that-is-longer-than-any-jail-has-ever-had-and-may-have-at-all-01234'", 1,
         1, 1},
        {"scope = -1", 1, 1, 1},
        {"scope = 65535", 2, 2, 2},
        {"scope = 65536", 1, 1, 1},
        {"scope = 'x'", 1, 1, 1},
        {"failures = -1", 1, 1, 2},
        {"failures = 65535", 2, 2, 2},
        {"failures = 65536", 1, 1, 2},
        {"origin = 'nowhere'", 1, 1, 1},
        {"class = NULL", 1, 1, 2},
        {"class = 'no_class'", 1, 1, 2},
        {"first_ms = -1", 1, 1, 2},
        {"first_ms = 0", 2, 2, 2},
        {"since_ms = 'x'", 1, 1, 2},
        {"until_ms = 'x'", 1, 1, 2},
        {"until_ms = NULL", 2, 2, 2},
        {"banned_by = -1", 2, 2, 2},
        {"banned_by = 4294967294", 2, 2, 2},
        {"ended_ms = 'x', end_reason = 'expired'", 1, 2, 2},
        {"ended_ms = 1, end_reason = NULL", 1, 2, 2},
        {"ended_ms = 1, end_reason = 'withdrawn'", 1, 2, 1},
        {"threshold = 0", 2, 2, 2},
        {"findtime_s = 0", 2, 2, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ban other = some_ban(2);

        remove_ledger(path);
        open_it();
        other.source = source_of("192.0.2.2");
        assert_int_equal(write_some(1), 0);
        assert_int_equal(ledger_write(ledger, &other, 1, jail_of, NULL, NULL, 0), 0);
        set(cases[i].set);
        said = 0;
        if (live() != cases[i].live || history() != cases[i].history || banned() != cases[i].banned)
            fail_msg("%s: %d, %d, %d", cases[i].set, live(), history(), banned());
        ledger_close(ledger);
    }
}

static void
set_lines(const char *text)
{
    sqlite3 *sqlite;
    sqlite3_stmt *statement;

    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(sqlite, "UPDATE evidence SET lines = ? WHERE id = 1", -1,
                                        &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
    sqlite3_finalize(statement);
    sqlite3_close(sqlite);
}

#define WHO    "\t0\t192.0.2.1\tauth_failed\t"
#define ANNA   "\tmx1\timap\tanna@example.org\ta line"
#define SIXTY  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define A_LINE "1795248545000" WHO "1" ANNA

static void
a_line_with_a_foreign_value_is_left_out_and_the_next_is_read(void **state)
{
    static const struct {
        const char *text;
        int lines, users; /* lines of one, users of two */
    } cases[] = {
        {A_LINE, 1, 2},
        {"-1" WHO "1" ANNA, 0, 1},
        {"1\t0\t\tauth_failed\t1" ANNA, 0, 2},
        {"1795248545000\t0\t192.0.2.1\tno_class\t1" ANNA, 0, 2},
        {"1795248545000" WHO "-1" ANNA, 0, 1},
        {"1795248545000" WHO "255" ANNA, 1, 2},
        {"1795248545000" WHO "256" ANNA, 0, 2},
        {"1795248545000" WHO "1\t\t\t\t", 1, 1},
        {"1795248545000" WHO "1\t\t\t" SIXTY SIXTY "\tx", 1, 1},
        {"1795248545000" WHO "1", 1, 1}, /* fields that are not there are empty */
        {"1795248545000", 0, 1},
        {"", 0, 1},
        {"\n\t\n", 0, 1},
        {"\"],[\"\\", 0, 1},
        {A_LINE "\"]],[[\"\\", 1, 2},
        {A_LINE "\xff\xc0", 1, 2},
        {A_LINE "\n\n" A_LINE, 2, 2},
        {A_LINE "\x01", 0, 1}, /* what is no text at all */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ledger_line other = some_line(2);
        struct ban ban = some_ban(2);

        remove_ledger(path);
        open_it();
        strcpy(other.evidence.user, "bob");
        assert_int_equal(write_some(1), 0);
        assert_int_equal(ledger_write(ledger, &ban, 1, jail_of, NULL, &other, 1), 0);
        set_lines(cases[i].text);
        if (lines() != cases[i].lines || users() != cases[i].users)
            fail_msg("%s: %d, %d", cases[i].text, lines(), users());
        /* Whatever it is, it can be written over and forgotten. */
        assert_int_equal(write_some(1), 0);
        assert_true(ledger_forget(ledger, NULL, "anna@example.org") >= 0);
        assert_int_equal(users(), 1);
        ledger_close(ledger);
    }
}

/* ---- */

static bool
stop_at_row(void *context, const struct ledger_row *row)
{
    (void)context;
    (void)row;
    return false;
}

static void
who_has_enough_is_asked_no_more_and_who_wants_none_gets_none(void **state)
{
    struct ledger_query query = {.to_ms = INT64_MAX, .most = 1};
    char long_path[5000];

    (void)state;
    open_it();
    assert_int_equal(write_some(1), 0);
    assert_int_equal(write_some(2), 0);
    assert_int_equal(ledger_live(ledger, NOW_MS, stop_at_row, NULL), 1);
    assert_int_equal(live(), 2);
    assert_int_equal(ledger_history(ledger, &query, count_row, NULL), 1);
    query.most = 0;
    assert_int_equal(ledger_history(ledger, &query, count_row, NULL), 0);
    ledger_close(ledger);
    memset(long_path, 'a', sizeof(long_path));
    long_path[4096] = '\0';
    assert_int_equal(ledger_open(long_path, true, &report, &ledger, NULL), -ENAMETOOLONG);
}

static void
each_errno_has_its_words(void **state)
{
    static const int errors[] = {-EBUSY,  -ENOSPC, -EROFS,  -EPROTO, -EPROTONOSUPPORT,
                                 -EMLINK, -ELOOP,  -ESTALE, -EIO};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ledger_error(errors[i]), ledger_error(errors[j]));
    assert_string_equal(ledger_error(-EIO), strerror(EIO));
}

static int
begin(void **state)
{
    (void)state;
    fault.is_armed = false;
    snprintf(directory, sizeof(directory), "%s/ombanmail-test-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/ledger.db", directory);
    return 0;
}

static int
end(void **state)
{
    char damaged[112];

    (void)state;
    remove_ledger(path);
    snprintf(damaged, sizeof(damaged), "%s.damaged", path);
    remove_ledger(damaged);
    return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_has_its_errno_and_half_a_write_is_none),
        TEST(what_is_corrupt_is_moved_aside_by_a_writer_and_left_by_a_reader),
        TEST(memory_that_is_out_is_an_error_and_costs_no_row),
        TEST(a_file_that_cannot_be_made_is_an_error_and_leaves_nothing_open),
        TEST(a_ban_with_a_foreign_value_is_left_out_and_the_next_is_read),
        TEST(a_line_with_a_foreign_value_is_left_out_and_the_next_is_read),
        TEST(who_has_enough_is_asked_no_more_and_who_wants_none_gets_none),
        TEST(each_errno_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
