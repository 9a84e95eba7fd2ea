/* Each condition holds for the facts that make it, just beyond its limit and not before, and none
 * holds where all is well; while no rsyslogd runs only a pause is told beside that.
 *
 * It fails when a condition stays silent or cries wolf, or when two have one name.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/condition.h"
#include "table_fixture.h"

#define NOW_MS INT64_C(1700000000000)

static struct condition_facts
fine(void)
{
    struct condition_facts facts = {.now_ms = NOW_MS, .jails = 1, .banned = 3};

    facts.status.writer = 1;
    facts.status.max_bans = 64;
    facts.status.opened_ms = NOW_MS - 7 * CONDITION_SILENT_MS;
    snprintf(facts.status.version, sizeof facts.status.version, "%s", PACKAGE_VERSION);
    facts.health.last_message_ms = NOW_MS - 1000;
    facts.health.recent_matched = 200;
    return facts;
}

static uint32_t
find(const struct condition_facts *facts)
{
    return condition_find(facts, CONDITION_SILENT_MS);
}

#define ASSERT_ONLY(facts, condition) assert_int_equal(find(&(facts)), CONDITION_BIT(condition))

static void
each_holds_for_its_facts(void **state)
{
    struct condition_facts facts = fine();

    (void)state;
    assert_int_equal(find(&facts), 0);
    facts.jails = 0;
    ASSERT_ONLY(facts, CONDITION_NO_JAIL);
    facts = fine();
    facts.setup = "mmnormalize is not loaded\n";
    ASSERT_ONLY(facts, CONDITION_CONFIGURATION);
    facts.setup = "";
    assert_int_equal(find(&facts), 0);
    facts = fine();
    strcpy(facts.status.version, "0.0.0");
    ASSERT_ONLY(facts, CONDITION_VERSION);
    facts = fine();
    facts.health.paused_until_ms = NOW_MS + 1;
    ASSERT_ONLY(facts, CONDITION_PAUSED);
    facts = fine();
    facts.health.ledger_error = -5;
    ASSERT_ONLY(facts, CONDITION_LEDGER);
    facts = fine();
    strcpy(facts.status.trouble, "refused");
    ASSERT_ONLY(facts, CONDITION_KERNEL);
    facts = fine();
    facts.pending = 1;
    ASSERT_ONLY(facts, CONDITION_WAITING);
    facts = fine();
    facts.health.outage.places = 1;
    ASSERT_ONLY(facts, CONDITION_BACKEND);
    facts = fine();
    facts.banned = 63;
    assert_int_equal(find(&facts), 0);
    facts.banned = 64;
    ASSERT_ONLY(facts, CONDITION_FULL);
}

static void
what_happened_once_is_told_for_an_hour(void **state)
{
    struct condition_facts facts = fine();

    (void)state;
    facts.health.held_back_ms = NOW_MS - CONDITION_SHOWN_MS + 1;
    ASSERT_ONLY(facts, CONDITION_HELD_BACK);
    facts.health.held_back_ms--;
    assert_int_equal(find(&facts), 0);
    facts.health.lost_ms = NOW_MS - CONDITION_SHOWN_MS + 1;
    ASSERT_ONLY(facts, CONDITION_LOST);
    facts.health.lost_ms--;
    assert_int_equal(find(&facts), 0);
}

static void
silence_counts_from_the_last_line_or_the_start(void **state)
{
    struct condition_facts facts = fine();

    (void)state;
    facts.health.last_message_ms = NOW_MS - CONDITION_SILENT_MS + 1;
    assert_int_equal(find(&facts), 0);
    facts.health.last_message_ms--;
    ASSERT_ONLY(facts, CONDITION_SILENT);
    facts.status.opened_ms = NOW_MS - 60000;
    assert_int_equal(find(&facts), 0);
    facts.health.last_message_ms = 0;
    assert_int_equal(condition_find(&facts, 60000), CONDITION_BIT(CONDITION_SILENT));
}

static void
unmatched_lines_count_where_they_are_many(void **state)
{
    struct condition_facts facts = fine();

    (void)state;
    facts.health.recent_unmatched = 10;
    assert_int_equal(find(&facts), 0); /* one of twenty */
    facts.health.recent_unmatched = 11;
    ASSERT_ONLY(facts, CONDITION_UNMATCHED);
    facts.health.recent_unmatched = 9;
    facts.health.recent_matched = 0;
    assert_int_equal(find(&facts), 0); /* too few to tell */
}

static void
without_rsyslogd_nothing_else_is_told(void **state)
{
    struct condition_facts facts = {.now_ms = NOW_MS, .pending = 7};

    (void)state;
    ASSERT_ONLY(facts, CONDITION_STOPPED);
    facts.health.paused_until_ms = TABLE_FOREVER_MS;
    assert_int_equal(find(&facts),
                     CONDITION_BIT(CONDITION_STOPPED) | CONDITION_BIT(CONDITION_PAUSED));
}

static void
each_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < CONDITIONS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(condition_name((enum condition)i),
                                    condition_name((enum condition)j));
}

/* ---- the facts ---- */

static void
the_facts_are_those_of_the_table(void **state)
{
    struct condition_facts facts;
    struct table_failure failure;
    struct fixture f;

    (void)state;
    fixture_begin(&f, 1024, 64);
    condition_read(f.table, NOON_MS, &facts);
    assert_int_equal(facts.jails, 1);
    assert_int_equal(facts.banned, 0);
    assert_string_equal(facts.jail.name, "?");
    for (int i = 0; i < 5; i++)
        count_now(&f, "203.0.113.9", NOON_MS);
    for (int i = 0; i < 5; i++)
        count_now(&f, "203.0.113.10", NOON_MS);
    condition_read(f.table, NOON_MS, &facts);
    assert_int_equal(facts.banned, 2);
    assert_int_equal(facts.pending, 2);
    keep(f.table, NOON_MS);
    for (int64_t s = 10; s < 14; s++) { /* they go on, as if there were no ban */
        failure = failure_of(source_of("203.0.113.9"), NOON_MS + s * 1000);
        failure.passed_ms = failure.stamp_ms;
        table_count(f.table, f.jail_index, &f.jail, &failure, 1, failure.stamp_ms);
    }
    condition_read(f.table, NOON_MS + 14000, &facts);
    assert_int_equal(facts.pending, 0);
    assert_int_equal(facts.ineffective, 1);
    assert_string_equal(facts.jail.name, "mail");
    assert_string_equal(condition_words(CONDITION_INEFFECTIVE), "bans have no effect");
    assert_true(find(&facts) & CONDITION_BIT(CONDITION_INEFFECTIVE));
    condition_read(f.table, NOON_MS + 2 * HOUR_MS, &facts); /* by then they are over */
    assert_int_equal(facts.banned, 0);
    f.jail.classes = 0;
    fixture_reopen(&f);
    condition_read(f.table, NOON_MS, &facts);
    assert_int_equal(facts.jails, 0);
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_holds_for_its_facts),
        cmocka_unit_test(what_happened_once_is_told_for_an_hour),
        cmocka_unit_test(silence_counts_from_the_last_line_or_the_start),
        cmocka_unit_test(unmatched_lines_count_where_they_are_many),
        cmocka_unit_test(without_rsyslogd_nothing_else_is_told),
        cmocka_unit_test(each_has_a_name_of_its_own),
        cmocka_unit_test(the_facts_are_those_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
