/* Failures that are taken back, and the ban that they completed. It fails when too much or too
 * little is taken, when the ban stays, or when its end is taken for another's.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include "table/table-health.h"

#define CLIENTS 1024

static struct fixture fixture;

static int
begin(void **state)
{
    (void)state;
    fixture_begin(&fixture, CLIENTS, 64);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static enum table_verdict
fail_at(const char *client, unsigned attempts, int64_t stamp_ms)
{
    const struct table_failure failure = {.client = source_of(client),
                                          .class = OFFENCE_AUTH_FAILED,
                                          .attempts = attempts,
                                          .stamp_ms = stamp_ms};

    return table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, attempts,
                       NOON_MS);
}

static unsigned
withdraw(const char *client, unsigned attempts, int64_t stamp_ms, bool made_ban)
{
    const uint64_t jail = UINT64_C(1) << fixture.jail_index;
    const struct table_counted counted = {.client = source_of(client),
                                          .jails = jail,
                                          .attempts = attempts,
                                          .stamp_ms = stamp_ms,
                                          .banning = made_ban ? jail : 0};

    return table_withdraw(fixture.table, &counted, NOON_MS);
}

static void
what_is_taken_back_no_longer_counts(void **state)
{
    (void)state;
    fail_at("203.0.113.9", 2, NOON_MS - 3000);
    fail_at("203.0.113.9", 2, NOON_MS - 1000);
    assert_false(withdraw("203.0.113.9", 2, NOON_MS - 1000, false));
    assert_false(withdraw("203.0.113.9", 2, NOON_MS - 9000, false)); /* nothing there */
    assert_false(withdraw("203.0.113.10", 2, NOON_MS - 1000, false));
    assert_int_equal(fail_at("203.0.113.9", 2, NOON_MS), TABLE_COUNTED);
    assert_int_equal(fail_at("203.0.113.9", 1, NOON_MS), TABLE_BANNED);
    fixture_reopen(&fixture); /* and the record is valid */
    assert_int_equal(fixture.said, 0);
}

/* A network in which addresses are banned one by one counts beside them: neither is it banned, nor
 * does it count when the failures lie behind, nor those that are taken back. */
static void
a_network_counts_beside_its_addresses(void **state)
{
    const uint64_t jail = UINT64_C(1) << fixture.jail_index;
    struct table_failure failure = {.client = source_of("2001:db8::9"),
                                    .class = OFFENCE_AUTH_FAILED,
                                    .attempts = 5,
                                    .stamp_ms = NOON_MS - 3000,
                                    .is_network = true};
    const struct table_counted counted = {.client = failure.client,
                                          .jails = jail,
                                          .singles = jail,
                                          .attempts = 5,
                                          .stamp_ms = NOON_MS - 3000};
    struct ban ban;

    (void)state;
    assert_int_equal(
        table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 5, NOON_MS),
        TABLE_SPARED);
    assert_int_equal(
        table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1, NOON_MS),
        TABLE_SPARED);
    assert_int_equal(table_withdraw(fixture.table, &counted, NOON_MS), 0);
    failure.stamp_ms = NOON_MS;
    assert_int_equal(
        table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1, NOON_MS),
        TABLE_COUNTED);
    failure.stamp_ms = NOON_MS + fixture.jail.findtime_s * 1000 + 1000;
    assert_int_equal(table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 4,
                                 failure.stamp_ms),
                     TABLE_COUNTED);
    assert_int_equal(table_dequeue_unrecorded(fixture.table, &ban, 1), 0);
}

static void
the_ban_that_they_completed_is_lifted(void **state)
{
    struct table_change change;
    struct ban ban;

    (void)state;
    assert_int_equal(fail_at("2001:db8::9", 5, NOON_MS), TABLE_BANNED);
    assert_int_equal(table_dequeue(fixture.table, &change, 1, NOON_MS), 1);
    table_acknowledge(fixture.table, &change, 1, true, NOON_MS);
    assert_false(withdraw("2001:db8::9", 1, NOON_MS, false));
    assert_int_equal(withdraw("2001:db8::9", 1, NOON_MS, true), 1);
    assert_false(withdraw("2001:db8::9", 1, NOON_MS, true));
    assert_int_equal(table_dequeue_unrecorded(fixture.table, &ban, 1), 1);
    assert_int_equal(ban.end, BAN_WITHDRAWN);
    assert_int_equal(ban.ended_ms, NOON_MS);
    assert_int_equal(table_dequeue(fixture.table, &change, 1, NOON_MS), 1);
    assert_false(change.wanted);
    fixture_reopen(&fixture);
    assert_int_equal(fixture.said, 0);
    assert_int_equal(fail_at("2001:db8::9", 4, NOON_MS), TABLE_COUNTED);
    assert_int_equal(fail_at("2001:db8::9", 1, NOON_MS), TABLE_BANNED);
}

/* A ban that was taken back makes the next one no longer. */
static void
the_next_ban_is_as_long_as_if_there_had_been_none(void **state)
{
    struct ban ban;

    (void)state;
    fixture.jail.growth = (struct jail_growth){.is_on = true, .factor = 1};
    assert_int_equal(fail_at("203.0.113.9", 5, NOON_MS), TABLE_BANNED);
    assert_int_equal(withdraw("203.0.113.9", 5, NOON_MS, true), 1);
    keep(fixture.table, NOON_MS);
    assert_int_equal(fail_at("203.0.113.9", 5, NOON_MS), TABLE_BANNED);
    assert_true(find_ban(fixture.table, "203.0.113.9", &ban));
    assert_int_equal(ban.until_ms - ban.since_ms, fixture.jail.bantime_s * 1000);
}

/* Where the addresses of a network are banned one by one. */
static void
the_ban_of_a_single_address_is_lifted(void **state)
{
    const uint64_t jail = UINT64_C(1) << fixture.jail_index;
    const struct table_counted counted = {.client = source_of("2001:db8::9"),
                                          .jails = jail,
                                          .singles = jail,
                                          .banning = jail,
                                          .attempts = 5,
                                          .stamp_ms = NOON_MS};
    struct ban ban;

    (void)state;
    fixture.jail.v6_bits = 128;
    assert_int_equal(fail_at("2001:db8::9", 5, NOON_MS), TABLE_BANNED);
    fixture.jail.v6_bits = 64;
    assert_int_equal(table_withdraw(fixture.table, &counted, NOON_MS), 1);
    assert_false(find_ban(fixture.table, "2001:db8::9", &ban) && ban.end == BAN_RUNNING);
}

/* When the one ban would have been made; 0: none would. */
static int64_t
observed_since_ms(void)
{
    struct ban ban = {.since_ms = 0};

    for (uint32_t i = 0; i < CLIENTS; i++)
        if (table_read_observed(fixture.table, i, &ban))
            return ban.since_ms;
    return 0;
}

/* Of a jail that only observes: what this failure would have brought is forgotten, and what an
 * earlier one would have, and this one prolonged, is not. */
static void
what_would_have_been_a_ban_is_forgotten(void **state)
{
    const uint64_t jail = UINT64_C(1) << fixture.jail_index;
    struct table_failure failure = {.client = source_of("203.0.113.9"),
                                    .class = OFFENCE_AUTH_FAILED,
                                    .attempts = 5,
                                    .stamp_ms = NOON_MS - 9000,
                                    .is_observed = true};
    struct table_counted counted = {.client = failure.client,
                                    .jails = jail,
                                    .observed = jail,
                                    .attempts = 5,
                                    .stamp_ms = NOON_MS};

    (void)state;
    fixture.jail.is_observing = true;
    assert_int_equal(table_jail(fixture.table, &fixture.jail), fixture.jail_index);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 5,
                                     failure.stamp_ms),
                         TABLE_OBSERVED);
        failure.stamp_ms = NOON_MS;
    }
    assert_int_equal(observed_since_ms(), NOON_MS - 9000);
    assert_int_equal(table_withdraw(fixture.table, &counted, NOON_MS), 0);
    assert_int_equal(observed_since_ms(), NOON_MS - 9000);
    counted.stamp_ms = NOON_MS - 9000;
    assert_int_equal(table_withdraw(fixture.table, &counted, NOON_MS), 0);
    assert_int_equal(observed_since_ms(), 0);
    fixture_reopen(&fixture); /* and the record is valid */
    assert_int_equal(fixture.said, 0);
}

/* Where the network is not banned, one ban alone is lifted. */
static void
the_bans_that_were_lifted_are_counted(void **state)
{
    struct ban ban;

    (void)state;
    fixture.jail.maxretry = 1;
    fixture.jail.neighbours = 4;
    fixture.jail.neighbours_s = 7200;
    assert_int_equal(table_jail(fixture.table, &fixture.jail), fixture.jail_index);
    assert_int_equal(fail_at("203.0.113.9", 1, NOON_MS), TABLE_BANNED);
    assert_int_equal(withdraw("203.0.113.9", 1, NOON_MS, true), 1);
    assert_false(find_ban(fixture.table, "203.0.113.9", &ban) && ban.end == BAN_RUNNING);
}

static void
another_ban_stays(void **state)
{
    struct ban by_hand = {.source = source_of("203.0.113.9"),
                          .jail = TABLE_JAIL_MANUAL,
                          .origin = BAN_BY_HAND,
                          .since_ms = NOON_MS,
                          .until_ms = NOON_MS + HOUR_MS};
    struct table_change change;

    (void)state;
    assert_int_equal(table_ban(fixture.table, &by_hand, NOON_MS), 0);
    fail_at("203.0.113.9", 4, NOON_MS);
    assert_false(withdraw("203.0.113.9", 4, NOON_MS, true));
    assert_int_equal(table_dequeue(fixture.table, &change, 1, NOON_MS), 1);
    assert_true(change.wanted);
}

static void
ends_have_names(void **state)
{
    (void)state;
    for (enum ban_end end = BAN_EXPIRED; end <= BAN_WITHDRAWN; end++)
        assert_int_equal(table_end_parse(table_end_name(end)), end);
    assert_int_equal(table_end_parse("gone"), BAN_RUNNING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_taken_back_no_longer_counts, begin, end),
        cmocka_unit_test_setup_teardown(a_network_counts_beside_its_addresses, begin, end),
        cmocka_unit_test_setup_teardown(the_ban_that_they_completed_is_lifted, begin, end),
        cmocka_unit_test_setup_teardown(what_would_have_been_a_ban_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(the_bans_that_were_lifted_are_counted, begin, end),
        cmocka_unit_test_setup_teardown(another_ban_stays, begin, end),
        cmocka_unit_test_setup_teardown(the_next_ban_is_as_long_as_if_there_had_been_none, begin,
                                        end),
        cmocka_unit_test_setup_teardown(the_ban_of_a_single_address_is_lifted, begin, end),
        cmocka_unit_test(ends_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
