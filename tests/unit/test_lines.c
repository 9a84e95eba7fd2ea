/* test_lines: the text in which the ledger keeps the lines of a ban.
 *
 * Proves: a line has its fields, however long, and no byte that is not printable ASCII; what is
 * merged keeps the lines that were there first, adds what is new by stamp and number, and stops at
 * LINES_MOST; a client's lines and a user's are removed, and no others, whatever the text is. Fails
 * when a tab in a user's name shifts the fields, or the text of another is lost.
 *
 * SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"
#include "ledger/lines.h"

static struct evidence
some_evidence(const char *user)
{
    struct evidence evidence = {.number = 7,
                                .client = source_of("203.0.113.9"),
                                .class = OFFENCE_AUTH_FAILED,
                                .attempts = 2,
                                .stamp_ms = 1795248545000};
    snprintf(evidence.host, sizeof(evidence.host), "mx1");
    snprintf(evidence.service, sizeof(evidence.service), "imap");
    snprintf(evidence.user, sizeof(evidence.user), "%s", user);
    snprintf(evidence.line, sizeof(evidence.line), "user=<%s>", user);
    return evidence;
}

static void
a_line_has_its_fields_and_nothing_unprintable(void **state)
{
    char text[LINES_ONE_SIZE + 1];
    struct evidence evidence = some_evidence("a\tb\nc\x7f\xe9z");
    (void)state;
    *lines_print(text, &evidence) = '\0';
    assert_string_equal(text, "1795248545000\t7\t203.0.113.9\tauth_failed\t2\tmx1\timap\ta?b?c??z"
                              "\tuser=<a?b?c??z>");
}

/* Texts that fill their fields have no NUL. */
static void
the_longest_line_has_room(void **state)
{
    char text[LINES_ONE_SIZE];
    struct evidence evidence = some_evidence("");
    (void)state;
    evidence.number = UINT64_C(1) << 63;
    evidence.stamp_ms = INT64_MIN;
    evidence.attempts = UINT8_MAX;
    evidence.client = source_of("2001:db8:1111:2222:3333:4444:5555:6666/127");
    memset(evidence.host, 'h', sizeof(evidence.host));
    memset(evidence.service, 's', sizeof(evidence.service));
    memset(evidence.user, 'u', sizeof(evidence.user));
    memset(evidence.line, 'l', sizeof(evidence.line));
    for (int class = 0; class < OFFENCE_CLASSES; class ++) {
        evidence.class = (enum offence_class) class;
        assert_in_range(lines_print(text, &evidence) - text, 448, sizeof(text) - 1);
    }
}

static void
what_is_merged_keeps_what_was_there(void **state)
{
    static const struct {
        const char *kept, *newer, *merged;
        size_t added;
    } cases[] = {
        {"1\t1\ta\n2\t2\tb", "2\t2\tother\n3\t3\tc", "1\t1\ta\n2\t2\tb\n3\t3\tc", 1},
        {"1\t1\ta", "1\t11\tb", "1\t1\ta\n1\t11\tb", 1},
        {"1\t11\ta", "1\t1\tb", "1\t11\ta\n1\t1\tb", 1},
        {"1\t1\ta", "1\t1\ta", "1\t1\ta", 0},
        {"1\t1\ta", "", "1\t1\ta", 0},
        {"", "1\t1\ta", "1\t1\ta", 1},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "1\t1\ta", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 0},
        {"\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "1\t1\ta\n2\t2\tb",
         "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n1\t1\ta", 1},
    };
    char merged[128];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(lines_merge(cases[i].kept, cases[i].newer, merged), cases[i].added);
        assert_string_equal(merged, cases[i].merged);
    }
}

#define ANNA "1\t1\t203.0.113.9\tprobe\t1\tmx1\timap\tanna\tuser=<anna>"
#define BEN  "2\t2\t203.0.113.10\tprobe\t1\tmx1\timap\tben\tuser=<ben>"
#define NONE "3\t3\t2001:db8::1\tprobe\t1\tmx1\tsmtpd\t\tx"

static void
what_is_meant_is_removed_and_nothing_else(void **state)
{
    static const struct {
        const char *text, *source, *user, *left;
        size_t removed;
    } cases[] = {
        {ANNA "\n" BEN "\n" NONE, NULL, "anna", BEN "\n" NONE, 1},
        {ANNA "\n" BEN "\n" NONE, NULL, "ben", ANNA "\n" NONE, 1},
        {ANNA "\n" BEN "\n" NONE, NULL, "imap", ANNA "\n" BEN "\n" NONE, 0},
        {ANNA "\n" BEN "\n" NONE, NULL, "ann", ANNA "\n" BEN "\n" NONE, 0},
        {ANNA "\n" BEN "\n" NONE, "203.0.113.10", NULL, ANNA "\n" NONE, 1},
        {ANNA "\n" BEN "\n" NONE, "203.0.113.0/24", NULL, NONE, 2},
        {ANNA "\n" BEN "\n" NONE, "2001:db8::/32", "anna", BEN, 2},
        {ANNA "\n" BEN "\n" NONE, NULL, "", ANNA "\n" BEN, 1},
        {ANNA, "203.0.113.9", "anna", "", 1},
        {"", "203.0.113.9", "anna", "", 0},
        {"x\n\tx\n", "203.0.113.9", "anna", "x\n\tx\n", 0},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct source source =
            source_of(cases[i].source != NULL ? cases[i].source : "192.0.2.1");
        strcpy(text, cases[i].text);
        assert_int_equal(
            lines_remove(text, cases[i].source != NULL ? &source : NULL, cases[i].user),
            cases[i].removed);
        assert_string_equal(text, cases[i].left);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_fields_and_nothing_unprintable),
        cmocka_unit_test(the_longest_line_has_room),
        cmocka_unit_test(what_is_merged_keeps_what_was_there),
        cmocka_unit_test(what_is_meant_is_removed_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
