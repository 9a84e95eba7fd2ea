/* test_herald: what one table decides another one has, by the messages between herald and follower
 * alone: bans, their end, lifted ones, and a pardon; and by pages alone where all else was lost,
 * which come at once where a report differs, and hardly ever where there is no ban.
 * What the other one has decided itself, or has from a third, stays, and is not passed on.
 *
 * Fails when the two differ in the end, or when a message is lost on what it says.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include "control/follower.h"
#include "control/herald.h"

static struct fixture centre, host;
static struct herald *herald;
static struct follower *follower;
static struct allow *allow;
static char text[TELEGRAM_TEXT_SIZE];

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&centre, 1024, 512);
    fixture_begin(&host, 1024, 1024);
    allow = allow_new();
    allow_seal(allow);
    herald = herald_new(centre.table, "centre", NULL);
    follower = follower_new(host.table, "mx1", 1024, 7);
    return herald == NULL || follower == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    herald_free(herald);
    follower_free(follower);
    allow_free(allow);
    fixture_end(&centre);
    fixture_end(&host);
    return 0;
}

static void
ban(struct fixture *where, const char *source, uint32_t table, int64_t until_ms)
{
    const struct ban wanted = {.source = source_of(source),
                               .jail = (uint8_t)where->jail_index,
                               .failures = 5,
                               .table = table,
                               .since_ms = NOON_MS - 1000,
                               .until_ms = until_ms};

    assert_int_equal(table_ban(where->table, &wanted, NOON_MS), 0);
}

static int64_t heard_ms;

static int64_t
clock_of_host(void)
{
    return heard_ms;
}

/* The host takes the message of this length. */
static void
hear(int length, int64_t now_ms)
{
    heard_ms = now_ms;
    follower_take(follower, text, (size_t)length, allow, clock_of_host);
}

/* What has changed at the centre since the last call, as the ledger would hear of it. */
static unsigned
tell_all(bool is_lost)
{
    struct ban bans[64];
    const size_t count = table_dequeue_unrecorded(centre.table, bans, 64);
    unsigned told = 0;

    for (size_t i = 0; i < count; i++) {
        const int length = herald_tell(herald, &bans[i], NOON_MS, text);

        told += length > 0;
        if (length > 0 && !is_lost)
            hear(length, NOON_MS);
    }
    return told;
}

static void
page_all(int64_t now_ms)
{
    for (unsigned i = 0; i < 64; i++) {
        const int length = herald_page(herald, now_ms, text);

        assert_true(length > 0);
        hear(length, now_ms);
    }
}

/* When the ban of the host's ends; 0: there is none. */
static int64_t
end_of(const char *words)
{
    const struct source source = source_of(words);
    struct ban found;

    for (uint32_t i = 0; i < 1024; i++)
        if (table_read_ban(host.table, i, &found) && source_compare(&found.source, &source) == 0 &&
            (found.state == BAN_WANTED || found.state == BAN_ENFORCED))
            return found.until_ms;
    return 0;
}

static void
events_bring_it_over(void **state)
{
    const struct source source = source_of("203.0.113.9");

    (void)state;
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    ban(&centre, "203.0.113.10", 4711, NOON_MS + HOUR_MS); /* it has it from a third */
    assert_int_equal(tell_all(false), 1);
    assert_true(end_of("203.0.113.9") == NOON_MS + HOUR_MS);
    assert_true(end_of("203.0.113.10") == 0);
    ban(&centre, "203.0.113.9", 0, NOON_MS + 3 * HOUR_MS);
    assert_int_equal(tell_all(false), 1);
    assert_true(end_of("203.0.113.9") == NOON_MS + 3 * HOUR_MS);
    table_unban(centre.table, &source, 0, NOON_MS);
    assert_int_equal(tell_all(false), 1);
    assert_true(end_of("203.0.113.9") == 0);
}

/* Begun at the centre by failures on the host of this number. */
static void
ban_on(uint16_t scope, const char *source)
{
    const struct ban wanted = {.source = source_of(source),
                               .jail = (uint8_t)centre.jail_index,
                               .scope = scope,
                               .failures = 5,
                               .since_ms = NOON_MS - 1000,
                               .until_ms = NOON_MS + HOUR_MS};

    assert_int_equal(table_ban(centre.table, &wanted, NOON_MS), 0);
}

/* Here mx1 hears; of mx2's, the centre's own and those of an unknown host it takes none. */
static void
the_ban_of_one_host_is_for_that_alone(void **state)
{
    struct hosts *const hosts = hosts_new("centre");
    struct ban found;

    (void)state;
    hosts_read(hosts, "mx1 192.0.2.1\nmx2 192.0.2.2\n", NOON_MS);
    herald_free(herald);
    herald = herald_new(centre.table, "centre", hosts);
    for (uint16_t scope = TABLE_SCOPE_OWN; scope <= 4; scope++)
        ban_on(scope, scope == 2 ? "203.0.113.2" : "203.0.113.9");
    assert_int_equal(tell_all(false), 2);
    assert_true(end_of("203.0.113.2") == NOON_MS + HOUR_MS);
    assert_true(end_of("203.0.113.9") == 0);
    assert_true(table_read_ban(host.table, 0, &found));
    assert_int_equal(found.scope, TABLE_SCOPE_OWN);
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.2") == NOON_MS + HOUR_MS);
    assert_true(end_of("203.0.113.9") == 0);
    found.source = source_of("203.0.113.2");
    table_unban(centre.table, &found.source, 0, NOON_MS);
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.2") == 0);
    herald_free(herald);
    herald = NULL;
    hosts_free(hosts);
}

static void
pages_bring_what_was_lost(void **state)
{
    const struct source source = source_of("203.0.113.7");
    char words[32];

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(words, sizeof words, "203.0.113.%u", i);
        ban(&centre, words, 0, NOON_MS + HOUR_MS);
    }
    ban(&centre, "203.0.113.100", 4711, NOON_MS + HOUR_MS);
    ban(&host, "203.0.113.200", 0, NOON_MS + HOUR_MS);
    tell_all(true);
    assert_true(end_of("203.0.113.7") == 0);
    page_all(NOON_MS);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(words, sizeof words, "203.0.113.%u", i);
        assert_true(end_of(words) == NOON_MS + HOUR_MS);
    }
    assert_true(end_of("203.0.113.100") == 0);
    table_unban(centre.table, &source, 0, NOON_MS);
    tell_all(true);
    page_all(NOON_MS + 1000);
    assert_true(end_of("203.0.113.7") == 0);
    assert_true(end_of("203.0.113.8") != 0);
    assert_true(end_of("203.0.113.200") != 0);
}

static void
a_pardon_goes_everywhere(void **state)
{
    const struct source source = source_of("203.0.113.0/24");
    int length;

    (void)state;
    ban(&host, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    length = herald_pardon(herald, &source, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text);
    assert_true(length > 0); /* and is lost: the pages have it, too */
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.9") == 0);
}

/* Lifted on the host, which the centre has not heard of: nothing of it brings that ban back. */
static void
what_a_host_pardons_stays_lifted(void **state)
{
    const struct source source = source_of("203.0.113.9");
    struct telegram told;
    int length;

    (void)state;
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    tell_all(false);
    assert_true(end_of("203.0.113.9") != 0);
    table_unban(host.table, &source, 0, NOON_MS);
    length = follower_pardon(follower, &source, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text);
    assert_int_equal(telegram_read(text, (size_t)length, &told), 0);
    assert_int_equal(told.kind, TELEGRAM_PARDON);
    assert_string_equal(told.origin, "mx1");
    assert_int_equal(source_compare(&told.ban.source, &source), 0);
    page_all(NOON_MS + 1000);
    assert_true(end_of("203.0.113.9") == 0);
    ban(&centre, "203.0.113.9", 0, NOON_MS + 3 * HOUR_MS); /* longer, and begun before */
    assert_int_equal(tell_all(false), 1);
    assert_true(end_of("203.0.113.9") == 0);
}

/* Returns whether it asks for pages. */
static bool
report(int64_t now_ms)
{
    const struct source address = source_of("192.0.2.7"), peer = source_of("192.0.2.8");
    const int length = follower_report(follower, &address, 1, now_ms, text);
    struct telegram telegram;

    assert_true(length > 0);
    assert_int_equal(telegram_read(text, (size_t)length, &telegram), 0);
    assert_string_equal(telegram.origin, "mx1");
    return herald_take_report(herald, &peer, &telegram, now_ms);
}

static unsigned
page_at_once(int64_t now_ms)
{
    char name[TELEGRAM_NAME_SIZE];
    unsigned pages = 0;
    int length;

    while ((length = herald_page_at_once(herald, now_ms, text, name)) > 0) {
        assert_string_equal(name, "mx1");
        hear(length, now_ms);
        pages++;
    }
    return pages;
}

static void
who_reports_otherwise_gets_pages_at_once(void **state)
{
    struct source addresses[4];
    char *roster;

    (void)state;
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    tell_all(true);
    assert_true(report(NOON_MS)); /* it has just begun */
    assert_true(herald_is_asked(herald));
    assert_int_equal(page_at_once(NOON_MS), 64);
    assert_false(herald_is_asked(herald));
    assert_true(end_of("203.0.113.9") == NOON_MS + HOUR_MS);
    assert_false(report(NOON_MS + 60000));
    assert_int_equal(page_at_once(NOON_MS + 60000), 0);
    assert_int_equal(herald_addresses(herald, NOON_MS + 60000, addresses, 4), 2);
    roster = herald_roster(herald, NOON_MS + 60000);
    assert_non_null(strstr(roster, "\"name\":\"mx1\",\"peer\":\"192.0.2.8\""));
    assert_non_null(strstr(roster, "\"differs\":0,\"bans\":1"));
    free(roster);
    assert_int_equal(herald_ask(herald, "mx1"), 1);
    assert_int_equal(page_at_once(NOON_MS + 61000), 64);
}

/* What an administrator has lifted in the jail of others' bans alone, and no pardon was told of. */
static void
a_ban_that_was_taken_off_by_hand_is_reported(void **state)
{
    const struct source source = source_of("203.0.113.9");

    (void)state;
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    ban(&centre, "203.0.113.10", 0, NOON_MS + HOUR_MS);
    tell_all(false);
    page_all(NOON_MS);
    assert_false(report(NOON_MS));
    assert_int_equal(table_unban(host.table, &source, 0, NOON_MS), 1);
    assert_true(report(NOON_MS + 60000));
    assert_int_equal(page_at_once(NOON_MS + 60000), 64);
    assert_true(end_of("203.0.113.9") == NOON_MS + HOUR_MS);
    assert_false(report(NOON_MS + 120000));
}

/* Who is pardoned twice is on the pages once. */
static void
a_pardon_again_is_the_same_one(void **state)
{
    const struct source source = source_of("203.0.113.9"), other = source_of("203.0.113.10");

    (void)state;
    assert_true(herald_pardon(herald, &source, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text) > 0);
    assert_true(herald_pardon(herald, &other, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text) > 0);
    assert_true(herald_pardon(herald, &source, NOON_MS + 5, NOON_MS + HOUR_MS, NOON_MS + 5, text) >
                0);
    page_all(NOON_MS + 1000);
    assert_false(report(NOON_MS + 1000));
}

/* A host's comes late: what was banned meanwhile stays, here and there, and an older one takes
 * nothing back. */
static void
a_late_pardon_lifts_no_later_ban(void **state)
{
    const struct source source = source_of("203.0.113.9"), other = source_of("203.0.113.10");

    (void)state;
    ban(&host, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    ban(&host, "203.0.113.10", 0, NOON_MS + HOUR_MS);
    herald_pardon(herald, &source, NOON_MS - 5000, NOON_MS + HOUR_MS, NOON_MS, text);
    herald_pardon(herald, &other, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text);
    herald_pardon(herald, &other, NOON_MS - 5000, NOON_MS + HOUR_MS, NOON_MS, text);
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.9") == NOON_MS + HOUR_MS);
    assert_true(end_of("203.0.113.10") == 0);
}

/* A page that has what cannot be told is none at all. */
static void
what_no_message_can_say_is_not_pardoned(void **state)
{
    const struct source all = source_of("::/0"), loopback = source_of("127.0.0.0/8");

    (void)state;
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    assert_int_equal(herald_pardon(herald, &all, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text), 0);
    assert_int_equal(herald_pardon(herald, &loopback, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text),
                     0);
    herald_restore_pardons(herald, "::/0 1 4000000000000\n0.0.0.0/0 1 4000000000000\n", NOON_MS);
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.9") == NOON_MS + HOUR_MS);
    assert_false(report(NOON_MS));
}

static void
a_clock_that_is_set_back_stops_no_page(void **state)
{
    const struct source source = source_of("203.0.113.9");

    (void)state;
    assert_true(herald_pardon(herald, &source, NOON_MS + HOUR_MS, NOON_MS + 2 * HOUR_MS,
                              NOON_MS + HOUR_MS, text) > 0);
    page_all(NOON_MS);
    assert_false(report(NOON_MS));
}

static void
pardons_outlive_a_restart(void **state)
{
    const struct source source = source_of("203.0.113.0/24"), other = source_of("192.0.2.0/24");
    char *pardons, text_of_both[256];

    (void)state;
    ban(&host, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    assert_true(herald_pardon(herald, &source, NOON_MS, NOON_MS + HOUR_MS, NOON_MS, text) > 0);
    assert_true(herald_pardon(herald, &other, NOON_MS, NOON_MS + 1000, NOON_MS, text) > 0);
    pardons = herald_print_pardons(herald, NOON_MS + 1000);
    snprintf(text_of_both, sizeof text_of_both, "nonsense\n\n10.0.0.1 1\n%s", pardons);
    assert_null(strstr(pardons, "192.0.2.0"));
    free(pardons);
    herald_free(herald);
    herald = herald_new(centre.table, "centre", NULL);
    herald_restore_pardons(herald, text_of_both, NOON_MS + 2000);
    page_all(NOON_MS + 2000);
    assert_true(end_of("203.0.113.9") == 0);
}

static void
no_pages_are_due_where_there_is_no_ban(void **state)
{
    const struct source source = source_of("203.0.113.9");

    (void)state;
    page_all(NOON_MS);
    assert_false(herald_is_idle(herald));
    page_all(NOON_MS);
    assert_true(herald_is_idle(herald));
    ban(&centre, "203.0.113.9", 0, NOON_MS + HOUR_MS);
    tell_all(true);
    assert_false(herald_is_idle(herald));
    page_all(NOON_MS);
    page_all(NOON_MS);
    assert_false(herald_is_idle(herald));
    table_unban(centre.table, &source, 0, NOON_MS);
    tell_all(true);
    page_all(NOON_MS);
    assert_true(end_of("203.0.113.9") == 0);
    assert_false(herald_is_idle(herald));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_bring_it_over, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ban_of_one_host_is_for_that_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_bring_what_was_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pardon_goes_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_host_pardons_stays_lifted, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reports_otherwise_gets_pages_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ban_that_was_taken_off_by_hand_is_reported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pardon_again_is_the_same_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_pardon_lifts_no_later_ban, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_message_can_say_is_not_pardoned, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_back_stops_no_page, setup, teardown),
        cmocka_unit_test_setup_teardown(pardons_outlive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(no_pages_are_due_where_there_is_no_ban, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
