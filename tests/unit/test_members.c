/* test_members: what a centre makes of its hosts' reports: whose addresses are spared, and how many
 * of one that delivers, by whatever names; whether two have one name; who gets pages.
 *
 * Fails when a host has more addresses spared than it may, or a silent one any, when a second
 * server of one name is not seen, when one address takes the places of all, and when who asks for
 * pages gets none.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/members.h"

#define NOON_MS INT64_C(1795262400000)
#define MOST    64

static struct members *members;
static struct pager pager;
static struct source addresses[MOST];
static char name[TELEGRAM_NAME_SIZE];

static int
setup(void **state)
{
    (void)state;
    pager_begin(&pager, 1);
    members = members_new(64);
    return members == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    members_free(members);
    return 0;
}

static struct source
address(const char *text)
{
    struct source source;

    assert_int_equal(source_parse_prefix(text, strlen(text), &source), 0);
    return source;
}

/* A report of that host, which names `count` addresses from the one on. */
static bool
report(const char *peer, const char *host, const char *first, unsigned count, int64_t now_ms)
{
    const struct source source = address(peer);
    struct telegram telegram = {.kind = TELEGRAM_REPORT, .table = 2, .sent_ms = now_ms};

    snprintf(telegram.origin, sizeof telegram.origin, "%s", host);
    telegram.report.address_count = count;
    for (unsigned i = 0; i < count; i++) {
        telegram.report.addresses[i] = address(first);
        telegram.report.addresses[i].address[15] += (uint8_t)i;
    }
    return members_take(members, &source, &telegram, "centre", &pager, now_ms);
}

static bool
is_spared(const char *text, int64_t now_ms)
{
    const unsigned count = members_addresses(members, now_ms, addresses, MOST);
    const struct source source = address(text);

    for (unsigned i = 0; i < count; i++)
        if (source_compare(&addresses[i], &source) == 0)
            return true;
    return false;
}

static void
a_peer_has_eight_addresses_by_all_its_names(void **state)
{
    (void)state;
    report("192.0.2.1", "mx1", "198.51.100.10", 5, NOON_MS);
    report("192.0.2.2", "mx2", "198.51.100.40", 8, NOON_MS);
    report("192.0.2.1", "other", "198.51.100.20", 5, NOON_MS);
    report("192.0.2.1", "third", "198.51.100.30", 1, NOON_MS);
    assert_int_equal(members_addresses(members, NOON_MS, addresses, MOST), 5 + 3 + 0 + 3 + 1 + 8);
    assert_true(is_spared("198.51.100.14", NOON_MS));
    assert_true(is_spared("198.51.100.22", NOON_MS));
    assert_false(is_spared("198.51.100.23", NOON_MS));
    assert_false(is_spared("198.51.100.30", NOON_MS));
    assert_true(is_spared("198.51.100.47", NOON_MS));
    assert_int_equal(members_addresses(members, NOON_MS, addresses, 4), 4);
}

static void
no_network_and_nobody_silent_is_spared(void **state)
{
    (void)state;
    report("192.0.2.1", "mx1", "198.51.100.0/24", 1, NOON_MS);
    report("192.0.2.2", "mx2", "169.254.0.9", 1, NOON_MS);
    report("192.0.2.3", "mx3", "127.0.0.1", 1, NOON_MS);
    assert_int_equal(members_addresses(members, NOON_MS, addresses, MOST), 3);
    assert_true(is_spared("192.0.2.3", NOON_MS + MEMBERS_GONE_MS - 1));
    assert_int_equal(members_addresses(members, NOON_MS + MEMBERS_GONE_MS, addresses, MOST), 0);
}

static void
two_servers_of_one_name_clash(void **state)
{
    (void)state;
    report("192.0.2.1", "mx1", "192.0.2.1", 1, NOON_MS);
    report("192.0.2.1", "mx2", "192.0.2.1", 1, NOON_MS);
    assert_false(members_clash(members, "centre", NOON_MS, name));
    report("192.0.2.2", "mx2", "192.0.2.2", 1, NOON_MS + 1000);
    assert_true(members_clash(members, "centre", NOON_MS, name));
    assert_string_equal(name, "mx2");
    assert_false(members_clash(members, "centre", NOON_MS + MEMBERS_SILENT_MS, name));
    report("192.0.2.3", "centre", "192.0.2.3", 1, NOON_MS + MEMBERS_SILENT_MS);
    assert_true(members_clash(members, "centre", NOON_MS + MEMBERS_SILENT_MS, name));
    assert_string_equal(name, "centre");
}

static void
one_address_takes_a_quarter_of_the_places(void **state)
{
    char host[32], peer[32];
    unsigned left = 0;

    (void)state;
    for (unsigned i = 0; i < 48; i++) {
        snprintf(host, sizeof host, "mx%u", i);
        snprintf(peer, sizeof peer, "198.18.0.%u", i);
        report(peer, host, peer, 1, NOON_MS);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(host, sizeof host, "forged%u", i);
        report("192.0.2.66", host, "192.0.2.66", 1, NOON_MS + i);
    }
    for (unsigned i = 0; i < 48; i++) {
        snprintf(host, sizeof host, "mx%u", i);
        left += members_find(members, host) != NULL;
    }
    assert_int_equal(left, 48);
    assert_non_null(members_find(members, "forged999"));
    assert_null(members_find(members, "forged900"));
}

static void
who_asks_for_pages_is_answered_once(void **state)
{
    (void)state;
    assert_false(members_want(members));
    assert_true(report("192.0.2.1", "mx1", "192.0.2.1", 1, NOON_MS)); /* it holds nothing */
    assert_true(members_want(members));
    assert_int_equal(members_answer(members, name), 1);
    assert_string_equal(name, "mx1");
    assert_int_equal(members_answer(members, name), 0);
    report("192.0.2.2", "mx2", "192.0.2.2", 1, NOON_MS);
    members_answer(members, name);
    assert_int_equal(members_ask(members, "mx9"), 0);
    assert_false(members_want(members));
    assert_int_equal(members_ask(members, "mx2"), 1);
    assert_int_equal(members_answer(members, name), 1);
    assert_string_equal(name, "mx2");
    assert_int_equal(members_ask(members, NULL), 2);
    assert_int_equal(members_answer(members, name), 2);
    assert_string_equal(name, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_has_eight_addresses_by_all_its_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_network_and_nobody_silent_is_spared, setup, teardown),
        cmocka_unit_test_setup_teardown(two_servers_of_one_name_clash, setup, teardown),
        cmocka_unit_test_setup_teardown(one_address_takes_a_quarter_of_the_places, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_for_pages_is_answered_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
