/* test_allow_list: the file of who is never banned is read as it is meant, read again, and what is
 * wrong in it is named and takes nobody off the list.
 *
 * Fails when a wrong line is taken or its number is wrong, when a file that cannot be read empties
 * the list or its copy, when own addresses are not read again, or when a worker finds a list that
 * is half old and half new, or freed (TSan and ASan look, too).
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "rules/allow-added.h"
#include "rules/allow-list.h"

static char path[] = "/tmp/test_allow_list.XXXXXX";

static void
write_bytes(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void
write_file(const char *text)
{
    write_bytes(text, strlen(text));
}

static bool
holds(const struct allow_list *list, const char *text)
{
    struct source source;

    assert_int_equal(source_parse_prefix(text, strlen(text), &source), 0);
    return allow_match(allow_list_now(list), &source, NULL);
}

static char reason[ALLOW_LIST_REASON_SIZE];

static int
read_again(struct allow_list *list, bool *changed)
{
    reason[0] = '\0';
    return allow_list_read(list, NULL, changed, reason);
}

static struct allow_list *
list_of_file(const char *text)
{
    struct allow_list *list = allow_list_new();
    bool changed;

    assert_non_null(list);
    write_file(text);
    assert_int_equal(allow_list_set_file(list, path, NULL, reason), 0);
    assert_int_equal(read_again(list, &changed), 0);
    assert_true(changed);
    return list;
}

static void
reads_lines_and_comments(void **state)
{
    struct allow_list *list = list_of_file("# the office\n"
                                           "\n"
                                           "192.0.2.0/24\t# its network\r\n"
                                           "   2001:db8:7::/48  \n"
                                           " \t \n"
                                           "203.0.113.9#home\n"
                                           "203.0.113.10");

    (void)state;
    assert_true(holds(list, "192.0.2.7"));
    assert_true(holds(list, "2001:db8:7::1"));
    assert_true(holds(list, "203.0.113.9"));
    assert_true(holds(list, "203.0.113.10"));
    assert_true(holds(list, "127.0.0.1"));
    assert_false(holds(list, "203.0.113.11"));
    allow_list_free(list);
}

static void
both_sources_hold(void **state)
{
    struct allow_list *list = allow_list_new();
    bool changed;

    (void)state;
    assert_int_equal(allow_list_add(list, "198.51.100.1", 12), 0);
    assert_int_equal(allow_list_add(list, "198.51.100.300", 14), -EINVAL);
    write_file("198.51.100.2\n");
    assert_int_equal(allow_list_set_file(list, path, NULL, reason), 0);
    assert_true(holds(list, "127.0.0.1"));
    assert_false(holds(list, "198.51.100.1")); /* not read yet */
    assert_int_equal(read_again(list, &changed), 0);
    write_file("198.51.100.3\n");
    assert_int_equal(read_again(list, &changed), 0);
    assert_true(changed);
    assert_true(holds(list, "198.51.100.1"));
    assert_false(holds(list, "198.51.100.2"));
    assert_true(holds(list, "198.51.100.3"));
    assert_int_equal(read_again(list, &changed), 0);
    assert_false(changed);
    allow_list_free(list);
}

static void
names_the_wrong_line_and_keeps_the_list(void **state)
{
    static const char *const wrong[] = {
        "198.51.100.2\n\n10.0.0.300\n",
        "# a\n# b\n10.0.0.0/33\n",
        "\n\nmail@example.org # no name\n",
        "\n\n192.0.2.1 192.0.2.2\n",
        "\n\n192.0.2.1, \n",
        "\n\n\x1b[2J192.0.2.1\n",
    };
    struct allow_list *list = list_of_file("192.0.2.1\n");
    struct allow_list *fresh = allow_list_new();
    bool changed;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_file(wrong[i]);
        assert_int_equal(read_again(list, &changed), -EINVAL);
        assert_non_null(strstr(reason, path));
        assert_non_null(strstr(reason, ", line 3: '"));
        assert_null(strchr(reason, '\x1b'));
        assert_false(changed);
        assert_true(holds(list, "192.0.2.1"));
        assert_false(holds(list, "198.51.100.2"));
        assert_int_equal(allow_list_set_file(fresh, path, NULL, reason), -EINVAL);
    }
    write_bytes("192.0.2.5\0\n192.0.2.6\n", 21);
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_non_null(strstr(reason, ", line 1: '"));
    write_bytes("\0\0\0\0\0\0", 6);
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_true(holds(list, "192.0.2.1"));
    allow_list_free(list);
    allow_list_free(fresh);
}

/* For a start there is a copy, of a list that was read whole and of no other. */
static void
begins_with_the_copy_where_the_file_is_wrong(void **state)
{
    struct allow_list *list = allow_list_new(), *later = allow_list_new();
    char copy[sizeof(path) + sizeof(".copy")];
    bool changed;

    (void)state;
    snprintf(copy, sizeof(copy), "%s.copy", path);
    write_file("192.0.2.1\n2001:db8::/32\nwrong\n");
    assert_int_equal(allow_list_set_file(list, path, copy, reason), -EINVAL);
    assert_false(allow_list_has_copy(list));
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_int_equal(access(copy, F_OK), -1);
    write_file("192.0.2.1\n2001:db8::/32\n");
    assert_int_equal(read_again(list, &changed), 0);
    assert_int_equal(access(copy, F_OK), 0);
    write_file("192.0.2.2\nwrong\n");
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_int_equal(allow_list_set_file(later, path, copy, reason), -EINVAL);
    assert_non_null(strstr(reason, ", line 2: 'wrong'"));
    assert_true(allow_list_has_copy(later));
    assert_int_equal(read_again(later, &changed), -EINVAL);
    assert_true(holds(later, "192.0.2.1") && holds(later, "2001:db8:7::1"));
    assert_false(holds(later, "192.0.2.2"));
    write_file("192.0.2.2\n");
    assert_int_equal(read_again(later, &changed), 0);
    assert_false(allow_list_has_copy(later));
    assert_true(holds(later, "192.0.2.2"));
    assert_false(holds(later, "192.0.2.1"));
    allow_list_free(list);
    allow_list_free(later);
    unlink(copy);
}

/* A very long line is one wrong line, not several. */
static void
takes_no_part_of_a_long_line(void **state)
{
    struct allow_list *list = list_of_file("192.0.2.1\n");
    const size_t length = 3 << 20;
    char *text = malloc(length + 1);
    bool changed;

    (void)state;
    for (size_t i = 0; i < length; i++)
        text[i] = "203.0.113.9\v"[i % 12];
    text[length] = '\0';
    write_file(text);
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_non_null(strstr(reason, ", line 1: '203.0.113.9"));
    assert_false(holds(list, "203.0.113.9"));
    text[0] = '#';
    write_file(text);
    assert_int_equal(read_again(list, &changed), 0);
    free(text);
    allow_list_free(list);
}

static void
keeps_the_list_when_the_file_cannot_be_read(void **state)
{
    struct allow_list *list = list_of_file("192.0.2.1\n");
    bool changed;

    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_again(list, &changed), -ENOENT);
    assert_non_null(strstr(reason, "No such file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_non_null(strstr(reason, "no regular file"));
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(read_again(list, &changed), -EISDIR);
    rmdir(path);
    write_file("");
    assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
    assert_int_equal(read_again(list, &changed), -EFBIG);
    assert_true(holds(list, "192.0.2.1"));
    write_file("");
    assert_int_equal(read_again(list, &changed), 0);
    assert_true(changed);
    assert_false(holds(list, "192.0.2.1"));
    allow_list_free(list);
    allow_list_free(NULL);
}

static void
a_wrong_file_does_not_hold_up_own_addresses(void **state)
{
    struct allow_list *list = list_of_file("192.0.2.1\n");
    size_t before = allow_count(allow_list_now(list));
    bool changed;

    (void)state;
    allow_list_set_own(list);
    write_file("wrong\n");
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_non_null(strstr(reason, "wrong"));
    assert_true(holds(list, "192.0.2.1"));
    assert_true(allow_count(allow_list_now(list)) >= before);
    allow_list_free(list);
}

/* ---- beside workers ---- */

#define WORKERS 4

static void
who_was_added_stays_while_that_file_is_wrong(void **state)
{
    struct allow_list *list = allow_list_new();
    struct source source;
    bool changed;

    (void)state;
    unlink(path); /* need not be there */
    assert_int_equal(allow_list_set_added(list, path), 0);
    assert_int_equal(read_again(list, &changed), 0);
    assert_int_equal(source_parse_prefix("192.0.2.0/24", 12, &source), 0);
    assert_int_equal(allow_added_change(path, &source, "by a test"), 1);
    assert_int_equal(allow_added_change(path, &source, "again"), 0);
    assert_int_equal(read_again(list, &changed), 0);
    assert_true(changed);
    assert_true(holds(list, "192.0.2.7"));
    write_file("192.0.2.0/24\nnonsense\n");
    assert_int_equal(read_again(list, &changed), -EINVAL);
    assert_false(changed);
    assert_true(holds(list, "192.0.2.7"));
    assert_int_equal(allow_added_change(path, &source, NULL), 1);
    assert_int_equal(read_again(list, &changed), -EINVAL); /* somebody wrote that line: it stays */
    write_file("home.example.org\n");                      /* names are not looked up from there */
    assert_int_equal(read_again(list, &changed), -EINVAL);
    write_file("");
    assert_int_equal(read_again(list, &changed), 0);
    assert_false(holds(list, "192.0.2.7"));
    allow_list_free(list);
}

static struct readers readers = READERS_INITIALIZER;
static struct allow_list *shared;
static atomic_bool stopping;
static atomic_ulong lookups, wrong_answers;

#ifdef __SANITIZE_THREAD__
enum { READINGS = 60 }; /* each is that much slower, beside four workers that don't rest */
#else
enum { READINGS = 300 };
#endif

/* Either both are on it, or neither is. */
static void *
look_up(void *argument)
{
    struct source even, odd;
    struct reader mine;

    (void)argument;
    assert_int_equal(source_parse("192.0.2.1", 9, &even), 0);
    assert_int_equal(source_parse("2001:db8::1", 11, &odd), 0);
    readers_join(&readers, &mine);
    while (!atomic_load(&stopping)) {
        const struct allow *now;

        readers_begin(&mine);
        now = allow_list_now(shared);
        if (allow_match(now, &even, NULL) != allow_match(now, &odd, NULL))
            atomic_fetch_add(&wrong_answers, 1);
        readers_end(&mine);
        atomic_fetch_add(&lookups, 1);
    }
    readers_leave(&readers, &mine);
    return NULL;
}

static void
is_replaced_whole_beside_workers(void **state)
{
    static const char *const files[] = {"192.0.2.0/24\n2001:db8::/64\n", "198.51.100.1\n"};
    const unsigned readings = getenv("LONG") != NULL ? 10000 : READINGS;
    pthread_t workers[WORKERS];
    bool changed;

    (void)state;
    shared = list_of_file(files[1]);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, look_up, NULL), 0);
    for (unsigned i = 0; i < readings; i++) {
        write_file(files[i % 2]);
        assert_int_equal(allow_list_read(shared, &readers, &changed, reason), 0);
        assert_true(changed);
    }
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    assert_int_equal(atomic_load(&wrong_answers), 0);
    print_message("# read %u times under %lu lookups\n", readings, atomic_load(&lookups));
    allow_list_free(shared);
}

static void
members_come_and_go(void **state)
{
    struct allow_list *const list = list_of_file("192.0.2.1\n");
    struct source members[2];
    bool changed;

    (void)state;
    source_parse("198.51.100.1", 12, &members[0]);
    source_parse("198.51.100.2", 12, &members[1]);
    assert_int_equal(allow_list_set_members(list, members, 0), 0);
    assert_int_equal(allow_list_set_members(list, members, 2), 1);
    assert_int_equal(allow_list_set_members(list, members, 2), 0);
    assert_false(holds(list, "198.51.100.2")); /* not before it is read again */
    assert_int_equal(read_again(list, &changed), 0);
    assert_true(changed && holds(list, "198.51.100.1") && holds(list, "198.51.100.2"));
    assert_int_equal(allow_list_set_members(list, members, 1), 1);
    read_again(list, &changed);
    assert_true(holds(list, "192.0.2.1") && holds(list, "198.51.100.1"));
    assert_false(holds(list, "198.51.100.2"));
    allow_list_free(list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines_and_comments),
        cmocka_unit_test(both_sources_hold),
        cmocka_unit_test(names_the_wrong_line_and_keeps_the_list),
        cmocka_unit_test(begins_with_the_copy_where_the_file_is_wrong),
        cmocka_unit_test(takes_no_part_of_a_long_line),
        cmocka_unit_test(keeps_the_list_when_the_file_cannot_be_read),
        cmocka_unit_test(a_wrong_file_does_not_hold_up_own_addresses),
        cmocka_unit_test(who_was_added_stays_while_that_file_is_wrong),
        cmocka_unit_test(members_come_and_go),
        cmocka_unit_test(is_replaced_whole_beside_workers),
    };
    int failed;

    close(mkstemp(path));
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
