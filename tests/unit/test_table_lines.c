/* test_table_lines: which line is a new one, and which has come before; one test for each rule of
 * table-lines.h.
 *
 * Fails when a burst within a second is taken for repetitions, when a run that is repeated counts
 * again after a restart, when lines that differ in anything are taken for one, or when a flood
 * pushes out the newest.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <fcntl.h>

#include "table/table-layout.h"
#include "table/table-lines.h"

static struct fixture f;

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&f, 1024, 64);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    assert_int_equal(f.said, 0);
    fixture_end(&f);
    return 0;
}

static struct line
line_of(const char *text)
{
    return (struct line){
        .host = {"mx1", 3},
        .tag = {"postfix/smtpd[1]:", 17},
        .text = {text, strlen(text)},
        .stamp_us = NOON_MS * 1000,
        .received_ms = NOON_MS,
        .now_ms = NOON_MS,
    };
}

static bool
note(const struct line *line)
{
    return table_note_line(f.table, line, table_fingerprint(f.table, line));
}

/* How many of so many equal ones are new. */
static unsigned
note_all(const struct line *line, unsigned count)
{
    unsigned new = 0;

    while (count-- > 0)
        new += note(line);
    return new;
}

static void
microseconds_are_the_same_line_again(void **state)
{
    struct line line = line_of(" a");
    struct table_status status;

    (void)state;
    line.has_microseconds = true;
    line.stamp_us += 123456;
    assert_int_equal(note_all(&line, 5), 1);
    line.stamp_us++;
    assert_int_equal(note_all(&line, 5), 1);
    table_read_status(f.table, &status);
    assert_int_equal(status.repeated, 8);
}

static void
equal_lines_within_a_second_are_a_burst(void **state)
{
    struct line line = line_of(" a");

    (void)state;
    assert_int_equal(note_all(&line, 4), 4);
    line.received_ms += 999;
    assert_true(note(&line));
}

static void
a_second_later_it_is_a_repetition(void **state)
{
    struct line line = line_of(" a");

    (void)state;
    assert_int_equal(note_all(&line, 2), 2);
    line.received_ms += 1000;
    assert_int_equal(note_all(&line, 3), 0);
}

static void
as_many_as_came_before_a_restart_are_repetitions(void **state)
{
    struct line line = line_of(" a"), other = line_of(" b");

    (void)state;
    assert_int_equal(note_all(&line, 3), 3);
    fixture_reopen(&f);
    assert_int_equal(note_all(&line, 3), 0);
    assert_true(note(&line)); /* one more than there were */
    assert_true(note(&other));
    fixture_reopen(&f);
    assert_int_equal(note_all(&line, 2), 0); /* the run is not complete */
    fixture_reopen(&f);
    assert_int_equal(note_all(&line, 4), 0);
    assert_int_equal(note_all(&line, 2), 2);
    fixture_reopen(&f);
    line.received_ms += 5000;
    assert_int_equal(note_all(&line, 9), 0);
}

static void
anything_tells_lines_apart(void **state)
{
    static const char zeros[16];
    struct line line = line_of(" a"), other;

    (void)state;
    line.has_microseconds = true;
    assert_true(note(&line));
    other = line;
    other.host = (struct line_bytes){"mx2", 3};
    assert_true(note(&other));
    other = line;
    other.tag.length--;
    assert_true(note(&other));
    other = line;
    other.text = (struct line_bytes){" b", 2};
    assert_true(note(&other));
    other = line;
    other.stamp_us++;
    assert_true(note(&other));
    other = line;
    other.reading = 1;
    assert_true(note(&other));
    assert_false(note(&line));
    /* bytes that change sides, of any value */
    for (unsigned length = 0; length <= 16; length++) {
        other = line;
        other.host = (struct line_bytes){"abcdefghijklmnop", length};
        other.tag = (struct line_bytes){other.host.at + length, 16 - length};
        assert_true(note(&other));
        other.host = (struct line_bytes){zeros, length};
        other.tag = (struct line_bytes){zeros, 16 - length};
        assert_true(note(&other));
        other.host = (struct line_bytes){"\1\1\1\1\1\1\1\1\2\2\2\2\2\2\2\2", length};
        other.tag = (struct line_bytes){other.host.at + length, 16 - length};
        assert_true(note(&other));
    }
}

/* Lines by number, received one a millisecond. */
static bool
note_number(unsigned number)
{
    char text[32];
    struct line line;

    snprintf(text, sizeof text, " %u", number);
    line = line_of(text);
    line.has_microseconds = true;
    line.received_ms += number;
    return note(&line);
}

#define ROOM 512 /* capacity / 2 */
/* By the table's seed a few lines may share a set with more others than it has room for. */
#define UNLUCKY 6

static unsigned
known_of(unsigned from, unsigned to)
{
    unsigned known = 0;

    for (unsigned number = to; number-- > from;) /* what is pushed out now is older */
        known += !note_number(number);
    return known;
}

static void
a_flood_evicts_the_oldest(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 20 * ROOM; number++)
        assert_true(note_number(number));
    assert_in_range(known_of(20 * ROOM - ROOM / 4, 20 * ROOM), ROOM / 4 - UNLUCKY, ROOM / 4);
    assert_int_equal(known_of(0, 10 * ROOM), 0);
}

static void
a_change_of_capacity_keeps_the_newest(void **state)
{
    (void)state;
    f.options.capacity = 16384;
    fixture_reopen(&f);
    for (unsigned number = 0; number < 4 * ROOM; number++)
        assert_true(note_number(number));
    f.options.capacity = 32768;
    fixture_reopen(&f);
    assert_int_equal(known_of(3 * ROOM, 4 * ROOM), ROOM);
    f.options.capacity = 1024;
    fixture_reopen(&f);
    assert_in_range(known_of(4 * ROOM - ROOM / 4, 4 * ROOM), ROOM / 4 - UNLUCKY, ROOM / 4);
}

static void
damage_does_no_harm(void **state)
{
    struct table_header header;
    struct line line = line_of(" a");
    int file;

    (void)state;
    note(&line);
    fixture_close(&f);
    file = open(f.path, O_RDWR);
    assert_int_equal(pread(file, &header, sizeof header, 0), sizeof header);
    srandom(10);
    for (uint64_t at = 0; at < header.fixed.sections[SECTION_LINES].length; at += 4) {
        const uint32_t word = (uint32_t)random();

        assert_int_equal(
            pwrite(file, &word, 4, (off_t)(header.fixed.sections[SECTION_LINES].offset + at)), 4);
    }
    close(file);
    fixture_open(&f);
    assert_false(f.is_new);
    for (unsigned number = 0; number < 10 * ROOM; number++)
        note_number(number);
    f.options.capacity = 2048;
    fixture_reopen(&f);
}

static void
the_count_saturates(void **state)
{
    struct line line = line_of(" a");

    (void)state;
    assert_int_equal(note_all(&line, 1000), LINE_COUNT_MAX);
    fixture_reopen(&f);
    assert_int_equal(note_all(&line, 1000), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(microseconds_are_the_same_line_again),
        TEST(equal_lines_within_a_second_are_a_burst),
        TEST(a_second_later_it_is_a_repetition),
        TEST(as_many_as_came_before_a_restart_are_repetitions),
        TEST(anything_tells_lines_apart),
        TEST(a_flood_evicts_the_oldest),
        TEST(a_change_of_capacity_keeps_the_newest),
        TEST(damage_does_no_harm),
        TEST(the_count_saturates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
