/* test_hosts: a host of the fleet has one number as long as it is known by its name, over a restart
 * too; a line is the host's that delivers it, whatever it names, and only where nobody who reports
 * delivers it, the host's that it names.
 *
 * Fails when a member can pass for another one or for the whole fleet, when a number is used before
 * it is written down or changes, and when one address, or names that are gone, take all the room.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/hosts.h"
#include "fleet/members.h"
#include "table/table.h"

#define NOON_MS INT64_C(1795262400000)

static struct hosts *hosts;

static int
setup(void **state)
{
    (void)state;
    hosts = hosts_new("centre");
    return hosts == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    hosts_free(hosts);
    return 0;
}

static struct source
address(const char *text)
{
    struct source source;

    assert_int_equal(source_parse(text, strlen(text), &source), 0);
    return source;
}

static bool
note(const char *name, const char *peer, int64_t now_ms)
{
    const struct source source = address(peer);

    return hosts_note(hosts, name, &source, now_ms) == HOSTS_CHANGED;
}

static void
write_down(void)
{
    char *const text = hosts_print(hosts);

    assert_non_null(text);
    free(text);
    hosts_use(hosts);
}

static unsigned
scope(const char *peer, const char *name)
{
    const struct source source = address(peer);

    return hosts_scope(hosts, &source, name, strlen(name));
}

static const char *
name_of(unsigned number)
{
    static char name[TELEGRAM_NAME_SIZE];

    return hosts_name(hosts, (uint16_t)number, name) ? name : "";
}

static void
begin_with_two(void)
{
    assert_true(note("mx1", "192.0.2.1", NOON_MS));
    assert_true(note("mx2", "192.0.2.2", NOON_MS));
    write_down();
}

static void
who_delivers_decides(void **state)
{
    (void)state;
    begin_with_two();
    assert_int_equal(scope("192.0.2.1", "mx1"), 2);
    assert_int_equal(scope("192.0.2.2", "mx2"), 3);
    assert_int_equal(scope("192.0.2.1", "mx2"), 2);
    assert_int_equal(scope("192.0.2.1", "centre"), 2);
    assert_string_equal(name_of(2), "mx1");
    assert_string_equal(name_of(3), "mx2");
    assert_string_equal(name_of(1), "");
    assert_string_equal(name_of(4), "");
}

static void
of_others_the_line_tells(void **state)
{
    (void)state;
    begin_with_two();
    assert_int_equal(scope("198.51.100.7", "mx2"), 3);
    assert_int_equal(scope("198.51.100.7", "MX2"), 3);
    assert_int_equal(scope("198.51.100.7", "mx3"), TABLE_SCOPE_OWN);
    assert_int_equal(scope("198.51.100.7", ""), TABLE_SCOPE_OWN);
    assert_int_equal(hosts_scope(hosts, NULL, "mx1", 3), 2);
    assert_int_equal(hosts_scope(hosts, NULL, "mx12", 4), TABLE_SCOPE_OWN);
}

/* A tunnel ends on the centre: hosts have the address that its own lines have. */
static void
own_lines_are_not_a_hosts_behind_a_tunnel(void **state)
{
    (void)state;
    assert_true(note("mx1", "127.0.0.1", NOON_MS));
    assert_true(note("mx2", "::1", NOON_MS));
    write_down();
    assert_int_equal(scope("127.0.0.1", "centre"), TABLE_SCOPE_OWN);
    assert_int_equal(scope("127.0.0.1", "Centre"), TABLE_SCOPE_OWN);
    assert_int_equal(scope("::1", "centre"), TABLE_SCOPE_OWN);
    assert_int_equal(scope("127.0.0.1", "centre2"), 2);
    assert_int_equal(scope("127.0.0.1", "mx1"), 2);
    assert_int_equal(scope("::1", "mx2"), 3);
}

static void
a_name_stays_whose_it_is(void **state)
{
    (void)state;
    begin_with_two();
    assert_false(note("mx1", "192.0.2.2", NOON_MS + 1000));
    assert_int_equal(scope("192.0.2.2", "mx1"), 3);
    assert_false(note("mx1", "192.0.2.1", NOON_MS + 2000));
    assert_false(note("mx1", "192.0.2.9", NOON_MS + 2000 + MEMBERS_GONE_MS - 1));
    assert_int_equal(scope("192.0.2.9", "x"), TABLE_SCOPE_OWN);
    assert_true(note("mx1", "192.0.2.9", NOON_MS + 2000 + MEMBERS_GONE_MS)); /* has moved */
    assert_int_equal(scope("192.0.2.9", "x"), 2);
    assert_int_equal(scope("192.0.2.1", "x"), TABLE_SCOPE_OWN);
    assert_false(note("Centre", "192.0.2.3", NOON_MS));
}

/* It compares a ban's scope with its name as it writes it. */
static void
a_host_may_change_its_capitals(void **state)
{
    (void)state;
    begin_with_two();
    assert_true(note("MX1", "192.0.2.1", NOON_MS + 1000));
    assert_string_equal(name_of(2), "MX1");
    assert_int_equal(scope("192.0.2.1", "x"), 2);
    assert_false(note("MX1", "192.0.2.1", NOON_MS + 2000));
    assert_false(note("Mx1", "192.0.2.2", NOON_MS + 2000)); /* of another one */
    assert_string_equal(name_of(2), "MX1");
}

static void
a_host_is_found_when_it_is_written_down(void **state)
{
    (void)state;
    begin_with_two();
    assert_true(note("mx3", "192.0.2.3", NOON_MS));
    assert_int_equal(scope("192.0.2.3", "mx3"), TABLE_SCOPE_OWN);
    write_down();
    assert_int_equal(scope("192.0.2.3", "mx3"), 4);
}

static void
numbers_outlive_a_restart(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(hosts_last(hosts), TABLE_SCOPE_OWN);
    begin_with_two();
    assert_int_equal(hosts_last(hosts), 3);
    text = hosts_print(hosts);
    hosts_free(hosts);
    hosts = hosts_new("centre");
    hosts_read(hosts, text, NOON_MS);
    free(text);
    assert_int_equal(scope("192.0.2.2", "mx1"), 3);
    assert_false(note("mx2", "192.0.2.1", NOON_MS + 1000));
    assert_true(note("mx4", "2001:db8::4", NOON_MS + 1000));
    write_down();
    assert_int_equal(scope("2001:db8::4", "mx4"), 4);
    assert_string_equal(name_of(4), "mx4");
}

static void
a_damaged_line_is_nobody(void **state)
{
    (void)state;
    hosts_read(hosts, "mx1 192.0.2.1\nmx2 nowhere\n\nmx3 192.0.2.3", NOON_MS);
    assert_int_equal(scope("192.0.2.1", "x"), 2);
    assert_int_equal(scope("192.0.2.3", "x"), 5);
    assert_int_equal(scope("198.51.100.7", ""), TABLE_SCOPE_OWN);
    assert_string_equal(name_of(3), "");
    assert_int_equal(hosts_last(hosts), 5);
}

/* As a ban's scope its name would say that the ban is for all. */
static void
nobody_is_called_fleet(void **state)
{
    (void)state;
    assert_false(note("fleet", "192.0.2.1", NOON_MS));
    assert_false(note("Fleet", "192.0.2.1", NOON_MS));
    hosts_read(hosts, "fleet 192.0.2.1\nmx2 192.0.2.2\n", NOON_MS);
    assert_string_equal(name_of(2), "");
    assert_int_equal(scope("192.0.2.1", "fleet"), TABLE_SCOPE_OWN);
    assert_int_equal(scope("192.0.2.2", "mx2"), 3);
}

static void
one_address_does_not_take_all_the_room(void **state)
{
    char name[32], peer[32];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "forged%u", i);
        assert_int_equal(note(name, "192.0.2.66", NOON_MS), i < HOSTS_OF_PEER);
    }
    for (unsigned i = HOSTS_OF_PEER; i < HOSTS_MAX; i++) {
        snprintf(name, sizeof name, "mx%u", i);
        snprintf(peer, sizeof peer, "198.18.%u.%u", i / 256, i % 256);
        assert_true(note(name, peer, NOON_MS));
    }
    assert_false(note("late", "192.0.2.1", NOON_MS));
    write_down();
    assert_int_equal(scope("198.18.3.255", "x"), HOSTS_MAX + 1);
    assert_int_equal(scope("192.0.2.66", "forged7"), 9); /* of those behind one address */
    assert_int_equal(scope("192.0.2.66", "mx1000"), TABLE_SCOPE_OWN);
}

/* A container that gets another name each time it is made. */
static void
names_that_are_gone_leave_room(void **state)
{
    const struct source peer = address("192.0.2.66");
    int64_t now_ms = NOON_MS;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < HOSTS_EVER_OF_PEER; i++, now_ms += MEMBERS_GONE_MS / HOSTS_OF_PEER) {
        snprintf(name, sizeof name, "container%u", i);
        assert_int_equal(hosts_note(hosts, name, &peer, now_ms), HOSTS_CHANGED);
        assert_int_equal(hosts_note(hosts, name, &peer, now_ms), HOSTS_SAME);
    }
    assert_int_equal(hosts_note(hosts, "more", &peer, now_ms), HOSTS_REFUSED);
    write_down();
    assert_int_equal(scope("192.0.2.66", "container8"), 10);
    assert_int_equal(scope("192.0.2.66", "container0"), 2);
    assert_int_equal(scope("192.0.2.66", "x"), TABLE_SCOPE_OWN);
}

/* After a restart only those that report again are there. */
static void
names_that_are_read_leave_room(void **state)
{
    char line[32], text[32 * 2 * HOSTS_OF_PEER] = "";

    (void)state;
    for (unsigned i = 0; i < 2 * HOSTS_OF_PEER; i++) {
        snprintf(line, sizeof line, "old%u 192.0.2.66\n", i);
        strcat(text, line);
    }
    hosts_read(hosts, text, NOON_MS);
    assert_true(note("new", "192.0.2.66", NOON_MS));
    for (unsigned i = 0; i < HOSTS_OF_PEER; i++) {
        snprintf(line, sizeof line, "old%u", i);
        assert_false(note(line, "192.0.2.66", NOON_MS));
    }
    assert_false(note("newer", "192.0.2.66", NOON_MS));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_delivers_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(of_others_the_line_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(own_lines_are_not_a_hosts_behind_a_tunnel, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_stays_whose_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_may_change_its_capitals, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_is_found_when_it_is_written_down, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_outlive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_line_is_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_called_fleet, setup, teardown),
        cmocka_unit_test_setup_teardown(one_address_does_not_take_all_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_are_gone_leave_room, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_are_read_leave_room, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
