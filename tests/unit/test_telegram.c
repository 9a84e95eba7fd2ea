/* test_telegram: each kind of message comes back as it was, and nothing else comes in.
 *
 * Fails when a field is lost or changed on the way, when what is too long is printed, and when a
 * field that is missing, of another type, or out of bounds gets through.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fleet/telegram.h"

static const char ban[] =
    "{\"event\":\"ban\",\"fleet\":1,\"origin\":\"centre\",\"table\":\"9f0c000000000001\","
    "\"sent\":1767225600250,\"source\":\"203.0.113.9\",\"ports\":\"25,587\",\"scope\":\"fleet\","
    "\"since\":1767225600000,\"until\":1767229200000,\"change\":17,\"jail\":\"auth\","
    "\"reason\":\"auth_failed\",\"count\":5,\"hosts\":[\"mx1\",\"mx2\"]}";
static const char page[] =
    "{\"event\":\"page\",\"fleet\":1,\"origin\":\"centre\",\"table\":\"9f0c000000000001\","
    "\"sent\":1767225600250,\"change\":17,\"page\":3,\"pages\":64,\"lists\":[\"25,587\",\"0\"],"
    "\"bans\":[[\"203.0.113.9\",0,1767225600000,1767229200000,17],"
    "[\"2001:db8::/64\",1,1767225600000,null,9,\"mx1\"],"
    "[\"203.0.113.0/24\",null,1767225600000,1767229200000,12]]}";
static const char report[] =
    "{\"event\":\"report\",\"fleet\":1,\"origin\":\"mx1\",\"table\":\"51aa000000000001\","
    "\"sent\":1767225600250,\"version\":\"0.1.0\",\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"],"
    "\"refused\":3,\"holds\":[[\"centre\",\"9f0c000000000001\",17,204,\"77aa000000000001\",-12]]}";

static const char members[] =
    "{\"event\":\"members\",\"fleet\":1,\"origin\":\"centre\",\"table\":\"9f0c000000000001\","
    "\"sent\":1767225600250,\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"]}";

static struct telegram telegram;

static int
read_text(const char *text)
{
    return telegram_read(text, strlen(text), &telegram);
}

static void
comes_back(const char *text)
{
    char again[TELEGRAM_TEXT_SIZE];

    assert_int_equal(read_text(text), 0);
    assert_int_equal(telegram_print(&telegram, again, sizeof again), (int)strlen(text));
    assert_string_equal(again, text);
}

/* The text with one piece exchanged for another, which has to be there. */
static int
read_with(const char *text, const char *piece, const char *other)
{
    char changed[2 * TELEGRAM_TEXT_SIZE];
    const char *const at = strstr(text, piece);

    assert_non_null(at);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, other,
             at + strlen(piece));
    return read_text(changed);
}

static void
every_kind_comes_back(void **state)
{
    (void)state;
    comes_back(ban);
    comes_back(page);
    comes_back(report);
    comes_back(members);
    assert_int_equal(read_with(ban, "\"ban\"", "\"unban\""), 0);
    assert_int_equal(telegram.kind, TELEGRAM_UNBAN);
    assert_int_equal(read_with(ban, "1767229200000", "null"), 0);
    assert_true(telegram.ban.until_ms == TELEGRAM_FOREVER_MS);
    assert_int_equal(read_with(ban, "{", "{\"news\":[1,{}],"), 0);
}

static void
its_fields_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_text(page), 0);
    assert_int_equal(telegram.kind, TELEGRAM_PAGE);
    assert_int_equal(telegram.page.page, 3);
    assert_int_equal(telegram.page.pages, 64);
    assert_int_equal(telegram.page.ban_count, 3);
    assert_string_equal(telegram.page.bans[0].scope, "fleet");
    assert_int_equal(telegram.page.bans[0].ports.number[1], 587);
    assert_true(ports_are_all(&telegram.page.bans[1].ports));
    assert_true(telegram.page.bans[1].until_ms == TELEGRAM_FOREVER_MS);
    assert_string_equal(telegram.page.bans[1].scope, "mx1");
    assert_int_equal(telegram.page.bans[2].ports.count, 0);
    assert_int_equal(read_text(report), 0);
    assert_int_equal(telegram.report.holds[0].behind_ms, -12);
    assert_int_equal(telegram.report.holds[0].count, 204);
}

static void
other_versions_and_kinds_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_with(ban, "\"fleet\":1", "\"fleet\":2"), -EPROTO);
    assert_int_equal(read_with(ban, "\"fleet\":1", "\"version\":1"), -EINVAL);
    assert_int_equal(read_with(ban, "\"ban\"", "\"bans\""), -EINVAL);
    assert_int_equal(read_text(""), -EINVAL);
    assert_int_equal(read_text("[]"), -EINVAL);
    assert_int_equal(read_with(ban, "}", "} "), 0);
    assert_int_equal(read_with(ban, "\"change\":17", "\"change\":17,\"change\":18"), -EINVAL);
}

static void
what_is_no_ban_is_refused(void **state)
{
    static const char *const pieces[][2] = {
        {"203.0.113.9", "203.0.113"},
        {"203.0.113.9", "127.0.0.1"},
        {"203.0.113.9", "0.0.0.0/0"},
        {"\"25,587\"", "\"587,25\""},
        {"\"25,587\"", "\"smtp\""},
        {"\"25,587\"", "\"25,70000\""},
        {"\"25,587\"", "\"25,\""},
        {"\"25,587\"", "null"},
        {"\"25,587\"", "25"},
        {"1767225600000", "1767225600251"}, /* begins after it was sent */
        {"1767229200000", "1767225600000"}, /* ends as it begins */
        {"1767229200000", "999999999999999"},
        {"1767229200000", "\"1767229200000\""},
        {"1767225600250", "-1"},
        {"\"change\":17", "\"change\":-1"},
        {"\"change\":17", "\"change\":9223372036854775807"},
        {"\"change\":17", "\"change\":17.5"},
        {"\"count\":5", "\"count\":5000000000"},
        {"\"table\":\"9f0c000000000001\"", "\"table\":\"0000000000000000\""},
        {"9f0c000000000001", "9F0C000000000001"},
        {"\"centre\"", "\"cen\\\"tre\""},
        {"\"centre\"", "\"\""},
        {"\"fleet\",", "\"a b\","},
        {"[\"mx1\",\"mx2\"]", "\"mx1\""},
        {"[\"mx1\",\"mx2\"]", "[1]"},
        {"\"mx2\"]", "\"mx2\",]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (read_with(ban, pieces[i][0], pieces[i][1]) != -EINVAL)
            fail_msg("%s is taken for %s", pieces[i][1], pieces[i][0]);
    }
    assert_int_equal(read_with(ban, "\"ban\"", "\"pardon\""), -EINVAL);
}

static void
what_is_no_page_is_refused(void **state)
{
    static const char *const pieces[][2] = {
        {"\"pages\":64", "\"pages\":63"},
        {"\"pages\":64", "\"pages\":0"},
        {"\"pages\":64", "\"pages\":4294967296"},
        {"\"page\":3", "\"page\":64"},
        {"\"page\":3", "\"page\":-1"},
        {"[\"203.0.113.9\",0,", "[\"203.0.113.9\",2,"},
        {"[\"203.0.113.9\",0,", "[\"203.0.113.9\",-1,"},
        {"[\"203.0.113.9\",0,", "[[],0,"},
        {"[\"203.0.113.9\",0,", "[0,"},
        {",17],", ",17,\"mx1\",1],"},
        {",17],", "],"},
        {"[\"203.0.113.9\"", "{},[\"203.0.113.9\""},
        {"[\"25,587\",\"0\"]", "[\"25,587\"]"},
        {"[\"25,587\",\"0\"]", "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        if (read_with(page, pieces[i][0], pieces[i][1]) != -EINVAL)
            fail_msg("%s is taken for %s", pieces[i][1], pieces[i][0]);
}

static void
what_is_no_report_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_with(report, "204", "-1"), -EINVAL);
    assert_int_equal(read_with(report, "77aa000000000001", "77aa"), -EINVAL);
    assert_int_equal(read_with(report, ",-12]", "]"), -EINVAL);
    assert_int_equal(read_with(report, "[\"192.0.2.1\"", "[\"mx1\""), -EINVAL);
    assert_int_equal(read_with(report, "\"0.1.0\"", "\"0.1.0 <b>\""), -EINVAL);
}

/* 101 short bans fit into the text and not onto a page; 100 long ones the other way round. */
static void
what_is_no_list_of_members_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_with(members, "192.0.2.1", "192.0.2.0/24"), -EINVAL);
    assert_int_equal(read_with(members, "2001:db8::1", "2001:db8::/64"), -EINVAL);
    assert_int_equal(read_with(members, "192.0.2.1", "127.0.0.1"), -EINVAL);
    assert_int_equal(read_with(members, "192.0.2.1", "mx1"), -EINVAL);
    assert_int_equal(read_with(members, "\"192.0.2.1\"", "1"), -EINVAL);
    assert_int_equal(read_with(members, "addresses", "address"), -EINVAL);
    telegram = (struct telegram){.kind = TELEGRAM_MEMBERS, .origin = "centre", .table = 1};
    telegram.members.address_count = TELEGRAM_MEMBERS_MAX + 1;
    assert_int_equal(telegram_print(&telegram, (char[TELEGRAM_TEXT_SIZE]){0}, TELEGRAM_TEXT_SIZE),
                     -EINVAL);
}

static void
a_full_list_of_members_has_room(void **state)
{
    char text[TELEGRAM_TEXT_SIZE];

    (void)state;
    telegram = (struct telegram){.kind = TELEGRAM_MEMBERS, .origin = "centre", .table = 1};
    telegram.members.address_count = TELEGRAM_MEMBERS_MAX;
    for (unsigned i = 0; i < TELEGRAM_MEMBERS_MAX; i++) {
        telegram.members.addresses[i].prefix = SOURCE_HOST_PREFIX;
        memset(telegram.members.addresses[i].address, 0x2a, 16);
    }
    assert_true(telegram_print(&telegram, text, sizeof text) > 0);
    assert_int_equal(read_text(text), 0);
    assert_int_equal(telegram.members.address_count, TELEGRAM_MEMBERS_MAX);
}

static void
too_much_is_refused(void **state)
{
    char text[2 * TELEGRAM_TEXT_SIZE], small[64];
    size_t length = (size_t)(strstr(page, "[[") - page) + 1;

    (void)state;
    memcpy(text, page, length);
    for (unsigned i = 0; i < 101; i++)
        length += (size_t)sprintf(text + length, "%s[\"9.9.9.%u\",0,1,2,3]", i > 0 ? "," : "", i);
    strcpy(text + length, "]}");
    assert_true(strlen(text) < TELEGRAM_TEXT_SIZE);
    assert_int_equal(read_text(text), -EINVAL);

    assert_int_equal(read_text(page), 0);
    for (unsigned i = 0; i < TELEGRAM_BANS_MAX; i++) {
        telegram.page.bans[i] = telegram.page.bans[1];
        memset(telegram.page.bans[i].scope, 'm', TELEGRAM_NAME_SIZE - 1);
        telegram.page.bans[i].scope[TELEGRAM_NAME_SIZE - 1] = '\0';
    }
    telegram.page.ban_count = TELEGRAM_BANS_MAX;
    assert_int_equal(telegram_print(&telegram, text, sizeof text), -ENOSPC);
    telegram.page.ban_count = 1;
    assert_true(telegram_print(&telegram, text, sizeof text) > 0);
    assert_int_equal(telegram_print(&telegram, small, sizeof small), -ENOSPC);
    telegram.page.bans[0].since_ms = telegram.sent_ms + 1;
    assert_int_equal(telegram_print(&telegram, text, sizeof text), -EINVAL);
}

/* What no reader would take is not printed. */
static void
what_is_not_sound_is_not_printed(void **state)
{
    char text[TELEGRAM_TEXT_SIZE];

    (void)state;
#define REFUSED(of, change)                                                                        \
    do {                                                                                           \
        assert_int_equal(read_text(of), 0);                                                        \
        change;                                                                                    \
        assert_int_equal(telegram_print(&telegram, text, sizeof text), -EINVAL);                   \
    } while (0)
    REFUSED(ban, telegram.origin[0] = '\0');
    REFUSED(ban, strcpy(telegram.origin, "a b"));
    REFUSED(ban, telegram.sent_ms = -1);
    REFUSED(ban, telegram.table = 0);
    REFUSED(ban, telegram.ban.source.address[12] = 127);
    REFUSED(ban, telegram.ban.scope[0] = '\0');
    REFUSED(ban, telegram.ban.change = UINT64_MAX);
    REFUSED(ban, telegram.ban.ports.count = 0);
    REFUSED(ban, telegram.kind = TELEGRAM_PARDON); /* which has no ports */
    REFUSED(ban, telegram.ban.since_ms = -1);
    REFUSED(ban, telegram.ban.since_ms = telegram.sent_ms + 1);
    REFUSED(ban, telegram.ban.until_ms = telegram.ban.since_ms);
    REFUSED(ban, telegram.ban.until_ms = TELEGRAM_FOREVER_MS - 1);
    REFUSED(ban, telegram.story.jail[0] = '\0');
    REFUSED(ban, telegram.story.reason[0] = '"');
    REFUSED(ban, telegram.story.hosts[1][0] = '\0');
    REFUSED(ban, telegram.story.host_count = TELEGRAM_HOSTS_MAX + 1);
    REFUSED(ban, telegram.story.count = (uint32_t)INT32_MAX + 1);
    REFUSED(page, telegram.page.pages = 0);
    REFUSED(page, telegram.page.pages = TELEGRAM_PAGES_MAX * 2 - 1);
    REFUSED(page, telegram.page.pages = 63);
    REFUSED(page, telegram.page.page = 64);
    REFUSED(page, telegram.page.ban_count = TELEGRAM_BANS_MAX + 1);
    REFUSED(page, telegram.page.change = UINT64_MAX);
    REFUSED(page, telegram.page.bans[2].until_ms = 0);
    REFUSED(report, telegram.report.version[0] = '\0');
    REFUSED(report, telegram.report.address_count = TELEGRAM_ADDRESSES_MAX + 1);
    REFUSED(report, telegram.report.hold_count = TELEGRAM_HOLDS_MAX + 1);
    REFUSED(report, telegram.report.refused = UINT64_MAX);
    REFUSED(report, telegram.report.holds[0].origin[0] = '\0');
    REFUSED(report, telegram.report.holds[0].change = UINT64_MAX);
    REFUSED(report, telegram.report.holds[0].count = (uint32_t)INT32_MAX + 1);
    REFUSED(report, telegram.report.holds[0].behind_ms = INT64_MIN);
    REFUSED(report, telegram.report.holds[0].behind_ms = INT64_MAX);
#undef REFUSED
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(its_fields_are_read),
        cmocka_unit_test(other_versions_and_kinds_are_refused),
        cmocka_unit_test(what_is_no_ban_is_refused),
        cmocka_unit_test(what_is_no_page_is_refused),
        cmocka_unit_test(what_is_no_report_is_refused),
        cmocka_unit_test(what_is_no_list_of_members_is_refused),
        cmocka_unit_test(a_full_list_of_members_has_room),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(what_is_not_sound_is_not_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
