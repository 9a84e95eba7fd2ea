/* test_offence_event: events of Dovecot's exporter, as Dovecot 2.3 and 2.4 write them, and as
 * nobody should. It fails when an event is taken for another outcome, when something that is not
 * one whole event is read, or when a name's bytes reach another field.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "line/offence-event.h"

#define HEAD "\"event\":\"auth_request_finished\",\"fields\":{"
#define BASE HEAD "\"remote_ip\":\"203.0.113.9\",\"service\":\"imap\",\"session\":\"S\","

static int
read_event(const char *text, struct offence_event *event)
{
    return offence_event_read(text, strlen(text), event);
}

static void
assert_outcome(const char *text, enum offence_event_outcome outcome)
{
    struct offence_event event;

    assert_int_equal(read_event(text, &event), 0);
    assert_int_equal(event.outcome, outcome);
    assert_string_equal(event.ip, "203.0.113.9");
}

static void
knows_the_outcomes(void **state)
{
    (void)state;
    assert_outcome(BASE "\"user\":\"a\"}}", OFFENCE_EVENT_FAILED);
    assert_outcome(BASE "\"error\":\"authentication failed\",\"user\":\"a\"}}",
                   OFFENCE_EVENT_FAILED);
    assert_outcome(BASE "\"success\":\"yes\",\"user\":\"a\"}}", OFFENCE_EVENT_SUCCESS);
    assert_outcome(BASE "\"error\":\"internal failure\",\"user\":\"a\"}}", OFFENCE_EVENT_FAULT);
    assert_outcome(BASE "\"mechanism\":\"PLAIN\"}}", OFFENCE_EVENT_MALFORMED);
    assert_outcome(HEAD "\"remote_ip\":\"203.0.113.9\",\"service\":\"smtp\",\"user\":\"a\"}}",
                   OFFENCE_EVENT_FOREIGN);
    assert_outcome("\"event\":\"auth_passdb_request_finished\",\"fields\":{\"remote_ip\":"
                   "\"203.0.113.9\",\"protocol\":\"imap\",\"result\":\"internal_failure\"}}",
                   OFFENCE_EVENT_FAULT);
    assert_outcome("\"event\":\"auth_passdb_request_finished\",\"fields\":{\"remote_ip\":"
                   "\"203.0.113.9\",\"service\":\"imap\",\"result\":\"password_mismatch\"}}",
                   OFFENCE_EVENT_FOREIGN);
}

static void
names_the_login_process(void **state)
{
    struct offence_event event;

    (void)state;
    read_event(HEAD "\"remote_ip\":\"::1\",\"protocol\":\"sieve\",\"user\":\"a\"}}", &event);
    assert_string_equal(event.service, "managesieve-login");
    read_event(HEAD "\"remote_ip\":\"::1\",\"service\":\"lmtp\",\"user\":\"a\"}}", &event);
    assert_string_equal(event.service, "");
}

/* The name as the login process writes it can be compared with its line; others can't. */
static void
compares_only_plain_names(void **state)
{
    struct offence_event event;
    char text[500];

    (void)state;
    read_event(BASE "\"user\":\"a\",\"original_user\":\"A\"}}", &event);
    assert_int_equal(event.user_length, 1);
    assert_memory_equal(event.user, "a", 1);
    assert_true(event.is_comparable);
    read_event(BASE "\"user\":\"\",\"original_user\":\"a\\\"b\\u0000c\"}}", &event);
    assert_int_equal(event.user_length, 5);
    assert_memory_equal(event.user, "a\"b\0c", 5);
    assert_false(event.is_comparable);
    read_event(BASE "\"user\":\"\xff\xfe\"}}", &event);
    assert_false(event.is_comparable);
    snprintf(text, sizeof text, BASE "\"user\":\"%0300d\"}}", 7);
    read_event(text, &event);
    assert_int_equal(event.user_length, sizeof event.user);
    assert_false(event.is_comparable);
}

static void
refuses_what_is_no_event(void **state)
{
    static const char *const bad[] = {
        "", "}",
        /* a piece of a longer line, all of it a name: Dovecot has escaped it */
        "\\\"event\\\":\\\"auth_request_finished\\\",\\\"fields\\\":"
        "{\\\"remote_ip\\\":\\\"192.0.2.9\\\"}}",
        "\"event\":\"auth_request_finished\"}",
        "\"event\":\"imap_command_finished\",\"fields\":{\"remote_ip\":\"203.0.113.9\"}}",
        HEAD "\"remote_ip\":1,\"service\":\"imap\",\"user\":\"a\"}}",
        HEAD "\"remote_ip\":\"\",\"service\":\"imap\",\"user\":\"a\"}}",
        HEAD "\"remote_ip\":[\"203.0.113.9\"],\"service\":\"imap\",\"user\":\"a\"}}",
        HEAD "\"remote_ip\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}", BASE "\"user\":\"a", /* cut */
        BASE "\"user\":\"a\"}} x",                                     /* more than one object */
        BASE "\"user\":\"a\"}}{}",                                     /* likewise */
        BASE "\"user\":\"a\",\"remote_ip\":\"192.0.2.9\"}}",           /* twice */
        BASE "\"user\":\"a\"},\"fields\":{\"remote_ip\":\"::2\"}}",    /* twice */
        BASE "\"success\":\"no\",\"user\":\"a\",\"success\":\"yes\"}}" /* twice */
    };
    struct offence_event event;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_event(bad[i], &event), -EINVAL);
}

static void
refuses_what_is_too_long(void **state)
{
    static char text[OFFENCE_EVENT_MAX + 2];
    struct offence_event event;
    int length;

    (void)state;
    length = snprintf(text, sizeof text, BASE "\"user\":\"%0*d\"}}", 8000, 7);
    assert_int_equal(offence_event_read(text, (size_t)length, &event), 0);
    memset(text + length, ' ', sizeof text - (size_t)length);
    assert_int_equal(offence_event_read(text, OFFENCE_EVENT_MAX, &event), 0);
    assert_int_equal(offence_event_read(text, OFFENCE_EVENT_MAX + 1, &event), -EINVAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_outcomes),        cmocka_unit_test(names_the_login_process),
        cmocka_unit_test(compares_only_plain_names), cmocka_unit_test(refuses_what_is_no_event),
        cmocka_unit_test(refuses_what_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
