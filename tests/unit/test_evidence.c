/* test_evidence: what is kept of a line.
 *
 * Proves: mailboxes stay whole, other names are shortened, in the line too and wherever they stand
 * in it; what cannot be shortened is withheld; the ring gives back what was put in, forgets the
 * oldest first, survives a restart and a change of its size, and erases. Fails when a secret that
 * was typed as a name can be read in what is kept.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "table_fixture.h"

#include <pthread.h>

#include "table/table-evidence.h"

#define PASSWORD "Tr0ub4dor&3"

static const char *
kept(enum evidence_mode mode, const char *message, const char *name)
{
    static char line[EVIDENCE_LINE_SIZE];

    evidence_line(mode, message, strlen(message), false, name, strlen(name), line);
    return line;
}

static void
mailboxes_are_told_from_other_names(void **state)
{
    static const char *const mailboxes[] = {"a@b.example", "user.name+tag@mail.example.org",
                                            "x@xn--bcher-kva.example"};
    static const char *const others[] = {"",           "bob",        PASSWORD,    "a@b",
                                         "@b.example", "a b@c.org",  "a@b..de",   "a@.de",
                                         "a@b.d",      "a@b.de\xff", "\"a\"@b.de"};

    (void)state;
    for (unsigned i = 0; i < sizeof mailboxes / sizeof *mailboxes; i++)
        assert_true(evidence_is_mailbox(mailboxes[i], strlen(mailboxes[i])));
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(evidence_is_mailbox(others[i], strlen(others[i])));
}

/* All bytes of a text go into the table's file, which others may read. */
static void
nothing_stands_behind_the_end_of_a_text(void **state)
{
    char line[EVIDENCE_LINE_SIZE] = {0}, host[EVIDENCE_HOST_SIZE] = {0};
    const char *const whole = " x: " PASSWORD " long enough to reach beyond what is said in its "
                              "place, and so to stand behind its end";

    (void)state;
    evidence_line(EVIDENCE_REDACTED, whole, strlen(whole), false, "another name", 12, line);
    for (size_t i = strlen(line); i < sizeof line; i++)
        assert_int_equal(line[i], 0);
    memset(line, 0, sizeof line);
    evidence_line(EVIDENCE_REDACTED, "a\0" PASSWORD, 2 + strlen(PASSWORD), true, "b", 1, line);
    evidence_copy(host, sizeof host, "mx1\0" PASSWORD, 4 + strlen(PASSWORD));
    assert_string_equal(line, "a");
    assert_string_equal(host, "mx1");
    for (size_t i = 1; i < sizeof line; i++)
        assert_int_equal(line[i], 0);
    for (size_t i = 3; i < sizeof host; i++)
        assert_int_equal(host[i], 0);
}

static void
names_are_shortened_in_the_line(void **state)
{
    char user[EVIDENCE_USER_SIZE], long_name[OFFENCE_USER_MAX + 1], message[600];
    char line[EVIDENCE_LINE_SIZE];

    (void)state;
    evidence_user(EVIDENCE_REDACTED, false, PASSWORD, strlen(PASSWORD), user);
    assert_string_equal(user, "T***");
    evidence_user(EVIDENCE_FULL, false, PASSWORD, strlen(PASSWORD), user);
    assert_string_equal(user, PASSWORD);
    evidence_user(EVIDENCE_REDACTED, false, "a@b.org", 7, user);
    assert_string_equal(user, "a@b.org");
    evidence_user(EVIDENCE_REDACTED, true, "anna", 4, user);
    assert_string_equal(user, "anna");
    evidence_user(EVIDENCE_NONE, true, "anna", 4, user);
    assert_string_equal(user, "");
    evidence_line(EVIDENCE_REDACTED, " user=<anna> PASS geheim", 24, true, "anna", 4, line);
    assert_string_equal(line, "user=<anna> PASS ");

    assert_string_equal(kept(EVIDENCE_REDACTED, " x: user=<" PASSWORD ">, rip=1", PASSWORD),
                        "x: user=<T***>, rip=1");
    assert_string_equal(kept(EVIDENCE_FULL, " x: user=<" PASSWORD ">", PASSWORD),
                        "x: user=<" PASSWORD ">");
    assert_string_equal(kept(EVIDENCE_NONE, " x: user=<" PASSWORD ">", PASSWORD), "");
    assert_string_equal(kept(EVIDENCE_REDACTED, " a=<a@b.org>", "a@b.org"), "a=<a@b.org>");
    assert_string_equal(kept(EVIDENCE_REDACTED, " rip: user=<r>", "r"), "rip: user=<r***>");
    assert_string_equal(kept(EVIDENCE_REDACTED, " ab, bab ab=bob", "ab"), "a***, bab a***=bob");
    assert_string_equal(kept(EVIDENCE_REDACTED, " a ab", "ab"), "a a***");
    assert_non_null(strstr(kept(EVIDENCE_REDACTED, " no name here", PASSWORD), "withheld"));
    assert_string_equal(kept(EVIDENCE_REDACTED, " from h[1]: auth plain AGFiYwBzZWNyZXQ=", ""),
                        "from h[1]: auth plain ");

    memset(long_name, 'p', sizeof long_name);
    long_name[OFFENCE_USER_MAX] = '\0';
    snprintf(message, sizeof message, " user=<%s and-the-rest>", long_name);
    assert_string_equal(kept(EVIDENCE_REDACTED, message, long_name), "user=<p***");
}

/* `before` bytes, the words, a space and `behind` bytes. */
static void
make_line(char line[256], unsigned before, const char *words, unsigned behind)
{
    static const char text[] = "Connection closed in 2 secs in class less lost: plain login";

    snprintf(line, 256, "%.*s%s %.*s", (int)before, text, words, (int)behind, text);
}

/* Wherever in a line they stand, and in letters of either case. */
static void
what_stands_behind_a_secrets_words_is_left_out(void **state)
{
    static const char *const words[] = {"PASS", "pass", "AUTH PLAIN", "auth login", "Auth Plain"};
    static const char *const others[] = {"pas", "as", "plain", "authxplain", "auth logon", "in"};
    char line[256], rest[256];

    (void)state;
    for (unsigned before = 0; before < 50; before++)
        for (unsigned behind = 1; behind < 50; behind++) {
            for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
                make_line(line, before, words[i], behind);
                make_line(rest, before, words[i], 0);
                assert_string_equal(kept(EVIDENCE_REDACTED, line, ""), rest);
            }
            for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
                make_line(line, before, others[i], behind);
                assert_string_equal(kept(EVIDENCE_REDACTED, line, ""), line);
            }
        }
}

/* ---- the ring ---- */

static void
add(struct fixture *f, const char *client, const char *user, int64_t stamp_ms)
{
    struct evidence evidence = {.class = OFFENCE_AUTH_FAILED, .jails = 2, .attempts = 1};

    assert_int_equal(source_parse(client, strlen(client), &evidence.client), 0);
    evidence.stamp_ms = stamp_ms;
    snprintf(evidence.user, sizeof evidence.user, "%s", user);
    snprintf(evidence.line, sizeof evidence.line, "line of %s", user);
    table_add_evidence(f->table, &evidence);
}

static void
the_ring_forgets_the_oldest_first(void **state)
{
    struct evidence evidence;
    struct fixture f;
    uint64_t room;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    fixture_open(&f);
    room = table_evidence_room(f.table);
    assert_int_equal(room, 64);
    assert_false(table_read_evidence(f.table, 0, &evidence));
    for (uint64_t i = 0; i < room + 3; i++)
        add(&f, "203.0.113.9", i < room ? "old@example.org" : "new@example.org", NOON_MS);
    assert_int_equal(table_last_evidence(f.table), room + 3);
    assert_false(table_read_evidence(f.table, 3, &evidence));
    assert_true(table_read_evidence(f.table, 4, &evidence));
    assert_string_equal(evidence.user, "old@example.org");

    fixture_reopen(&f);
    assert_true(table_read_evidence(f.table, room + 3, &evidence));
    assert_string_equal(evidence.line, "line of new@example.org");
    f.options.capacity = 4096;
    fixture_reopen(&f);
    assert_true(table_evidence_room(f.table) > room);
    assert_true(table_read_evidence(f.table, 4, &evidence));
    assert_true(table_read_evidence(f.table, room + 3, &evidence));
    while (table_last_evidence(f.table) < 2 * table_evidence_room(f.table))
        add(&f, "203.0.113.9", "new@example.org", NOON_MS);
    f.options.capacity = 1024; /* less room: the newest of them stay */
    fixture_reopen(&f);
    room = table_evidence_room(f.table);
    assert_int_equal(room, 64);
    assert_false(table_read_evidence(f.table, table_last_evidence(f.table) - room, &evidence));
    for (uint64_t i = 0; i < room; i++)
        assert_true(table_read_evidence(f.table, table_last_evidence(f.table) - i, &evidence));
    fixture_end(&f);
}

#define SHARERS 4
#define ROUNDS  200
#define SHARED  8 /* lines in each round */

struct sharing {
    struct fixture *f;
    pthread_barrier_t *barrier;
    unsigned number;
};

/* Sixteen bits of each line are this thread's; the first one adds the lines. */
static void *
share(void *argument)
{
    const struct sharing *const sharing = argument;

    for (uint64_t round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SHARED && sharing->number == 0; i++)
            add(sharing->f, "203.0.113.9", "a@example.org", NOON_MS);
        pthread_barrier_wait(sharing->barrier);
        for (uint64_t i = 0; i < 16 * SHARED; i++)
            table_share_evidence(sharing->f->table, 1 + round * SHARED + i / 16,
                                 UINT64_C(1) << (sharing->number * 16 + i % 16));
        pthread_barrier_wait(sharing->barrier);
    }
    return NULL;
}

/* What a client said in place of SMTP may be a password in any form. */
static void
what_a_client_said_is_left_out(void **state)
{
    static const char *const lines[][2] = {
        {"improper command pipelining after EHLO from x.example[203.0.113.9]: AUTH PLAIN\\r\\nAGFs",
         "improper command pipelining after EHLO from x.example[203.0.113.9]: AUTH"},
        {"warning: non-SMTP command from unknown[203.0.113.9]: GET /?p=geheim HTTP/1.1",
         "warning: non-SMTP command from unknown[203.0.113.9]: GET"},
        {"warning: non-SMTP command from unknown[2001:db8::9]:4711: Z2VoZWlt",
         "warning: non-SMTP command from unknown[2001:db8::9]:4711: "},
        {"NON-SMTP COMMAND from [203.0.113.9]:50123 after CONNECT: get /x",
         "NON-SMTP COMMAND from [203.0.113.9]:50123 after CONNECT: get"},
        {"PREGREET 90 after 0.05 from [203.0.113.9]:50123: EHLOgeheim",
         "PREGREET 90 after 0.05 from [203.0.113.9]:50123: "},
        {"warning: non-SMTP command from unknown[203.0.113.9]: 4711",
         "warning: non-SMTP command from unknown[203.0.113.9]: "},
        {"warning: non-SMTP command from unknown[203.0.113.9]: 550 geheim",
         "warning: non-SMTP command from unknown[203.0.113.9]: "},
        {"NOQUEUE: reject: VRFY from unknown[203.0.113.9]: 55 geheim",
         "NOQUEUE: reject: VRFY from unknown[203.0.113.9]: "},
        {"warning: non-SMTP command from unknown[203.0.113.9]: 550",
         "warning: non-SMTP command from unknown[203.0.113.9]: "},
        {"warning: non-SMTP command from unknown[203.0.113.9]: ",
         "warning: non-SMTP command from unknown[203.0.113.9]: "},
        {"warning: non-SMTP command from unknown[203.0.113.9: geheim",
         "warning: non-SMTP command from unknown[203.0.113.9: geheim"},
        {"warning: non-SMTP command from unknown[203.0.113.9]",
         "warning: non-SMTP command from unknown[203.0.113.9]"},
        {"NOQUEUE: reject: VRFY from unknown[203.0.113.9]: 550 5.1.1 <x@y>: User unknown",
         "NOQUEUE: reject: VRFY from unknown[203.0.113.9]: 550 5.1.1 <x@y>: User unknown"},
        {"bare <LF> received after DATA content from unknown[203.0.113.9]",
         "bare <LF> received after DATA content from unknown[203.0.113.9]"},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(evidence_without_said(lines[i][0], strlen(lines[i][0])),
                         strlen(lines[i][1]));
}

/* Several jails add themselves to one line at once: none is lost, and a line that has taken the
 * place of another is not theirs. */
static void
jails_share_a_line(void **state)
{
    struct sharing sharings[SHARERS];
    pthread_t threads[SHARERS];
    pthread_barrier_t barrier;
    struct evidence evidence;
    struct fixture f;
    uint64_t room;

    (void)state;
    fixture_begin(&f, 65536, 64);
    room = table_evidence_room(f.table);
    assert_true(room >= ROUNDS * SHARED);
    pthread_barrier_init(&barrier, NULL, SHARERS);
    for (unsigned i = 0; i < SHARERS; i++) {
        sharings[i] = (struct sharing){&f, &barrier, i};
        assert_int_equal(pthread_create(&threads[i], NULL, share, &sharings[i]), 0);
    }
    for (unsigned i = 0; i < SHARERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (uint64_t number = 1; number <= ROUNDS * SHARED; number++) {
        assert_true(table_read_evidence(f.table, number, &evidence));
        assert_true(evidence.jails == UINT64_MAX);
    }
    table_share_evidence(f.table, 1 + room, 4);
    table_share_evidence(f.table, 0, 4);
    assert_true(table_read_evidence(f.table, 1, &evidence));
    fixture_end(&f);
}

static void
forgetting_erases(void **state)
{
    struct evidence evidence;
    struct source source;
    struct fixture f;

    (void)state;
    fixture_prepare(&f, 1024, 64);
    fixture_open(&f);
    add(&f, "203.0.113.9", "a@example.org", NOON_MS);
    add(&f, "2001:db8:1::7", "b@example.org", NOON_MS);
    add(&f, "203.0.113.10", "a@example.org", NOON_MS);
    assert_int_equal(source_parse_prefix("2001:db8:1::/48", 15, &source), 0);
    assert_int_equal(table_forget_evidence(f.table, &source, NULL), 1);
    assert_false(table_read_evidence(f.table, 2, &evidence));
    assert_int_equal(table_forget_evidence(f.table, NULL, "a@example.org"), 2);
    assert_int_equal(table_forget_evidence(f.table, NULL, "a@example.org"), 0);
    fixture_end(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_told_from_other_names),
        cmocka_unit_test(nothing_stands_behind_the_end_of_a_text),
        cmocka_unit_test(names_are_shortened_in_the_line),
        cmocka_unit_test(what_stands_behind_a_secrets_words_is_left_out),
        cmocka_unit_test(the_ring_forgets_the_oldest_first),
        cmocka_unit_test(what_a_client_said_is_left_out),
        cmocka_unit_test(jails_share_a_line),
        cmocka_unit_test(forgetting_erases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
