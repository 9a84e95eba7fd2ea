/* test_growth: a log file that grows by lines of a mail server, none of which comes, is told of.
 *
 * Fails when it is told while lines come, of a file that grows by other programs' lines or is
 * there already at the first look, not of one that was rotated or truncated, still when lines
 * come again, or when more is read than the end of a file, and more often than it is time to.
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
#include <unistd.h>

#include <cmocka.h>

#include "control/growth.h"

#define LINE "Nov 21 08:09:05 mx1 postfix/smtpd[7]: connect from unknown[203.0.113.9]\n"

static char path[] = "/tmp/test_growth.XXXXXX";
static const char *const paths[] = {path, "/nonexistent/mail.log", NULL};
static struct growth growth;
static int64_t now_ms;

static void
append(const char *text)
{
    FILE *const file = fopen(path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* After a look's time, with the latest line so long ago. */
static const char *
look_later(int64_t ago_ms)
{
    now_ms += GROWTH_LOOK_MS;
    return growth_look(&growth, now_ms - ago_ms, now_ms);
}

static int
begin(void **state)
{
    FILE *const file = fopen(path, "w");
    (void)state;
    fputs(LINE, file);
    fclose(file);
    now_ms = INT64_C(1795248545000);
    growth_begin(&growth, paths);
    assert_null(growth_look(&growth, 0, now_ms));
    return 0;
}

static void
what_was_there_is_nothing_new(void **state)
{
    (void)state;
    assert_null(look_later(3600000));
    assert_null(look_later(3600000));
}

static void
a_file_that_grows_is_told(void **state)
{
    (void)state;
    append(LINE);
    assert_null(look_later(3600000)); /* it may be on its way */
    assert_string_equal(look_later(3600000), path);
    append(LINE); /* and goes on to */
    assert_string_equal(look_later(3600000), path);
    assert_null(look_later(1000));
    assert_null(look_later(3600000)); /* it has not grown since */
}

static void
while_lines_come_nothing_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        append(LINE);
        assert_null(look_later(5000));
    }
}

static void
other_lines_are_none(void **state)
{
    (void)state;
    append("Nov 21 08:09:05 mx1 opendkim[7]: DKIM verification successful\n");
    assert_null(look_later(3600000));
    assert_null(look_later(3600000));
}

static void
a_file_that_begins_anew_is_told(void **state)
{
    (void)state;
    assert_int_equal(truncate(path, 0), 0);
    append("Nov 21 dovecot:\n");
    look_later(3600000);
    assert_string_equal(look_later(3600000), path);
}

/* Between two looks the file is not read, however often there is somebody who asks. */
static void
a_look_too_early_reads_nothing(void **state)
{
    (void)state;
    append(LINE);
    assert_null(growth_look(&growth, 0, now_ms + GROWTH_LOOK_MS - 1));
    now_ms += 5000;
    assert_null(look_later(now_ms)); /* this one sees it: grown, and not long enough ago */
    assert_string_equal(growth_look(&growth, 0, now_ms + 5000), path);
}

/* The clock is set back: it does not wait until it is as late again. */
static void
a_clock_that_is_set_back_stops_no_look(void **state)
{
    (void)state;
    now_ms -= 3600000;
    append(LINE);
    assert_null(growth_look(&growth, 0, now_ms));
    assert_string_equal(look_later(now_ms), path);
}

/* As logrotate does it: renamed, and a new one in its place, which may be larger already. */
static void
a_file_in_its_place_is_read_from_its_beginning(void **state)
{
    char former[sizeof(path) + 2];
    FILE *file;

    (void)state;
    snprintf(former, sizeof(former), "%s.1", path);
    assert_int_equal(rename(path, former), 0);
    assert_null(look_later(now_ms));
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(LINE "Nov 21 08:09:06 mx1 opendkim[7]: DKIM verification successful\n", file);
    fclose(file);
    assert_null(look_later(now_ms));
    assert_string_equal(look_later(now_ms), path);
    unlink(former);
}

/* Of what has come since, only the end is read: a flood must not cost the recorder its time. */
static void
of_a_flood_the_end_is_read(void **state)
{
    static char other[80000];

    (void)state;
    memset(other, '.', sizeof(other) - 1);
    append(LINE);
    append(other);
    look_later(now_ms);
    assert_null(look_later(now_ms));
    append(other);
    append("Nov 21 08:09:06 mx1 imap-login: Disconnected (auth failed)\n");
    look_later(now_ms);
    assert_string_equal(look_later(now_ms), path);
}

/* As some have for a program that reads along: whoever opens it must not wait for a writer. */
static void
a_pipe_is_passed_over_at_once(void **state)
{
    char pipe_path[sizeof(path) + 5];
    const char *const pipes[] = {pipe_path, NULL};

    (void)state;
    snprintf(pipe_path, sizeof(pipe_path), "%s.pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    alarm(20);
    growth_begin(&growth, pipes);
    assert_null(growth_look(&growth, 0, now_ms));
    assert_null(look_later(now_ms));
    alarm(0);
    unlink(pipe_path);
}

static void
so_many_files_are_looked_at_and_no_more(void **state)
{
    const char *many[GROWTH_FILES + 2] = {NULL};

    (void)state;
    for (unsigned i = 0; i < GROWTH_FILES; i++)
        many[i] = "/nonexistent/mail.log";
    many[GROWTH_FILES] = path;
    growth_begin(&growth, many);
    look_later(now_ms);
    append(LINE);
    look_later(now_ms);
    assert_null(look_later(now_ms));
    growth_begin(&growth, many + 1);
    look_later(now_ms);
    append(LINE);
    look_later(now_ms);
    assert_string_equal(look_later(now_ms), path);
    growth_begin(&growth, NULL); /* the usual ones */
    assert_true(growth.count >= 6);
    assert_string_equal(growth.files[0].path, "/var/log/mail.log");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_there_is_nothing_new, begin),
        cmocka_unit_test_setup(a_file_that_grows_is_told, begin),
        cmocka_unit_test_setup(while_lines_come_nothing_is_told, begin),
        cmocka_unit_test_setup(other_lines_are_none, begin),
        cmocka_unit_test_setup(a_file_that_begins_anew_is_told, begin),
        cmocka_unit_test_setup(a_look_too_early_reads_nothing, begin),
        cmocka_unit_test_setup(a_clock_that_is_set_back_stops_no_look, begin),
        cmocka_unit_test_setup(a_file_in_its_place_is_read_from_its_beginning, begin),
        cmocka_unit_test_setup(of_a_flood_the_end_is_read, begin),
        cmocka_unit_test_setup(a_pipe_is_passed_over_at_once, begin),
        cmocka_unit_test_setup(so_many_files_are_looked_at_and_no_more, begin),
    };
    close(mkstemp(path));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
