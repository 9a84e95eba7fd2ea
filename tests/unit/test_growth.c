/* test_growth: a log file that grows by lines of a mail server, none of which comes, is told of.
 *
 * Fails when it is told while lines come, of a file that grows by other programs' lines or is
 * there already at the first look, not of one that was rotated or truncated, or still when lines
 * come again.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_there_is_nothing_new, begin),
        cmocka_unit_test_setup(a_file_that_grows_is_told, begin),
        cmocka_unit_test_setup(while_lines_come_nothing_is_told, begin),
        cmocka_unit_test_setup(other_lines_are_none, begin),
        cmocka_unit_test_setup(a_file_that_begins_anew_is_told, begin),
    };
    close(mkstemp(path));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
