/* test_pager: a cycle of pages holds each ban of a table exactly once, in pages that can be sent,
 * and a host that has merged them agrees with the centre; one that misses a ban is found out.
 *
 * Fails when a ban is on no page or on two, also where far more came than was thought, when a page
 * is longer than a message may be, and when a report that differs is believed, or one that does not
 * is not.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/members.h"
#include "fleet/merge.h"
#include "fleet/pager.h"

#define NOW_MS   INT64_C(1767225600000)
#define BANS     5000
#define MANY     15000
#define TABLE_ID UINT64_C(0x9f0c000000000001)

static struct telegram_ban bans[BANS], many[MANY];
static struct pager pager;
static struct telegram telegram;
static struct merge *merge;
static struct limits limits;
static struct orders orders;

static bool
read_ban(const void *context, size_t index, struct telegram_ban *ban)
{
    (void)context;
    *ban = bans[index];
    return ban->until_ms != 0;
}

static bool
read_one_of_many(const void *context, size_t index, struct telegram_ban *ban)
{
    (void)context;
    *ban = many[index];
    return true;
}

/* It again and again. */
static bool
read_the_first(const void *context, size_t index, struct telegram_ban *ban)
{
    (void)index;
    return read_ban(context, 0, ban);
}

static int
setup(void **state)
{
    char text[64];

    (void)state;
    for (unsigned i = 0; i < BANS; i++) {
        snprintf(text, sizeof text, "2001:db8:%x:ffff::/64", i);
        bans[i] = (struct telegram_ban){.ports = ports_mail(),
                                        .since_ms = NOW_MS - 1000,
                                        .until_ms = NOW_MS + 3600000,
                                        .change = i + 1,
                                        .scope = TELEGRAM_SCOPE_FLEET};
        source_parse_prefix(text, strlen(text), &bans[i].source);
    }
    pager_begin(&pager, TABLE_ID);
    memset(&telegram, 0, sizeof telegram);
    strcpy(telegram.origin, "centre");
    merge = merge_new("mx1", 2 * BANS, 7);
    limits_set_default(&limits, 2 * BANS);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    merge_free(merge);
    return 0;
}

/* A cycle of pages of the first `count` bans, which the host merges. Returns how many pages. */
static unsigned
cycle(size_t count, unsigned *on_pages)
{
    const struct pager_bans source = {count, read_ban, NULL};
    struct pager_cursor cursor = {0};
    char text[TELEGRAM_TEXT_SIZE];
    unsigned pages = 0;

    *on_pages = 0;
    while (!pager_is_done(&cursor)) {
        assert_true(pager_next(&pager, &cursor, &source, BANS, NOW_MS, &telegram, text) > 0);
        assert_true(strlen(text) < TELEGRAM_TEXT_SIZE);
        *on_pages += telegram.page.ban_count;
        merge_take(merge, &telegram, &limits, NOW_MS + 5, &orders);
        pages++;
    }
    return pages;
}

static void
each_ban_is_on_one_page(void **state)
{
    unsigned on_pages, pages;

    (void)state;
    pages = cycle(BANS, &on_pages); /* how many there are is not known yet: slices are halved */
    assert_int_equal(on_pages, BANS);
    assert_true(pages <= 128);
    pages = cycle(BANS, &on_pages);
    assert_int_equal(on_pages, BANS);
    assert_true(pages <= 128);
    pages = cycle(3, &on_pages);
    pages = cycle(3, &on_pages);
    assert_int_equal(on_pages, 3);
    assert_int_equal(pages, 1 << PAGER_BITS_LEAST);
}

/* Slices that hold more than a page does are halved, and none of their bans is left out: of bans
 * by the thousand that came since the last page, and of texts that are long. */
static void
slices_that_are_too_full_are_halved(void **state)
{
    unsigned on_pages, pages = 0;

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        many[i] = bans[i % BANS];
    for (unsigned i = 0; i < MANY; i++)
        many[i].source.address[12] = (uint8_t)(i / BANS);
    for (unsigned i = 0; i < MANY; i++)
        many[i].source.prefix = SOURCE_HOST_PREFIX;
    const struct pager_bans source = {MANY, read_one_of_many, NULL};
    struct pager_cursor cursor = {0};
    char text[TELEGRAM_TEXT_SIZE];

    for (on_pages = 0; !pager_is_done(&cursor); pages++) {
        assert_true(pager_next(&pager, &cursor, &source, BANS, NOW_MS, &telegram, text) > 0);
        on_pages += telegram.page.ban_count;
    }
    assert_int_equal(on_pages, MANY);
    assert_true(pages > MANY / TELEGRAM_BANS_MAX);
}

/* As many of one place as no page holds: only who knows the number of the table could make that. */
static void
what_no_page_can_tell_is_left_out(void **state)
{
    const struct pager_bans source = {TELEGRAM_BANS_MAX + 1, read_the_first, NULL};
    struct pager_cursor cursor = {0};
    char text[TELEGRAM_TEXT_SIZE];
    unsigned empty = 0, sent = 0;

    (void)state;
    for (; !pager_is_done(&cursor) && sent < 1000; sent++)
        empty += pager_next(&pager, &cursor, &source, BANS, NOW_MS, &telegram, text) == 0;
    assert_true(pager_is_done(&cursor));
    assert_int_equal(empty, 1);
}

static void
a_lag_is_that_of_what_is_missing(void **state)
{
    struct telegram_holding hold = {.table = TABLE_ID, .change = 10};

    (void)state;
    pager.checks[0] = (struct pager_check){.change = 10, .made_ms = NOW_MS - 3000};
    pager.checks[1] = (struct pager_check){.change = 12, .made_ms = NOW_MS - 1000};
    pager.checks[2] = (struct pager_check){.change = 11, .made_ms = NOW_MS - 2000};
    assert_int_equal(pager_lag(&pager, &hold, NOW_MS), 2000);
    hold.change = 11;
    assert_int_equal(pager_lag(&pager, &hold, NOW_MS), 1000);
    hold.change = 12;
    assert_int_equal(pager_lag(&pager, &hold, NOW_MS), 0);
    hold.table++;
    assert_int_equal(pager_lag(&pager, &hold, NOW_MS), -1);
}

static void
who_has_merged_the_pages_agrees(void **state)
{
    struct telegram_holding hold[MERGE_ORIGINS_MAX];
    unsigned on_pages;

    (void)state;
    strcpy(bans[7].scope, "mx9");
    /* an event that has overtaken the pages is not counted yet */
    telegram.kind = TELEGRAM_BAN;
    telegram.table = TABLE_ID;
    telegram.sent_ms = NOW_MS;
    telegram.ban = bans[0];
    telegram.ban.source.address[7]++;
    telegram.ban.change = BANS + 1;
    merge_take(merge, &telegram, &limits, NOW_MS, &orders);
    assert_int_equal(orders.count, 1);
    cycle(BANS, &on_pages);
    assert_int_equal(merge_report(merge, hold), 1);
    assert_int_equal(hold[0].count, BANS - 1);
    assert_true(pager_agrees(&pager, &hold[0]));
    hold[0].digest++;
    assert_false(pager_agrees(&pager, &hold[0]));
    hold[0].digest--;
    hold[0].table++;
    assert_false(pager_agrees(&pager, &hold[0]));
}

static struct source
address_of(unsigned number)
{
    struct source source;
    char text[32];

    snprintf(text, sizeof text, "192.0.2.%u", number);
    assert_int_equal(source_parse(text, strlen(text), &source), 0);
    return source;
}

static void
who_misses_a_ban_is_found_out(void **state)
{
    const struct source peer = address_of(1);
    struct members *const members = members_new(2);
    struct telegram report = {.kind = TELEGRAM_REPORT, .origin = "mx1", .sent_ms = NOW_MS - 40};
    struct order gone = {.kind = ORDER_BAN, .origin = "centre", .ports = ports_mail()};
    unsigned on_pages;

    (void)state;
    assert_true(members_take(members, &peer, &report, "centre", &pager, NOW_MS));
    cycle(BANS, &on_pages);
    report.report.hold_count = merge_report(merge, report.report.holds);
    assert_false(members_take(members, &peer, &report, "centre", &pager, NOW_MS));
    assert_int_equal(members_find(members, "mx1")->behind_ms, 40);
    assert_int_equal(members_find(members, "mx1")->lag_ms, 0);
    assert_null(members_find(members, "somebody"));

    gone.source = bans[0].source;
    merge_forget(merge, &gone);
    bans[0].until_ms = 0;  /* and so no page brings it: the centre has lost it as well … */
    bans[1].change = BANS; /* … and the host does not know of this one's change */
    pager.next_check = 0;
    memset(pager.checks, 0xff, sizeof pager.checks);
    const struct pager_bans source = {BANS, read_ban, NULL};
    struct pager_cursor cursor = {0};
    char text[TELEGRAM_TEXT_SIZE];

    pager_next(&pager, &cursor, &source, BANS, NOW_MS, &telegram, text);
    merge_take(merge, &telegram, &limits, NOW_MS + 5, &orders);
    report.report.hold_count = merge_report(merge, report.report.holds);
    assert_true(members_take(members, &peer, &report, "centre", &pager, NOW_MS));
    assert_true(members_find(members, "mx1")->differs < MEMBERS_DIVERGED);
    assert_true(members_take(members, &peer, &report, "centre", &pager, NOW_MS));
    assert_int_equal(members_find(members, "mx1")->differs, MEMBERS_DIVERGED);
    cycle(BANS, &on_pages);
    report.report.hold_count = merge_report(merge, report.report.holds);
    assert_false(members_take(members, &peer, &report, "centre", &pager, NOW_MS));
    members_free(members);
}

/* A report of that name, by 192.0.2.<peer>. */
static void
report_as(struct members *members, unsigned peer, const char *name, int64_t now_ms)
{
    struct telegram report = {.kind = TELEGRAM_REPORT, .sent_ms = now_ms};
    const struct source from = address_of(peer);

    strcpy(report.origin, name);
    report.report.address_count = 2;
    report.report.addresses[0] = address_of(100 + peer);
    source_parse_prefix("203.0.113.0/24", 14, &report.report.addresses[1]);
    members_take(members, &from, &report, "centre", &pager, now_ms);
}

static void
the_host_that_was_silent_longest_makes_room(void **state)
{
    struct members *const members = members_new(4);

    (void)state;
    report_as(members, 1, "mx1", NOW_MS);
    report_as(members, 2, "mx2", NOW_MS + 1);
    report_as(members, 3, "mx3", NOW_MS + 2);
    report_as(members, 4, "mx4", NOW_MS + 3);
    report_as(members, 1, "mx1", NOW_MS + 4);
    report_as(members, 5, "mx5", NOW_MS + 5);
    assert_non_null(members_find(members, "mx1"));
    assert_null(members_find(members, "mx2"));
    assert_non_null(members_find(members, "mx5"));
    /* whoever takes another name leaves the places of others alone */
    report_as(members, 5, "one", NOW_MS + 6);
    report_as(members, 5, "two", NOW_MS + 7);
    assert_non_null(members_find(members, "mx3"));
    assert_null(members_find(members, "mx5"));
    assert_null(members_find(members, "one"));
    assert_non_null(members_find(members, "two"));
    assert_null(members_at(members, 4));
    members_free(members);
}

static void
two_of_one_name_are_noticed(void **state)
{
    struct members *const members = members_new(16);
    char name[TELEGRAM_NAME_SIZE];

    (void)state;
    report_as(members, 1, "mail", NOW_MS);
    assert_false(members_clash(members, "centre", NOW_MS, name));
    assert_true(members_clash(members, "mail", NOW_MS, name));
    report_as(members, 2, "mail", NOW_MS);
    assert_true(members_clash(members, "centre", NOW_MS, name));
    assert_string_equal(name, "mail");
    assert_non_null(members_at(members, 1));
    assert_false(members_clash(members, "centre", NOW_MS + MEMBERS_SILENT_MS, name));
    members_free(members);
}

static void
pages_are_for_who_asks(void **state)
{
    struct members *const members = members_new(16);
    char name[TELEGRAM_NAME_SIZE];

    (void)state;
    report_as(members, 1, "mx1", NOW_MS);
    assert_true(members_want(members));
    assert_int_equal(members_answer(members, name), 1);
    assert_string_equal(name, "mx1");
    assert_false(members_want(members));
    report_as(members, 2, "mx2", NOW_MS);
    assert_int_equal(members_ask(members, "mx1"), 1);
    assert_int_equal(members_answer(members, name), 2);
    assert_string_equal(name, "");
    assert_int_equal(members_ask(members, NULL), 2);
    assert_int_equal(members_ask(members, "mx3"), 0);
    members_free(members);
}

/* Never a prefix, and not for ever. */
static void
addresses_of_members_are_single_ones(void **state)
{
    struct members *const members = members_new(16);
    struct source addresses[8];

    (void)state;
    report_as(members, 1, "mx1", NOW_MS);
    report_as(members, 2, "mx2", NOW_MS + 1);
    assert_int_equal(members_addresses(members, NOW_MS + 1, addresses, 8), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(addresses[i].prefix, SOURCE_HOST_PREFIX);
    assert_int_equal(members_addresses(members, NOW_MS + 1, addresses, 3), 3);
    assert_int_equal(members_addresses(members, NOW_MS + MEMBERS_GONE_MS, addresses, 8), 2);
    members_free(members);
}

/* Whatever names it gives itself. */
static void
one_peer_has_no_more_addresses_by_more_names(void **state)
{
    struct members *const members = members_new(64);
    struct source addresses[64];
    char name[TELEGRAM_NAME_SIZE];
    unsigned reported = 0;

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct telegram report = {.kind = TELEGRAM_REPORT, .sent_ms = NOW_MS};
        const struct source from = address_of(1);

        snprintf(name, sizeof name, "mx%u", i);
        strcpy(report.origin, name);
        report.report.address_count = 3;
        for (unsigned j = 0; j < 3; j++)
            report.report.addresses[j] = address_of(100 + 3 * i + j);
        members_take(members, &from, &report, "centre", &pager, NOW_MS);
    }
    report_as(members, 2, "mx2", NOW_MS);
    for (unsigned i = members_addresses(members, NOW_MS, addresses, 64); i-- > 0;)
        reported += addresses[i].address[15] >= 100;
    assert_int_equal(reported, MEMBERS_ADDRESSES + 1);
    members_free(members);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_ban_is_on_one_page, setup, teardown),
        cmocka_unit_test_setup_teardown(slices_that_are_too_full_are_halved, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_page_can_tell_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lag_is_that_of_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_merged_the_pages_agrees, setup, teardown),
        cmocka_unit_test_setup_teardown(who_misses_a_ban_is_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_host_that_was_silent_longest_makes_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(two_of_one_name_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_are_for_who_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_of_members_are_single_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(one_peer_has_no_more_addresses_by_more_names, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
