/* test_stamp: which time a message is given.
 *
 * Fails when a stamp within bounds is not used, one out of bounds is, a host in another zone or
 * with a wrong clock is not corrected, or a queue that drains is taken for one; when a host name
 * can do harm; when one host is given what is known of another; when the same log gives another
 * answer the second time.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "line/stamp.h"

#define NOON_MS INT64_C(1795262400000) /* 2026-11-21 12:00 UTC */
#define SECOND  INT64_C(1000)
#define HOUR    (3600 * SECOND)
#define DAY     (24 * HOUR)

static const struct stamp_bounds week = {.age_ms = 7 * DAY, .ahead_ms = 60 * SECOND};

static struct stamp_watch *
watch_new(void)
{
    struct stamp_watch *watch = stamp_new((const uint64_t[2]){1, 2});

    assert_non_null(watch);
    return watch;
}

static int64_t
judge(struct stamp_watch *watch, const char *host, int64_t stamp_ms, int64_t received_ms)
{
    return stamp_judge(watch, host, strlen(host), stamp_ms, received_ms, &week);
}

/* Lines one every three seconds, each with the same skew. Returns what is taken off at the end. */
static int64_t
live_lines(struct stamp_watch *watch, const char *host, int64_t skew_ms, int64_t from_ms,
           unsigned lines)
{
    int64_t off_ms = 0;

    for (unsigned i = 0; i < lines; i++) {
        int64_t received_ms = from_ms + i * 3 * SECOND, stamp_ms = received_ms + skew_ms;

        off_ms = stamp_ms - judge(watch, host, stamp_ms, received_ms);
    }
    return off_ms;
}

static void
stamps_within_bounds_are_used(void **state)
{
    struct stamp_watch *watch = watch_new();

    (void)state;
    assert_int_equal(judge(watch, "a", NOON_MS, NOON_MS), NOON_MS);
    assert_int_equal(judge(watch, "b", NOON_MS - 7 * DAY, NOON_MS), NOON_MS - 7 * DAY);
    assert_int_equal(judge(watch, "c", NOON_MS - 7 * DAY - SECOND, NOON_MS), NOON_MS);
    assert_int_equal(judge(watch, "d", NOON_MS + 60 * SECOND, NOON_MS), NOON_MS + 60 * SECOND);
    assert_int_equal(judge(watch, "e", NOON_MS + 61 * SECOND, NOON_MS), NOON_MS);
    assert_int_equal(judge(watch, "f", 0, NOON_MS), NOON_MS);
    assert_int_equal(stamp_judge(watch, "g", 1, 0, NOON_MS,
                                 &(struct stamp_bounds){STAMP_ANY_AGE_MS, 60 * SECOND}),
                     0);
    stamp_free(watch);
}

static void
a_host_in_another_zone_is_corrected_and_said_once(void **state)
{
    static const int zones[] = {-48, -22, -20, -4, 1, 4, 23, 51, 56}; /* quarter-hours */
    char text[STAMP_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct stamp_watch *watch = watch_new();
        int64_t zone_ms = zones[i] * 900 * SECOND;

        live_lines(watch, "mx1", zone_ms - 2 * SECOND, NOON_MS, 4);
        assert_false(stamp_notice(watch, text));
        assert_int_equal(live_lines(watch, "mx1", zone_ms - SECOND, NOON_MS + 12000, 9), zone_ms);
        assert_true(stamp_notice(watch, text));
        assert_non_null(strstr(text, "host mx1 are"));
        assert_non_null(strstr(text, "time zone"));
        assert_false(stamp_notice(watch, text));
        live_lines(watch, "mx1", zone_ms + SECOND, NOON_MS + 60000, 30);
        assert_false(stamp_notice(watch, text));
        /* a neighbour is not concerned, and a late line of this host falls where it belongs */
        assert_int_equal(judge(watch, "mx2", NOON_MS, NOON_MS), NOON_MS);
        assert_int_equal(judge(watch, "mx1", NOON_MS + zone_ms, NOON_MS + HOUR), NOON_MS);
        stamp_free(watch);
    }
}

static void
a_host_whose_clock_was_put_right_is_right_again(void **state)
{
    struct stamp_watch *watch = watch_new();
    char text[STAMP_TEXT_SIZE];

    (void)state;
    assert_int_equal(live_lines(watch, "mx1", -420 * SECOND, NOON_MS, 10), -420 * SECOND);
    assert_true(stamp_notice(watch, text));
    assert_string_equal(text, "the stamps of host mx1 are 0h 7m 0s behind: they are read as that "
                              "much later; set its clock");
    /* at first its lines look as if they were seven minutes ahead: that can't be, so reception */
    assert_int_equal(judge(watch, "mx1", NOON_MS + HOUR, NOON_MS + HOUR), NOON_MS + HOUR);
    assert_int_equal(live_lines(watch, "mx1", 0, NOON_MS + HOUR, 10), 0);
    assert_true(stamp_notice(watch, text));
    assert_string_equal(text, "the stamps of host mx1 are right again");
    stamp_free(watch);
}

/* From two hours at ten lines a second to none in half a minute: each line where it belongs. */
static void
a_queue_that_drains_is_not_corrected(void **state)
{
    struct stamp_watch *watch = watch_new();
    char text[STAMP_TEXT_SIZE];

    (void)state;
    live_lines(watch, "mx1", 0, NOON_MS - 60 * SECOND, 20);
    for (int i = 0; i < 300; i++) {
        int64_t stamp_ms = NOON_MS + i * 24 * SECOND, received_ms = NOON_MS + 2 * HOUR + i * 100;

        assert_int_equal(judge(watch, "mx1", stamp_ms, received_ms), stamp_ms);
    }
    assert_false(stamp_notice(watch, text));
    stamp_free(watch);
}

/* Five failures in as many hours are no attack because they come in within a second. */
static void
a_log_replayed_gives_the_same_answers_twice(void **state)
{
    int64_t first[2000];

    (void)state;
    for (int run = 0; run < 2; run++) {
        struct stamp_watch *watch = watch_new();
        int64_t stamp_ms = NOON_MS - DAY;

        srandom(7);
        for (int i = 0; i < 2000; i++) {
            int64_t received_ms = NOON_MS + run * HOUR + i * (run + 1) / 2, judged;

            stamp_ms += random() % 40 * SECOND;
            judged = judge(watch, i % 2 ? "mx1" : "mx2", stamp_ms, received_ms);
            if (run == 0)
                first[i] = judged;
            assert_int_equal(judged, first[i]);
            assert_int_equal(judged, stamp_ms);
        }
        stamp_free(watch);
    }
}

/* Reception jumps, back and forth: never is anything taken for the future, and when the clock is
 * right again so are the stamps. */
static void
a_step_of_our_own_clock_does_no_harm(void **state)
{
    struct stamp_watch *watch = watch_new();

    (void)state;
    live_lines(watch, "mx1", 0, NOON_MS, 10);
    for (int i = 0; i < 20; i++) { /* ours was set back by an hour: the stamps seem ahead */
        int64_t received_ms = NOON_MS - HOUR + i * 3 * SECOND;

        assert_int_equal(judge(watch, "mx1", received_ms + HOUR, received_ms), received_ms);
    }
    assert_int_equal(live_lines(watch, "mx1", 0, NOON_MS + 100 * SECOND, 10), 0);
    assert_int_equal(live_lines(watch, "mx1", -HOUR, NOON_MS + HOUR, 10), -HOUR); /* and forth */
    assert_int_equal(live_lines(watch, "mx1", 0, NOON_MS + 200 * SECOND, 10), 0);
    stamp_free(watch);
}

static void
what_is_known_of_a_host_holds_for_no_other(void **state)
{
    struct stamp_watch *const watch = watch_new(), *const other = watch_new();
    const int64_t last_ms = NOON_MS + 27 * SECOND;

    (void)state;
    assert_int_equal(live_lines(watch, "a", -HOUR, NOON_MS, 10), -HOUR);
    assert_int_equal(judge(watch, "a", last_ms - HOUR, last_ms), last_ms);
    assert_int_equal(judge(watch, "b", last_ms - HOUR, last_ms), last_ms - HOUR);
    assert_int_equal(judge(watch, "a", last_ms - HOUR, last_ms), last_ms);
    assert_int_equal(judge(other, "a", last_ms - HOUR, last_ms), last_ms - HOUR);
    stamp_free(watch);
    stamp_free(other);
}

static void
hostile_names_do_no_harm(void **state)
{
    struct stamp_watch *watch = watch_new();
    char name[600], text[STAMP_TEXT_SIZE];
    unsigned said = 0;

    (void)state;
    memset(name, '\x1b', sizeof name);
    for (size_t length = 0; length < sizeof name; length += 13)
        for (int i = 0; i < 5; i++)
            stamp_judge(watch, name, length, NOON_MS - HOUR + i * 5000, NOON_MS + i * 5000, &week);
    while (stamp_notice(watch, text)) {
        said++;
        for (const char *c = text; *c != '\0'; c++)
            assert_true(*c >= ' ' && *c < 0x7f);
    }
    assert_in_range(said, 10, 47);
    /* a million names: as much memory, and who is seen often is forgotten seldom */
    live_lines(watch, "mx1", 3 * HOUR, NOON_MS, 10);
    for (unsigned i = 0; i < 1000000; i++) {
        snprintf(name, sizeof name, "host-%u", i);
        judge(watch, name, NOON_MS, NOON_MS);
    }
    assert_int_equal(live_lines(watch, "mx1", 3 * HOUR, NOON_MS + HOUR, 10), 3 * HOUR);
    stamp_free(watch);
}

static void *
many_lines(void *watch)
{
    char name[16], text[STAMP_TEXT_SIZE];

    for (unsigned i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "host-%u", i % 3);
        judge(watch, name, NOON_MS + i * 10, NOON_MS + HOUR + i * 10);
        stamp_notice(watch, text);
    }
    return NULL;
}

static void
threads_may_share_it(void **state)
{
    struct stamp_watch *watch = watch_new();
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_lines, watch), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stamp_free(watch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_within_bounds_are_used),
        cmocka_unit_test(a_host_in_another_zone_is_corrected_and_said_once),
        cmocka_unit_test(a_host_whose_clock_was_put_right_is_right_again),
        cmocka_unit_test(a_queue_that_drains_is_not_corrected),
        cmocka_unit_test(a_log_replayed_gives_the_same_answers_twice),
        cmocka_unit_test(a_step_of_our_own_clock_does_no_harm),
        cmocka_unit_test(what_is_known_of_a_host_holds_for_no_other),
        cmocka_unit_test(hostile_names_do_no_harm),
        cmocka_unit_test(threads_may_share_it),
    };

    cmocka_set_test_filter(getenv("STAMP_TESTS")); /* a pattern; sanitizers.test needs one */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
