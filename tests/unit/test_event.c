/* test_event: what is printed is JSON of the documented form, comes back the same, and nothing
 * else comes in.
 *
 * Fails when a field is lost or changed on the way, when a host name can break out of its string,
 * when a stamp that is no date is taken, or when a field that is missing, of another type or out of
 * bounds gets through.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syslog.h>

#include <cmocka.h>

#include "ledger/event.h"
#include "ledger/notice.h"

static const char printed_ban[] =
    "{\"event\":\"ban\",\"version\":1,\"time\":\"2026-11-21T08:09:14.250Z\","
    "\"origin\":\"mx1.example\",\"source\":\"203.0.113.9\",\"jail\":\"mail\",\"scope\":3,"
    "\"ports\":\"25,587\",\"table\":\"0f0c00000000abcd\",\"id\":17,\"change\":4711,"
    "\"class\":\"auth_failed\",\"failures\":5,\"first\":\"2026-11-21T08:09:05.000Z\","
    "\"since\":\"2026-11-21T08:09:14.250Z\",\"until\":\"2026-11-21T09:09:14.250Z\"}";

static struct event
some_ban(void)
{
    struct event event = {
        .kind = EVENT_BAN,
        .time_ms = INT64_C(1795248554250),
        .ban = {.table_id = UINT64_C(0x0f0c00000000abcd),
                .id = 17,
                .change = 4711,
                .scope = 3,
                .failures = 5,
                .origin = BAN_BY_JAIL,
                .class = OFFENCE_AUTH_FAILED,
                .first_ms = INT64_C(1795248545000),
                .since_ms = INT64_C(1795248554250),
                .until_ms = INT64_C(1795252154250)},
        .jail = "mail",
        .ports = {2, {25, 587}},
        .origin = "mx1.example",
    };
    assert_int_equal(source_parse_prefix("203.0.113.9", 11, &event.ban.source), 0);
    return event;
}

static void
assert_comes_back(const struct event *event)
{
    char text[EVENT_TEXT_SIZE], again[EVENT_TEXT_SIZE];
    struct event parsed;
    int length = event_print(event, text, sizeof(text));
    assert_true(length > 0 && (size_t)length == strlen(text));
    assert_int_equal(event_parse(text, (size_t)length, &parsed), 0);
    assert_int_equal(event_print(&parsed, again, sizeof(again)), length);
    assert_string_equal(text, again);
    assert_int_equal(parsed.ban.table_id, event->ban.table_id);
    assert_int_equal(parsed.ban.until_ms, event->ban.until_ms);
    assert_int_equal(parsed.ban.end, event->ban.end);
    assert_int_equal(source_compare(&parsed.ban.source, &event->ban.source), 0);
}

static void
prints_the_documented_form(void **state)
{
    struct event event = some_ban();
    char text[EVENT_TEXT_SIZE];
    (void)state;
    event_print(&event, text, sizeof(text));
    assert_string_equal(text, printed_ban);
    assert_int_equal(event_print(&event, text, 20), -ENOSPC);
    assert_int_equal(event_print(&event, text, strlen(printed_ban)), -ENOSPC);
    strcpy(event.jail, "a\"b");
    assert_int_equal(event_print(&event, text, sizeof(text)), -EINVAL);
}

static void
every_kind_comes_back(void **state)
{
    struct event event = some_ban();
    (void)state;
    assert_comes_back(&event);
    source_parse_prefix("2001:db8:1:2::/64", 17, &event.ban.source);
    event.ban.until_ms = TABLE_FOREVER_MS;
    event.ban.origin = BAN_BY_HAND;
    event.ban.failures = 0;
    event.ban.class = 0;
    assert_comes_back(&event);
    event.kind = EVENT_UNBAN;
    event.ban.end = BAN_LIFTED_BY_HAND;
    event.ban.ended_ms = event.ban.since_ms + 1;
    assert_comes_back(&event);
    event.ban.end = BAN_EXPIRED;
    assert_comes_back(&event);
    memset(event.origin, 'h', sizeof(event.origin) - 1); /* the longest there is still fits */
    memset(event.jail, 'j', sizeof(event.jail) - 1);
    source_parse_prefix("2001:db8:1111:2222:3333:4444:5555:6660/127", 42, &event.ban.source);
    event.ban.id = event.ban.change = INT64_MAX - 1;
    for (unsigned i = 0; i < PORTS_MAX; i++)
        event.ports.number[i] = (uint16_t)(65000 + i);
    event.ports.count = PORTS_MAX;
    assert_comes_back(&event);
    event.ports = (struct ports){1, {0}};
    assert_comes_back(&event);
}

static void
what_is_no_ban_is_told_in_words(void **state)
{
    struct event event = {.kind = EVENT_TROUBLE,
                          .time_ms = INT64_C(1795248554250),
                          .origin = "mx1",
                          .condition = "kernel",
                          .words = "set \"a\\b\" is\nfull\xff"};
    struct event parsed;
    char text[EVENT_TEXT_SIZE], said[EVENT_SENTENCE_SIZE];
    (void)state;
    int length = event_print(&event, text, sizeof(text));
    assert_string_equal(text, "{\"event\":\"trouble\",\"version\":1,"
                              "\"time\":\"2026-11-21T08:09:14.250Z\",\"origin\":\"mx1\","
                              "\"condition\":\"kernel\",\"text\":\"set 'a/b' is?full?\"}");
    assert_int_equal(event_parse(text, (size_t)length, &parsed), -ENOMSG);
    assert_string_equal(event_say(&event, said), "trouble: set 'a/b' is?full?");
    event.kind = EVENT_STOP;
    event.condition[0] = '\0';
    event_print(&event, text, sizeof(text));
    assert_null(strstr(text, "condition"));
    strcpy(event.condition, "a\"b");
    assert_int_equal(event_print(&event, text, sizeof(text)), -EINVAL);
}

static void
bans_are_told_in_words(void **state)
{
    struct event event = some_ban();
    char said[EVENT_SENTENCE_SIZE];
    (void)state;
    assert_string_equal(event_say(&event, said),
                        "banned 203.0.113.9 for 1h (jail mail, 5 failures)");
    event.ban.until_ms = event.ban.since_ms + 90 * 60000;
    assert_string_equal(event_say(&event, said),
                        "banned 203.0.113.9 for 1h 30m (jail mail, 5 failures)");
    event.ban.until_ms = event.ban.since_ms + 24 * 3600000;
    event.ban.failures = 1;
    assert_string_equal(event_say(&event, said),
                        "banned 203.0.113.9 for 24h (jail mail, 1 failure)");
    event.ban.until_ms = event.ban.since_ms + INT64_C(7) * 24 * 3600000;
    event.ban.origin = BAN_BY_HAND;
    assert_string_equal(event_say(&event, said), "banned 203.0.113.9 for 7d (jail mail, by hand)");
    event.ban.until_ms = TABLE_FOREVER_MS;
    assert_string_equal(event_say(&event, said),
                        "banned 203.0.113.9 for ever (jail mail, by hand)");
    event.is_prolonged = true;
    event.time_ms += 1000;
    event.ban.until_ms = event.time_ms + 60000;
    assert_string_equal(event_say(&event, said),
                        "banned 203.0.113.9 for 1m more (jail mail, by hand)");
    event.kind = EVENT_UNBAN;
    event.ban.end = BAN_EXPIRED;
    assert_string_equal(event_say(&event, said),
                        "unbanned 203.0.113.9 (jail mail, its time is over)");
}

static void
a_host_name_cannot_break_out(void **state)
{
    struct event event = some_ban(), parsed;
    char text[EVENT_TEXT_SIZE];
    (void)state;
    strcpy(event.origin, "a\",\"until\":null,\"x\":\"\xc3\xa9\\\n");
    int length = event_print(&event, text, sizeof(text));
    assert_int_equal(event_parse(text, (size_t)length, &parsed), 0);
    assert_string_equal(parsed.origin, "a___until_:null__x_:_____");
    assert_int_equal(parsed.ban.until_ms, event.ban.until_ms);
}

/* The printed ban with one piece exchanged for another. */
static int
parse_with(const char *piece, const char *other)
{
    char text[2 * EVENT_TEXT_SIZE];
    struct event event;
    const char *at = strstr(printed_ban, piece);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - printed_ban), printed_ban, other,
             at + strlen(piece));
    return event_parse(text, strlen(text), &event);
}

static void
unknown_fields_and_other_versions(void **state)
{
    (void)state;
    assert_int_equal(parse_with("\"id\":17", "\"id\":17,\"more\":[1,{}]"), 0);
    assert_int_equal(parse_with("\"version\":1", "\"version\":2"), -EPROTO);
    assert_int_equal(parse_with("\"version\":1", "\"version\":\"1\""), -EINVAL);
    assert_int_equal(parse_with("\"version\":1,", ""), -EINVAL);
}

static void
every_field_is_held_to_its_form(void **state)
{
    static const char *const bad[][2] = {
        {"\"event\":\"ban\"", "\"event\":\"BAN\""},
        {"\"event\":\"ban\"", "\"event\":\"unban\""}, /* without ended and end */
        {"203.0.113.9", "203.0.113.999"},
        {"203.0.113.9", "127.0.0.1"},
        {"203.0.113.9", "::1"},
        {"203.0.113.9", "mx1.example"},
        {"\"203.0.113.9\"", "null"},
        {"\"mail\"", "\"\""},
        {"\"mail\"", "\"ma il\""},
        {"\"mail\"", "\"abcdefghijklmnopqrstuvwxyz012345\""},
        {"mx1.example", "mx1\\u0000"},
        {"mx1.example", "mx1 example"},
        {"0f0c00000000abcd", "0f0c00000000abc"},
        {"0f0c00000000abcd", "0F0C00000000ABCD"},
        {"0f0c00000000abcd", "0x0c00000000abcd"},
        {"\"id\":17", "\"id\":0"},
        {"\"id\":17", "\"id\":-1"},
        {"\"id\":17", "\"id\":99999999999999999999"},
        {"\"id\":17,", ""},
        {"\"change\":4711,", ""},
        {"\"change\":4711", "\"change\":-1"},
        {"\"scope\":3", "\"scope\":65536"},
        {"25,587", "25,smtp"},
        {"25,587", "25,"},
        {"25,587", "25,65536"},
        {"\"time\":\"2026-11-21T08:09:14.250Z\",", ""},
        {"auth_failed", "auth_faile"},
        {"\"auth_failed\"", "5"},
        {"\"class\":\"auth_failed\",", ""},
        {"\"failures\":5", "\"failures\":65536"},
        {"\"failures\":5", "\"failures\":5.5"},
        {"2026-11-21T08:09:05.000Z", "2026-02-30T08:09:05.000Z"},
        {"\"2026-11-21T08:09:05.000Z\"", "1795248545000"},
        {"\"until\":\"2026-11-21T09:09:14.250Z\"", "\"until\":\"2026-11-21T08:09:14.250Z\""},
        {",\"until\":\"2026-11-21T09:09:14.250Z\"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse_with(bad[i][0], bad[i][1]) != -EINVAL)
            fail_msg("accepted: %s for %s", bad[i][1], bad[i][0]);
}

/* Cut anywhere, or with bytes changed anywhere: an answer, and if yes, one that prints. */
static void
damage_is_survived(void **state)
{
    size_t length = strlen(printed_ban);
    struct event event;
    (void)state;
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(event_parse(printed_ban, cut, &event), -EINVAL);
    srand(1);
    for (int round = 0; round < 50000; round++) {
        char text[sizeof(printed_ban)], again[EVENT_TEXT_SIZE];
        memcpy(text, printed_ban, sizeof(text));
        for (int i = rand() % 4; i >= 0; i--)
            text[(size_t)rand() % length] = (char)rand();
        if (event_parse(text, length, &event) == 0)
            assert_true(event_print(&event, again, sizeof(again)) > 0);
    }
}

static void
stamps(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-21T08:09:05Z",
        "2026-11-21T08:09:05.000",
        "2026-11-21T08:09:05.000z",
        "2026-11-21 08:09:05.000Z",
        "2026-11-21T08:09:05.000+00:00",
        "2026-11-21T24:00:00.000Z",
        "2026-11-21T08:60:00.000Z",
        "2026-11-21T08:09:60.000Z",
        "2026-13-01T00:00:00.000Z",
        "2026-02-29T00:00:00.000Z",
        "2026-00-10T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "2026-11-21T08:09:05.000ZZ",
    };
    char text[EVENT_STAMP_SIZE];
    int64_t ms;
    (void)state;
    assert_string_equal(event_stamp(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(event_stamp(-5, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(event_stamp(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(event_stamp(INT64_C(1709164800001), text), "2024-02-29T00:00:00.001Z");
    assert_int_equal(event_parse_stamp("2024-02-29T00:00:00.001Z", &ms), 0);
    assert_true(ms == INT64_C(1709164800001));
    assert_int_equal(event_parse_stamp("9999-12-31T23:59:59.999Z", &ms), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (event_parse_stamp(bad[i], &ms) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
}

static void
a_notice_has_the_lines_oldest_first_and_in_ascii(void **state)
{
    static struct evidence lines[NOTICE_LINES_MOST + 2]; /* the newest first */
    struct event event = some_ban();
    struct notice notice;

    (void)state;
    strcpy(lines[0].line, "third ~");
    strcpy(lines[1].line, "");
    strcpy(lines[2].line, "first \x1b[2J\xc3\x7f");
    assert_int_equal(notice_make(&event, lines, 3, &notice), 0);
    assert_string_equal(notice.lines, "first ?[2J??\nthird ~");
    assert_string_equal(notice.fields, printed_ban);
    assert_int_equal(notice.severity, LOG_NOTICE);
    assert_int_equal(notice.time_ms, event.time_ms);
    assert_int_equal(notice_make(&event, NULL, 0, &notice), 0);
    assert_string_equal(notice.lines, "");
    for (size_t i = 0; i < NOTICE_LINES_MOST + 2; i++) {
        memset(lines[i].line, 'a', sizeof(lines[i].line) - 1);
        lines[i].line[sizeof(lines[i].line) - 1] = '\0';
    }
    assert_int_equal(notice_make(&event, lines, NOTICE_LINES_MOST + 2, &notice), 0);
    assert_true(strlen(notice.lines) >= NOTICE_LINES_SIZE - 2); /* as far as there is room */
    event = (struct event){.kind = EVENT_TROUBLE, .origin = "mx1", .condition = "kernel"};
    assert_int_equal(notice_make(&event, NULL, 0, &notice), 0);
    assert_int_equal(notice.severity, LOG_WARNING);
    event.origin[0] = '\0';
    assert_true(notice_make(&event, NULL, 0, &notice) < 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_the_documented_form),
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(what_is_no_ban_is_told_in_words),
        cmocka_unit_test(bans_are_told_in_words),
        cmocka_unit_test(a_host_name_cannot_break_out),
        cmocka_unit_test(unknown_fields_and_other_versions),
        cmocka_unit_test(every_field_is_held_to_its_form),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(stamps),
        cmocka_unit_test(a_notice_has_the_lines_oldest_first_and_in_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
