/* What password databases said of sessions, and the join with the login line. It fails when a
 * mismatch is forgotten, when another session or host is asked, or when a flood makes more of it
 * than its room.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "count/backend.h"
#include "line/session.h"
#include "table_fixture.h"

static bool
is_unknown(struct session_store *store, uint64_t host, const char *session, int64_t stamp_ms)
{
    uint64_t secret;

    return session_is_unknown(store, host, session, strlen(session), stamp_ms, &secret);
}

static void
tell(struct session_store *store, const char *session, enum offence_reason reason, uint64_t secret)
{
    session_tell(store, 1, session, strlen(session), reason, secret, NOON_MS);
}

static void
unknown_when_all_say_so(void **state)
{
    struct session_store *store = session_new();
    uint64_t secret;

    (void)state;
    assert_false(is_unknown(store, 1, "a", NOON_MS));
    tell(store, "a", OFFENCE_REASON_UNKNOWN, 7);
    tell(store, "a", OFFENCE_REASON_UNKNOWN, 8);
    assert_true(session_is_unknown(store, 1, "a", 1, NOON_MS, &secret));
    assert_int_equal(secret, 8);
    assert_false(is_unknown(store, 2, "a", NOON_MS)); /* another host's */
    assert_false(is_unknown(store, 1, "b", NOON_MS));
    assert_false(is_unknown(store, 1, "a", NOON_MS + SESSION_LIFE_MS + 1));
    tell(store, "a", OFFENCE_REASON_MISMATCH, 0);
    tell(store, "a", OFFENCE_REASON_UNKNOWN, 0);
    assert_false(is_unknown(store, 1, "a", NOON_MS));
    tell(store, "c", OFFENCE_REASON_OTHER, 0);
    tell(store, "c", OFFENCE_REASON_UNKNOWN, 0);
    assert_false(is_unknown(store, 1, "c", NOON_MS));
    session_free(store);
}

static void
a_flood_displaces(void **state)
{
    struct session_store *store = session_new();
    unsigned kept = 0;
    char name[32];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "session-%d", i);
        tell(store, name, OFFENCE_REASON_UNKNOWN, 0);
        assert_true(is_unknown(store, 1, name, NOON_MS));
    }
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "session-%d", i);
        kept += is_unknown(store, 1, name, NOON_MS);
    }
    assert_in_range(kept, 4096, 8192);
    session_free(store);
}

static bool
joined(struct backend *backend, const char *user, const char *session)
{
    const struct backend_line line = {
        .host = "mx1", .host_length = 3, .stamp_ms = NOON_MS, .now_ms = NOON_MS};
    struct offence offence = {.class = OFFENCE_AUTH_FAILED,
                              .user = user,
                              .user_length = strlen(user),
                              .session = session,
                              .session_length = strlen(session),
                              .service = "imap-login",
                              .service_length = 10,
                              .attempts = 1};

    backend_hear(backend, &line, &offence);
    return offence.class == OFFENCE_AUTH_UNKNOWN_USER;
}

static void
a_login_line_asks_with_name_and_session(void **state)
{
    const struct backend_line line = {
        .host = "mx1", .host_length = 3, .stamp_ms = NOON_MS, .now_ms = NOON_MS};
    struct offence said = {.class = OFFENCE_AUTH_DETAIL,
                           .reason = OFFENCE_REASON_UNKNOWN,
                           .session = "S",
                           .session_length = 1,
                           .service = "dovecot",
                           .service_length = 7};
    struct fixture fixture;
    struct backend *backend;

    (void)state;
    fixture_begin(&fixture, 1024, 64);
    backend = backend_new(fixture.table);
    assert_false(joined(backend, "bob", "S"));
    assert_false(backend_hear(backend, &line, &said));
    assert_true(joined(backend, "bob", "S"));
    assert_false(joined(backend, "", "S"));
    assert_false(joined(backend, "(unavailable)", "S"));
    assert_false(joined(backend, "bob", ""));
    assert_false(joined(backend, "bob", "T"));
    said.reason = OFFENCE_REASON_MISMATCH;
    assert_false(backend_hear(backend, &line, &said));
    assert_false(joined(backend, "bob", "S"));
    backend_free(backend);
    fixture_end(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_when_all_say_so),
        cmocka_unit_test(a_flood_displaces),
        cmocka_unit_test(a_login_line_asks_with_name_and_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
