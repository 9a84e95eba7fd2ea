/* Bans that have no effect. Failures whose packets came after a ban was in force make it known, in
 * three different seconds; those in flight, those of connections that the ban cut off, those that
 * came elsewhere, during a pause, after the kernel had lost the ban, and rare ones do not. Nothing
 * is forgotten by a prolongation or a restart, and the cause names the open port.
 *
 * Of more bans than are kept in mind the rest is not told; a failure that is looked at twice counts
 * once.
 *
 * It fails when the time of a line is taken for that of its packets, when a ban counts as in force
 * that the kernel has lost, or when one ban is told twice.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include "table/effect.h"
#include "table/table-effect.h"
#include "table/table-health.h"

#define CLIENT "203.0.113.9"

static struct fixture fixture;

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&fixture, 1024, 64);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

/* Five failures, and the kernel has the ban at now_ms. */
static void
make_ban(int64_t now_ms)
{
    for (int i = 0; i < 5; i++)
        count_now(&fixture, CLIENT, now_ms);
    assert_int_equal(keep(fixture.table, now_ms), 1);
}

static enum table_verdict
fail_at(int64_t stamp_ms, int64_t passed_ms)
{
    struct table_failure failure = failure_of(source_of(CLIENT), stamp_ms);

    failure.passed_ms = passed_ms;
    failure.services = EFFECT_SUBMISSION;
    return table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1, stamp_ms);
}

static struct ban
ban_now(void)
{
    struct ban ban;

    assert_true(find_ban(fixture.table, CLIENT, &ban));
    return ban;
}

static bool
fails(int64_t now_ms)
{
    struct ban ban = ban_now();

    return effect_is_missing(&ban, now_ms);
}

static void
three_seconds_make_it_known(void **state)
{
    struct ban ban;

    (void)state;
    make_ban(NOON_MS);
    assert_int_equal(ban_now().enforced_ms, NOON_MS);
    for (int64_t s = 10; s < 13; s++) {
        assert_false(fails(NOON_MS + s * 1000));
        assert_false(table_dequeue_ineffective(fixture.table, &ban));
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    }
    assert_true(fails(NOON_MS + 13000));
    assert_true(table_dequeue_ineffective(fixture.table, &ban));
    assert_int_equal(ban.after, 3);
    assert_int_equal(ban.after_first_ms, NOON_MS + 10000);
    assert_false(table_dequeue_ineffective(fixture.table, &ban));
    fail_at(NOON_MS + 12500, NOON_MS + 12500); /* in the third second as well */
    assert_false(table_dequeue_ineffective(fixture.table, &ban));
    for (int64_t s = 13; s < 60; s++)
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    assert_false(table_dequeue_ineffective(fixture.table, &ban)); /* once */
    assert_int_equal(ban_now().after, 51);
    assert_int_equal(table_after_bans(fixture.table), 51);
}

/* More bans have no effect than are kept in mind at once: those are told, and no harm is done. */
static void
of_many_without_effect_the_first_sixteen_are_told(void **state)
{
    const unsigned bans = 20;
    struct ban ban;
    unsigned told = 0;

    (void)state;
    fixture.jail.maxretry = 1;
    for (unsigned i = 0; i < bans; i++)
        count_at(&fixture, numbered_source(i << 8 | 7), NOON_MS, NOON_MS);
    assert_int_equal(keep(fixture.table, NOON_MS), bans);
    for (unsigned i = 0; i < 3 * bans; i++) {
        const int64_t now_ms = NOON_MS + 10000 + i / bans * 1000;
        struct table_failure failure = failure_of(numbered_source((i % bans) << 8 | 7), now_ms);

        failure.passed_ms = now_ms;
        table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1, now_ms);
    }
    while (table_dequeue_ineffective(fixture.table, &ban))
        told++;
    assert_int_equal(told, 16);
    assert_int_equal(table_after_bans(fixture.table), 3 * bans);
}

static void
many_in_one_second_do_not(void **state)
{
    (void)state;
    make_ban(NOON_MS);
    for (int i = 0; i < 100; i++)
        fail_at(NOON_MS + 10000 + i, NOON_MS + 10000 + i);
    assert_false(fails(NOON_MS + 11000));
    assert_int_equal(ban_now().after, 100);
}

static bool
never(void *asked)
{
    (void)asked;
    return false;
}

/* The failure that would prolong the ban is looked at twice, when it is asked whether its client is
 * a gateway. */
static void
each_failure_is_told_once(void **state)
{
    struct table_failure failure = failure_of(source_of(CLIENT), NOON_MS + 10000);

    (void)state;
    make_ban(NOON_MS);
    failure.passed_ms = failure.stamp_ms;
    failure.is_gateway = never;
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(table_count(fixture.table, fixture.jail_index, &fixture.jail, &failure, 1,
                                     failure.stamp_ms),
                         i == 5 ? TABLE_PROLONGED : TABLE_KNOWN);
    assert_int_equal(ban_now().after, 5);
    assert_int_equal(table_after_bans(fixture.table), 5);
}

static void
what_was_in_flight_does_not(void **state)
{
    (void)state;
    make_ban(NOON_MS);
    for (int64_t s = 0; s <= 5; s++)
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    for (int64_t s = 10; s < 60; s++) /* lines that come late */
        fail_at(NOON_MS + s * 1000, NOON_MS + 4000);
    for (int64_t s = 10; s < 60; s++) /* of other hosts */
        fail_at(NOON_MS + s * 1000, 0);
    assert_int_equal(ban_now().after, 0);
}

static void
nor_what_no_kernel_had_to_stop(void **state)
{
    const int64_t later_ms = NOON_MS + 30000;

    (void)state;
    for (int i = 0; i < 5; i++)
        count_now(&fixture, CLIENT, NOON_MS);
    for (int64_t s = 10; s < 20; s++) /* waits for the kernel */
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    assert_int_equal(ban_now().after, 0);
    keep(fixture.table, later_ms);
    assert_true(ban_now().enforced_ms == later_ms);
    table_want_all(fixture.table); /* the ruleset was flushed */
    assert_int_equal(ban_now().enforced_ms, 0);
    for (int64_t s = 10; s < 20; s++)
        fail_at(later_ms + s * 1000, later_ms + s * 1000);
    assert_int_equal(ban_now().after, 0);
    table_pause(fixture.table, TABLE_FOREVER_MS);
    keep(fixture.table, later_ms + 20000);
    for (int64_t s = 30; s < 40; s++)
        fail_at(later_ms + s * 1000, later_ms + s * 1000);
    assert_int_equal(ban_now().after, 0);
    table_pause(fixture.table, 0);
    keep(fixture.table, later_ms + 41000);
    assert_int_equal(ban_now().enforced_ms, later_ms + 41000);
}

static void
a_prolonged_ban_is_in_force_all_the_time(void **state)
{
    bool was_prolonged = false;

    (void)state;
    make_ban(NOON_MS);
    for (int64_t s = 10; s < 40; s++)
        was_prolonged |= fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000) == TABLE_PROLONGED;
    assert_true(was_prolonged);
    assert_int_equal(ban_now().after, 30);
    keep(fixture.table, NOON_MS + 40000);
    assert_int_equal(ban_now().enforced_ms, NOON_MS);
}

static void
it_is_over_after_ten_minutes(void **state)
{
    struct ban ban;

    (void)state;
    make_ban(NOON_MS);
    for (int64_t s = 10; s < 13; s++)
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    assert_true(table_dequeue_ineffective(fixture.table, &ban));
    assert_true(fails(NOON_MS + 12000 + EFFECT_QUIET_MS));
    assert_false(fails(NOON_MS + 12000 + EFFECT_QUIET_MS + 1));
    for (int64_t s = 1000; s < 1002; s++) /* two are not enough to begin anew */
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    assert_false(fails(NOON_MS + 1002000));
    fail_at(NOON_MS + 1002000, NOON_MS + 1002000);
    assert_true(table_dequeue_ineffective(fixture.table, &ban));
    assert_int_equal(ban.after, 3);
}

static void
a_restart_forgets_nothing(void **state)
{
    (void)state;
    make_ban(NOON_MS);
    for (int64_t s = 10; s < 13; s++)
        fail_at(NOON_MS + s * 1000, NOON_MS + s * 1000);
    fixture_reopen(&fixture);
    assert_true(fails(NOON_MS + 14000));
}

/* A stamp far from all others, in a table that a damaged file could have been. */
static void
hostile_times_do_no_harm(void **state)
{
    struct ban ban = {.state = BAN_ENFORCED, .enforced_ms = 1, .after_seconds = 9};

    (void)state;
    assert_false(effect_is_missing(&ban, NOON_MS));
    ban.after_last_ms = INT64_MAX;
    assert_true(effect_is_missing(&ban, NOON_MS));
}

/* ---- from a line to its packets ---- */

static int64_t
passed(enum offence_class class, const char *service, const char *session)
{
    const struct offence offence = {
        .class = class,
        .service = service,
        .service_length = strlen(service),
        .session = session,
        .session_length = strlen(session),
    };

    return effect_passed_ms(&offence, NOON_MS) - NOON_MS;
}

static void
lines_come_later_than_packets(void **state)
{
    (void)state;
    assert_int_equal(passed(OFFENCE_AUTH_FAILED, "postfix/submission/smtpd", ""), -20000);
    assert_int_equal(passed(OFFENCE_RCPT_UNKNOWN, "postfix/smtpd", ""), -20000);
    assert_int_equal(passed(OFFENCE_CONN_TIMEOUT, "postfix/smtpd", ""), -300000);
    assert_int_equal(passed(OFFENCE_AUTH_FAILED, "imap-login", ""), -300000);
    /* 2026-11-21 07:31:57.907 by its id, far from noon: not to be believed */
    assert_int_equal(passed(OFFENCE_AUTH_FAILED, "imap-login", "IywQW8Rg/Y/LAHEO"), -300000);
}

/* Real ids, and the stamps of their lines. */
static void
dovecot_tells_when_a_session_began(void **state)
{
    static const struct {
        const char *id;
        int64_t stamp_ms;
    } sessions[] = {
        {"IywQW8Rg/Y/LAHEO", INT64_C(1795246317907)},
        {"8Z9/UcRgr8bLAHEf", INT64_C(1795246157439)},
        {"BH8gysRg4RAgAQ24AAoAAAAAAAAAAAB3", INT64_C(1795248181248)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
        const struct offence offence = {.session = sessions[i].id,
                                        .session_length = strlen(sessions[i].id)};
        const int64_t began_ms = offence_session_ms(&offence, NOON_MS);

        assert_true(llabs(began_ms - sessions[i].stamp_ms) <= 1000);
        assert_int_equal(began_ms, offence_session_ms(&offence, NOON_MS + 300 * HOUR_MS));
        assert_int_equal(effect_passed_ms(&offence, began_ms + 170000), began_ms);
        assert_int_equal(effect_passed_ms(&offence, began_ms - 1), began_ms - 1); /* not later */
    }
    assert_int_equal(offence_session_ms(&(struct offence){.session = ""}, NOON_MS), 0);
}

/* A beginning that no connection of this line can have had is not believed: one that is as old as
 * the longest connection, or 2 s later than the line. An event tells of its answer. */
static void
the_beginning_of_a_session_is_believed_within_bounds(void **state)
{
    static const char id[] = "IywQW8Rg/Y/LAHEO";
    const struct offence event = {
        .session = id, .session_length = strlen(id), .flags = OFFENCE_FROM_EVENT};
    const int64_t began_ms = offence_session_ms(&event, NOON_MS);
    const struct {
        int64_t stamp_ms, passed_ms;
    } cases[] = {
        {began_ms + 299999, began_ms},
        {began_ms + 300000, began_ms + 280000},
        {began_ms - 2000, began_ms - 2000}, /* it is in microseconds, and cut */
        {began_ms - 2001, began_ms - 22001},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(effect_passed_ms(&event, cases[i].stamp_ms), cases[i].passed_ms);
}

/* ---- the cause ---- */

static void
services_are_known(void **state)
{
    static const struct {
        const char *name;
        uint8_t service;
    } names[] = {
        {"postfix/smtpd", EFFECT_SMTP},
        {"postfix/postscreen", EFFECT_SMTP},
        {"postfix/submission/smtpd", EFFECT_SUBMISSION},
        {"postfix/submissions/smtpd", EFFECT_SUBMISSIONS},
        {"postfix/smtps/smtpd", EFFECT_SUBMISSIONS},
        {"postfix-out/smtpd", EFFECT_SMTP},
        {"imap-login", EFFECT_IMAP},
        {"dovecot/pop3-login", EFFECT_POP3},
        {"managesieve-login", EFFECT_SIEVE},
        {"submission-login", EFFECT_SUBMISSION},
        {"sshd", 0},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(effect_service(names[i].name, strlen(names[i].name)), names[i].service);
}

static void
the_cause_is_named(void **state)
{
    struct ban ban = {.source = source_of(CLIENT), .after_services = EFFECT_SUBMISSION};
    char text[EFFECT_TEXT_SIZE];
    struct jail jail;

    (void)state;
    jail_defaults(&jail);
    effect_explain(&ban, &jail, NULL, text);
    assert_non_null(strstr(text, "1. a proxy or container gateway in front"));
    assert_non_null(strstr(text, "notrack"));
    effect_explain(&ban, &jail, "inet blocklist bad4", text);
    assert_non_null(strstr(text, "no rule drops what is in set inet blocklist bad4"));
    jail.ports = (struct ports){.count = 1, .number = {25}};
    effect_explain(&ban, &jail, NULL, text);
    assert_non_null(strstr(text, "they came to 587, but jail mail closes 25"));
    ban.after_services = EFFECT_SMTP;
    effect_explain(&ban, &jail, NULL, text);
    assert_non_null(strstr(text, "1. a proxy"));
    jail.ports = (struct ports){.count = 1, .number = {0}};
    ban.after_services = 0xff;
    effect_explain(&ban, &jail, NULL, text);
    assert_non_null(strstr(text, "1. a proxy"));
    effect_explain(&ban, NULL, NULL, text);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(three_seconds_make_it_known),
        TEST(many_in_one_second_do_not),
        TEST(of_many_without_effect_the_first_sixteen_are_told),
        TEST(each_failure_is_told_once),
        TEST(what_was_in_flight_does_not),
        TEST(nor_what_no_kernel_had_to_stop),
        TEST(a_prolonged_ban_is_in_force_all_the_time),
        TEST(it_is_over_after_ten_minutes),
        TEST(a_restart_forgets_nothing),
        cmocka_unit_test(hostile_times_do_no_harm),
        cmocka_unit_test(lines_come_later_than_packets),
        cmocka_unit_test(dovecot_tells_when_a_session_began),
        cmocka_unit_test(the_beginning_of_a_session_is_believed_within_bounds),
        cmocka_unit_test(services_are_known),
        cmocka_unit_test(the_cause_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
