/* test_users: who is nobody, by a file of names.
 *
 * Fails when a name that is in the file, in another spelling or by its domain, is taken for
 * nobody's; when one that is not is known; or when a list that is not to be trusted is used.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
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

#include "rules/users.h"

#define NOW_S INT64_C(1795262400)
#define DAY_S INT64_C(86400)

static char path[64];
static struct users *users;
static char reason[USERS_REASON_SIZE];
static bool changed;

static int
setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/ombanmail-users-XXXXXX");
    close(mkstemp(path));
    users = NULL;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    users_free(users);
    unlink(path);
    return 0;
}

/* As if at that time. */
static void
write_file(const char *text, size_t length, int64_t at_s)
{
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    FILE *const file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
write_text(const char *text)
{
    write_file(text, strlen(text), NOW_S);
}

static int
read_again(int64_t now_s)
{
    return users_read(users, false, now_s, NULL, &changed, reason);
}

static bool
is_unknown(const char *name)
{
    return users_is_unknown(users, name, strlen(name));
}

static void
a_name_has_many_spellings(void **state)
{
    static const char *const known[] = {"anna@example.org",
                                        "Anna@Example.ORG",
                                        "anna+shop@example.org",
                                        "bob@example.com",
                                        "bob",
                                        "BOB",
                                        "bob+x",
                                        "anyone@example.net",
                                        "any+one@EXAMPLE.net",
                                        "+odd@example.org",
                                        "gast@example.com",
                                        "x*master@example.org",
                                        "",
                                        "carl@example.org"};
    static const char *const unknown[] = {"anna",
                                          "ann@example.org",
                                          "anna@example.com",
                                          "bob@example.org",
                                          "x@example.net.org",
                                          "example.net",
                                          "@example.org",
                                          "a@b@example.org",
                                          "odd@example.org"};

    (void)state;
    users = users_new(path, "example.com", 7 * DAY_S);
    assert_non_null(users);
    assert_false(is_unknown("anna@example.org")); /* nothing is known yet */
    write_text("# who there is\n\n  ANNA@example.org \nbob\n@example.net\n+odd@example.org\n"
               "Gast@example.com\r\ncarl@example.org");
    assert_int_equal(read_again(NOW_S), 0);
    assert_true(changed);
    assert_string_equal(reason, "");
    assert_int_equal(users_count(users), 6);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_unknown(known[i]))
            fail_msg("%s is unknown", known[i]);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (!is_unknown(unknown[i]))
            fail_msg("%s is known", unknown[i]);
}

/* Dovecot's login processes cut names at 80 bytes. */
static void
a_name_that_may_be_cut_is_not_judged(void **state)
{
    char name[81];

    (void)state;
    memset(name, 'a', sizeof name);
    users = users_new(path, "", DAY_S);
    write_text("anna\n");
    assert_int_equal(read_again(NOW_S), 0);
    assert_false(users_is_unknown(users, name, 80));
    assert_true(users_is_unknown(users, name, 79));
    assert_false(is_unknown("anna"));
}

static void
assert_refused(int error, const char *why)
{
    assert_int_equal(read_again(NOW_S), error);
    assert_true(changed);
    assert_non_null(strstr(reason, why));
    assert_false(is_unknown("nobody@example.org"));
    assert_int_equal(read_again(NOW_S), error); /* still said, but it is nothing new */
    assert_false(changed);
}

static void
what_is_not_to_be_trusted_is_not_used(void **state)
{
    static const char good[] = "a@x\nb@x\nc@x\nd@x\ne@x\nf@x\n";

    (void)state;
    users = users_new(path, "", 7 * DAY_S);
    write_text("");
    assert_refused(-ENODATA, "empty");
    write_text("# nobody\n");
    assert_int_equal(read_again(NOW_S), -ENODATA);
    write_text(good);
    assert_int_equal(read_again(NOW_S), 0);
    assert_true(changed);
    assert_true(is_unknown("nobody@example.org"));
    write_text("a@x\nb@x\n");
    assert_refused(-ENODATA, "less than half");
    write_text("a@x\nb@x\nc@x\n");
    assert_int_equal(read_again(NOW_S), 0);
    write_file("a@x\nb\0@x\nc@x\nd@x\n", 16, NOW_S);
    assert_refused(-EINVAL, "no text");
    write_file(good, sizeof good - 1, NOW_S - 8 * DAY_S);
    assert_refused(-ESTALE, "too old");
    unlink(path);
    assert_refused(-ENOENT, "No such file");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(read_again(NOW_S), -EINVAL);
    assert_int_equal(rmdir(path), 0);
    write_text(good);
    assert_int_equal(read_again(NOW_S), 0);
    assert_int_equal(read_again(NOW_S + 6 * DAY_S), 0);
    assert_false(changed);
    assert_int_equal(read_again(NOW_S + 8 * DAY_S), -ESTALE); /* time goes by */
    assert_true(changed);
}

static void
many_names(void **state)
{
    char *const text = malloc(100000 * 24), *at = text, name[32];

    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        at += sprintf(at, "user%u@example.org\n", i);
    write_file(text, (size_t)(at - text), NOW_S);
    free(text);
    users = users_new(path, "", DAY_S);
    assert_int_equal(read_again(NOW_S), 0);
    assert_int_equal(users_count(users), 100000);
    for (unsigned i = 0; i < 200000; i++) {
        sprintf(name, "user%u@example.org", i);
        assert_int_equal(is_unknown(name), i >= 100000);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_many_spellings),
        TEST(a_name_that_may_be_cut_is_not_judged),
        TEST(what_is_not_to_be_trusted_is_not_used),
        TEST(many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
