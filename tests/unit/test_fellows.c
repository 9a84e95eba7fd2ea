/* test_fellows: the other servers of the fleet are remembered for a day after they were last told,
 * each once, without private addresses, and as many as there is room for.
 *
 * Fails when one is forgotten early or stays, stands twice, or writes beyond the room.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "fleet/fellows.h"

#define NOON_MS INT64_C(1795262400000)

static struct fellows *fellows;
static struct source addresses[FELLOWS_MAX + 8];

static int
setup(void **state)
{
    (void)state;
    fellows = fellows_new();
    return fellows == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    fellows_free(fellows);
    return 0;
}

static bool
told(const char *text, int64_t now_ms)
{
    const struct source source = source_of(text);

    return fellows_take(fellows, 1, &source, 1, now_ms);
}

static unsigned
remembered(int64_t now_ms)
{
    return fellows_addresses(fellows, now_ms, addresses, FELLOWS_MAX);
}

static void
each_is_remembered_once(void **state)
{
    const struct source low = source_of("192.0.2.1"), high = source_of("2001:db8::1");

    (void)state;
    assert_true(told("2001:db8::1", NOON_MS));
    assert_true(told("192.0.2.1", NOON_MS));
    assert_false(told("2001:db8::1", NOON_MS));
    assert_false(told("192.0.2.1", NOON_MS));
    assert_int_equal(remembered(NOON_MS), 2);
    assert_int_equal(source_compare(&addresses[0], &low), 0);
    assert_int_equal(source_compare(&addresses[1], &high), 0);
    assert_int_equal(fellows_addresses(fellows, NOON_MS, addresses, 1), 1);
}

static void
one_is_forgotten_a_day_after_it_was_last_told(void **state)
{
    (void)state;
    told("192.0.2.1", NOON_MS);
    told("192.0.2.2", NOON_MS);
    told("192.0.2.2", NOON_MS + 1);
    assert_int_equal(remembered(NOON_MS + FELLOWS_TOLD_MS - 1), 2);
    assert_int_equal(remembered(NOON_MS + FELLOWS_TOLD_MS), 1);
    assert_int_equal(remembered(NOON_MS + FELLOWS_TOLD_MS + 1), 0);
    assert_true(told("192.0.2.1", NOON_MS + FELLOWS_TOLD_MS + 1));
}

static void
private_addresses_are_left_out(void **state)
{
    (void)state;
    assert_false(told("10.1.2.3", NOON_MS));
    assert_false(told("172.17.0.1", NOON_MS));
    assert_false(told("fe80::1", NOON_MS));
    assert_false(told("fd00::1", NOON_MS));
    assert_int_equal(remembered(NOON_MS), 0);
}

/* Tells so many, one after the other, from 198.51.0.0 on. */
static unsigned
tell_many(uint32_t origin, unsigned from, unsigned count)
{
    struct source one = source_of("198.51.0.0");
    unsigned taken = 0;

    for (unsigned i = from; i < from + count; i++) {
        one.address[14] = (uint8_t)(i >> 8);
        one.address[15] = (uint8_t)i;
        taken += fellows_take(fellows, origin, &one, 1, NOON_MS);
    }
    return taken;
}

static void
one_origin_fills_half_of_the_room(void **state)
{
    (void)state;
    assert_int_equal(tell_many(1, 0, FELLOWS_MAX), FELLOWS_MAX / 2);
    assert_int_equal(tell_many(2, FELLOWS_MAX, 10), 10);
    assert_int_equal(remembered(NOON_MS), FELLOWS_MAX / 2 + 10);
}

static void
what_has_no_room_is_not_remembered(void **state)
{
    (void)state;
    assert_int_equal(tell_many(1, 0, FELLOWS_MAX / 2), FELLOWS_MAX / 2);
    assert_int_equal(tell_many(2, FELLOWS_MAX / 2, FELLOWS_MAX / 2), FELLOWS_MAX / 2);
    assert_int_equal(tell_many(3, FELLOWS_MAX, 1), 0);
    assert_false(told("198.51.0.7", NOON_MS + 1));
    assert_int_equal(remembered(NOON_MS + 1), FELLOWS_MAX);
    assert_int_equal(remembered(NOON_MS + FELLOWS_TOLD_MS), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_remembered_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_is_forgotten_a_day_after_it_was_last_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(private_addresses_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(one_origin_fills_half_of_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_not_remembered, setup, teardown),
    };

    return cmocka_run_group_tests_name("fellows", tests, NULL, NULL);
}
