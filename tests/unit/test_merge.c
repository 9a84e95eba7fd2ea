/* test_merge: the rules of the merge one by one, each in the smallest case of it. What they come to
 * together is tests/fleet's.
 *
 * Fails when one of them is not kept.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/merge.h"

#define NOW_MS  INT64_C(1767225600000)
#define HOUR_MS INT64_C(3600000)

static struct merge *merge;
static struct limits limits;
static struct orders orders;
static int64_t now_ms;

static int
setup(void **state)
{
    (void)state;
    merge = merge_new("mx1", 256, 7);
    limits_set_default(&limits, 256);
    now_ms = NOW_MS;
    return merge == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    merge_free(merge);
    return 0;
}

static struct telegram_ban
ban_of(const char *text, uint64_t change)
{
    struct telegram_ban ban = {.ports = ports_mail(),
                               .since_ms = now_ms - 1000,
                               .until_ms = now_ms + HOUR_MS,
                               .change = change,
                               .scope = TELEGRAM_SCOPE_FLEET};

    assert_int_equal(source_parse_prefix(text, strlen(text), &ban.source), 0);
    return ban;
}

static struct telegram
telegram_of(enum telegram_kind kind, const char *origin, uint64_t table)
{
    struct telegram telegram = {.kind = kind, .table = table, .sent_ms = now_ms};

    strcpy(telegram.origin, origin);
    return telegram;
}

static enum merge_outcome
take(const struct telegram *telegram)
{
    return merge_take(merge, telegram, &limits, now_ms, &orders);
}

/* An event of the centre's table 1. Returns how many orders it makes. */
static unsigned
event(enum telegram_kind kind, const char *source, uint64_t change)
{
    struct telegram telegram = telegram_of(kind, "centre", 1);

    telegram.ban = ban_of(source, change);
    if (kind == TELEGRAM_PARDON)
        telegram.ban.ports = (struct ports){0};
    assert_int_equal(take(&telegram), MERGE_TAKEN);
    return orders.count;
}

/* The whole table on one page, with one ban or none. */
static unsigned
page(uint64_t table, uint64_t change, const struct telegram_ban *ban)
{
    struct telegram telegram = telegram_of(TELEGRAM_PAGE, "centre", table);

    telegram.page.pages = 1;
    telegram.page.change = change;
    if (ban != NULL)
        telegram.page.bans[telegram.page.ban_count++] = *ban;
    assert_int_equal(take(&telegram), MERGE_TAKEN);
    return orders.count;
}

static void
a_ban_is_made_once(void **state)
{
    (void)state;
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 5), 1);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
    assert_string_equal(orders.at[0].origin, "centre");
    assert_true(orders.at[0].end_ms == NOW_MS + HOUR_MS);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 5), 0);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 4), 0);
}

static void
the_highest_change_wins_in_any_order(void **state)
{
    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 5);
    assert_int_equal(event(TELEGRAM_UNBAN, "203.0.113.9", 4), 0);
    assert_int_equal(event(TELEGRAM_UNBAN, "203.0.113.9", 6), 1);
    assert_int_equal(orders.at[0].kind, ORDER_LIFT);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 5), 0);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 7), 1);
    assert_int_equal(event(TELEGRAM_UNBAN, "203.0.113.10", 9), 0);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.10", 8), 0);
}

/* Banned for an hour, lifted, banned for a minute, lifted: the first of it comes last. */
static void
a_late_ban_is_not_brought_back_by_the_short_one_that_followed(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_UNBAN, "centre", 1);
    struct telegram late = telegram_of(TELEGRAM_BAN, "centre", 1);

    (void)state;
    late.ban = ban_of("203.0.113.9", 5);
    telegram.ban = ban_of("203.0.113.9", 8);
    telegram.ban.until_ms = now_ms + 60000;
    take(&telegram);
    now_ms += 5 * 60000;
    take(&late);
    assert_int_equal(orders.count, 0);
    telegram.ban = ban_of("203.0.113.10", 18);
    telegram.ban.until_ms = now_ms - 60000;
    telegram.ban.since_ms = now_ms - 90000;
    take(&telegram);
    late.ban = ban_of("203.0.113.10", 15);
    take(&late);
    assert_int_equal(orders.count, 0);
}

static void
a_page_lifts_what_it_does_not_hold_and_is_older(void **state)
{
    const struct telegram_ban held = ban_of("203.0.113.9", 5);

    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 5);
    event(TELEGRAM_BAN, "203.0.113.10", 7);
    assert_int_equal(page(1, 6, &held), 0);
    assert_int_equal(page(1, 8, &held), 1);
    assert_int_equal(orders.at[0].kind, ORDER_LIFT);
    assert_true(orders.at[0].source.address[15] == 10);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.10", 7), 0);
    assert_int_equal(page(1, 4, NULL), 0); /* the other is newer than that */
    assert_int_equal(page(1, 5, NULL), 1); /* and no newer than that */
}

static void
a_new_table_retires_the_former_one(void **state)
{
    const struct telegram_ban first = ban_of("203.0.113.10", 1);
    struct telegram late = telegram_of(TELEGRAM_BAN, "centre", 1);
    struct merge_counts counts;

    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 500);
    assert_int_equal(page(2, 1, &first), 2);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
    assert_int_equal(orders.at[1].kind, ORDER_LIFT);
    late.ban = ban_of("203.0.113.11", 501);
    for (unsigned i = 1; i < MERGE_INSISTS; i++)
        assert_int_equal(take(&late), MERGE_RETIRED);
    assert_int_equal(page(2, 1, &first), 0);
    for (unsigned i = 1; i < MERGE_INSISTS; i++)
        assert_int_equal(take(&late), MERGE_RETIRED);
    merge_read_counts(merge, &counts);
    assert_int_equal(counts.retired, 2 * (MERGE_INSISTS - 1));
    assert_int_equal(counts.taken, 3);
    assert_int_equal(take(&late), MERGE_TAKEN);
}

/* Before that nobody knows what it holds. */
static void
a_new_table_is_reported_with_its_first_page(void **state)
{
    struct telegram_holding holds[MERGE_ORIGINS_MAX];
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "centre", 2);

    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 5);
    assert_int_equal(merge_report(merge, holds), 0);
    page(1, 9, NULL);
    assert_int_equal(merge_report(merge, holds), 1);
    assert_true(holds[0].table == 1);
    telegram.ban = ban_of("203.0.113.10", 1);
    assert_int_equal(take(&telegram), MERGE_TAKEN);
    assert_int_equal(merge_report(merge, holds), 0);
    page(2, 1, &telegram.ban);
    assert_int_equal(merge_report(merge, holds), 1);
    assert_true(holds[0].table == 2);
}

/* As its origin counts them: what ends with the page is none any more. */
static void
a_report_counts_what_outlasts_the_page(void **state)
{
    struct telegram_holding holds[MERGE_ORIGINS_MAX];
    struct telegram_ban held = ban_of("203.0.113.9", 5);

    (void)state;
    for (unsigned left_ms = 0; left_ms <= 1; left_ms++) {
        held.until_ms = now_ms + left_ms;
        held.change++;
        page(1, 9, &held);
        assert_int_equal(merge_report(merge, holds), 1);
        assert_int_equal(holds[0].count, left_ms);
        assert_true((holds[0].digest != 0) == (left_ms != 0));
    }
}

static bool
is_not_the_tenth(void *context, const struct order *ban)
{
    (void)context;
    return ban->source.address[15] != 10;
}

/* What somebody has lifted is not reported: as if the page had never had it. */
static void
a_report_does_not_count_what_is_not_in_force(void **state)
{
    struct telegram_holding holds[MERGE_ORIGINS_MAX], without;
    struct telegram telegram = telegram_of(TELEGRAM_PAGE, "centre", 1);

    (void)state;
    telegram.page.pages = 1;
    telegram.page.change = 9;
    telegram.page.bans[0] = ban_of("203.0.113.9", 5);
    telegram.page.bans[1] = ban_of("203.0.113.10", 6);
    for (telegram.page.ban_count = 1; telegram.page.ban_count <= 2; telegram.page.ban_count++) {
        assert_int_equal(take(&telegram), MERGE_TAKEN);
        merge_verify(merge, is_not_the_tenth, NULL, now_ms);
        assert_int_equal(merge_report(merge, holds), 1);
        assert_int_equal(holds[0].count, 1);
        if (telegram.page.ban_count == 1)
            without = holds[0];
        assert_true(holds[0].digest == without.digest);
    }
}

static void
a_ban_that_ends_now_is_none(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "centre", 1);

    (void)state;
    for (unsigned left_ms = 0; left_ms <= 1; left_ms++) {
        telegram.ban = ban_of("203.0.113.9", 5 + left_ms);
        telegram.ban.until_ms = now_ms + left_ms;
        assert_int_equal(take(&telegram), MERGE_TAKEN);
        assert_int_equal(orders.count, left_ms);
    }
}

static void
origins_do_not_touch_each_other(void **state)
{
    struct telegram other = telegram_of(TELEGRAM_UNBAN, "second", 9),
                    own = telegram_of(TELEGRAM_BAN, "mx1", 3);

    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 5);
    other.ban = ban_of("203.0.113.9", 50);
    assert_int_equal(take(&other), MERGE_TAKEN);
    assert_int_equal(orders.count, 0);
    own.ban = ban_of("203.0.113.11", 1);
    assert_int_equal(take(&own), MERGE_OWN);
}

static void
a_pardon_ends_what_began_before(void **state)
{
    struct telegram other = telegram_of(TELEGRAM_BAN, "second", 9);

    (void)state;
    other.ban = ban_of("203.0.113.9", 1);
    other.ban.since_ms = now_ms - HOUR_MS;
    take(&other);
    event(TELEGRAM_BAN, "203.0.113.10", 5);
    assert_int_equal(event(TELEGRAM_PARDON, "203.0.113.0/24", 6), 3);
    assert_int_equal(orders.at[0].kind, ORDER_PARDON);
    assert_int_equal(orders.at[1].kind, ORDER_LIFT);
    assert_int_equal(orders.at[2].kind, ORDER_LIFT);
    other.ban.change = 2;
    take(&other);
    assert_int_equal(orders.count, 0);
    other.ban.change = 3;
    other.ban.since_ms = now_ms;
    take(&other);
    assert_int_equal(orders.count, 1);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
}

/* A place is given away only where none is free: who holds nothing just now is known all the same,
 * with its clock and its table. */
static void
who_holds_nothing_keeps_its_place_while_one_is_free(void **state)
{
    struct telegram_holding holds[MERGE_ORIGINS_MAX];
    struct telegram other = telegram_of(TELEGRAM_UNBAN, "second", 9);

    (void)state;
    page(1, 4, NULL);
    assert_int_equal(merge_report(merge, holds), 1);
    for (unsigned i = 0; i < MERGE_ORIGINS_MAX - 1; i++) {
        snprintf(other.origin, sizeof other.origin, "other%u", i);
        other.ban = ban_of("203.0.113.9", 50);
        assert_int_equal(take(&other), MERGE_TAKEN);
    }
    assert_int_equal(merge_report(merge, holds), 1);
    assert_string_equal(holds[0].origin, "centre");
}

/* There are so many pardons at once; those that are over make room. */
static void
pardons_are_so_many_and_end(void **state)
{
    char source[32];

    (void)state;
    merge_free(merge);
    merge = merge_new("mx1", 4 * MERGE_PARDONS_MAX, 7);
    limits_set_default(&limits, 4 * MERGE_PARDONS_MAX);
    for (unsigned i = 0; i <= MERGE_PARDONS_MAX; i++) {
        snprintf(source, sizeof source, "203.0.%u.%u", i / 256, i % 256);
        now_ms += 1000; /* not too fast */
        assert_int_equal(event(TELEGRAM_PARDON, source, i + 1), i < MERGE_PARDONS_MAX);
    }
    now_ms += 4 * HOUR_MS;
    assert_int_equal(event(TELEGRAM_PARDON, "198.51.100.1", 5000), 1);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.0.7", 5001), 1);
}

static void
the_end_of_a_pardon_ends_no_other(void **state)
{
    struct telegram other = telegram_of(TELEGRAM_BAN, "second", 9);

    (void)state;
    event(TELEGRAM_PARDON, "203.0.113.9", 1);
    now_ms += HOUR_MS / 2;
    event(TELEGRAM_PARDON, "203.0.113.10", 2);
    other.ban = ban_of("203.0.113.10", 1);
    other.ban.since_ms -= HOUR_MS;
    other.ban.until_ms += 2 * HOUR_MS;
    now_ms += HOUR_MS * 3 / 4;
    event(TELEGRAM_PARDON, "203.0.113.11", 3); /* the first is over, and makes room */
    other.sent_ms = now_ms;
    assert_int_equal(take(&other), MERGE_TAKEN);
    assert_int_equal(orders.count, 0);
}

/* The table of the one who pardons has not changed meanwhile. */
static void
a_second_pardon_ends_what_began_after_the_first(void **state)
{
    struct telegram other = telegram_of(TELEGRAM_BAN, "second", 9);

    (void)state;
    assert_int_equal(event(TELEGRAM_PARDON, "203.0.113.9", 5), 1);
    now_ms += 60000;
    other.sent_ms = now_ms;
    other.ban = ban_of("203.0.113.9", 1);
    take(&other);
    assert_int_equal(orders.count, 1);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
    now_ms += 60000;
    assert_int_equal(event(TELEGRAM_PARDON, "203.0.113.9", 5), 2);
    assert_int_equal(orders.at[0].kind, ORDER_PARDON);
    assert_int_equal(orders.at[1].kind, ORDER_LIFT);
    assert_int_equal(event(TELEGRAM_PARDON, "203.0.113.9", 5), 0);
}

static void
ends_follow_the_sender_s_clock(void **state)
{
    struct telegram ahead = telegram_of(TELEGRAM_BAN, "centre", 1);
    struct telegram_ban held;

    (void)state;
    ahead.sent_ms += 2 * HOUR_MS;
    ahead.ban = ban_of("203.0.113.9", 5);
    ahead.ban.since_ms += 2 * HOUR_MS;
    ahead.ban.until_ms += 2 * HOUR_MS;
    take(&ahead);
    assert_true(orders.at[0].end_ms == NOW_MS + HOUR_MS);
    /* what was late at first is put right by a page that was not */
    ahead.sent_ms -= 100000;
    ahead.ban.source.address[15]++;
    take(&ahead);
    assert_true(orders.at[0].end_ms == NOW_MS + HOUR_MS);
    /* our clock is set back by an hour */
    held = ahead.ban;
    ahead.kind = TELEGRAM_PAGE;
    ahead.sent_ms += 100000;
    ahead.page = (struct telegram_page){.change = 5, .pages = 1, .ban_count = 1, .bans = {held}};
    now_ms -= HOUR_MS;
    take(&ahead);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
    assert_true(orders.at[0].end_ms == NOW_MS);
}

/* The table lets a ban go in the millisecond of its end; should the clock be set back, it is made
 * again. */
static void
what_has_just_ended_is_made_again_when_the_clock_is_set_back(void **state)
{
    const struct telegram_ban held = ban_of("203.0.113.9", 5);

    (void)state;
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 5), 1);
    now_ms = held.until_ms;
    assert_int_equal(page(1, 4, NULL), 0); /* which it is too new for */
    now_ms -= HOUR_MS / 2;
    assert_int_equal(page(1, 5, &held), 1);
    assert_int_equal(orders.at[0].kind, ORDER_BAN);
}

/* Its element in the kernel has run out by itself. */
static void
what_is_over_by_our_clock_needs_no_order(void **state)
{
    (void)state;
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.9", 1), 1);
    now_ms += HOUR_MS + 1;
    for (uint64_t change = 2; change < 300; change++) {
        event(TELEGRAM_BAN, "203.0.113.10", change);
        for (unsigned i = 0; i < orders.count; i++)
            assert_int_equal(orders.at[i].kind, ORDER_BAN);
    }
}

/* Our clock was ten hours ahead when it was applied: in the kernel it would be as much longer. */
static void
what_is_over_since_our_clock_was_set_right_is_lifted(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "centre", 1);

    (void)state;
    telegram.ban = ban_of("203.0.113.9", 5);
    now_ms += 10 * HOUR_MS;
    assert_int_equal(take(&telegram), MERGE_TAKEN);
    assert_int_equal(orders.count, 1);
    assert_true(orders.at[0].end_ms == NOW_MS + 11 * HOUR_MS);
    now_ms = NOW_MS + 3 * HOUR_MS;
    assert_int_equal(page(1, 4, NULL), 1);
    assert_int_equal(orders.at[0].kind, ORDER_LIFT);
    assert_int_equal(page(1, 4, NULL), 0);
}

static void
limits_are_kept(void **state)
{
    struct merge_counts counts;
    char text[32];

    (void)state;
    assert_int_equal(event(TELEGRAM_BAN, "203.0.0.0/16", 1), 0);
    assert_int_equal(event(TELEGRAM_BAN, "10.1.2.3", 2), 0);
    assert_int_equal(event(TELEGRAM_BAN, "fd00::1", 3), 0);
    assert_int_equal(event(TELEGRAM_BAN, "2001:db8::/32", 4), 0);
    assert_int_equal(event(TELEGRAM_BAN, "203.0.113.0/24", 5), 1);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "198.51.100.%u", i + 1);
        event(TELEGRAM_BAN, text, 10 + i);
    }
    merge_read_counts(merge, &counts);
    assert_int_equal(counts.withheld, 4);
    assert_int_equal(counts.limited, 200 + 5 - 128);
    /* an empty page: no more than a page's worth a second */
    assert_int_equal(page(1, 1000, NULL), TELEGRAM_BANS_MAX);
    assert_int_equal(page(1, 1000, NULL), 0);
    now_ms += 1000;
    assert_int_equal(page(1, 1000, NULL), 124 - TELEGRAM_BANS_MAX);
}

/* Each list of ports takes one of the table's jails: a seventeenth is refused, and no other. */
static void
there_are_so_many_lists_of_ports(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "centre", 1);
    struct merge_counts counts;

    (void)state;
    for (unsigned i = 1; i <= 18; i++) {
        telegram.ban = ban_of("203.0.113.9", i);
        telegram.ban.ports = (struct ports){.count = 1, .number = {(uint16_t)(i <= 17 ? i : 1)}};
        assert_int_equal(take(&telegram), MERGE_TAKEN);
        assert_int_equal(orders.count, i <= 16); /* the last is known already */
    }
    merge_read_counts(merge, &counts);
    assert_int_equal(counts.limited, 1);
}

/* Whoever sends writes his own name: another one gives him no more room. */
static void
all_origins_share_the_room(void **state)
{
    struct telegram telegram;
    char text[32];

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "198.51.100.%u", i + 1);
        event(TELEGRAM_BAN, text, 10 + i);
    }
    telegram = telegram_of(TELEGRAM_BAN, "another", 2);
    telegram.ban = ban_of("203.0.113.9", 1);
    take(&telegram);
    assert_int_equal(orders.count, 0);
    event(TELEGRAM_UNBAN, "198.51.100.1", 300);
    take(&telegram);
    assert_int_equal(orders.count, 1);
}

/* Half of the places have bans, one behind the other, all others what was lifted. */
static void
a_new_ban_finds_room_behind_many_others(void **state)
{
    char source[SOURCE_TEXT_SIZE];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        snprintf(source, sizeof source, "203.0.113.%u", i);
        event(i < 128 ? TELEGRAM_BAN : TELEGRAM_UNBAN, source, i + 1);
    }
    assert_int_equal(event(TELEGRAM_UNBAN, "203.0.113.100", 300), 1);
    assert_int_equal(event(TELEGRAM_BAN, "198.51.100.9", 301), 1);
}

static void
a_restart_keeps_what_was_in_force(void **state)
{
    struct telegram_ban held;
    struct order order;

    (void)state;
    event(TELEGRAM_BAN, "203.0.113.9", 5);
    order = orders.at[0];
    merge_free(merge);
    merge = merge_new("mx1", 256, 8);
    assert_true(merge_restore(merge, &order));
    assert_false(merge_restore(merge, &order)); /* there it is already */
    held = ban_of("203.0.113.9", 5);
    assert_int_equal(page(1, 9, &held), 0);
    merge_forget(merge, &order);
    assert_int_equal(page(1, 9, &held), 1);
    assert_int_equal(page(1, 10, NULL), 1);
}

/* What the ledger tells of: nothing without ports, none of an origin that has no place, and none of
 * a list of ports too many. */
static void
a_restart_keeps_what_there_is_room_for(void **state)
{
    struct order order = {.kind = ORDER_BAN,
                          .ports = ports_mail(),
                          .since_ms = NOW_MS,
                          .end_ms = NOW_MS + HOUR_MS,
                          .change = 1};

    (void)state;
    order.source = ban_of("203.0.113.9", 1).source;
    for (unsigned i = 0; i <= MERGE_ORIGINS_MAX; i++) {
        snprintf(order.origin, sizeof order.origin, "centre%u", i);
        assert_int_equal(merge_restore(merge, &order), i < MERGE_ORIGINS_MAX);
        merge_forget(merge, &order);
        assert_int_equal(merge_restore(merge, &order), i < MERGE_ORIGINS_MAX);
    }
    strcpy(order.origin, "centre0");
    order.ports = (struct ports){.count = 0};
    assert_false(merge_restore(merge, &order));
    for (uint16_t i = 2; i <= 17; i++) {
        order.ports = (struct ports){.count = 1, .number = {i}};
        assert_int_equal(merge_restore(merge, &order), i < 17);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ban_is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_a_pardon_ends_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(who_holds_nothing_keeps_its_place_while_one_is_free, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pardons_are_so_many_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(the_highest_change_wins_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_page_lifts_what_it_does_not_hold_and_is_older, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_late_ban_is_not_brought_back_by_the_short_one_that_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_table_retires_the_former_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_table_is_reported_with_its_first_page, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_report_counts_what_outlasts_the_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_report_does_not_count_what_is_not_in_force, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_ban_that_ends_now_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(origins_do_not_touch_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pardon_ends_what_began_before, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_pardon_ends_what_began_after_the_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ends_follow_the_sender_s_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_over_by_our_clock_needs_no_order, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_has_just_ended_is_made_again_when_the_clock_is_set_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_over_since_our_clock_was_set_right_is_lifted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(there_are_so_many_lists_of_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(all_origins_share_the_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_ban_finds_room_behind_many_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_keeps_what_was_in_force, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_keeps_what_there_is_room_for, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
