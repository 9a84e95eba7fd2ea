/* test_table_faults: a table is opened whole, or there is an error and the file is as it was.
 *
 * Proves, with each call to the system and each for memory refused in turn: a new table is whole,
 * or the next start makes it; one that is there keeps its bans, also where it was to get another
 * capacity and does not; one without a file, and one that is only read, leave nothing open.
 * Fails when a descriptor, a mapping's block of memory or a file .new stays, or a ban is gone.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "faults.h"
#include "table_fixture.h"

static struct fixture f;

static int
open_and_close(void)
{
    struct table *table;
    bool is_new;
    const int error = table_open(&f.options, &table, &is_new);

    if (error == 0)
        table_close(table);
    return error;
}

static bool
has_no_new_file(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s.new", f.path);
    return access(path, F_OK) != 0;
}

/* Whatever was left of a table that was not finished, the next start makes one. */
static bool
next_start_makes_it(void)
{
    bool is_new;

    assert_int_equal(table_open(&f.options, &f.table, &is_new), 0);
    fixture_close(&f);
    fixture_unlink(&f, "");
    return has_no_new_file();
}

static bool
nothing_is_left(void)
{
    return has_no_new_file() && next_start_makes_it();
}

static void
a_new_table_is_whole_or_the_next_start_makes_it(void **state)
{
    (void)state;
    fixture_prepare(&f, 1024, 64);
    assert_true(fault_sweep(FAULT_SYSTEM, open_and_close, next_start_makes_it) >= 6);
    assert_true(fault_sweep(FAULT_MEMORY, open_and_close, nothing_is_left) >= 1);
    assert_int_equal(rmdir(f.directory), 0);
}

static bool
still_has_the_ban(void)
{
    const bool is_tidy = has_no_new_file();
    struct ban ban;
    bool has;

    fixture_unlink(&f, ".damaged"); /* a file that could not be looked at is moved aside */
    fixture_open(&f);
    has = find_ban(f.table, "192.0.2.1", &ban);
    fixture_close(&f);
    return has && is_tidy && has_no_new_file();
}

static int
open_with_another_capacity(void)
{
    f.options.capacity = f.options.capacity == 1024 ? 2048 : 1024;
    return open_and_close();
}

static void
begin_with_a_ban(void)
{
    fixture_begin(&f, 1024, 64);
    for (int i = 0; i < 5; i++)
        count_line(&f, "192.0.2.1", NOON_MS);
    fixture_close(&f);
}

static void
a_table_that_is_there_keeps_its_bans_when_memory_is_out(void **state)
{
    (void)state;
    begin_with_a_ban();
    assert_true(fault_sweep(FAULT_MEMORY, open_and_close, still_has_the_ban) >= 1);
    f.said = 0;
    assert_true(fault_sweep(FAULT_MEMORY, open_with_another_capacity, still_has_the_ban) >= 1);
    assert_true(
        f.said > 0 ||
        !FAULT_HAS_MEMORY); /* that it keeps its capacity, where the other could not be made */
    fixture_open(&f);
    fixture_end(&f);
}

/* What cannot be looked at is a damaged one; what cannot be made larger stays as it is. */
static void
a_table_that_cannot_be_opened_is_an_error_or_begun_anew(void **state)
{
    (void)state;
    begin_with_a_ban();
    fault_sweep(FAULT_SYSTEM, open_and_close, has_no_new_file);
    fault_sweep(FAULT_SYSTEM, open_with_another_capacity, has_no_new_file);
    fixture_open(&f);
    fixture_end(&f);
}

static int
read_it(void)
{
    const struct table *table;
    const int error = table_open_reader(f.path, &table);

    if (error == 0)
        table_close_reader(table);
    return error;
}

static void
a_reader_leaves_nothing_open(void **state)
{
    (void)state;
    begin_with_a_ban();
    assert_true(fault_sweep(FAULT_SYSTEM, read_it, still_has_the_ban) >= 3);
    assert_true(fault_sweep(FAULT_MEMORY, read_it, still_has_the_ban) >= 1);
    fixture_open(&f);
    fixture_end(&f);
}

static void
a_table_without_a_file_is_made_or_is_an_error(void **state)
{
    (void)state;
    fixture_prepare(&f, 1024, 64);
    f.options.path = NULL;
    assert_true(fault_sweep(FAULT_SYSTEM, open_and_close, NULL) >= 3);
    assert_true(fault_sweep(FAULT_MEMORY, open_and_close, NULL) >= 1);
    assert_int_equal(rmdir(f.directory), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_table_is_whole_or_the_next_start_makes_it),
        cmocka_unit_test(a_table_that_is_there_keeps_its_bans_when_memory_is_out),
        cmocka_unit_test(a_table_that_cannot_be_opened_is_an_error_or_begun_anew),
        cmocka_unit_test(a_reader_leaves_nothing_open),
        cmocka_unit_test(a_table_without_a_file_is_made_or_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
