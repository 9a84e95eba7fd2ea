/* The breaker: what suspends the counting, for how long, and what an attacker can't make of it. It
 * fails when one client is enough, when any hour has more than ten minutes, when what was counted
 * just before is not given back, or when one host's fault stops another.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/breaker.h"
#include "table_fixture.h"

enum { MX1 = 11, MX2 = 12, POSTFIX = 21, OTHER = 22, ALICE = 31, BOB = 32 };

static const struct breaker_place mx1 = {MX1, 0}, mx1_postfix = {MX1, POSTFIX},
                                  mx1_other = {MX1, OTHER}, mx2_postfix = {MX2, POSTFIX};

static int
begin(void **state)
{
    *state = breaker_new();
    return *state == NULL;
}

static int
end(void **state)
{
    breaker_free(*state);
    return 0;
}

static bool
holds(struct breaker *breaker, const struct breaker_place *place, uint64_t client, int64_t stamp_ms)
{
    enum breaker_news news;
    struct breaker_place where;

    return breaker_holds(breaker, place, client, stamp_ms, &news, &where);
}

static unsigned
suspended(struct breaker *breaker, int64_t now_ms)
{
    struct breaker_outage outage;

    breaker_read_outage(breaker, now_ms, &outage);
    assert_true(outage.suspended == 0 ? outage.until_ms == 0 : outage.until_ms > now_ms);
    return outage.suspended;
}

static int64_t
at(int64_t seconds)
{
    return NOON_MS + seconds * 1000;
}

static void
one_client_is_not_enough(void **state)
{
    for (int i = 0; i < 1000; i++)
        assert_int_equal(breaker_fault(*state, &mx1, 1, 1000 + (uint64_t)i, at(i / 10)),
                         BREAKER_AS_BEFORE);
    assert_false(holds(*state, &mx1_postfix, 1, at(100)));
    assert_false(holds(*state, &mx1_postfix, 2, at(100)));
}

static void
two_clients_within_a_minute_are(void **state)
{
    assert_int_equal(breaker_fault(*state, &mx1, 1, 0, at(0)), BREAKER_AS_BEFORE);
    assert_int_equal(breaker_fault(*state, &mx1, 2, 0, at(61)), BREAKER_AS_BEFORE);
    assert_false(holds(*state, &mx1_postfix, 2, at(61)));
    assert_int_equal(breaker_fault(*state, &mx1, 1, 0, at(100)), BREAKER_ON);
    assert_int_equal(breaker_fault(*state, &mx1, 3, 0, at(101)), BREAKER_AS_BEFORE); /* said once */
    assert_true(holds(*state, &mx1_postfix, 9, at(101)));
    assert_int_equal(suspended(*state, at(101)), 1);
    assert_true(holds(*state, &mx1_postfix, 9, at(130)));  /* 29 s after the latest fault */
    assert_false(holds(*state, &mx1_postfix, 9, at(300))); /* and long after it */
    assert_int_equal(suspended(*state, at(300)), 0);
}

/* An attacker thinks up names; he can't think up those that have logged in. */
static void
users_count_when_they_have_logged_in(void **state)
{
    breaker_login(*state, ALICE);
    breaker_fault(*state, &mx1, 1, ALICE, at(0));
    assert_int_equal(breaker_fault(*state, &mx1, 1, BOB, at(1)), BREAKER_AS_BEFORE);
    breaker_login(*state, BOB);
    assert_int_equal(breaker_fault(*state, &mx1, 1, BOB, at(2)), BREAKER_ON);
}

static void
a_fault_that_names_nobody_hits_who_fails(void **state)
{
    enum breaker_news news;
    struct breaker_place where;

    breaker_fault(*state, &mx1_postfix, 0, 0, at(0));
    assert_false(holds(*state, &mx1_postfix, 1, at(1)));
    assert_false(holds(*state, &mx1_postfix, 1, at(2)));
    assert_true(breaker_holds(*state, &mx1_postfix, 2, at(3), &news, &where));
    assert_int_equal(news, BREAKER_ON);
    assert_int_equal(where.host, MX1);
    assert_int_equal(where.instance, POSTFIX);
}

static void
only_that_host_and_instance(void **state)
{
    breaker_fault(*state, &mx1_postfix, 1, 0, at(0));
    breaker_fault(*state, &mx1_postfix, 2, 0, at(1));
    assert_true(holds(*state, &mx1_postfix, 3, at(2)));
    assert_false(holds(*state, &mx1_other, 3, at(2)));
    assert_false(holds(*state, &mx2_postfix, 3, at(2)));
    breaker_fault(*state, &mx1, 1, 0, at(3)); /* Dovecot's: whoever asks it */
    breaker_fault(*state, &mx1, 2, 0, at(4));
    assert_true(holds(*state, &mx1_other, 3, at(5)));
    assert_false(holds(*state, &mx2_postfix, 3, at(5)));
}

/* Every second for three hours somebody provokes faults in every way: which hour is the worst? */
static void
never_more_than_ten_minutes_in_an_hour(void **state)
{
    enum { SECONDS = 3 * 3600 };
    static bool held[SECONDS];
    int worst = 0, sum = 0;

    for (unsigned pause = 1; pause < 200; pause += 33) {
        struct breaker *breaker = breaker_new();

        memset(held, 0, sizeof held);
        sum = 0;
        for (int s = 0; s < SECONDS; s++) {
            if (s % (int)pause == 0) {
                breaker_fault(breaker, &mx1, (uint64_t)s % 7 + 1, 0, at(s));
                breaker_fault(breaker, &mx1, (uint64_t)s % 5 + 10, 0, at(s));
            }
            for (int back = 0; back <= 70 && back <= s; back++) /* late lines, too */
                held[s - back] |= holds(breaker, &mx1_postfix, 99, at(s - back));
        }
        for (int s = 0; s < SECONDS; s++) {
            sum += held[s];
            sum -= s >= 3600 && held[s - 3600];
            worst = sum > worst ? sum : worst;
        }
        breaker_free(breaker);
    }
    assert_in_range(worst, 500, 600);
    (void)state;
}

/* Dovecot's faults, then Postfix's, then those of another instance of it: one after the other, or
 * turn by turn. */
static void
a_host_has_one_budget(void **state)
{
    static const struct breaker_place *const places[] = {&mx1, &mx1_postfix, &mx1_other};
    enum { SECONDS = 2 * 3600 };
    static bool held[SECONDS];

    for (int turn = 1; turn <= 1200; turn = turn * 3 + 40) {
        struct breaker *breaker = breaker_new();
        int worst = 0, sum = 0;

        memset(held, 0, sizeof held);
        for (int s = 0; s < SECONDS; s++) {
            breaker_fault(breaker, places[s / turn % 3], 1, 0, at(s));
            breaker_fault(breaker, places[s / turn % 3], 2, 0, at(s));
            for (int back = 0; back <= 70 && back <= s; back += 5)
                held[s - back] |= holds(breaker, &mx1_postfix, 99, at(s - back)) ||
                                  holds(breaker, &mx1_other, 98, at(s - back));
        }
        for (int s = 0; s < SECONDS; s++) {
            sum += held[s];
            sum -= s >= 3600 && held[s - 3600];
            worst = sum > worst ? sum : worst;
        }
        assert_in_range(worst, 300, 600);
        breaker_free(breaker);
    }
    (void)state;
}

/* That its ten minutes are spent is told once, whichever of its places would need them. */
static void
a_spent_budget_is_told_once(void **state)
{
    unsigned told = 0;

    for (int s = 0; s < 1800; s++) {
        const struct breaker_place *const place = s % 2 == 0 ? &mx1_postfix : &mx1_other;

        told += breaker_fault(*state, place, 1, 0, at(s)) == BREAKER_SPENT;
        told += breaker_fault(*state, place, 2, 0, at(s)) == BREAKER_SPENT;
    }
    assert_int_equal(told, 1);
}

static void
what_was_counted_before_is_given_back_once(void **state)
{
    struct breaker_failure got[8], failure = {.place = mx1_postfix, .counted = {.jails = 2}};

    for (int i = 0; i < 40; i += 5) {
        failure.counted.stamp_ms = at(i);
        failure.counted.attempts = (uint32_t)i;
        breaker_counted(*state, &failure);
    }
    failure.place = mx2_postfix;
    breaker_counted(*state, &failure);
    assert_int_equal(breaker_take(*state, &mx1, got, 8), 0);
    breaker_fault(*state, &mx1, 1, 0, at(22));
    assert_int_equal(breaker_fault(*state, &mx1, 2, 0, at(40)), BREAKER_ON);
    assert_int_equal(breaker_take(*state, &mx1, got, 2), 2);
    assert_int_equal(got[0].counted.attempts, 20); /* two seconds before the first fault */
    assert_int_equal(breaker_take(*state, &mx1, got, 8), 2);
    assert_int_equal(got[1].counted.attempts, 35);
    assert_int_equal(breaker_take(*state, &mx1, got, 8), 0);
}

static void
many_places_displace_each_other(void **state)
{
    for (uint64_t host = 100; host < 100000; host++) {
        const struct breaker_place place = {host, 0};

        breaker_fault(*state, &place, 1, 0, at((int64_t)host / 1000));
        assert_int_equal(breaker_fault(*state, &place, 2, 0, at((int64_t)host / 1000)), BREAKER_ON);
    }
    assert_in_range(suspended(*state, at(99)), 1, 256);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_client_is_not_enough, begin, end),
        cmocka_unit_test_setup_teardown(two_clients_within_a_minute_are, begin, end),
        cmocka_unit_test_setup_teardown(users_count_when_they_have_logged_in, begin, end),
        cmocka_unit_test_setup_teardown(a_fault_that_names_nobody_hits_who_fails, begin, end),
        cmocka_unit_test_setup_teardown(only_that_host_and_instance, begin, end),
        cmocka_unit_test_setup_teardown(never_more_than_ten_minutes_in_an_hour, begin, end),
        cmocka_unit_test_setup_teardown(a_host_has_one_budget, begin, end),
        cmocka_unit_test_setup_teardown(a_spent_budget_is_told_once, begin, end),
        cmocka_unit_test_setup_teardown(what_was_counted_before_is_given_back_once, begin, end),
        cmocka_unit_test_setup_teardown(many_places_displace_each_other, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
