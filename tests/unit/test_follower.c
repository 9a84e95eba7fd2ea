/* test_follower: what another server tells becomes a ban of this table, under its own key: it is
 * lifted by that server alone, or with the table's own by a pardon, ends when that server says,
 * stays out of the ledger, and is found again after a restart.
 *
 * Fails when an origin's unban lifts another's ban or this table's own, when an end is only ever
 * prolonged, when the ledger is told, and when a ban from before a restart is never lifted.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include "control/follower.h"
#include "fleet/telegram.h"

static struct fixture f;
static struct follower *follower;
static struct allow *allow;

static int64_t
noon(void)
{
    return NOON_MS;
}

static int
setup(void **state)
{
    (void)state;
    fixture_begin(&f, 1024, 64);
    allow = allow_new();
    allow_add(allow, "203.0.113.66", 12);
    allow_seal(allow);
    follower = follower_new(f.table, "mx1", 64, 7);
    return follower == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    follower_free(follower);
    allow_free(allow);
    fixture_end(&f);
    return 0;
}

static struct telegram
telegram_of(enum telegram_kind kind, const char *origin, const char *source, uint64_t change)
{
    struct telegram telegram = {.kind = kind, .table = 1, .sent_ms = NOON_MS};

    strcpy(telegram.origin, origin);
    telegram.ban = (struct telegram_ban){.ports = ports_mail(),
                                         .since_ms = NOON_MS - 1000,
                                         .until_ms = NOON_MS + HOUR_MS,
                                         .change = change,
                                         .scope = TELEGRAM_SCOPE_FLEET};
    if (kind == TELEGRAM_PARDON)
        telegram.ban.ports = (struct ports){0};
    assert_int_equal(source_parse_prefix(source, strlen(source), &telegram.ban.source), 0);
    strcpy(telegram.story.jail, "auth");
    strcpy(telegram.story.reason, "auth_failed");
    return telegram;
}

static bool
send_telegram(const struct telegram *telegram)
{
    char text[TELEGRAM_TEXT_SIZE];
    const int length = telegram_print(telegram, text, sizeof text);

    assert_true(length > 0);
    return follower_take(follower, text, (size_t)length, allow, noon);
}

static bool
tell(enum telegram_kind kind, const char *origin, const char *source, uint64_t change)
{
    const struct telegram telegram = telegram_of(kind, origin, source, change);

    return send_telegram(&telegram);
}

/* Live bans of that source; *ban becomes the latest of them. */
static unsigned
live(const char *text, struct ban *ban)
{
    unsigned count = 0;
    struct source source;
    struct ban at;

    source_parse_prefix(text, strlen(text), &source);
    for (uint32_t i = 0; i < 64; i++) {
        if (!table_read_ban(f.table, i, &at) || source_compare(&at.source, &source) != 0 ||
            (at.state != BAN_WANTED && at.state != BAN_ENFORCED))
            continue;
        *ban = at;
        count++;
    }
    return count;
}

static void
ban_here(const char *text)
{
    struct ban ban = {.jail = (uint8_t)f.jail_index,
                      .since_ms = NOON_MS - 2000,
                      .until_ms = NOON_MS + 2 * HOUR_MS};

    source_parse_prefix(text, strlen(text), &ban.source);
    assert_int_equal(table_ban(f.table, &ban, NOON_MS), 0);
}

static void
each_origin_has_its_own(void **state)
{
    struct ban ban;

    (void)state;
    ban_here("203.0.113.9");
    assert_true(tell(TELEGRAM_BAN, "one", "203.0.113.9", 5));
    assert_true(tell(TELEGRAM_BAN, "two", "203.0.113.9", 50));
    assert_false(tell(TELEGRAM_BAN, "two", "203.0.113.9", 50));
    assert_int_equal(live("203.0.113.9", &ban), 3);
    assert_true(tell(TELEGRAM_UNBAN, "one", "203.0.113.9", 6));
    assert_int_equal(live("203.0.113.9", &ban), 2);
    assert_true(tell(TELEGRAM_UNBAN, "two", "203.0.113.9", 51));
    assert_int_equal(live("203.0.113.9", &ban), 1);
    assert_int_equal(ban.table, 0);
    assert_true(tell(TELEGRAM_PARDON, "two", "203.0.113.9", 52));
    assert_int_equal(live("203.0.113.9", &ban), 0);
}

/* Its messages are not its own, come back: those are of this table. */
static void
another_server_of_its_name_is_noticed(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "mx1", "203.0.113.9", 5);
    struct follower_statistics statistics;
    struct table_status status;

    (void)state;
    table_read_status(f.table, &status);
    telegram.table = status.table_id;
    assert_false(send_telegram(&telegram));
    follower_read_statistics(follower, &statistics);
    assert_int_equal(statistics.namesake, 0);
    telegram.table++;
    assert_false(send_telegram(&telegram));
    follower_read_statistics(follower, &statistics);
    assert_int_equal(statistics.namesake, 1);
}

static void
a_later_ban_is_not_pardoned(void **state)
{
    struct telegram pardon = telegram_of(TELEGRAM_PARDON, "one", "203.0.113.9", 5);
    struct ban ban;

    (void)state;
    ban_here("203.0.113.9");
    pardon.ban.since_ms = NOON_MS - 2001;
    assert_false(send_telegram(&pardon));
    assert_int_equal(live("203.0.113.9", &ban), 1);
}

static void
it_ends_when_its_origin_says(void **state)
{
    struct telegram telegram = telegram_of(TELEGRAM_BAN, "one", "203.0.113.9", 5);
    struct ban ban;

    (void)state;
    send_telegram(&telegram);
    for (int hours = 3; hours >= 2; hours--) {
        telegram.ban.change++;
        telegram.ban.until_ms = NOON_MS + hours * HOUR_MS;
        assert_true(send_telegram(&telegram));
        assert_int_equal(live("203.0.113.9", &ban), 1);
        assert_true(ban.until_ms == telegram.ban.until_ms);
    }
    telegram.ban.change++;
    telegram.ban.ports = (struct ports){1, {25}};
    assert_true(send_telegram(&telegram));
    assert_int_equal(live("203.0.113.9", &ban), 2);
}

static void
the_ledger_is_not_told(void **state)
{
    struct ban bans[8];
    int64_t next_ms;

    (void)state;
    tell(TELEGRAM_BAN, "one", "203.0.113.9", 5);
    tell(TELEGRAM_BAN, "one", "203.0.113.10", 6);
    tell(TELEGRAM_UNBAN, "one", "203.0.113.10", 7);
    assert_int_equal(table_dequeue_unrecorded(f.table, bans, 8), 0);
    table_expire(f.table, NOON_MS + 2 * HOUR_MS, &next_ms);
    assert_int_equal(table_dequeue_unrecorded(f.table, bans, 8), 0);
}

static void
nobody_is_banned_who_may_not_be(void **state)
{
    struct follower_statistics statistics;

    (void)state;
    assert_false(tell(TELEGRAM_BAN, "one", "203.0.113.66", 5));
    assert_false(tell(TELEGRAM_BAN, "one", "203.0.113.0/24", 6));
    assert_false(tell(TELEGRAM_BAN, "one", "10.0.0.1", 7));
    assert_false(tell(TELEGRAM_BAN, "mx1", "203.0.113.9", 8));
    assert_false(follower_take(follower, "{}", 2, allow, noon));
    follower_read_statistics(follower, &statistics);
    assert_int_equal(statistics.withheld, 3);
    assert_int_equal(statistics.invalid, 2);
    assert_int_equal(statistics.taken, 3);
}

/* Bans of everything, for ever, on other ports each time: half of the room is left to this server,
 * and most of the jails, and what has nothing to do with it is banned as before. */
static void
a_centre_gone_wrong_takes_half_of_the_room(void **state)
{
    struct jail jail = f.jail;
    unsigned bans = 0, change = 0;
    struct telegram telegram;
    struct ban found;
    char source[32];

    (void)state;
    tell(TELEGRAM_BAN, "mad", "203.0.0.0/8", ++change);
    tell(TELEGRAM_BAN, "mad", "2000::/3", ++change);
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(source, sizeof source, "198.18.%u.%u", i / 250, i % 250);
        telegram = telegram_of(TELEGRAM_BAN, i % 2 ? "mad" : "too", source, ++change);
        telegram.ban.until_ms = TELEGRAM_FOREVER_MS;
        snprintf(source, sizeof source, "%u", 1 + i % 65);
        telegram.ban.ports = (struct ports){0};
        assert_int_equal(ports_add(&telegram.ban.ports, source), 0);
        send_telegram(&telegram);
    }
    for (uint32_t i = 0; i < 64; i++) {
        if (!table_read_ban(f.table, i, &found))
            continue;
        bans++;
        assert_true(found.source.prefix == SOURCE_HOST_PREFIX);
        assert_true(found.until_ms <= NOON_MS + 7 * 24 * HOUR_MS);
    }
    assert_int_equal(bans, 32 - 2); /* those that are withheld take places, too */
    for (unsigned i = 0; i < 40; i++) {
        snprintf(jail.name, sizeof jail.name, "own-%u", i);
        assert_true(table_jail(f.table, &jail) > 0);
    }
    ban_here("203.0.113.9");
    assert_int_equal(live("203.0.113.9", &found), 1);
    for (unsigned i = 0; i < 100;
         i++) { /* an honest centre's pages find no room, but its lifts do */
        snprintf(source, sizeof source, "198.18.0.%u", i);
        telegram = telegram_of(TELEGRAM_UNBAN, i % 2 ? "mad" : "too", source, ++change);
        snprintf(source, sizeof source, "%u", 1 + i % 65);
        telegram.ban.ports = (struct ports){0};
        ports_add(&telegram.ban.ports, source);
        send_telegram(&telegram);
    }
    assert_true(tell(TELEGRAM_BAN, "centre", "203.0.113.10", 1));
}

static void
a_jail_of_that_name_is_left_alone(void **state)
{
    struct jail jail, after;
    int index;

    (void)state;
    jail_defaults(&jail);
    strcpy(jail.name, FOLLOWER_JAIL);
    index = table_jail(f.table, &jail);
    assert_true(index > 0);
    assert_false(tell(TELEGRAM_BAN, "one", "203.0.113.9", 5));
    assert_true(table_read_jail(f.table, (unsigned)index, &after));
    assert_true(after.classes != 0);
}

static void
it_is_found_again_after_a_restart(void **state)
{
    struct telegram page = {.kind = TELEGRAM_PAGE, .origin = "one", .table = 1};
    struct ban ban;

    (void)state;
    tell(TELEGRAM_BAN, "one", "203.0.113.9", 5);
    tell(TELEGRAM_BAN, "one", "203.0.113.10", 6);
    page.page.bans[0] = telegram_of(TELEGRAM_BAN, "one", "203.0.113.10", 6).ban;
    follower_free(follower);
    fixture_reopen(&f);
    follower = follower_new(f.table, "mx1", 64, 8);
    page.sent_ms = NOON_MS;
    page.page.change = 7;
    page.page.pages = page.page.ban_count = 1;
    assert_true(send_telegram(&page));
    assert_int_equal(live("203.0.113.9", &ban), 0);
    assert_int_equal(live("203.0.113.10", &ban), 1);
}

static unsigned
fellows(int64_t now_ms, struct source *addresses, unsigned most)
{
    return follower_fellows(follower, now_ms, addresses, most);
}

static bool
tell_members(const char *origin, const char *address)
{
    struct telegram members = {.kind = TELEGRAM_MEMBERS, .table = 1, .sent_ms = NOON_MS};

    strcpy(members.origin, origin);
    members.members.address_count = 1;
    assert_int_equal(source_parse_prefix(address, strlen(address), &members.members.addresses[0]),
                     0);
    return send_telegram(&members);
}

static void
servers_that_a_centre_tells_are_known(void **state)
{
    struct source addresses[4];
    char text[SOURCE_TEXT_SIZE];

    (void)state;
    assert_false(tell_members("centre", "203.0.113.1"));
    assert_true(follower_has_new_fellows(follower));
    assert_int_equal(fellows(NOON_MS, addresses, 4), 1);
    assert_string_equal(source_print(&addresses[0], text), "203.0.113.1");
    assert_false(follower_has_new_fellows(follower));
    tell_members("centre", "203.0.113.1");
    assert_false(follower_has_new_fellows(follower));
    tell_members("mx1", "203.0.113.2"); /* its own name */
    assert_int_equal(fellows(NOON_MS, addresses, 4), 1);
    tell_members("other", "2001:db8::2");
    assert_int_equal(fellows(NOON_MS, addresses, 4), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_origin_has_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(another_server_of_its_name_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_ban_is_not_pardoned, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_when_its_origin_says, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ledger_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_banned_who_may_not_be, setup, teardown),
        cmocka_unit_test_setup_teardown(a_centre_gone_wrong_takes_half_of_the_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_jail_of_that_name_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(servers_that_a_centre_tells_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_found_again_after_a_restart, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
