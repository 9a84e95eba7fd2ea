/* test_offence: what is read from a rulebase's fields, and what is not believed.
 *
 * Fails when an address comes out of a client's text, when an address that can be no client's
 * does, when a session id that names another address is overlooked, when a 4xx counts, when an
 * event is taken for another outcome than it tells, or when something that is not of its form is
 * taken.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json.h>

#include "line/offence.h"

static struct fjson_object *fields;

/* Pairs of key and value, NULL at the end. */
static int
read_fields(struct offence *offence, ...)
{
    const char *key, *value;
    va_list pairs;

    fjson_object_put(fields);
    fields = fjson_object_new_object();
    va_start(pairs, offence);
    while ((key = va_arg(pairs, const char *)) != NULL) {
        value = va_arg(pairs, const char *);
        fjson_object_object_add(fields, key, fjson_object_new_string(value));
    }
    va_end(pairs);
    return offence_read(fields, offence);
}

static int
forget_fields(void **state)
{
    (void)state;
    fjson_object_put(fields);
    fields = NULL;
    return 0;
}

static void
assert_client(const struct offence *offence, const char *address)
{
    char text[SOURCE_TEXT_SIZE];

    assert_true(offence->has_client);
    assert_string_equal(source_print_address(&offence->client, text), address);
}

static void
assert_bytes(const char *bytes, size_t length, const char *expected)
{
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, length);
}

static void
every_class_has_a_name_and_back(void **state)
{
    (void)state;
    for (int class = 0; class < OFFENCE_CLASSES; class ++) {
        const char *name = offence_class_name((enum offence_class) class);
        assert_int_equal(offence_class_parse(name, strlen(name)), class);
    }
    assert_int_equal(offence_class_parse("auth_faile", 10), -ENOENT);
    assert_int_equal(offence_class_parse("", 0), -ENOENT);
}

static void
reads_what_a_rule_cut_out(void **state)
{
    struct offence offence;

    (void)state;
    assert_int_equal(read_fields(&offence, "class", "rcpt_unknown", "ip", "203.0.113.9", "code",
                                 "550", "dsn", "5.1.1", "user", "alice", "service", "postfix/smtpd",
                                 NULL),
                     0);
    assert_int_equal(offence.class, OFFENCE_RCPT_UNKNOWN);
    assert_client(&offence, "203.0.113.9");
    assert_int_equal(offence.code, 550);
    assert_int_equal(offence.dsn, 5001001);
    assert_int_equal(offence.attempts, 1);
    assert_bytes(offence.user, offence.user_length, "alice");
    assert_bytes(offence.service, offence.service_length, "postfix/smtpd");
    assert_int_not_equal(offence.user_hash, 0);
    assert_int_equal(offence.secret_hash, 0);
    assert_true(offence_counts(&offence));
}

/* Members that were taken out leave holes in the object. */
static void
a_class_is_found_among_all_fields(void **state)
{
    struct offence offence;

    (void)state;
    assert_int_equal(read_fields(&offence, "client", "x", "user", "bob", "ip", "203.0.113.9",
                                 "class", "auth_failed", NULL),
                     0);
    assert_true(offence_has_class(fields));
    fjson_object_object_del(fields, "client");
    fjson_object_object_del(fields, "ip");
    assert_true(offence_has_class(fields));
    assert_int_equal(offence_read(fields, &offence), 0);
    assert_false(offence.has_client);
    assert_bytes(offence.user, offence.user_length, "bob");
    fjson_object_object_del(fields, "class");
    assert_false(offence_has_class(fields));
    assert_int_equal(offence_read(fields, &offence), -ENOENT);
    fjson_object_object_add(fields, "class", NULL);
    assert_false(offence_has_class(fields));
    fjson_object_put(fields);
    fields = fjson_object_new_string("class");
    assert_false(offence_has_class(fields));
    assert_int_equal(offence_read(fields, &offence), -ENOENT);
    assert_false(offence_has_class(NULL));
}

static void
no_class_no_offence(void **state)
{
    struct offence offence;

    (void)state;
    assert_int_equal(read_fields(&offence, "originalmsg", "x", NULL), -ENOENT);
    assert_int_equal(read_fields(&offence, "class", "evil", "ip", "203.0.113.9", NULL), -EINVAL);
    assert_int_equal(read_fields(&offence, "class", "auth_failed", "attempts", "many", NULL),
                     -EINVAL);
    assert_int_equal(read_fields(&offence, "class", "auth_failed", "code", "", NULL), -EINVAL);
}

static void
no_client_that_cannot_be_one(void **state)
{
    static const char *const bad[] = {"cafe",    "300.1.1.1", "127.0.0.1",        "::1",
                                      "0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1", "ff02::1",
                                      "",        "unknown",   "203.0.113.9 ",     "203.0.113.9/8"};
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "auth_failed", "ip", bad[i], NULL), 0);
        assert_false(offence.has_client);
        assert_false(offence_counts(&offence));
    }
    read_fields(&offence, "class", "auth_failed", "ip", "::ffff:203.0.113.9", NULL);
    assert_client(&offence, "203.0.113.9");
    read_fields(&offence, "class", "auth_failed", "ip", "fe80::1%eth0", NULL);
    assert_client(&offence, "fe80::1");
}

static void
attempts_are_bounded(void **state)
{
    static const struct {
        const char *text;
        unsigned attempts;
    } cases[] = {{"0", 1}, {"1", 1}, {"16", 16}, {"17", 16}, {"99999999999999999999", 16}};
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            read_fields(&offence, "class", "auth_failed", "attempts", cases[i].text, NULL), 0);
        assert_int_equal(offence.attempts, cases[i].attempts);
    }
}

static void
temporary_failures_never_count(void **state)
{
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "rcpt_unknown", "ip", "203.0.113.9", "code", "450", NULL);
    assert_int_equal(offence.class, OFFENCE_RCPT_UNKNOWN);
    assert_false(offence_counts(&offence));
    read_fields(&offence, "class", "content_reject", "ip", "203.0.113.9", "dsn", "4.7.1", NULL);
    assert_int_equal(offence.class, OFFENCE_TEMPFAIL);
    assert_false(offence_counts(&offence));
    read_fields(&offence, "class", "login_ok", "ip", "203.0.113.9", NULL);
    assert_false(offence_counts(&offence));
}

/* Postfix denies relaying with 454 4.7.1 where it is to be tried again, for ever. */
static void
denied_relaying_counts_with_454(void **state)
{
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "relay_denied", "ip", "203.0.113.9", "code", "454", "dsn",
                "4.7.1", NULL);
    assert_int_equal(offence.class, OFFENCE_RELAY_DENIED);
    assert_true(offence_counts(&offence));
    read_fields(&offence, "class", "relay_denied", "ip", "203.0.113.9", "code", "454", "dsn",
                "4.3.0", NULL);
    assert_false(offence_counts(&offence));
    read_fields(&offence, "class", "relay_denied", "ip", "203.0.113.9", "code", "450", "dsn",
                "4.7.1", NULL);
    assert_false(offence_counts(&offence));
}

/* Mail servers cannot help it, whatever a jail counts: a mailbox is full, the mail is too large,
 * and the network breaks in it. What else is of the class counts. */
static void
what_befalls_mail_servers_never_counts(void **state)
{
    static const struct {
        const char *class, *field, *value;
        bool counts;
    } cases[] = {
        {"rcpt_rejected", "dsn", "5.2.2", false}, {"rcpt_rejected", "dsn", "5.7.1", true},
        {"smtp_reject", "dsn", "5.3.4", false},   {"smtp_reject", "dsn", "5.5.3", true},
        {"conn_lost", "stage", "DATA", false},    {"conn_lost", "service", "smtpd", true},
        {"conn_timeout", "stage", "AUTH", false}, {"conn_timeout", "service", "smtpd", true},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", cases[i].class, "ip", "203.0.113.9", "code", "552",
                    cases[i].field, cases[i].value, NULL);
        assert_client(&offence, "203.0.113.9");
        assert_int_equal(offence_counts(&offence), cases[i].counts);
    }
}

/* Classes that came later are in no group by their number. */
static void
later_classes_are_in_their_groups(void **state)
{
    (void)state;
    assert_true(OFFENCE_DEFAULT & OFFENCE_BIT(OFFENCE_AUTH_REFUSED));
    for (int class = OFFENCE_TLS_UNEXPECTED; class <= OFFENCE_PIPELINING_LOGIN; class ++) {
        assert_false(OFFENCE_DEFAULT & OFFENCE_BIT(class));
        assert_true(OFFENCE_COUNTABLE & OFFENCE_BIT(class));
    }
    assert_false(OFFENCE_COUNTABLE & OFFENCE_BIT(OFFENCE_SERVER_FAULT));
    assert_false(OFFENCE_DEFAULT & OFFENCE_BIT(OFFENCE_RATE_LIMITED));
}

static void
dsn_is_read_or_0(void **state)
{
    static const char *const bad[] = {"5", "5.7", "5.7.", "5..1", "5.7.1.1", "5.7.x", "55.7.1234"};
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "smtp_reject", "dsn", "5.7.25", NULL);
    assert_int_equal(offence.dsn, 5007025);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        read_fields(&offence, "class", "smtp_reject", "dsn", bad[i], NULL);
        assert_int_equal(offence.dsn, 0);
    }
}

/* The tails of Dovecot's lines: what the daemon wrote wins over what the client did. */
static void
the_last_rip_is_the_daemons(void **state)
{
    static const struct {
        const char *tail, *address, *user;
    } cases[] = {
        {" in 2 secs): user=<a>, method=PLAIN, rip=203.0.113.9, lip=198.51.100.1", "203.0.113.9",
         "a"},
        {": user=<>, rip=203.0.113.9, lip=::1", "203.0.113.9", ""},
        {": user=<x>, method=PLAIN, rip=192.0.2.9, lip=1>, method=PLAIN, rip=203.0.113.9, lip=1",
         "203.0.113.9", "x>, method=PLAIN, rip=192.0.2.9, lip=1"},
        {": user=<: rip=192.0.2.9, >, rip=2001:db8::9, lip=::1", "2001:db8::9",
         ": rip=192.0.2.9, "},
        {": user=<user=<a>, rip=192.0.2.9, >, rip=203.0.113.9, lip=::1", "203.0.113.9",
         "user=<a>, rip=192.0.2.9, "},
        {": rip=203.0.113.9, lip=::1", "203.0.113.9", ""},
        /* a name that nothing closes is none */
        {": user=<a, rip=203.0.113.9, lip=1", "203.0.113.9", ""},
        {": user=<, rip=203.0.113.9, lip=1", "203.0.113.9", ""},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "auth_failed", "tail", cases[i].tail, NULL),
                         0);
        assert_client(&offence, cases[i].address);
        assert_bytes(offence.user, offence.user_length, cases[i].user);
    }
    /* the rest may be cut off */
    read_fields(&offence, "class", "auth_failed", "tail", ": user=<a>, rip=203.0.113.1", NULL);
    assert_false(offence.has_client);
    read_fields(&offence, "class", "auth_failed", "tail", ": rip=2001:db8::", NULL);
    assert_false(offence.has_client);
}

static void
no_rip_no_client(void **state)
{
    static const char *const tails[] = {
        "", ": user=<a>", ": user=<rip=203.0.113.9>", "rip", ", rip=",
        /* rip first, which has a rulebase of its own */
        ": rip=203.0.113.9, lip=1, user=<a>, rip=192.0.2.9, lip=1>",
        /* the rest of a line that was cut */
        " rip=192.0.2.9, user=<: user=<>, rip=203.0.113.9, lip=1",
        ": user=<, rip=192.0.2.9, user=<x>", ": rip=1.1.1.1: rip=9.9.9.9"};
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "auth_failed", "tail", tails[i], NULL), 0);
        assert_false(offence.has_client);
    }
}

/* An address before the tail is the rule's own, if it is that of the session at the very end. */
static void
ip_is_that_of_the_last_session(void **state)
{
    static const char *const refused[] = {
        " user=<a>, method=PLAIN, session=<Irrsp8RgYcbGM2QO>, lip=1",
        " user=<a>, session=<abc>",
        " user=<a>",
        " in 2 secs",
        " user=<: rip=203.0.113.9, user=<>, session=<Irrsp8RgYcbGM2QP>",
    };
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.14", "tail",
                " user=<a, rip=192.0.2.9, session=<x>, method=PLAIN, session=<Irrsp8RgYcbGM2QO>",
                NULL);
    assert_client(&offence, "198.51.100.14");
    assert_bytes(offence.session, offence.session_length, "Irrsp8RgYcbGM2QO");
    assert_bytes(offence.user, offence.user_length, "a, rip=192.0.2.9, session=<x");
    assert_bytes(offence.method, offence.method_length, "PLAIN");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.14", "tail", refused[i],
                    NULL);
        assert_false(offence.has_client);
    }
}

/* Where pieces are about, a login is one only if Dovecot names the process that serves it, behind
 * all that may be the client's. */
static void
a_login_has_a_process(void **state)
{
    static const struct {
        const char *tail;
        unsigned flags;
    } cases[] = {
        {"user=<a>, method=PLAIN, rip=203.0.113.9, lip=1, mpid=5, TLS, session=<abc>", 0},
        {"user=<a>, method=PLAIN, rip=203.0.113.9, lip=1, mpid=5", 0},
        {"user=<a>, method=PLAIN, rip=203.0.113.9, lip=1, session=<abc>", OFFENCE_LOGIN_UNPROVEN},
        {"user=<a, mpid=5: user=<>, rip=203.0.113.9, lip=1", OFFENCE_LOGIN_UNPROVEN},
        {"user=<x>, mpid=5, session=<y: user=<>, rip=203.0.113.9, session=<abc>",
         OFFENCE_LOGIN_UNPROVEN},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "login_ok", "tail", cases[i].tail, NULL);
        assert_int_equal(offence.flags, cases[i].flags);
    }
}

/* What a login process says of itself names no client. */
static void
a_fault_has_no_elements(void **state)
{
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "server_fault", "fault", "auth", "tail", "connect() failed",
                NULL);
    assert_int_equal(offence.class, OFFENCE_SERVER_FAULT);
    assert_int_equal(offence.flags, OFFENCE_AUTH_FAULT);
    read_fields(&offence, "class", "server_fault", "fault", "auth", "tail",
                "connect() failed: user=<>, rip=203.0.113.9, lip=1", NULL);
    assert_int_equal(offence.class, OFFENCE_LOGIN_OTHER);
    assert_int_equal(offence.flags, 0);
    assert_false(offence.has_client);
}

static void
a_session_of_another_address_is_not_believed(void **state)
{
    struct offence offence;

    (void)state;
    /* made by Dovecot for 198.51.100.14 and for 2001:db8:b::10 */
    read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.14", "session",
                "Irrsp8RgYcbGM2QO", NULL);
    assert_client(&offence, "198.51.100.14");
    assert_int_equal(offence.flags, 0);
    read_fields(&offence, "class", "auth_failed", "ip", "2001:db8:b::10", "session",
                "QHZYpsRgH+IgAQ24AAsAAAAAAAAAAAAQ", NULL);
    assert_client(&offence, "2001:db8:b::10");
    read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.15", "session",
                "Irrsp8RgYcbGM2QO", NULL);
    assert_false(offence.has_client);
    assert_int_equal(offence.flags, OFFENCE_SESSION_MISMATCH);
    /* of another maker: says nothing */
    read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.15", "session",
                "Irrsp8RgYcbGM2Q-", NULL);
    assert_true(offence.has_client);
    read_fields(&offence, "class", "auth_failed", "ip", "198.51.100.15", "session", "x", NULL);
    assert_true(offence.has_client);
}

/* Dovecot 2.4 behind a webmail that tells it whose the connection is: the id has the webmail's. */
static void
a_single_address_is_believed_against_the_session(void **state)
{
    static const char session[] = ", lip=1, session=<ULHF5VNhCNJ/AAAB>"; /* of 127.0.0.1 */
    static const struct {
        const char *elements;
        bool has_ip, has_client;
    } cases[] = {
        {"user=<bob>, method=PLAIN, rip=203.0.113.9", false, true},
        {"user=<b, rip=192.0.2.9, >, method=PLAIN, rip=203.0.113.9", false, false},
        {"user=<bob>, method=PLAIN, rip=203.0.113.9, name=x, rip=192.0.2.9", false, false},
        {"user=<bob>, method=PLAIN", true, false},
    };
    struct offence offence;
    char tail[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(tail, sizeof tail, "%s%s", cases[i].elements, session);
        read_fields(&offence, "class", "auth_failed", "tail", tail,
                    cases[i].has_ip ? "ip" : "reason", cases[i].has_ip ? "203.0.113.9" : "", NULL);
        assert_int_equal(offence.flags, OFFENCE_SESSION_MISMATCH);
        assert_int_equal(offence.has_client, cases[i].has_client);
        if (offence.has_client)
            assert_client(&offence, "203.0.113.9");
    }
    read_fields(&offence, "class", "auth_failed", "tail",
                "user=<bob>, rip=203.0.113.9, lip=1, session=<ULHF5VNhCNJ/AAAB>", "proxy",
                "x, rip=192.0.2.9", NULL);
    assert_false(offence.has_client);
}

static void
names_are_bytes_and_bounded(void **state)
{
    char long_name[2001], other[2001];
    struct offence offence;
    uint64_t hash;

    (void)state;
    memset(long_name, 0xff, sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    memcpy(other, long_name, sizeof other);
    other[sizeof other - 2] = 'x';
    read_fields(&offence, "class", "auth_failed", "user", long_name, NULL);
    assert_int_equal(offence.user_length, OFFENCE_USER_MAX);
    hash = offence.user_hash;
    read_fields(&offence, "class", "auth_failed", "user", other, "service", long_name, NULL);
    assert_int_not_equal(offence.user_hash, hash);
    assert_int_equal(offence.service_length, OFFENCE_SERVICE_MAX);
}

static void
the_service_of_a_tag(void **state)
{
    static const struct {
        const char *tag, *service;
    } cases[] = {{"postfix/submission/smtpd[12]:", "postfix/submission/smtpd"},
                 {"mailcow/postfix/smtpd[1]:", "postfix/smtpd"},
                 {"docker/abc-postfix-1[9]:", "abc-postfix-1"},
                 {"dovecot:", "dovecot"},
                 {"sshd[1]:", "sshd"},
                 {"", ""}};
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "auth_failed", NULL);
        offence_service_from_tag(&offence, cases[i].tag, strlen(cases[i].tag));
        assert_bytes(offence.service, offence.service_length, cases[i].service);
    }
    read_fields(&offence, "class", "auth_failed", "service", "imap-login", NULL);
    offence_service_from_tag(&offence, "dovecot:", 8);
    assert_bytes(offence.service, offence.service_length, "imap-login");
}

static void
only_the_backends_faults_are_marked(void **state)
{
    struct offence offence;

    (void)state;
    read_fields(&offence, "class", "server_fault", "fault", "auth", NULL);
    assert_int_equal(offence.flags, OFFENCE_AUTH_FAULT);
    read_fields(&offence, "class", "server_fault", NULL);
    assert_int_equal(offence.flags, 0);
}

static void
other_types_are_refused_or_ignored(void **state)
{
    struct offence offence;
    struct fjson_object *object = fjson_object_new_object();

    (void)state;
    fjson_object_object_add(object, "class", fjson_object_new_string("auth_failed"));
    fjson_object_object_add(object, "ip", fjson_object_new_int(7));
    fjson_object_object_add(object, "tail", fjson_object_new_object());
    fjson_object_object_add(object, "attempts", fjson_object_new_int(3));
    assert_int_equal(offence_read(object, &offence), 0);
    assert_false(offence.has_client);
    assert_int_equal(offence.attempts, 3);
    fjson_object_object_del(object, "attempts");
    fjson_object_object_add(object, "attempts", fjson_object_new_int(1000));
    assert_int_equal(offence_read(object, &offence), 0);
    assert_int_equal(offence.attempts, OFFENCE_ATTEMPTS_MAX);
    fjson_object_object_del(object, "attempts");
    fjson_object_object_add(object, "attempts", fjson_object_new_int(-1));
    assert_int_equal(offence_read(object, &offence), -EINVAL);
    fjson_object_object_del(object, "attempts");
    fjson_object_object_add(object, "attempts", fjson_object_new_array());
    assert_int_equal(offence_read(object, &offence), -EINVAL);
    fjson_object_put(object);
}

/* Dovecot's auth lines: of which session, what was said of it, and never an address. */
static void
reads_what_a_password_database_says(void **state)
{
    static const struct {
        const char *text, *session;
        enum offence_reason reason;
        bool secret;
    } lines[] = {
        {"passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown user", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_UNKNOWN, false},
        {"sql(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown user (SHA1 of given password: 5baa61)",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_UNKNOWN, true},
        {"cram-md5(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): password mismatch", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_MISMATCH, false},
        {"bob,203.0.113.9,sasl:plain)<aZFbr8Rg16/LAHEL>: users: unknown user", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_UNKNOWN, false},
        {"bob,203.0.113.9,sasl:plain)<aZFbr8Rg16/LAHEL>: Password mismatch", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_MISMATCH, false},
        {"passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): User found from deny passdb",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_OTHER, false},
        {"passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown users are many",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_OTHER, false},
        {"bob,203.0.113.9)<4001084><aZFbr8Rg16/LAHEL>: request [12]: Info: sql: Password mismatch "
         "(given password: x)",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_MISMATCH, false},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [1]: sql: unknown user (SHA1 of given "
         "password: 5baa61)",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_UNKNOWN, true},
        {"bob,203.0.113.9,sasl:login)<aZFbr8Rg16/LAHEL>: Info: users: unknown user",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_UNKNOWN, false},
        {"Info: passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown user", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_UNKNOWN, false},
        /* what auth_debug says beside it is no answer */
        {"bob,203.0.113.9,sasl:login)<aZFbr8Rg16/LAHEL>: Debug: users: lookup", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_NONE, false},
        {"Debug: passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): lookup", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_NONE, false},
        /* no process has such a number */
        {"bob,203.0.113.9)<x><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"bob)<7><XXXXr8Rg16/LAHEL>: unknown user,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: sql: Password "
         "mismatch",
         "", OFFENCE_REASON_NONE, false},
        /* two ids: which one is the server's? */
        {"sql(x,1.2.3.4,<XXXXr8Rg16/LAHEL>): unknown user,203.0.113.9,<aZFbr8Rg16/LAHEL>): "
         "Password mismatch",
         "", OFFENCE_REASON_NONE, false},
        {"sql(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown user (given password: "
         "x,1.2.3.4,<XXXXr8Rg16/LAHEL>): Password mismatch)",
         "", OFFENCE_REASON_NONE, false},
        {"passwd-file(bob,203.0.113.9): unknown user", "", OFFENCE_REASON_NONE, false},
        {"passwd-file(bob,203.0.113.9,<short>): unknown user", "", OFFENCE_REASON_NONE, false},
        {"bob,203.0.113.9)<x7><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"bob,203.0.113.9)x7><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"bob,203.0.113.9<7><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"<7><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"7><aZFbr8Rg16/LAHEL>: unknown user", "", OFFENCE_REASON_NONE, false},
        {"<aZFbr8Rg16/LAHEL>): unknown user", "", OFFENCE_REASON_NONE, false},
        /* a database may be called anything; a request has a number in brackets */
        {"bob,203.0.113.9,sasl:plain)<aZFbr8Rg16/LAHEL>: my-sql_2: unknown user",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_UNKNOWN, false},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [12: unknown user", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_OTHER, false},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [12", "aZFbr8Rg16/LAHEL",
         OFFENCE_REASON_OTHER, false},
        /* a password in plain text that looks like a hash */
        {"sql(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): unknown user (SHA1 of given password: 5baaxyz)",
         "aZFbr8Rg16/LAHEL", OFFENCE_REASON_UNKNOWN, false},
        {"User found from deny passdb", "", OFFENCE_REASON_NONE, false},
        {"", "", OFFENCE_REASON_NONE, false},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(
            read_fields(&offence, "class", "auth_detail", "auth_tail", lines[i].text, NULL), 0);
        assert_false(offence.has_client);
        assert_bytes(offence.session, offence.session_length, lines[i].session);
        assert_int_equal(offence.reason, lines[i].reason);
        assert_int_equal(offence.secret_hash != 0, lines[i].secret);
        assert_int_equal(offence.class, OFFENCE_AUTH_DETAIL);
    }
}

/* A fault of the backend, and whom it names. */
static void
reads_faults_of_the_backend(void **state)
{
    struct offence login, fault;

    (void)state;
    read_fields(&login, "class", "login_ok", "tail",
                "user=<bob>, method=PLAIN, rip=203.0.113.9, lip=1.2.3.4", NULL);
    read_fields(&fault, "class", "server_fault", "fault", "auth", "auth_tail",
                "passwd-file(bob,203.0.113.9): stat(/etc/users) failed: Permission denied", NULL);
    assert_false(fault.has_client);
    assert_true(fault.names_whom && source_compare(&fault.whom, &login.whom) == 0);
    assert_true(fault.user_hash == login.user_hash);
    read_fields(&fault, "class", "auth_detail", "auth_tail",
                "bob,203.0.113.9,sasl:login): Error: users: stat(/etc/users) failed", NULL);
    assert_int_equal(fault.class, OFFENCE_SERVER_FAULT);
    assert_int_equal(fault.flags, OFFENCE_AUTH_FAULT);
    assert_true(source_compare(&fault.whom, &login.whom) == 0 &&
                fault.user_hash == login.user_hash);
    read_fields(&fault, "class", "auth_detail", "auth_tail",
                "bob,203.0.113.9,master,sasl:plain): Error: users: stat(/etc/users) failed", NULL);
    assert_true(source_compare(&fault.whom, &login.whom) == 0 &&
                fault.user_hash == login.user_hash);
    read_fields(&fault, "class", "server_fault", "fault", "auth", "auth_tail",
                "bob,203.0.113.9,masters): stat(/etc/users) failed", NULL);
    assert_false(fault.names_whom);
    read_fields(&fault, "class", "server_fault", "fault", "auth", "auth_tail",
                "mysql(localhost): Connect failed to database", NULL);
    assert_true(!fault.names_whom && fault.user_hash == 0);
    read_fields(&fault, "class", "auth_detail", "auth_tail",
                "bob,203.0.113.9,sasl:plain)<aZFbr8Rg16/LAHEL>: Error: user not found from any "
                "userdbs",
                NULL);
    assert_int_equal(fault.class, OFFENCE_AUTH_DETAIL);
    assert_int_equal(fault.flags, 0);
}

/* What stands behind `auth-worker(`, in each form that it has had, with and without a session. */
static void
reads_what_a_worker_says(void **state)
{
    static const struct {
        const char *text, *user;
        unsigned flags;
    } cases[] = {
        {"77): pam(bob,203.0.113.9): pam_authenticate() failed: Authentication service cannot "
         "retrieve authentication info",
         "bob", OFFENCE_FAULT_OF_NAME},
        {"77): Info: pam(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): pam_authenticate() failed: System "
         "error",
         "bob", OFFENCE_FAULT_OF_NAME},
        {"77): Info: conn unix:auth-worker (pid=7,uid=99): auth-worker<3>: pam(bob,203.0.113.9): "
         "pam_authenticate() failed: error in service module",
         "bob", OFFENCE_FAULT_OF_NAME},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [3]: Info: pam: pam_authenticate() "
         "failed: System error",
         "bob", OFFENCE_FAULT_OF_NAME},
        {"77): conn unix:auth-worker (pid=7,uid=99): auth-worker<3>: pam(bob,203.0.113.9): "
         "pam_authenticate() failed: Authentication failure (Password mismatch?)",
         "bob", 0},
        {"77): pam(bob,203.0.113.9): pam_authenticate() failed: Permission denied", "bob", 0},
        {"77): conn unix:auth-worker (pid=7,uid=99): auth-worker<3>: sql(bob,203.0.113.9): unknown "
         "user",
         "bob", 0},
        /* a name is no worker's word */
        {"bob): pam_authenticate() failed: System error,203.0.113.9,sasl:plain): sql: unknown user",
         "", 0},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [3]: Error: pam: Multiple password values "
         "not supported",
         "bob", 0},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "auth_detail", "auth_tail", cases[i].text, NULL);
        assert_int_equal(offence.class, OFFENCE_AUTH_DETAIL);
        assert_int_equal(offence.flags, cases[i].flags);
        assert_bytes(offence.user, offence.user_length, cases[i].user);
        assert_false(offence.has_client);
    }
    read_fields(&offence, "class", "server_fault", "fault", "auth", "auth_tail",
                "conn unix:auth-worker (pid=7,uid=99): auth-worker<3>: sql(bob,203.0.113.9): "
                "Password query failed: Not connected to database",
                NULL);
    assert_bytes(offence.user, offence.user_length, "bob");
    assert_true(offence.names_whom);
}

/* Whose file a name makes up is not there: no fault of the backend. */
static void
a_fault_of_the_name_is_none_of_the_backend(void **state)
{
    static const struct {
        const char *text;
        bool is_of_name;
    } cases[] = {
        {"passwd-file(info,203.0.113.9): stat(/etc/domains//passwd) failed: No such file or "
         "directory",
         true},
        {"passwd-file(info,203.0.113.9): open(/etc/domains/.users) failed: No such file or "
         "directory",
         true},
        {"passwd-file(a@nx.example,203.0.113.9): stat(/etc/domains/nx.example/passwd) failed: No "
         "such file or directory",
         true},
        {"passwd-file(bob,203.0.113.9,<aZFbr8Rg16/LAHEL>): stat(/etc/users/bob.pw) failed: Not a "
         "directory",
         true},
        {"passwd-file(xx@nx.example,203.0.113.9): open(/etc/users/xxxx) failed: File name too long",
         true},
        {"sql(b\303\274b,203.0.113.9): Password query failed: ERROR:  invalid byte sequence for "
         "encoding \"UTF8\": 0xfc",
         true},
        {"bob,203.0.113.9)<7><aZFbr8Rg16/LAHEL>: request [3]: Error: users: stat(/etc/users/bob) "
         "failed: No such file or directory",
         true},
        {"passwd-file(,203.0.113.9): stat(/etc/domains//passwd) failed: No such file or directory",
         true},
        {"passwd-file(info,203.0.113.9): stat(info) failed: No such file or directory", true},
        {"passwd-file(a@nx.example,203.0.113.9): stat(/etc/users/a/passwd) failed: No such file or "
         "directory",
         true},
        {"passwd-file(info,203.0.113.9): stat(/etc/information/passwd) failed: No such file or "
         "directory",
         false},
        {"passwd-file(,203.0.113.9): stat(/etc/dovecot/users) failed: No such file or directory",
         false},
        {"passwd-file(info,203.0.113.9): connect(/run/info) failed: No such file or directory",
         false},
        {"passwd-file(info,203.0.113.9): stat(/etc/dovecot/users) failed: No such file or "
         "directory",
         false},
        {"passwd-file(s@nx.example,203.0.113.9): stat(/etc/dovecot/users) failed: No such file or "
         "directory",
         false},
        {"passwd-file(a@nx.example,203.0.113.9): stat(/etc/domains/nx.example/passwd) failed: "
         "Permission denied",
         false},
        {"sql(bob,203.0.113.9): Password query failed: Not connected to database", false},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "server_fault", "fault", "auth", "auth_tail", cases[i].text,
                    NULL);
        assert_int_equal(offence.class,
                         cases[i].is_of_name ? OFFENCE_AUTH_DETAIL : OFFENCE_SERVER_FAULT);
        assert_int_equal(offence.flags,
                         cases[i].is_of_name ? OFFENCE_FAULT_OF_NAME : OFFENCE_AUTH_FAULT);
    }
}

static void
codes_and_attempts_are_bounded(void **state)
{
    static const struct {
        const char *text;
        unsigned dsn;
    } dsns[] = {{"5.7.1", 5007001}, {"5.7.999", 5007999}, {"9.0.0", 9000000}, {"5.7", 0},
                {"5.7.", 0},        {".7.1", 0},          {"5..1", 0},        {"5.7.1.", 0},
                {"5.7.1000", 0},    {"10.7.1", 0},        {"5.7.1 ", 0},      {"", 0}};
    static const struct {
        const char *text;
        unsigned code;
    } codes[] = {{"99", 0}, {"100", 100}, {"599", 599}, {"600", 0}, {"", 0}};
    static const struct {
        const char *attempts, *repeated;
        unsigned sum;
    } attempts[] = {{"3", "4", 12}, {"0", "7", 1}, {"1", "0", 1}, {"1000000", "1000000", 0}};
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof dsns / sizeof dsns[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "relay_denied", "dsn", dsns[i].text, NULL),
                         0);
        if (offence.dsn != dsns[i].dsn)
            fail_msg("%s: %u", dsns[i].text, offence.dsn);
    }
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(
            read_fields(&offence, "class", "relay_denied", "code", codes[i].text, NULL),
            codes[i].text[0] == '\0' ? -EINVAL : 0);
        if (codes[i].text[0] != '\0')
            assert_int_equal(offence.code, codes[i].code);
    }
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "auth_failed", "attempts",
                                     attempts[i].attempts, "repeated", attempts[i].repeated, NULL),
                         0);
        assert_int_equal(offence.attempts,
                         attempts[i].sum != 0 ? attempts[i].sum : OFFENCE_ATTEMPTS_MAX);
    }
}

static void
behind_the_last_port_is_nothing_of_the_client_s(void **state)
{
    static const struct {
        const char *tail, *user, *client; /* NULL: there is none */
    } cases[] = {
        {"bob from 203.0.113.9 port 1 ssh2", "bob", "203.0.113.9"},
        {"bob 203.0.113.9 port 1", "bob", "203.0.113.9"},
        {"203.0.113.9 port 1", NULL, "203.0.113.9"},
        {" from 203.0.113.9 port 1", " from", "203.0.113.9"},
        {"x from 192.0.2.9 port 1 from 203.0.113.9 port 2", "x from 192.0.2.9 port 1",
         "203.0.113.9"},
        {"bob from 203.0.113.9", NULL, NULL},
        {"bob from nowhere port 1", "bob", NULL},
    };
    char longest[600];
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            read_fields(&offence, "class", "auth_failed", "port_tail", cases[i].tail, NULL), 0);
        if (offence.has_client != (cases[i].client != NULL) ||
            (cases[i].user == NULL ? offence.user_length != 0
                                   : offence.user_length != strlen(cases[i].user) ||
                                         memcmp(offence.user, cases[i].user, offence.user_length)))
            fail_msg("%s", cases[i].tail);
        if (cases[i].client != NULL)
            assert_client(&offence, cases[i].client);
    }
    for (int over = 0; over <= 1; over++) { /* sshd may have cut a longer one */
        snprintf(longest, sizeof longest, "%*s from 203.0.113.9 port 1", 500 - 24 + over, "x");
        assert_int_equal(strlen(longest), 500 + over);
        read_fields(&offence, "class", "auth_failed", "port_tail", longest, NULL);
        assert_int_equal(offence.has_client, !over);
    }
}

/* What stands in front of the words in brackets is no closed list, and a client may have written
 * it: only what Dovecot is known to write there is passed over. */
static void
an_opening_that_may_be_the_client_s_names_nobody(void **state)
{
    static const struct {
        const char *opening, *reason, *front, *tail;
        bool is_believed;
    } cases[] = {
        {"Disconnected ", "", "", ": user=<a>, rip=203.0.113.9, lip=1", true},
        {"Authentication failure ", "", "", ": user=<rip=1>, rip=203.0.113.9, lip=1", true},
        {"Something new ", "", "", ": user=<a>, rip=203.0.113.9, lip=1", true},
        {"Something new ", "", "", ": user=<rip=1>, rip=203.0.113.9, lip=1", false},
        {"x, rip=192.0.2.9, ", "", "", ": user=<a>, rip=203.0.113.9, lip=1", false},
        {"Something new ", "rip=192.0.2.9", "", ": user=<a>, rip=203.0.113.9, lip=1", false},
        {"Something new ", "", "rip=192.0.2.9", ": user=<a>, rip=203.0.113.9, lip=1", false},
        {"Disconnected: user=<a", "", "", ": user=<a>, rip=203.0.113.9, lip=1", false},
        {"Disconnected ", "user=<a", "", ": user=<a>, rip=203.0.113.9, lip=1", false},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "auth_failed", "opening", cases[i].opening, "reason",
                    cases[i].reason, "front", cases[i].front, "tail", cases[i].tail, NULL);
        if (offence.has_client != cases[i].is_believed)
            fail_msg("%s(%s%s", cases[i].opening, cases[i].reason, cases[i].tail);
    }
}

/* Dovecot cuts what is longer, and the rest of it, a line of its own, may be all the client's. */
static void
what_may_be_a_piece_of_a_longer_line_names_nobody(void **state)
{
    static const char end[] = ">, rip=203.0.113.9, lip=1";
    const size_t longest = 3000;
    char tail[3001], reason[2] = "x";
    struct offence offence;

    (void)state;
    memset(tail, 'x', longest);
    memcpy(tail, "user=<", strlen("user=<"));
    memcpy(tail + longest - strlen(end), end, sizeof end);
    read_fields(&offence, "class", "auth_failed", "tail", tail, NULL);
    assert_client(&offence, "203.0.113.9");
    read_fields(&offence, "class", "auth_failed", "reason", reason, "tail", tail, NULL);
    assert_false(offence.has_client);
}

/* A mail program that speaks TLS where STARTTLS is spoken is no attacker. */
static void
who_speaks_tls_unasked_is_told_from_who_speaks_nonsense(void **state)
{
    static const struct {
        const char *tail;
        enum offence_class class;
    } cases[] = {
        {" (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=1", OFFENCE_TLS_UNEXPECTED},
        {" (disconnected before auth was ready, waited 0 secs): user=<>, rip=203.0.113.9, lip=1",
         OFFENCE_TLS_UNEXPECTED},
        {" (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=1, TLS",
         OFFENCE_PROTOCOL_ABUSE},
        {" (auth failed, 1 attempts in 2 secs): user=<a>, rip=203.0.113.9, lip=1",
         OFFENCE_PROTOCOL_ABUSE},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "protocol_abuse", "tail", cases[i].tail, NULL);
        assert_int_equal(offence.class, cases[i].class);
        assert_client(&offence, "203.0.113.9");
    }
}

#define EVENT(of, fields) "\"event\":\"" of "\",\"fields\":{" fields "}}"
#define ASKED             "\"remote_ip\":\"203.0.113.9\",\"service\":\"imap\",\"session\":\"S\""
#define OF_WEBMAIL                                                                                 \
    "\"remote_ip\":\"203.0.113.9\",\"service\":\"imap\",\"user\":\"bob\","                         \
    "\"session\":\"ULHF5VNhCNJ/AAAB\""

/* A line of Dovecot's event exporter is of the outcome that the event tells, not of its rule. */
static void
an_event_is_what_it_tells(void **state)
{
    static const struct {
        const char *event;
        enum offence_class class;
        unsigned flags;
        bool has_client;
    } cases[] = {
        {EVENT("auth_request_finished", ASKED ",\"user\":\"bob\""), OFFENCE_AUTH_FAILED, 0, true},
        {EVENT("auth_request_finished", ASKED ",\"user\":\"bob\",\"success\":\"yes\""),
         OFFENCE_LOGIN_OK, 0, true},
        {EVENT("auth_request_finished", ASKED), OFFENCE_AUTH_MALFORMED, 0, true},
        {EVENT("auth_passdb_request_finished", ASKED ",\"result\":\"internal_failure\""),
         OFFENCE_SERVER_FAULT, OFFENCE_AUTH_FAULT, true},
        {EVENT("auth_passdb_request_finished", ASKED ",\"result\":\"ok\""), OFFENCE_AUTH_DETAIL, 0,
         true},
        {EVENT("auth_request_finished", OF_WEBMAIL), OFFENCE_AUTH_FAILED, OFFENCE_SESSION_MISMATCH,
         true},
        {EVENT("auth_request_finished", ASKED "," ASKED), OFFENCE_AUTH_DETAIL, 0, false},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_fields(&offence, "class", "auth_detail", "event", cases[i].event,
                                     "service", "stats", NULL),
                         0);
        assert_int_equal(offence.class, cases[i].class);
        assert_int_equal(offence.flags, OFFENCE_FROM_EVENT | cases[i].flags);
        assert_int_equal(offence.has_client, cases[i].has_client);
        assert_bytes(offence.service, offence.service_length,
                     cases[i].has_client ? "imap-login" : "");
    }
}

/* Who guesses passwords of one user is told from who guesses users, by events as by login lines;
 * but a name that the login line writes in another way must not be taken for a second user. */
static void
the_name_of_an_event_is_that_of_the_login_line_or_is_not_compared(void **state)
{
    struct offence of_line, of_event;

    (void)state;
    read_fields(&of_line, "class", "auth_failed", "user", "bob", NULL);
    read_fields(&of_event, "class", "auth_detail", "event",
                EVENT("auth_request_finished", ASKED ",\"user\":\"bob\""), NULL);
    assert_bytes(of_event.user, of_event.user_length, "bob");
    assert_bytes(of_event.session, of_event.session_length, "S");
    assert_true(of_event.user_hash == of_line.user_hash);
    read_fields(&of_event, "class", "auth_detail", "event",
                EVENT("auth_request_finished", ASKED ",\"user\":\"b\\u00f6b\""), NULL);
    assert_bytes(of_event.user, of_event.user_length,
                 "b\xc3\xb6"
                 "b");
    assert_true(of_event.user_hash == 0);
}

static void
what_a_fault_is_of_is_marked(void **state)
{
    static const struct {
        const char *fault;
        unsigned flags;
    } cases[] = {
        {"id_log", OFFENCE_ID_LOGGED},      {"id_lag", 0},
        {"pipelining", OFFENCE_PIPELINING}, {"pipelines!", 0},
        {"auth", OFFENCE_AUTH_FAULT},       {"autx", 0},
    };
    struct offence offence;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_fields(&offence, "class", "benign", "fault", cases[i].fault, NULL);
        assert_int_equal(offence.flags, cases[i].flags);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_class_has_a_name_and_back, forget_fields),
        cmocka_unit_test_teardown(reads_what_a_rule_cut_out, forget_fields),
        cmocka_unit_test_teardown(a_class_is_found_among_all_fields, forget_fields),
        cmocka_unit_test_teardown(no_class_no_offence, forget_fields),
        cmocka_unit_test_teardown(no_client_that_cannot_be_one, forget_fields),
        cmocka_unit_test_teardown(attempts_are_bounded, forget_fields),
        cmocka_unit_test_teardown(temporary_failures_never_count, forget_fields),
        cmocka_unit_test_teardown(denied_relaying_counts_with_454, forget_fields),
        cmocka_unit_test_teardown(what_befalls_mail_servers_never_counts, forget_fields),
        cmocka_unit_test_teardown(reads_what_a_worker_says, forget_fields),
        cmocka_unit_test(later_classes_are_in_their_groups),
        cmocka_unit_test_teardown(dsn_is_read_or_0, forget_fields),
        cmocka_unit_test_teardown(the_last_rip_is_the_daemons, forget_fields),
        cmocka_unit_test_teardown(no_rip_no_client, forget_fields),
        cmocka_unit_test_teardown(ip_is_that_of_the_last_session, forget_fields),
        cmocka_unit_test_teardown(a_login_has_a_process, forget_fields),
        cmocka_unit_test_teardown(a_fault_has_no_elements, forget_fields),
        cmocka_unit_test_teardown(a_session_of_another_address_is_not_believed, forget_fields),
        cmocka_unit_test_teardown(a_single_address_is_believed_against_the_session, forget_fields),
        cmocka_unit_test_teardown(names_are_bytes_and_bounded, forget_fields),
        cmocka_unit_test_teardown(the_service_of_a_tag, forget_fields),
        cmocka_unit_test_teardown(only_the_backends_faults_are_marked, forget_fields),
        cmocka_unit_test_teardown(other_types_are_refused_or_ignored, forget_fields),
        cmocka_unit_test_teardown(reads_what_a_password_database_says, forget_fields),
        cmocka_unit_test_teardown(reads_faults_of_the_backend, forget_fields),
        cmocka_unit_test_teardown(a_fault_of_the_name_is_none_of_the_backend, forget_fields),
        cmocka_unit_test_teardown(codes_and_attempts_are_bounded, forget_fields),
        cmocka_unit_test_teardown(behind_the_last_port_is_nothing_of_the_client_s, forget_fields),
        cmocka_unit_test_teardown(an_opening_that_may_be_the_client_s_names_nobody, forget_fields),
        cmocka_unit_test_teardown(what_may_be_a_piece_of_a_longer_line_names_nobody, forget_fields),
        cmocka_unit_test_teardown(who_speaks_tls_unasked_is_told_from_who_speaks_nonsense,
                                  forget_fields),
        cmocka_unit_test_teardown(an_event_is_what_it_tells, forget_fields),
        cmocka_unit_test_teardown(the_name_of_an_event_is_that_of_the_login_line_or_is_not_compared,
                                  forget_fields),
        cmocka_unit_test_teardown(what_a_fault_is_of_is_marked, forget_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
